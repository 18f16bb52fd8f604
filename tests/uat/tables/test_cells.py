"""Numbers are rounded to the side that keeps them true, and no character means anything to TeX."""

from __future__ import annotations

import string
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.errors import Refused
from uat.tables.cells import Cell, lower, measured, missing, upper, words
from uat.tables.escaping import latex_prose, latex_text
from uat.tables.table import Column, Table
from uat.tables.writing import latex, markdown

NUMBERS = st.fractions(min_value=0, max_value=10**9).filter(bool)


def value(cell: Cell) -> Fraction:
    text = cell.latex.strip("$")
    mantissa, _, exponent = text.partition(r"\times10^")
    return Fraction(mantissa) * Fraction(10) ** int(exponent.strip("{}") or 0)


@given(NUMBERS, st.integers(2, 6))
def test_bounds_are_rounded_up_and_errors_down_by_less_than_a_digit(number: Fraction, digits: int) -> None:
    above, below = upper(number, digits), lower(number, digits)
    assert value(below) <= number <= value(above)
    assert value(above) - value(below) <= number * Fraction(1, 10 ** (digits - 2))
    assert Fraction(below.csv) <= number <= Fraction(above.csv)
    assert value(above) == Fraction(above.plain)
    assert value(below) == Fraction(below.plain)


def test_a_float_counts_as_the_number_it_is() -> None:
    assert upper(0.1, 3).plain == "0.101"  # the float is above 1/10
    assert upper("0.1", 3).plain == "0.100"
    assert lower(0.3, 3).plain == "0.299"  # the float is below 3/10


@pytest.mark.parametrize(("cell", "plain", "tex"), [
    (upper(0), "0", "$0$"), (measured(0.0), "0", "$0$"), (missing(), "-", "--"), (upper(None), "-", "--"),
    (upper(Fraction(1, 10**7)), "1.00e-7", r"$1.00\times10^{-7}$"), (measured(123456.0, 3), "1.23e5", r"$1.23\times10^{5}$")])
def test_numbers_are_spelt_as_in_a_paper(cell: Cell, plain: str, tex: str) -> None:
    assert (cell.plain, cell.latex) == (plain, tex)


def test_every_printable_character_is_escaped() -> None:
    escaped = latex_text(string.printable.replace("\x0b", "").replace("\x0c", ""))
    bare = escaped
    for spelt in (r"\textbackslash{}", r"\{", r"\}", r"\$", r"\&", r"\%", r"\#", r"\_", r"\textasciitilde{}",
                  r"\textasciicircum{}", "$<$", "$>$", "$\\le$", r"$\vert$", "$*$", r"\textasciigrave{}", "{[}"):
        bare = bare.replace(spelt, "")
    assert not set(bare) & set("\\{}$&%#_~^<>|*[`\"\n\t")


def test_a_character_that_pdftex_lacks_is_refused_and_mathematics_is_kept() -> None:
    with pytest.raises(Refused, match="--format markdown or csv"):
        latex_text("épsilon")
    assert latex_prose("5 % of $d'_1$ & more") == r"5 \% of $d'_1$ \& more"


def test_a_row_that_begins_with_a_bracket_is_no_argument_of_the_line_break() -> None:
    rows = ((words("x"), words("y")), (words("[0, 1)"), words("z")))
    table = Table("t", "a caption", (Column("a", "a"), Column("b", "b")), rows)
    assert "{[}0, 1)" in latex(table)


def test_bars_and_stars_stay_inside_their_cell_of_markdown() -> None:
    table = Table("t", "a caption", (Column("a", "a"),), ((words("||f|| * <b>"),),))
    assert r"\|\|f\|\| \* \<b>" in markdown(table)


def test_a_row_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 cells in a row of 2 columns"):
        Table("t", "a caption", (Column("a", "a"), Column("b", "b")), ((words("x"),),))
