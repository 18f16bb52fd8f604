"""Nothing damaged is certified: every kind of mathematical damage to a run, with no hash involved, next to the intact run."""

from __future__ import annotations

import pytest

from proofs_check.certify import certify
from proofs_check.kernel import Certificate
from tests.proofs_check.damage import blocks, claims, floats, harmless, networks, pooling
from tests.proofs_check.damage.registry import HARMLESS, MUTATIONS, Damage
from tests.proofs_check.runs import certifies, fresh, outcome

REGISTERED = (blocks, claims, floats, harmless, networks, pooling)  # importing them fills the registers


@pytest.mark.parametrize(("name", "change"), HARMLESS)
def test_a_change_that_changes_nothing_is_certified(name: str, change: Damage) -> None:
    run = fresh(name)
    change(run)
    assert isinstance(certify(run), Certificate), outcome(run)


@pytest.mark.parametrize(("name", "damage"), MUTATIONS)
def test_a_damaged_run_is_not_certified_and_its_intact_twin_is(name: str, damage: Damage) -> None:
    assert certifies(name)
    run = fresh(name)
    damage(run)
    assert not isinstance(outcome(run), Certificate)
