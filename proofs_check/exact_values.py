"""Numbers of the ball library as fractions, nothing rounded."""

from __future__ import annotations

from fractions import Fraction

from flint import arb, fmpq


def from_rational(value: fmpq) -> Fraction:
    """Return a rational number."""
    return Fraction(int(value.p), int(value.q))


def from_end(end: arb) -> Fraction:
    """Return the middle of a ball, exactly; for an exact ball, as an end of another one is, that is the ball."""
    mantissa, exponent = end.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
