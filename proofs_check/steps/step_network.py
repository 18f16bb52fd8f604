"""step-network: staircases of Heaviside units, and the ReLU units that stand in for them."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import sympy

from constructions.network import Staircase
from proofs_check.evidence import every, identities, refuted
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def telescoping(given: Given) -> Evidence:
    """c_0 + sum_{j <= z} (c_j - c_{j-1}) = c_z by induction on z, for any code c."""
    z, c = sympy.Symbol("z", integer=True), sympy.Function("c")
    return identities({"step from z to z + 1": (c(z) + given["jump"] * (c(z + 1) - c(z))) - c(z + 1)},
                      "a staircase of jumps is the code")


def sharp_units(given: Given) -> Evidence:
    """relu(v + 1/2) - relu(v - 1/2) with v = M (t - j + 1/2): 1 from v = 1/2 on, 0 up to v = -1/2."""
    M = sympy.Symbol("M", positive=True)
    e, slack = sympy.Symbol("e", nonnegative=True), sympy.Symbol("s", nonnegative=True)
    allowed = sympy.Rational(1, 2) - 1 / (given["share"] * M) - slack  # e = allowed, slack >= 0
    above, below = M * (-e + sympy.Rational(1, 2)), M * (-1 + e + sympy.Rational(1, 2))
    half = sympy.Rational(1, 2)
    return follows({"t >= j - e gives v >= 1/2": ((above - half).subs(e, allowed), [(M * slack, 1)]),
                    "t <= j - 1 + e gives v <= -1/2": ((-half - below).subs(e, allowed), [(M * slack, 1)])},
                   "exact on integers for M >= 2, tolerating errors up to 1/2 - 1/(2 M)")


def half_a_gap(given: Given) -> Evidence:
    """The rank of s_r + e among sums s_0 < s_1 < .., G apart at least, by thresholds half-way: r for |e| <= G/2, as for e = 0."""
    s_r, s_j, below, G, e = sympy.symbols("s_r s_j s_j-1 G e", real=True)
    threshold, argument, half = (below + s_j) / 2, s_r + e, sympy.Rational(1, 2)
    most = sympy.Rational(given["tolerated"]) * G
    return follows({"j <= r is passed": (argument - threshold, [(1, s_r - s_j), (half, (s_j - below) - G), (1, e + most)]),
                    "j > r is not": (threshold - argument, [(1, below - s_r), (half, (s_j - below) - G), (1, most - e)])},
                   "the decoder's rank survives any error of Sigma below half the least gap")


def plain_unit(given: Given) -> Evidence:
    """relu(t - j + 1) - relu(t - j) is exact on integers but tolerates no error: t = j - 2/5 gives 3/5."""
    at = -given["off"]
    value = max(at + 1, Fraction(0)) - max(at, Fraction(0))
    if value == 1:
        return refuted("the plain unit is exact there", f"t = j - {given['off']} gives {value}")
    if value != 1 - given["off"]:
        return refuted("another value", f"t = j - {given['off']} gives {value}")
    return Evidence(Status.PROVED, f"t = j - {given['off']} gives {value} in place of 1")


def built_staircases(given: Given) -> Evidence:
    """Look-up against the sum of units, thresholds half-way, at every error below a half."""
    cases = itertools.product(range(1, given.effort(8, 20)), range(-9, 10))
    return every(cases, _wrong_stair, "{} arguments: units add up to the look-up, errors below 1/2 do not matter")


def _wrong_stair(case: tuple[int, int]) -> str:
    K, offset = case
    values = np.array([[Fraction(z * z + 1)] for z in range(K)], dtype=object)
    stair = Staircase(np.array([Fraction(2 * z - 1, 2) for z in range(1, K)], dtype=object), values)
    for z in range(K):
        t = z + Fraction(offset, 20)
        active = [jump for jump, at in zip(stair.jumps[:, 0], stair.thresholds, strict=True) if t >= at]
        units = values[0, 0] + sum(active, Fraction(0))
        if not units == stair(np.array(t, dtype=object))[..., 0] == values[z, 0]:
            return f"K = {K}, t = {t}: units give {units}, expected {values[z, 0]}"
    return ""


def order_of_products(given: Given) -> Evidence:
    """In one matrix product large codes cancel; two layers, the units first, are exact in float64."""
    rng = np.random.default_rng(given.seed)
    codes = np.sort(rng.integers(0, 2**53, 400)).astype(np.float64)
    jumps, z = np.diff(codes), 399
    hidden = np.concatenate([np.full(399, z - 1.0 * np.arange(1, 400) + 1), np.full(399, z - 1.0 * np.arange(1, 400))])
    ramps = np.maximum(hidden, 0)
    one_product = codes[0] + ramps @ np.concatenate([jumps, -jumps])
    two_layers = codes[0] + (ramps[:399] - ramps[399:]) @ jumps
    if two_layers != codes[z]:
        return refuted("the two-layer form is not exact", f"off by {two_layers - codes[z]}")
    return Evidence(Status.SAMPLED, f"codes up to 2^53: one product is off by {abs(one_product - codes[z]):.0f}, two layers by 0")


STEP = ProofStep(
    id="step-network", section=2,
    plain="Explicit weights: quantiser, code, decoder and table are staircases; the decoder tolerates errors of Sigma below half "
          "the least gap of sums, ReLU units of slope M up to 1/2 - 1/(2M).",
    latex=r"c_z=c_0+\sum_j(c_j-c_{j-1})H(z-j+\tfrac12),\quad H\approx\mathrm{relu}(v+\tfrac12)-\mathrm{relu}(v-\tfrac12)",
    source="ours", depends_on=("quantiser-covers", "sum-code-injective", "grid-sumformer"),
    constants={"share": 2, "jump": 1, "tolerated": Fraction(1, 2), "off": Fraction(2, 5)},
    checks=(Check("jumps add up to the code", Method.SYMBOLIC, telescoping),
            Check("ranks tolerate half a gap", Method.SYMBOLIC, half_a_gap),
            Check("sharp ReLU units tolerate errors", Method.SYMBOLIC, sharp_units),
            Check("plain ReLU units do not", Method.EXACT, plain_unit),
            Check("built staircases", Method.EXHAUSTIVE, built_staircases, support=True),
            Check("units are subtracted before they are multiplied", Method.SAMPLED, order_of_products, support=True)),
    mutations=(Mutation("1/2 - 1/(2M) becomes 1/2 - 1/(4M)", {"share": 4}), Mutation("jumps are taken twice", {"jump": 2}),
               Mutation("ranks tolerate a whole gap", {"tolerated": Fraction(1)}),
               Mutation("plain units fail on integers too", {"off": Fraction(0)})))
