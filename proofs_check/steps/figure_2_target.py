"""figure-2-target: the paper's only printed target needs d' = d, exactly."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import sympy

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.evidence import cited, every, identities
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def exact_sumformer(given: Given) -> Evidence:
    """phi = id, psi(x, S) = x + 7 x^2 + 3 x (S - x)^3, coordinate by coordinate."""
    x, y, z = sympy.symbols("x y z", real=True)
    S = x + y + z
    psi = x + 7 * x**2 + given["factor"] * x * (S - x) ** 3
    return identities({"psi(x, Sigma) - g": psi - (x + 7 * x**2 + 3 * x * (y + z) ** 3)}, "d' = d is exact")


def forced_error(given: Given) -> Evidence:
    """x_1 = 1 and x_2 = x_3 = p or 1 - p with p_c = 0: component c of the targets is 8 and 32, whatever the other coordinates."""
    p = sympy.Symbol("p", real=True)
    g = 1 + 7 + given["factor"] * (2 * p) ** 3
    difference = (g.subs(p, 1) - g.subs(p, 0)) / 2
    return identities({"half the difference of targets": difference - 12}, "equal features at p and 1 - p force an error >= 12")


def without_features(given: Given) -> Evidence:
    """psi that ignores Sigma reaches 12: x + 7 x^2 + 12 x is within 12 of every target value."""
    x, u = sympy.symbols("x u", nonnegative=True)  # u = (y + z)^3 in [0, 8]
    return identities({"error at the two ends": (3 * x * u - 12 * x).subs(u, 8) + (3 * x * u - 12 * x).subs(u, 0)},
                      "3 x u - 12 x lies in [-12 x, 12 x]")


def library_target(given: Given) -> Evidence:
    """The library's target is this function, d = 1, 2, 3."""
    points = (Fraction(0), Fraction(1, 3), Fraction(1))
    cases = itertools.product((1, 2, 3), itertools.product(points, repeat=3))
    return every(cases, lambda case: _differs(*case), "{} sequences in up to three coordinates")


def _differs(d: int, firsts: tuple[Fraction, ...]) -> str:
    target = resolve("figure-2", n=3, d=d, domain="0,1")
    assert isinstance(target, Target)
    X = np.array([[(first + Fraction(c, 7)) % 1 for c in range(d)] for first in firsts], dtype=object)
    x, y, z = X
    wanted = x + 7 * x**2 + 3 * x * (y + z) ** 3
    return "" if (target.fractions(X)[0] == wanted).all() else f"d = {d}, X = {X.tolist()}"


STEP = ProofStep(
    id="figure-2-target", section=3,
    plain="g = x_1 + 7 x_1^2 + 3 x_1 (x_2 + x_3)^3 is exact with phi = id, d' = d; fewer continuous features err by >= 12.",
    latex=r"d'=d\ \text{exact};\qquad d'<d\Rightarrow\|f-S\|\ge 12", source="paper, figure 2; ours",
    expected=Status.ASSUMED, constants={"factor": 3},
    checks=(Check("d' = d is exact", Method.SYMBOLIC, exact_sumformer),
            Check("equal features force an error of 12", Method.SYMBOLIC, forced_error),
            Check("some p on the boundary of the cube has phi(p) = phi(1 - p)", Method.CITED,
                  lambda given: cited("Borsuk-Ulam on the boundary of [0, 1]^d")),
            Check("12 is reached without features", Method.SYMBOLIC, without_features, support=True),
            Check("the library's target", Method.EXACT, library_target, support=True)),
    mutations=(Mutation("psi with 2 x (S - x)^3", {"factor": 2}),))
