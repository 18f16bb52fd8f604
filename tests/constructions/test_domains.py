"""Boxes are read exactly, every point of the closed box lies in one cell, and the radius of a grid is exact."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Axis, Box, Grid, cells_needed, parse_rational
from constructions.errors import BadInput, Refused
from constructions.number_formats import FLOAT32, FLOAT64, NumberFormat
from constructions.sumformers.grid import quantiser_nodes
from tests.cases import CASES, Case, fractions

rationals = st.fractions(min_value=-3, max_value=3, max_denominator=50)
boxes = st.tuples(rationals, rationals).filter(lambda ends: ends[0] < ends[1])
formats = st.sampled_from([FLOAT64, FLOAT32])


def cell_of(axis: Axis, point: Fraction) -> list[int]:
    """All cells [t_j, t_{j+1}) that contain the point, the last one closed, by exact comparison."""
    edges = [axis.lower, *(Fraction(float(t)) for t in axis.thresholds), axis.upper]
    last = len(edges) - 2
    return [j for j in range(last + 1) if edges[j] <= point and (point < edges[j + 1] or (j == last and point == edges[j + 1]))]


@given(ends=boxes, cells=st.integers(1, 40), number_format=formats, share=st.fractions(min_value=0, max_value=1))
@settings(max_examples=80, deadline=None)
def test_every_point_of_the_closed_interval_lies_in_exactly_one_cell(ends: tuple[Fraction, Fraction], cells: int,
                                                                     number_format: NumberFormat, share: Fraction) -> None:
    axis = Axis.uniform(*ends, cells, number_format)
    for point in (ends[0], ends[1], ends[0] + share * (ends[1] - ends[0]), *(Fraction(float(t)) for t in axis.thresholds)):
        assert len(cell_of(axis, point)) == 1
    assert cell_of(axis, ends[0]) == [0]
    assert cell_of(axis, ends[1]) == [cells - 1]
    assert cell_of(axis, ends[1] + Fraction(1, 10**9)) == []


def test_half_open_cells_as_printed_miss_the_upper_end() -> None:
    edges = [Fraction(0), Fraction(1, 2), Fraction(1)]
    assert [j for j in range(2) if edges[j] <= 1 < edges[j + 1]] == []
    assert cell_of(Axis.uniform(Fraction(0), Fraction(1), 2, FLOAT64), Fraction(1)) == [1]


@given(ends=boxes, cells=st.integers(1, 12), number_format=formats, data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_quantiser_network_in_floats_is_the_exact_quantiser(ends: tuple[Fraction, Fraction], cells: int,
                                                                number_format: NumberFormat, data: st.DataObject) -> None:
    axis = Axis.uniform(*ends, cells, number_format)
    (node,) = quantiser_nodes(Grid((axis,)))
    near = [v for t in axis.thresholds for v in (float(t), math.nextafter(t, -9), math.nextafter(t, 9))]
    low, high = float(ends[0]), float(ends[1])
    point = data.draw(st.one_of(st.floats(low, high), st.sampled_from([*near, low, high])))
    if ends[0] <= Fraction(point) <= ends[1]:
        assert [int(node.table(np.array([point]))[0, 0])] == cell_of(axis, Fraction(point))


def brute_radius(axis: Axis) -> Fraction:
    edges = [axis.lower, *(Fraction(float(t)) for t in axis.thresholds), axis.upper]
    centres = [Fraction(float(c)) for c in axis.centres]
    return max(abs(end - c) for (a, b), c in zip(itertools.pairwise(edges), centres, strict=True) for end in (a, b))


@given(ends=boxes, cells=st.integers(1, 60), number_format=formats)
@settings(max_examples=80, deadline=None)
def test_the_radius_is_exact(ends: tuple[Fraction, Fraction], cells: int, number_format: NumberFormat) -> None:
    axis = Axis.uniform(*ends, cells, number_format)
    assert axis.radius == brute_radius(axis)
    assert axis.cells == cells
    ideal = (ends[1] - ends[0]) / (2 * cells)
    assert ideal * (1 - Fraction(1, 1000)) <= axis.radius <= ideal * (1 + Fraction(1, 1000))


def test_the_radius_is_not_the_ideal_one_where_a_boundary_was_rounded() -> None:
    assert Axis.uniform(Fraction(0), Fraction(1), 4, FLOAT64).radius == Fraction(1, 8)
    assert Axis.uniform(Fraction(0), Fraction(1), 3, FLOAT64).radius != Fraction(1, 6)


@given(ends=boxes, radius=st.fractions(min_value=Fraction(1, 100), max_value=4))
@settings(max_examples=80, deadline=None)
def test_cells_needed_is_the_smallest_number_that_fits(ends: tuple[Fraction, Fraction], radius: Fraction) -> None:
    cells = cells_needed(*ends, radius)
    assert (ends[1] - ends[0]) / (2 * cells) <= radius
    assert cells == 1 or (ends[1] - ends[0]) / (2 * (cells - 1)) > radius


@given(ends=st.tuples(boxes, boxes), radius=st.fractions(min_value=Fraction(1, 50), max_value=4), number_format=formats)
@settings(max_examples=60, deadline=None)
def test_a_grid_with_a_radius_keeps_it_and_is_at_most_one_cell_above_the_minimum(
        ends: tuple[tuple[Fraction, Fraction], ...], radius: Fraction, number_format: NumberFormat) -> None:
    box = Box(tuple(a for a, _ in ends), tuple(b for _, b in ends))
    grid = Grid.with_radius(box, radius, number_format)
    assert grid.radius <= radius
    for axis, (a, b) in zip(grid.axes, ends, strict=True):
        assert cells_needed(a, b, radius) <= axis.cells <= cells_needed(a, b, radius) + 1


@pytest.mark.parametrize("cells", [1000, 3000, 10001])
@pytest.mark.parametrize("number_format", [FLOAT64, FLOAT32], ids=lambda f: f.name)
def test_a_fine_grid_keeps_the_radius_although_its_boundaries_are_rounded(cells: int, number_format: NumberFormat) -> None:
    radius = Fraction(1, 2 * cells)
    assert Grid.with_radius(Box.parse("0,1", 1), radius, number_format).radius <= radius


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_s_grids_have_the_expected_cells(case: Case) -> None:
    grid = Grid.with_radius(case.box, case.eps * Fraction(1023, 1024) / case.lipschitz, FLOAT64)
    assert tuple(axis.cells for axis in grid.axes) == case.cells
    assert grid.cells == case.k
    assert grid.centres().shape == (case.k, case.d)
    for tokens in fractions(case.tokens(np.random.default_rng(0), 20)).reshape(-1, case.d):
        found = [cell_of(axis, coordinate) for axis, coordinate in zip(grid.axes, tokens, strict=True)]
        assert all(len(cell) == 1 for cell in found)
        centre = grid.centres()[sum(stride * cell[0] for stride, cell in zip(grid.strides, found, strict=True))]
        assert max(abs(Fraction(float(c)) - t) for c, t in zip(centre, tokens, strict=True)) <= grid.radius


@pytest.mark.parametrize(("lower", "upper", "cells", "number_format"), [
    (Fraction(1), Fraction(1) + Fraction(1, 2**50), 8, FLOAT64),
    (Fraction(1), Fraction(1) + Fraction(1, 2**50), 9, FLOAT64),
    (Fraction(1), Fraction(1) + Fraction(1, 2**22), 5, FLOAT32),
    (Fraction(10**17), Fraction(10**17 + 3), 2, FLOAT64),
])
def test_a_mesh_finer_than_the_format_is_refused(lower: Fraction, upper: Fraction, cells: int,
                                                      number_format: NumberFormat) -> None:
    if cells == 8:
        assert Axis.uniform(lower, upper, 2, number_format).cells == 2
        cells = 16
    with pytest.raises(Refused, match=f"finer than {number_format.name} can tell apart"):
        Axis.uniform(lower, upper, cells, number_format)


def test_boxes_are_read_exactly() -> None:
    assert Box.parse("-1,2", 1) == Box((Fraction(-1),), (Fraction(2),))
    assert Box.parse("1/3, 2/3", 2) == Box((Fraction(1, 3),) * 2, (Fraction(2, 3),) * 2)
    assert Box.parse("0,0.1;-1e-2,1", 2) == Box((Fraction(0), Fraction(-1, 100)), (Fraction(1, 10), Fraction(1)))
    assert str(Box.parse("0,1", 3)) == "[0, 1]^3"
    assert str(Box.parse("0,1;-1,1/2", 2)) == "[0, 1] x [-1, 1/2]"


@pytest.mark.parametrize(("text", "d"), [
    ("", 1), ("0", 1), ("0,1,2", 1), ("1,0", 1), ("1,1", 1), ("0,1;0,1", 1), ("0,1;0,1", 3), ("a,b", 1), ("0,nan", 1),
    ("-inf,1", 1), ("0,1;", 2), ("0;1", 1), ("0,1e9999", 1)])
def test_a_malformed_domain_is_a_bad_input(text: str, d: int) -> None:
    with pytest.raises(BadInput, match="domain"):
        Box.parse(text, d)


@given(st.fractions(max_denominator=10**6))
@settings(max_examples=50, deadline=None)
def test_fractions_are_read_back_exactly(value: Fraction) -> None:
    assert parse_rational(f" {value} ", "eps") == value


@pytest.mark.parametrize("text", ["", " ", "nan", "inf", "-inf", "1/0", "1e1000", "1e-9999999999", "0x10", "1,5", "one", "1/2/3",
                                  "9" * 401, "--1", "1e", "1j", "1 2", "\x00"])
def test_what_is_no_finite_number_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(BadInput, match=r"expected a finite decimal number such as 0\.01") as caught:
        parse_rational(text, "eps")
    assert str(caught.value).startswith("eps ")


@pytest.mark.parametrize("text", ["1e301", "1e-301", "-1e999", "1e-999"])
def test_numbers_that_no_float_could_show_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="eps"):
        parse_rational(text, "eps")


@given(st.text(max_size=12))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_rational_or_a_bad_input(text: str) -> None:
    try:
        value = parse_rational(text, "eps")
    except BadInput:
        return
    assert isinstance(value, Fraction)


def neighbours(value: float, number_format: NumberFormat) -> list[float]:
    kind = np.float32 if number_format.bits == 24 else np.float64
    return [float(np.nextafter(kind(value), kind(end))) for end in (-np.inf, np.inf)]


@given(value=st.fractions(min_value=-100, max_value=100), number_format=formats)
@settings(max_examples=80, deadline=None)
def test_rounding_gives_a_nearest_number_of_the_format(value: Fraction, number_format: NumberFormat) -> None:
    rounded = number_format.round(value)
    assert all(abs(Fraction(rounded) - value) <= abs(Fraction(other) - value) for other in neighbours(rounded, number_format))


def test_rounding_to_float32_is_not_done_twice() -> None:
    value = 1 + Fraction(1, 2**24) + Fraction(1, 2**60)  # rounding to float64 first gives a tie
    assert FLOAT32.round(value) == 1 + 2.0**-23


@given(terms=st.integers(1, 1000), number_format=formats)
@settings(max_examples=20, deadline=None)
def test_the_sum_error_bounds_every_product_of_roundings(terms: int, number_format: NumberFormat) -> None:
    u = number_format.unit_roundoff
    assert (1 + u) ** terms - 1 <= number_format.sum_error(terms)
    assert 1 - (1 - u) ** terms <= number_format.sum_error(terms)
    assert number_format.sum_error(terms) <= 2 * terms * u


def test_more_roundings_than_the_analysis_covers_are_an_error() -> None:
    with pytest.raises(ValueError, match="beyond the error analysis of float32"):
        FLOAT32.sum_error(2**24)
