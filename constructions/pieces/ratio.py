"""The error of an average with positive weights, mean(K_a)/mean(K_b), relative to the weights.

If P_a, P_b stand in for K_a and K_b > 0, then with delta = P - K and F the quotient,

    |mean_k (delta_a - F delta_b)(z, y_k)| / mean_k K_b(z, y_k) <= sup over z, y of |delta_a - F delta_b| / K_b,

because |sum d| / sum w <= max |d|/w: an error counts little where the weight is large, and a sequence cannot have all its errors
where the weights are small and its weight elsewhere. The supremum is linear in F inside, so the ends of F's range suffice. The
box is cut into cells; on each the bound of Ehlich and Zeller (see ``expansion``) is divided by the least weight there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from constructions.pieces.expansion import Box, nearby
from constructions.pieces.forms import upward
from constructions.pieces.smooth import Smooth
from constructions.targets.ball_arrays import BallArray

CELLS = 12
OVERSAMPLING = 4
Index = tuple[int, ...]


def ratio_error(kernels: tuple[Smooth, Smooth], matrices: tuple[np.ndarray, np.ndarray],
                degrees: tuple[Sequence[Index], Sequence[Index]], box: Box, F: tuple[float, float], error: float) -> float:
    """Bound sup |delta_a - F delta_b| / K_b over the box of two variables and F in an interval.

    Args:
        kernels: K_a and K_b.
        matrices: P_a and P_b, coefficients of T_i(x) T_j(y) for the listed degrees.
        degrees: of the rows and of the columns.
        box: of x and y.
        F: ends of the interval.
        error: a known bound of |delta_a| and |delta_b|, which sets how near to the kernels polynomials are looked for.

    Returns:
        The bound, inf where K_b is not shown to be positive.
    """
    tail = 2.0 ** math.floor(math.log2(error / 100))
    near = [nearby(K, box, tail, 4096) for K in kernels]
    top = tuple(max(*(one.degrees[v] for one in near), *(index[0] for index in degrees[v])) for v in range(2))
    top = tuple(-(-D // 4) * 4 for D in top)  # few different grids
    weight = _least(kernels[1], box)
    if not weight.min() > 0:
        return math.inf
    tables = [_cosines(D, [index[0] for index in listed]) for D, listed in zip(top, degrees, strict=True)]
    gaps, radii = [], []
    for K, P in zip(kernels, matrices, strict=True):
        values, radius = _values(K, box, top)
        gaps.append(values - tables[0].T @ P @ tables[1])
        radii.append(radius + float(np.abs(P).sum()) * (max(top) + 4) ** 2 * 2.0**-42)
    factor = math.prod(1 / math.cos(math.pi * D / (2 * OVERSAMPLING * D)) for D in top) * (1 + 2.0**-30)
    worst = 0.0
    for end in F:
        known = near[0].tail + abs(end) * near[1].tail
        shape = (CELLS, OVERSAMPLING * top[0], CELLS, OVERSAMPLING * top[1])
        largest = np.abs(gaps[0] - end * gaps[1]).reshape(shape).max(axis=(1, 3))
        largest = largest * (1 + 2.0**-40) + radii[0] + abs(end) * radii[1] + known
        worst = max(worst, float(((known + largest * factor) / weight).max()))
    return upward(worst * (1 + 2.0**-30))


def _nodes(D: int) -> np.ndarray:
    """Return the Chebyshev points of all cells of [-1, 1], cell after cell, each right to 2^-50."""
    N = OVERSAMPLING * D
    inside = np.cos(np.pi * (2 * np.arange(N) + 1) / (2 * N))
    return ((2 * np.arange(CELLS)[:, None] + 1 - CELLS + inside) / CELLS).ravel()


def _cosines(D: int, listed: Sequence[int]) -> np.ndarray:
    """T_j at the points; an entry errs by at most about j^2 2^-52."""
    return np.asarray(np.cos(np.outer(listed, np.arccos(_nodes(D)))))


@functools.lru_cache(maxsize=16)
def _values(K: Smooth, box: Box, top: tuple[int, ...]) -> tuple[np.ndarray, float]:
    axes = []
    for (a, b), D in zip(box, top, strict=True):
        low, high = float(a), float(b)
        slack = 2.0**-48 * (abs(low) + abs(high) + (high - low))
        axes.append(BallArray((low + high) / 2 + (high - low) / 2 * _nodes(D), np.asarray(slack)))
    mesh = np.meshgrid(*(axis.mid for axis in axes), indexing="ij", sparse=True)
    values = K.balls([BallArray(m, axis.rad) for m, axis in zip(mesh, axes, strict=True)])
    shape = tuple(len(axis.mid) for axis in axes)
    return np.array(np.broadcast_to(values.mid, shape)), upward(float(np.max(values.rad)))


@functools.lru_cache(maxsize=64)
def _least(K: Smooth, box: Box) -> np.ndarray:
    """Return lower bounds of K on the cells."""
    axes = []
    for a, b in box:
        low, high = float(a), float(b)
        width = (high - low) / CELLS
        middles = low + width * (np.arange(CELLS) + 0.5)
        axes.append((middles, width / 2 * (1 + 2.0**-40) + 2.0**-48 * (abs(low) + abs(high))))
    mesh = np.meshgrid(*(middles for middles, _ in axes), indexing="ij", sparse=True)
    values = K.balls([BallArray(m, np.asarray(radius)) for m, (_, radius) in zip(mesh, axes, strict=True)])
    lower = np.broadcast_to(values.mid - values.rad, (CELLS, CELLS))
    return np.where(np.isfinite(lower), lower - np.abs(lower) * 2.0**-50, 0.0)
