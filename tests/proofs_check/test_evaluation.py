"""Where a running bound of rounding says too much, layers are read as computed: of the same function, every rounding counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from proofs_check import continuous
from proofs_check.kernel import Certificate, reached
from proofs_check.propositions import Near
from proofs_check.structure.local_roundings import Roundings
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.test_continuous import fresh, proved


@pytest.mark.parametrize("name", ["coarse", "far"])
def test_where_roundings_multiply_the_layers_are_read_as_computed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fresh(name)
    verdict = proved(run)
    assert isinstance(verdict, Certificate), verdict
    (rounding,) = (step for step in verdict.steps if step.id == "evaluation")
    assert "read with the roundings of each layer" in rounding.statement
    assert 0 < rounding.bound < Fraction(run.certificate["claim"]["bound"]) / 20
    said = [step.says for step in reached([verdict.conclusion]) if isinstance(step.says, Near)]
    found, longest = {near.second: near for near in said if near.first == "f"}, run.plan["evaluated_up_to"]
    for network in verdict.claim.networks:
        assert found[f"{network} evaluated"].bound == found[network].bound + rounding.bound
        assert found[f"{network} evaluated"].scope == verdict.claim.scope.until(longest)

    def real_only(*arguments: Any, roundings: Roundings | None = None, **others: Any) -> Proved:
        if roundings is not None:
            raise NotUnderstood("no")
        return prove(*arguments, **others)

    monkeypatch.setattr(continuous, "prove", real_only)
    derived = proved(run)
    assert isinstance(derived, Certificate), derived
    (assumption,) = (text for text in derived.assumptions if "error analysis" in text)
    assert "because by structure the bound is not reached: over the reals 0.0" in assumption
    assert "rounding is bounded by" in assumption


@pytest.mark.parametrize("change", [lambda local: local.of_outputs.__setitem__(0, 1.0),
                                    lambda local: local.of_means.update(dict.fromkeys(local.of_means, 1e-3)),
                                    lambda local: local.of_layers[max(local.of_layers)].update(
                                        dict.fromkeys(local.of_layers[max(local.of_layers)], 1.0))])
def test_every_kind_of_rounding_counts(change: Callable[[Roundings], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def more(*arguments: Any, roundings: Roundings | None = None, **others: Any) -> Proved:
        if roundings is not None:
            change(roundings)
        return prove(*arguments, roundings=roundings, **others)

    monkeypatch.setattr(continuous, "prove", more)
    verdict = proved(fresh("far"))
    assert isinstance(verdict, Certificate), verdict
    assert any("error analysis" in assumption for assumption in verdict.assumptions)


@pytest.mark.parametrize("change", [{"identities": False}, {"definitions": ()}])
def test_what_is_computed_has_to_be_of_the_same_function(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*arguments: Any, roundings: Roundings | None = None, **others: Any) -> Proved:
        found = prove(*arguments, roundings=roundings, **others)
        return found if roundings is None else replace(found, **change)

    monkeypatch.setattr(continuous, "prove", other)
    verdict = proved(fresh("far"))
    assert isinstance(verdict, Certificate), verdict
    assert any("error analysis" in assumption for assumption in verdict.assumptions)
