"""Everything the compiler builds is re-proved from weights and target text, and what is certified survives sampling."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tests.proofs_check.runs as runs
from constructions.construct import construct, construct_within, plan
from constructions.domains import Box
from constructions.errors import Refused
from constructions.moduli import Modulus, derived
from constructions.storage import load_sumformer, store
from constructions.targets.target import Target
from proofs_check.certify import TRUST, certify, read_target
from proofs_check.kernel import Certificate, Claim, Status, Undecided, reached
from proofs_check.propositions import Evaluated
from proofs_check.run_files import RunFiles
from proofs_check.sampling import sample
from proofs_check.witness import confirmed, evaluator, thresholds_of
from tests.proofs_check.runs import ASSUMED, REQUESTS, built, fresh, made, outcome
from tests.strategies import samples
from uat import pipeline
from uat.request import Request


@pytest.mark.parametrize("name", REQUESTS)
def test_a_fresh_construction_is_certified_below_its_tolerance(name: str) -> None:
    construction, _, run = built(name)
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    assert verdict.status is (Status.ASSUMED if name in ASSUMED else Status.CERTIFIED)
    assert verdict.proved_bound <= verdict.claim.bound <= construction.plan.tolerance
    assert verdict.proved_bound == sum(step.bound for step in verdict.steps)
    assert {step.id for step in verdict.steps} >= {
        "quantiser-covers", "decode-left-inverse", "modulus", "piecewise-constant-error", "value-rounding", "evaluation"}
    assert set(TRUST) <= set(verdict.assumptions)


@pytest.mark.parametrize("name", ASSUMED)
def test_a_declared_constant_is_named_among_the_assumptions(name: str) -> None:
    verdict = certify(built(name)[2])
    assert isinstance(verdict, Certificate)
    assert any("Lipschitz constant at most 2 (declared" in assumption for assumption in verdict.assumptions)


def test_what_is_summed_over_integers_says_nothing_of_floating_point() -> None:
    verdict = certify(built("huge integers")[2])
    assert isinstance(verdict, Certificate)
    assert not [step for step in reached([verdict.conclusion]) if isinstance(step.says, Evaluated)]
    assert "nothing is claimed of floating point" in {step.id: step for step in verdict.steps}["evaluation"].statement
    assert [step for step in certify(built("product")[2]).steps if isinstance(step.says, Evaluated)]


@pytest.mark.parametrize("name", ["product", "plane", "packed", "thirds", "wide", "float32"])
def test_the_worst_sampled_error_of_a_certified_run_is_below_its_bound(name: str) -> None:
    construction, _, run = built(name)
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    assert worst_error(run) <= verdict.proved_bound
    assert worst_error(run) > verdict.proved_bound / 4  # the search sees something
    assert construction.value_radius > 0


def worst_error(run: RunFiles, count: int = 2000) -> float:
    """Return a confirmed lower bound of the error of the stored Sumformer."""
    target, sumformer = read_target(run.plan, import_callable=False), load_sumformer(run.arrays, run.exact, run.network)
    found = sample(target, evaluator(sumformer, target, "cpu"), target.box, target.n, thresholds_of(sumformer, target),
                   count, "cpu", 0)
    return confirmed(target, sumformer, found).maximum


def test_a_moved_table_value_makes_the_claim_false_and_not_only_unproved() -> None:
    run = fresh("product")
    run.arrays["nodes.3.values"][7] += 0.75
    assert not isinstance(outcome(run), Certificate)
    assert worst_error(run) > Fraction(run.certificate["claim"]["bound"])


def test_a_misplaced_rank_threshold_makes_the_claim_false_and_not_only_unproved() -> None:
    run = fresh("product")
    run.arrays["nodes.2.thresholds"][:-1] = run.arrays["nodes.2.thresholds"][1:] - 0.25
    assert not isinstance(outcome(run), Certificate)
    assert worst_error(run) > Fraction(run.certificate["claim"]["bound"])


def test_the_steps_that_are_known_before_a_rejection_are_still_reported() -> None:
    run = fresh("product")
    run.arrays["transformer.blocks.2.attention.W_V"][:] = 0
    verdict = outcome(run)
    assert not isinstance(verdict, Certificate)
    assert {"quantiser-covers", "decode-left-inverse"} <= {step.id for step in verdict.steps}


def test_a_lipschitz_constant_out_of_the_boxes_budget_is_undecided_and_not_refuted() -> None:
    verdict = certify(built("f")[2], max_boxes=1)
    assert isinstance(verdict, Undecided)
    assert "not proved within" in verdict.reason


def test_a_grid_whose_values_are_rounded_coarsely_is_finer_so_that_the_bound_stays_within_eps() -> None:
    """In float32 the first plan's bound is above eps: how much the values are rounded is known when they are."""
    request = Request("sin(40*mean(y))", "1/20", n=2, precision="float32", method="grid", architecture="transformer")
    target, planned, heads = pipeline.prepare(request, 2)
    assert construct(target, planned, heads).bound > request.tolerance()
    built = construct_within(target, request.tolerance(), heads, number_format=request.number_format())
    assert built.bound <= request.tolerance()
    assert built.plan.cells > planned.cells
    assert built.value_radius > request.tolerance() / 1024


def test_rounding_of_values_beyond_eps_is_refused_as_that() -> None:
    request = Request("1000+x/1000", "1/20000", n=2, precision="float32", method="grid")
    target, _, heads = pipeline.prepare(request, 2)
    with pytest.raises(Refused, match="rounding table values in float32 takes"):
        construct_within(target, request.tolerance(), heads, number_format=request.number_format())


def test_jumps_beyond_the_largest_number_are_not_evaluated_exactly() -> None:
    """The values fit float32, up to 2.25e38; a jump from the lowest to the highest does not."""
    verdicts = [certify(made(Request(f"{scale}*x", scale, n=2, domain="-3,3", precision="float32"))[2])
                for scale in ("1e38", "1")]
    assert isinstance(verdicts[0], Undecided)
    assert "overflow" in verdicts[0].reason
    assert isinstance(verdicts[1], Certificate)


def test_exactly_the_sum_of_the_shares_is_certified() -> None:
    run = fresh("product")
    full = certify(run)
    assert isinstance(full, Certificate)
    run.certificate["claim"]["bound"] = str(full.proved_bound)
    assert isinstance(certify(run), Certificate)


def test_a_larger_claim_than_the_steps_prove_is_certified_with_the_smaller_bound() -> None:
    run = fresh("product")
    proved = certify(run)
    run.certificate["claim"]["bound"] = "1/2"
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    assert isinstance(proved, Certificate)
    assert verdict.proved_bound == proved.proved_bound


def test_a_callable_that_is_not_a_number_at_a_cell_middle_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    run = fresh("callable")
    middle = 0.5  # of the third of five cells; the samples that test equivariance do not meet it

    def holed(tokens: np.ndarray) -> np.ndarray:
        values = tokens * tokens.mean(axis=-2, keepdims=True)
        return np.where(np.abs(tokens - middle) < 1e-9, np.nan, values)

    monkeypatch.setattr(runs, "own_times_mean", holed)
    assert not isinstance(outcome(run), Certificate)


def test_a_callable_that_returns_something_else_than_the_table_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "own_times_mean", lambda tokens: tokens * tokens.mean(axis=-2, keepdims=True) + 1e-6)
    assert not isinstance(outcome(fresh("callable")), Certificate)


def run_of(target: Target, tolerance: Fraction, modulus: Modulus) -> RunFiles:
    """Build a Sumformer for a target that has no name."""
    construction = construct(target, plan(target, tolerance, (), modulus=modulus, max_table=4000), ())
    stored = store(construction.sumformer, ())
    record = pipeline.plan_record(construction, Request(target.text, str(tolerance)))
    return RunFiles(stored.arrays, stored.exact, stored.network, record, {"claim": pipeline.claim_of(construction).to_json()})


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(sampled=samples(d=1, n=2, depth=2), fineness=st.fractions(min_value=Fraction(1, 4), max_value=Fraction(2)))
def test_whatever_is_certified_for_a_random_expression_bounds_what_sampling_finds(sampled: object, fineness: Fraction) -> None:
    target = Target.from_text(sampled.text, n=2, box=Box.parse("0,1", 1))  # type: ignore[attr-defined]
    try:
        modulus = derived(target, max_boxes=300)
        assume(0 < modulus.lipschitz <= 200)
        coarse, fine = fineness * modulus.lipschitz / 4, fineness * modulus.lipschitz / 8
        verdicts = []
        for tolerance in (coarse, fine):
            run = run_of(target, tolerance, modulus)
            verdict = certify(run, max_boxes=3000)
            if isinstance(verdict, Certificate):
                assert worst_error(run, 500) <= verdict.proved_bound <= tolerance
                verdicts.append(verdict)
    except Refused:
        return
    if len(verdicts) == 2:
        assert verdicts[1].proved_bound <= verdicts[0].proved_bound


def test_the_claim_of_a_run_is_read_back_as_it_was_stated() -> None:
    construction, _, run = built("plane")
    assert Claim.from_json(run.certificate["claim"]) == pipeline.claim_of(construction)
