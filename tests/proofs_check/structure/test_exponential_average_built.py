"""Averages with exponential weights as they are built: certified, nothing assumed of the builder, and right when changed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
import pytest

from constructions import continuous
from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.storage import store_mean
from constructions.sumformers.sum_decomposition import decompose
from constructions.targets.target import Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Claim
from proofs_check.run_files import RunFiles
from proofs_check.structure.proof import prove
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.rounding import Arithmetic, Running
from tests.proofs_check.structure.handmade import bound_or_infinity
from tests.proofs_check.structure.test_proof import arrays_of, changed
from uat import pipeline
from uat.request import Request

Tokens = np.ndarray  # (sequences, own, y, coordinate)


@dataclass(frozen=True)
class Case:
    """A target, and k and s of it as functions of own tokens, other tokens, and sequences."""

    text: str
    k: Callable[[Tokens, Tokens, Tokens], np.ndarray]
    s: Callable[[Tokens], np.ndarray]
    eps: str = "5e-2"
    domain: str = "0,1"
    d: int = 1

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Evaluate on (sequences, n, d)."""
        x, y, whole = X[:, :, None], X[:, None], X.mean(axis=1)[:, None, None]
        weights = np.exp(self.k(x, y, whole))
        return np.asarray((weights * self.s(y)).sum(axis=2) / weights.sum(axis=2))


CASES = {
    "a product": Case("sum(exp(4*x*y)*y)/sum(exp(4*x*y))", lambda x, y, _: 4 * x[..., 0] * y[..., 0], lambda y: y[..., 0]),
    "a Gaussian": Case("sum(exp(-8*(x-y)**2)*y**2)/sum(exp(-8*(x-y)**2))", lambda x, y, _: -8 * (x - y)[..., 0] ** 2,
                       lambda y: y[..., 0] ** 2),
    "kinks": Case("sum(exp(-4*abs(x-y))*y)/sum(exp(-4*abs(x-y)))", lambda x, y, _: -4 * abs(x - y)[..., 0], lambda y: y[..., 0]),
    "least or largest twice": Case("sum(exp(2*x*y)*y**2)/sum(exp(2*x*y))", lambda x, y, _: 2 * x[..., 0] * y[..., 0],
                                   lambda y: y[..., 0] ** 2, domain="-1,1"),
    "of a mean": Case("sum(exp(6*mean(y)*y)*y)/sum(exp(6*mean(y)*y))", lambda x, y, m: 6 * m[..., 0] * y[..., 0],
                      lambda y: y[..., 0]),
    "values of their own": Case("sum(exp(3*x[0]*y[0])*y[1])/sum(exp(3*x[0]*y[0]))", lambda x, y, _: 3 * x[..., 0] * y[..., 0],
                                lambda y: y[..., 1], d=2),
    "the plane": Case(
        "sum(exp(3*x[0]*y[0]-2*x[1]*y[1])*y[0])/sum(exp(3*x[0]*y[0]-2*x[1]*y[1]))",
        lambda x, y, _: 3 * x[..., 0] * y[..., 0] - 2 * x[..., 1] * y[..., 1], lambda y: y[..., 0], eps="4e-1", d=2),
    "a Gaussian of the plane": Case(
        "sum(exp(-(x[0]-y[0])**2-(x[1]-y[1])**2)*(y[0]+y[1]**2))/sum(exp(-(x[0]-y[0])**2-(x[1]-y[1])**2))",
        lambda x, y, _: -((x - y) ** 2).sum(axis=-1), lambda y: y[..., 0] + y[..., 1] ** 2, eps="15e-1", domain="-1,1", d=2),
    "the plane, of a mean and a token": Case(
        "sum(exp(2*mean(y[1])*y[1]-3*x[0]*y[0])*y[1])/sum(exp(2*mean(y[1])*y[1]-3*x[0]*y[0]))",
        lambda x, y, m: 2 * m[..., 1] * y[..., 1] - 3 * x[..., 0] * y[..., 0], lambda y: y[..., 1], eps="5e-1", d=2),
}


@cache
def built(name: str) -> tuple[ContinuousConstruction, Claim, Request]:
    case = CASES[name]
    request = Request(case.text, case.eps, n=3, d=case.d, domain=case.domain)
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    in_logarithms = {"sum-decomposition": lambda t, _: decompose(t.symbolic, t.box.sides, t.n, logarithms=True)}
    with mock.patch.dict(continuous.CONSTRUCTIONS, in_logarithms):
        construction = construct_continuous(target, request.tolerance(), "sum-decomposition", request.heads(),
                                            limits=request.limits())
    return construction, pipeline.claim_of(construction), request


def bound_of(name: str, network: MeanSumformer | None = None, hint: dict[str, object] | None = None) -> float:
    """Return the proved bound, inf where nothing is proved."""
    construction, claim, _ = built(name)
    return bound_or_infinity(prove, network or construction.sumformer, hint or construction.compiled.derivation,
                             construction.target, claim)


def largest_error(name: str, network: MeanSumformer, count: int = 60) -> float:
    """Evaluate at random sequences, with tokens near each other, few values, and many tokens at one of them."""
    case, rng, worst = CASES[name], np.random.default_rng(0), 0.0
    low, high = map(float, case.domain.split(","))
    for n in (1, 2, 3, 40):
        X = rng.uniform(low, high, (6 + count // n, n, case.d))
        X[1::3] = np.clip(X[1::3, :1] + rng.normal(size=X[1::3].shape) * (high - low) / 20, low, high)
        X[2::3, 1:] = np.where(rng.random(X[2::3, 1:].shape) < 0.8, X[2::3, :1], X[2::3, 1:])
        worst = max(worst, float(np.abs(network(X)[..., 0] - case(X)).max()))
    return worst


@pytest.mark.parametrize("name", CASES)
def test_the_bound_of_the_builder_is_reached_and_no_sequence_has_a_larger_error(name: str) -> None:
    construction, _, _ = built(name)
    assert construction.every_n
    assert [entry["kind"] for entry in construction.compiled.derivation["quantities"]].count("exponential-average") == 1
    bound = bound_of(name)
    assert bound <= float(construction.bound)
    assert 0.03 * bound < largest_error(name, construction.sumformer, 600) <= bound


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if "a mean and" in name else name for name in CASES])
def test_a_run_is_certified_with_its_roundings_and_nothing_is_assumed_of_the_builder(name: str) -> None:
    construction, claim, request = built(name)
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, said = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, request), claim.to_json()))
    verdict = certify(RunFiles(data.arrays, {}, network, plan, {"claim": {**said, "bound": str(construction.tolerance)}}))
    assert isinstance(verdict, Certificate), verdict
    assert ("planar-average" if "plane" in name else "exponential-average") in [step.id for step in verdict.steps]
    assert not any("error analysis" in assumption for assumption in verdict.assumptions)
    half = str(Fraction(bound_of(name)) / 2)
    too_small = certify(RunFiles(data.arrays, {}, network, plan, {"claim": {**said, "bound": half}}))
    assert not isinstance(too_small, Certificate) or any("error analysis" in one for one in too_small.assumptions)


@pytest.mark.parametrize("name", CASES)
def test_whatever_weight_is_changed_no_sequence_has_a_larger_error(name: str) -> None:
    original, rng, decided = built(name)[0].sumformer, np.random.default_rng(1), 0
    for _ in range(10):
        places = arrays_of(original)
        place = places[rng.integers(len(places))]
        array = np.array(getattr(original if place[0] == "readout" else getattr(original, place[0])[place[1]], place[2]))
        entries = np.argwhere(array)
        if len(entries):
            entry = tuple(entries[rng.integers(len(entries))])
            amount = float(array[entry] * rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 0))
            moved = changed(original, place, entry, amount)
            bound = bound_of(name, moved)
            decided += bound < math.inf
            assert largest_error(name, moved) <= bound
    assert decided


def test_a_part_of_a_hat_in_the_place_of_the_other_one_is_named() -> None:
    construction, claim, _ = built("values of their own")
    network = construction.sumformer
    last = network.phi[-1]
    one, other = (last.writes[k] for k in np.flatnonzero(last.W_2[0]))
    turned = {one: other, other: one}
    exchanged = replace(network, pooled=tuple(turned.get(channel, channel) for channel in network.pooled))
    assert prove(exchanged, construction.compiled.derivation, construction.target, claim).bound == bound_of("values of their own")
    writes = tuple(turned.get(channel, channel) for channel in last.writes)
    exchanged = replace(network, phi=(*network.phi[:-1], replace(last, writes=writes)))
    with pytest.raises(NotUnderstood, match="starts with no table of a mean"):
        prove(exchanged, construction.compiled.derivation, construction.target, claim)


@pytest.mark.parametrize(("name", "number_format"), [
    ("a Gaussian", "float64"), ("a Gaussian", "float32"), ("values of their own", "float64"), ("the plane", "float64"),
    ("the plane", "float32"), ("a Gaussian of the plane", "float64"), ("a Gaussian of the plane", "float32")])
def test_what_is_computed_stays_within_the_bound_of_computed_numbers(name: str, number_format: str) -> None:
    construction, claim, _ = built(name)
    network = construction.sumformer
    real = prove(network, construction.compiled.derivation, construction.target, claim)
    running = Running(real.reading, Arithmetic.of(number_format, 2 * 64 + 60, 1.0))
    running.output_error(network)
    for layers, part in ((network.phi, "phi"), (network.psi, "psi")):
        assert all(np.isfinite(list(running.roundings.of_layers.get((part, at), {}).values())).all() for at in range(len(layers)))
    found = prove(network, construction.compiled.derivation, construction.target, claim, roundings=running.roundings)
    assert real.bound <= found.bound <= real.bound + (1e-6 if number_format == "float64" else 1e-1)


@pytest.mark.parametrize("number_format", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["a Gaussian", "kinks", "values of their own", "a Gaussian of the plane"])
def test_every_number_that_is_computed_is_in_its_range(name: str, number_format: type[np.floating[Any]]) -> None:
    construction, claim, _ = built(name)
    network, case, rng = construction.sumformer, CASES[name], np.random.default_rng(3)
    real = prove(network, construction.compiled.derivation, construction.target, claim)
    running = Running(real.reading, Arithmetic.of(number_format.__name__, 2 * 64 + 60, 1.0))
    running.output_error(network)
    X = rng.uniform(*map(float, case.domain.split(",")), (200, 5, case.d)).astype(np.float32).astype(number_format)
    X[::2, 1:] = np.where(rng.random(X[::2, 1:].shape) < 0.7, X[::2, :1], X[::2, 1:])
    known = {channel: X[..., c] for c, channel in enumerate(network.tokens)}

    def through(layers: Sequence[ReluLayer]) -> None:
        for layer in layers:
            hidden = np.maximum(np.stack([known[c] for c in layer.reads], -1) @ layer.W_1.astype(number_format)
                                + layer.bias.astype(number_format), number_format(0))
            added = hidden @ layer.W_2.astype(number_format)
            known.update({c: known.get(c, number_format(0)) + added[..., k] for k, c in enumerate(layer.writes)})

    through(network.phi)
    means = {mean_of(c): known[c].mean(axis=-1, keepdims=True, dtype=number_format) for c in network.pooled}
    known.update({c: np.broadcast_to(value, X.shape[:-1]) for c, value in means.items()})
    through(network.psi)
    weights_are_rounded = 0.0 if number_format is np.float64 else 1e-3
    for channel, values in known.items():
        low, high = running.computed.of[channel]
        assert values.dtype == number_format
        assert low - weights_are_rounded * (1 + abs(low)) <= values.min()
        assert values.max() <= high + weights_are_rounded * (1 + abs(high))


@pytest.mark.parametrize(("name", "field", "text"), [
    ("a product", "tree", "4*x[0]*x[1] + x[1]/50"), ("a Gaussian", "values", "x[0]"), ("kinks", "tree", "4*x[0]*x[1]"),
    ("kinks", "tree", "-4*abs(x[0] - x[1]) + x[1]/50"),
    ("values of their own", "values", "x[0]**2"), ("of a mean", "tree", "6*x[0]**2*x[1]"),
    ("the plane", "tree", "2*x[0]*x[1] - 3*x[2]*x[3]"), ("the plane", "values", "x[1]"),
    ("a Gaussian of the plane", "tree", "2*x[0]*x[1] - x[1]**2 + 2*x[2]*x[3]"),
    ("a Gaussian of the plane", "values", "x[0] + x[1]")])
def test_another_function_in_the_hint_is_noticed(name: str, field: str, text: str) -> None:
    hint = json.loads(json.dumps(built(name)[0].compiled.derivation))
    (average,) = (entry for entry in hint["quantities"] if entry["kind"] == "exponential-average")
    average[field] = text
    assert bound_of(name, hint=hint) == math.inf
