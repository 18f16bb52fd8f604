r"""What stands in a table: one value with its text for people, for LaTeX and for CSV, rounded to the side that keeps it true.

A certified bound is rounded up, a sampled error, which is a lower bound, down; a measurement to nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from proofs_check.decimals import decimal_above, decimal_below
from uat.tables.escaping import latex_text

CSV_DIGITS = 6
LATEX_MISSING = "--"


@dataclass(frozen=True)
class Cell:
    """One entry; ``plain`` is for the terminal and Markdown."""

    plain: str
    latex: str
    csv: str


def words(text: str, *, latex: str = "") -> Cell:
    """Return text, escaped for LaTeX unless its LaTeX is given."""
    return Cell(text, latex or latex_text(text), text)


def missing(why: str = "") -> Cell:
    """Return an entry that is not there, with a word in its place if there is one."""
    return Cell(why or "-", latex_text(why) if why else LATEX_MISSING, "")


def count(value: int | None) -> Cell:
    """Return a whole number.

    >>> count(1089764).latex
    '1,089,764'
    """
    return missing() if value is None else Cell(f"{value:,}", f"{value:,}", str(value))


def at_most(value: int) -> Cell:
    """Return a whole number of which only an upper bound is known."""
    return Cell(f"<= {value:,}", rf"$\le$ {value:,}", f"<={value}")


def upper(value: Fraction | float | str | None, digits: int = 3) -> Cell:
    r"""Return a number rounded up, so that what is printed is still a bound.

    >>> upper("1/3").plain, upper(Fraction(123401, 10**9)).latex
    ('0.334', '$1.24\\times10^{-4}$')
    """
    if value is None:
        return missing()
    exact = Fraction(value)
    return _number(decimal_above(exact, digits), decimal_above(exact, CSV_DIGITS))


def lower(value: Fraction | float | str | None, digits: int = 3) -> Cell:
    r"""Return a number rounded down, so that what is printed certainly occurs.

    >>> lower("1/3").plain, lower(0.0099999).latex
    ('0.333', '$9.99\\times10^{-3}$')
    """
    if value is None:
        return missing()
    exact = Fraction(value)
    return _number(decimal_below(exact, digits), decimal_below(exact, CSV_DIGITS))


def measured(value: float | None, digits: int = 2) -> Cell:
    """Return a measurement, rounded to nearest.

    >>> measured(0.01249).plain, measured(1234.5).plain
    ('0.012', '1200')
    """
    if value is None:
        return missing()
    return _number(f"{value:.{digits - 1}e}", f"{value:.{CSV_DIGITS - 1}e}")


def tolerance(text: str) -> Cell:
    r"""Return a tolerance as it was typed; in LaTeX powers of ten are spelt as such.

    >>> tolerance("1e-2").latex, tolerance("1/3").latex
    ('$10^{-2}$', '1/3')
    """
    try:
        exponent = Decimal(text).adjusted()
        exact = Decimal(text) == Decimal(10) ** exponent
    except InvalidOperation:
        exact = False
    return words(text, latex=f"$10^{{{exponent}}}$" if exact else "")


def fixed(value: float | None, decimals: int) -> Cell:
    """Return a number with so many decimals, rounded to nearest."""
    return missing() if value is None else Cell(f"{value:.{decimals}f}", f"{value:.{decimals}f}", f"{value:.{decimals}f}")


def _number(text: str, csv: str) -> Cell:
    number = Decimal(text)
    if number == 0:
        return Cell("0", "$0$", "0")
    exponent = number.adjusted()
    if -3 < exponent < 5:
        return Cell(f"{number:f}", f"${number:f}$", csv)
    mantissa = number.scaleb(-exponent)
    return Cell(f"{mantissa}e{exponent}", rf"${mantissa}\times10^{{{exponent}}}$", csv)
