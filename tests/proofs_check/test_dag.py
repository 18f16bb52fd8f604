"""The graph of the proof: what is not a proof is rejected, selection and inheritance."""

from __future__ import annotations

from typing import Any

import pytest

from constructions.errors import BadInput
from proofs_check.dag import inherited, proof_graph, proof_order, selected
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Method, ProofStep, StepResult

PROVED = Check("it holds", Method.EXACT, lambda given: Evidence(Status.PROVED, ""))


def steps(**premises: tuple[str, ...]) -> dict[str, ProofStep]:
    return {name: step(name, depends_on=rests_on) for name, rests_on in premises.items()}


def step(name: str, checks: tuple[Check, ...] = (PROVED,), **others: Any) -> ProofStep:
    return ProofStep(id=name, section=1, plain="", latex="", source="", checks=checks, mutations=(), **others)


DIAMOND = steps(c=("a", "b"), a=(), b=(), d=("c",), e=())


def test_a_circular_argument_is_rejected() -> None:
    with pytest.raises(ValueError, match="circular argument"):
        proof_graph(steps(a=("b",), b=("c",), c=("a",)))


def test_a_missing_or_false_premise_and_a_step_without_a_check_are_rejected() -> None:
    with pytest.raises(ValueError, match="'z', which is no step"):
        proof_graph(steps(a=("z",)))
    with pytest.raises(ValueError, match="false"):
        proof_graph({"a": step("a", expected=Status.REFUTED), "b": step("b", depends_on=("a",))})
    with pytest.raises(ValueError, match="no check"):
        proof_graph({"a": step("a", checks=())})
    with pytest.raises(ValueError, match="corrected by 'z'"):
        proof_graph({"a": step("a", corrects="z")})


def test_the_order_is_by_name_among_what_is_ready() -> None:
    assert proof_order(DIAMOND) == ["a", "b", "c", "d", "e"]


def test_selection_takes_ancestors_only_where_asked() -> None:
    assert selected(DIAMOND) == ["a", "b", "c", "d", "e"]
    assert selected(DIAMOND, upto=["c"]) == ["a", "b", "c"]
    assert selected(DIAMOND, only=["d"]) == selected(DIAMOND, named=["d"]) == ["d"]
    with pytest.raises(BadInput, match="no step 'cc'"):
        selected(DIAMOND, named=["cc"])


def test_a_conclusion_inherits_the_weakest_of_what_it_rests_on() -> None:
    own = {"a": Status.PROVED, "b": Status.SAMPLED, "c": Status.PROVED, "d": Status.CERTIFIED, "e": Status.PROVED}
    weakest = inherited(DIAMOND, [StepResult(name, status, ()) for name, status in own.items()])
    assert weakest == {**own, "c": Status.SAMPLED, "d": Status.SAMPLED}


def test_what_rests_on_a_step_that_was_not_run_inherits_nothing_known() -> None:
    weakest = inherited(DIAMOND, [StepResult(name, Status.PROVED, ()) for name in ("a", "c", "d", "e")])
    assert weakest == {"a": Status.PROVED, "c": None, "d": None, "e": Status.PROVED}
