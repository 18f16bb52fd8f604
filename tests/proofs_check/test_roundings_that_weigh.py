"""Roundings that are small beside one number and large beside another: sums that cancel, overflow, or nearly vanish."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets.target import Target
from proofs_check import exact_phi
from proofs_check.enclosures.interval import Floats, quiet
from proofs_check.exact_phi import ExactPhi, bounded
from proofs_check.propagate import Balls
from proofs_check.stages import Stage
from proofs_check.sup_norm import Problem, Search
from proofs_check.vertices import Hulls, _followed
from tests.proofs_check.odd_networks import exact_output
from tests.proofs_check.test_propagate import exact

TOKENS = ("x.0", "x.1")
LEAST = 2.0**-1074


def own_less_mean(own: float, *, bends: bool) -> MeanSumformer:
    """own * h(x_i) + mean of h, as the output or as what a unit of psi takes; h = relu(2^40 x[0])."""
    hidden = ReluLayer(TOKENS, np.array([[2.0**40], [0.0]]), np.zeros(1), ("h",), np.eye(1))
    reads, weights = ("h", mean_of("h")), np.array([[own], [1.0]])
    if not bends:
        return MeanSumformer(TOKENS, (hidden,), ("h",), (), reads, weights, np.zeros(1))
    unit = ReluLayer(reads, weights, np.zeros(1), ("g",), np.eye(1))
    return MeanSumformer(TOKENS, (hidden,), ("h",), (unit,), ("g",), np.eye(1), np.zeros(1))


def assert_holds(network: MeanSumformer, tokens: Floats) -> None:
    phi, n = ExactPhi.of(network, len(tokens)), len(tokens)
    assert phi is not None
    whole, found = bounded(phi, 0, 0, tokens[None], tokens[None], tokens[None], np.zeros((1, n, 2)))
    assert whole.all()
    value = exact_output(network, [list(map(Fraction, token)) for token in tokens.tolist()], 0)[0]
    assert Fraction(found.least[0]) <= value <= Fraction(found.most[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(-2, 2), st.booleans())
def test_a_channel_that_cancels_its_share_of_a_mean(n: int, ulps: int, bends: bool) -> None:
    """-1/n for the own token is as near to the share as a number gets: what is left of the two is a rounding."""
    own = -1.0 / n * (1 + ulps * 2.0**-52)
    assert_holds(own_less_mean(own, bends=bends), np.array([[1.0, 0.0]] + [[0.0, 0.0]] * (n - 1)))


def test_what_is_left_of_a_share_must_be_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_phi, "COEFFICIENT", 0.0)
    with pytest.raises(AssertionError):
        assert_holds(own_less_mean(-1 / 3, bends=False), np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))


@quiet
def test_what_enters_psi_is_enclosed_where_shares_cancel() -> None:
    phi = ExactPhi.of(own_less_mean(-1 / 3, bends=True), 3)
    assert phi is not None
    token = np.array([[1.0, 0.0]])
    known, places = phi.look_up(token, token, token)
    left = (Fraction(1, 3) - Fraction(1 / 3)) * 2**40
    assert Fraction(known.low[places[0], 1, 0]) <= left <= Fraction(known.high[places[0], 1, 0])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 1000), st.floats(0.1, 1.0), st.integers(900, 1020))
def test_products_of_subnormal_numbers_with_large_weights(steps: int, weight: float, exponent: int) -> None:
    numbers, weights = np.array([[steps * LEAST]]), np.array([[weight * 2.0**exponent]])
    found = Balls.exact(numbers).times(weights)
    true = exact(numbers)[0, 0] * exact(weights)[0, 0]
    assert abs(true - Fraction(found.mid[0, 0])) <= Fraction(found.rad[0, 0])


@quiet
@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 1.0))
def test_functionals_of_subnormal_coordinates_with_large_weights(a: int, b: int, weight: float) -> None:
    values, first = np.array([a, b]) * LEAST, weight * 2.0**1010
    functional = np.array([first, -first * (a / b)])
    low, high = Hulls(values[None, None], np.zeros((1, 2)), values[None]).ends(functional[None, None])
    true = (exact(values) * exact(functional)).sum()
    assert not Fraction(low[0, 0]) > true
    assert not Fraction(high[0, 0]) < true


@quiet
@settings(max_examples=100, deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000))
def test_sums_that_overflow_on_the_way_are_not_known(pairs: int, seed: int) -> None:
    """The sum over one corner is about -1.4e308; in some orders infinity comes out, and the other corner seems to have less."""
    signs = np.random.default_rng(seed).permutation([1.0] * pairs + [-1.0] * (pairs + 1))
    count, size = len(signs), 1.6e308 / len(signs)
    hulls = Hulls(np.array([[[size] * count, [0.0] * count]]), np.zeros((1, count)), np.full((1, count), size))
    functional = 0.9 * count * signs
    low, high = hulls.ends(functional[None, None])
    true = (exact(functional) * Fraction(size)).sum()
    assert not low[0, 0] > float(true)
    assert not high[0, 0] < 0
    assert not hulls.least(functional[None, None])[0, 0] > float(true)


@quiet
def test_lipschitz_constants_that_vanish_on_the_way() -> None:
    sizes = [(2.0**-500, 2.0**-500), (2.0**-200, 2.0**1000), (2.0**500, 1.0)]
    stages = [Stage(np.array([[a]]), np.zeros(1), np.array([[b]]), np.zeros(1, dtype=bool), None, ([], [])) for a, b in sizes]
    lipschitz = _followed(stages, [0], np.array([[0.5, 0.5]]), np.array([[0]]))[2]
    assert Fraction(lipschitz[0]) >= Fraction(2) ** 300


@pytest.mark.parametrize("layers", [0, 1])
def test_a_network_that_is_constant_is_bounded(layers: int) -> None:
    """No channel enters psi then."""
    unit = ReluLayer((), np.zeros((0, 1)), np.ones(1), ("g",), np.eye(1))
    network = MeanSumformer(TOKENS, (), (), (unit,) * layers, ("g",) * layers, np.ones((layers, 1)), np.array([0.5]))
    box = Box.parse("0,1", 2)
    problem = Problem.of(Target.from_text("x[0]", n=2, box=box).outputs, network, 2, box.sides)
    search = Search.begin(problem, Fraction(2))
    search.run(10)
    assert search.finished
    assert 0.5 + layers <= search.bound <= 2
