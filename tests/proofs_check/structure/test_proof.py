"""Whole proofs by structure: the case table, every length at once, and claims that sampling shows to be false."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of, run
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood
from uat import pipeline
from uat.request import Request

CASES = ["f", "own-times-mean", "standardise", "kernel-density", "soft-rank", "smooth-maximum", "figure-2", "moments", "median",
         "obstruction", "range"]
LENGTHS = (2, 3, 16, 256)


@cache
def built(name: str, eps: str) -> tuple[ContinuousConstruction, Claim]:
    request = Request(name, eps, method="sum-decomposition", architecture="sumformer")
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, (), limits=request.limits())
    return construction, pipeline.claim_of(construction)


def proof(construction: ContinuousConstruction, claim: Claim, network: MeanSumformer | None = None) -> Proved:
    return prove(network or construction.sumformer, construction.compiled.derivation, construction.target, claim)


def _reproduced(name: str, eps: str) -> None:
    construction, claim = built(name, eps)
    found = proof(construction, claim)
    assert found.identities
    assert found.bound <= min(1.2 * float(construction.bound), float(construction.tolerance))


@pytest.mark.parametrize("name", CASES)
def test_the_builders_bound_is_reproduced_from_the_weights(name: str) -> None:
    _reproduced(name, "1/2" if name == "obstruction" else "1e-2")


FINER = ["f", "own-times-mean", "standardise", "kernel-density", "smooth-maximum", "figure-2", "moments"]


@pytest.mark.parametrize("name", FINER)
def test_it_is_reproduced_at_a_finer_tolerance(name: str) -> None:
    _reproduced(name, "1e-4")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("median", "obstruction", "range")])
def test_it_is_reproduced_at_the_finest_tolerance(name: str) -> None:
    _reproduced(name, "1e-6")


@pytest.mark.parametrize("name", ["standardise", "kernel-density"])
def test_squares_that_several_polynomials_share_count_once(name: str) -> None:
    construction, claim = built(name, "1e-6")
    assert proof(construction, claim).bound <= 0.98 * float(construction.bound)


@pytest.mark.parametrize("changes", [{"every_n": True}, {"n": 4}, {"n": 2}])
def test_what_the_own_token_leaves_to_the_others_holds_for_one_length(changes: dict[str, int]) -> None:
    construction, claim = built("figure-2", "1e-2")
    assert proof(construction, claim).identities
    target = Target.from_text(construction.target.text, n=changes.get("n", 3), box=construction.target.box)
    try:
        found = prove(construction.sumformer, construction.compiled.derivation, target, replace(claim, **changes))
    except NotUnderstood:
        return
    assert not found.identities


def sequences(d: int, n: int, count: int) -> np.ndarray:
    """Uniform sequences, and sequences of two values in any proportion."""
    rng = np.random.default_rng(n)
    values, uniform = rng.random((count, 2, d)), rng.random((count, n, d))
    mixed = np.where(rng.random((count, n, 1)) < rng.random((count, 1, 1)), values[:, :1], values[:, 1:])
    mixed[:, 0] = uniform[:, 0]
    return np.concatenate([uniform, mixed, np.round(mixed)])


@pytest.mark.parametrize("name", ["f", "standardise", "kernel-density", "smooth-maximum"])
def test_no_sequence_of_any_length_has_a_larger_error(name: str) -> None:
    construction, claim = built(name, "1e-2")
    found = proof(construction, claim)
    for n in LENGTHS:
        count = 400 if n < 100 else 100  # of a long one each token is an own token
        tokens, at_n = sequences(1, n, count), Target.from_text(construction.target.text, n=n, box=construction.target.box)
        error = float(np.abs(construction.sumformer(tokens) - at_n.numpy(tokens)).max())
        assert 0.2 * found.bound < error <= found.bound


def arrays_of(network: MeanSumformer) -> list[tuple[str, int, str]]:
    parts = [(part, i, name) for part, layers in (("phi", network.phi), ("psi", network.psi)) for i in range(len(layers))
             for name in ("W_1", "bias", "W_2")]
    return [*parts, ("readout", 0, "W_out"), ("readout", 0, "b_out")]


def changed(network: MeanSumformer, place: tuple[str, int, str], entry: tuple[int, ...], amount: float) -> MeanSumformer:
    """Return the network with one number moved."""
    part, i, name = place
    array = np.array(getattr(network if part == "readout" else getattr(network, part)[i], name))
    array[entry] += amount
    if part == "readout":
        return replace(network, **{name: array})
    layers: list[ReluLayer] = list(getattr(network, part))
    layers[i] = replace(layers[i], **{name: array})
    return replace(network, **{part: tuple(layers)})


def prefixes(network: MeanSumformer, tokens: np.ndarray) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    """Return the channels before each layer and before the readout: what is moved behind changes none of them."""
    known, found = {name: tokens[..., c] for c, name in enumerate(network.tokens)}, {}
    for i, layer in enumerate(network.phi):
        found["phi", i], known = known, layer(known)
    known = known | means(network, known)
    for i, layer in enumerate(network.psi):
        found["psi", i], known = known, layer(known)
    return {**found, ("readout", 0): known}


def means(network: MeanSumformer, known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {mean_of(channel): np.broadcast_to(known[channel].mean(axis=-1, keepdims=True), known[channel].shape)
            for channel in network.pooled}


def finished(network: MeanSumformer, part: str, i: int, known: dict[str, np.ndarray]) -> np.ndarray:
    """Evaluate from a layer on."""
    if part == "phi":
        known = run(network.phi[i:], known)
        part, i, known = "psi", 0, known | means(network, known)
    known = run(network.psi[i:], known) if part == "psi" else known
    return network.read(known, known[network.tokens[0]].shape)


def test_the_most_sensitive_entry_of_each_array_moved_until_sampling_shows_it_is_noticed() -> None:
    """Moved just so far that a sampled error exceeds the claim; then no bound up to the claim may be proved."""
    construction, claim = built("f", "5e-2")
    network, target = construction.sumformer, construction.target
    tokens = sequences(1, 3, 300)
    few = tokens[::6]  # only for the choice of an entry
    wanted, before = target.numpy(tokens), network(few)
    bound, before_layers = float(claim.bound), prefixes(network, tokens)
    noticed = 0
    for place in arrays_of(network):
        part, i, name = place
        assert np.abs(finished(network, part, i, before_layers[part, i])[::6] - before).max() < 1e-12
        array = getattr(network if part == "readout" else getattr(network, part)[i], name)
        entries = [tuple(entry) for entry in np.argwhere(array)]
        if not entries:
            continue
        effect = [float(np.abs(changed(network, place, entry, 1e-6)(few) - before).max()) for entry in entries[:12]]
        entry = entries[int(np.argmax(effect))]
        def contradicts(amount: float, place: tuple[str, int, str] = place, entry: tuple[int, ...] = entry) -> bool:
            found = finished(changed(network, place, entry, amount), *place[:2], before_layers[place[:2]])
            return bool(np.abs(found - wanted).max() > 1.01 * bound)

        seen = next((amount for amount in 10.0 ** np.arange(-6, 3) if contradicts(amount)), None)
        if seen is None:
            continue  # no sampled sequence follows this array
        less, amount = seen / 10, seen
        while amount > 1.3 * less:
            between = float(np.sqrt(less * amount))
            less, amount = (less, between) if contradicts(between) else (between, amount)
        noticed += 1
        try:
            found = proof(construction, claim, changed(network, place, entry, amount))
        except NotUnderstood:
            continue
        assert found.bound > bound, place
    assert noticed > 30


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -1e308, 1e-300, 5e-324])
def test_weights_at_the_ends_of_the_format_prove_nothing_false(value: float) -> None:
    construction, claim = built("own-times-mean", "1e-2")
    layer = construction.sumformer.psi[0]
    W_1 = np.array(layer.W_1)
    W_1[0, 0] = value
    network = replace(construction.sumformer, psi=(replace(layer, W_1=W_1), *construction.sumformer.psi[1:]))
    with np.errstate(all="ignore"):
        tokens = sequences(1, 3, 100)
        error = np.abs(network(tokens) - construction.target.numpy(tokens)).max()
    try:
        found = proof(construction, claim, network)
    except NotUnderstood:
        return
    assert error <= found.bound


def test_a_kink_between_all_samples_is_not_overlooked() -> None:
    """A spike of height 0.1 on an interval of length 1e-9 that the readout adds: no random sequence meets it."""
    construction, claim = built("own-times-mean", "1e-2")
    network, width = construction.sumformer, 1e-9
    spike = ReluLayer(("x.0",), np.full((1, 3), 1.0), -0.3 + np.array([width, 0.0, -width]), ("spike",),
                      np.array([[1.0], [-2.0], [1.0]]) * 0.1 / width)
    wrong = replace(network, psi=(*network.psi, spike), readout=(*network.readout, "spike"),
                    W_out=np.concatenate([network.W_out, [[1.0]]]))
    at_spike = np.array([[[0.3], [0.5], [0.7]]])
    assert float(np.abs(wrong(at_spike) - construction.target.numpy(at_spike)).max()) > 0.05
    try:
        found = proof(construction, claim, wrong)
    except NotUnderstood:
        return
    assert found.bound > 0.09


def test_a_bound_just_below_a_sampled_error_is_not_reached() -> None:
    construction, claim = built("own-times-mean", "1e-2")
    found = proof(construction, claim)
    tokens = np.array([[[a], [b], [b]] for a in np.linspace(0, 1, 65) for b in np.linspace(0, 1, 65)])
    error = float(np.abs(construction.sumformer(tokens) - construction.target.numpy(tokens)).max())
    assert 0.98 * error < found.bound


def test_a_hint_about_another_function_proves_nothing() -> None:
    construction, claim = built("own-times-mean", "1e-2")
    other = Target.from_text("x*mean(y)+x*(1-x)*1/1000", n=3, box=construction.target.box)
    found = prove(construction.sumformer, construction.compiled.derivation, other, replace(claim, bound=Fraction(1, 100)))
    assert not found.identities
