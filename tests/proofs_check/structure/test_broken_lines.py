"""Piecewise-linear functions: tables of them are exact, bands contain what they should."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.structure.broken_lines import Band, Broken
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.tables import Table

Q = Fraction
NUMBERS = st.integers(-40, 40).map(lambda p: Q(p, 8))


@st.composite
def lines(draw: st.DrawFn) -> Broken:
    inner = draw(st.lists(st.integers(1, 31), max_size=5, unique=True))
    return Broken(tuple((Q(t, 32), draw(NUMBERS)) for t in sorted([0, *inner, 32])))


@st.composite
def tables(draw: st.DrawFn, *, rising: bool = False) -> Table:
    units = draw(st.lists(st.tuples(st.integers(-16, 16), st.integers(1 if rising else -8, 8)), min_size=1, max_size=5))
    return Table.of([bias / 4 for bias, _ in units], [weight / 2 for _, weight in units])


POINTS = [Q(k, 96) for k in range(97)]


@given(lines(), tables())
def test_a_table_of_a_function_is_exact(line: Broken, table: Table) -> None:
    made = line.through(table)
    assert all(made(t) == table(line(t)) for t in POINTS)
    assert [t for t, _ in made.points] == sorted({t for t, _ in made.points})


@given(lines(), lines(), NUMBERS, NUMBERS)
def test_a_sum_is_exact(one: Broken, other: Broken, a: Fraction, b: Fraction) -> None:
    made = Broken.total(Q(3), [(one, a), (other, b)])
    assert all(made(t) == 3 + a * one(t) + b * other(t) for t in POINTS)


@given(lines(), tables(rising=True), st.integers(0, 8), NUMBERS, st.integers(-8, 8))
def test_a_band_contains_what_is_near(line: Broken, table: Table, off: int, factor: Fraction, moved: int) -> None:
    near, band = Q(max(-off, min(off, moved)), 8), Band(line, line).moved(Q(off, 8))
    made = Band.total(Q(1), [(band.through(table), factor)])
    for t in POINTS:
        assert made.lower(t) <= 1 + factor * table(line(t) + near) <= made.upper(t)


def test_a_table_that_turns_needs_an_exact_function() -> None:
    tent = Table.of([0.0, -1.0], [1.0, -2.0])
    line = Broken.line(Q(0), Q(2), Q(1), Q(0))
    assert Band(line, line).through(tent).lower(Q(2)) == 0
    with pytest.raises(NotUnderstood, match="rises and falls"):
        Band(line, line).moved(Q(1, 8)).through(tent)
