"""Exponents, predictions and crossings of known costs."""

from __future__ import annotations

import math

import pytest

from uat.benchmarks.growth import between, break_even, exponent, predicted

LENGTHS = [2**k for k in range(8, 15)]


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_exponent_of_a_power_is_found_over_the_upper_range_with_no_error(power: float) -> None:
    found = exponent({n: 3e-7 * n**power for n in LENGTHS})
    assert found is not None
    assert found.value == pytest.approx(power)
    assert found.error < 1e-6
    assert (found.shortest, found.longest) == (2**11, 2**14)


def test_the_error_is_that_of_least_squares_by_hand() -> None:
    """log2 costs 0, 1, 3 at log2 n = 0, 1, 2: slope 3/2, residuals 1/6, -1/3, 1/6, so s^2 = 1/6 and the error is sqrt(1/12)."""
    found = exponent({2**10: 1.0, 2**11: 2.0, 2**12: 8.0})
    assert found is not None
    assert (found.value, found.error) == (pytest.approx(1.5), pytest.approx(math.sqrt(1 / 12)))


def test_too_few_lengths_and_no_memory_at_all_have_no_exponent() -> None:
    assert exponent({}) is exponent({64: 1.0, 128: 2.0}) is None
    assert exponent({64: 0.0, 128: 0.0, 256: 0.0}) is None


def test_growth_goes_on_between_linear_and_quadratic() -> None:
    assert predicted({}, 64) == 0
    assert predicted({64: 1.0}, 256) == 16
    assert predicted({64: 1.0, 128: 4.0}, 256) == pytest.approx(16)
    assert predicted({64: 1.0, 128: 0.5}, 256) == pytest.approx(1.0)  # noise is no reason to expect less
    assert predicted({64: 1.0, 128: 100.0}, 256) == pytest.approx(400)


def test_no_length_is_predicted_from_further_away_than_a_doubling() -> None:
    seen: list[int] = []
    while (step := between(seen, 1000)) is not None:
        seen.append(step)
    assert seen == [64, 128, 256, 512]
    assert between([], 64) is between([64], 128) is between([300], 500) is None
    assert between([64], 1024) == 128


def test_the_crossing_of_a_line_and_a_parabola_is_found() -> None:
    line, parabola = {n: 1000.0 * n for n in LENGTHS}, {n: float(n**2) for n in LENGTHS}
    assert break_even(line, parabola).n in (1000, 1001)
    assert break_even(parabola, line).n is None


def test_the_last_crossing_counts_and_always_cheaper_is_said_so() -> None:
    peer = dict.fromkeys((64, 128, 256, 512), 1.0)
    found = break_even({64: 0.5, 128: 2.0, 256: 0.5, 512: 0.5}, peer)
    assert found.n is not None
    assert 128 < found.n < 256
    assert not found.at_most
    always = break_even(dict.fromkeys(peer, 0.5), peer)
    assert (always.n, always.at_most) == (64, True)
    assert always.up_to == found.up_to == 512


def test_lengths_that_only_one_side_reached_are_no_evidence() -> None:
    assert break_even({64: 2.0, 128: 1.0, 256: 1.0}, {64: 1.0}).n is None
    assert break_even({64: 2.0, 128: 1.0, 256: 1.0}, {64: 1.0}).up_to == 64
    assert break_even({64: 1.0}, {}).n is None
    assert break_even({64: 1.0}, {}).up_to is None
