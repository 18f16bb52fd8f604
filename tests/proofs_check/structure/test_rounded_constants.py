"""Expressions that differ in rounded constants: the distance holds at every sequence, and a constant that is off counts."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import construct_continuous
from constructions.domains import Box
from constructions.storage import store_mean
from constructions.targets import expression as ex
from constructions.targets.target import Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate
from proofs_check.run_files import RunFiles
from proofs_check.structure.identity import Algebra
from uat import pipeline
from uat.request import Request

BOX = Box.parse("-1,2", 1)
CONSTANTS = {"pi": math.pi, "sqrt(2)": math.sqrt(2), "exp(1)": math.e, "log(3)": math.log(3), "2**0.3": 2**0.3,
             "sin(1)": math.sin(1)}
BODIES = ("x*mean(y)", "mean(exp(x*y))", "mean(y)/(3 + mean(y**2))", "x**2*mean(sin(y))", "mean(y)**3", "max(y)", "x")


def trees(text: str, n: int = 3) -> ex.Expression:
    return Target.from_text(text, n=n, box=BOX).symbolic[0]


def distance(exact: str, rounded: str) -> Fraction | None:
    return Algebra(None, 1).distance(trees(exact), trees(rounded), BOX.sides)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(CONSTANTS)), st.sampled_from(BODIES), st.sampled_from(BODIES), st.floats(-1e-3, 1e-3),
       st.integers(2, 9), st.integers(0, 10**6))
def test_no_sequence_is_further_apart(constant: str, one: str, other: str, off: float, n: int, seed: int) -> None:
    exact, rounded = f"({constant})*{one} + {other}", f"{Fraction(CONSTANTS[constant] + off)!s}*{one} + {other}"
    found = distance(exact, f"({rounded.split('*')[0]})*" + rounded.split("*", 1)[1])
    assert found is not None
    tokens = np.random.default_rng(seed).uniform(-1, 2, (50, n, 1))
    value = Target.from_text(one, n=n, box=BOX).numpy(tokens)
    assert np.abs(off * value).max() <= float(found) * (1 + 1e-9) + 1e-15
    assert float(found) <= 1e3 * abs(off) + 1e-14


@pytest.mark.parametrize(("exact", "rounded"), [("pi*x", "x*mean(y)"), ("log(x)", "x"), ("mean(1/y)", "x"), ("pi*x", "n*x")])
def test_what_differs_in_more_is_as_far_apart_as_it_is_or_not_known(exact: str, rounded: str) -> None:
    found = distance(exact, rounded)
    assert found is None or found >= 2


def stored(text: str) -> RunFiles:
    request = Request(text, "1/50", domain="1/2,1", architecture="sumformer", method="sum-decomposition")
    target = request.resolved(3)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, request.heads(), limits=request.limits())
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": {**claim, "bound": "1/50"}})


TEXTS = ("sqrt(2)*mean(y)", "pi*x*mean(y)", "mean(y)/sqrt(2) + x*exp(1)", "x**0.3*mean(y) + log(2)")


@pytest.mark.parametrize("text", TEXTS)
def test_a_run_is_certified_without_an_assumption_about_the_builder(text: str) -> None:
    verdict = certify(stored(text))
    assert isinstance(verdict, Certificate), verdict
    assert not any("error analysis" in assumption for assumption in verdict.assumptions)
    (identity,) = (step for step in verdict.steps if step.id == "sum-decomposition")
    assert 0 < identity.bound < Fraction(1, 10**12)


@pytest.mark.parametrize(("text", "other"), [(TEXTS[0], "1.5*mean(y)"), (TEXTS[1], "3.2*x*mean(y)"), (TEXTS[0], "sqrt(2)*x")])
def test_a_run_whose_text_has_another_constant_is_not_certified(text: str, other: str) -> None:
    run = stored(text)
    run.plan.update(expression=other, target=other)
    run.certificate["claim"].update(expression=other, target=other)
    assert not isinstance(certify(run), Certificate)


def test_a_bound_below_what_rounding_a_constant_costs_is_not_certified() -> None:
    run = stored(TEXTS[0])
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    (identity,) = (step for step in verdict.steps if step.id == "sum-decomposition")
    run.certificate["claim"].update(bound=str(verdict.proved_bound - identity.bound / 2))
    assert not isinstance(certify(run), Certificate) or certify(run).assumptions != verdict.assumptions  # type: ignore[union-attr]


def test_a_distance_below_all_floats_is_not_zero() -> None:
    off = Fraction(1, 10**200)
    one, other = trees("x*mean(y)"), ex.Binary("*", trees("x*mean(y)"), ex.Number(1 + off**2))
    found = Algebra(None, 1).distance(one, other, BOX.sides)
    assert found is not None
    assert found >= 4 * off**2
