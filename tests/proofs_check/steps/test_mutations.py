"""Test of the tester: under a false variant of its statement no step may come out as expected."""

from __future__ import annotations

import pytest

from proofs_check.kernel import Status
from proofs_check.proof import Mutation, ProofStep, given_for, run_step
from proofs_check.steps import all_steps

MUTANTS = [pytest.param(step, mutation, id=f"{step.id}: {mutation.name}")
           for step in all_steps().values() for mutation in step.mutations]


@pytest.mark.parametrize(("step", "mutation"), MUTANTS)
def test_a_false_variant_of_the_statement_is_noticed(step: ProofStep, mutation: Mutation) -> None:
    result = run_step(step, given_for(step, mutation))
    assert not result.crashed, [check.what for check in result.checks]
    assert result.status is not step.expected
    if step.expected is not Status.REFUTED:
        assert result.status in (Status.REFUTED, Status.UNDECIDED)


@pytest.mark.parametrize("step", all_steps().values(), ids=all_steps())
def test_every_step_offers_a_false_variant_that_differs_from_the_statement(step: ProofStep) -> None:
    assert step.mutations
    assert all(mutation.changes.items() - step.constants.items() for mutation in step.mutations)
