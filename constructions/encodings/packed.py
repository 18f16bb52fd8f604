"""The packed code: several channels, each with as many positional digits as its number format can pool."""

from __future__ import annotations

import numpy as np

from constructions.encodings.code import Code
from constructions.number_formats import NumberFormat


def digits_per_channel(n: int, number_format: NumberFormat, roundings: int) -> int:
    """Return the largest p such that sums of n codes below n^p survive a pooling head (at least 1).

    Exact integer sums would allow n^p <= 2^53; a softmax head, or a mean times n, errs in the last bits, so the error bound
    of :meth:`Code.survives` decides (mathematics: sum-code-injective, iii).
    """
    p = 1
    while Code("packed", n, np.array([[n**p]], dtype=object)).survives(number_format, roundings):
        p += 1
    return p


def packed(cells: int, n: int, number_format: NumberFormat, roundings: int) -> Code:
    """Return the positional code cut into blocks of ``digits_per_channel`` cells, one channel a block.

    >>> from constructions.number_formats import FLOAT32
    >>> packed(20, 7, FLOAT32, 11).values[:, 0].tolist()[:8]
    [1, 7, 49, 343, 2401, 16807, 0, 0]
    """
    p = digits_per_channel(n, number_format, roundings)
    values = np.zeros((cells, -(-cells // p)), dtype=object)
    for z in range(cells):
        values[z, z // p] = n ** (z % p)
    return Code("packed", n, values)
