"""positional-encoding: with positions as one coordinate more, functions that are not equivariant are covered."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.evidence import cited, every
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def sequence_from_set(given: Given) -> Evidence:
    """The set of pairs (x_i, position i) determines the sequence: positions are distinct."""
    def objection(n: int) -> tuple[str, ...]:
        seen: dict[frozenset[tuple[int, Fraction]], tuple[int, ...]] = {}
        for X in itertools.product(range(3), repeat=n):
            key = frozenset((x, given["position"](i, n)) for i, x in enumerate(X, 1))
            if key in seen:
                return (f"n = {n}: {seen[key]} and {X} are the same set of pairs",)
            seen[key] = X
        return ()
    return every(range(2, given.effort(7, 9)), objection, "{} lengths: all sequences over 3 letters told apart")


def distance_of_positions(given: Given) -> Evidence:
    """Positions are 1/n apart, so the set of labelled sequences is closed and sorting by position is continuous on it."""
    def objection(n: int) -> str:
        places = sorted(given["position"](i, n) for i in range(1, n + 1))
        gap = min(b - a for a, b in itertools.pairwise(places))
        return "" if gap >= Fraction(1, n) and places[-1] <= 1 else f"n = {n}: two positions are {gap} apart"
    return every(range(2, 40), objection, "{} lengths: positions i/n are 1/n apart, in [0, 1]")


def positional_targets(given: Given) -> Evidence:
    """Targets of the language with positions against direct formulas, over the rationals."""
    return every(itertools.product(range(2, 6), (0, 1)), lambda case: _differs(*case), "{} targets and lengths")


def _differs(n: int, which: int) -> str:
    text = ("mean(y)*i/n", "sum(relu(j-i)*y)")[which]
    box = Box((Fraction(0), Fraction(0)), (Fraction(1), Fraction(1)))
    target = Target.from_text(text, n=n, box=box, positional=True)
    x = [Fraction(k * k + 1, 5 + 3 * k) for k in range(n)]
    tokens = np.array([[v, Fraction(k + 1, n)] for k, v in enumerate(x)], dtype=object)
    direct = ([sum(x) / n * (i + 1) / n for i in range(n)],
              [sum((max(j - i, 0) * x[j] for j in range(n)), Fraction(0)) for i in range(n)])[which]
    return "" if target.fractions(tokens)[:, 0].tolist() == direct else f"{text}, n = {n}"


STEP = ProofStep(
    id="positional-encoding", section=4,
    plain="A continuous function of sequences of length n is an equivariant continuous function of the tokens (x_i, i/n).",
    latex=r"f(X)=\tilde f\bigl((x_1,\tfrac1n),\dots,(x_n,\tfrac nn)\bigr),\ \tilde f\text{ equivariant on }([0,1]^{d+1})^n",
    source="ours; Tietze's extension theorem, symmetrised", expected=Status.ASSUMED,
    depends_on=("equivariance-semi-invariance", "modulus"), constants={"position": lambda i, n: Fraction(i, n)},
    checks=(Check("the set of pairs determines the sequence", Method.EXHAUSTIVE, sequence_from_set, "n <= 6"),
            Check("positions stay apart", Method.EXHAUSTIVE, distance_of_positions, "n < 40"),
            Check("a continuous function on a closed set extends", Method.CITED, lambda given: cited("Tietze's theorem")),
            Check("positional targets", Method.EXACT, positional_targets, support=True)),
    mutations=(Mutation("two tokens share a position", {"position": lambda i, n: Fraction(max(i - 1, 1), n)}),))
