"""Kernels of four variables: proved from the weights, near the builder's bound, and never below a sampled error."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.network.relu import MeanSumformer
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure import separated
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.test_proof import arrays_of, changed, sequences
from uat import pipeline
from uat.request import Request

ATTRACTION = "mean(1/(1+(x[0]-y[0])**2+(x[1]-y[1])**2))"
BILINEAR = "mean(1/(2+x[0]*y[0]+x[1]*y[1]))"
CASES = {ATTRACTION: "1e-1", BILINEAR: "3e-2"}


@cache
def built(text: str, eps: str) -> tuple[ContinuousConstruction, Claim]:
    request = Request(text, eps, d=2, method="sum-decomposition", architecture="sumformer")
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, (), limits=request.limits())
    return construction, pipeline.claim_of(construction)


def proof(text: str, network: MeanSumformer | None = None, hint: Any = None, claim: Claim | None = None) -> Proved:
    construction, stated = built(text, CASES[text])
    hint = hint or construction.compiled.derivation
    return prove(network or construction.sumformer, hint, construction.target, claim or stated)


def sampled(construction: ContinuousConstruction, network: MeanSumformer, n: int = 3, count: int = 200) -> float:
    tokens, target = sequences(2, n, count), construction.target
    with np.errstate(all="ignore"):
        return float(np.abs(network(tokens) - Target.from_text(target.text, n=n, box=target.box).numpy(tokens)).max())


@pytest.mark.parametrize("text", CASES)
def test_the_bound_is_near_the_builders_and_holds_at_every_length(text: str) -> None:
    construction, claim = built(text, CASES[text])
    found = proof(text)
    assert claim.every_n
    assert found.identities
    assert found.bound <= 1.2 * float(construction.bound)
    for n in (2, 3, 16):
        assert 0.05 * found.bound < sampled(construction, construction.sumformer, n) <= found.bound


@pytest.mark.slow
def test_gravity_in_the_plane_needs_no_error_analysis_of_the_builders() -> None:
    construction, claim = built("gravity-2d", "1e-2")
    found = prove(construction.sumformer, construction.compiled.derivation, construction.target, claim)
    assert found.identities
    assert found.bound <= float(construction.bound)
    assert sampled(construction, construction.sumformer, 3, 2000) <= found.bound


def test_weights_moved_until_sampling_shows_it_are_noticed() -> None:
    construction, claim = built(ATTRACTION, CASES[ATTRACTION])
    network, bound = construction.sumformer, float(claim.bound)
    noticed = 0
    for place in arrays_of(network)[::5]:
        part, i, name = place
        entries = np.argwhere(getattr(network if part == "readout" else getattr(network, part)[i], name))
        if not len(entries):
            continue
        entry, amount = tuple(entries[0]), 1e-3
        while amount < 100 and sampled(construction, changed(network, place, entry, amount), count=40) <= 1.01 * bound:
            amount *= 2
        if amount >= 100:
            continue
        noticed += 1
        try:
            found = proof(ATTRACTION, changed(network, place, entry, amount))
        except NotUnderstood:
            continue
        assert found.bound > bound, place
    assert noticed > 3


@pytest.mark.parametrize("text", CASES)
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(place=st.integers(0, 10_000), entry=st.integers(0, 10_000), amount=st.sampled_from([1e-6, -1e-3, 0.02, -0.5, 3.0]))
def test_any_weight_moved_by_anything_is_in_the_bound(text: str, place: int, entry: int, amount: float) -> None:
    construction, _ = built(text, CASES[text])
    network = construction.sumformer
    places = arrays_of(network)
    part, i, name = places[place % len(places)]
    array = getattr(network if part == "readout" else getattr(network, part)[i], name)
    moved = changed(network, (part, i, name), tuple(np.unravel_index(entry % array.size, array.shape)), amount)
    try:
        found = proof(text, moved)
    except NotUnderstood:
        return
    assert sampled(construction, moved) <= found.bound


@pytest.mark.parametrize(("before", "after"), [("(1 + (x[0]", "(1001/1000 + (x[0]"), ("(x[1] - x[3])**2", "(x[1] - x[3])**4"),
                                               ("x[0] - x[2]", "x[2] - x[1]"), ("(x[0] - x[2])**2", "exp(x[0] * x[2])")])
def test_a_hint_about_another_kernel_shows_nothing(before: str, after: str) -> None:
    construction, claim = built(ATTRACTION, CASES[ATTRACTION])
    hint = copy.deepcopy(construction.compiled.derivation)
    (kernel,) = (entry for entry in hint["quantities"] if entry["kind"] == "kernel")
    assert before in kernel["tree"]
    kernel["tree"] = kernel["tree"].replace(before, after)
    try:
        found = proof(ATTRACTION, hint=hint)
    except NotUnderstood:
        return
    assert not found.identities or found.bound > float(claim.bound)


@pytest.mark.parametrize("damage", [{"tokens": ["q1", "q0"]}, {"tokens": ["q0", "q0"]}])
def test_a_hint_with_other_tokens_shows_nothing(damage: dict[str, Any]) -> None:
    construction, _ = built(BILINEAR, CASES[BILINEAR])
    hint = copy.deepcopy(construction.compiled.derivation)
    (kernel,) = (entry for entry in hint["quantities"] if entry["kind"] == "kernel")
    kernel.update(damage)
    try:
        found = proof(BILINEAR, hint=hint)
    except NotUnderstood:
        return
    assert not found.identities


def test_however_small_the_claim_the_bound_is_above_a_sampled_error() -> None:
    construction, claim = built(BILINEAR, CASES[BILINEAR])
    found = proof(BILINEAR, claim=replace(claim, bound=Fraction(1, 10**6)))
    assert found.bound >= sampled(construction, construction.sumformer) > 1e-4


def test_weights_that_float64_would_lose_are_not_understood() -> None:
    assert separated._rounded(fmpq(0)) == 0.0
    assert separated._rounded(fmpq(1, 3)) == 1 / 3
    for c in (fmpq(1, 2**1080), fmpq(-1, 2**1000), fmpq(3, 2**2000)):
        with pytest.raises(NotUnderstood, match="too small"):
            separated._rounded(c)
