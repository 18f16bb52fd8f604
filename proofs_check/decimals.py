"""Exact numbers as text: fractions read back as stored, decimals never below the bound they print or above what was found."""

from __future__ import annotations

import re
from fractions import Fraction


def stored_fraction(text: object) -> Fraction:
    """Read a fraction as certificates spell it; other spellings, 1e999999999 for one, are refused unread.

    Raises:
        ValueError: anything but digits, a sign and a slash.

    >>> stored_fraction("-7/3")
    Fraction(-7, 3)
    """
    if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]{1,4300}(/(?!0+$)[0-9]{1,4300})?", text):
        raise ValueError(f"expected a fraction such as '7/3' as a string, got {str(text)[:40]!r}")
    return Fraction(text)


def counted(count: int, noun: str) -> str:
    """Write how many there are of something.

    >>> counted(1, "square"), counted(23, "square")
    ('1 square', '23 squares')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def decimal_above(value: Fraction, digits: int = 6) -> str:
    """Return a decimal with the given significant digits at or above the value: a printed bound is a bound.

    >>> decimal_above(Fraction(1, 3), 3)
    '0.334'
    >>> decimal_above(Fraction(1, 10**7), 3)
    '1.00e-7'
    """
    if value == 0:
        return "0"
    if value < 0:
        return "-" + _rounded(-value, digits, up=False)
    return _rounded(value, digits, up=True)


def decimal_below(value: Fraction, digits: int = 6) -> str:
    """Return a decimal with the given significant digits at or below a value >= 0: what is printed certainly occurs.

    >>> decimal_below(Fraction(2, 3), 3)
    '0.666'
    """
    return decimal_above(-value, digits).removeprefix("-")


def shortest_above(value: Fraction) -> str:
    """Return up to six digits that are the value, else a decimal above it: a printed tolerance is no smaller than the true one.

    >>> shortest_above(Fraction(1, 100)), shortest_above(Fraction(1, 3)), shortest_above(Fraction(1, 10**6))
    ('0.01', '0.333334', '1e-6')
    """
    short = re.sub(r"e(-?)\+?0*", r"e\1", f"{float(value):g}")  # exponents as decimal_above writes them
    return short if Fraction(short) == value else decimal_above(value)


def _rounded(value: Fraction, digits: int, *, up: bool) -> str:
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    exponent -= value < Fraction(10) ** exponent
    scaled = value / Fraction(10) ** (exponent - digits + 1)
    mantissa = -(-scaled.numerator // scaled.denominator) if up else scaled.numerator // scaled.denominator
    if mantissa == 10**digits:
        mantissa, exponent = mantissa // 10, exponent + 1
    text = str(mantissa)
    if -5 <= exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{text}"
    if 0 <= exponent < digits:
        return f"{text[:exponent + 1]}.{text[exponent + 1:]}".rstrip(".")
    return f"{text[0]}.{text[1:]}e{exponent}"
