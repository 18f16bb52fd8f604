"""Sums of hinges: as functions of their argument, and their float64 values against fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.structure.hinge_sums import HingeSum, Values, breakpoints
from proofs_check.structure.matching import Affine
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.tables import Table

NUMBERS = st.fractions(-10, 10, max_denominator=97)


def value(f: HingeSum, t: Fraction) -> Fraction:
    return f.constant + f.slope * t + sum((jump * max(t - knot, Fraction(0)) for knot, jump in f.jumps.items()), Fraction(0))


@given(st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), min_size=1, max_size=5), NUMBERS.filter(bool), NUMBERS, NUMBERS)
def test_a_table_of_an_affine_form_is_a_sum_of_hinges(units: list[tuple[float, float]], scale: Fraction, shift: Fraction,
                                                      t: Fraction) -> None:
    table = Table.of([b for b, _ in units], [w for _, w in units])
    place = Affine(fmpq(scale.numerator, scale.denominator), fmpq(shift.numerator, shift.denominator), 0.5)
    found = HingeSum.of(table, place)
    assert value(found, t) == table(scale * t + shift)
    assert found.blur == max(abs(slope) for slope in table.slopes) / 2


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.dictionaries(NUMBERS, NUMBERS, max_size=6)), min_size=1, max_size=4),
       st.lists(st.floats(-10, 10), min_size=1, max_size=8), NUMBERS)
def test_values_are_off_by_no_more_than_they_say(parts: list[tuple[Fraction, Fraction, dict[Fraction, Fraction]]],
                                                 points: list[float], factor: Fraction) -> None:
    functions = [HingeSum(a, b, dict(jumps)) for a, b, jumps in parts]
    whole = HingeSum(blur=Fraction(1, 10**9))
    for f in functions:
        whole.add(f, factor)
    found = Values.of([*functions, whole], np.array(points))
    for row, f in enumerate([*functions, whole]):
        for column, t in enumerate(points):
            gap = abs(value(f, Fraction(t)) - Fraction(found.at[row, column]))
            assert gap + f.blur <= Fraction(found.off[row, column])
            assert found.off[row, column] <= 1e-9 + 1e-8


def test_breakpoints_are_the_ends_and_the_knots_between() -> None:
    f = HingeSum(jumps={Fraction(1, 3): Fraction(1), Fraction(-1): Fraction(1), Fraction(2): Fraction(1)})
    assert breakpoints([f], 0.0, 1.0).tolist() == [0.0, 1 / 3, 1.0]
    with pytest.raises(NotUnderstood, match="no length"):
        breakpoints([HingeSum(jumps={Fraction(1, 10**15): Fraction(1)})], 0.0, 1.0)
    assert breakpoints([f], 1.0, 1.0).tolist() == [1.0, 1.0 + 2.0**-29]
