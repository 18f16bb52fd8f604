"""The positional code c(z) = n^z: digits count the tokens in each cell."""

from __future__ import annotations

import numpy as np

from constructions.encodings.code import Code


def positional(cells: int, n: int) -> Code:
    """Return c(z) = n^z: counts of the others are at most n - 1 < n, so the base-n digits of their sum are the counts.

    >>> positional(3, 4).values.ravel().tolist()
    [1, 4, 16]
    """
    return Code("positional", n, np.array([[n**z] for z in range(cells)], dtype=object))
