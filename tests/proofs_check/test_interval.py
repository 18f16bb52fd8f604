"""Every interval operation is compared with ball arithmetic, on random boxes and on the awkward doubles."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.enclosures import functions
from proofs_check.enclosures import interval as iv
from proofs_check.enclosures.interval import Interval

PRECISION = 1200  # bits: enough for sin(1e300)
SPECIAL = (0.0, -0.0, 5e-324, -5e-324, 2.2e-308, -2.3e-308, 1e-300, 1.0, -1.0, 0.5, math.pi, -math.pi / 2, 3e5, 709.78, -745.13,
           1e22, -1e15, 1e300, -1e300, 1.7976931348623157e308)
UNARY: dict[str, Callable[[Any], Any]] = {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh, "abs": abs,
    "sigmoid": lambda t: 1 / (1 + (-t).exp()), "relu": lambda t: t.max(arb(0))}
BINARY: dict[str, tuple[Callable[[Interval, Interval], Interval], Callable[[Any, Any], Any]]] = {
    "+": (lambda a, b: a + b, lambda s, t: s + t), "-": (lambda a, b: a - b, lambda s, t: s - t),
    "*": (lambda a, b: a * b, lambda s, t: s * t), "/": (lambda a, b: a / b, lambda s, t: s / t),
    "maximum": (iv.maximum, lambda s, t: s.max(t)), "minimum": (iv.minimum, lambda s, t: s.min(t))}


def boxes(seed: int, count: int) -> tuple[Interval, np.ndarray]:
    """Return intervals of many sizes with ends from SPECIAL mixed in, and points (3, count) inside them."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=count) * 10.0 ** rng.integers(-3, 3, count)
    ends = np.stack([centre, centre + rng.normal(size=count) * 10.0 ** rng.integers(-18, 2, count)])
    chosen = rng.random((2, count)) < 0.15
    ends[chosen] = rng.choice(SPECIAL, chosen.sum())
    thin = rng.random(count) < 0.1
    ends[1, thin] = ends[0, thin]
    lower, upper = ends.min(axis=0), ends.max(axis=0)
    middle = np.clip(lower + rng.random(count) * (np.minimum(upper, 1e300) - np.maximum(lower, -1e300)), lower, upper)
    return Interval(lower, upper), np.stack([lower, upper, middle])


def holds(lower: float, upper: float, ball: Any) -> bool:
    """Say whether the value behind a (very thin) ball lies in [lower, upper], up to the ball's own radius.

    A value too large for flint only says that the upper end must be infinite.
    """
    if not ball.is_finite():
        return upper == math.inf
    assert ball.rad() <= (1 + abs(ball.mid())) * arb(2) ** -100
    return not (arb(lower) > ball) and not (ball > arb(upper))


def is_nan(ball: Any) -> bool:
    return str(ball) == "nan"


def missed(result: Interval, expected: list[list[Any]]) -> list[tuple[int, float, float]]:
    """Return the boxes whose interval fails to contain one of the balls (undefined values ask for the whole line)."""
    bad = []
    for index, balls in enumerate(zip(*expected, strict=True)):
        lower, upper = float(result.lower[index]), float(result.upper[index])
        whole = lower == -math.inf and upper == math.inf
        if not all(whole if is_nan(ball) else holds(lower, upper, ball) for ball in balls):
            bad.append((index, lower, upper))
    return bad


@pytest.mark.parametrize("name", sorted(UNARY))
def test_a_function_contains_the_ball_result_everywhere_on_the_box(name: str) -> None:
    a, points = boxes(seed=sum(name.encode()), count=2000)
    with ctx.workprec(PRECISION):
        expected = [[UNARY[name](arb(float(t))) for t in row] for row in points]
    with np.errstate(all="raise"):  # warnings are silenced locally, so a strict caller sees none
        result = functions.FUNCTIONS[name](a)
    assert not missed(result, expected)
    assert not np.isnan(result.lower).any()
    assert not np.isnan(result.upper).any()


@pytest.mark.parametrize("name", sorted(BINARY))
def test_an_operation_contains_the_ball_result_everywhere_on_the_box(name: str) -> None:
    (a, left), (b, right) = boxes(seed=1, count=2000), boxes(seed=2, count=2000)
    ours, theirs = BINARY[name]
    with ctx.workprec(PRECISION * 2):
        expected = [[theirs(arb(float(s)), arb(float(t))) for s, t in zip(left[i], right[j], strict=True)]
                    for i in range(3) for j in range(3)]
    result = ours(a, b)
    assert not missed(result, expected)
    if name != "/":
        assert not np.isnan(result.width()[np.isfinite(result.lower)]).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(UNARY.keys() | BINARY.keys()))
def test_a_hundred_thousand_random_boxes_of_an_operation_contain_the_balls(name: str) -> None:
    """One point of each box beside its two ends, a few thousand boxes at a time."""
    for seed in range(1000, 1020):
        given_boxes = [boxes(seed + 50 * k, 5000) for k in range(1 if name in UNARY else 2)]
        operation, ball = (functions.FUNCTIONS[name], UNARY[name]) if name in UNARY else BINARY[name]
        with ctx.workprec(PRECISION * 2):
            expected = [[ball(*(arb(float(v)) for v in values)) for values in zip(*rows, strict=True)]
                        for rows in zip(*(points for _, points in given_boxes), strict=True)]
        assert not missed(operation(*(box for box, _ in given_boxes)), expected)


def test_sums_of_what_is_not_negative_are_not_negative() -> None:
    (a, _), (b, _) = boxes(seed=3, count=5000), boxes(seed=4, count=5000)
    neither = (a.lower >= 0) & (b.lower >= 0)
    assert 100 < neither.sum() < 4900
    assert ((a + b).lower[neither] >= 0).all()
    assert ((a - -b).lower[neither] >= 0).all()
    zero, least = Interval.of(0.0), Interval.of(5e-324)
    for exact, value in ((zero + zero, 0.0), (zero - zero, 0.0), (least + least, 1e-323), (least - least, 0.0)):
        assert exact.lower == exact.upper == value


def test_quotients_of_what_is_not_negative_are_not_negative() -> None:
    (a, _), (b, _) = boxes(seed=5, count=5000), boxes(seed=6, count=5000)
    neither = (a.lower >= 0) & (b.lower > 0)
    assert 100 < neither.sum() < 4900
    quotient, among_others = a[neither] / b[neither], (a / b)[neither]
    unknown = among_others.lower == -np.inf  # beyond the largest float
    assert 0 < unknown.sum() < 100
    assert np.array_equal(quotient.lower, np.where(unknown, -np.inf, np.maximum(among_others.lower, 0.0)))
    assert np.array_equal(quotient.upper, among_others.upper)


@pytest.mark.parametrize("exponent", [-3, -2, -1, 0, 1, 2, 3, 6, 7])
def test_an_integer_power_contains_the_ball_result_and_even_ones_start_at_zero(exponent: int) -> None:
    a, points = boxes(seed=exponent + 50, count=1000)
    with ctx.workprec(PRECISION):
        expected = [[arb(float(t)) ** exponent for t in row] for row in points]
    result = a**exponent
    assert not missed(result, expected)
    if exponent > 0 and exponent % 2 == 0:
        assert result.lower.min() >= 0.0
    if exponent < 0:
        assert np.isinf(result.width()[a.contains(0.0)]).all()


@pytest.mark.parametrize("exponent", ["1/7", "1/3", "1/2", "7/10", "1", "13/10", "5"])
def test_a_fractional_power_contains_the_ball_result_and_starts_at_zero(exponent: str) -> None:
    c = Fraction(exponent)
    a, points = boxes(seed=c.numerator + 70, count=1500)
    with ctx.workprec(PRECISION):
        power = arb(c.numerator) / c.denominator
        expected = [[arb(0) if t == 0 else arb(float(t)) ** power if t > 0 else arb("nan") for t in row] for row in points]
    with np.errstate(all="raise"):
        result = functions.raised(a, c)
    assert not missed(result, expected)
    assert 100 < (a.lower >= 0).sum() < 1400
    assert (result.lower[a.lower >= 0] >= 0).all()
    assert np.isinf(result.width()[a.lower < 0]).all()
    narrow = functions.raised(Interval.of([0.0, 0.25, 0.0], [0.0, 0.25, 2.0]), c)
    assert narrow.lower == pytest.approx([0.0, 0.25**float(c), 0.0], rel=1e-13)
    assert narrow.upper == pytest.approx([0.0, 0.25**float(c), 2.0**float(c)], rel=1e-13)


def test_the_comparison_notices_an_interval_that_is_one_unit_too_narrow() -> None:
    with ctx.workprec(PRECISION):
        third = arb(1) / 3
    above = np.array([math.nextafter(1 / 3, 1.0)])  # 1/3 lies between the double 1/3 and this one
    assert not missed(Interval(np.array([1 / 3]), above), [[third]])
    assert missed(Interval(above, above), [[third]])
    assert missed(Interval.of([1 / 3]), [[third]])
    assert missed(Interval.of([-1.0], [1.0]), [[arb(-1).log()]])


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_waves_know_their_crests_and_stay_narrow_between_them(name: str) -> None:
    start = np.linspace(-20, 20, 4001)
    narrow = functions.FUNCTIONS[name](Interval(start, start + 0.01))
    assert (narrow.width() <= 0.0101).all()
    wide = functions.FUNCTIONS[name](Interval(start, start + 6.3))
    assert (wide.lower == -1.0).all()
    assert (wide.upper == 1.0).all()
    dense = np.linspace(0, 1, 300)[:, None] * 2.0 + start
    values = getattr(np, name)(dense)
    middle = functions.FUNCTIONS[name](Interval(start, start + 2.0))
    assert (values >= middle.lower).all()
    assert (values <= middle.upper).all()


def test_undefined_gives_the_whole_line_and_never_nan() -> None:
    line, zero = Interval.whole((1,)), Interval.of([0.0])
    straddling = Interval.of([-1.0], [1.0])
    results = [zero * line, line - line, line + line, zero / zero, line / straddling, straddling**-2,
               functions.log(straddling), functions.log(zero), functions.sqrt(straddling)]
    for result in results:
        assert result.lower.item() == -math.inf
        assert result.upper.item() == math.inf
    for name in UNARY:
        result = functions.FUNCTIONS[name](line)
        assert not np.isnan(result.lower).any()
        assert not np.isnan(result.upper).any()


def test_exact_operations_are_not_widened() -> None:
    a, b = Interval.of([-2.0], [3.0]), Interval.of([1.0], [5.0])
    for result, expected in ((-a, (-3, 2)), (abs(a), (0, 3)), (functions.relu(a), (0, 3)), (iv.maximum(a, b), (1, 5)),
                             (iv.minimum(a, b), (-2, 3)), (iv.hull(a, b), (-2, 5)), (iv.intersection(a, b), (1, 3))):
        assert (result.lower.item(), result.upper.item()) == expected


def test_disjoint_enclosures_of_one_value_are_an_error() -> None:
    with pytest.raises(ArithmeticError, match="disjoint"):
        iv.intersection(Interval.of([0.0], [1.0]), Interval.of([2.0], [3.0]))


def test_reductions_along_an_axis_contain_the_exact_result() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(50, 7)) * 10.0 ** rng.integers(-8, 8, (50, 7))
    a = Interval(values, values + 1.0)
    total = iv.sum_along(a, 1)
    for row, lower, upper in zip(values, total.lower, total.upper, strict=True):
        assert Fraction(lower) <= sum(map(Fraction, row)) <= sum(map(Fraction, row)) + 7 <= Fraction(upper) + Fraction(1, 10**6)
    assert (iv.max_along(a, 1).lower == values.max(1)).all()
    assert (iv.min_along(a, 1).upper == a.upper.min(1)).all()


@given(st.fractions())
@settings(max_examples=200, deadline=None)
def test_a_rational_constant_is_enclosed_within_one_unit(value: Fraction) -> None:
    enclosed = Interval.constant(value)
    low, high = enclosed.lower.item(), enclosed.upper.item()
    assert Fraction(low) <= value <= Fraction(high)
    assert low == high or math.nextafter(low, math.inf) == high


@pytest.mark.parametrize("value", [Fraction(10) ** 400, -Fraction(10) ** 400, Fraction(1, 10**400), -Fraction(1, 10**400)])
def test_constants_beyond_the_doubles_are_enclosed(value: Fraction) -> None:
    enclosed = Interval.constant(value)
    low, high = enclosed.lower.item(), enclosed.upper.item()
    assert (low == -math.inf or Fraction(low) <= value)
    assert (high == math.inf or value <= Fraction(high))


def test_pi_is_enclosed_by_neighbouring_doubles() -> None:
    enclosed = Interval.pi()
    with ctx.workprec(PRECISION):
        assert arb(enclosed.lower.item()) < arb.pi() < arb(enclosed.upper.item())
    assert math.nextafter(enclosed.lower.item(), 4.0) == enclosed.upper.item()


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=500, deadline=None)
def test_rounding_outward_passes_the_neighbouring_double(value: float) -> None:
    with np.errstate(all="ignore"):
        assert iv.down(np.array(value)) <= math.nextafter(value, -math.inf)
        assert iv.up(np.array(value)) >= math.nextafter(value, math.inf)


@given(st.floats(0.01, 100), st.floats(-50, 50))
@settings(max_examples=200, deadline=None)
def test_a_linear_identity_over_rationals_stays_inside(scale: float, shift: float) -> None:
    exact = (Fraction(scale) + Fraction(shift)) * Fraction(scale) / 3
    ours = (Interval.of(scale) + Interval.of(shift)) * Interval.of(scale) / Interval.constant(3)
    assert Fraction(ours.lower.item()) <= exact <= Fraction(ours.upper.item())
