"""Envelopes of bilinear forms: an upper bound at every point, attained, never above the l1 norms; and dry sweeps."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from constructions.continuous import sum_decomposition
from constructions.pieces.envelope import Envelope
from constructions.pieces.forms import size
from constructions.sumformers.limits import DEFAULT_LIMITS
from constructions.sumformers.program import EXACT, Arithmetic, Program
from constructions.targets.library import resolve
from constructions.targets.target import Target

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


@pytest.mark.parametrize("name", ["f", "max", "standardise"])
def test_a_sweep_without_units_proves_what_the_writing_sweep_proves(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    decomposition = sum_decomposition(target, Fraction(1, 100))
    program = Program.of(decomposition, 0.005, 0.01, 1.0, DEFAULT_LIMITS)
    folds = np.full(len(program.squares), 9)
    for arithmetic in (EXACT, Arithmetic.evaluated(53, 1000)):
        dry = program.swept(arithmetic, folds)
        sweep, _ = program._sweep(arithmetic, folds, dry=False)
        assert [size(sweep.error(form)) for form in decomposition.outputs] == [
            size(dry.sweep.error(form)) for form in decomposition.outputs]
        assert dry.sumformer.n_nonzero > 0
