"""Numbers and lists in messages: short, however large or many they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

LONGEST = 10_000  # bits of a number whose digits Python writes down


def some(parts: Sequence[str], most: int = 8) -> str:
    """Return the first of many parts of a message, and how many there are.

    >>> some(["a", "b"]), some(list("abcdefgh"), 3)
    ('a, b', 'a, b, c, .. (8 in all)')
    """
    return ", ".join(parts) if len(parts) <= most else f"{', '.join(parts[:most])}, .. ({len(parts)} in all)"


def counted(count: int) -> str:
    """Return a count in full while it is short, in powers of ten beyond: it may be too large for a float.

    >>> counted(2690010), counted(26900100), counted(10**5000 + 1)
    ('2690010', '2.69e7', '10^4999')
    """
    if count.bit_length() > LONGEST:
        return f"10^{math.floor((count.bit_length() - 1) * math.log10(2))}"
    digits = str(count)
    return digits if len(digits) <= 7 else f"{digits[0]}.{digits[1:3]}e{len(digits) - 1}"


def rounded(count: int) -> str:
    """Return three digits of a count that may be too large for a float.

    >>> rounded(269001), rounded(10**120)
    ('2.69e+05', '1.00e120')
    """
    return f"{count:.3g}" if count < 10**100 else counted(count)


def decimal(value: Fraction) -> str:
    """Return three digits of a number that may be too large for a float.

    >>> decimal(Fraction(1, 3)), decimal(Fraction(10**400))
    ('0.333', '1.00e400')
    """
    return f"{float(value):.3g}" if value < 10**300 else counted(int(value))
