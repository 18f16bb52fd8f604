"""interpolation-error: piecewise-linear interpolation errs by h^2/8 max|g''| at most, half after a shift for convex g."""

from __future__ import annotations

import math
from fractions import Fraction

import sympy
from flint import arb, ctx

from constructions.pieces.interpolation import interpolate
from constructions.pieces.smooth import Smooth
from constructions.targets import expression as ex
from constructions.targets.language import parse
from proofs_check.evidence import every, identities, refuted
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

TEXTS = (("exp(2*x)", 0, 1), ("1/(1+x)", 0, 2), ("tanh(3*x)", -1, 1))


def peano_kernel(given: Given) -> Evidence:
    """L(t) - g(t) = integral of K g'' with K = (s-a)(b-t)/h for s <= t, (t-a)(b-s)/h beyond, by parts, for every g in C^2."""
    a, b, s, t = sympy.symbols("a b s t", real=True)
    g = sympy.Function("g")
    left, right = (s - a) * g(s).diff(s) - g(s), (b - s) * g(s).diff(s) + g(s)  # antiderivatives of (s-a) g'', (b-s) g''
    value = g(t)
    slope = sympy.Symbol("slope")  # g'(t)
    first = (t - a) * slope - value + g(a)
    second = g(b) - (b - t) * slope - value
    chord = ((b - t) * g(a) + (t - a) * g(b)) / (b - a)
    h = b - a
    return identities({"left antiderivative": left.diff(s) - (s - a) * g(s).diff(s, 2),
                       "right antiderivative": right.diff(s) - (b - s) * g(s).diff(s, 2),
                       "L - g": (given["left"](a, b, t) * first + (t - a) * second) / h - (chord - value)},
                      "L - g = integral of K g'', K >= 0")


def size_of_the_kernel(given: Given) -> Evidence:
    """The kernel integrates to (t - a)(b - t)/2 <= h^2/8, with equality in the middle."""
    a, b, s, t = sympy.symbols("a b s t", real=True)
    total = sympy.integrate((s - a) * (b - t), (s, a, t)) + sympy.integrate((t - a) * (b - s), (s, t, b))
    identity = identities({"integral of K": total - (b - a) * (t - a) * (b - t) / 2}, "")
    if identity.status is not Status.PROVED:
        return identity
    bubble = sympy.Rational(given["factor"]) * (b - a) ** 2 - (t - a) * (b - t) / 2
    return follows({"h^2/8 - integral of K": (bubble, [(sympy.Rational(1, 2), (t - (a + b) / 2) ** 2)])},
                   "|L - g| <= h^2/8 max|g''|, attained by g = t^2")


def shifted(given: Given) -> Evidence:
    """g convex: 0 <= L - g <= M h^2/8, so L - M h^2/16 is within M h^2/16 on both sides."""
    e, M, h = sympy.symbols("e M h", nonnegative=True)
    half = M * h**2 * sympy.Rational(given["shift"])
    return follows({"below": ((e - half) + half, [(1, e)]), "above": (half - (e - half), [(1, M * h**2 / 8 - e)])},
                   "a shift by half of the bound halves it where g is convex or concave on the whole piece")


def inflection(given: Given) -> Evidence:
    """g = t^3, knots -1, 0, 1: |g''| <= 6, L - g is -48/125 at -3/5 and 48/125 at 3/5, so no shift leaves h^2/16 6 = 3/8."""
    start, h, largest = given["start"], 1, 6
    errors = [_chord(t) - t**3 for t in (Fraction(k, 5) for k in range(5 * start, 6))]
    best = (max(errors) - min(errors)) / 2  # what is left after the best shift
    if best <= Fraction(h**2 * largest, 16):
        return refuted("a shift helps", f"t^3 on [{start}, 1]: errors in [{min(errors)}, {max(errors)}], after a shift {best}")
    shown = f"t^3 on [{start}, 1] errs by {best} after any shift, more than h^2/16 max|g''| = 3/8"
    return Evidence(Status.PROVED, shown, len(errors))


def _chord(t: Fraction) -> Fraction:
    """Interpolate t^3 linearly between integers."""
    left = math.floor(t)
    return left**3 + (t - left) * ((left + 1) ** 3 - left**3)


def built_tables(given: Given) -> Evidence:
    """Built tables against balls at many points, their shifts included."""
    return every(TEXTS, lambda case: _table_off(*case, given.effort(400, 4000)), "{} tables stay within their proved errors")


def _table_off(text: str, a: int, b: int, points: int) -> str:
    g = Smooth(ex.specialise(parse(text, 1)[0], 2), 1)
    table = interpolate(g, float(a), float(b), 1e-3)
    knots = [Fraction(float(k)) for k in table.knots]
    for k in range(points + 1):
        t = Fraction(a) + Fraction(b - a) * Fraction(k, points)
        value = Fraction(table.base) + sum((Fraction(float(w)) * max(t - knot, Fraction(0))
                                            for w, knot in zip(table.weights, knots, strict=True)), Fraction(0))
        with ctx.workprec(120):
            gap = arb(value.numerator) / value.denominator - g.ball(arb(t.numerator) / t.denominator)
            if gap < arb(table.lower) or gap > arb(table.upper):
                return f"{text} at {float(t)}: error {gap.str(6)} outside [{table.lower}, {table.upper}]"
    return ""


STEP = ProofStep(
    id="interpolation-error", section=5,
    plain="On a piece of length h interpolation errs by <= h^2/8 max|g''|; where g is convex a shift gives h^2/16.",
    latex=r"|L-g|\le\tfrac{h^2}8\max|g''|", source="Peano; ours for the shift", hypotheses=("g in C^2",),
    constants={"factor": Fraction(1, 8), "shift": Fraction(1, 16), "start": -1, "left": lambda a, b, t: b - t},
    checks=(Check("Peano's kernel", Method.SYMBOLIC, peano_kernel),
            Check("its integral", Method.SYMBOLIC, size_of_the_kernel),
            Check("the shift for convex g", Method.SYMBOLIC, shifted),
            Check("no shift across an inflection", Method.EXACT, inflection),
            Check("tables that are built", Method.ENCLOSURE, built_tables, support=True)),
    mutations=(Mutation("h^2/8 becomes h^2/9", {"factor": Fraction(1, 9)}),
               Mutation("a shift by h^2/20", {"shift": Fraction(1, 20)}),
               Mutation("t^3 on [0, 1], which has no inflection inside", {"start": 0}),
               Mutation("the kernel's left part with the wrong weight", {"left": lambda a, b, t: t - a})))
