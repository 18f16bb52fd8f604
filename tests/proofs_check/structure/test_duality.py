"""Averages with multipliers: true for random sequences of tokens, nearly attained by two tokens, and a wrong D is seen."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev as T
from scipy.optimize import linprog

from constructions.targets import expression as ex
from proofs_check.structure import duality
from proofs_check.structure.deviation import NotAnalytic
from proofs_check.structure.duality import Series, average_over_weight
from proofs_check.structure.variable import Variable
from tests.proofs_check.structure.test_functions import tree

# K_q = 2 + x y + y^2/2 and K_p = K_q (y + x)/2 on [-1, 1]^2, as powers of x (rows) and y (columns)
WEIGHT = "2 + x[0]*x[1] + x[1]**2/2"
K_Q = np.array([[2, 0, 0.5], [0, 1, 0]])
K_P = np.array([[0, 1, 0, 0.25], [1, 0, 0.75, 0], [0, 0.5, 0, 0]])
BOX = [Variable.of(-1, 1), Variable.of(-1, 1)]
PARTS = list(itertools.pairwise(np.linspace(-1, 1, 9).tolist()))


def series(powers: np.ndarray) -> Series:
    """Return the Chebyshev coefficients of a polynomial given by its powers."""
    change = [np.stack([np.pad(T.poly2cheb([0.0] * k + [1.0]), (0, n - k - 1)) for k in range(n)], axis=1) for n in powers.shape]
    return Series(change[0] @ powers @ change[1].T, 1e-15)


def at(one: Series, x: np.ndarray | float, y: np.ndarray) -> np.ndarray:
    return np.asarray(T.chebval2d(np.broadcast_to(x, np.shape(y)), y, one.coefficients))


KERNELS = series(K_P), series(K_Q)
matrices = st.lists(st.floats(-1, 1), min_size=12, max_size=12).map(lambda c: Series(np.array(c).reshape(3, 4), 0.0))


def ratio(D: tuple[Series, Series], x: float, tokens: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return F and mean (D_p - F D_q) / mean K_q."""
    d_p, d_q, p, q = (float(weights @ at(one, x, tokens)) for one in (*D, *KERNELS))
    return p / q, (d_p - p / q * d_q) / q


@settings(max_examples=40, deadline=None)
@given(matrices, matrices, st.integers(0, 2**32 - 1))
def test_every_sequence_lies_in_the_enclosure_of_its_quotient(d_p: Series, d_q: Series, seed: int) -> None:
    found = average_over_weight((d_p, d_q), KERNELS, PARTS, tree(WEIGHT, 2), BOX, 1)
    rng = np.random.default_rng(seed)
    for n in (1, 2, 2, 3, 9):
        tokens = np.concatenate([rng.uniform(-1, 1, n), [-1.0, 1.0]])[rng.permutation(n + 2)[:n]]
        F, value = ratio((d_p, d_q), rng.choice([-1.0, 1.0, rng.uniform(-1, 1)]), tokens, rng.dirichlet(np.full(n, 0.5)))
        inside = [low - 1e-12 <= value <= high + 1e-12 for (a, b), (low, high) in zip(PARTS, found, strict=True) if a <= F <= b]
        assert inside
        assert all(inside)


@pytest.mark.parametrize("seed", range(2))
def test_the_bound_is_attained_within_ten_per_cent(seed: int) -> None:
    """Against the linear program over all distributions of tokens of a grid, for a few z and F."""
    D = tuple(Series(np.random.default_rng((seed, k)).normal(size=(3, 4)), 0.0) for k in range(2))
    fine = list(itertools.pairwise(np.linspace(-1, 1, 33).tolist()))
    found = average_over_weight((D[0], D[1]), KERNELS, fine, tree(WEIGHT, 2), BOX, 1)
    y, best = np.linspace(-1, 1, 161), 0.0
    for x, F in itertools.product(np.linspace(-1, 1, 11), np.linspace(-0.95, 0.95, 11)):
        d_p, d_q, p, q = (at(one, x, y) for one in (*D, *KERNELS))
        rows, gap = np.stack([(p - F * q) / q, np.ones(161)]), (d_p - F * d_q) / q
        for sign in (-1, 1):
            solved = linprog(sign * gap, A_eq=rows, b_eq=[0, 1])
            best = max(best, -solved.fun if solved.success else 0.0)
    bound = max(max(abs(low), abs(high)) for low, high in found)
    assert best <= bound <= 1.1 * best


def test_without_multipliers_the_bound_is_far_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """D_p = K_p, D_q = K_q: the mean of their difference is 0 by definition of F."""
    sharp = average_over_weight(KERNELS, KERNELS, PARTS, tree(WEIGHT, 2), BOX, 1)
    assert max(map(abs, itertools.chain(*sharp))) < 0.3  # the width of a part
    monkeypatch.setattr(duality, "STEEPEST", 0.0)
    plain = average_over_weight(KERNELS, KERNELS, PARTS, tree(WEIGHT, 2), BOX, 1)
    assert max(map(abs, itertools.chain(*plain))) > 1.5


def test_any_multiplier_gives_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    D = (Series(np.array([[0.3, -1, 0.2]]), 0.0), Series(np.array([[0.1], [0.4]]), 0.0))
    rng = np.random.default_rng(5)
    monkeypatch.setattr(duality, "_multipliers", lambda ends, weight, outer: rng.normal(size=(len(weight) - 1, 1)))
    found = average_over_weight(D, KERNELS, PARTS, tree(WEIGHT, 2), BOX, 1)
    for _ in range(500):
        F, value = ratio(D, rng.uniform(-1, 1), rng.uniform(-1, 1, 3), rng.dirichlet(np.ones(3)))
        assert all(low <= value <= high for (a, b), (low, high) in zip(PARTS, found, strict=True) if a <= F <= b)


def test_a_damaged_difference_is_seen_and_a_weight_must_be_positive() -> None:
    small = Series(np.array([[1e-3, 2e-3], [1e-3, 0.0]]), 0.0)
    damaged = Series(small.coefficients + np.array([[0, 0], [0, 0.1]]), 0.0)
    bounds = []
    for one in (small, damaged):
        found = average_over_weight((one, small), KERNELS, PARTS, tree(WEIGHT, 2), BOX, 1)
        F, value = ratio((damaged, small), 1.0, np.array([-1.0]), np.ones(1))
        bounds.append(max(max(abs(low), abs(high)) for low, high in found))
    assert bounds[0] < abs(value) <= bounds[1]
    assert -1 <= F <= 1
    with pytest.raises(NotAnalytic, match="is not positive"):
        average_over_weight((small, small), KERNELS, PARTS, tree("x[0]*x[1]", 2), BOX, 1)


@pytest.mark.parametrize("damage", [np.nan, np.inf, 1e308])
def test_numbers_that_overflow_bound_nothing(damage: float) -> None:
    flat = np.ones((2, 2))
    broken = flat.copy()
    broken[1, 1] = damage
    box = (Variable.of(0.0, 1.0), Variable.of(0.0, 1.0))
    zero = Series(np.zeros((2, 2)), 0.0)
    for D in ((Series(broken, 0.0), zero), (zero, Series(broken, 0.0))):
        kernels = Series(broken, 0.0), Series(flat, 0.0)
        for low, high in average_over_weight(D, kernels, [(1.0, 2.0)], ex.Number(Fraction(1)), box, 1):
            assert not low > -1e300
            assert not high < 1e300
