"""Certificates of continuous constructions: what is certified, and that a changed file, claim or head is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.storage import load_mean_sumformer, store_mean
from constructions.targets.target import Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Verdict
from proofs_check.run_files import RunFiles
from proofs_check.sampling import sample
from proofs_check.witness import confirmed, evaluator, in_balls, largest_deviation, probing_sequences, thresholds_of
from uat import pipeline
from uat.request import Request

REQUESTS = {
    "product": (Request("x*mean(y)", "1/100", linformer_k=3), "sum-decomposition"),
    "attention": (Request("f", "1/20", n=3), "sum-decomposition"),
    "largest": (Request("max", "1/20", n=3), "sum-decomposition"),
    "cubic": (Request("figure-2", "1/2", n=3), "power-sums"),
    "sorted": (Request("range", "1/10", n=3), "order-statistics"),
    "float32": (Request("x*mean(y)", "1/100", precision="float32"), "sum-decomposition"),
    "position": (Request("mean(y)*i/n", "1/50", positional=True), "sum-decomposition"),
    "plane": (Request("(x[0]*mean(y[1]), mean(exp(x[1]*y[0])))", "1/20", n=2, d=2), "sum-decomposition"),
}


@cache
def built(name: str) -> tuple[ContinuousConstruction, RunFiles]:
    request, method = REQUESTS[name]
    target = request.resolved(request.lengths()[0])[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), method, request.heads(), limits=request.limits(),
                                        number_format=request.number_format())
    stored = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        stored.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return construction, RunFiles(stored.arrays, {}, network, plan, {"claim": claim})


def fresh(name: str) -> RunFiles:
    run = built(name)[1]
    arrays = {key: np.array(array) for key, array in run.arrays.items()}
    return RunFiles(arrays, {}, *(copy.deepcopy(part) for part in (run.network, run.plan, run.certificate)))


def proved(run: RunFiles) -> Verdict:
    return certify(run)


@pytest.mark.parametrize("name", REQUESTS)
def test_an_untouched_run_is_certified_with_shares_that_add_up(name: str) -> None:
    construction, _ = built(name)
    verdict = proved(fresh(name))
    assert isinstance(verdict, Certificate), verdict
    assert verdict.proved_bound == construction.bound <= construction.tolerance
    assert sum(step.bound for step in verdict.steps) == verdict.proved_bound
    assert verdict.claim.every_n is construction.every_n
    assert any("error analysis" in assumption for assumption in verdict.assumptions)


def test_what_holds_for_every_length_says_so_and_what_does_not_does_not() -> None:
    assert built("product")[0].every_n
    assert built("attention")[0].every_n
    assert built("position")[0].every_n
    assert not built("largest")[0].every_n
    assert not built("sorted")[0].every_n
    assert not built("cubic")[0].every_n


def _nudge(array: str) -> Callable[[RunFiles], None]:
    def damage(run: RunFiles) -> None:
        place = np.unravel_index(int(np.argmax(np.abs(run.arrays[array]))), run.arrays[array].shape)
        run.arrays[array][place] = np.nextafter(run.arrays[array][place], np.inf)
    return damage


def _claim(**changes: object) -> Callable[[RunFiles], None]:
    return lambda run: run.certificate["claim"].update(changes)


def _halved(run: RunFiles) -> None:
    run.certificate["claim"]["bound"] = str(Fraction(run.certificate["claim"]["bound"]) / 2)


DAMAGES: dict[str, Callable[[RunFiles], None]] = {
    "a weight of phi or psi moves by one unit in the last place": _nudge("psi.1.W_1"),
    "a bias moves by one unit in the last place": _nudge("psi.1.bias"),
    "a jump moves by one unit in the last place": _nudge("psi.0.W_2"),
    "the readout moves": _nudge("readout.W_out"),
    "the head's values move": _nudge("transformer.blocks.0.attention.W_V"),
    "the head's queries are not 0": lambda run: run.arrays["transformer.blocks.0.attention.W_Q"].__setitem__((0, 0), 1.0),
    "a Linformer projection moves": _nudge("linformer.blocks.0.attention.F"),
    "an array is missing": lambda run: run.arrays.pop("psi.0.bias") is None,
    "an array is added": lambda run: run.arrays.update({"psi.99.bias": np.zeros(1)}),
    "a layer reads another channel": lambda run: run.network["psi"][0]["reads"].reverse(),
    "another channel is pooled": lambda run: run.network["pooled"].append("x.0"),
    "the claim is about another expression": _claim(expression="x*mean(y)+0"),
    "the claim is about a larger domain": _claim(domain=[["0", "2"]]),
    "the claim is about fewer networks": _claim(networks=["sumformer"]),
    "the claimed bound is half of what was proved": _halved,
    "the claimed bound is negative": _claim(bound="-1/100"),
    "the plan asks for another tolerance": lambda run: run.plan.update(eps="1/10"),
    "the plan names another method": lambda run: run.plan.update(method="power-sums"),
    "the plan names another format": lambda run: run.plan.update(number_format="float32"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_not_certified(damage: str) -> None:
    run = fresh("product")
    DAMAGES[damage](run)
    assert not isinstance(proved(run), Certificate)


def test_a_bound_for_one_length_cannot_be_claimed_for_every_length() -> None:
    run = fresh("largest")
    run.certificate["claim"]["every_n"] = True
    assert not isinstance(proved(run), Certificate)


def test_pooling_is_multiplied_out_and_not_only_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the derivation itself made a wrong head, the pooling step refutes it."""
    monkeypatch.setattr("proofs_check.continuous._difference", lambda run, built: "")
    run = fresh("product")
    run.arrays["transformer.blocks.0.attention.W_V"] *= 1.0001
    verdict = proved(run)
    assert not isinstance(verdict, Certificate)
    assert "1.0001 times the mean" in verdict.reason


@pytest.mark.parametrize("name", REQUESTS)
def test_the_worst_sampled_error_is_below_the_bound_at_every_length_it_is_about(name: str) -> None:
    construction, _ = built(name)
    target, sumformer = construction.target, construction.sumformer
    for n in (2, 3, 16, 64) if construction.every_n else (target.n,):
        at_n = Target.from_text(target.text, n=n, box=target.box, positional=target.positional)
        found = sample(at_n, evaluator(sumformer, at_n, "cpu"), target.box, n, thresholds_of(sumformer, at_n), 4000, "cpu", 1)
        assert 0 < confirmed(at_n, sumformer, found).maximum <= construction.bound


@pytest.mark.parametrize("name", ["product", "attention", "largest", "float32"])
def test_architectures_agree_with_the_sumformer_to_rounding(name: str) -> None:
    import torch

    construction, _ = built(name)
    dtype = torch.float32 if name == "float32" else torch.float64
    tokens = probing_sequences(construction.sumformer, construction.target, 8, 0, dtype)
    for architecture in construction.architectures:
        gap = largest_deviation(architecture, construction.sumformer, tokens, dtype)
        assert gap <= (1e-5 if name == "float32" else 1e-12)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_over_the_rationals_an_architecture_is_the_sumformer(name: str) -> None:
    """The naive oracle: dense matrix products over fractions, block by block."""
    from constructions.architectures import assemble_mean

    sumformer = built("product")[0].sumformer
    tokens = np.array([[Fraction(1, 3)], [Fraction(5, 7)], [Fraction(1)], [Fraction(0)]], dtype=object)
    exact = assemble_mean(sumformer, pooling_head(name, linformer_k=2), 4).reference(tokens)
    gap = max(abs(a - b) for a, b in zip(exact.ravel(), sumformer(tokens).ravel(), strict=True))
    assert gap == 0  # n = 4: 1/n is a float64 number


def test_balls_contain_the_float_evaluation_and_the_stored_network_is_read_back() -> None:
    from flint import arb

    construction, run = built("attention")
    again = load_mean_sumformer(run.arrays, run.network)
    tokens = np.random.default_rng(0).random((4, 1))
    balls = in_balls(again, np.frompyfunc(lambda v: arb(float(v)), 1, 1)(tokens))
    floats = construction.sumformer(tokens)
    assert all(abs(float(ball.mid()) - value) < 1e-12 for ball, value in zip(balls.ravel(), floats.ravel(), strict=True))
