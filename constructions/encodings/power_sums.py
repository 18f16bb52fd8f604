"""Multi-indices of power sums and the latent dimensions of the paper's continuous proof (mathematics: latent-dimension)."""

from __future__ import annotations

import itertools
import math

Index = tuple[int, ...]


def multi_indices(d: int, degree: int) -> list[Index]:
    """Return all a in N^d with 0 < |a| <= degree, by degree, then lexicographically.

    >>> multi_indices(2, 2)
    [(0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]
    """
    every = (a for a in itertools.product(range(degree + 1), repeat=d) if 0 < sum(a) <= degree)
    return sorted(every, key=lambda a: (sum(a), a))


def printed_dimension(n: int, d: int) -> int:
    """Return binom(n + d, d) - 1, as printed: power sums of all n tokens.

    >>> [printed_dimension(*case) for case in ((3, 2), (3, 10), (5, 4), (10, 4))]
    [9, 285, 125, 1000]
    """
    return math.comb(n + d, d) - 1


def sharpened_dimension(n: int, d: int, degree: int | None = None) -> int:
    """Return binom(m + d, d) - 1 with m = n - 1, or the polynomial's degree where that is smaller.

    The proof subtracts the own token, so only power sums of n - 1 tokens have to be generated.

    >>> [sharpened_dimension(*case) for case in ((3, 2), (3, 10), (5, 4), (10, 4))]
    [5, 65, 69, 714]
    """
    return math.comb(min(n - 1, n - 1 if degree is None else degree) + d, d) - 1


def needed_dimension(n: int, d: int) -> int:
    """Return (n - 1) d: for some target every continuous phi with fewer features has error >= 1 (mathematics: lower-bounds).

    >>> [needed_dimension(*case) for case in ((2, 1), (3, 2), (3, 10))]
    [1, 4, 20]
    """
    return (n - 1) * d
