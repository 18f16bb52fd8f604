"""printed-corners: with cell corners the bound is w_f(delta): not an error, only weaker by a factor of two."""

from __future__ import annotations

from fractions import Fraction

import sympy

from proofs_check.evidence import every
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def distance_to_corner(given: Given) -> Evidence:
    """x = a + (j + t) delta with 0 <= t <= 1, corner a + j delta: 0 <= x - corner <= delta."""
    a, j = sympy.symbols("a j", real=True)
    t = sympy.Symbol("t", nonnegative=True)
    delta = sympy.Symbol("delta", positive=True)
    moved = (a + (j + t) * delta) - (a + j * delta)
    factor = sympy.Rational(given["radius"])
    return follows({"x - corner >= 0": (moved, [(1, t * delta)]),
                    "x - corner <= radius": (factor * delta - moved, [(1, (1 - t) * delta)])}, "|x - corner| <= delta")


def not_better(given: Given) -> Evidence:
    """f(x) = x: the error of corners comes as close to delta as one likes, that of centres stays at delta/2."""
    radius = Fraction(given["radius"])
    points = (Fraction(k, 64) for k in range(64))
    return every(points, lambda t: "" if t <= radius else f"f(x) = x, x = {t} delta: error {t} delta",
                 "{} points of a cell within delta of the corner")


STEP = ProofStep(
    id="printed-corners", section=2, corrects="piecewise-constant-error",
    plain="With f-bar = f at the cell corners, ||f - f-bar|| <= w_f(delta): true, weaker than w_f(delta/2) for centres.",
    latex=r"\|f-\bar f\|\le w_f(\delta)\ \text{with corners}",
    source="paper, proof of theorem 4.1 (discontinuous), as printed", depends_on=("modulus",), constants={"radius": Fraction(1)},
    checks=(Check("a token is within delta of the corner of its cell", Method.SYMBOLIC, distance_to_corner),
            Check("no smaller factor holds for corners", Method.EXACT, not_better, support=True)),
    mutations=(Mutation("delta/2 with corners", {"radius": Fraction(1, 2)}),))
