"""Histograms of one coordinate or two: knots, and how far an average over them is from the average itself.

Cells of two coordinates are cut into triangles, all the same way: along the diagonal on which weights differ less. What is
linear between the knots of each coordinate is linear on triangles, so exponents and values that are sums over coordinates need no
more than in one (mathematics: planar-average).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from constructions.pieces.axes import Axis
from constructions.pieces.exponents import Range, values
from constructions.pieces.forms import hull, size, upward
from constructions.pieces.polynomials import from_float

HATS = 3  # units a knot, before the mean


@dataclass(frozen=True, eq=False)
class Histogram:
    """Knots of a grid, and how far the average over them is from the average itself, for u in a range.

    Attributes:
        cells: of the coordinate that has most.
        grid: for each coordinate (J + 1,) increasing, from end to end of its range or beyond.
        diagonal: 1 where the cells of two coordinates are cut from their least corner to their largest, -1 where across.
        mixture: which part of the value at each knot is the largest one, knots in the order of :attr:`places`; None where values
            are mixed token by token.
        lowest, height: the least value, and the largest less the least.
        steepest: for each coordinate, of the difference of the exponent at neighbours.
        wide: of the largest exponent at a knot less the smallest.
        spread: of all values.
        missed: bound of |average over the histogram - F|.
    """

    cells: int
    grid: tuple[np.ndarray, ...]
    diagonal: int
    mixture: tuple[fmpq, ...] | None
    lowest: fmpq
    height: fmpq
    steepest: tuple[float, ...]
    wide: float
    spread: float
    missed: float

    @property
    def count(self) -> int:
        """Of the knots."""
        return math.prod(map(len, self.grid))

    @property
    def places(self) -> list[tuple[int, ...]]:
        """Where each knot is on the grid."""
        return list(itertools.product(*(range(len(knots)) for knots in self.grid)))

    @property
    def parts(self) -> tuple[Sequence[fmpq], Sequence[fmpq]]:
        """Return by what the weight at each knot counts as weight on the largest value, and on the least."""
        most = self.mixture or [fmpq(1)] * self.count
        return most, [1 - z for z in most] if self.mixture else most

    @property
    def tables(self) -> int:
        """Logarithms of means for each knot."""
        return 1 if self.mixture else 2


@dataclass(frozen=True, eq=False)
class Design:
    """A histogram and how finely logarithms are formed.

    Attributes:
        u: where the argument that each coordinate meets may be.
        floor: delta, added to the mean of every hat.
        logarithm, softplus, sigmoid: how far each table may be off.
    """

    u: tuple[Range, ...]
    histogram: Histogram
    floor: float
    logarithm: float
    softplus: float
    sigmoid: float

    @functools.cached_property
    def reach(self) -> float:
        """Bound the difference of the logarithms of any two sums over knots, each sum of z_j (mu_j + floor) e^L_j."""
        least = min(float(z) for part in self.histogram.parts for z in part if z)
        each = math.log1p(1 / self.floor) + math.log(self.histogram.count / least)
        return upward(1.001 * (self.histogram.wide + each))

    @property
    def levels(self) -> int:
        """Sums of two that the logarithm of a sum passes at most."""
        return math.ceil(math.log2(self.histogram.count))

    @property
    def units(self) -> tuple[float, float, float]:
        """Predict the units of all logarithms, of all sums, and of the last step."""
        J = self.histogram.count - 1
        each = HATS + math.log1p(1 / self.floor) / (4 * math.sqrt(self.logarithm))
        return J * self.histogram.tables * each, 2 * J * 0.8 / math.sqrt(self.softplus), 0.6 / math.sqrt(self.sigmoid)


Steps = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Grid:
    """Equal cells of each coordinate, and what exponents and values do on them.

    Attributes:
        steps: for each coordinate the least and the largest difference of the exponent along each cell.
        rises: for each coordinate the difference of the values along each cell.
        wide: of the largest exponent at a knot less the smallest.
        bent, curved: how far exponents and values are from their chords, the first from the most below to the most above.
    """

    knots: tuple[np.ndarray, ...]
    steps: tuple[Steps, ...]
    values: tuple[Sequence[fmpq], ...]
    wide: float
    bent: float
    curved: float

    @staticmethod
    def of(axes: Sequence[Axis], cells: Sequence[int], u: Sequence[Range]) -> Grid:
        """Cut the range of each coordinate; differences of exponents are linear in u between bends."""
        grid = tuple(axis.knots(count) for axis, count in zip(axes, cells, strict=True))
        steps, of_values, wide, bent, curved = list[Steps](), list[Sequence[fmpq]](), 0.0, 0.0, 0.0
        for axis, knots, side in zip(axes, grid, u, strict=True):
            L, rounding = axis.k.at(axis.k.bends(knots, side), knots)
            along, h = np.diff(L, axis=1), upward(float(np.diff(knots).max()))
            steps.append((along.min(axis=0) - 2 * rounding, along.max(axis=0) + 2 * rounding))
            wide += float(np.ptp(L, axis=1).max()) + 2 * rounding
            bent += axis.k.bent(h, side, axis.interval)
            curved += h * h / 8 * size(hull(values(axis.s.derivative().derivative(), axis.interval)))
            of_values.append([axis.s(from_float(t)) for t in knots])
        return Grid(grid, tuple(steps), tuple(of_values), upward(wide), bent, curved)

    @property
    def steepest(self) -> tuple[float, ...]:
        """Bound the difference of the exponent at neighbours in each coordinate."""
        return tuple(upward(float(np.abs(one).max())) for one in self.steps)

    def turned(self, diagonal: int) -> np.ndarray:
        """Bound max - min of the exponent over the corners of each cell or triangle of a cell, by cell."""
        return _between_corners(self.steps, diagonal)

    def tilted(self, diagonal: int) -> float:
        """Bound how far a mixture of the values of corners is moved by weights that turn."""
        rises = [np.array([float(b - a) for a, b in itertools.pairwise(one)]) for one in self.values]
        apart = _between_corners([(one, one) for one in rises], diagonal)
        return float((apart * np.tanh(self.turned(diagonal) / 4)).max())

    @property
    def sums(self) -> list[fmpq]:
        """The value at each knot."""
        return [sum(one, fmpq(0)) for one in itertools.product(*self.values)]


def _between_corners(steps: Sequence[Steps], diagonal: int) -> np.ndarray:
    """Bound max - min over the corners of each part of a cell: along its sides, and along its diagonal."""
    sides = [np.maximum(np.abs(low), np.abs(high)) for low, high in steps]
    if len(steps) == 1:
        return sides[0]
    (low, high), other = steps[0], steps[1] if diagonal > 0 else (-steps[1][1], -steps[1][0])
    across = np.maximum(np.abs(np.add.outer(low, other[0])), np.abs(np.add.outer(high, other[1])))
    return np.maximum(np.maximum.outer(sides[0], sides[1]), across)
