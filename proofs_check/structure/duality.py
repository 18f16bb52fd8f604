"""Averages by weak duality: what a quotient of means fixes is used with a multiplier.

Let p = mean K_p(z, y), q = mean K_q(z, y) > 0 and F = p/q. Then mean (K_p - F K_q) = 0 by definition of F, so for every number
lambda, which may depend on z and F, and any D

    mean D = mean (D - lambda (K_p - F K_q)) <= q sup over y of (D - lambda (K_p - F K_q)) / K_q.

For D = D_p - F D_q the right side is, at the best lambda, the least upper bound over all sequences with that z and F in the limit
of many tokens (a linear program with two constraints and its dual). Any lambda gives a bound: they are searched in floating point
without care, one for each cell of z, part of F's range and side; only the bound they give is enclosed. Being affine in F where
lambda is fixed, it is largest at an end of the part.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval, quiet
from proofs_check.structure.deviation import on_cells
from proofs_check.structure.ranges import Range, angle_points, on_angles, padded, widened
from proofs_check.structure.variable import Variable

COARSE = 48  # lines of the search in each variable
HALVINGS = 28
STEEPEST = 64.0  # largest multiplier searched, in units of sup |D/K_q| / sup |K_p/K_q - F|
_UNIT = 2.0**-52
_UP = 1 + 2.0**-30


@dataclass(frozen=True, eq=False)
class Series:
    """A function within ``beyond`` of a Chebyshev expansion, on the box of all of them."""

    coefficients: Floats
    beyond: float


@dataclass(frozen=True, eq=False)
class _Grid:
    """A function on a grid of angles: between its points it is within ``off`` of multilinear interpolation."""

    values: Floats
    off: float

    @property
    def size(self) -> float:
        return float(np.abs(self.values).max())


@quiet
def average_over_weight(D: tuple[Series, Series], K: tuple[Series, Series], parts: Sequence[tuple[float, float]],
                        weight: ex.Expression, box: Sequence[Variable], outer: int) -> list[Range]:
    """Enclose mean (D_p - F D_q) / mean K_q for every sequence whose F lies in a part; one enclosure a part.

    Args:
        D: what is averaged, D_p and D_q, functions of z and y.
        K: the kernels K_p and K_q.
        parts: intervals of F.
        weight: K_q as an expression.
        box: scales of z and then of y.
        outer: how many variables z has.

    Raises:
        NotAnalytic: the weight is not positive.
    """
    grids, axes = _on_grid([*D, *K])
    divisor = on_cells(weight, box, axes)
    known = {F: (_beside(grids[0], grids[1], F), _beside(grids[2], grids[3], F)) for F in dict.fromkeys(itertools.chain(*parts))}
    found = []
    for part in parts:
        ends = [known[F] for F in part]
        upper = _above([(a.values, b.values, a.off, b.off) for a, b in ends], divisor, grids[3].values, outer)
        lower = -_above([(-a.values, b.values, a.off, b.off) for a, b in ends], divisor, grids[3].values, outer)
        if not (np.isfinite(lower) and np.isfinite(upper)):  # not a number would pass for a bound in min and max
            lower, upper = -np.inf, np.inf
        found.append(widened(min(lower, upper), max(lower, upper)))  # out of order only where no sequence has such an F
    return found


def _on_grid(parts: Sequence[Series]) -> tuple[list[_Grid], list[Floats]]:
    p = parts[0].coefficients.ndim
    points = tuple(angle_points(p, max(one.coefficients.shape[axis] for one in parts) - 1) for axis in range(p))
    grids, axes = list[_Grid](), list[Floats]()
    for one, coefficients in zip(parts, padded([one.coefficients for one in parts]), strict=True):
        values, missed, axes = on_angles(coefficients, points)
        grids.append(_Grid(values, (missed + one.beyond) * _UP))
    return grids, axes


def _beside(a: _Grid, b: _Grid, F: float) -> _Grid:
    """Return a - F b."""
    rounding = 4 * _UNIT * (a.size + abs(F) * b.size)
    return _Grid(a.values - F * b.values, (a.off + abs(F) * b.off + rounding) * _UP)


_End = tuple[Floats, Floats, float, float]


def _above(ends: Sequence[_End], divisor: Interval, weight: Floats, outer: int) -> float:
    """Bound sup (D - lambda B) / K_q over z, y and both ends from above, lambda one number for every cell of z."""
    multipliers = _multipliers(ends, weight, outer)
    largest = np.full(divisor.shape, -np.inf)
    for D, B, off, missed in ends:
        size = np.abs(multipliers) * float(np.abs(B).max()) + float(np.abs(D).max())
        around = (off + np.abs(multipliers) * missed + 4 * _UNIT * size) * _UP
        for corner in itertools.product((slice(None, -1), slice(1, None)), repeat=D.ndim):
            largest = np.maximum(largest, D[corner] - multipliers * B[corner] + around)
    return float(np.max((Interval.of(largest) / divisor).upper))


def _multipliers(ends: Sequence[_End], weight: Floats, outer: int) -> Floats:
    """Choose lambda for groups of cells of z: halve an interval by the slope where the largest value on their borders is."""
    counts = [n - 1 for n in weight.shape]
    lines = [np.unique(np.linspace(0, n, min(n, COARSE) + 1).round().astype(int)) for n in counts]
    a, b = (np.concatenate([_of_groups(values[np.ix_(*lines)] / weight[np.ix_(*lines)], outer) for values in sides], axis=-1)
            for sides in ([D for D, _, _, _ in ends], [B for _, B, _, _ in ends]))
    reach = STEEPEST * np.abs(a).max() / max(float(np.abs(b).max()), 1e-300)
    low, high = np.full(a.shape[:outer], -reach), np.full(a.shape[:outer], reach)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        worst = np.argmax(a - middle[..., None] * b, axis=-1)
        falling = np.asarray(np.take_along_axis(b, worst[..., None], axis=-1))[..., 0] > 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    chosen = np.asarray((low + high) / 2)
    for axis, borders in enumerate(lines[:outer]):
        chosen = np.repeat(chosen, np.diff(borders), axis=axis)
    return chosen.reshape(*counts[:outer], *(1,) * (len(counts) - outer))


def _of_groups(values: Floats, outer: int) -> Floats:
    """Return (groups of z .., what is on the borders of each)."""
    corners = [values[corner] for corner in itertools.product((slice(None, -1), slice(1, None)), repeat=outer)]
    return np.concatenate([corner.reshape(*corner.shape[:outer], -1) for corner in corners], axis=-1)
