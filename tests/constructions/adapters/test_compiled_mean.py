"""The compiled forward pass equals the network unit by unit, whatever its weights are; only folds are collapsed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.adapters import CompiledMeanSumformer, compiled_mean
from constructions.adapters.constant_part import split
from constructions.adapters.fold_chains import TABULATED, nodes
from constructions.adapters.levels import levels
from constructions.adapters.stream_operations import Table
from constructions.continuous import compile_target
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.channels import ambiguity
from tests.proofs_check.odd_networks import odd_network

pytestmark = pytest.mark.usefixtures("one_torch_thread")

CASES = (("own-times-mean", "1e-2"), ("standardise", "1e-4"), ("f", "1e-2"), ("f", "1e-6"), ("kernel-density", "1e-4"),
         ("soft-rank", "1e-2"), ("smooth-maximum", "1e-4"), ("smooth-maximum", "1e-6"), ("figure-2", "1e-4"), ("max", "1e-2"),
         ("moments", "1e-4"), ("x[0]*mean(y[1])+mean(x[1]*y[0])", "1e-3"),
         ("sum(exp(-abs(x-y))*y)/sum(exp(-abs(x-y)))", "5e-2"),
         ("sum(exp(-abs(x-y)/2)*y)/sum(exp(-abs(x-y)/2))", "5e-2"), ("mean(abs(x[0]-y[0])*y[1])", "1e-2"), ("gravity-2d", "1e-1"))
ULP = float(np.finfo(np.float64).eps) / 2


def build(name: str, eps: str) -> MeanSumformer:
    target = resolve(name, n=None, d=2 if "[1]" in name else None, domain="0,1")
    assert isinstance(target, Target)
    return compile_target(target, Fraction(eps), "sum-decomposition")[1].sumformer


def far(network: MeanSumformer, tokens: np.ndarray, dtype: torch.dtype = torch.float64) -> float:
    """Return the largest difference between compiled and plain evaluation, relative to 1 + |value|."""
    values = CompiledMeanSumformer(network, "cpu", dtype)(torch.from_numpy(tokens).to(dtype)).numpy().astype(np.float64)
    wanted = network(tokens)
    assert values.shape == wanted.shape
    return float((np.abs(values - wanted) / (1 + np.abs(wanted))).max())


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize(("name", "eps"), CASES)
def test_it_agrees_with_the_network_to_rounding_in_the_box_and_outside(name: str, eps: str, rounded: bool) -> None:
    network, rng = build(name, eps), np.random.default_rng(0)
    network = network.rounded(np.float32) if rounded else network
    d = len(network.tokens)
    dyadic = rng.integers(0, 65, (200, 3, d)) / 64  # where the folds bend
    assert far(network, np.concatenate([rng.random((200, 3, d)), dyadic])) < 1e-12
    assert far(network, rng.uniform(-2, 3, (200, 3, d))) < 1e-11
    assert far(network, rng.random((200, 3, d)).astype(np.float32).astype(np.float64), torch.float32) < 2e-3


def test_chunks_and_batches_do_not_change_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("f", "1e-2")
    tokens = torch.rand(2, 3, 50, 1, dtype=torch.float64)
    whole = CompiledMeanSumformer(network)(tokens)
    torch.testing.assert_close(CompiledMeanSumformer(network)(tokens[1, 2]), whole[1, 2], rtol=0, atol=1e-13)
    for numbers in (100, 3000, 2**14):  # tokens one by one, chunks of a sequence, several sequences at once
        monkeypatch.setattr(compiled_mean, "STREAM_NUMBERS", {"cpu": numbers})
        torch.testing.assert_close(CompiledMeanSumformer(network)(tokens), whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("name", "eps"), [("f", "1e-2"), ("max", "1e-2"), ("soft-rank", "1e-2")])
def test_nothing_is_left_of_the_batch_before(name: str, eps: str) -> None:
    """Working memory is kept, whatever was in it: batches of all sizes in any order, and one without a number before each."""
    compiled, generator = CompiledMeanSumformer(build(name, eps)), torch.Generator().manual_seed(0)
    for batch, n in [(5, 3), (40, 3), (5, 3), (1, 7), (2, 40), (40, 3), (1, 2), *((size, 2) for size in range(1, 20)), (5, 3)]:
        tokens = torch.rand(batch, n, 1, dtype=torch.float64, generator=generator)
        compiled(torch.full_like(tokens, torch.nan))
        assert torch.equal(compiled(tokens), CompiledMeanSumformer(build(name, eps))(tokens))


def test_threads_do_not_meet() -> None:
    compiled = CompiledMeanSumformer(build("f", "1e-2"))
    batches = [torch.rand(300, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in range(40)]
    alone = [compiled(tokens) for tokens in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compiled, batches))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_what_comes_back_is_not_working_memory() -> None:
    compiled = CompiledMeanSumformer(build("own-times-mean", "1e-2"))
    tokens = torch.rand(2, 30, 3, 1, dtype=torch.float64)
    first = compiled(tokens[0])
    kept = first.clone()
    constant = compiled.constants([tokens[0, 0]], 3)
    shared = constant.clone()
    compiled(tokens[1])
    compiled.outputs(tokens[1, 0], compiled.constants([tokens[1, 1]], 3))
    assert torch.equal(first, kept)
    assert torch.equal(constant, shared)


def test_a_call_in_inference_mode_leaves_memory_for_other_calls() -> None:
    compiled, tokens = CompiledMeanSumformer(build("f", "1e-2")), torch.rand(3, 2, 1, dtype=torch.float64)
    with torch.inference_mode():
        inside = compiled(tokens)
    assert torch.equal(compiled(tokens), inside)


def test_a_copy_computes_the_same_in_memory_of_its_own() -> None:
    compiled, tokens = CompiledMeanSumformer(build("f", "1e-2")), torch.rand(3, 2, 1, dtype=torch.float64)
    before = compiled(tokens)
    for other in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert torch.equal(other(tokens), before)
        assert other._memory._numbers.data_ptr() != compiled._memory._numbers.data_ptr()


def test_no_sequences_give_no_values_and_no_tokens_are_refused() -> None:
    compiled = CompiledMeanSumformer(build("f", "1e-2"))
    assert compiled(torch.zeros(0, 3, 1, dtype=torch.float64)).shape == (0, 3, 1)
    with pytest.raises(TypeError, match="n >= 1"):
        compiled(torch.zeros(2, 0, 1, dtype=torch.float64))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=2))
def test_odd_networks_read_nothing_that_was_there_before(seed: int, d: int, sizes: list[tuple[int, int]]) -> None:
    network, rng = odd_network(seed, d, 2, extreme=False), np.random.default_rng(seed)
    assume(not ambiguity(network))
    compiled = CompiledMeanSumformer(network)
    for n, sequences in sizes:
        compiled._memory._numbers.fill_(float("nan"))
        assert not compiled(torch.from_numpy(rng.uniform(-1, 1, (sequences, n, d)))).isnan().any()


def test_another_dtype_or_token_dimension_is_refused() -> None:
    compiled = CompiledMeanSumformer(build("own-times-mean", "1e-2"))
    with pytest.raises(TypeError, match=r"expected torch.float64 \(\*batch, n, 1\)"):
        compiled(torch.rand(5, 3, 1))
    with pytest.raises(TypeError, match="expected"):
        compiled(torch.rand(5, 3, 2, dtype=torch.float64))


@pytest.mark.parametrize(("name", "eps"), [("f", "1e-4"), ("kernel-density", "1e-2"), ("standardise", "1e-6")])
def test_every_chain_of_a_construction_is_found(name: str, eps: str) -> None:
    """All that is left are units that bend once: none folds a channel."""
    network = build(name, eps)
    for layers, known, later in sides(network):
        found = nodes(layers, known, later, ULP)
        chains = [node for node in found if node.squares]
        assert sum(np.log2(node.last + 1) + 1 for node in chains) + len(found) - len(chains) == sum(one.units for one in layers)
        assert not any(set(node.reads) & set(node.writes) for node in found)
        assert len(chains) > 0


@pytest.mark.parametrize(("name", "eps"), [("f", "1e-4"), ("kernel-density", "1e-2"), ("standardise", "1e-4")])
def test_every_chain_of_a_construction_rounded_to_float32_is_looked_up(name: str, eps: str) -> None:
    network, tables = build(name, eps), 0
    for side, same in zip(sides(network.rounded(np.float32)), sides(network), strict=True):
        looked_up, closed = nodes(*side, ULP), nodes(*same, ULP)
        assert all(node.squares or node.pieces is not None for node in looked_up if node.last)  # squares: float32 numbers before
        tables += sum(node.pieces is not None for node in looked_up)
        assert sum(not node.last for node in looked_up) == sum(not node.last for node in closed)
        assert len(levels(looked_up)) == len(levels(closed))
    assert tables > 0


def sides(network: MeanSumformer) -> list[tuple[tuple[ReluLayer, ...], set[str], set[str]]]:
    means = {mean_of(channel) for channel in network.pooled}
    known = {*network.tokens, *(channel for layer in network.phi for channel in layer.writes)}
    later = {*network.pooled, *network.readout, *(channel for layer in network.psi for channel in layer.reads)}
    return [(network.phi, set(network.tokens), later), (network.psi, known | means, set(network.readout))]


M = 6


def chain(*, extra: ReluLayer | None = None, at: int = 3) -> MeanSumformer:
    """x^2 by six folds, with a linear part towards a second channel; a further layer may look on or interfere."""
    head = ReluLayer(("x.0",), np.array([[2.0]]), np.zeros(1), ("t", "a", "b"), np.array([[1.0, -(2 - 2.0 ** (1 - M)), 0.75]]))
    folds = [ReluLayer(("t",), np.ones((1, 1)), np.array([-(0.5**s)]), ("t", "a"),
                       np.array([[-2.0, 4 * (0.5**s - 0.5**M)]])) for s in range(M)]
    layers = [head, *folds]
    if extra is not None:
        layers.insert(at, extra)
    return MeanSumformer(("x.0",), (), (), tuple(layers), ("a", "b"), np.eye(2), np.zeros(2))


def changed(network: MeanSumformer, layer: int, part: str, place: tuple[int, ...], value: float) -> MeanSumformer:
    array = getattr(network.psi[layer], part).copy()
    array[place] = value
    layers = [replace(one, **{part: array}) if k == layer else one for k, one in enumerate(network.psi)]
    return replace(network, psi=tuple(layers))


def plain_and_chains(network: MeanSumformer, precision: float = ULP) -> tuple[int, int]:
    layers, known, later = sides(network)[1]
    found = nodes(layers, known, later, precision)
    return sum(not node.last for node in found), sum(bool(node.last) for node in found)


READER = ReluLayer(("a",), np.ones((1, 1)), np.array([0.25]), ("b",), np.ones((1, 1)))
INTRUDER = ReluLayer(("x.0",), np.ones((1, 1)), np.zeros(1), ("t",), np.full((1, 1), 0.125))
TOKENS = np.concatenate([np.linspace(-0.5, 1.5, 2049), np.random.default_rng(0).random(999)]).reshape(-1, 2, 1)
DAMAGE: dict[str, Callable[[], MeanSumformer]] = {
    "a knot moved": lambda: changed(chain(), 3, "bias", (0,), -0.2500001),
    "a fold weakened": lambda: changed(chain(), 2, "W_2", (0, 0), -1.75),
    "a fold read twice as strongly": lambda: changed(chain(), 2, "W_1", (0, 0), 2.0),
    "the channel started at another scale": lambda: changed(chain(), 0, "W_2", (0, 0), 1.0000001),
    "its sum is read half-way": lambda: chain(extra=READER),
    "another unit adds to the folded channel": lambda: chain(extra=INTRUDER),
    "the folded channel is read out": lambda: replace(chain(), readout=("t", "b")),
    "the folded channel is there before": lambda: replace(chain(), phi=(INTRUDER,)),
}


def test_a_chain_is_one_node_and_its_linear_parts_are_kept() -> None:
    assert plain_and_chains(chain()) == (0, 1)
    assert far(chain(), TOKENS) < 1e-14
    assert plain_and_chains(changed(chain(), 0, "W_2", (0, 1), -1.5)) == (0, 1)  # more of the unit that starts it: still linear
    assert far(changed(chain(), 0, "W_2", (0, 1), -1.5), TOKENS) < 1e-14
    rounding = changed(chain(), 4, "W_2", (0, 1), np.nextafter(0.4375, 1))
    assert plain_and_chains(rounding) == (0, 1)
    assert far(rounding, TOKENS) < 1e-14


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_not_exactly_a_chain_is_followed_unit_by_unit(name: str) -> None:
    network = DAMAGE[name]()
    assert plain_and_chains(network)[0] >= M + 1
    assert plain_and_chains(network)[1] == 0
    assert far(network, TOKENS) < 1e-14


OTHER_WEIGHTS: dict[str, Callable[[], MeanSumformer]] = {
    "a weight inside the chain": lambda: changed(chain(), 4, "W_2", (0, 1), 0.4375 * (1 + 1e-11)),
    "a weight of the first fold": lambda: changed(chain(), 1, "W_2", (0, 1), 3.9),
}


@pytest.mark.parametrize("name", OTHER_WEIGHTS)
def test_a_chain_with_other_weights_is_looked_up(name: str) -> None:
    network = OTHER_WEIGHTS[name]()
    assert plain_and_chains(network) == (0, 2)  # one for each channel it adds to
    assert far(network, TOKENS) < 1e-14
    assert np.abs(network(TOKENS) - chain()(TOKENS)).max() > 1e-13


def with_weights(head: list[float], folds: list[list[float]]) -> MeanSumformer:
    """A chain of any length on W_0 = relu(2 x + 1/4) that adds to ``a`` and ``b``, with the weights of W_0 and of each fold."""
    first = ReluLayer(("x.0",), np.array([[2.0]]), np.array([0.25]), ("t", "a", "b"), np.array([[1.0, *head]]))
    rest = [ReluLayer(("t",), np.ones((1, 1)), np.array([-(0.5**s)]), ("t", "a", "b"), np.array([[-2.0, *weights]]))
            for s, weights in enumerate(folds)]
    return MeanSumformer(("x.0",), (), (), (first, *rest), ("a", "b"), np.eye(2), np.zeros(2))


PAIRS = st.lists(st.floats(-4, 4), min_size=2, max_size=2)


@settings(max_examples=100, deadline=None)
@given(PAIRS, st.lists(PAIRS, min_size=1, max_size=TABULATED), st.integers(-3, 3))
def test_a_chain_is_a_composition_of_hats_whatever_its_weights_are(head: list[float], folds: list[list[float]], k: int) -> None:
    network = with_weights(head, folds)
    assert plain_and_chains(network)[0] == 0
    knots = (np.arange(-8, 2**12 + 8) / 2.0**11 + k * 2.0**-40 - 0.25) / 2  # where it bends, and beside it
    assert far(network, np.concatenate([knots, TOKENS.ravel()]).reshape(-1, 2, 1)) < 1e-13


def test_a_chain_with_other_weights_and_too_many_folds_is_followed_unit_by_unit() -> None:
    for folds, expected in ((TABULATED, (0, 2)), (TABULATED + 1, (TABULATED + 2, 0))):
        network = with_weights([0.5, -1.0], [[3.9 * 0.5**s, 0.1] for s in range(folds)])
        assert plain_and_chains(network) == expected
        assert far(network, TOKENS) < 1e-14


def test_what_is_looked_up_at_no_number_is_no_number() -> None:
    network = with_weights([0.5, -1.0], [[3.9, 0.1], [1.0, 1.0]])
    values = CompiledMeanSumformer(network)(torch.tensor([[[float("nan")], [0.25]]], dtype=torch.float64))
    assert torch.isnan(values[0, 0]).all()
    assert torch.isfinite(values[0, 1]).all()


def test_every_damaged_chain_is_another_function() -> None:
    """Otherwise following the changed weights would show nothing."""
    sound = chain()(TOKENS)
    for name in list(DAMAGE)[:4]:
        assert np.abs(DAMAGE[name]()(TOKENS) - sound).max() > 1e-13, name


def test_a_chain_whose_sum_is_read_before_it_starts_or_after_it_ends_is_still_one() -> None:
    for at, layer in ((1, INTRUDER), (M + 1, READER)):
        network = chain(extra=replace(layer, writes=("b",)), at=at)
        assert plain_and_chains(network) == (1, 1)
        assert far(network, TOKENS) < 1e-14


def test_what_depends_on_means_alone_is_evaluated_once_a_sequence() -> None:
    """standardise: the variance and 1 / sqrt need no token; the product with the token does."""
    network = build("standardise", "1e-4")
    layers, known, later = sides(network)[1]
    means = [mean_of(channel) for channel in network.pooled]
    constant, own, channels = split(nodes(layers, known, later, ULP), means, known - set(means))
    assert len(constant) > 40
    assert {channel for node in constant for channel in node.reads} <= channels
    assert 0 < len(own) < 5


def test_a_channel_of_the_means_that_changes_after_a_token_read_it_is_not_shared() -> None:
    one, zero = np.ones((1, 1)), np.zeros(1)
    psi = (ReluLayer(("mean.x.0",), one, zero, ("c",), one),
           ReluLayer(("c", "x.0"), np.ones((2, 1)), zero, ("o",), one),
           ReluLayer(("mean.x.0",), 2 * one, zero, ("c",), one))
    network = MeanSumformer(("x.0",), (), ("x.0",), psi, ("o", "c"), np.eye(2), np.zeros(2))
    tokens = np.arange(-8, 8).reshape(4, 4, 1) / 4
    assert np.array_equal(CompiledMeanSumformer(network)(torch.from_numpy(tokens)).numpy(), network(tokens))


NAMES = ("x.0", "a", "b", "c")


@st.composite
def networks(draw: st.DrawFn) -> MeanSumformer:
    """Layers that read and write the same few channels in place, means included, with small dyadic weights."""
    def layers(known: list[str], count: int) -> tuple[ReluLayer, ...]:
        found = []
        for _ in range(count):
            reads = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2, unique=True))
            writes = draw(st.lists(st.sampled_from([*NAMES[1:], *known]), min_size=1, max_size=2, unique=True))
            units = draw(st.integers(1, 2))
            size = len(reads) * units + units + units * len(writes)
            values = np.array(draw(st.lists(st.integers(-2, 2), min_size=size, max_size=size)), dtype=np.float64)
            W_1, bias, W_2 = np.split(values, [len(reads) * units, len(reads) * units + units])
            found.append(ReluLayer(tuple(reads), W_1.reshape(-1, units), bias / 2, tuple(writes), W_2.reshape(units, -1)))
            known += [channel for channel in writes if channel not in known]
        return tuple(found)

    known = ["x.0"]
    phi = layers(known, draw(st.integers(0, 3)))
    pooled = draw(st.lists(st.sampled_from(known), max_size=2, unique=True))
    known += [mean_of(channel) for channel in pooled]
    psi = layers(known, draw(st.integers(0, 6)))
    readout = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    return MeanSumformer(("x.0",), phi, tuple(pooled), psi, tuple(readout), np.ones((len(readout), 1)), np.zeros(1))


@settings(max_examples=200, deadline=None)
@given(networks(), st.lists(st.integers(-8, 8), min_size=8, max_size=8))
def test_random_networks_that_update_channels_in_place_are_evaluated_exactly(network: MeanSumformer, values: list[int]) -> None:
    """All numbers are dyadic and small, so that sums are exact in any order."""
    tokens = np.array(values).reshape(2, 4, 1) / 4
    assert np.array_equal(CompiledMeanSumformer(network)(torch.from_numpy(tokens)).numpy(), network(tokens))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 4.0]), st.integers(-20, 20), st.integers(-3, 3)), min_size=80,
                max_size=130))
def test_a_table_of_units_that_rise_and_fall_is_exact(units: list[tuple[float, int, int]]) -> None:
    weight, bias, out = (np.array(column, dtype=np.float64) for column in zip(*units, strict=True))
    layer = ReluLayer(("x.0",), weight[None], bias / 2, ("a", "x.0"), np.stack([out, out[::-1]], axis=1))
    network = MeanSumformer(("x.0",), (layer,), ("a",), (), ("x.0", "mean.a"), np.ones((2, 1)), np.zeros(1))
    tokens = np.arange(-64, 64).reshape(2, 64, 1) / 4
    assert np.array_equal(CompiledMeanSumformer(network)(torch.from_numpy(tokens)).numpy(), network(tokens))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [1.0, 0.7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_table_far_from_zero_rounds_as_its_units_do(dtype: torch.dtype, scale: float, sign: int) -> None:
    """The intercepts of its lines are 10^4 times as large as anything that its units add up to."""
    knots, jumps = 8192 + np.arange(64) / 64, np.random.default_rng(0).uniform(-1, 1, 64).astype(np.float32).astype(np.float64)
    weight, bias = np.full(64, float(np.float32(sign * scale))), (-sign * scale * knots).astype(np.float32).astype(np.float64)
    layer = ReluLayer(("x.0",), weight[None], bias, ("a",), jumps[:, None])
    network = MeanSumformer(("x.0",), (layer,), (), (), ("a",), np.ones((1, 1)), np.zeros(1))
    compiled = CompiledMeanSumformer(network, "cpu", dtype)
    assert [type(one).__name__ for level in compiled._phi.levels for one in level] == ["Table"]
    tokens = torch.linspace(8191.5, 8193.5, 999, dtype=torch.float64).to(dtype)[:, None, None]
    exact = network(np.vectorize(Fraction)(tokens.numpy().astype(np.float64)))
    hidden = np.maximum(tokens.numpy().astype(np.float64)[:, 0] * weight + bias, 0)
    arguments = 0 if scale == 1 else 2 * 8192 * np.abs(jumps).sum()  # products that are rounded
    allowed = float(torch.finfo(dtype).eps) / 2 * (66 * hidden @ np.abs(jumps) + 1.1 * arguments)
    assert (np.abs(compiled(tokens).numpy().astype(np.float64) - exact.astype(np.float64))[:, 0, 0] <= allowed).all()


@pytest.mark.parametrize("scale", [0.7, -0.7, 3.0])
def test_a_table_of_units_that_are_added_is_never_below_zero(scale: float) -> None:
    """So are hats and their means, of which logarithms are taken."""
    knots = 1 + np.arange(64) / 64
    writes = np.stack([np.ones(64), np.eye(64)[30]], axis=1)
    layer = ReluLayer(("x.0",), np.full((1, 64), scale), -scale * knots, ("a", "b"), writes)
    network = MeanSumformer(("x.0",), (layer,), (), (), ("a", "b"), np.eye(2), np.zeros(2))
    tokens = np.concatenate([knots + k * 2.0**-52 for k in range(-3, 4)])
    values = CompiledMeanSumformer(network)(torch.from_numpy(tokens[:, None, None])).numpy()
    assert values.min() == 0
    assert not values[(tokens - knots[30]) * scale < -(2.0**-50), 0, 1].any()


def test_sums_of_a_table_are_exact_and_rounded_once() -> None:
    """Added up in double or extended precision, nothing is left of the unit that the two large ones do not cancel."""
    large, rest = 2.0**80, np.ones(61)
    layer = ReluLayer(("x.0",), np.ones((1, 64)), -np.arange(64.0), ("a",), np.array([large, 1, -large, *rest])[:, None])
    compiled = CompiledMeanSumformer(MeanSumformer(("x.0",), (layer,), (), (), ("a",), np.ones((1, 1)), np.zeros(1)))
    (table,) = compiled._phi.levels[0]
    assert isinstance(table, Table)
    assert table.slopes[0, :5].tolist() == [0, large, large, 1, 2]
    assert table.values[0, :5].tolist() == [0, 0, large, 2 * large, 2 * large]


def test_what_a_table_cannot_hold_is_infinite() -> None:
    layer = ReluLayer(("x.0",), np.ones((1, 64)), -np.arange(64.0), ("a",), np.full((64, 1), 1e308))
    values = CompiledMeanSumformer(MeanSumformer(("x.0",), (layer,), (), (), ("a",), np.ones((1, 1)), np.zeros(1)))
    assert values(torch.tensor([[[0.5], [9.0]]], dtype=torch.float64)).flatten().tolist() == [5e307, np.inf]


@pytest.mark.parametrize("weight", [2.0**-1070, -(2.0**-1070)])
def test_units_without_a_knot_are_in_no_table(weight: float) -> None:
    layer = ReluLayer(("x.0",), np.append(weight, np.full(48, np.sign(weight)))[None], np.append(1.0, np.arange(48) / 64), ("a",),
                      np.ones((49, 1)))
    network = MeanSumformer(("x.0",), (layer,), (), (), ("a",), np.ones((1, 1)), np.zeros(1))
    assert far(network, np.linspace(-2, 2, 99).reshape(-1, 1, 1)) < 1e-13


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("name", "eps"), CASES)
def test_it_agrees_with_the_network_on_a_gpu(name: str, eps: str) -> None:
    network = build(name, eps)
    tokens = np.random.default_rng(0).random((500, 3, len(network.tokens)))
    values = CompiledMeanSumformer(network, "cuda")(torch.from_numpy(tokens).cuda()).cpu().numpy()
    assert np.abs(values - network(tokens)).max() < 1e-12
