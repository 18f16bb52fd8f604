"""A fitted polynomial's claim is proved by subdivision, and a claim that is wrong, or a polynomial that is another, is not."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

from constructions.continuous import ContinuousConstruction, compile_target, construct_continuous
from constructions.errors import BadInput
from constructions.progress import silent
from constructions.storage import store_mean
from constructions.sumformers import fitted
from constructions.targets import expression as ex
from constructions.targets.target import Target
from proofs_check import stand_in
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Refuted, Status, Undecided
from proofs_check.run_files import RunFiles
from proofs_check.stand_in import CLAIMED, polynomial_steps
from uat import pipeline
from uat.request import Request

REQUEST = Request("f", "1/50", n=3, method="fit")


@cache
def built() -> tuple[Target, ContinuousConstruction]:
    target = REQUEST.resolved(3)[0]
    assert isinstance(target, Target)
    return target, construct_continuous(target, REQUEST.tolerance(), "fit", REQUEST.heads())


def stored() -> RunFiles:
    construction = built()[1]
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, REQUEST), pipeline.claim_of(construction).to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": claim})


def test_a_run_is_certified_with_the_proof_as_a_step() -> None:
    verdict = certify(stored())
    assert isinstance(verdict, Certificate), verdict
    assert verdict.proved_bound <= REQUEST.tolerance()
    assert not any("error analysis" in assumption for assumption in verdict.assumptions)
    ids = [step.id for step in verdict.steps]
    assert "subdivision" in ids
    assert CLAIMED not in ids
    assert not verdict.claim.every_n


def test_an_understated_error_is_refuted() -> None:
    target, construction = built()
    found = polynomial_steps(target, construction.stands_in, Fraction(1, 10**5), silent)
    assert [step.status for step in found] == [Status.PROVED, Status.REFUTED]
    assert "X = [" in found[-1].statement


def test_another_polynomial_is_refuted() -> None:
    target, construction = built()
    moved = tuple(ex.Binary("+", output, ex.Number(REQUEST.tolerance())) for output in construction.stands_in)
    assert polynomial_steps(target, moved, construction.missed, silent)[-1].status is Status.REFUTED


def test_no_time_no_proof() -> None:
    target, construction = built()
    step = polynomial_steps(target, construction.stands_in, construction.missed, silent, seconds=0.0)[-1]
    assert step.status is Status.UNDECIDED
    assert "not proved" in step.statement
    assert step.bound == 0


@pytest.mark.parametrize("change", [{"missed": "1/1000000"}, {"missed": "-1"}, {"missed": "0"}])
def test_a_plan_that_says_something_else_is_not_certified(change: dict[str, str]) -> None:
    run = stored()
    assert not isinstance(certify(replace(run, plan={**run.plan, **change})), Certificate)


def test_a_plan_without_a_claim_leaves_the_derivation_which_proves_its_own() -> None:
    run = stored()
    verdict = certify(replace(run, plan={key: value for key, value in run.plan.items() if key != "missed"}))
    assert isinstance(verdict, Certificate)
    assert "subdivision" in [step.id for step in verdict.steps]
    assert any("error analysis" in assumption for assumption in verdict.assumptions)


def test_a_claim_that_is_too_large_adds_only_the_error_that_there_is() -> None:
    run = stored()
    verdict = certify(replace(run, plan={**run.plan, "missed": "1/60"}))
    assert not isinstance(verdict, Certificate) or verdict.proved_bound <= REQUEST.tolerance()


def test_the_network_of_another_target_is_refuted() -> None:
    """The run of a fitted polynomial for f, with another target in its plan: p is read from the network, not from the plan."""
    run = stored()
    expression = "sum(exp(2*x*y)*y)/sum(exp(2*x*y)) + x/20"
    claim = {**run.certificate["claim"], "expression": expression}
    verdict = certify(replace(run, plan={**run.plan, "expression": expression}, certificate={"claim": claim}))
    assert isinstance(verdict, Refuted)
    assert "misses" in verdict.reason


def test_a_malformed_plan_is_bad_input() -> None:
    run = stored()
    with pytest.raises(BadInput):
        certify(replace(run, plan={**run.plan, "missed": "much"}))


def test_a_proof_that_runs_out_of_time_gives_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "MOST_WAITING", 0)
    verdict = certify(stored())
    assert isinstance(verdict, Undecided)
    assert "subdivision" in verdict.reason


@pytest.mark.parametrize("share", [Fraction(1, 100), Fraction(9, 10)])
def test_a_builder_that_lies_about_its_fit_is_not_believed(share: Fraction, monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder understates what its polynomial misses: a run built in this belief is refuted."""
    honest = fitted.fit

    def lying(target: Target, tolerance: Fraction) -> fitted.Fitted:
        found = honest(target, tolerance)
        return replace(found, missed=found.missed * share / 2)

    monkeypatch.setattr("constructions.continuous.fit", lying)
    compile_target.cache_clear()
    target = built()[0]
    construction = construct_continuous(target, REQUEST.tolerance(), "fit", REQUEST.heads())
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    run = RunFiles(data.arrays, {}, data.network, pipeline.plan_record(construction, REQUEST),
                   {"claim": pipeline.claim_of(construction).to_json()})
    verdict = certify(run)
    compile_target.cache_clear()
    assert isinstance(verdict, Refuted | Undecided)
    assert share > Fraction(1, 2) or isinstance(verdict, Refuted)


def test_a_changed_weight_is_not_certified() -> None:
    run = stored()
    arrays = {name: array.copy() for name, array in run.arrays.items()}
    arrays["readout.b_out"][0] += 1e-3
    assert not isinstance(certify(replace(run, arrays=arrays)), Certificate)
