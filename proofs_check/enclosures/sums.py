"""By how much a computed sum of numbers >= 0 is raised, so that it is at least the true one.

A sum of m terms, in any order, each of which was rounded k times, is computed to at least (1 - u)^(m + k) of its true value,
u = 2^-53. With m + k <= 2^12 that is at least 1 - 2^-41, and fl((1 + 2^-40) s) >= (1 + 2^-40)(1 - u) s is above s/(1 - 2^-41).
What is lost below the normal numbers is not relative: whoever multiplies adds a number for it.
"""

from __future__ import annotations

MOST_TERMS = 2**11  # of a sum; as many roundings are left for its terms
ABOVE = 1.0 + 2.0**-40
