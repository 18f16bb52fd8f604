"""Floating-point evaluation of a step-network: a proof that nothing is rounded, or that rounding cannot be seen.

Assumption: IEEE 754 addition and multiplication, in any order, with or without fused multiply-add.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from proofs_check.step_network import Enumeration, StoredNode

BITS = {"float64": 53, "float32": 24}


def evaluation_gap(enumeration: Enumeration, nodes: Sequence[StoredNode], number_format: str, n: int, slots: int) -> str:
    """Return "" if every architecture evaluated in the format equals the network over the reals, the reason otherwise.

    Quantisers: the sign of a rounded difference is right. Codes, ranks, keys: integers, and thresholds multiples of 1/2, with
    all partial sums below 2^(p-2), exact in any order.
    Pooling: at most m = 8 n + 8 slots + 64 rounded operations, so relative error gamma_m (Higham 2002, lemma 3.1), less than
    half the margin to the nearest threshold. Table: partial sums of jumps are integers times a power of two, below 2^p, and below
    the format's largest number: a jump from one end of its range to the other would overflow.
    """
    bits = BITS[number_format]
    if any(node.thresholds.dtype == object or node.values.dtype == object for node in nodes):
        return f"codes are integers that {number_format} cannot hold"
    if not all(numbers_of(number_format, array) for node in nodes for array in (node.thresholds, node.values)):
        return f"a threshold or value is not a {number_format} number"
    inner = [node for node in nodes if not any(channel.startswith("x.") for channel, _ in node.reads)]
    uneven = [node for node in inner if not np.all(2 * node.thresholds == np.floor(2 * node.thresholds))]
    if uneven:
        return f"the thresholds of {uneven[0].writes} are not multiples of 1/2, so an order of summation may miss them"
    if enumeration.largest_integer >= 2 ** (bits - 2):
        return f"integers up to {enumeration.largest_integer} are too large for {number_format}"
    m = (8 * n + 8 * slots + 64) * Fraction(1, 2**bits)
    if m >= 1 or m / (1 - m) * n * enumeration.largest_code * 2 >= enumeration.margin:
        return f"pooled codes up to {n * enumeration.largest_code} may be decoded wrongly in {number_format}"
    loose = [node for node in nodes if not all(_sums_exactly(column, number_format) for column in node.values.T)]
    return f"the jumps of {loose[0].writes} cannot be summed without rounding or overflow" if loose else ""


def numbers_of(number_format: str, values: np.ndarray) -> bool:
    """Say whether all values are numbers of the format, so that it holds them unrounded."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.all(values.astype(number_format) == values))


def _sums_exactly(values: np.ndarray, number_format: str) -> bool:
    """Say whether |v_0| + sum |v_j - v_{j-1}| is in range and at most 2^p units, a power of two that divides all values."""
    unit = _common_unit(values)
    if unit == 0:
        return True
    scaled = values / unit  # a power of two: exact
    if not np.all(np.abs(scaled) < 2.0**53):
        return False
    integers = scaled.astype(np.int64)
    total = abs(int(integers[0])) + sum(int(part) for part in np.abs(np.diff(integers)).astype(object))
    return total <= 2 ** BITS[number_format] and total * Fraction(unit) <= Fraction(float(np.finfo(number_format).max))


def _common_unit(values: np.ndarray) -> float:
    """Return the largest power of two of which every value is an integer multiple (0 for all zeros)."""
    nonzero = values[values != 0]
    if not len(nonzero):
        return 0.0
    mantissa, exponent = np.frexp(nonzero)
    integer = np.ldexp(mantissa, 53).astype(np.int64)
    trailing = np.log2((integer & -integer).astype(np.float64))  # a power of two: its logarithm is exact
    lowest = int((exponent - 53 + trailing.astype(np.int64)).min())
    return float(np.ldexp(1.0, lowest))
