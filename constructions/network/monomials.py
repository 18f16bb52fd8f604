"""The monomials x^a, |a| >= 1, of the d coordinates of a token in graded order: phi of the paper's continuous proof."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement, islice


@lru_cache(maxsize=64)
def factors(d: int, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the first ``count`` monomials in graded order, each as the coordinates whose product it is.

    >>> factors(2, 5)
    ((0,), (1,), (0, 0), (0, 1), (1, 1))
    """
    degree, found = 1, list[tuple[int, ...]]()
    while len(found) < count:
        found.extend(islice(combinations_with_replacement(range(d), degree), count - len(found)))
        degree += 1
    return tuple(found)
