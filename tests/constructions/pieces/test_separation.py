"""Kernels of many variables: the bound of a separation, and which proposals are not looked at."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.pieces import separation
from constructions.pieces.separation import ByCoefficients, certifier, separate_many
from constructions.pieces.smooth import Smooth
from constructions.targets.language import parse

UNIT = (Fraction(0), Fraction(1))


def kernel(text: str, variables: int) -> Smooth:
    (tree,) = parse(text, variables)
    return Smooth(tree, variables)


K = kernel("exp(x[0]*x[1] - x[2]/2)", 3)
BOUND = certifier(K, [UNIT] * 3, 1e-3, 64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(-4, 0), st.floats(0.5, 2))
def test_a_bound_that_stops_early_is_the_whole_bound_or_above_what_was_asked(seed: int, size: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    P = BOUND.coefficients + 10**size * rng.normal(size=BOUND.coefficients.shape)
    whole = BOUND.error(P)
    points = rng.random((200, 3))
    angles = np.arccos(2 * points - 1)
    values = np.array([np.einsum("abc,a,b,c", P, *(np.cos(np.arange(n) * t) for n, t in zip(P.shape, row, strict=True)))
                       for row in angles])
    assert np.abs(values - K.numpy(points)).max() <= whole
    enough = share * whole
    assert BOUND.error(P, enough) == (whole if whole <= enough else math.inf)
    assert BOUND.error(P) == pytest.approx(whole, rel=1e-12)


def test_three_variables_are_bounded_through_coefficients() -> None:
    assert isinstance(BOUND, ByCoefficients)


@pytest.mark.parametrize("text", ["exp(x[0]*x[1] - x[2]/2)", "(x[1]+x[2]-x[0])**3", "1/(2+x[0]*x[2]+x[1])"])
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3])
def test_proposals_that_cost_more_are_left_out_no_others(text: str, tolerance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found = separate_many([kernel(text, 3)], 1, [UNIT] * 3, tolerance)
    by_singular_values = separation._by_singular_values
    monkeypatch.setattr(separation, "_by_singular_values", lambda *given: by_singular_values(*given[:-1], math.inf))
    every = separate_many([kernel(text, 3)], 1, [UNIT] * 3, tolerance)
    assert separation._cost(found) == separation._cost(every)
    assert found.errors == every.errors
    assert found.error <= tolerance
