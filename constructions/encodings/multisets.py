"""All multisets of a given size, vectorised."""

from __future__ import annotations

import numpy as np


def multisets(cells: int, size: int) -> np.ndarray:
    """Return every multiset of ``size`` cells as a non-decreasing row, in lexicographic order.

    Returns:
        (binom(cells + size - 1, size), size) array of int64.

    >>> multisets(2, 2).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    rows = np.zeros((1, 0), dtype=np.int64)
    last = np.zeros(1, dtype=np.int64)
    for _ in range(size):
        counts = cells - last  # the next cell runs from the last one to K - 1
        starts = np.cumsum(counts) - counts
        following = np.arange(counts.sum()) - np.repeat(starts - last, counts)
        rows = np.concatenate([np.repeat(rows, counts, axis=0), following[:, None]], axis=1)
        last = following
    return rows
