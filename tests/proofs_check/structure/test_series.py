"""Ranges without multiplying out: they hold what the exact expansion holds, and are hardly wider."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import fmpq
from hypothesis import assume, given, settings

from proofs_check.structure.content import Content, Definitions, affine, expanded
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import polynomial_range
from proofs_check.structure.series import NoSeries, SeriesOf
from tests.proofs_check.structure.draws import Point, centre, contents, points, rationals
from tests.proofs_check.structure.draws import value as polynomial_value

FEW = settings(max_examples=60, deadline=None)


def _defined(v: Content, w: Content) -> Definitions:
    return Definitions({"v": v, "w": w})


@FEW
@given(contents("vwx"), contents("x", ("e1",)), contents("xy", ("e2",)), points("xy"), points("e"))
def test_every_value_of_the_exact_expansion_is_in_the_range(a: Content, v: Content, w: Content, at: Point, e: Point) -> None:
    definitions = _defined(v, w)
    low, high = SeriesOf(definitions).range(a)
    exact = expanded(a, definitions)
    assert low <= centre(exact, at, dict.fromkeys(exact.noise, e["e"])) <= high


@FEW
@given(contents("vw", ()), contents("x", ("e1",)), contents("y", ("e2",)))
def test_it_is_not_much_wider_than_through_the_exact_expansion(a: Content, v: Content, w: Content) -> None:
    """In w^3 - v^2 w the noise of w has the factor 3 w^2 - v^2, at most 3; term by term that is 4."""
    definitions = _defined(v, w)
    exact = expanded(a, definitions)
    assume(len(exact.main.terms) > 1)
    low, high = SeriesOf(definitions).range(a)
    ends, spread = polynomial_range(exact.main), exact.sharp_spread()
    slack = spread / 2 + 1e-9 * (1 + float(Fraction(int(exact.main.l1().p), int(exact.main.l1().q))))
    assert ends[0] - spread - slack <= low
    assert high <= ends[1] + spread + slack


def test_large_terms_that_cancel_leave_a_range_that_holds_the_rounding() -> None:
    third, huge = fmpq(1, 3), fmpq(10**15)
    v = Content(Polynomial.variable("x").times(third))
    w = affine([(v, fmpq(1)), (Content(Polynomial.variable("x")), fmpq(1, 10**16))])
    a = affine([(Content(Polynomial.variable("v")), huge), (Content(Polynomial.variable("w")), -huge)])
    low, high = SeriesOf(_defined(v, w)).range(a)
    assert low <= -0.1
    assert high >= 0.1  # the difference is x / 10, far below the last place of what cancels


def test_a_definition_that_is_given_anew_is_not_the_old_one() -> None:
    definitions = _defined(Content(Polynomial.variable("x")), Content(Polynomial.variable("y")))
    series, square = SeriesOf(definitions), Content(Polynomial.variable("v") * Polynomial.variable("w"))
    assert series.range(square)[1] == pytest.approx(1.0)
    definitions["v"] = Content(Polynomial.variable("x").times(fmpq(5)))
    assert series.range(square)[1] == pytest.approx(5.0)


def test_a_variable_that_the_caller_knows_better_is_left_to_the_caller() -> None:
    definitions = _defined(Content(Polynomial.variable("x")), Content(Polynomial.variable("y")))
    content = Content(Polynomial.variable("v") * Polynomial.variable("t"))
    assert SeriesOf(definitions).range(content) == pytest.approx((-1.0, 1.0))
    for unknown in ("t", "x"):
        with pytest.raises(NoSeries):
            SeriesOf(definitions).range(content, [unknown])


@FEW
@given(contents("vx"), contents("x", ("e1",)), points("x"), points("ef"), rationals(), rationals(), rationals())
def test_the_bounds_of_a_copy_hold_the_copy(a: Content, v: Content, at: Point, e: Point, factor: fmpq, constant: fmpq,
                                            noise: fmpq) -> None:
    definitions = Definitions({"v": v})
    bounds = SeriesOf(definitions).bounds(a).of_copy(factor, constant, noise)
    exact = expanded(affine([(a, factor)], constant), definitions).with_noise("new", noise)
    value = centre(exact, at, {name: e["f"] if name == "new" else e["e"] for name in exact.noise})
    assert bounds.ends[0] <= value <= bounds.ends[1]
    assert abs(value - polynomial_value(exact.main, at)) <= bounds.spread
