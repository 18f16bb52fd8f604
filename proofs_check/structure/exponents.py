"""k(u, v) = a(u) + u p(v) + r(v) + kinks |b u + c v + d|, and s(v): what straight lines between knots t_i of v change.

As functions of u the L_i = k(u, t_i) - a(u) are straight between the bends of their kinks. On cell i the exponent differs from
its chord by something in [m_i, M_i]. With theta_i = |L_i+1 - L_i| each of theta_i^2/8 - m_i, M_i and e^(L_j - L_i) is convex in u
where all L_i are straight: it is largest at an end of the range of u, or at a bend. A kink is at most |c| h/2 from its chord.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq, fmpq_poly

from constructions.targets import expression as ex
from proofs_check.exact_values import from_rational
from proofs_check.structure.broken_lines import Broken
from proofs_check.structure.composition import as_polynomial
from proofs_check.structure.polynomial import CONSTANT, Polynomial
from proofs_check.structure.ranges import Range, polynomial_range
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational

HIGHEST = 24  # power in a tree
U, V = "u", "v"
HALF = fmpq(1, 2)
VARIABLES = (Polynomial.variable(U), Polynomial.variable(V))


@dataclass(frozen=True)
class Kink:
    """height |of_u u + of_v v + shift|."""

    height: Fraction
    of_u: Fraction
    of_v: Fraction
    shift: Fraction

    def __call__(self, u: Fraction, v: Fraction) -> Fraction:
        """Return the value."""
        return self.height * abs(self.of_u * u + self.of_v * v + self.shift)


@dataclass(frozen=True, eq=False)
class Exponent:
    """The exponent less a(u): polynomials in v, ``slope`` p and ``offset`` r, and kinks; ``u`` lies between two numbers."""

    slope: fmpq_poly
    offset: fmpq_poly
    kinks: tuple[Kink, ...]
    knots: tuple[Fraction, ...]
    u: tuple[Fraction, Fraction]

    @staticmethod
    def of(tree: ex.Expression, knots: tuple[Fraction, ...], u: tuple[Fraction, Fraction]) -> Exponent:
        """Take a tree apart; raises NotUnderstood where it is another function."""
        kinks = list[Kink]()
        k = _taken_apart(tree, fmpq(1), kinks)
        parts = [[fmpq(0)] * (k.degree(V) + 1) for _ in range(2)]
        for monomial, c in k.terms.items():
            powers = dict(monomial)
            if V in powers:  # what is left is the same for all tokens, and cancels
                if powers.get(U, 0) > 1:
                    raise NotUnderstood("an exponent that is not linear in u")
                parts[powers.get(U, 0)][powers[V]] = c
        return Exponent(fmpq_poly(parts[1]), fmpq_poly(parts[0]), tuple(kink for kink in kinks if kink.of_v), knots, u)

    @functools.cached_property
    def lines(self) -> dict[Fraction, list[Fraction]]:
        """All L_i at the ends of the range of u, and at all u between them at which one bends."""
        inner = {-(kink.of_v * t + kink.shift) / kink.of_u for kink in self.kinks if kink.of_u for t in self.knots}
        return {u: self.at(u) for u in sorted({*self.u, *(u for u in inner if self.u[0] < u < self.u[1])})}

    def line(self, i: int) -> Broken:
        """Return L_i as a function of u."""
        t = self.knots[i]
        p, r = (from_rational(q(rational(t))) for q in (self.slope, self.offset))
        low, high = interval_of(self.u)
        inner = {-(kink.of_v * t + kink.shift) / kink.of_u for kink in self.kinks if kink.of_u}
        at = sorted({low, high, *(u for u in inner if low < u < high)})
        return Broken(tuple((u, p * u + r + sum((kink(u, t) for kink in self.kinks), Fraction(0))) for u in at))

    def at(self, u: Fraction) -> list[Fraction]:
        """Return all L_i."""
        whole = self.slope * rational(u) + self.offset
        return [from_rational(whole(rational(t))) + sum((kink(u, t) for kink in self.kinks), Fraction(0)) for t in self.knots]

    def beside_chords(self) -> list[list[Range]]:
        """Enclose the exponent less its chord on each cell, for u at either end; between them it is no further off."""
        smooth = [beside_chords(self.slope * rational(u) + self.offset, self.knots) for u in self.u]
        above, below = (sum((abs(kink.height * kink.of_v) / 2 for kink in self.kinks if (kink.height > 0) == convex), Fraction(0))
                        for convex in (False, True))
        return [[(low - _up(below * (t - s)), high + _up(above * (t - s)))
                 for (low, high), (s, t) in zip(one, itertools.pairwise(self.knots), strict=True)] for one in smooth]

    def spread_of_slopes(self) -> Fraction:
        """Bound max - min over v of the derivative by u."""
        low, high = range_between(self.slope, self.knots[0], self.knots[-1])
        return Fraction(high) - Fraction(low) + 2 * sum((abs(kink.height * kink.of_u) for kink in self.kinks), Fraction(0))


def polynomial_of(tree: ex.Expression) -> fmpq_poly:
    """Return a function of x[0] = v; raises NotUnderstood where it is no polynomial."""
    found = as_polynomial(tree, [VARIABLES[1]], HIGHEST)
    if found is None:
        raise NotUnderstood(f"{tree} is averaged, and no polynomial")
    return found.dense(V)


def _taken_apart(node: ex.Expression, factor: fmpq, kinks: list[Kink]) -> Polynomial:
    """Return the polynomial part of factor * node, and append the kinks: max(a, b) = (a + b + |a - b|)/2."""
    whole = as_polynomial(node, VARIABLES, HIGHEST)
    if whole is not None:
        return whole.times(factor)
    match node:
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
            return _taken_apart(left, factor, kinks) + _taken_apart(right, factor if operator == "+" else -factor, kinks)
        case ex.Apply(function="neg", argument=argument):
            return _taken_apart(argument, -factor, kinks)
        case ex.Binary(operator="*", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                number = as_polynomial(one, VARIABLES, HIGHEST)
                if number is not None and not number.variables:
                    return _taken_apart(other, factor * number.at_zero, kinks)
        case ex.Binary(operator="/", left=left, right=right):
            number = as_polynomial(right, VARIABLES, HIGHEST)
            if number is not None and not number.variables and number.at_zero:
                return _taken_apart(left, factor / number.at_zero, kinks)
        case ex.Apply(function="abs", argument=argument):
            kinks.append(_kink(argument, factor))
            return Polynomial({})
        case ex.Apply(function="relu", argument=argument):
            kinks.append(_kink(argument, factor * HALF))
            return _taken_apart(argument, factor * HALF, kinks)
        case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right):
            kinks.append(_kink(ex.Binary("-", left, right), factor * (HALF if operator == "maximum" else -HALF)))
            return _taken_apart(left, factor * HALF, kinks) + _taken_apart(right, factor * HALF, kinks)
    raise NotUnderstood(f"an exponent that is neither a polynomial nor has kinks of u and v alone: {node}")


def _kink(argument: ex.Expression, height: fmpq) -> Kink:
    line = as_polynomial(argument, VARIABLES, HIGHEST)
    of = {CONSTANT: fmpq(0), ((U, 1),): fmpq(0), ((V, 1),): fmpq(0)}
    if line is None or not line.terms.keys() <= of.keys():
        raise NotUnderstood(f"an exponent with a kink of {argument}")
    shift, of_u, of_v = (from_rational(c) for c in (of | dict(line.terms)).values())
    return Kink(from_rational(height), of_u, of_v, shift)


def beside_chords(q: fmpq_poly, knots: Sequence[Fraction]) -> list[Range]:
    """Enclose a polynomial less its chord on each cell."""
    found = []
    for s, t in itertools.pairwise(knots):
        a, b = q(rational(s)), q(rational(t))
        slope = (b - a) / rational(t - s)
        found.append(range_between(q - fmpq_poly([a - slope * rational(s), slope]), s, t))
    return found


def range_between(q: fmpq_poly, low: Fraction, high: Fraction) -> Range:
    """Enclose a polynomial on an interval."""
    z = fmpq_poly([rational((low + high) / 2), rational((high - low) / 2)])
    return polynomial_range(Polynomial({((V, k),) if k else CONSTANT: c for k, c in enumerate(q(z).coeffs()) if c}))


def interval_of(u: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    """Return the ends of an interval, of some length also where u is known."""
    return (u[0], u[1]) if u[0] < u[1] else (u[0], u[0] + 1)


def _up(value: Fraction) -> float:
    return float(value) * (1 + 2.0**-50)
