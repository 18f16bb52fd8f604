"""piecewise-constant-error: with cell centres |f - f-bar| <= w_f(delta/2), so N = ceil(L (b - a)/(2 eps)) cells suffice."""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy

from constructions.domains import cells_needed
from proofs_check.evidence import every
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def distance_to_centre(given: Given) -> Evidence:
    """x = a + (j + t) delta with 0 <= t <= 1, centre a + (j + 1/2) delta: |x - centre| <= delta/2, in every coordinate."""
    a, j = sympy.symbols("a j", real=True)
    t, rest = sympy.symbols("t r", nonnegative=True)  # t + r = 1
    delta = sympy.Symbol("delta", positive=True)
    moved = (a + (j + t) * delta) - (a + (j + sympy.Rational(1, 2)) * delta)
    limit = sympy.Rational(given["radius"]) * delta
    one = {rest: 1 - t}
    return follows({"x - centre <= radius": (limit - moved, [(1, (rest * delta).subs(one))]),
                    "centre - x <= radius": (limit + moved, [(1, t * delta)])},
                   "|x - centre| <= delta/2; the modulus w_f then bounds |f(X) - f(centres)|")


def number_of_cells(given: Given) -> Evidence:
    """N = L (b - a)/(2 eps) + r, r >= 0 the rounding up: w_f(delta/2) = L (b - a)/(2 N) <= eps."""
    L, width, eps = sympy.symbols("L w eps", positive=True)
    r = sympy.Symbol("r", nonnegative=True)
    N = L * width / (2 * eps) + r
    return follows({"eps - L (b - a)/(2 N) >= 0": (eps - L * sympy.Rational(given["radius"]) * width / N, [(1, eps * r / N)])},
                   "N = max(1, ceil(L (b - a)/(2 eps))) gives an error of at most eps")


def planned_cells(given: Given) -> Evidence:
    """What the planner takes is the smallest such N."""
    most = given.effort(12, 40)
    cases = itertools.product(range(1, most), range(1, most))
    return every(cases, _wrong_count, "{} radii: the planned N is the least that fits")


def _wrong_count(case: tuple[int, int]) -> str:
    p, q = case
    radius = Fraction(p, q)
    N = cells_needed(Fraction(0), Fraction(1), radius)
    fits = Fraction(1, 2 * N) <= radius and (N == 1 or Fraction(1, 2 * (N - 1)) > radius)
    return "" if fits else f"radius {radius}: N = {N} planned"


STEP = ProofStep(
    id="piecewise-constant-error", section=2,
    plain="With f-bar = f at the cell centres, ||f - f-bar|| <= w_f(delta/2); N = max(1, ceil(L (b - a)/(2 eps))) gives <= eps.",
    latex=r"\|f-\bar f\|\le w_f(\delta/2),\qquad N=\max(1,\lceil L(b-a)/(2\varepsilon)\rceil)",
    source="paper, proof of theorem 4.1 (discontinuous), with centres", hypotheses=("w_f(t) <= L t",),
    depends_on=("modulus", "quantiser-covers"), constants={"radius": Fraction(1, 2)},
    checks=(Check("a token is within delta/2 of the centre of its cell", Method.SYMBOLIC, distance_to_centre),
            Check("the stated N suffices", Method.SYMBOLIC, number_of_cells),
            Check("it is what the planner takes, and the least", Method.EXHAUSTIVE, planned_cells, support=True)),
    mutations=(Mutation("delta/2 becomes delta/3", {"radius": Fraction(1, 3)}),))
