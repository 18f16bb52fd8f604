"""The core of executed proofs: statuses are never stronger than the checks, and each kind of check notices what is false."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import strategies as st

from proofs_check.evidence import cited, counterexample, decided, enclosed, every, identities, property_based, sampled
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep, given_for, run_step


def step(*checks: Check, **others: Any) -> ProofStep:
    return ProofStep(id="a-step", section=1, plain="A statement.", latex="x", source="ours", checks=checks, mutations=(),
                     **others)


def check(status: Status, **others: Any) -> Check:
    return Check("it holds", Method.EXACT, lambda given: Evidence(status, "looked at"), **others)


def raising(given: Given) -> Evidence:
    raise ZeroDivisionError("division by zero")


def status_of(*checks: Check) -> Status:
    return run_step(step(*checks), Given({})).status


def test_a_step_is_as_strong_as_its_weakest_check() -> None:
    assert status_of(check(Status.PROVED), check(Status.CERTIFIED)) is Status.CERTIFIED
    assert status_of(check(Status.PROVED), check(Status.SAMPLED)) is Status.SAMPLED
    assert status_of(check(Status.SAMPLED), check(Status.REFUTED)) is Status.REFUTED


def test_a_range_of_cases_does_not_prove_a_general_statement() -> None:
    assert status_of(check(Status.PROVED, reach="n <= 5")) is Status.ASSUMED
    assert status_of(check(Status.CERTIFIED, reach="n <= 5")) is Status.ASSUMED
    assert status_of(check(Status.REFUTED, reach="n <= 5")) is Status.REFUTED


def test_support_never_strengthens_and_may_refute_or_leave_undecided() -> None:
    assert status_of(check(Status.ASSUMED), check(Status.PROVED, support=True)) is Status.ASSUMED
    assert status_of(check(Status.PROVED), check(Status.SAMPLED, support=True)) is Status.PROVED
    assert status_of(check(Status.PROVED), check(Status.REFUTED, support=True)) is Status.REFUTED
    assert status_of(check(Status.PROVED), check(Status.UNDECIDED, support=True)) is Status.UNDECIDED
    assert status_of(check(Status.PROVED, support=True)) is Status.UNDECIDED


def test_a_check_that_raises_is_undecided_and_stops_no_other() -> None:
    result = run_step(step(Check("it holds", Method.EXACT, raising), check(Status.PROVED)), Given({}))
    assert (result.status, result.crashed) == (Status.UNDECIDED, True)
    assert [c.status for c in result.checks] == [Status.UNDECIDED, Status.PROVED]
    assert "division by zero" in result.checks[0].what


def test_a_mutation_changes_constants_that_exist() -> None:
    one = step(check(Status.PROVED), constants={"half": 2})
    assert given_for(one, Mutation("three", {"half": 3}))["half"] == 3
    with pytest.raises(KeyError, match="not a constant"):
        given_for(one, Mutation("another", {"third": 3}))


def test_cases_prove_when_all_hold_and_refute_with_the_first_that_does_not() -> None:
    assert every(range(5), lambda k: "", "{} cases").what == "5 cases"
    found = every(range(5), lambda k: "k = 3" if k == 3 else "", "{} cases")
    assert (found.status, found.cases, found.witness) == (Status.REFUTED, 4, ("k = 3",))
    assert every([], lambda k: "", "{} cases").status is Status.UNDECIDED
    assert identities({}, "").status is decided({}, "").status is Status.UNDECIDED
    assert counterexample([1], lambda k: ("a", "b"), "").witness == ("a", "b")


def test_identities_are_proved_refuted_at_a_point_or_left_undecided() -> None:
    x, y = sympy.symbols("x y", real=True)
    f = sympy.Function("f")
    assert identities({"binomial": (x + y) ** 2 - x**2 - 2 * x * y - y**2}, "").status is Status.PROVED
    false = identities({"binomial": (x + y) ** 2 - x**2 - y**2}, "")
    assert false.status is Status.REFUTED
    assert "x = 1/2, y = 1/3" in false.witness[0]
    assert identities({"functions": f(x) - f(y)}, "").status is Status.UNDECIDED


def test_inequalities_need_multipliers_that_are_not_negative_and_an_identity() -> None:
    t = sympy.Symbol("t", real=True)
    assert follows({"2t >= 0": (2 * t, [(2, t)])}, "").status is Status.PROVED
    assert follows({"-t >= 0": (-t, [(-1, t)])}, "").status is Status.REFUTED
    assert follows({"t t >= 0": (t * t, [(t, t)])}, "").status is Status.UNDECIDED
    assert follows({"t = 0": (t, [])}, "").status is Status.REFUTED
    assert follows({"-1 >= 0": (-1, [(-1, sympy.Integer(1))])}, "").witness == ("-1 >= 0: it is -1",)
    assert follows({}, "").status is Status.UNDECIDED


def test_a_combination_that_fails_refutes_only_with_a_point_where_the_hypotheses_hold() -> None:
    t, p, n = sympy.Symbol("t", real=True), sympy.Symbol("p", positive=True), sympy.Symbol("n", integer=True, positive=True)
    true = follows({"3t >= 0": (3 * t, [(2, t)])}, "")
    assert (true.status, true.what) == (Status.UNDECIDED, "3t >= 0: it is not this combination of the hypotheses")
    false = follows({"t >= p": (t - p, [(1, t)])}, "")
    assert false.status is Status.REFUTED
    assert "where the hypotheses hold" in false.witness[0]
    assert follows({"p >= -1": (p + 1, [(1, p)])}, "").status is Status.UNDECIDED  # what is declared of a symbol holds as well
    assert follows({"n >= 1": (n - 1, [(1, n)])}, "").status is Status.UNDECIDED


def test_drawn_cases_are_samples_with_their_number_and_seed_and_shrink_to_a_small_counterexample() -> None:
    holds = property_based(st.integers(), lambda k: "", cases=50, seed=7, what="integers")
    assert (holds.status, holds.cases) == (Status.SAMPLED, 50)
    assert "seed 7" in holds.what
    false = property_based(st.integers(), lambda k: f"k = {k}" if k > 100 else "", cases=500, seed=7, what="integers")
    assert (false.status, false.witness) == (Status.REFUTED, ("k = 101",))


def test_drawing_cases_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    property_based(st.integers(), lambda k: "", cases=5, seed=0, what="integers")
    assert list(tmp_path.iterdir()) == []


def test_what_was_enclosed_is_certified_what_was_drawn_is_sampled_and_neither_hides_a_refutation() -> None:
    proved, wrong = every([1], lambda k: "", ""), every([1], lambda k: "no", "")
    assert enclosed(proved).status is Status.CERTIFIED
    assert sampled(proved).status is Status.SAMPLED
    assert enclosed(wrong).status is sampled(wrong).status is Status.REFUTED
    assert cited("a theorem").status is Status.ASSUMED
    assert decided({"a": True, "b": None}, "").status is Status.UNDECIDED
    assert decided({"a": True, "b": False}, "").status is Status.REFUTED
    assert decided({"a": True}, "").status is Status.PROVED
