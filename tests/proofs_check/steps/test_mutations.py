"""Test of the tester: under a false variant of its statement no step may come out as expected.

No check that carries a statement is out of reach, some variant changes its answer; and no variant is noticed by experiments
alone, which cover a range: what it falsifies would not be proved beyond that.
"""

from __future__ import annotations

import pytest

from proofs_check.kernel import Status
from proofs_check.proof import Method, ProofStep, given_for, run_step
from proofs_check.steps import all_steps

# Variants of what only the experiments beside a proof are about: objects that are built, examples, remarks.
BESIDE_THE_PROOF = {
    ("printed-linformer-k", "and a smaller k does not"): "an example is enough",
    ("semi-invariant-form", "products without x_i left out of the Chebyshev family"): "a remark on computation",
    ("soft-histogram", "min-type hats"): "an example is enough",
    ("sum-code-injective", "consecutive numbers"): "the code that is built",
    ("theorem-linformer", "F = (1/k) 1 as printed"): "an architecture that is assembled",
    ("theorem-performer", "W_Q = W_K = [e_1, 0] as printed"): "an architecture that is assembled",
    ("theorem-transformer", "attention gives the sum, psi reads means"): "an architecture that is assembled",
}

# Each of their false variants has a counterexample.
WITNESSED = {"exponential-average", "planar-average"}


@pytest.mark.parametrize("step", all_steps().values(), ids=all_steps())
def test_false_variants_of_a_statement_are_noticed_and_reach_every_check_that_carries_it(step: ProofStep) -> None:
    honest, reached = run_step(step, given_for(step)), set[int]()
    carrying = {k for k, check in enumerate(step.checks) if not check.support and check.method is not Method.CITED}
    for mutation in step.mutations:
        result = run_step(step, given_for(step, mutation))
        assert not result.crashed, (mutation.name, [check.what for check in result.checks])
        assert result.status is not step.expected, mutation.name
        if step.expected is not Status.REFUTED:
            assert result.status in (Status.REFUTED, Status.UNDECIDED), mutation.name
        if step.id in WITNESSED:
            assert result.status is Status.REFUTED, mutation.name
            assert result.witness, mutation.name
        pairs = zip(honest.checks, result.checks, strict=True)
        changed = {k for k, (before, after) in enumerate(pairs) if before.status is not after.status}
        assert bool(changed & carrying) != ((step.id, mutation.name) in BESIDE_THE_PROOF), mutation.name
        reached |= changed
    assert [step.checks[k].claim for k in sorted(carrying - reached)] == []


@pytest.mark.parametrize("step", all_steps().values(), ids=all_steps())
def test_every_step_offers_a_false_variant_that_differs_from_the_statement(step: ProofStep) -> None:
    assert step.mutations
    assert len({mutation.name for mutation in step.mutations}) == len(step.mutations)
    for mutation in step.mutations:
        assert any(step.constants[name] != value for name, value in mutation.changes.items())
