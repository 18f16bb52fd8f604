"""separable-kernel: an expansion of the kernel of error e gives a Sumformer of error e; quotients of two."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import sympy

from proofs_check.enclosures.functions import exp
from proofs_check.enclosures.interval import Interval
from proofs_check.evidence import enclosed, every
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def mean_of_errors(given: Given) -> Evidence:
    """mean_k of n errors e_k <= e: step from the sum of n to the sum of n + 1, and linearity of the mean in b_r."""
    n, e = sympy.Symbol("n", integer=True, positive=True), sympy.Symbol("e", nonnegative=True)
    total, last = sympy.symbols("t l", real=True)
    a, b1, b2 = sympy.symbols("a b_1 b_2", real=True)
    return follows({"sum of n + 1 errors": (given["e"] * (n + 1) * e - (total + last), [(1, n * e - total), (1, e - last)]),
                    "a linear psi sees means": ((a * b1 + a * b2) / 2 - a * (b1 + b2) / 2, [])},
                   "|mean_k K(x_i, x_k) - sum_r a_r(x_i) mean_k b_r(x_k)| <= e")


def quotient(given: Given) -> Evidence:
    """A/B - A'/B' = ((A - A') - (A'/B')(B - B'))/B, so it is at most (e_A + |A'/B'| e_B)/B. B > 0; q = A'/B' of either sign."""
    B, size = sympy.Symbol("B", positive=True), sympy.Symbol("q", nonnegative=True)  # size: |A'/B'|
    A, C, D, e_A, e_B = sympy.symbols("A C D e_A e_B", real=True)  # C = A', D = B'
    weight = size if given["weighs"] else 1
    claims: dict[str, tuple[Any, Any]] = {"difference of quotients": (A / B - C / D - ((A - C) - C / D * (B - D)) / B, [])}
    for side, sign in itertools.product((1, -1), repeat=2):  # of the difference that is bounded, and of A'/B'
        gap = side * ((A - C) - sign * size * (B - D)) / B
        claims[f"{side:+} times it, A'/B' = {sign:+} q"] = (
            (e_A + weight * e_B) / B - gap, [(1 / B, e_A - side * (A - C)), (size / B, e_B + side * sign * (B - D))])
    return follows(claims, "|A/B - A'/B'| <= (e_A + |A'/B'| e_B)/B")


def quotients_exactly(given: Given) -> Evidence:
    """The bound against rational quotients."""
    grid = [Fraction(k, 3) for k in range(1, 5)]
    return every(itertools.product(grid, repeat=4), lambda case: _too_far(case, given["weighs"]), "{} pairs of quotients")


def _too_far(case: tuple[Fraction, ...], weighs: bool) -> str:
    A, B, C, D = case
    bound = (abs(A - C) + (abs(C / D) if weighs else 1) * abs(B - D)) / B
    gap = abs(A / B - C / D)
    return "" if gap <= bound else f"A = {A}, B = {B}, A' = {C}, B' = {D}: quotients differ by {gap}, bound {bound}"


def attention_kernel(given: Given) -> Evidence:
    """exp(2 x y) on [0, 1]^2 by its Taylor sum of R terms, a_r = (2x)^r/r!, b_r = y^r: enclosed on a grid of boxes."""
    boxes = given.effort(24, 96)
    return enclosed(every((6, 9, 12), lambda R: _kernel_gap(R, boxes), "{} ranks: error at most e^2 2^R/R!"))


def _kernel_gap(R: int, boxes: int) -> str:
    import numpy as np

    ends = np.arange(boxes) / boxes
    x, y = (Interval.of(e, e + 1 / boxes) for e in (ends[:, None], ends[None, :]))
    product = Interval.of(2.0) * x * y
    series, term = Interval.of(0.0), Interval.of(1.0)
    for r in range(R):
        series, term = series + term, term * product / Interval.of(float(r + 1))
    # exp(u) - series = exp(xi) u^R/R! with 0 <= xi <= u: enclosed, then compared with e^2 2^R/R!
    remainder = (exp(product) * term).upper.max()
    limit = float((exp(Interval.of(2.0)) * term).upper[-1, -1]) * (1 + 1e-12)
    direct = float((exp(Interval.of(2.0)) - _series(2.0, R)).upper)
    return "" if direct <= limit and remainder <= limit else f"R = {R}: remainder {remainder}, error {direct}, limit {limit}"


def _series(u: float, R: int) -> Interval:
    series, term = Interval.of(0.0), Interval.of(1.0)
    for r in range(R):
        series, term = series + term, term * Interval.of(u) / Interval.of(float(r + 1))
    return series


STEP = ProofStep(
    id="separable-kernel", section=4,
    plain="|K - sum_r a_r(x) b_r(y)| <= e gives error e for mean_k K(x_i, x_k); |A/B - A'/B'| <= (e_A + |A'/B'| e_B)/B.",
    latex=r"\Bigl|\tfrac AB-\tfrac{A'}{B'}\Bigr|\le\frac{e_A+|A'/B'|\,e_B}{B}", source="ours", hypotheses=("B >= min K > 0",),
    depends_on=("polynomial-density", "sum-decomposition"), constants={"weighs": True, "e": 1},
    checks=(Check("errors of a mean", Method.SYMBOLIC, mean_of_errors),
            Check("quotients", Method.SYMBOLIC, quotient),
            Check("rational quotients", Method.EXHAUSTIVE, quotients_exactly, support=True),
            Check("the kernel of attention", Method.ENCLOSURE, attention_kernel, support=True)),
    mutations=(Mutation("the weight |A'/B'| of e_B is dropped", {"weighs": False}),
               Mutation("half of the kernel's error", {"e": sympy.Rational(1, 2)})))
