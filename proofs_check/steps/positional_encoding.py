"""positional-encoding: with positions as one coordinate more, functions that are not equivariant are covered."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.evidence import every, identities
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def positions_apart(given: Given) -> Evidence:
    """For every n: tokens i and i + k, k >= 1, have positions at least 1/n apart, so the set of pairs tells the sequence."""
    n, i, k = sympy.symbols("n i k", integer=True, positive=True)
    gap = given["position"](i + k, n) - given["position"](i, n)
    return follows({"distance": (gap - 1 / n, [(1 / n, k - 1)])}, "positions i/n are 1/n apart, for every n")


def extension(given: Given) -> Evidence:
    """F(Z)_i = sum over orders pi of w_pi(p) f(y o pi^-1)_(pi(i)), w_pi(p) = relu(1 - n max_k |p_k - pi(k)/n|), Z = (y, p).

    Continuous, and f where p is an order sigma: w_sigma is 1 there, and w_pi is 0 for any other pi, which is at least 1/n away.
    """
    n, D = sympy.symbols("n D", positive=True)  # D: the distance of two orders

    def hat(distance: sympy.Expr) -> sympy.Expr:
        return 1 - given["steep"] * n * distance  # before the relu

    return follows({"the order itself": (hat(sympy.Integer(0)) - 1, []), "another order": (-hat(D), [(n, D - 1 / n)])},
                   "f extends to all positions, for every n, by a formula")


def extension_is_equivariant(given: Given) -> Evidence:
    """For every n and permutation s: the term of pi o s in F(Z o s)_i is the term of pi in F(Z)_(s(i)).

    Its sequence is (y o s) o (pi o s)^-1, its output (pi o s)(i), and its weight has the distances of p and pi in another order.
    """
    i, k, place, n = sympy.symbols("i k q n", integer=True, positive=True)
    s, s_back, pi, pi_back, y, p, f = (sympy.Function(name) for name in ("s", "s^-1", "pi", "pi^-1", "y", "p", "f"))
    back = s_back(pi_back(place))  # the token that pi o s puts there
    output, kept = (pi(s(i)), pi(s(i))) if given["puts_back"] else (i, s(i))
    away = p(k) - pi(k) / n
    return identities({"it is the inverse": _undone(pi(s(back)), (s, s_back), (pi, pi_back)) - place,
                       "a place of the sequence": _undone(y(s(back)), (s, s_back)) - y(pi_back(place)),
                       "a distance": (p(s(k)) - pi(s(k)) / n) - away.subs(k, s(k)),
                       "the output": f(output) - f(kept)}, "F(P Z) = P F(Z), for every n")


def _undone(expression: sympy.Expr, *pairs: tuple[Any, Any]) -> sympy.Expr:
    """Put t in place of s(s^-1(t)), for each pair of a permutation and its inverse."""
    t = sympy.Wild("t")
    for function, inverse in pairs:
        expression = expression.replace(function(inverse(t)), t)
    return expression


def lipschitz_extension(given: Given) -> Evidence:
    """With K = max(L, n Omega'): F~(Z) = min over W in E of F(W) + K |Z - W| is F on E and has the constant K (McShane).

    E: the sequences whose positions are some order. On E two of one order differ by at most L D, two of different orders by at
    most Omega', at a distance D >= 1/n. |P Z - P W| = |Z - W|, so F~ is equivariant because F and E are.
    """
    K, L, Omega, D, away, moved = sympy.symbols("K L O D a m", nonnegative=True)  # away = |Z - W|, moved = |Z - Z'|
    change, value, other, farther = sympy.symbols("c v w b", real=True)  # farther = |Z' - W|
    n = sympy.Symbol("n", positive=True)
    enough = K - given["apart"] * n * Omega
    return follows({"one order": (K * D - change, [(1, L * D - change), (D, K - L)]),
                    "two orders": (K * D - change, [(1, Omega - change), (D, enough), (n * Omega, D - 1 / n)]),
                    "F~ is F on E": ((other + K * D) - value, [(1, K * D - (value - other))]),
                    "F~ has the constant K": ((value + K * away + K * moved) - (value + K * farther),
                                              [(K, away + moved - farther)])}, "with the constant max(L, n Omega')")


def sequence_from_set(given: Given) -> Evidence:
    """The set of pairs (x_i, position i) determines the sequence: positions are distinct."""
    def objection(n: int) -> tuple[str, ...]:
        seen: dict[frozenset[tuple[int, sympy.Expr]], tuple[int, ...]] = {}
        places = [given["position"](sympy.Integer(i), n) for i in range(1, n + 1)]
        for X in itertools.product(range(3), repeat=n):
            key = frozenset(zip(X, places, strict=True))
            if key in seen:
                return (f"n = {n}: {seen[key]} and {X} are the same set of pairs",)
            seen[key] = X
        return ()
    return every(range(2, given.effort(7, 9)), objection, "{} lengths: all sequences over 3 letters told apart")


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
    source="ours; McShane's extension, symmetric",
    depends_on=("equivariance-semi-invariance", "modulus"),
    constants={"position": lambda i, n: i / n, "steep": 1, "puts_back": True, "apart": 1},
    checks=(Check("positions stay apart", Method.SYMBOLIC, positions_apart),
            Check("an extension to all positions", Method.SYMBOLIC, extension),
            Check("the extension is equivariant", Method.SYMBOLIC, extension_is_equivariant),
            Check("an extension with the stated constant", Method.SYMBOLIC, lipschitz_extension),
            Check("the set of pairs determines the sequence, n <= 6", Method.EXHAUSTIVE, sequence_from_set, support=True),
            Check("positional targets", Method.EXACT, positional_targets, support=True)),
    mutations=(Mutation("two tokens share a position", {"position": lambda i, n: sympy.Max(i - 1, 1) / n}),
               Mutation("weights of half the slope", {"steep": sympy.Rational(1, 2)}),
               Mutation("results stay in the order of positions", {"puts_back": False}),
               Mutation("the constant max(L, n Omega'/2)", {"apart": sympy.Rational(1, 2)})))
