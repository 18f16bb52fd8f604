"""Distances of lines from log, softplus and the logistic function: nothing on a grid lies outside, and the ends are met."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.structure.curve_gaps import Curve, Pieces, gap, least_gap, logarithm, logistic, softplus
from proofs_check.structure.reading import NotUnderstood

Q = Fraction
CURVES = {
    "log": (logarithm(Q(1, 8)), lambda t: np.log(t + 0.125)),
    "softplus": (softplus(Q(1, 3), 1), lambda t: np.logaddexp(0.0, t - 1 / 3)),
    "falling softplus": (softplus(Q(1, 3), -1), lambda t: np.logaddexp(0.0, 1 / 3 - t)),
    "logistic": (logistic(Q(5, 2), Q(1), 1), lambda t: 2.5 / (1 + np.exp(1.0 - t))),
    "falling logistic": (logistic(Q(5, 2), Q(1), -1), lambda t: 2.5 / (1 + np.exp(t - 1.0))),
}


def pieces_of(points: list[tuple[Fraction, Fraction]]) -> Pieces:
    return list(itertools.pairwise(points))


@pytest.mark.parametrize("name", CURVES)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(-60, 60)), min_size=2, max_size=6, unique_by=lambda one: one[0]))
def test_the_enclosure_contains_a_fine_grid_and_is_met_there(name: str, ends: list[tuple[int, int]]) -> None:
    curve, values = CURVES[name]
    points = sorted((Q(t, 40), Q(value, 16)) for t, value in ends)
    low, high = map(float, gap(pieces_of(points), curve))
    t = np.unique(np.concatenate([np.linspace(float(a), float(b), 2000) for (a, _), (b, _) in itertools.pairwise(points)]))
    found = np.interp(t, [float(a) for a, _ in points], [float(b) for _, b in points]) - values(t)
    assert low - 1e-9 <= found.min() <= low + 1e-3
    assert high - 1e-3 <= found.max() <= high + 1e-9


def test_a_logarithm_that_comes_from_below_bounds_from_below_only() -> None:
    """The chord of log from 1/e to 1 continued to 0: where its slope is 1/t, it is nearest."""
    slope = 1 / (1 - Q(1, 3))
    line = pieces_of([(Q(0), -slope), (Q(1), Q(0))])
    at = float(1 / slope)
    assert float(least_gap(line, logarithm(Q(0)))) == pytest.approx(min(0.0, float(slope) * at - float(slope) - math.log(at)))
    with pytest.raises(NotUnderstood, match="finite"):
        gap(line, logarithm(Q(0)))


def test_slopes_that_a_curve_does_not_have_are_met_nowhere() -> None:
    def slopes(curve: Curve) -> list[int]:
        from flint import fmpq
        return [len(curve.where(fmpq(p, 16))) for p in (-1, 0, 1, 4, 5, 16, 17)]

    assert slopes(softplus(Q(0), 1)) == [0, 0, 1, 1, 1, 0, 0]
    assert slopes(logistic(Q(1), Q(0), 1)) == [0, 0, 2, 2, 0, 0, 0]
    assert slopes(logarithm(Q(0))) == [0, 0, 1, 1, 1, 1, 1]
