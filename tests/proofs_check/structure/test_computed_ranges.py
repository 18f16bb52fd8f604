"""Ranges of what is computed contain it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from proofs_check.structure.computed_ranges import WHOLE, ComputedRanges, dot, of_hinges

UNITS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-4, 4)), min_size=1, max_size=12)


@given(UNITS, st.floats(-5, 5), st.floats(0, 5))
@example([(2.0**-1040 * (1 + 2.0**-20), 0.5 + 2.0**-30)], 0.75, 0.0)  # products are subnormal
@example([(-(2.0**-1040) * (1 + 2.0**-20), 0.5 + 2.0**-30)], 0.75, 0.0)
def test_sums_of_hinges_stay_inside(units: list[tuple[float, float]], low: float, width: float) -> None:
    weights, biases = np.array([w for w, _ in units]), np.array([b for _, b in units])
    first, last = of_hinges(weights, biases, low, low + width)
    t = np.concatenate([np.linspace(low, low + width, 21), np.clip(-biases, low, low + width)])
    t, w, b = (np.frompyfunc(Fraction, 1, 1)(array) for array in (t, weights, biases))
    values = np.maximum(t[:, None] + b, Fraction(0)) @ w
    assert first <= values.min()
    assert values.max() <= last
    assert not (weights >= 0).all() or first >= 0


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=6))
@example([(5 * 2.0**-1074, 0.0, 0.25)])
@example([(-5 * 2.0**-1074, 0.0, 0.25), (1.0, 0.0, 0.0)])
def test_sums_of_multiples_stay_inside(terms: list[tuple[float, float, float]]) -> None:
    low, high = dot((w, (min(a, b), max(a, b))) for w, a, b in terms)
    products = [(Fraction(w) * Fraction(a), Fraction(w) * Fraction(b)) for w, a, b in terms]
    assert low <= sum(map(min, products))
    assert sum(map(max, products)) <= high


def test_a_steep_table_of_small_numbers_keeps_its_scale() -> None:
    """log(m + 1e-18) by hinges that look to the left: m is never below 0, so nothing is as large as slope times 1."""
    knots = np.geomspace(1e-18, 1.0, 200)
    weights = np.diff(np.append(np.diff(np.log(knots + 1e-18)) / np.diff(knots), 0.0))
    low, high = of_hinges(weights, knots[1:], -1.0, 0.0)
    assert low > -100
    assert high < 1e-9


def test_ranges_that_are_lost_stay_lost_and_zeros_stay_zeros() -> None:
    known = ComputedRanges()
    known.add("a", 0.0, 1.0)
    known.add("a", 0.0, 2.0)
    assert known.of["a"][0] == 0.0
    assert 3.0 <= known.size("a") < 3.0 + 1e-9
    known.of["b"] = WHOLE
    known.add("b", -1.0, 1.0)
    assert known.of["b"] == WHOLE
    assert known.within("b", 2.0) == (-2.0, 2.0)
    assert dot([(-2.0, (0.0, 1.0)), (1.0, (3.0, 4.0))])[0] <= 1.0
    assert of_hinges(np.ones(1), np.ones(1), -math.inf, 0.0) == WHOLE
