"""Envelopes of bilinear forms: an upper bound at every point, attained, never above the l1 norms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from constructions.pieces.envelope import Envelope

DEGREES = {1: tuple((j,) for j in range(7)), 2: tuple(itertools.product(range(4), range(3))),
           3: tuple(itertools.product(range(2), repeat=3))}


def values(A: np.ndarray, degrees: tuple[tuple[int, ...], ...], seed: int) -> np.ndarray:
    """|M_j| at random points, ends included: (terms, points)."""
    rng = np.random.default_rng(seed)
    angles = np.pi * rng.random((len(degrees[0]), 4000))
    angles[:, :200] = np.pi * rng.integers(0, 2, (len(angles), 200))
    T = np.prod([np.cos(np.outer([index[c] for index in degrees], angles[c])) for c in range(len(angles))], axis=0)
    return np.abs(A.T @ T)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_an_envelope_bounds_every_point_and_is_no_larger_than_the_sum_of_absolute_values(p: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    A, bounds = rng.normal(size=(len(DEGREES[p]), 5)), rng.random(5)
    found = Envelope.of(A, np.zeros_like(A), DEGREES[p])
    attained = float((bounds @ values(A, DEGREES[p], seed)).max())
    assert attained <= found.total(bounds) <= float(np.abs(A).sum(axis=0) @ bounds) * (1 + 1e-8)
    assert np.all(values(A, DEGREES[p], seed).max(axis=1) <= found.each)
    if p <= 2:
        assert found.total(bounds) <= 1.12 * attained


def test_a_larger_coefficient_is_seen_by_the_envelope() -> None:
    A = np.eye(3)
    degrees = ((0,), (1,), (2,))
    small, large = (Envelope.of(matrix, np.zeros_like(A), degrees).total(np.ones(3)) for matrix in (A, 2 * A))
    assert 1.9 * small <= large


def test_a_side_without_a_variable_has_no_grid() -> None:
    found = Envelope.of(np.array([[2.0, -3.0]]), np.zeros((1, 2)), ((),))
    assert found.at_grid is None
    assert 5 <= found.total(np.ones(2)) <= 5 * (1 + 2.0**-28)
