"""square-sawtooth: m folds square with a one-sided error of at most 4^-m / 4, attained (Yarotsky 2017)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy

from constructions.network.relu import run
from constructions.network.wiring import Wiring
from constructions.pieces.forms import Placed
from constructions.pieces.square import Square
from proofs_check.evidence import every, identities
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def error_on_a_piece(given: Given) -> Evidence:
    """f_m interpolates x^2 at k h, h = 2^-m: on a piece f_m - x^2 = (x - k h)((k+1) h - x)."""
    k, s, r, h = sympy.symbols("k s r h", nonnegative=True)
    x = k * h + s  # s, r >= 0 are the distances to the ends, s + r = h
    chord = k**2 * h**2 + s * (2 * k + 1) * h
    error = (chord - x**2).subs(h, s + r)
    limit = sympy.Rational(given["quarter"]) * (s + r) ** 2
    return follows({"f_m - x^2 >= 0": (error, [(1, s * r)]),
                    "f_m - x^2 <= 4^-m / 4": (limit - error, [(1, sympy.Rational(given["quarter"]) * (s - r) ** 2)])},
                   "0 <= f_m(x) - x^2 <= 4^-m / 4 on every piece, with equality at its middle")


def tooth(given: Given) -> Evidence:
    """g(x) = 2 relu(x) - 4 relu(x - 1/2) is 2 x up to 1/2 and 2 - 2 x beyond. Composed with a line from 0 to 1 it is a tent.

    So g_m, m times g, has a tent over each piece of length 2 h, h = 2^-m: 0 at its ends, 1 in its middle, linear between.
    """
    u = sympy.Symbol("u", nonnegative=True)  # x = 1/2 - u, or 1/2 + u; u <= 1/2, so that relu(x) = x
    half = sympy.Rational(1, 2)

    def g(x: sympy.Expr) -> sympy.Expr:
        return 2 * x - given["bend"] * sympy.Max(sympy.expand(x - half), 0)

    return identities({"rising": g(half - u) - (1 - 2 * u), "falling": g(half + u) - (1 - 2 * u),
                       "an end": g(half - u).subs(u, half), "the other end": g(half + u).subs(u, half),
                       "the middle": g(half) - 1}, "m folds make the tents of 2^(m-1) pieces")


def folding(given: Given) -> Evidence:
    """f_m = f_{m-1} - 4^-m g_m: at a new knot, the middle of a piece of length 2 h, the fold takes h^2 away."""
    k, h = sympy.symbols("k h", nonnegative=True)
    left, right, middle = (2 * k * h) ** 2, ((2 * k + 2) * h) ** 2, ((2 * k + 1) * h) ** 2
    return identities({"new knot": (left + right) / 2 - given["taken"] * h**2 - middle},
                      "each fold makes the interpolant of the next finer knots")


def sawtooth_network(given: Given) -> Evidence:
    """Compose the tooth g(x) = 2 relu(x) - 4 relu(x - 1/2) + 2 relu(x - 1) m times, exactly, at all knots and middles."""
    quarter = Fraction(given["quarter"])
    cases = ((m, Fraction(k, 2 ** (m + 2))) for m in range(given.effort(7, 11)) for k in range(2 ** (m + 2) + 1))
    return every(cases, lambda case: _outside(*case, quarter), "{} points, the largest error attained")


def _outside(m: int, x: Fraction, quarter: Fraction) -> str:
    tooth, total = x, x
    for s in range(1, m + 1):
        tooth = 2 * max(tooth, Fraction(0)) - 4 * max(tooth - Fraction(1, 2), Fraction(0)) + 2 * max(tooth - 1, Fraction(0))
        total -= tooth / 4**s
    error = total - x * x
    return "" if 0 <= error <= quarter / 4**m else f"m = {m}, x = {x}: f_m - x^2 = {error}, claimed at most {quarter / 4**m}"


def built_square(given: Given) -> Evidence:
    """The two-sided variant that is built: u^2 on [-1, 1] to within 4^-m / 2, both signs attained."""
    return every(range(1, given.effort(7, 10)), _wrong_square, "{} built squares, both extreme errors attained")


def _wrong_square(m: int) -> str:
    wiring = Wiring.of(["u"], "w")
    target = wiring.channel()
    constant = Square(folds=m).emit(wiring, Placed({"u": Fraction(1)}, Fraction(0), Fraction(1)), {target: Fraction(1)})
    layers, _ = wiring.built([target])
    points = np.array([Fraction(k, 2 ** (m + 2)) for k in range(-(2 ** (m + 2)), 2 ** (m + 2) + 1)], dtype=object)
    errors = run(layers, {"u": points})[target] + constant - points**2
    limit = Fraction(1, 2 * 4**m)
    found = min(errors), max(errors)
    return "" if found == (-limit, limit) else f"m = {m}: errors in [{found[0]}, {found[1]}], claimed +-{limit}"


STEP = ProofStep(
    id="square-sawtooth", section=5,
    plain="A ReLU network of m folds computes f_m with 0 <= f_m(x) - x^2 <= 2^(-2m-2) on [0, 1]; both ends are attained.",
    latex=r"0\le f_m(x)-x^2\le 2^{-2m-2},\qquad x\in[0,1]",
    source="Yarotsky 2017, proposition 2", hypotheses=("0 <= x <= 1",),
    constants={"quarter": Fraction(1, 4), "taken": 1, "bend": 4},
    depends_on=("interpolation-error",),
    checks=(Check("the error of interpolation at 2^m + 1 even knots", Method.SYMBOLIC, error_on_a_piece),
            Check("a tooth is two ReLU units", Method.SYMBOLIC, tooth),
            Check("a fold gives the next interpolant", Method.SYMBOLIC, folding),
            Check("the composed teeth do", Method.EXHAUSTIVE, sawtooth_network, support=True),
            Check("the squares that are built do", Method.EXACT, built_square, support=True)),
    mutations=(Mutation("2^(-2m-2) becomes 2^(-2m-3)", {"quarter": Fraction(1, 8)}),
               Mutation("a fold takes 4^-m/2 away", {"taken": sympy.Rational(1, 2)}),
               Mutation("a tooth that bends by 3", {"bend": 3})))
