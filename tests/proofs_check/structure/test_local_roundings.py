"""What rounding does in one layer is bounded, and a network that is read with it errs by no more as it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure.local_roundings import Roundings
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.rounding import Arithmetic, Running
from tests.proofs_check.structure.handmade import layer, sumformer
from tests.proofs_check.structure.readings import read
from tests.proofs_check.structure.test_rounding import NETWORKS, ORDERS, ROOT, Product, computed, steep

Stream = dict[str, np.ndarray]
FRACTIONS = np.frompyfunc(Fraction, 1, 1)
WEIGHTS = st.floats(-2, 2, width=32)


def one_layer(known: Stream, one: ReluLayer, product: Product, kind: type[np.floating]) -> Stream:
    """Return the stream after a layer, computed in the format."""
    stream = np.stack([known[channel] for channel in one.reads], axis=-1)
    hidden = np.maximum(product(stream, one.W_1.astype(kind)) + one.bias.astype(kind), kind(0))
    added = product(hidden, one.W_2.astype(kind))
    return known | {c: known.get(c, kind(0)) + added[..., k] for k, c in enumerate(one.writes)}


def exactly(known: Stream, one: ReluLayer) -> Stream:
    """Return the stream after a layer over the rationals, from the numbers that are given."""
    stream = np.stack([FRACTIONS(known[c].astype(float)) if known[c].dtype != object else known[c] for c in one.reads], axis=-1)
    hidden = np.maximum(stream @ FRACTIONS(one.W_1) + FRACTIONS(one.bias), Fraction(0))
    added = hidden @ FRACTIONS(one.W_2)
    before = {c: FRACTIONS(values.astype(float)) if values.dtype != object else values for c, values in known.items()}
    return before | {c: before.get(c, Fraction(0)) + added[..., k] for k, c in enumerate(one.writes)}


def away(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(FRACTIONS(a.astype(float)) - b).max())


def roundings_of(network: MeanSumformer, kind: type[np.floating], n: int) -> Roundings:
    running = Running(read(network), Arithmetic.of(kind.__name__, n + 2, 1.0))
    running.output_error(network)
    return running.roundings


def check_layers(network: MeanSumformer, tokens: np.ndarray, kind: type[np.floating]) -> None:
    """Compare each layer with itself over the rationals, from the same computed numbers."""
    local, n = roundings_of(network, kind, tokens.shape[1]), tokens.shape[1]
    for product in ORDERS:
        known = {"x.0": tokens[..., 0]}
        for part, layers in (("phi", network.phi), ("psi", network.psi)):
            for at, one in enumerate(layers):
                after, true = one_layer(known, one, product, kind), exactly(known, one)
                for channel in one.writes:
                    assert away(after[channel], true[channel]) <= local.of_layers.get((part, at), {}).get(channel, 0.0)
                known = after
            if part == "phi":
                for channel in network.pooled:
                    mean = known[channel].sum(axis=-1, keepdims=True) / kind(n)
                    true = FRACTIONS(known[channel].astype(float)).sum(axis=-1, keepdims=True) / n
                    assert away(mean, true) <= local.of_means[mean_of(channel)]
                    known[mean_of(channel)] = np.broadcast_to(mean, tokens.shape[:-1])
        outputs = computed(network, tokens, product)
        read_out = np.stack([FRACTIONS(known[c].astype(float)) for c in network.readout], axis=-1)
        assert away(outputs, read_out @ FRACTIONS(network.W_out) + FRACTIONS(network.b_out)) <= local.of_outputs[0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(WEIGHTS, WEIGHTS, WEIGHTS), min_size=1, max_size=6),
       st.lists(st.floats(0, 1, width=32), min_size=2, max_size=3), st.sampled_from((np.float64, np.float32)))
def test_a_layer_is_rounded_by_no_more(units: list[tuple[float, float, float]], tokens: list[float],
                                       kind: type[np.floating]) -> None:
    first = layer(*[({"x.0": w}, b, {"c": v, "d": v * 0.5}) for w, b, v in units])
    second = layer(*[({"c": w, "mean.d": 0.75}, b, {"o": v}) for w, b, v in units], ({"c": 0.0}, 0.5, {"o": 0.25}))
    check_layers(sumformer([first], ["d"], [second], {"o": 1.0, "c": -1.0}), np.array(tokens, dtype=kind).reshape(1, -1, 1), kind)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_tables_and_many_units_are_rounded_by_no_more(kind: type[np.floating]) -> None:
    tokens = np.random.default_rng(0).random((30, 3, 1)).astype(kind)
    check_layers(NETWORKS["many_small_units"](), tokens, kind)
    check_layers(steep(0.75, False, 1e-9, ROOT, [-(2.0 ** (k / 2)) for k in range(41)]), tokens, kind)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_chain_of_folds_is_rounded_by_no_more_than_is_said_where_it_starts(kind: type[np.floating]) -> None:
    network = NETWORKS["folds_onto_a_large_number"]()
    tokens = np.random.default_rng(0).random((30, 3, 1)).astype(kind)
    local = roundings_of(network, kind, 3)
    true: Stream = {"x.0": FRACTIONS(tokens[..., 0].astype(float))}
    for one in network.phi:
        true = exactly(true, one)
    said = sum(here.get("o", 0.0) for here in local.of_layers.values())
    for product in ORDERS:
        known = {"x.0": tokens[..., 0]}
        for one in network.phi:
            known = one_layer(known, one, product, kind)
        assert 0 < away(known["o"], true["o"]) <= said


@dataclass(frozen=True, eq=False)
class Built:
    """A target of 3 tokens and a network for it."""

    target: Target
    network: MeanSumformer
    prove: Callable[..., Proved]

    @staticmethod
    def of(text: str, eps: Fraction, domain: str, kind: type[np.floating] = np.float64) -> Built:
        target = resolve(text, n=3, d=None, domain=domain)
        assert isinstance(target, Target)
        decomposition, compiled = compile_target(target, eps, "sum-decomposition")
        network = compiled.sumformer.rounded(kind)
        claim = Claim("f", text, 3, target.d, 1, target.box.sides, ("sumformer",), compiled.bound, decomposition.every_n)
        return Built(target, network, partial(prove, network, compiled.derivation, target, claim))

    def roundings(self, real: Proved, kind: type[np.floating]) -> Roundings:
        running = Running(real.reading, Arithmetic.of(kind.__name__, 5, 1.0))
        running.output_error(self.network)
        return running.roundings

    def tokens(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return random sequences, and half as many of ends and the middle of the box."""
        low, high = (float(end) for end in self.target.box.sides[0])
        special = rng.choice([low, high, (low + high) / 2], (count // 2, 3, self.target.d))
        return np.concatenate([rng.uniform(low, high, (count, 3, self.target.d)), special])


@pytest.mark.parametrize(("text", "eps", "domain"), [
    ("x*mean(y)", "1e-6", "0,1"), ("mean((y-mean(y))**2)", "1e-6", "-1,1"), ("exp(mean(y))", "1e-5", "0,1")])
def test_a_network_errs_by_no_more_than_was_read_of_it_as_computed(text: str, eps: str, domain: str) -> None:
    built = Built.of(text, Fraction(eps), domain, np.float32)
    real = built.prove()
    bound = built.prove(roundings=built.roundings(real, np.float32)).bound
    tokens = built.tokens(np.random.default_rng(0), 3000).astype(np.float32)
    wanted = built.target.numpy(tokens.astype(np.float64))
    found = max(float(np.abs(computed(built.network, tokens, product) - wanted).max()) for product in ORDERS)
    assert found <= bound
    assert real.bound < bound
    assert text != "x*mean(y)" or found > real.bound  # here rounding is seen


def test_without_roundings_the_computed_numbers_are_the_real_ones() -> None:
    built = Built.of("x*mean(y)", Fraction(1, 1000), "0,1", np.float32)
    none = Roundings(of_means=dict.fromkeys(map(mean_of, built.network.pooled), 0.0), of_outputs=[0.0])
    assert built.prove(roundings=none).bound == built.prove().bound


Signs = Callable[[tuple[int, ...]], np.ndarray]


def disturbed(network: MeanSumformer, tokens: np.ndarray, local: Roundings, signs: Signs) -> np.ndarray:
    """Run a network that is moved by what rounding may do, in every layer, mean and output, to one side or the other."""
    shape = tokens.shape[:2]
    known = {c: tokens[..., k] for k, c in enumerate(network.tokens)}

    def through(part: str, layers: Sequence[ReluLayer]) -> None:
        for at, one in enumerate(layers):
            stream = np.stack([known.get(channel, np.zeros(shape)) for channel in one.reads], axis=-1)
            added = np.maximum(stream @ one.W_1 + one.bias, 0) @ one.W_2
            known.update({c: known.get(c, 0.0) + added[..., k] for k, c in enumerate(one.writes)})
            known.update({c: known[c] + size * signs(shape) for c, size in local.of_layers.get((part, at), {}).items()})

    through("phi", network.phi)
    for channel in network.pooled:
        known[mean_of(channel)] = (known[channel].mean(axis=1, keepdims=True)
                                   + local.of_means[mean_of(channel)] * signs(shape))
    through("psi", network.psi)
    outputs = np.stack([known[c] for c in network.readout], axis=-1) @ network.W_out + network.b_out
    return outputs + np.array(local.of_outputs) * signs((*shape, 1))


def drawn(found: Roundings, rng: np.random.Generator, turn: int) -> Roundings:
    """Move one place, some, or all of them, by up to a hundredth: far more than rounding does."""
    layers = {key: dict.fromkeys(here, 0.0) for key, here in found.of_layers.items()}
    means, outputs = dict.fromkeys(found.of_means, 0.0), [0.0] * len(found.of_outputs)
    places = [(here, channel) for here in (*layers.values(), means) for channel in here]
    several = (1, max(1, len(places) // 4), len(places))[turn % 3]
    size = 10.0 ** rng.uniform(-5, -2)
    for k in rng.choice(len(places), several, replace=False):
        places[k][0][places[k][1]] = size * 10.0 ** rng.uniform(-2, 0)
    return Roundings(layers, means, [size * (turn % 2)] * len(outputs))


def worst_ratio(text: str, domain: str, eps: Fraction = Fraction(1, 10), turns: int = 9) -> float:
    """Return the largest error of a disturbed network over the bound that was read of it as computed."""
    built, rng = Built.of(text, eps, domain), np.random.default_rng(0)
    found, tokens = built.roundings(built.prove(), np.float64), built.tokens(rng, 200)
    sides: list[Signs] = [lambda shape: rng.choice([-1.0, 1.0], shape), lambda shape: np.full(shape, rng.choice([-1.0, 1.0])),
                          np.ones, lambda shape: -np.ones(shape)]
    worst, wanted = 0.0, built.target.numpy(tokens)
    for turn in range(turns):
        local = drawn(found, rng, turn)
        try:
            bound = built.prove(roundings=local).bound
        except NotUnderstood:  # what is moved too far is not read
            continue
        moved = [disturbed(built.network, tokens, local, signs) for signs in sides]
        worst = max(worst, *(float(np.abs(one - wanted).max()) / bound for one in moved))
    return worst


DISTURBED = {
    "mean and product": ("x*mean(y)", "0,1"), "function": ("exp(mean(y))", "0,1"), "table": ("log(mean(exp(3*y)))/3", "0,1"),
    "quotient": ("(x-mean(y))/sqrt(mean((y-mean(y))**2)+1/10)", "0,1"), "renamed": ("abs(x-mean(y))", "0,1"),
    "kernels": ("sum(exp(x*y)*y)/sum(exp(x*y))", "0,1"), "refined quotient": ("sum(exp(2*x*y)*y)/sum(exp(2*x*y))", "-1,1"),
    "rectified": ("relu(x-mean(y))*mean(exp(y))", "0,1"), "wide kernel": ("mean(sin(x[0]*y[0]+x[1]*y[1]))", "0,1")}


@pytest.mark.parametrize("name", DISTURBED)
def test_a_network_that_is_moved_in_every_layer_errs_by_no_more_than_is_read_of_it(name: str) -> None:
    assert 0.1 < worst_ratio(*DISTURBED[name]) <= 1 + 1e-9


def test_a_rounding_that_is_forgotten_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reading, "rounding_of_means", lambda *_: 0.0)
    assert worst_ratio("x*mean(y)", "0,1", Fraction(1, 1000)) > 1


@pytest.mark.parametrize("text", ["max(y)", "mean(abs(x-y))"])
def test_what_is_read_unit_by_unit_is_not_read_as_computed(text: str) -> None:
    built = Built.of(text, Fraction(1, 10), "0,1")
    roundings = built.roundings(built.prove(), np.float64)
    with pytest.raises(NotUnderstood, match="quantities of kind"):
        built.prove(roundings=roundings)
