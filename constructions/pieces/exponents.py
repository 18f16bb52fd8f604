"""Exponents k(u, v) of weights e^k as functions of v whose coefficients are affine in u, but for kinks of u and v together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, arb_poly, fmpq, fmpq_mpoly, fmpq_mpoly_ctx, fmpq_poly

from constructions.pieces.forms import between, ends, hull, upward
from constructions.pieces.polynomials import fraction, from_float
from constructions.targets import expression as ex

MAX_DEGREE = 16
PIECES = 32  # of v's range, where a polynomial is bounded
HALF = fmpq(1, 2)
Range = tuple[float, float]


@dataclass(frozen=True)
class Kink:
    """height |of_u u + of_v v + shift|; neither factor is 0."""

    height: Fraction
    of_u: Fraction
    of_v: Fraction
    shift: Fraction

    def bend(self, v: Fraction) -> Fraction:
        """Return the u at which it bends."""
        return -(self.of_v * v + self.shift) / self.of_u


@dataclass(frozen=True, eq=False)
class Exponent:
    """k(u, v) = a(u) + u p(v) + r(v) + sum of kinks, less a(u), which cancels; p and r have no constant term."""

    p: fmpq_poly
    r: fmpq_poly
    kinks: tuple[Kink, ...] = ()

    @staticmethod
    def of(tree: ex.Expression) -> Exponent | None:
        """Read a tree in x[0] = u and x[1] = v; None where it is nothing of this form."""
        ring = fmpq_mpoly_ctx.get(("u", "v"))
        smooth, kinks = ring.constant(0), list[Kink]()
        for factor, term in _terms(tree, fmpq(1)):
            if (found := polynomial_in(term, ring)) is not None:
                smooth += factor * found
                continue
            argument = polynomial_in(term.argument, ring) if isinstance(term, ex.Apply) and term.function == "abs" else None
            line = None if argument is None else _affine(argument)
            if line is None or (line[1] and not line[0]):
                return None
            if line[1]:
                kinks.append(Kink(fraction(factor), *line))
        parts = [fmpq_poly(), fmpq_poly()]
        for (in_u, in_v), c in smooth.to_dict().items():
            if in_v and in_u > 1:
                return None
            if in_v:
                parts[int(in_u)] += fmpq_poly([0] * int(in_v) + [c])
        return Exponent(parts[1], parts[0], tuple(kinks))

    def bent(self, h: float, u: Range, v: Range) -> float:
        """Bound max - min of what it is above its chords over cells of length h, for every u."""
        p, r = self.p.derivative().derivative(), self.r.derivative().derivative()
        widths = []
        for end in u:  # a maximum of functions that are affine in u is largest at an end
            low, high = ends(hull([arb(0), *(arb(end) * a + b for a, b in zip(values(p, v), values(r, v), strict=True))]))
            widths.append(high - low)
        kinked = float(sum((abs(kink.height * kink.of_v) for kink in self.kinks), Fraction(0)))
        return upward(max(widths) * h * h / 8 + kinked * h / 2)

    def at(self, u: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, float]:
        """Return its values for each u and knot, rounded, and a bound of the rounding."""
        P, R = (np.array([float(polynomial(from_float(t))) for t in knots]) for polynomial in (self.p, self.r))
        L, size = u[:, None] * P + R, float(np.abs(u).max() * np.abs(P).max() + np.abs(R).max())
        for kink in self.kinks:
            of_u, of_v, shift, height = map(float, (kink.of_u, kink.of_v, kink.shift, kink.height))
            L = L + height * np.abs(of_u * u[:, None] + of_v * knots + shift)
            size += abs(height) * (abs(of_u) * np.abs(u).max() + abs(of_v) * np.abs(knots).max() + abs(shift))
        return L, upward(size * (16 + 4 * len(self.kinks)) * 2.0**-52)

    def bends(self, knots: np.ndarray, u: Range) -> np.ndarray:
        """Return the ends of u and all u between them at which its values at knots bend, rounded."""
        inner = [float(kink.bend(Fraction(float(t)))) for kink in self.kinks for t in knots]
        return np.array([*u, *(one for one in inner if u[0] < one < u[1])])

    def slopes(self, v: Range) -> float:
        """Bound max - min over v of its derivative by u."""
        low, high = ends(hull(values(self.p, v)))
        return upward(high - low + 2 * float(sum((abs(kink.height * kink.of_u) for kink in self.kinks), Fraction(0))))


def values(polynomial: fmpq_poly, v: Range) -> list[arb]:
    """Enclose a polynomial on pieces of an interval."""
    cuts = np.linspace(*v, PIECES + 1)
    cuts[0], cuts[-1] = v
    return [arb_poly(polynomial)(between(float(a), float(b))) for a, b in itertools.pairwise(cuts)]


def _terms(node: ex.Expression, factor: fmpq) -> Iterator[tuple[fmpq, ex.Expression]]:
    """Take a sum apart, with kinks written as absolute values: relu(z) = (z + |z|)/2, max(a, b) = (a + b + |a - b|)/2."""
    match node:
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
            yield from _terms(left, factor)
            yield from _terms(right, factor if operator == "+" else -factor)
        case ex.Apply(function="neg", argument=argument):
            yield from _terms(argument, -factor)
        case ex.Binary(operator="*", left=left, right=right) if (c := ex.rational_value(left)) is not None:
            yield from _terms(right, factor * fmpq(c.numerator, c.denominator))
        case ex.Binary(operator="*", left=left, right=right) if (c := ex.rational_value(right)) is not None:
            yield from _terms(left, factor * fmpq(c.numerator, c.denominator))
        case ex.Binary(operator="/", left=left, right=right) if c := ex.rational_value(right):
            yield from _terms(left, factor / fmpq(c.numerator, c.denominator))
        case ex.Apply(function="relu", argument=argument):
            yield from _terms(argument, factor * HALF)
            yield factor * HALF, ex.Apply("abs", argument)
        case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right):
            yield from _terms(left, factor * HALF)
            yield from _terms(right, factor * HALF)
            yield factor * (HALF if operator == "maximum" else -HALF), ex.Apply("abs", ex.Binary("-", left, right))
        case _:
            yield factor, node


def _affine(polynomial: fmpq_mpoly) -> tuple[Fraction, Fraction, Fraction] | None:
    """Return (a, b, c) of a u + b v + c, None where it is more."""
    terms = {(int(i), int(j)): fraction(c) for (i, j), c in polynomial.to_dict().items()}
    if not terms.keys() <= {(1, 0), (0, 1), (0, 0)}:
        return None
    return terms.get((1, 0), Fraction(0)), terms.get((0, 1), Fraction(0)), terms.get((0, 0), Fraction(0))


def polynomial_in(node: ex.Expression, ring: fmpq_mpoly_ctx) -> fmpq_mpoly | None:
    """Multiply a tree in x[0], x[1], .. out, these the generators; None where it is no polynomial of a low degree."""
    match node:
        case ex.Number(value=value):
            return ring.constant(fmpq(value.numerator, value.denominator))
        case ex.Own(coordinate=c):
            return ring.gens()[c]
        case ex.Apply(function="neg", argument=argument):
            inner = polynomial_in(argument, ring)
            return None if inner is None else -inner
        case ex.Power(base=base, exponent=ex.Number(value=k)) if 0 <= k <= MAX_DEGREE and k.denominator == 1:
            inner = polynomial_in(base, ring)
            return inner ** int(k) if inner is not None and max(map(int, inner.degrees())) * k <= MAX_DEGREE else None
        case ex.Binary(operator="+" | "-" | "*" | "/" as operator, left=left, right=right):
            a, b = polynomial_in(left, ring), polynomial_in(right, ring)
            if a is None or b is None:
                return None
            match operator:
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "*":
                    return a * b if max(map(int, (a * b).degrees())) <= MAX_DEGREE else None
            divisor = b.to_dict()
            return a * (1 / next(iter(divisor.values()))) if list(map(any, divisor)) == [False] else None
    return None
