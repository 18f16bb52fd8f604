"""The running error bounds the gap between floating point, in several orders of summation, and exact evaluation."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.adapters import CompiledMeanSumformer, fold_chains
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.structure.rounding import Arithmetic, Running
from tests.proofs_check.structure.handmade import Unit, exact, folds, layer, square, stacked, sumformer
from tests.proofs_check.structure.readings import read

Product = Callable[[np.ndarray, np.ndarray], np.ndarray]
UNITS: dict[type[np.floating], float] = {np.float64: 2.0**-53, np.float32: 2.0**-24}
COARSE = Arithmetic(2.0**-12, 2.0**-149, 2.0**127, 0, 1.0)


def one_by_one(a: np.ndarray, B: np.ndarray) -> np.ndarray:
    total = np.zeros((*a.shape[:-1], B.shape[1]), a.dtype)
    for k in range(a.shape[-1]):
        total = total + a[..., k: k + 1] * B[k]
    return total


def backwards(a: np.ndarray, B: np.ndarray) -> np.ndarray:
    return one_by_one(a[..., ::-1], B[::-1])


ORDERS: list[Product] = [np.matmul, one_by_one, backwards]


def computed(network: MeanSumformer, tokens: np.ndarray, product: Product) -> np.ndarray:
    """Run a network in the number format of the tokens."""
    kind = tokens.dtype
    known = {"x.0": tokens[..., 0]}

    def through(layers: tuple[ReluLayer, ...]) -> None:
        for one in layers:
            stream = np.stack([known[channel] for channel in one.reads], axis=-1)
            hidden = np.maximum(product(stream, one.W_1.astype(kind)) + one.bias.astype(kind), kind.type(0))
            added = product(hidden, one.W_2.astype(kind))
            for k, channel in enumerate(one.writes):
                known[channel] = known.get(channel, kind.type(0)) + added[..., k]

    through(network.phi)
    for channel in network.pooled:
        mean = known[channel].sum(axis=-1, keepdims=True) / kind.type(tokens.shape[-2])
        known[mean_of(channel)] = np.broadcast_to(mean, tokens.shape[:-1])
    through(network.psi)
    read_out = np.stack([known[channel] for channel in network.readout], axis=-1)
    return product(read_out, network.W_out.astype(kind)) + network.b_out.astype(kind)


def gap(network: MeanSumformer, tokens: np.ndarray) -> float:
    """Return the largest error over all orders, and of the compiled pass, which has closed forms and tables of its own."""
    values = [computed(network, tokens, product) for product in ORDERS]
    present = torch.from_numpy(tokens)
    values.append(CompiledMeanSumformer(network, "cpu", present.dtype)(present).numpy())
    true = exact(network, tokens)
    return max(float(np.abs(np.frompyfunc(Fraction, 1, 1)(one.astype(float)) - true).max()) for one in values)


def bound(network: MeanSumformer, kind: type[np.floating], n: int) -> float:
    return Running(read(network), Arithmetic.of(kind.__name__, n + 2, 1.0)).output_error(network)


def many_small_units() -> MeanSumformer:
    """Return 1 plus 300 numbers that are lost one by one, each from a form of its own."""
    small: list[Unit] = [({"x.0": 2.0**-26 * (1 + k * 2.0**-10)}, 0.0, {"o": 1.0}) for k in range(300)]
    return sumformer([layer(({"x.0": 0.0}, 1.0, {"o": 1.0}), *small)], [], [], {"o": 1.0})


def folds_onto_a_large_number() -> MeanSumformer:
    chain = stacked(folds({"x.0": 2.0}, 0.0, {"o": [0.0, *([2.0**-5 / 3] * 18)]}))
    return sumformer([layer(({"x.0": 0.0}, 1000.0, {"o": 1.0})), *chain], [], [], {"o": 1.0}).rounded(np.float32)


def squares_of_means() -> MeanSumformer:
    phi = [layer(({"x.0": 1.0}, 0.0, {"c": 0.3}), ({"x.0": 1.0}, -1 / 3, {"c": 0.9, "d": -0.7})),
           *stacked(folds({"c": 1.0}, 0.1, {"d": square(1 / 3, 5)}))]
    psi = stacked(folds({"mean.d": 0.5, "x.0": 0.7}, 0.6, {"o": square(-0.9, 6), "p": square(0.2, 6)}))
    last = layer(*[({"o": 1.0}, 1.2 - 0.1 * k, {"q": (-1.0) ** k * 3.3}) for k in range(12)])
    return sumformer(phi, ["c", "d"], [*psi, last], {"o": 1.1, "p": -0.3, "q": 0.7, "mean.c": 1 / 7}, b=0.1).rounded(np.float32)


WEIGHTS = st.floats(-2, 2, width=32)
NETWORKS = {one.__name__: one for one in (many_small_units, folds_onto_a_large_number, squares_of_means)}


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("name", NETWORKS)
def test_no_order_of_summation_errs_by_more(name: str, kind: type[np.floating]) -> None:
    network = NETWORKS[name]()
    tokens = np.random.default_rng(1).random((40, 3, 1)).astype(kind)
    tokens[0] = 1
    assert 0 < gap(network, tokens) <= bound(network, kind, 3) < 1e5 * UNITS[kind] * 1000


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(WEIGHTS, WEIGHTS, WEIGHTS), min_size=1, max_size=6),
       st.lists(st.floats(0, 1, width=32), min_size=2, max_size=3))
def test_random_layers_err_by_no_more(units: list[tuple[float, float, float]], tokens: list[float]) -> None:
    first = layer(*[({"x.0": w}, b, {"c": v, "d": v * 0.5}) for w, b, v in units])
    second = layer(*[({"c": w, "mean.d": 0.75}, b, {"o": v}) for w, b, v in units], ({"c": 0.0}, 0.5, {"o": 0.25}))
    network = sumformer([first], ["d"], [second], {"o": 1.0, "c": -1.0})
    for kind in UNITS:
        sequence = np.array(tokens, dtype=kind).reshape(1, -1, 1)
        assert gap(network, sequence) <= bound(network, kind, len(tokens))


def one_chain(kind: type[np.floating], m: int, weight: float, bias: float, g: float, head: float) -> MeanSumformer:
    """A square by m folds of weight x + bias, with some of the unit that it begins with, in numbers of the format."""
    weights = square(g, m)
    chain = folds({"x.0": weight}, bias, {"o": [weights[0] + head, *weights[1:]]})
    network = sumformer([], [], [layer(one) for one in chain], {"o": 1.0})
    return network.rounded(np.float32) if kind is np.float32 else network


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(UNITS)), st.integers(2, 40), st.floats(0, 2), st.floats(-0.4, 0.4), WEIGHTS, WEIGHTS,
       st.integers(0, 2**32 - 1))
def test_folds_in_closed_form_err_by_no_more_than_one_by_one_may(kind: type[np.floating], m: int, weight: float, bias: float,
                                                                 g: float, head: float, seed: int) -> None:
    """Their numbers are as large as 4^m, and what is left of them has to be right to the last places of the square."""
    network = one_chain(kind, m, weight, bias, g, head)
    rng = np.random.default_rng(seed)
    knots = (rng.integers(0, 2**min(m, 20) + 1, (12, 2, 1)) / 2.0**(min(m, 20) - 1) - bias) / max(weight, 0.1)  # where it bends
    tokens = np.concatenate([rng.random((12, 2, 1)), knots]).clip(0, 1).astype(kind)
    assert gap(network, tokens) <= bound(network, kind, 2)


def test_a_chain_that_were_taken_for_a_square_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = square(1.0, 8)
    weights[3] *= 1 + 2.0**-35
    network = sumformer([], [], [layer(one) for one in folds({"x.0": 2.0}, 0.0, {"o": weights})], {"o": 1.0})
    tokens = np.random.default_rng(2).random((20, 2, 1))
    assert gap(network, tokens) <= bound(network, np.float64, 2)
    monkeypatch.setattr(fold_chains, "ULPS", 2.0**20)
    assert gap(network, tokens) > bound(network, np.float64, 2)


def test_hundreds_of_small_units_are_counted_one_by_one() -> None:
    network = many_small_units()
    tokens = np.ones((1, 2, 1), np.float32)
    assert gap(network, tokens) > 70 * 2.0**-24
    assert bound(network, np.float32, 2) > 300 * 2.0**-24


def test_a_sum_too_long_for_the_analysis_has_no_bound() -> None:
    network = many_small_units()
    assert Running(read(network), COARSE).output_error(network) == np.inf


def test_a_mean_takes_over_the_errors_of_what_is_averaged_and_has_roundings_of_its_own() -> None:
    network = squares_of_means()
    running = Running(read(network), Arithmetic.of("float32", 2**14, 1.0))
    running.output_error(network)
    assert running.error["mean.d"] >= running.error["d"] + 2.0**-10 * running.size["mean.d"] > 2.0**-12
    assert running.size["mean.d"] <= running.size["d"]


def scaled(down: float, up: float) -> MeanSumformer:
    """The identity, by a channel that is smaller or larger by down^2, up = 1/down."""
    return sumformer([layer(({"x.0": down}, 0.0, {"c": down})), layer(({"c": up}, 0.0, {"o": up}))], [], [], {"o": 1.0})


@pytest.mark.parametrize("exponent", [-80, 70])
def test_what_underflows_or_overflows_is_in_the_bound(exponent: int) -> None:
    network, tokens = scaled(2.0**exponent, 2.0**-exponent), np.ones((1, 2, 1), np.float32)
    with np.errstate(all="ignore"):
        wrong = computed(network, tokens, np.matmul)
    assert not abs(wrong[0, 0, 0] - 1) < 0.5
    assert not bound(network, np.float32, 2) < 0.5
    assert bound(network, np.float64, 2) < 1e-14


def test_a_mean_of_subnormal_numbers_is_off_by_some_of_them() -> None:
    network = sumformer([layer(({"x.0": 2.0**-75}, 0.0, {"c": 2.0**-75}))], ["c"],
                        [layer(({"mean.c": 2.0**75}, 0.0, {"o": 2.0**75}))], {"o": 1.0})
    assert bound(network, np.float64, 3) < 1e-14 < 0.5 < bound(network, np.float32, 3)


def steep(weight: float, mean: bool, below: float, knots: list[float], slopes: list[float]) -> MeanSumformer:
    """A table of hinges that end at their knots, in relu(weight t - below), t the token or the mean: steep near 0."""
    unit = ({"mean.x.0" if mean else "x.0": weight}, -below, {"h": 1.0})
    table = layer(*[({"h": -1.0}, knot, {"o": slope}) for knot, slope in zip(knots, slopes, strict=True)])
    return sumformer([], ["x.0"] if mean else [], [layer(unit), table], {"o": 1.0}).rounded(np.float32)


def tiny_tokens(knots: list[float], seed: int, kind: type[np.floating]) -> np.ndarray:
    """Return sequences of numbers of all sizes, at knots and next to them."""
    rng = np.random.default_rng(seed)
    tokens = np.minimum(2.0 ** -rng.uniform(0, 45, (60, 3, 1)), 1).astype(kind)
    tokens[:20] = rng.choice(np.array([*knots, 0.0, 1.0]), (20, 1, 1)).astype(kind)
    tokens[20:30, :1] = 0
    return np.nextafter(tokens, tokens + kind(rng.choice([-1, 0, 1])), dtype=kind).clip(0, 1)


ROOT = [2.0**-k for k in range(41)]  # of the square root: chords between 4^-k are its slopes, about


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("mean", [False, True])
def test_a_steep_table_near_zero_errs_in_proportion_to_what_it_reads(mean: bool, kind: type[np.floating]) -> None:
    """Its slope of a million, times the rounding of a number near 1, would be far more than the root itself errs by."""
    slopes = [-(2.0 ** (k / 2)) for k in range(41)]
    network = steep(1.0, mean, 2.0**-40, ROOT, slopes)
    found, claimed = gap(network, tiny_tokens(ROOT, 3, kind)), bound(network, kind, 3)
    assert 0 < found <= claimed < 2000 * UNITS[kind]
    assert abs(sum(slopes)) > 1e6


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1.0, -1.0, 0.5, 0.75, 1.3]), st.booleans(), st.sampled_from([0.0, 2.0**-40, 1e-9, -(2.0**-30), 0.3]),
       st.dictionaries(st.integers(0, 45), st.floats(-1, 1, width=32), min_size=1, max_size=12),
       st.floats(0, 1.5), st.integers(0, 2**32 - 1))
def test_random_steep_tables_err_by_no_more(weight: float, mean: bool, below: float, pieces: dict[int, float], power: float,
                                            seed: int) -> None:
    knots = [2.0**-k for k in pieces]
    network = steep(weight, mean, below, knots, [share * 2.0 ** (power * k) for k, share in pieces.items()])
    for kind in UNITS:
        assert gap(network, tiny_tokens(knots, seed, kind)) <= bound(network, kind, 3)


def test_an_error_in_proportion_that_was_forgotten_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Running, "_own", lambda _, reads, biases, *__: np.zeros(len(biases)))
    monkeypatch.setattr(Arithmetic, "gamma", lambda *_: 0.0)
    network = steep(0.75, True, 1e-9, ROOT, [-(2.0 ** (k / 2)) for k in range(41)])
    assert gap(network, tiny_tokens(ROOT, 3, np.float32)) > bound(network, np.float32, 3)


def test_a_channel_that_is_added_to_is_in_proportion_to_nothing() -> None:
    """h = t - 0.7 t - 0.3 t, about, in two layers is rounded next to numbers near 1, and the steep table sees it."""
    twice = [layer(({"x.0": 1.0}, 0.0, {"h": 1.0})), layer(({"x.0": 1.0}, 0.0, {"h": -0.7}), ({"x.0": 1.0}, 1 / 9, {"h": -0.3}))]
    twice.append(layer(({"x.0": 0.0}, 1 / 30 + 2.0**-20, {"h": 1.0})))
    table = layer(*[({"h": -1.0}, knot, {"o": -(2.0 ** (k / 2))}) for k, knot in enumerate(ROOT)])
    network = sumformer([], [], [*twice, table], {"o": 1.0}).rounded(np.float32)
    tokens = np.random.default_rng(0).random((30, 3, 1)).astype(np.float32)
    assert 2.0**-12 < gap(network, tokens) <= bound(network, np.float32, 3)
