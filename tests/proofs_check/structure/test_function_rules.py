"""Functions and hints about them made to fool their rules: nothing is certified below a real error; honest ones are."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from constructions.network.relu import MeanSumformer
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.handmade import TOKEN, bounded, entry, folds, form, square, stacked, sumformer, worst

Q = Fraction


def square_hint(**changes: Any) -> list[Mapping[str, object]]:
    """Return a hint for x^2 held by four folds, with some entries changed."""
    return [TOKEN, {**entry("s", "function", {"c": 1, "x.0": 1}, Q(-1, 2048), of=[form({"own": 1})], tree="x[0]**2"), **changes}]


def square_network() -> MeanSumformer:
    layers = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.25, 4)}))
    return sumformer(layers, ["c"], [], {"c": 1.0, "x.0": 1.0}, b=-1 / 2048)


@pytest.mark.parametrize("changes", [
    {}, {"tree": "x[0]**3"}, {"tree": "exp(x[0]) - 1"}, {"tree": "x[0]"}, {"tree": "abs(x[0])"},
    {"kind": "rectified"}, {"kind": "mean"}, {"kind": "order-statistic", "rank": 1},
    {"kind": "kernel", "tokens": []}, {"kind": "product", "of": [form({"own": 1})] * 2},
    {"of": [form({"own": 1}, Q(1, 100))]}, {"of": [form({"own": Q(101, 100)})]},
    {"held": {"channels": {"c": "2", "x.0": "1"}, "constant": "0"}},
    {"held": {"channels": {"c": "1"}, "constant": "0"}},
    {"held": {"channels": {"nowhere": "1"}, "constant": "0"}}, {"of": [form({"own": 1}, 0, Q(1, 9))]}])
def test_wrong_hints_about_a_square_certify_nothing_wrong(changes: dict[str, Any]) -> None:
    network = square_network()
    gap = worst(network, lambda own, _: own * own, steps=64)
    try:
        proved = bounded(network, "x**2", square_hint(**changes), form({"s": 1}))
    except NotUnderstood:
        assert changes
        return
    assert Q(proved.bound) >= gap or not proved.identities
    if not changes:
        assert proved.identities
        assert proved.bound <= 0.01


@pytest.mark.parametrize("slack", [Q(-1, 10), Q(1, 10)])
def test_slack_of_an_output_makes_no_bound_smaller(slack: Fraction) -> None:
    network = square_network()
    try:
        proved = bounded(network, "x**2", square_hint(), form({"s": 1}, 0, slack))
    except NotUnderstood:
        assert slack < 0
        return
    assert Q(proved.bound) >= worst(network, lambda own, _: own * own, steps=64) + slack
