"""How many sequences are looked at: as many as were asked for, and where nothing was said as many as take about a minute."""

from __future__ import annotations

from fractions import Fraction

import pytest

from constructions.continuous import construct_continuous
from constructions.progress import silent
from constructions.targets.library import resolve
from constructions.targets.target import Target
from uat import sampling


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 1, 1000), (30_000, 29_000, 30_000)])
def test_what_was_asked_for_is_looked_at(asked: int | None, least: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "TOKENS", 3000)  # of three tokens a sequence
    target = resolve("own-times-mean", n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
    built = construct_continuous(target, Fraction(1, 100), "sum-decomposition", ())
    found = sampling.sample_network(target, built.sumformer, built.bound, samples=asked, device="cpu", seed=0, report=silent)
    assert least <= found.samples <= most
