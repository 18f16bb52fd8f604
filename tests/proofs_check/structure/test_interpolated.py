"""Kernels between straight lines, read off the weights: the bound holds for every network, and is the builder's for its own."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.domains import Box
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.number_formats import FLOAT32
from constructions.targets import expression as ex
from constructions.targets.evaluation import evaluate, numpy_algebra
from constructions.targets.target import Target
from proofs_check.enclosures.interval import Interval
from proofs_check.kernel import Claim
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.straight_lines import Lines, kernel_range, largest_gap
from tests.kernels import kernel
from uat import pipeline
from uat.request import Request

TEXTS = ("mean(abs(x-y))", "mean(exp(-abs(x-y)))", "x*mean(maximum(x,y**2))", "mean(abs(y-mean(y)))", "mean(relu(2*x-y-1/3)**2)",
         "mean(relu(exp(-x)-y**2)**2*y)/(2+mean(y))", "x*mean(abs(exp(-x)-y))",
         "sum(exp(-abs(x-y)/2)*y)/sum(exp(-abs(x-y)/2))", "mean(minimum(x,y)*sin(3*y)),mean(abs(mean(y**2)-y))")
OF_TWO = ("mean(abs(x[0]-y[0])*y[1])", "mean(abs(x[0]+x[1]-2*y[0]-y[1]+1/3)*(y[1]-y[0]))", "mean(abs(x[0]*x[1]-y[0]*y[1]))",
          "mean(abs(x[0]-relu(y[0]-y[1]))*abs(y[0]+y[1]-1))", "mean(abs(y[0]-mean(y[0]))*sin(3*y[1]*y[0]))",
          "sum(exp(-abs(x[0]-y[0])/2)*y[1])/sum(exp(-abs(x[0]-y[0])/2))",
          "x[1]*mean(exp(x[1]-y[1]-abs(x[0]-y[0]))),mean(relu(x[1]-y[0])*(y[1]-1))")
KERNELS = ("abs(x[0]-x[1])", "exp(-abs(x[0]-x[1]))*x[1]", "maximum(x[0],x[1]**2)", "sin(3*x[0]*x[1])", "relu(x[0]-x[1]-1/7)")


@cache
def built(text: str, eps: str = "1/20") -> tuple[ContinuousConstruction, Claim]:
    request = Request(text, eps, method="sum-decomposition", architecture="sumformer", d=2 if text in OF_TWO else 1)
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, (), limits=request.limits())
    return construction, pipeline.claim_of(construction)


def proof(text: str, network: MeanSumformer | None = None, hint: Any = None) -> Proved:
    construction, claim = built(text)
    return prove(network or construction.sumformer, hint or construction.compiled.derivation, construction.target, claim)


def at(K: ex.Expression, pairs: np.ndarray) -> np.ndarray:
    return np.asarray(evaluate([K], pairs.reshape(-1, 1, 2), numpy_algebra())).reshape(pairs.shape[:-1])


def worst(network: MeanSumformer, text: str, rng: np.random.Generator) -> float:
    """Return the largest error met: few values in many proportions, near the cuts and anywhere."""
    error, d = 0.0, len(network.tokens)
    for n in (2, 3, 16, 200):
        target = Target.from_text(text, n=n, box=Box((Fraction(0),) * d, (Fraction(1),) * d))
        some = rng.random((64, 4, d))
        some[32:, 0] = some[32:, 0].round()
        tokens = some[np.arange(64)[:, None], rng.integers(0, rng.integers(1, 5, 64)[:, None], (64, n))]
        error = max(error, float(np.abs(network(tokens) - target.numpy(tokens)).max()))
    return error


@pytest.mark.parametrize("text", [*TEXTS, *OF_TWO])
def test_the_builders_bound_is_reproduced_for_every_length(text: str) -> None:
    construction, claim = built(text)
    found = proof(text)
    assert claim.every_n
    assert found.identities
    assert found.bound <= min(1.2 * float(construction.bound), float(construction.tolerance))
    assert worst(construction.sumformer, text, np.random.default_rng(0)) <= found.bound


@pytest.mark.parametrize("text", [OF_TWO[0], OF_TWO[1], OF_TWO[5]])
def test_float32_weights_are_read(text: str) -> None:
    """Hinges then bend by rounding where they are straight over the reals: that costs as much, and no pair."""
    request = Request(text, "1/10", method="sum-decomposition", d=2)
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, (), number_format=FLOAT32)
    found = prove(construction.sumformer, construction.compiled.derivation, target, pipeline.claim_of(construction))
    assert worst(construction.sumformer, text, np.random.default_rng(1)) <= found.bound <= float(construction.bound)


def test_for_long_sequences_the_bound_is_nearly_attained() -> None:
    """Three quarters of the tokens on one side of a cell, one on the other: W/16, and e besides (docs/theorem.md)."""
    found, network, error = proof("mean(abs(x-y))"), built("mean(abs(x-y))")[0].sumformer, 0.0
    target = Target.from_text("mean(abs(x-y))", n=1000, box=Box((Fraction(0),), (Fraction(1),)))
    for x in np.linspace(0.3, 0.7, 40):
        for share in (250, 750):
            tokens = np.concatenate([[x], np.zeros(share), np.ones(999 - share)])[None, :, None]
            error = max(error, float(np.abs(network(tokens) - target.numpy(tokens)).max()))
    assert 0.95 * found.bound <= error <= found.bound


def changed(network: MeanSumformer, rng: np.random.Generator, size: float) -> MeanSumformer:
    """Move one number of one layer by a relative amount."""
    part, layers = rng.choice(["phi", "psi"]), {"phi": list(network.phi), "psi": list(network.psi)}
    at = rng.integers(len(layers[part]))
    layer: ReluLayer = copy.deepcopy(layers[part][at])
    array = [layer.W_1, layer.bias, layer.W_2][rng.integers(3)]
    places = np.argwhere(array)
    assume(len(places) > 0)
    array[tuple(places[rng.integers(len(places))])] *= 1 + size
    layers[part][at] = layer
    return replace(network, phi=tuple(layers["phi"]), psi=tuple(layers["psi"]))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*TEXTS[:5], *OF_TWO[:3]]), st.integers(0, 2**32), st.floats(-2, 2))
def test_a_number_that_was_moved_is_never_proved_away(text: str, seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    network = changed(built(text)[0].sumformer, rng, size * 10.0 ** -rng.integers(0, 5))
    try:
        found = proof(text, network)
    except NotUnderstood:
        return
    assert worst(network, text, rng) <= found.bound * (1 + 1e-9)


def _with_tree(text: str, tree: str) -> Any:
    hint = copy.deepcopy(dict(built(text)[0].compiled.derivation))
    for entry in hint["quantities"]:
        if entry["kind"] == "interpolated-kernel":
            entry["tree"] = tree
    return hint


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize(("terms", "constant"), [({"q0": "1"}, "0"), ({"q1": "21/20"}, "0"), ({"q1": "1"}, "1/50"), ({}, "1/2"),
                                                 ({"q1": "1", "q0": "1/1000"}, "0")])
def test_another_argument_or_weight_is_seen_to_be_another(place: int, terms: dict[str, str], constant: str) -> None:
    """The hint says v = y[0] and w = y[1]; nothing that it says of these instead is proved of the network."""
    text = OF_TWO[0]
    hint = copy.deepcopy(dict(built(text)[0].compiled.derivation))
    entry = next(one for one in hint["quantities"] if one["kind"] == "interpolated-kernel")
    other = {"terms": {"q0" if place == 1 and name == "q1" else "q1" if place == 1 else name: c for name, c in terms.items()},
             "constant": constant}
    entry["of"][place] = other
    try:
        found = proof(text, hint=hint)
    except NotUnderstood:
        return
    assert not found.identities


@pytest.mark.parametrize(("tree", "least"), [
    ("21/20*abs(x[0]-x[1])", 0.05 - 0.025),
    ("abs(x[0]-x[1])+relu(1/20-50000000*abs(x[0]-3/10))", 0.05 - 0.025),  # a spike of width 2e-9
    ("abs(x[0]-x[1])+relu(1/10-100000000*abs(x[1]-1/3))", 0.10 - 0.025)])
def test_another_kernel_is_seen_to_be_another(tree: str, least: float) -> None:
    try:
        found = proof("mean(abs(x-y))", hint=_with_tree("mean(abs(x-y))", tree))
    except NotUnderstood:
        return
    assert not found.identities
    assert found.bound >= least


@pytest.mark.parametrize("entry", [{"tree": "abs(x[0]-x[1])+abs(x[2])"}, {"of": []},
                                   {"of": [{"terms": {"q0": "1"}, "constant": "0"}]}])
def test_a_hint_of_another_shape_is_refused(entry: dict[str, Any]) -> None:
    hint = copy.deepcopy(dict(built("mean(abs(x-y))")[0].compiled.derivation))
    next(one for one in hint["quantities"] if one["kind"] == "interpolated-kernel").update(entry)
    with pytest.raises(NotUnderstood):
        proof("mean(abs(x-y))", hint=hint)


def test_units_that_do_not_belong_together_cost_what_they_miss() -> None:
    text = "mean(abs(x-y))"
    network = built(text)[0].sumformer
    last = copy.deepcopy(network.psi[-1])
    bent = next(k for k in range(last.units) if np.count_nonzero(last.W_1[:, k]) > 2 and last.W_2[k].any())
    last.W_2[bent] *= 0.75
    other = replace(network, psi=(*network.psi[:-1], last))
    assert proof(text).bound < worst(other, text, np.random.default_rng(0)) <= proof(text, other).bound


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KERNELS), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32))
def test_the_gap_holds_on_a_lattice_and_is_close(text: str, cells: int, pieces: int, seed: int) -> None:
    rng, K = np.random.default_rng(seed), kernel(text)
    cuts, knots = np.sort(rng.random(cells + 1)), np.sort(rng.random(pieces + 1))
    assume(np.diff(cuts).min() > 0.01 and np.diff(knots).min() > 0.01)
    lines = Lines(cuts, knots, rng.random((cells, pieces + 1)), rng.random((cells, pieces + 1)))
    bound, met = largest_gap(K, lines, 0.0), 0.0
    for i in range(cells):
        for j in range(pieces):
            q, s = np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41))
            held = ((1 - q) * lines.left[i, j] + q * lines.right[i, j]) * (1 - s)
            held += ((1 - q) * lines.left[i, j + 1] + q * lines.right[i, j + 1]) * s
            pairs = np.stack([cuts[i] + q * (cuts[i + 1] - cuts[i]), knots[j] + s * (knots[j + 1] - knots[j])], axis=-1)
            met = max(met, float(np.abs(held - at(K, pairs)).max()))
    assert met <= bound * (1 + 1e-12)
    assert bound <= 1.08 * met + 1e-6


def test_a_gap_that_is_undefined_somewhere_is_infinite() -> None:
    lines = Lines(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.zeros((1, 2)), np.zeros((1, 2)))
    assert largest_gap(kernel("log(abs(x[0]-x[1]))"), lines, 0.0) == np.inf
    assert largest_gap(kernel("1/(x[0]-x[1])"), lines, 0.0) == np.inf


@given(st.sampled_from(KERNELS), st.integers(0, 2**32))
def test_the_range_holds(text: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (a, b), (c, e) = (np.sort(rng.random(2)) for _ in range(2))
    values, slopes = kernel_range(kernel(text), Interval.of(a, b), Interval.of(c, e))
    u, y = a + (b - a) * rng.random(50), c + (e - c) * rng.random(50)
    met = at(kernel(text), np.stack([u, y], axis=-1))
    assert float(values.lower) <= met.min()
    assert met.max() <= float(values.upper)
    for slope, other in zip(slopes, ([np.minimum(u + 1e-6, b), y], [u, np.minimum(y + 1e-6, e)]), strict=True):
        moved = at(kernel(text), np.stack(other, axis=-1)) - met
        assert (np.abs(moved) <= float(slope.magnitude()) * 1e-6 + 1e-14).all()


def test_a_square_without_folds_is_held_in_no_channel() -> None:
    """sin(5 x) takes a Chebyshev polynomial so small that its square has no folds: the network has no channel for it."""
    target = Target.from_text("3*mean(abs(x-y)*sin(5*x))", n=3, box=Box((Fraction(0),), (Fraction(2),)))
    construction = construct_continuous(target, Fraction(1, 100), "sum-decomposition", ())
    held = {channel for entry in construction.compiled.derivation["quantities"] for channel in entry["held"]["channels"]}
    assert held <= set(construction.sumformer.channels)
    found = prove(construction.sumformer, construction.compiled.derivation, target, pipeline.claim_of(construction))
    assert found.bound <= 1.05 * float(construction.bound)
