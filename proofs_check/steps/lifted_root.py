"""lifted-root: max(v, r)^c in the place of u^c, 0 < c < 1, whose slope has no bound at 0; and for c >= 1, where it has one."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import sympy
from flint import arb, ctx

from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.evidence import every
from proofs_check.inequalities import follows
from proofs_check.lifted_roots import Moved
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def smaller_powers(given: Given) -> Evidence:
    """0 < s <= 1, 0 < c <= 1: s^c >= s, because c log s >= log s. Below s stands for the smaller over the larger number."""
    L, c = sympy.symbols("L c", nonnegative=True)  # L = -log s
    return follows({"c log s - log s": (given["smaller"] * -c * L + L, [(1, L * (1 - c))])}, "s^c >= s on [0, 1]")


def below_the_height(given: Given) -> Evidence:
    """u <= r and v <= r: r^c - u^c <= r^c; where u > r >= v, u - r <= u - v <= delta, the next cases with r for v."""
    U, R = sympy.symbols("U R", nonnegative=True)  # u^c and r^c
    return follows({"r^c - (r^c - u^c)": (given["height"] * R - (R - U), [(1, U)])}, "u, v <= r: at most r^c")


def by_the_slope(given: Given) -> Evidence:
    """b the larger, a = t b the smaller, b >= r: b^c - a^c = b^c (1 - t^c) <= b^c (1 - t) = b^(c-1) (b - a) <= r^(c-1) delta.

    P stands for b^c, so b^(c-1) = P/b; the last step is that r^(c-1) >= b^(c-1), Q = r^(c-1) b/P >= 1, and delta >= b (1 - t).
    """
    P, t, Q, delta = sympy.symbols("P t Q delta", nonnegative=True)
    T, b = sympy.Symbol("T"), sympy.Symbol("b", positive=True)  # T = t^c >= t
    bound = given["slope"] * Q * P / b * delta
    return follows({"r^(c-1) delta - (b^c - a^c)": (bound - P * (1 - T), [
        (Q * P / b, delta - b * (1 - t)), (P, (Q - 1) * (1 - t)), (P, T - t)])}, "max(u, v) >= r: at most r^(c-1) delta")


def by_the_power(given: Given) -> Evidence:
    """(1 - t)^c + t^c >= (1 - t) + t = 1, times b^c: b^c - a^c <= (b - a)^c <= delta^c."""
    P = sympy.Symbol("P", nonnegative=True)
    t, T, D = sympy.symbols("t T D")  # T = t^c, D = (1 - t)^c
    return follows({"(b - a)^c - (b^c - a^c)": (given["modulus"] * P * D - P * (1 - T), [(P, D - (1 - t)), (P, T - t)])},
                   "|u^c - v^c| <= |u - v|^c")


def on_fractions(given: Given) -> Evidence:
    """Triples of fractions in balls: c from 1/7 to 3."""
    exponents = [Fraction(1, 7), Fraction(1, 3), Fraction(1, 2), Fraction(9, 10), Fraction(1), Fraction(5, 3), Fraction(3)]
    grid = [Fraction(k, 5) for k in range(given.effort(5, 9))]
    cases = itertools.product(exponents, grid, grid[1:], [*grid, *(-x for x in grid[1:])])
    return every(cases, lambda case: _too_far(*case, given), "{} times (c, u, r, v): the powers differ by no more")


def _too_far(c: Fraction, u: Fraction, r: Fraction, v: Fraction, given: Given) -> str:
    with ctx.workprec(100):
        def power(x: Fraction, exponent: Fraction) -> arb:
            return arb(0) if not x else (arb(x.numerator) / x.denominator) ** (arb(exponent.numerator) / exponent.denominator)

        delta, gap = abs(u - v), abs(power(u, c) - power(max(v, r), c))
        height, slope, modulus = (arb(Fraction(given[name]).numerator) / Fraction(given[name]).denominator
                                  for name in ("height", "slope", "modulus"))
        step = arb(delta.numerator) / delta.denominator
        if c >= 1:
            B = max(u, v, r)
            passed = arb(c.numerator) / c.denominator * power(B, c - 1) * step if c > 1 else step
        else:
            passed = (modulus * power(delta, c)).min(slope * power(r, c - 1) * step)
        return f"c = {c}, u = {u}, v = {v}, r = {r}: {gap.str(6)}" if gap > (height * power(r, c)).max(passed) else ""


def for_large_powers(given: Given) -> Evidence:
    """c >= 1: by the mean value theorem |u^c - w^c| <= c B^(c-1) |u - w|, w = max(v, r), and |u - w| <= delta unless u, v < r."""
    u, v, r, delta = sympy.symbols("u v r delta", real=True)
    bound = given["distance"] * delta
    return follows({"v >= r": (bound - (u - v), [(1, delta - (u - v))]),
                    "u >= r > v": (bound - (u - r), [(1, delta - (u - v)), (1, r - v)])},
                   "c >= 1: at most max(r^c, c B^(c-1) delta)")


TREES = ("sqrt(x)", "x*sqrt(x)-sqrt(x)", "sqrt(x)**3", "1/(1+sqrt(x))", "mean(sqrt(y))*(2-x)", "maximum(sqrt(x),mean(sqrt(y)))",
         "sum(y*sqrt(y))/sum(1+y)", "abs(sqrt(x)-mean(sqrt(y)))", "relu(1-sqrt(x))**2")


def through_trees(given: Given) -> Evidence:
    """The rule as it is used: pairs of trees at tokens that are squares, over the rationals."""
    return every(itertools.product(TREES, (Fraction(1, 2), Fraction(1, 32))), lambda case: _tree_off(*case),
                 "{} pairs of trees: no sequence of squares differs by more than is proved")


def _tree_off(text: str, s: Fraction) -> str:
    lifted = text.replace("sqrt(x)", f"sqrt(maximum(x,{s**2}))").replace("sqrt(y)", f"sqrt(maximum(y,{s**2}))")
    f, g = (Target.from_text(one, n=2, box=Box((Fraction(0),), (Fraction(1),))) for one in (text, lifted))
    bound = Fraction(Moved(f.box.sides, None).of(f.symbolic[0], g.symbolic[0]))
    roots = [Fraction(k, 32) for k in (0, 1, 2, 5, 16, 31, 32)]
    tokens = np.array([[[a**2], [b**2]] for a in roots for b in roots], dtype=object)
    gap = max(map(abs, (f.fractions(tokens) - g.fractions(tokens)).ravel()))
    return "" if gap <= bound else f"{text} with r = {s**2}: {gap} > {bound}"


STEP = ProofStep(
    id="lifted-root", section=5,
    plain="u >= 0, |u - v| <= delta, r > 0, 0 < c < 1: |u^c - max(v, r)^c| <= max(r^c, min(delta^c, delta r^(c-1))).",
    latex=r"|u^c-\max(v,r)^c|\le\max\bigl(r^c,\min(\delta^c,\delta r^{c-1})\bigr)",
    source="ours", hypotheses=("u >= 0", "|u - v| <= delta", "r > 0", "0 < c < 1"),
    constants={"height": 1, "slope": 1, "modulus": 1, "smaller": 1, "distance": 1},
    checks=(Check("s^c >= s", Method.SYMBOLIC, smaller_powers),
            Check("both below r", Method.SYMBOLIC, below_the_height),
            Check("by the slope at r", Method.SYMBOLIC, by_the_slope),
            Check("by the modulus of the power", Method.SYMBOLIC, by_the_power),
            Check("exponents from 1 on", Method.SYMBOLIC, for_large_powers),
            Check("powers of fractions", Method.ENCLOSURE, on_fractions, support=True),
            Check("trees with lifted roots", Method.EXACT, through_trees, support=True)),
    mutations=(Mutation("r^c becomes r^c/2", {"height": sympy.Rational(1, 2)}),
               Mutation("the slope at r is half as large", {"slope": sympy.Rational(1, 2)}),
               Mutation("delta^c becomes delta^c/2", {"modulus": sympy.Rational(1, 2)}),
               Mutation("s^(2c) >= s", {"smaller": 2}),
               Mutation("|u - max(v, r)| <= delta/2", {"distance": sympy.Rational(1, 2)})))
