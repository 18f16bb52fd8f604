"""Soft extrema: what is proved of the tables of exp and log holds, is attained, and a damaged table is seen."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq

from constructions.network.relu import MeanSumformer, mean_of
from constructions.network.wiring import Wiring
from constructions.pieces.extremum import Exponential, Logarithm, SoftExtremum, softening
from constructions.pieces.forms import Form, Placed, Quantity, ends
from constructions.pieces.mean import Mean
from constructions.pieces.node import Sweep
from constructions.pieces.order import OrderStatistic
from constructions.pieces.univariate import TooWide

UNIT = 2.0**-52
CASES = [(3, 0.0, 1.0, 1e-1), (3, 0.0, 1.0, 1e-3), (16, -2.0, 1.0, 1e-2), (2, 0.0, 1.0, 3e-4)]


def built(n: int, a: float, b: float, tolerance: float, sign: int = 1) -> tuple[Sweep, SoftExtremum, MeanSumformer]:
    """Realise max or min of n tokens in [a, b] by itself."""
    token = Quantity("x", arb(a).union(arb(b)), True)
    soft = softening(n, b - a, tolerance, 1290.0)
    assert soft is not None
    form = Form.of(token) * Fraction(sign)
    low, high = ends(form.range())
    exponential = Exponential(form, (Fraction(low), Fraction(high)), soft)
    mean = Mean(exponential.outputs[0])
    logarithm = Logarithm(exponential, mean.outputs[0], soft)
    statistic = OrderStatistic(Form.of(token), 1 if sign > 0 else n, n, token.range)
    node = SoftExtremum(statistic, logarithm, sign)
    sweep = Sweep(UNIT, n * UNIT, Wiring.of(["x"], "phi"))
    sweep.places[token], sweep.errors[token] = Placed({"x": Fraction(1)}, Fraction(0), Fraction(max(abs(a), abs(b)))), arb(0)
    exponential.realise(sweep)
    mean.realise(sweep)
    phi, sweep.wiring = sweep.wiring, Wiring.of([*sweep.wiring.written, *map(mean_of, sweep.pooled)], "psi")
    logarithm.realise(sweep)
    node.realise(sweep)
    place = sweep.places[node.outputs[0]]
    channels = tuple(place.channels)
    network = MeanSumformer(("x",), phi.built(sweep.pooled)[0], tuple(sweep.pooled), sweep.wiring.built(channels)[0], channels,
                            np.array([[float(place.channels[c])] for c in channels]), np.array([float(place.constant)]))
    return sweep, node, network


def errors(network: MeanSumformer, n: int, a: float, b: float, sign: int) -> np.ndarray:
    """Sequences of two values, one token apart and all but one apart, close together and far."""
    rng = np.random.default_rng(0)
    first = rng.uniform(a, b, 20_000)
    apart = (b - a) * 10.0 ** rng.uniform(-5, 0, first.shape) * rng.choice([-1, 0, 1], first.shape)
    second, k = np.clip(first + apart, a, b), rng.choice([1, n - 1], first.shape)
    tokens = np.where(np.arange(n) < k[:, None], first[:, None], second[:, None])
    exact = tokens.max(axis=1) if sign > 0 else tokens.min(axis=1)
    return np.asarray(network(tokens[..., None])[:, 0, 0] - exact)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("n", "a", "b", "tolerance"), CASES)
def test_a_soft_extremum_is_within_its_proved_error_which_is_attained(n: int, a: float, b: float, tolerance: float,
                                                                      sign: int) -> None:
    sweep, node, network = built(n, a, b, tolerance, sign)
    bound = sweep.errors[node.outputs[0]]
    found = errors(network, n, a, b, sign)
    assert float(abs(bound).upper()) <= tolerance
    assert bound.lower() <= arb(float(found.min()))
    assert arb(float(found.max())) <= bound.upper()
    assert np.abs(found).max() >= 0.8 * float(abs(bound).upper())


@pytest.mark.parametrize(("n", "a", "b", "tolerance"), [CASES[0], CASES[2]])
def test_both_tables_are_within_their_bounds_which_are_attained(n: int, a: float, b: float, tolerance: float) -> None:
    soft = softening(n, b - a, tolerance, 1290.0)
    token = Quantity("x", arb(a).union(arb(b)), True)
    assert soft is not None
    exponential = Exponential(Form.of(token), (Fraction(a), Fraction(b)), soft)
    logarithm = Logarithm(exponential, Quantity("m", arb(1), False), soft)
    rng = np.random.default_rng(1)
    off, logs = [], []
    for t in map(Fraction, rng.uniform(a, b, 150)):
        value = exact_value(exponential.table.base, exponential.table.knots, exponential.table.weights, t)
        off.append(log(value) - Fraction(soft.beta) * (t - Fraction(exponential.centre)))
        value = exact_value(logarithm.table.base, logarithm.table.knots, logarithm.table.weights, -value)
        logs.append(value - log(exact_value(exponential.table.base, exponential.table.knots, exponential.table.weights, t)))
    for found, bounds in ((off, exponential.bounds), (logs, logarithm.bounds)):
        low, high = ends(bounds)
        assert low - 1e-9 <= min(found)
        assert max(found) <= high + 1e-9
        assert max(found) - min(found) >= 0.9 * (high - low)


def exact_value(base: float, knots: np.ndarray, weights: np.ndarray, t: Fraction) -> Fraction:
    parts = [Fraction(float(w)) * (t - Fraction(float(k))) for k, w in zip(knots, weights, strict=True) if t > Fraction(float(k))]
    return sum(parts, Fraction(base))


def log(value: Fraction) -> Fraction:
    return Fraction(float(arb(fmpq(value.numerator, value.denominator)).log()))


def test_the_error_is_never_below_half_of_what_the_logarithm_misses() -> None:
    sweep, node, _ = built(3, 0.0, 1.0, 1e-2)
    missed = ends(node.missed)
    assert math.isclose(missed[1], math.log(3) / (2 * node.beta), rel_tol=1e-6)
    assert math.isclose(missed[0], -missed[1], rel_tol=1e-6)
    assert sweep.local[node.outputs[0]].contains(arb(math.log(3) / (2 * node.beta) * 0.999))


def test_a_network_with_a_moved_knot_breaks_the_bound() -> None:
    sweep, node, network = built(3, 0.0, 1.0, 1e-2)
    layer = network.phi[0]
    layer.bias[20] += 0.02
    assert np.abs(errors(network, 3, 0.0, 1.0, 1)).max() > float(abs(sweep.errors[node.outputs[0]]).upper())


def test_a_softening_is_the_coarsest_that_meets_the_tolerance_and_none_where_exponents_end() -> None:
    soft = softening(3, 1.0, 1e-2, 1290.0)
    assert soft is not None
    assert softening(3, 1.0, 1e-2, soft.beta * 0.9) != soft
    finer = softening(3, 1.0, 5e-3, 1290.0)
    assert finer is not None
    assert 1.9 * soft.pieces <= finer.pieces <= 2.1 * soft.pieces
    assert softening(3, 1.0, 1e-4, 1290.0) is None  # log(3)/(2 beta) > 1e-4 for every beta <= 1290
    assert softening(3, 1.0, 0.0, 1290.0) is None
    limited = softening(3, 1.0, 6e-4, 1290.0)
    assert limited is not None
    assert limited.beta <= 1290.0


def test_an_argument_outside_the_table_is_seen() -> None:
    token = Quantity("x", arb(0).union(arb(1)), True)
    soft = softening(3, 0.5, 1e-2, 1290.0)
    assert soft is not None
    node = Exponential(Form.of(token), (Fraction(0), Fraction(1, 2)), soft)
    sweep = Sweep(UNIT, UNIT, Wiring.of(["x"], "phi"))
    sweep.places[token], sweep.errors[token] = Placed({"x": Fraction(1)}, Fraction(0), Fraction(1)), arb(0)
    with pytest.raises(TooWide):
        node.realise(sweep)
