"""latent-dimension: binom(n-1+d, d) - 1 features suffice, since psi sees a sum over n - 1 tokens."""

from __future__ import annotations

import itertools
import math

import sympy

from constructions.encodings.power_sums import multi_indices, sharpened_dimension
from proofs_check.evidence import every, identities
from proofs_check.multisymmetric import PAIRS
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def counting(given: Given) -> Evidence:
    """Multi-indices of degree exactly k number binom(k+d-1, d-1); Pascal's rule adds them up to binom(m+d, d), 0 included.

    The first by induction on d and k: of degree k in d + 1 coordinates, either the last is 0, or one can be taken from it.
    """
    m, d, k, n = sympy.symbols("m d k n", integer=True, positive=True)

    def exactly(degree: sympy.Expr, coordinates: sympy.Expr) -> sympy.Expr:
        return sympy.binomial(degree + coordinates - 1, coordinates - given["pascal"])

    more = exactly(k, d + 1) - exactly(k - 1, d + 1) - exactly(k, d)
    up_to = sympy.binomial(m + 1 + d, d) - sympy.binomial(m + d, d) - exactly(m + 1, d)
    return identities({"one coordinate": exactly(k, sympy.Integer(1)) - 1, "degree 0": exactly(sympy.Integer(0), d) - 1,
                       "one coordinate more": in_gammas(more), "step from m to m + 1": in_gammas(up_to),
                       "psi sees n - 1 tokens": (n - given["less"]) - (n - 1)},
                      "there are binom(n-1+d, d) - 1 indices 0 < |a| <= n - 1, for symbolic n and d")


def in_gammas(expression: sympy.Expr) -> sympy.Expr:
    """Simplify a sum of binomial coefficients through gamma functions."""
    return sympy.gammasimp(sympy.expand_func(expression.rewrite(sympy.gamma)))


def enough(given: Given) -> Evidence:
    """n - 1 others need degree n - 1; with one degree less two multisets of n - 1 numbers collide."""
    return every(PAIRS, lambda m: _collides(m, m + 1 - given["less"]), "{} lengths: no collision of known pairs at degree n - 1")


def _collides(m: int, degree: int) -> tuple[str, ...]:
    A, B = PAIRS[m]
    if any(sum(x**k for x in A) != sum(x**k for x in B) for k in range(1, degree + 1)):
        return ()
    return (f"n = {m + 1}, d = 1, degree <= {degree}: the others {A} and {B} have the same power sums",)


def listed(given: Given) -> Evidence:
    """What the project lists is that number."""
    cases = itertools.product(range(2, given.effort(7, 10)), range(1, given.effort(5, 7)))
    return every(cases, lambda case: _wrong(*case), "{} pairs (n, d): the listed indices")


def _wrong(n: int, d: int) -> str:
    counted = len(multi_indices(d, n - 1)), sharpened_dimension(n, d)
    claimed = math.comb(n - 1 + d, d) - 1
    return "" if counted == (claimed, claimed) else f"n = {n}, d = {d}: {counted} against {claimed}"


STEP = ProofStep(
    id="latent-dimension", section=3,
    plain="psi sees a sum over n - 1 tokens, so |a| <= n - 1 suffices: d' = binom(n-1+d, d) - 1.",
    latex=r"d'=\binom{n-1+d}{d}-1", source="paper, theorem 4.1 (continuous), sharpened",
    depends_on=("power-sums-generate", "semi-invariant-form"),
    constants={"less": 1, "pascal": 1},
    checks=(Check("there are so many indices", Method.SYMBOLIC, counting),
            Check("one degree less is too few", Method.EXACT, enough, support=True),
            Check("the indices that are built", Method.EXHAUSTIVE, listed, support=True)),
    mutations=(Mutation("|a| <= n - 2", {"less": 2}), Mutation("another count of a degree", {"pascal": 2})))
