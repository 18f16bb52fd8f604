"""A root that reaches 0 is tabulated with it lifted; the checker holds the table to that text, and the text to f."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from constructions.errors import BadInput, Refused
from constructions.progress import silent
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Status, Undecided, reached
from proofs_check.propositions import Lipschitz
from proofs_check.run_files import RunFiles
from tests.proofs_check.runs import REQUESTS, fresh, made, outcome, said_to_be
from uat import pipeline
from uat.request import Request
from uat.sampling import sample_construction

ROOTS = {"kernel": ("mean(sqrt(abs(x-y)))", "1/4", 2), "cube root": ("x**(2/3)", "1/4", 2),
         "variance": ("(mean(y**2)-mean(y)**2)**0.7", "1/3", 2), "two": ("(sqrt(x), x*mean(y))", "1/3", 2)}
LIFTED = {name: Request(text, eps, n=n, method="grid") for name, (text, eps, n) in ROOTS.items()} | {"norm": REQUESTS["lifted"]}


def changed(run: RunFiles, **plan: Any) -> RunFiles:
    """Return the run with other entries in its plan."""
    return RunFiles(run.arrays, run.exact, run.network, {**run.plan, **plan}, run.certificate)


@pytest.mark.parametrize("name", LIFTED)
def test_it_is_certified_within_eps_and_no_sample_is_above(name: str) -> None:
    construction, _, run = made(LIFTED[name])
    verdict = certify(run)
    assert isinstance(verdict, Certificate), verdict
    assert verdict.proved_bound <= construction.bound <= construction.tolerance
    assert verdict.status is Status.CERTIFIED
    assert {"lifted-root", "definedness"} <= {step.id for step in verdict.steps}
    found = sample_construction(construction, LIFTED[name].lengths()[0], verdict.proved_bound, samples=100_000, device="cpu",
                                seed=1, report=silent)
    assert not found.refutes
    assert found.maximum > 0.3 * float(verdict.proved_bound)


@pytest.mark.parametrize("lifted", [
    "sqrt(mean(y[0]**2))", "sqrt(maximum(mean(y[0]**2), (1/4)))", "sqrt(maximum(mean(y[0]**2), (1/400)))+(1/100)",
    "sqrt(maximum(mean(y[0]), (1/300)))", "x[0]", "(x[0], x[0])", "sqrt(", ""])
def test_a_table_is_not_certified_by_another_text(lifted: str) -> None:
    assert not isinstance(outcome(changed(fresh("lifted"), lifted=lifted)), Certificate)


def test_without_its_text_nothing_is_shown() -> None:
    run = fresh("lifted")
    plan = {key: value for key, value in run.plan.items() if key != "lifted"}
    verdict = outcome(RunFiles(run.arrays, run.exact, run.network, plan, run.certificate))
    assert isinstance(verdict, Undecided)


def test_a_constant_declared_for_f_is_not_taken_for_another_function() -> None:
    """f is 1-Lipschitz, its square roots lifted it is a little steeper; what is stored about it is proved all the same."""
    verdict = certify(changed(fresh("lifted"), lipschitz_declared=True))
    assert isinstance(verdict, Certificate)
    assert not any("declared" in assumption for assumption in verdict.assumptions)
    steps = [step for step in reached([verdict.conclusion]) if isinstance(step.says, Lipschitz)]
    assert [step.status for step in steps] == [Status.CERTIFIED]
    too_small = certify(changed(fresh("lifted"), lipschitz_declared=True, lipschitz="1/2"))
    assert not isinstance(too_small, Certificate)


def test_slopes_of_the_lifted_text_do_not_show_that_f_is_defined() -> None:
    lifted, f = "sqrt(maximum(x-1/2, 1/400))", "sqrt(x-1/2)"
    verdict = certify(said_to_be(made(Request(lifted, "1/4", n=2, method="grid"))[2], f, lifted))
    assert isinstance(verdict, Undecided)
    assert {step.id: step.status for step in verdict.steps}["definedness"] is Status.UNDECIDED


def test_a_bound_that_leaves_out_how_far_the_text_is_from_f_is_not_certified() -> None:
    run = fresh("lifted")
    construction = made(LIFTED["norm"])[0]
    claim = {**run.certificate["claim"], "bound": str(construction.bound - construction.plan.missed / 2)}
    assert not isinstance(certify(RunFiles(run.arrays, run.exact, run.network, run.plan, {"claim": claim})), Certificate)


def test_a_damaged_table_is_not_certified() -> None:
    run = fresh("lifted")
    (values,) = (key for key in run.arrays if key == "nodes.3.values")
    run.arrays[values][0] += 1 / 16
    assert not isinstance(outcome(run), Certificate)


def test_a_callable_has_no_roots() -> None:
    request = Request("tests.proofs_check.runs:own_times_mean", "1/4", n=3, lipschitz="2", architecture="transformer")
    with pytest.raises(BadInput, match="no roots to lift"):
        certify(changed(made(request)[2], lifted="x"))


def test_a_declared_constant_is_for_f_itself_and_nothing_is_lifted() -> None:
    construction, _, run = made(Request("sqrt(mean(y**2))", "1/4", n=2, method="grid", lipschitz="1"))
    assert construction.lifted == ""
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    assert verdict.status is Status.ASSUMED


@pytest.mark.parametrize(("text", "message"), [
    ("sqrt(x-1/2)", "undefined at"), ("log(x)*sqrt(x)", "undefined at"), ("sqrt(x)/(x-1/3)", "divisor"),
    ("1/(x-1/3)", "divisor")])
def test_where_f_has_no_value_it_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        pipeline.prepare(Request(text, "1/4", n=2, method="grid"), 2)


def test_the_larger_eps_that_a_refusal_names_fits() -> None:
    text, table = "x**0.8", 20_000
    with pytest.raises(Refused, match=r"for roots of max\(u, .*; eps = [0-9.e-]+ fits") as refused:
        pipeline.prepare(Request(text, "1/1000", n=2, method="grid", max_table=table), 2)
    larger = str(refused.value).split("eps = ")[-1].split()[0]
    planned = pipeline.prepare(Request(text, larger, n=2, method="grid", max_table=table), 2)[1]
    assert planned.table_entries <= table
    assert planned.missed + planned.modulus_term <= Fraction(larger)


def test_the_plan_says_what_is_tabulated() -> None:
    plan: Mapping[str, Any] = made(LIFTED["kernel"])[2].plan
    assert "sqrt(maximum(abs((x[0] - y[0])), " in plan["lifted"]
    values = np.array([Fraction(plan["lipschitz"]), Fraction(plan["value_radius"])], dtype=float)
    assert np.all(values > 0)
