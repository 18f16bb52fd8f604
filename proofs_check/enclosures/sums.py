"""By how much a computed sum of numbers >= 0 is raised, so that it is at least the true one.

A sum of m terms, in any order, each of which was rounded k times, is computed to at least (1 - u)^(m + k) of its true value,
u = 2^-53. With m + k <= 2^12 that is at least 1 - 2^-41, and fl((1 + 2^-40) s) >= (1 + 2^-40)(1 - u) s is above s/(1 - 2^-41).
What is lost below the normal numbers is not relative: whoever multiplies adds a number for it.
"""

from __future__ import annotations

MOST_TERMS = 2**11  # of a sum; as many roundings are left for its terms
ABOVE = 1.0 + 2.0**-40


def above(terms: int) -> float:
    """Return a factor for a sum of any number of terms, each of which was rounded at most 2^11 times.

    >>> above(100) == ABOVE, above(2**20) > ABOVE
    (True, True)
    """
    return max(ABOVE, 1.0 + terms * 2.0**-51)
