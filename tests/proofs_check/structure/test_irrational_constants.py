"""Irrational constants anywhere: the run is certified without the builder's analysis, another constant in the text is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.domains import Box
from constructions.storage import store_mean
from constructions.targets.target import Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate
from proofs_check.run_files import RunFiles
from uat import pipeline
from uat.request import Request


@cache
def constructed(text: str, d: int, n: int, eps: str) -> tuple[ContinuousConstruction, Request]:
    request = Request(text, eps, d=d, n=n, domain="1/2,1", architecture="sumformer", method="sum-decomposition")
    target = request.resolved(n)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, request.heads(), limits=request.limits())
    return construction, request


def stored(text: str, d: int = 1, n: int = 3, eps: str = "1/50") -> RunFiles:
    construction, request = constructed(text, d, n, eps)
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": {**claim, "bound": eps}})


def without_the_builder(run: RunFiles) -> Certificate | None:
    """Return the certificate where it does not rest on the builder's analysis."""
    verdict = certify(run)
    if not isinstance(verdict, Certificate) or any("error analysis" in assumption for assumption in verdict.assumptions):
        return None
    return verdict


ADDED = ("sqrt(2)*mean(y)", "pi*x*mean(y)", "mean(y)/sqrt(2) + x*exp(1)", "x**0.3*mean(y) + log(2)", "sin(1)*x - pi")
INSIDE = ("mean(exp(pi*x*y))", "sin(pi*x)*mean(y)", "exp(mean(y)*sqrt(2))", "mean(tanh(y/log(3)))", "mean(sin(pi*(x+y)))",
          "sin(pi*x+mean(y)*log(3))", "sin((pi*x+1)*mean(y))", "relu(x-2/pi)*mean(y)", "maximum(x, mean(y)*exp(1)/3)",
          "mean(y)/(pi+mean(y**2))", "sum(exp(x*y/sqrt(2))*y)/sum(exp(x*y/sqrt(2)))", "abs(1-pi)*mean(y)", "max(y/pi)/3")
PLANE = ("exp(x[0]/pi+mean(y[1])*sqrt(2))/9", "mean(exp((x[0]*y[0]+x[1]*y[1])/sqrt(2)))")


@pytest.mark.parametrize(("text", "d"), [*((text, 1) for text in (*ADDED, *INSIDE)), *((text, 2) for text in PLANE)])
def test_a_run_is_certified_without_an_assumption_about_the_builder(text: str, d: int) -> None:
    verdict = without_the_builder(stored(text, d, 2 if d > 1 else 3))
    assert verdict is not None
    (identity,) = (step for step in verdict.steps if step.id == "sum-decomposition")
    assert identity.bound == 0
    construction = constructed(text, d, 2 if d > 1 else 3, "1/50")[0]
    for n in (2, 3, 64) if construction.every_n else (construction.target.n,):
        tokens = np.random.default_rng(n).uniform(0.5, 1, (200, n, d))
        target = Target.from_text(text, n=n, box=Box.parse("1/2,1", d))
        assert np.abs(construction.sumformer(tokens) - target.numpy(tokens)).max() <= float(verdict.proved_bound) + 1e-12


@pytest.mark.parametrize(("text", "other"), [
    (ADDED[0], "1.5*mean(y)"), (ADDED[1], "3.2*x*mean(y)"), (ADDED[0], "sqrt(2)*x"),
    (INSIDE[0], "mean(exp(3.141592653589793*x*y))"), (INSIDE[1], "sin(3.2*x)*mean(y)"),
    (INSIDE[2], "exp(mean(y)*sqrt(3))"), (INSIDE[5], "sin(pi*x+mean(y)*log(4))"),
    (INSIDE[7], "relu(x-2.1/pi)*mean(y)"), (INSIDE[9], "mean(y)/(3.2+mean(y**2))")])
def test_a_run_whose_text_has_another_constant_is_not_certified(text: str, other: str) -> None:
    run = stored(text)
    run.plan.update(expression=other, target=other)
    run.certificate["claim"].update(expression=other, target=other)
    assert without_the_builder(run) is None


@pytest.mark.parametrize("text", [INSIDE[1], INSIDE[2], INSIDE[5], ADDED[1]])
def test_a_constant_of_the_hint_that_is_changed_is_noticed(text: str) -> None:
    """The exact constants in trees and coefficients are replaced by numbers that are off by 10^-12: no identity is left."""
    run = stored(text)
    hint = json.dumps(run.network["derivation"])
    for constant, other in (("pi", "(3141592653590/1000000000000)"), ("sqrt(2)", "(1414213562373/1000000000000)"),
                            ("log(3)", "(1098612288668/1000000000000)")):
        hint = hint.replace(constant, other)
    assert hint != json.dumps(run.network["derivation"])
    run.network["derivation"] = json.loads(hint)
    assert without_the_builder(run) is None


@pytest.mark.parametrize("text", [INSIDE[1], INSIDE[4], ADDED[1]])
def test_a_weight_moved_until_sampling_shows_it_is_noticed(text: str) -> None:
    run, construction = stored(text), constructed(text, 1, 3, "1/50")[0]
    tokens = np.random.default_rng(0).uniform(0.5, 1, (300, 3, 1))
    wanted, name = construction.target.numpy(tokens), "readout.W_out"
    original = np.array(run.arrays[name])
    amount = 1e-3
    while True:
        moved = original.copy()
        moved[np.unravel_index(np.abs(moved).argmax(), moved.shape)] += amount
        network = replace(construction.sumformer, W_out=moved)
        if np.abs(network(tokens) - wanted).max() > 1.01 / 50:
            break
        amount *= 1.3
    run.arrays[name] = moved
    assert without_the_builder(run) is None


def test_a_bound_below_what_rounding_a_constant_costs_is_not_certified() -> None:
    run = stored(ADDED[0])
    verdict = without_the_builder(run)
    assert verdict is not None
    assert verdict.proved_bound > 0
    run.certificate["claim"].update(bound=str(verdict.proved_bound * Fraction(99, 100)))
    assert without_the_builder(run) is None
