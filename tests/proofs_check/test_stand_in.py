"""A fitted polynomial's claim is proved by subdivision, and a claim that is wrong, or a polynomial that is another, is not."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

from constructions.continuous import ContinuousConstruction, compile_target, construct_continuous
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
    data = store_mean(construction.sumformer, construction.architectures)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, REQUEST), pipeline.claim_of(construction).to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": claim})


def test_a_run_is_certified_with_the_proof_as_a_step() -> None:
    verdict = certify(stored())
    assert isinstance(verdict, Certificate), verdict
    assert verdict.proved_bound <= built()[1].bound <= REQUEST.tolerance()
    ids = [step.id for step in verdict.steps]
    assert "subdivision" in ids
    assert CLAIMED not in ids
    assert not verdict.claim.every_n


def with_missed(construction: ContinuousConstruction, missed: Fraction) -> ContinuousConstruction:
    """The same construction with another claim for the polynomial."""
    shares = tuple(replace(share, bound=missed) if share.id == CLAIMED else share for share in construction.compiled.shares)
    return replace(construction, compiled=replace(construction.compiled, shares=shares))


def test_an_understated_error_is_refuted() -> None:
    target, construction = built()
    found = polynomial_steps(target, with_missed(construction, Fraction(1, 10**5)), silent)
    assert [step.status for step in found] == [Status.PROVED, Status.REFUTED]
    assert "X = [" in found[-1].statement


def test_another_polynomial_is_refuted() -> None:
    target, construction = built()
    moved = tuple(ex.Binary("+", output, ex.Number(REQUEST.tolerance())) for output in construction.stands_in)
    assert polynomial_steps(target, replace(construction, stands_in=moved), silent)[-1].status is Status.REFUTED


def test_no_time_no_proof() -> None:
    target, construction = built()
    step = polynomial_steps(target, construction, silent, seconds=0.0)[-1]
    assert step.status is Status.UNDECIDED
    assert "not proved" in step.statement
    assert step.bound == 0


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
    data = store_mean(construction.sumformer, construction.architectures)
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
