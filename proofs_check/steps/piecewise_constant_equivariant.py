"""piecewise-constant-equivariant: f-bar is equivariant."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import sympy

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def commutes_with_permutations(given: Given) -> Evidence:
    """Sequences are functions X(k), (P X)(k) = X(pi(k)); c maps a token to its centre: c(P X) = P c(X), for every n and pi."""
    k = sympy.Symbol("k", integer=True)
    X, pi, c = (sympy.Function(name) for name in ("X", "pi", "c"))
    place = 1 if given["depends_on_position"] else 0

    def quantised(sequence: object, position: sympy.Expr) -> sympy.Expr:
        return c(sequence(position)) + place * position  # type: ignore[operator]

    def permuted(position: sympy.Expr) -> sympy.Expr:
        return X(pi(position))

    return identities({"c(P X) - P c(X)": quantised(permuted, k) - quantised(X, pi(k))},
                      "c(P X) = P c(X), so f-bar(P X) = f(P c(X)) = P f-bar(X)")


def on_a_grid(given: Given) -> Evidence:
    """f-bar of library targets, over the rationals, under all permutations."""
    names = ("own-times-mean", "range", "figure-2", "obstruction")
    points = (Fraction(0), Fraction(1, 3), Fraction(1))
    cases = ((name, X, P) for name in names for X in itertools.product(points, repeat=3)
             for P in itertools.permutations(range(3)))
    return every(cases, _not_equivariant, "{} sequences and permutations")


def _not_equivariant(case: tuple[str, tuple[Fraction, ...], tuple[int, ...]]) -> str:
    name, X, P = case
    target = resolve(name, n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
    centres = np.array([[(min(x // Fraction(1, 4), 3) + Fraction(1, 2)) / 4] for x in X], dtype=object)
    gap = np.abs(target.fractions(centres[list(P)]) - target.fractions(centres)[list(P)]).max()
    return "" if gap == 0 else f"{name}: f-bar(P X) and P f-bar(X) differ by {gap} for X = {X}, P = {P}"


STEP = ProofStep(
    id="piecewise-constant-equivariant", section=2, plain="f-bar is equivariant.", latex=r"\bar f(PX)=P\bar f(X)",
    source="paper, proof of theorem 4.1", hypotheses=("f is equivariant", "the quantiser is the same for all tokens"),
    depends_on=("quantiser-covers",), constants={"depends_on_position": False},
    checks=(Check("a token-wise map commutes with permutations", Method.SYMBOLIC, commutes_with_permutations),
            Check("f-bar of library targets is", Method.EXHAUSTIVE, on_a_grid, support=True)),
    mutations=(Mutation("the quantiser depends on the position", {"depends_on_position": True}),))
