"""Hats on triangles: what they are compared with is linear interpolation, and no point is further off than what is said."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from constructions.network.relu import mean_of
from proofs_check.structure.content import Content
from proofs_check.structure.hats import one_unit
from proofs_check.structure.layers import through
from proofs_check.structure.planar_hats import Grid, Hinged, Line, PlanarHistogram
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.reading import Bend, NotUnderstood, Reading
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable
from tests.proofs_check.structure.handmade import layer, sumformer

UNIT = (Fraction(0), Fraction(1))
AXIS = [fmpq(k, 12) for k in range(-12, 13)]
POINTS = [(X, Y) for X in AXIS for Y in AXIS]
GRIDS = [Grid(((Fraction(-1), Fraction(2)), UNIT), cells, o) for cells in ((1, 1), (3, 2), (2, 4)) for o in (1, -1)]


def at(line: Line, point: tuple[fmpq, fmpq]) -> fmpq:
    return line[0] + line[1] * point[0] + line[2] * point[1]


def relu(value: fmpq) -> fmpq:
    return max(value, fmpq(0))


def before_last(grid: Grid, i: int, j: int, point: tuple[fmpq, fmpq]) -> fmpq:
    """Return what the unit of a hat rectifies."""
    return 1 - sum((relu(at(line, point)) for line in grid.hinges(i, j)), fmpq(0))


def interpolated(grid: Grid, i: int, j: int, point: tuple[fmpq, fmpq]) -> fmpq:
    """Return the weight of a knot at a point, from the triangle that the point is in."""
    a, b = (grid.cells[c] * (point[c] + 1) / 2 for c in range(2))  # in cells
    k, m = min(int(a.floor()), grid.cells[0] - 1), min(int(b.floor()), grid.cells[1] - 1)
    p, q = a - k, b - m if grid.turned > 0 else 1 - (b - m)
    m, up = (m, 1) if grid.turned > 0 else (m + 1, -1)  # the corner on the diagonal with the smaller first coordinate
    weights = {(k, m): 1 - max(p, q), (k + 1, m + up): min(p, q)}
    corner = (k + 1, m) if p > q else (k, m + up)
    weights[corner] = abs(p - q)
    return weights.get((i, j), fmpq(0))


@pytest.mark.parametrize("grid", GRIDS)
def test_hats_are_those_of_linear_interpolation_on_triangles(grid: Grid) -> None:
    for point in POINTS:
        total = fmpq(0)
        for i in range(grid.cells[0] + 1):
            for j in range(grid.cells[1] + 1):
                total += relu(before_last(grid, i, j, point))
                assert relu(before_last(grid, i, j, point)) == interpolated(grid, i, j, point)
        assert total == 1


@pytest.mark.parametrize("grid", GRIDS)
def test_a_hat_is_0_but_for_the_4_x_4_knots_around_also_where_it_is_off(grid: Grid) -> None:
    for point in POINTS:
        a, b = (grid.cells[c] * (point[c] + 1) / 2 for c in range(2))
        for i in range(grid.cells[0] + 1):
            for j in range(grid.cells[1] + 1):
                k, m = min(int(a.floor()), grid.cells[0] - 1), min(int(b.floor()), grid.cells[1] - 1)
                assert (k - 1 <= i <= k + 2 and m - 1 <= j <= m + 2) or before_last(grid, i, j, point) <= -1


SMALL = st.integers(-8, 8).map(lambda k: fmpq(k, 64))
LINES = st.tuples(SMALL, SMALL, SMALL)


@given(st.sampled_from(GRIDS), st.data())
def test_no_point_is_further_off_than_what_is_said(grid: Grid, data: st.DataObject) -> None:
    i, j = (data.draw(st.integers(0, count)) for count in grid.cells)
    kept = data.draw(st.sets(st.sampled_from(range(3))))
    exact = grid.hinges(i, j)

    def moved(line: Line) -> Line:
        c, a, b = data.draw(LINES)
        return line[0] + c, line[1] + a, line[2] + b

    hinges = {k: moved(exact[k]) for k in sorted(kept)}
    line = (fmpq(1), fmpq(0), fmpq(0))
    for k in range(3):
        if k not in kept and data.draw(st.booleans()):
            line = line[0] - exact[k][0], line[1] - exact[k][1], line[2] - exact[k][2]
    line = moved(line)
    said = Hinged(line, hinges, fmpq(0)).beside(exact)
    found = max(abs(at(line, point) - sum((relu(at(one, point)) for one in hinges.values()), fmpq(0))
                    - before_last(grid, i, j, point)) for point in POINTS)
    assert found <= said


@pytest.mark.parametrize("grid", GRIDS)
def test_hinges_that_are_never_or_always_0_may_be_written_or_not(grid: Grid) -> None:
    for i in range(grid.cells[0] + 1):
        for j in range(grid.cells[1] + 1):
            exact, kept, line = grid.hinges(i, j), dict[int, Line](), (fmpq(1), fmpq(0), fmpq(0))
            for k, (c, a, b) in enumerate(exact):
                if c - abs(a) - abs(b) >= 0:
                    line = line[0] - c, line[1] - a, line[2] - b
                elif c + abs(a) + abs(b) > 0:
                    kept[k] = c, a, b
            for hat in (Hinged((fmpq(1), fmpq(0), fmpq(0)), dict(enumerate(exact)), fmpq(0)), Hinged(line, kept, fmpq(0))):
                assert min((hat.beside(grid.hinges(*knot)), knot) for knot in hat.candidates(grid)) == (0, (i, j))


def test_a_knot_outside_of_the_box_is_refused() -> None:
    grid = GRIDS[0]
    with pytest.raises(NotUnderstood, match="outside of the box"):
        Hinged((fmpq(1), fmpq(0), fmpq(0)), dict(enumerate(grid.hinges(2, 0))), fmpq(0)).candidates(grid)


def test_knots_go_from_end_to_end() -> None:
    assert GRIDS[2].knots == [[Fraction(-1), Fraction(0), Fraction(1), Fraction(2)], [Fraction(0), Fraction(1, 2), Fraction(1)]]
    assert np.shape(GRIDS[0].hinges(0, 0)) == (3, 3)


def test_a_few_hats_of_a_huge_grid_are_refused_without_listing_its_knots() -> None:
    m = 2.0**12
    hinges = layer(*(({"x.0": a * m, "x.1": b * m}, -k, {f"{a}{b}{k}": 1.0})
                     for a, b in ((-1, 0), (0, 1), (1, -1)) for k in (-3.0, -2.0, 0.0, 2.0, 3.0)))
    hats = layer(*(({f"-10{-i}": -1.0, f"01{i}": -1.0, "1-10.0": -1.0}, 1.0, {f"hat{i}": 1.0}) for i in (2.0, 3.0)))
    network = sumformer([hinges, hats], ["hat2.0", "hat3.0"], [], {"mean.hat2.0": 1.0}, d=2)
    reading = Reading((UNIT, UNIT))
    reading.start(network)
    for _ in through(reading, network.phi, network.pooled, "phi"):
        pass
    reading.pool(network.pooled)
    tracemalloc.start()
    with pytest.raises(NotUnderstood, match="not every knot has one hat"):
        PlanarHistogram.of(reading, (0, 1), [mean_of(channel) for channel in network.pooled])
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize(("eps", "known"), [("rounding phi1 hat", True), ("fold phi0.0", False), ("copy phi1.0", False)])
def test_what_holds_a_hat_up_has_to_be_the_rounding_of_its_unit(eps: str, known: bool) -> None:
    reading, variable = Reading((UNIT, UNIT)), Variable.of(0, 1)
    reading.variables["hat"], reading.bends["hat"] = variable, Bend(Content(Polynomial({})), Table.of([0.0], [1.0]))
    held = variable.content("hat").with_noise(eps, fmpq(1, 128))
    if known:
        assert one_unit(reading, held) == ("hat", pytest.approx(Fraction(1, 128)))
        return
    with pytest.raises(NotUnderstood, match="something else than units that are added"):
        one_unit(reading, held)
