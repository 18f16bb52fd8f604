"""Tables: the same function as the sum of their units, and ranges with both ends attained; scales of variables."""

from __future__ import annotations

import itertools
from fractions import Fraction

from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure.content import Content
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable

FEW = settings(max_examples=40, deadline=None)
UNITS = st.lists(st.tuples(st.one_of(st.floats(-2, 2), st.sampled_from([-0.5, -0.5 - 2.0**-53, 0.0])), st.floats(-2, 2)),
                 min_size=1, max_size=6)
POINTS = st.one_of(st.fractions(-3, 3), st.sampled_from([Fraction(1, 2), Fraction(1, 2) + Fraction(1, 2**53), Fraction(0)]))


def direct(units: list[tuple[float, float]], t: Fraction) -> Fraction:
    return sum((Fraction(weight) * max(t + Fraction(bias), Fraction(0)) for bias, weight in units), Fraction(0))


def table(units: list[tuple[float, float]]) -> Table:
    return Table.of([bias for bias, _ in units], [weight for _, weight in units])


@FEW
@given(UNITS, POINTS)
def test_a_table_is_the_sum_of_its_units(units: list[tuple[float, float]], t: Fraction) -> None:
    assert table(units)(t) == direct(units, t)


@FEW
@given(UNITS, st.fractions(-3, 3), st.fractions(-3, 3))
def test_pieces_cover_an_interval_and_are_linear(units: list[tuple[float, float]], a: Fraction, b: Fraction) -> None:
    low, high = min(a, b), max(a, b)
    pieces = table(units).pieces(low, high)
    assert (pieces[0][0], pieces[-1][1]) == (low, high)
    assert all(one[1] == following[0] for one, following in itertools.pairwise(pieces))
    for left, right, value, slope in pieces:
        for part in (Fraction(0), Fraction(1, 3), Fraction(1)):
            t = left + part * (right - left)
            assert value + slope * (t - left) == direct(units, t)


@FEW
@given(UNITS, st.floats(-3, 3), st.floats(-3, 3), st.fractions(0, 1))
def test_a_range_contains_every_value_and_its_ends_are_values(units: list[tuple[float, float]], a: float, b: float,
                                                              part: Fraction) -> None:
    low, high = min(a, b), max(a, b)
    least, largest = table(units).range(low, high)
    t = Fraction(low) + part * (Fraction(high) - Fraction(low))
    assert least <= direct(units, t) <= largest
    corners = {Fraction(low), Fraction(high), *(-Fraction(bias) for bias, _ in units if low <= -bias <= high)}
    values = [direct(units, corner) for corner in corners]
    assert (least, largest) == (min(values), max(values))


@FEW
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.fractions(-1, 1))
def test_a_scale_and_back_is_the_same_variable(low: float, width: float, v: Fraction) -> None:
    scale = Variable.of(low, low + width)
    number = scale.centre + scale.half * v
    assert Fraction(low) <= number <= Fraction(low + width)
    assert scale.interval().contains(float(number)) or scale.half == 0 or abs(v) == 1
    back = scale.scaled(Content.constant(fmpq(number.numerator, number.denominator))).main.at_zero
    assert back == (fmpq(v.numerator, v.denominator) if scale.half else 0)
    assert scale.content("v").main.degree("v") == (1 if scale.half else 0)
