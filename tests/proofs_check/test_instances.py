"""The constants of the proof in one network: present for every kind of run, and equal to what follows by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from constructions.errors import BadInput
from proofs_check.certify import certify
from proofs_check.instances import instance_constants
from proofs_check.kernel import Certificate, decimal_above
from proofs_check.run_files import RunFiles
from proofs_check.steps import all_steps
from tests.proofs_check.runs import REQUESTS, built, fresh


def constants(run: RunFiles) -> dict[tuple[str, str], str]:
    return {(c.step, c.name): c.value for c in instance_constants(run, certify(run))}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_kind_of_run_has_its_constants_under_steps_of_the_proof(name: str) -> None:
    construction, _, run = built(name)
    found = constants(run)
    assert {step for step, _ in found} <= set(all_steps())
    plan = construction.plan
    assert found["sum-code-injective", "code, d', K, R"] == (
        f"{plan.code.name}, {plan.code.d_latent}, {plan.cells:,}, {math.comb(plan.cells + plan.n - 2, plan.n - 1):,}")
    assert found["sum-code-injective", "different sums of n - 1 codes"] == f"{plan.multisets:,}"
    assert found["decode-left-inverse", "K R pairs followed"] == f"{plan.table_entries:,}"
    assert found["error-budget", "eps"] == decimal_above(plan.tolerance)


def test_the_shares_add_up_to_the_proved_bound_and_every_network_has_its_theorem() -> None:
    _, _, run = built("f")
    verdict = certify(run)
    assert isinstance(verdict, Certificate)
    found = constants(run)
    assert found["error-budget", "sum of the shares"] == decimal_above(verdict.proved_bound)
    for name in ("transformer", "linformer", "performer"):
        assert found[f"theorem-{name}", f"{name}: ||f - T|| <="] == decimal_above(verdict.proved_bound)
    assert found["linformer-pooling", "linformer: k"] == "2"


def test_constants_are_read_off_the_weights_and_not_off_the_plan() -> None:
    run = fresh("product")
    node = next(i for i, entry in enumerate(run.network["nodes"]) if entry["writes"] == run.network["phi"]["outputs"])
    run.arrays[f"nodes.{node}.values"][:] = run.arrays[f"nodes.{node}.values"][0]  # type: ignore[index]
    assert constants(run)["sum-code-injective", "different sums of n - 1 codes"] == "1"


def test_a_run_that_is_not_certified_has_no_theorem() -> None:
    run = fresh("product")
    run.plan["lipschitz"] = str(Fraction(1, 2))  # type: ignore[index]
    assert not [step for step, _ in constants(run) if step.startswith("theorem")]


def test_a_malformed_run_is_bad_input() -> None:
    run = fresh("product")
    verdict = certify(run)
    del run.network["phi"]  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="docs/formats"):
        instance_constants(run, verdict)
