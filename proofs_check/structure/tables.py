"""A table: t -> sum_j weights[j] relu(t + biases[j]), with the stored numbers as they are."""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True, eq=False)
class Table:
    """A piecewise-linear function, exact.

    Attributes:
        knots: increasing; the function is 0 before the first.
        values: at the knots.
        slopes: after each knot.
    """

    knots: tuple[Fraction, ...]
    values: tuple[Fraction, ...]
    slopes: tuple[Fraction, ...]

    @staticmethod
    def of(biases: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray) -> Table:
        """Add the units up; a histogram has the same table for each of its means."""
        return _table(*(np.asarray(numbers, dtype=np.float64).tobytes() for numbers in (biases, weights)))

    def __call__(self, t: Fraction) -> Fraction:
        """Return the exact value."""
        return self._from(t)[0]

    def pieces(self, low: Fraction, high: Fraction) -> list[tuple[Fraction, Fraction, Fraction, Fraction]]:
        """Return (a, b, value at a, slope) for the linear pieces of [low, high]."""
        found = []
        cuts = [low, *self.knots[bisect.bisect_right(self.knots, low):bisect.bisect_left(self.knots, high)], high]
        for a, b in itertools.pairwise(cuts):
            found.append((a, b, *self._from(a)))
        return found

    def _from(self, t: Fraction) -> tuple[Fraction, Fraction]:
        j = bisect.bisect_right(self.knots, t) - 1
        if j < 0:
            return Fraction(0), Fraction(0)
        return self.values[j] + self.slopes[j] * (t - self.knots[j]), self.slopes[j]

    def range(self, low: float, high: float) -> tuple[Fraction, Fraction]:
        """Enclose the values on [low, high]."""
        first, last = Fraction(low), Fraction(high)
        ends = [self(first), *self.between(first, last)[1], self(last)]
        return min(ends), max(ends)

    def between(self, low: Fraction, high: Fraction) -> tuple[Sequence[Fraction], Sequence[Fraction]]:
        """Return the knots inside an interval, and the values there."""
        inner = slice(bisect.bisect_right(self.knots, low), bisect.bisect_left(self.knots, high))
        return self.knots[inner], self.values[inner]


@functools.lru_cache(maxsize=64)
def _table(biases: bytes, weights: bytes) -> Table:
    jumps: dict[Fraction, Fraction] = {}
    for bias, weight in zip(*(np.frombuffer(numbers) for numbers in (biases, weights)), strict=True):
        knot = -Fraction(float(bias))
        jumps[knot] = jumps.get(knot, Fraction(0)) + Fraction(float(weight))
    knots = tuple(sorted(jumps))
    values, slopes = [Fraction(0)], [jumps[knots[0]]]
    for before, knot in itertools.pairwise(knots):
        values.append(values[-1] + slopes[-1] * (knot - before))
        slopes.append(slopes[-1] + jumps[knot])
    return Table(knots, tuple(values), tuple(slopes))


@dataclass(frozen=True)
class Soft:
    """What the rounding of a soft extremum is measured by: hinges of one sign, after a mean m of hinges of one sign.

    Attributes:
        mean: of the channel with the exponential.
        steepest: largest slope of the logarithm of what is averaged, by the form that its hinges read.
        base: what is added to m before the logarithm is taken.
        scale: s > 0, the logarithm's hinges read -s m.
        largest: of the absolute values of their sum.
    """

    mean: str
    steepest: float
    base: float
    scale: float
    largest: float
