"""symmetry-reduction: at a fixed own token only sorted others have to be looked at."""

from __future__ import annotations

import math

import sympy

from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def errors_agree(given: Given) -> Evidence:
    """pi fixes i: (f - T)(X o pi)(i) = (f - T)(X)(pi(i)) = (f - T)(X)(i), for every n; some such pi sorts the others."""
    i = sympy.Symbol("i", integer=True)
    pi, f, T = (sympy.Function(name) for name in ("pi", "f", "T"))

    def moved(function: sympy.Function, equivariant: bool) -> sympy.Expr:
        at = pi(i) if equivariant else sympy.Symbol("elsewhere", integer=True)
        return function(at).subs(pi(i), i)  # the value at X o pi, at position i

    error = moved(f, True) - moved(T, given["network_equivariant"])
    return identities({"error at X o pi - error at X": error - (f(i) - T(i))},
                      "|f - T| at token i is the same for all orders of the others")


def sorted_part(given: Given) -> Evidence:
    """k sorted numbers below x fill x^k/k!, for every k: the largest of k + 1 is some t <= x, and the others lie below it.

    For d > 1 the first coordinates tell: tokens with two equal ones are a null set, the others are sorted as these are.
    """
    k = sympy.Symbol("k", integer=True, nonnegative=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    t, x = sympy.symbols("t x", positive=True)

    def volume(count: sympy.Expr, below: sympy.Expr) -> sympy.Expr:
        return below**count / sympy.factorial(count)

    more = sympy.integrate(volume(k, t), (t, 0, x)) / volume(k + 1, x)
    return identities({"no number": volume(sympy.Integer(0), x) - 1, "one number more": sympy.gammasimp(more) - 1,
                       "n - 1 others": sympy.gammasimp(volume(n - 1, sympy.Integer(1)) * given["fold"](n)) - 1},
                      "the sorted others fill 1/(n-1)! of the domain, for every n")


def volumes(given: Given) -> Evidence:
    """The sorted part of [0, 1]^(n-1) has the volume 1/(n-1)!."""
    return every(range(2, given.effort(6, 9)), _wrong_volume, "{} lengths: the sorted others fill 1/(n-1)! of the domain")


def _wrong_volume(n: int) -> str:
    x = sympy.symbols(f"x1:{n + 1}")
    volume: sympy.Expr = sympy.Integer(1)
    for k in range(n - 1):
        volume = sympy.integrate(volume, (x[k], 0, x[k + 1] if k < n - 2 else 1))
    return "" if volume == sympy.Rational(1, math.factorial(n - 1)) else f"n = {n}: volume {volume}"


STEP = ProofStep(
    id="symmetry-reduction", section=1,
    plain="The worst error at token i is attained with the others in lexicographic order; the domain shrinks (n-1)!-fold.",
    latex=r"\sup_X|f(X)_i-T(X)_i|=\sup_{X:\,x_j\text{ sorted},\,j\ne i}|f(X)_i-T(X)_i|",
    source="ours", hypotheses=("f and T are exactly equivariant",), depends_on=("equivariance-semi-invariance",),
    constants={"network_equivariant": True, "fold": lambda n: sympy.factorial(n - 1)},
    checks=(Check("errors agree along permutations that fix the own token", Method.SYMBOLIC, errors_agree),
            Check("the volume of the sorted part", Method.SYMBOLIC, sorted_part),
            Check("the volume by integrals, n <= 5", Method.SYMBOLIC, volumes, support=True)),
    mutations=(Mutation("T is not equivariant", {"network_equivariant": False}),
               Mutation("the domain shrinks n!-fold", {"fold": sympy.factorial})))
