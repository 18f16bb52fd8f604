"""Ball arithmetic encloses the truth, functions of balls and their derivatives too, and is tight."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.targets.ball_arrays import BallArray
from constructions.targets.jets import _SMOOTH

PLACES = [Fraction(-1), Fraction(-1, 2), Fraction(0), Fraction(1, 3), Fraction(1)]


def contains(ball: BallArray, value: Fraction | arb, index: int = 0) -> bool:
    """Compare exactly: |value - mid| <= rad, for a 300-bit enclosure as for a fraction."""
    mid, rad = Fraction(float(ball.mid.ravel()[index])), float(ball.rad.ravel()[index])
    if math.isinf(rad):
        return True
    if isinstance(value, arb):
        with ctx.workprec(300):
            return bool(abs(value - exact_ball(mid)) <= exact_ball(Fraction(rad)))
    return abs(value - mid) <= Fraction(rad)


def exact_ball(value: Fraction) -> arb:
    with ctx.workprec(300):
        return arb(fmpq(value.numerator, value.denominator))


def points(ball: BallArray) -> list[Fraction]:
    """Five points of a one-element ball, both ends included."""
    return [Fraction(float(ball.mid[0])) + t * Fraction(float(ball.rad[0])) for t in PLACES]


def balls(low: float = -20, high: float = 20) -> st.SearchStrategy[BallArray]:
    mid = st.one_of(st.floats(low, high), st.sampled_from([0.0, 1.0, 0.1, -0.5]).filter(lambda m: low <= m <= high))
    rad = st.one_of(st.just(0.0), st.floats(0, 1e-12), st.floats(0, 3))
    return st.builds(lambda m, r: BallArray(np.array([m]), np.array([r])), mid, rad)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}


@pytest.mark.parametrize("operator", BINARY)
@given(a=balls(), b=balls())
@settings(max_examples=50, deadline=None)
def test_arithmetic_of_balls_contains_all_exact_results(operator: str, a: BallArray, b: BallArray) -> None:
    with np.errstate(all="ignore"):
        result = BINARY[operator](a, b)
    if operator == "/" and min(points(b)) <= 0 <= max(points(b)):
        assert math.isinf(result.rad[0])
        return
    for u, v in itertools.product(points(a), points(b)):
        assert contains(result, BINARY[operator](u, v))


@given(a=balls(), p=st.integers(-4, 7))
@settings(max_examples=80, deadline=None)
def test_powers_of_balls_contain_all_exact_results(a: BallArray, p: int) -> None:
    with np.errstate(all="ignore"):
        result = a.power(p)
    if p < 0 and min(points(a)) <= 0 <= max(points(a)):
        assert math.isinf(result.rad[0])
        return
    for u in points(a):
        assert contains(result, u**p)


FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh,
    "sigmoid": lambda u: 1 / (1 + (-u).exp())}


def derivatives(name: str, u: arb) -> tuple[arb, arb, arb]:
    """Value and first two derivatives by formulas that are not those of the code."""
    with ctx.workprec(300):
        value = FUNCTIONS[name](u)
        match name:
            case "exp":
                return value, value, value
            case "log":
                return value, u**-1, -(u**-2)
            case "sqrt":
                return value, value / u / 2, -value / (u * u) / 4
            case "sin":
                return value, u.cos(), -value
            case "cos":
                return value, -u.sin(), -value
            case "tanh":
                return value, u.cosh() ** -2, -2 * value * u.cosh() ** -2
        return value, (u / 2).cosh() ** -2 / 4, -(u / 2).tanh() * (u / 2).cosh() ** -2 / 4


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_functions_of_balls_and_their_derivatives_contain_what_flint_computes(name: str, data: st.DataObject) -> None:
    a = data.draw(balls())
    with np.errstate(all="ignore"):
        results = _SMOOTH[name](a)
    if name in ("log", "sqrt") and min(points(a)) <= 0:
        assert min(points(a)) >= 0 or math.isinf(results[0].rad[0])
        return
    for u in points(a):
        for result, value in zip(results, derivatives(name, exact_ball(u)), strict=True):
            assert contains(result, value)


def test_every_smooth_function_is_compared() -> None:
    assert set(FUNCTIONS) == set(_SMOOTH)


@given(value=st.fractions(min_value=-100, max_value=100))
@settings(max_examples=50, deadline=None)
def test_constants_contain_their_rational_number(value: Fraction) -> None:
    ball = BallArray.constant(value)
    assert contains(ball, value)
    assert not contains(ball, value + Fraction(1, 10**9))
    assert ball.rad == 0 or Fraction(float(ball.mid)) != value


@given(a=balls())
@settings(max_examples=50, deadline=None)
def test_the_ends_of_a_ball_lie_outside_of_it(a: BallArray) -> None:
    assert Fraction(float(a.lower[0])) <= min(points(a)) <= max(points(a)) <= Fraction(float(a.upper[0]))
    assert max(abs(u) for u in points(a)) <= Fraction(float(a.magnitude[0]))


def test_balls_that_are_too_small_are_caught() -> None:
    a = BallArray(np.array([0.5]), np.array([0.25]))
    tight = a.increasing(np.exp)
    assert all(contains(tight, FUNCTIONS["exp"](exact_ball(u))) for u in points(a))
    shrunk = BallArray(tight.mid, tight.rad * (1 - 1e-9))
    assert not all(contains(shrunk, FUNCTIONS["exp"](exact_ball(u))) for u in points(a))
    naive = BallArray(np.array([0.1]) + np.array([0.2]), np.zeros(1))
    assert not contains(naive, Fraction(0.1) + Fraction(0.2))


def test_balls_are_tight() -> None:
    a, b = BallArray(np.array([0.5]), np.array([0.25])), BallArray(np.array([2.0]), np.array([0.5]))
    assert (a + b).rad[0] < 0.75 * (1 + 1e-12)
    assert a.power(2).upper[0] < 0.75**2 * (1 + 1e-12)
    assert a.power(2).lower[0] > 0.25**2 * (1 - 1e-12)
    assert (BallArray(np.array([0.0]), np.array([1.0])).power(2).lower[0]) > -1e-12
    assert a.increasing(np.exp).upper[0] < math.exp(0.75) * (1 + 1e-12)
    assert BallArray(np.array([1e6]), np.array([9.0])).lipschitz_one(np.sin).rad[0] <= 2.0 * (1 + 1e-12)


def test_overflow_is_an_infinite_ball_and_not_a_wrong_one() -> None:
    with np.errstate(all="ignore"):
        for ball in (BallArray(np.array([800.0]), np.array([1.0])).increasing(np.exp),
                     BallArray(np.array([1e200]), np.array([0.0])) * BallArray(np.array([1e200]), np.array([0.0])),
                     BallArray(np.array([1e200]), np.array([1.0])).power(2)):
            assert math.isinf(ball.rad[0])
            assert math.isinf((ball * BallArray.constant(0)).rad[0])
