"""Floating-point formats as exact sets of dyadic numbers: what a weight or a channel can hold without rounding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


def exact_number(text: object) -> Fraction:
    """Read an integer or fraction as stored files spell it; other spellings, 1e999999999 for one, are refused unread.

    Raises:
        ValueError: anything but digits, a sign and a slash.

    >>> exact_number("-7/3")
    Fraction(-7, 3)
    """
    if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]{1,4300}(/(?!0+$)[0-9]{1,4300})?", text):
        raise ValueError(f"expected a fraction such as '7/3' as a string, got {str(text)[:40]!r}")
    return Fraction(text)


def short_decimal_above(value: Fraction, digits: int) -> Fraction:
    """Round a number >= 0 up to so many significant decimal digits, so that it can be quoted.

    >>> short_decimal_above(Fraction(1, 3), 2)
    Fraction(17, 50)
    """
    if value == 0:
        return value
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    exponent -= value < Fraction(10) ** exponent
    unit = Fraction(10) ** (exponent - digits + 1)
    return -(-value // unit) * unit


@dataclass(frozen=True)
class NumberFormat:
    """An IEEE 754 binary format; ``bits`` is the significand length p, unit roundoff u = 2^-p."""

    name: str
    bits: int

    @property
    def unit_roundoff(self) -> Fraction:
        """u = 2^-p: every rounded operation has relative error at most u (no under- or overflow)."""
        return Fraction(1, 2**self.bits)

    @property
    def largest_integer(self) -> int:
        """2^p: all integers up to it are representable, and integer sums below it are exact in any order."""
        return int(2**self.bits)

    def round(self, value: Fraction) -> float:
        """Return the nearest number of the format (as a Python float, exact)."""
        if self.bits == 53:
            return float(value)
        near = np.float32(float(value))  # rounded twice, so perhaps one step off
        steps = (np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf)))
        return float(min(steps, key=lambda s: (abs(Fraction(float(s)) - value), int(s.view(np.int32)) & 1)))

    def sum_error(self, terms: int) -> Fraction:
        """Return gamma_m = m u / (1 - m u), the classical relative bound for m roundings in any order (Higham 2002, 3.1)."""
        mu = terms * self.unit_roundoff
        if mu >= 1:
            raise ValueError(f"{terms} roundings are beyond the error analysis of {self.name}")
        return mu / (1 - mu)


FLOAT64 = NumberFormat("float64", 53)
FLOAT32 = NumberFormat("float32", 24)
FORMATS = {f.name: f for f in (FLOAT64, FLOAT32)}
