"""The error of an average with positive weights, F = mean(K_a)/mean(K_b), relative to the weights.

If P_a, P_b stand in for K_a and K_b > 0, then with delta = P - K and any number lambda that may depend on z and F

    mean_k (delta_a - F delta_b)(z, y_k) / mean_k K_b(z, y_k) <= sup over y of (delta_a - F delta_b - lambda (K_a - F K_b)) / K_b,

because the mean of K_a - F K_b is 0, and |sum d| / sum w <= max |d|/w: an error counts little where the weight is large, a
sequence cannot have all its errors where the weights are small and its weight elsewhere, nor where they would give another
quotient. With the best lambda the right side is attained, by two tokens in some proportion. It is linear in F inside, so the ends
of an interval of F suffice. Lambda is proposed by golden sections on few points and may be anything. What it gives is bounded so:
in the angles
t, x = cos t, a polynomial is a sum of c_j cos(j t), whose second derivative is at most sum j^2 |c_j|; on a grid of width h it is
within h^2/8 of that of what interpolates its values, which is largest and smallest at corners of cells.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from constructions.errors import Refused
from constructions.pieces.expansion import Box, Grid, nearby
from constructions.pieces.forms import upward
from constructions.pieces.smooth import Smooth

LINES = 12  # grid lines for each degree
SEARCHED = 24  # of them for the search of lambda
STEPS = 32  # golden sections
STEEPEST = 64.0
GOLDEN = (math.sqrt(5) - 1) / 2
UP = 1 + 2.0**-30
Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class OnGrid:
    """A function on lines of equal angles of z and y: within ``off`` of what interpolates the values."""

    values: np.ndarray
    off: float

    def minus(self, factor: float, other: OnGrid) -> OnGrid:
        """Return self - factor other."""
        rounding = 2.0**-50 * (float(np.abs(self.values).max()) + abs(factor) * float(np.abs(other.values).max()))
        return OnGrid(self.values - factor * other.values, (self.off + abs(factor) * other.off + rounding) * UP)


@dataclass(frozen=True, eq=False)
class Averages:
    """Two kernels K_a, K_b of one z and one y, and what stands in for them.

    Attributes:
        kernels, gaps: K and delta = P - K of both.
        least, most: bounds of K_b on the cells of the grid.
    """

    kernels: tuple[OnGrid, OnGrid]
    gaps: tuple[OnGrid, OnGrid]
    least: np.ndarray
    most: np.ndarray

    @staticmethod
    def of(kernels: tuple[Smooth, Smooth], matrices: tuple[np.ndarray, np.ndarray],
           degrees: tuple[Sequence[Index], Sequence[Index]], box: Box, error: float) -> Averages | None:
        """Put all on one grid; None where K_b is not shown to be positive.

        Args:
            kernels: K_a and K_b.
            matrices: P_a and P_b, coefficients of T_i(x) T_j(y) for the listed degrees.
            degrees: of the rows and of the columns.
            box: of x and y.
            error: a known bound of |delta_a| and |delta_b|, which sets how near to the kernels polynomials are looked for.
        """
        tail = 2.0 ** math.floor(math.log2(error / 100))
        try:
            near = [Grid.of(K, box, nearby(K, box, tail, 4096)) for K in kernels]
        except Refused:
            return None
        expansions = [grid.coefficients() for grid in near]
        shape = tuple(max(*(one.shape[v] for one in expansions), *(index[0] + 1 for index in degrees[v])) for v in range(2))
        on, apart = [], []
        for grid, C, P in zip(near, expansions, matrices, strict=True):
            missed, series = grid.error(C), _padded(C, shape)
            on.append(_on_grid(series, missed))
            dense = np.zeros(shape)
            dense[np.ix_([index[0] for index in degrees[0]], [index[0] for index in degrees[1]])] = P
            apart.append(_on_grid(dense - series, missed + 2.0**-51 * float(np.abs(dense).sum() + np.abs(series).sum())))
        corners = [on[1].values[corner] for corner in _CORNERS]
        least, most = np.minimum.reduce(corners) - on[1].off, np.maximum.reduce(corners) + on[1].off
        return Averages((on[0], on[1]), (apart[0], apart[1]), least, most) if least.min() > 0 else None

    def error(self, low: float, high: float) -> float:
        """Bound |mean (delta_a - F delta_b)| / mean K_b over all z, and all sequences with F between two numbers."""
        ends = [(self.gaps[0].minus(F, self.gaps[1]), self.kernels[0].minus(F, self.kernels[1])) for F in (low, high)]
        sides = self._above(ends, 1.0), self._above(ends, -1.0)
        return upward(max(*sides, 0.0) * UP) if np.isfinite(sides).all() else math.inf

    def _above(self, ends: Sequence[tuple[OnGrid, OnGrid]], sign: float) -> float:
        multiplier = self._proposed(ends, sign)[:, None]
        worst = np.full(self.least.shape, -math.inf)
        for gap, excess in ends:
            size = float(np.abs(gap.values).max()) + np.abs(multiplier) * float(np.abs(excess.values).max())
            off = (gap.off + np.abs(multiplier) * excess.off + 2.0**-50 * size) * UP
            for corner in _CORNERS:
                worst = np.maximum(worst, sign * gap.values[corner] - multiplier * excess.values[corner] + off)
        return float((worst / np.where(worst > 0, self.least, self.most)).max())

    def _proposed(self, ends: Sequence[tuple[OnGrid, OnGrid]], sign: float) -> np.ndarray:
        """Return a lambda for every strip of z between neighbouring lines: groups of strips share one."""
        rows, columns = (np.unique(np.linspace(0, n, min(n, SEARCHED) + 1).round().astype(int)) for n in self.least.shape)
        weight = self.kernels[1].values[np.ix_(rows, columns)]
        lines = [np.concatenate([one.values[np.ix_(rows, columns)] / weight for one in side], axis=1)
                 for side in zip(*ends, strict=True)]
        d, b = (np.concatenate([line[:-1], line[1:]], axis=1) for line in lines)  # both borders of a group
        reach = STEEPEST * np.abs(d).max() / max(float(np.abs(b).max()), 1e-300)

        def height(at: np.ndarray) -> np.ndarray:
            return np.asarray((sign * d - at[:, None] * b).max(axis=1))

        left, right = np.full(len(d), -reach), np.full(len(d), reach)
        inner, outer = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
        at_inner, at_outer = height(inner), height(outer)
        for _ in range(STEPS):
            falls = at_inner > at_outer
            left, right = np.where(falls, inner, left), np.where(falls, right, outer)
            new = np.where(falls, left + GOLDEN * (right - left), right - GOLDEN * (right - left))
            at_new = height(new)
            inner, outer = np.where(falls, outer, new), np.where(falls, new, inner)
            at_inner, at_outer = np.where(falls, at_outer, at_new), np.where(falls, at_new, at_inner)
        return np.repeat((left + right) / 2, np.diff(rows))


_CORNERS = tuple(itertools.product((slice(None, -1), slice(1, None)), repeat=2))


def _padded(series: np.ndarray, shape: Index) -> np.ndarray:
    return np.pad(series, [(0, n - m) for n, m in zip(shape, series.shape, strict=True)])


def _on_grid(series: np.ndarray, missed: float) -> OnGrid:
    """Evaluate sum c_ij T_i T_j on lines of equal angles."""
    sizes, values, off = np.abs(series), series, missed
    for axis, n in enumerate(series.shape):
        N, j = max(16, LINES * (n - 1)), np.arange(n)
        turns = np.outer(j, np.arange(N + 1)) % (2 * N)  # reduced exactly, so that a cosine errs by less than 2^-50
        values = np.tensordot(values, np.cos(np.pi / N * turns), axes=(0, 0))
        off += (math.pi / N) ** 2 / 8 * float((sizes.sum(axis=1 - axis) * j * j).sum()) * UP
    return OnGrid(values, off * UP + float(sizes.sum()) * (series.size + 16) * 2.0**-51)
