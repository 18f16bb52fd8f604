"""Monomials of a token on boxes: their values at the centre m, and slopes over the box, p^a - m^a = sum_c s_c (p - m)_c.

One coordinate after the other moves from m to p: s_c is the product of p_b^(a_b) for b < c, of m_b^(a_b) for b > c, and of

    q(p) = (p^k - m^k) / (p - m) = sum over j < k of p^j m^(k-1-j)        at p = p_c, m = m_c, k = a_c.

q(p) is the mean of k (m + s (p - m))^(k-1) over s in [0, 1]. For even k this increases with p for every s, and so does q: its
ends are at the ends of the box. For odd k it is convex in p, and so is q: its largest value is at an end of the box. On a box of
one sign it is monotone, so the least value is at an end as well; elsewhere q >= m^(k-1)/2. For with u = p/m it is m^(k-1) times
the sum of u^j, j < k, which is at least 1 for u >= 0 and (1 + |u|^k)/(1 + |u|) >= 1/2 for u < 0; for m = 0 it is p^(k-1) >= 0.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np

from proofs_check.enclosures.interval import Floats, Interval, down, maximum, minimum, quiet, up, where


@quiet
def monomials_on(factors: Sequence[Sequence[int]], centres: Floats, radii: Floats) -> tuple[Interval, list[Interval]]:
    """Enclose monomials, each given as the coordinates whose product it is.

    Args:
        factors: one entry a monomial.
        centres, radii: (boxes, d), the box is |p - centre| <= radius coordinate by coordinate.

    Returns:
        their values at the centres, (boxes, monomials), and for each coordinate their slopes over the boxes in the same shape;
        the whole line where something overflowed.
    """
    coordinates = range(centres.shape[1])
    exponents = [[own.count(c) for own in map(tuple, factors)] for c in coordinates]
    most = max(map(max, exponents))
    middle, low, high = Interval.of(centres), down(centres - radii), up(centres + radii)
    at_centre = [middle**k for k in range(most + 1)]
    over = [Interval.of(low, high)**k for k in range(most + 1)]
    moved = _secants(at_centre, low, high)
    fixed, there, slopes = ([_columns(table, c, exponents[c]) for c in coordinates] for table in (at_centre, over, moved))
    return (functools.reduce(operator.mul, fixed),
            [functools.reduce(operator.mul, [*there[:c], slopes[c], *fixed[c + 1:]]) for c in coordinates])


def _secants(powers: Sequence[Interval], low: Floats, high: Floats) -> list[Interval]:
    """Enclose q over [low, high] for k = 0, 1, .., given the powers of m; see the module."""
    one = powers[0]
    mixed = (low < 0) & (high > 0)
    left, right = Interval.of(low), Interval.of(high)
    found, at_left, at_right = [one - one, one], one, one  # of k = 0 and k = 1
    for k in range(2, len(powers)):
        at_left, at_right = left * at_left + powers[k - 1], right * at_right + powers[k - 1]  # q_k = p q_(k-1) + m^(k-1)
        if k % 2 == 0:
            found.append(Interval.of(at_left.lower, at_right.upper))
        else:
            least = where(mixed, powers[k - 1] * Interval.of(0.5), minimum(at_left, at_right))
            found.append(Interval.of(least.lower, maximum(at_left, at_right).upper))
    return found[:len(powers)]


def _columns(table: Sequence[Interval], c: int, exponents: Sequence[int]) -> Interval:
    """Take the given powers of one coordinate, one a monomial."""
    return Interval(*(np.stack([getattr(table[k], end)[:, c] for k in exponents], axis=-1) for end in ("lower", "upper")))
