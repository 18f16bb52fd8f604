"""The proof as it is executed: every step comes out as expected, and the graph is a proof of the four theorems."""

from __future__ import annotations

import networkx as nx
import pytest

from proofs_check.dag import THEOREMS, inherited, proof_graph, proof_order
from proofs_check.kernel import Status
from proofs_check.proof import Method, ProofStep, StepResult, given_for, run_step
from proofs_check.steps import all_steps

STEPS = all_steps()


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_comes_out_as_expected(step: ProofStep) -> None:
    result = run_step(step, given_for(step))
    assert not result.crashed, [check.what for check in result.checks]
    assert result.status is step.expected, [(check.claim, check.status, check.what) for check in result.checks]
    assert (result.status is Status.REFUTED) == bool(result.witness)


def test_a_printed_step_names_what_corrects_it_and_nothing_rests_on_a_false_one() -> None:
    printed = [step for step in STEPS.values() if step.id.startswith("printed-") or step.expected is Status.REFUTED]
    assert len(printed) == 11
    for step in printed:
        assert STEPS[step.corrects].expected is not Status.REFUTED
        if step.expected is Status.REFUTED:
            assert not list(proof_graph(STEPS).successors(step.id))


def test_the_four_theorems_are_reached_from_leaves_that_are_citations_or_computed_facts() -> None:
    graph = proof_graph(STEPS)
    for theorem in THEOREMS:
        leaves = [name for name in nx.ancestors(graph, theorem) if graph.in_degree(name) == 0]
        assert leaves
        assert all(any(not check.support for check in STEPS[name].checks) for name in leaves)
    assert {"theorem-sumformer"} < set(nx.ancestors(graph, "theorem-linformer"))


def test_a_general_statement_checked_on_a_range_is_assumed_and_the_range_is_named() -> None:
    for step in STEPS.values():
        for check in step.checks:
            if not check.support and check.method in (Method.EXHAUSTIVE, Method.EXACT) and step.expected is Status.ASSUMED:
                assert check.reach in step.method


def test_a_proved_step_has_a_symbolic_proof() -> None:
    for step in STEPS.values():
        if step.expected is Status.PROVED:
            assert any(check.method is Method.SYMBOLIC and not check.support for check in step.checks), step.id


def test_cases_carry_a_proved_step_only_where_one_example_is_enough() -> None:
    cases = {(step.id, check.claim) for step in STEPS.values() for check in step.checks
             if step.expected is Status.PROVED and not check.support and check.method is not Method.SYMBOLIC}
    assert cases == {("interpolation-error", "no shift across an inflection"), ("step-network", "plain ReLU units do not")}


def test_what_is_assumed_is_cited_and_the_theorems_do_not_rest_on_it() -> None:
    results = [StepResult(name, step.expected, ()) for name, step in STEPS.items()]
    assert {inherited(STEPS, results)[theorem] for theorem in THEOREMS} == {Status.PROVED}
    for step in STEPS.values():
        cited = [check.claim for check in step.checks if check.method is Method.CITED]
        assert bool(cited) == (step.expected is Status.ASSUMED), step.id


def test_the_theorems_inherit_an_assumption_of_any_step_they_rest_on() -> None:
    for weak in ("soft-histogram", "power-sums-generate"):
        results = [StepResult(name, Status.ASSUMED if name == weak else step.expected, ()) for name, step in STEPS.items()]
        weakest = inherited(STEPS, results)
        assert {weakest[theorem] for theorem in THEOREMS} == {Status.ASSUMED}
        assert weakest["square-sawtooth"] is Status.PROVED


def test_the_order_is_deterministic_and_puts_premises_first() -> None:
    order = proof_order(STEPS)
    assert order == proof_order(dict(reversed(STEPS.items())))
    place = {name: k for k, name in enumerate(order)}
    assert all(place[premise] < place[name] for name, step in STEPS.items() for premise in step.depends_on)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_says_what_it_is_about(step: ProofStep) -> None:
    assert step.plain.endswith(".") or step.plain.endswith("f-bar is equivariant")
    assert step.latex
    assert step.source
    assert all(check.claim and check.run for check in step.checks)
