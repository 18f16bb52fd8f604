"""How far a quadratic rises over a box: never underestimated, and attained where there are no mixed terms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.enclosures.interval import Interval
from proofs_check.second_order import Curvature
from proofs_check.substitution import sum_of

Pair = tuple[float, float]
numbers = st.floats(-4.0, 4.0).map(lambda value: round(value, 3))
radius = st.sampled_from([0.0, 2.0**-30, 0.1, 1.0, 3.0])


def curvature(hessian: dict[tuple[int, int], tuple[float, float]], radii: list[float], *, unknown: bool = False) -> Curvature:
    entries = {key: Interval(np.array([low]), np.array([high])) for key, (low, high) in hessian.items()}
    return Curvature.of(entries, np.array([radii]), np.array([unknown]))


def slopes(*values: float) -> list[Interval]:
    return [Interval.of(np.array([value])) for value in values]


@given(st.tuples(numbers, numbers), st.tuples(numbers, numbers, numbers), st.tuples(radius, radius))
@settings(max_examples=300, deadline=None)
def test_no_quadratic_rises_or_falls_further(g: Pair, h: tuple[float, float, float], r: Pair) -> None:
    found = curvature({(0, 0): (h[0], h[0]), (1, 1): (h[1], h[1]), (0, 1): (h[2], h[2])}, list(r))
    rise, fall = (float(sum_of(part(slopes(*g)), axis=1)[0]) for part in (found.rise, found.fall))
    places = [np.linspace(-side, side, 41) for side in r]
    values = [g[0] * s + g[1] * t + (h[0] * s * s + h[1] * t * t) / 2 + h[2] * s * t for s, t in itertools.product(*places)]
    slack = 1e-14 * (1 + abs(rise) + abs(fall))
    assert max(values) <= rise + slack
    assert -min(values) <= fall + slack


@pytest.mark.parametrize(("g", "h", "r", "rise"), [(1.0, 2.0, 1.0, 2.0), (1.0, -2.0, 1.0, 0.25), (1.0, -0.5, 1.0, 0.75),
                                                   (0.0, -2.0, 1.0, 0.0), (-1.0, 0.0, 2.0, 2.0)])
def test_one_variable_is_bounded_by_what_occurs(g: float, h: float, r: float, rise: float) -> None:
    found = float(curvature({(0, 0): (h, h)}, [r]).rise(slopes(g))[0, 0])
    assert rise <= found <= rise + 1e-11
    falling = float(curvature({(0, 0): (-h, -h)}, [r]).fall(slopes(g))[0, 0])
    assert rise <= falling <= rise + 1e-11


def test_the_worse_end_of_an_enclosure_counts() -> None:
    assert curvature({(0, 0): (-9.0, 1.0)}, [1.0]).rise(slopes(0.0))[0, 0] >= 0.5
    assert curvature({(0, 0): (-9.0, 1.0)}, [1.0]).fall(slopes(0.0))[0, 0] >= 4.5
    wide = [Interval(np.array([-3.0]), np.array([1.0]))]
    assert curvature({}, [2.0]).rise(wide)[0, 0] >= 6.0


def test_what_is_not_known_is_left_out_or_infinite() -> None:
    assert float(curvature({(0, 0): (5.0, 5.0)}, [1.0], unknown=True).rise(slopes(1.0))[0, 0]) == pytest.approx(1.0)
    assert not np.isfinite(curvature({(0, 0): (-np.inf, np.inf)}, [1.0]).rise(slopes(1.0))[0, 0])
