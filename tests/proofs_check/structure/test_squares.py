"""Chains of folds as quadratics: against exact evaluation of the folds, for any weights, inside [0, 2] and outside."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure.squares import Quadratic, quadratic
from tests.proofs_check.structure.handmade import square

FEW = settings(max_examples=40, deadline=None)
WEIGHTS = st.lists(st.floats(-3, 3), min_size=2, max_size=9)
INSIDE = st.fractions(0, 2, max_denominator=4096)
NEARLY = st.tuples(st.integers(1, 8), st.floats(-2, 2), st.floats(-2.0**-20, 2.0**-20)).map(
    lambda drawn: [weight * (1 + drawn[2] * k) for k, weight in enumerate(square(drawn[1], drawn[0]))])


def folded(weights: list[float], p: Fraction) -> tuple[Fraction, Fraction]:
    """Run the units; returns what they add, and eps = 1 - 2 4^m G_m of the text, p taken into [0, 2]."""
    a, *b = map(Fraction, weights)
    W, end = max(p, Fraction(0)), Fraction(1, 4 ** len(b))
    total = a * W
    for s, weight in enumerate(b):
        r = max(W - Fraction(1, 2**s), Fraction(0))
        total, W = total + weight * r, W - 2 * r
    inside = min(max(p, Fraction(0)), Fraction(2))
    for s in range(len(b)):
        inside -= 2 * max(inside - Fraction(1, 2**s), Fraction(0))
    return total, 1 - 2 * (inside - Fraction(1, 2 ** len(b))) ** 2 / end


def parabola(q: Quadratic, p: Fraction) -> Fraction:
    return q.g * (p - 1) ** 2 + q.slope * p + q.constant


@FEW
@given(st.one_of(WEIGHTS, NEARLY), INSIDE)
def test_on_the_interval_the_amplitude_has_its_sign_and_the_rest_is_what_is_missed(weights: list[float], p: Fraction) -> None:
    q = quadratic(weights)
    total, eps = folded(weights, p)
    assert abs(eps) <= 1
    assert abs(total - parabola(q, p) - q.amplitude * eps) <= q.missed


@FEW
@given(st.one_of(WEIGHTS, NEARLY), st.fractions(0, Fraction(1, 2)), st.booleans())
def test_outside_it_is_off_by_what_outside_says_more(weights: list[float], excess: Fraction, above: bool) -> None:
    q = quadratic(weights)
    total, eps = folded(weights, 2 + excess if above else -excess)
    off = abs(total - parabola(q, 2 + excess if above else -excess) - q.amplitude * eps)
    assert off <= q.missed + q.outside(Fraction(0) if above else excess, excess if above else Fraction(0))


@FEW
@given(st.one_of(WEIGHTS, NEARLY), st.fractions(-1, 3), st.fractions(-1, 3))
def test_no_two_points_are_farther_apart_than_the_steepest_slope_allows(weights: list[float], p: Fraction, r: Fraction) -> None:
    assert abs(folded(weights, p)[0] - folded(weights, r)[0]) <= quadratic(weights).steepest * abs(p - r)


@given(st.integers(1, 10), st.integers(-8, 8))
def test_a_square_misses_nothing_and_its_wave_has_the_known_size(m: int, eighths: int) -> None:
    q = quadratic(square(eighths / 8, m))
    # for a dyadic g the weights 4 g (2^-s - 2^-m) are floats
    assert (q.missed, q.slope, q.g) == (Fraction(0), Fraction(0), Fraction(eighths, 8))
    assert q.amplitude == q.g / 2 / 4**m


def test_a_wave_is_attained_with_both_signs() -> None:
    weights = square(1.0, 3)
    q = quadratic(weights)
    gaps = [folded(weights, Fraction(k, 64))[0] - parabola(q, Fraction(k, 64)) for k in range(129)]
    assert (min(gaps), max(gaps)) == (-q.amplitude, q.amplitude)


@given(st.integers(1, 8), st.fractions(0, Fraction(1, 2)))
def test_outside_a_square_is_off_by_exactly_what_is_said(m: int, excess: Fraction) -> None:
    q, flat = quadratic(square(1.0, m)), Fraction(1, 2**m)
    assert q.outside(excess, Fraction(0)) == 2 * excess + excess**2
    assert q.outside(Fraction(0), excess) == 2 * flat * excess + excess**2
