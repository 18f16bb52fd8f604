"""How far sum_ij A_ij T_i(x) T_j(y) follows errors of the polynomials of one side, at the worst point of the other.

With |e_j| <= b_j the sum over j of M_j(x) e_j, M_j = sum_i A_ij T_i, is for fixed signs a polynomial in x, so (Ehlich and
Zeller, see ``expansion``) its supremum is at most a factor times the largest sum_j |M_j| b_j on a grid of Chebyshev points. It
is also at most the sum of |A_ij| b_j, which is larger, often by far: not all T_i are 1 at one point.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

Index = tuple[int, ...]
LARGEST = 4_000_000
SLACK = 1 + 2.0**-30


@dataclass(frozen=True, eq=False)
class Envelope:
    """Bounds of sum_j |M_j(x)| b_j over the box.

    Attributes:
        largest: (terms,) l1 norms of the columns of A.
        at_grid: (terms, points) |M_j| on the grid times the factor, None where that is too large to hold.
    """

    largest: np.ndarray
    at_grid: np.ndarray | None

    @staticmethod
    def of(A: np.ndarray, slack: np.ndarray, degrees: tuple[Index, ...]) -> Envelope:
        """Take the polynomials whose coefficients are the columns of A, each right to ``slack``."""
        size = np.abs(A) + slack
        largest = size.sum(axis=0) * SLACK
        found = _at_points(degrees)
        if found is None or found[0].shape[1] * A.shape[1] > LARGEST:
            return Envelope(largest, None)
        values, factor = found
        rounding = slack.sum(axis=0) + largest * 2.0**-40 * (max(map(max, degrees)) + 4) ** 2
        return Envelope(largest, (np.abs(A.T @ values) + rounding[:, None]) * (factor * SLACK))

    def total(self, bounds: np.ndarray) -> float:
        """Bound the sum for errors of the given sizes."""
        plain = float(self.largest @ bounds)
        return (plain if self.at_grid is None else min(plain, float((bounds @ self.at_grid).max()))) * SLACK

    @property
    def each(self) -> np.ndarray:
        """Bound every |M_j| by itself."""
        return self.largest if self.at_grid is None else np.minimum(self.largest, self.at_grid.max(axis=1) * SLACK)


@functools.lru_cache(maxsize=32)
def _at_points(degrees: tuple[Index, ...]) -> tuple[np.ndarray, float] | None:
    """Return the products of Chebyshev polynomials on a grid, and the factor; None for no variable, or more than two."""
    p = len(degrees[0])
    if not 0 < p <= 2:
        return None
    top = [max(index[c] for index in degrees) for c in range(p)]
    counts = [max(1, (16 if p == 1 else 6) * D) for D in top]
    angles = [np.pi * (np.arange(N) + 0.5) / N for N in counts]
    factor = math.prod(1 / math.cos(math.pi * D / (2 * N)) for D, N in zip(top, counts, strict=True))
    points = np.array(list(itertools.product(*angles))).T
    return np.asarray(np.prod([np.cos(np.outer([index[c] for index in degrees], points[c])) for c in range(p)], axis=0)), factor
