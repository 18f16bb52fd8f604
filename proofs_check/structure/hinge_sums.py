"""Sums of hinges in one variable, exact, and their values at points in float64 with what rounding does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from proofs_check.enclosures.interval import Floats
from proofs_check.exact_values import from_rational
from proofs_check.structure.matching import Affine
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.tables import Table

SHORTEST = 2.0**-40  # of the range: between two breakpoints, which are rounded to floats
POINT = 2.0**-30  # how long an interval is taken at least
ULP = 2.0**-52
TINY = 2.0**-1000  # above what is lost below the normal numbers


@dataclass(eq=False)
class HingeSum:
    """constant + slope t + sum of jump relu(t - knot), exact, up to ``blur``."""

    constant: Fraction = Fraction(0)
    slope: Fraction = Fraction(0)
    jumps: dict[Fraction, Fraction] = field(default_factory=dict)
    blur: Fraction = Fraction(0)

    def __call__(self, t: Fraction) -> Fraction:
        """Return the exact value, ``blur`` aside."""
        return self.constant + self.slope * t + sum((j * (t - knot) for knot, j in self.jumps.items() if t > knot), Fraction(0))

    def add(self, other: HingeSum, factor: Fraction) -> None:
        """Add a multiple."""
        self.constant += factor * other.constant
        self.slope += factor * other.slope
        self.blur += abs(factor) * other.blur
        for knot, jump in other.jumps.items():
            self.jumps[knot] = self.jumps.get(knot, Fraction(0)) + factor * jump

    @staticmethod
    def of(table: Table, place: Affine) -> HingeSum:
        """Return a table of scale t + shift as a function of t."""
        scale, shift = from_rational(place.scale), from_rational(place.shift)
        steepest = max((abs(slope) for slope in table.slopes), default=Fraction(0))
        found = HingeSum(blur=Fraction(place.missed) * steepest)
        before = Fraction(0)
        for knot, slope in zip(table.knots, table.slopes, strict=True):
            jump, before = (slope - before) * abs(scale), slope
            at = (knot - shift) / scale
            found.jumps[at] = found.jumps.get(at, Fraction(0)) + jump
            if scale < 0:  # relu(-s) = relu(s) - s
                found.slope -= jump
                found.constant += jump * at
        return found


@dataclass(frozen=True, eq=False)
class Values:
    """Functions, one a row, at points, off by at most ``off`` there and half a unit in the last place around."""

    at: Floats
    off: Floats

    @staticmethod
    def of(functions: Sequence[HingeSum], points: Floats) -> Values:
        """Evaluate in float64."""
        knots = sorted(set().union(*(f.jumps for f in functions)))
        column = {knot: k for k, knot in enumerate(knots)}
        jumps = np.zeros((len(functions), len(knots)))
        for row, f in enumerate(functions):
            for knot, jump in f.jumps.items():
                jumps[row, column[knot]] = float(jump)
        where = np.array([[float(knot)] for knot in knots]).reshape(len(knots), 1)
        line = np.array([[float(f.constant), float(f.slope)] for f in functions]).reshape(len(functions), 2)
        rising = np.maximum(points - where, 0.0)
        at = line[:, :1] + line[:, 1:] * points + jumps @ rising
        mass = np.abs(line[:, :1]) + np.abs(line[:, 1:] * points) + np.abs(jumps) @ rising
        moved = np.abs(jumps) @ (np.abs(points) + np.abs(where))  # a knot, or a point, that was rounded
        blur = np.array([[float(f.blur)] for f in functions]).reshape(len(functions), 1)
        return Values(at, ((len(knots) + 12) * ULP * mass + 2 * ULP * moved + blur * (1 + 2.0**-40)) * (1 + 2.0**-40) + TINY)


def breakpoints(functions: Iterable[HingeSum], low: float, high: float) -> Floats:
    """Return the ends and the knots between them, rounded; of a single point an interval around it."""
    high = max(high, low + POINT * (1 + abs(low)))
    inner = sorted({float(knot) for f in functions for knot in f.jumps if low < knot < high})
    points = np.unique(np.array([low, *(t for t in inner if low < t < high), high]))
    if len(points) < 2 or not (np.diff(points) > SHORTEST * max(abs(low), abs(high), high - low)).all():
        raise NotUnderstood("cells or pieces of no length")
    return points
