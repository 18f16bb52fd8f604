"""Functions and hints about them made to fool their rules: nothing is certified below a real error; honest ones are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from constructions.network.relu import MeanSumformer
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.handmade import TOKEN, bounded, entry, exact, folds, form, square, stacked, sumformer, worst

Q = Fraction


def square_hint(**changes: Any) -> list[Mapping[str, object]]:
    """Return a hint for x^2 held by four folds, with some entries changed."""
    return [TOKEN, {**entry("s", "function", {"c": 1, "x.0": 1}, Q(-1, 2048), of=[form({"own": 1})], tree="x[0]**2"), **changes}]


def square_network() -> MeanSumformer:
    layers = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.25, 4)}))
    return sumformer(layers, ["c"], [], {"c": 1.0, "x.0": 1.0}, b=-1 / 2048)


@cache
def square_gap() -> Fraction:
    """The same whatever the hint says, and a second's work."""
    return worst(square_network(), lambda own, _: own * own, steps=64)


@pytest.mark.parametrize("changes", [
    {}, {"tree": "x[0]**3"}, {"tree": "exp(x[0]) - 1"}, {"tree": "x[0]"}, {"tree": "abs(x[0])"},
    {"kind": "rectified"}, {"kind": "mean"}, {"kind": "order-statistic", "rank": 1},
    {"kind": "kernel", "tokens": []}, {"kind": "product", "of": [form({"own": 1})] * 2},
    {"of": [form({"own": 1}, Q(1, 100))]}, {"of": [form({"own": Q(101, 100)})]},
    {"held": {"channels": {"c": "2", "x.0": "1"}, "constant": "0"}},
    {"held": {"channels": {"c": "1"}, "constant": "0"}},
    {"held": {"channels": {"nowhere": "1"}, "constant": "0"}}, {"of": [form({"own": 1}, 0, {"terms": {"own": "pi"}})]},
    {"of": [form({"own": 1}, 0, {"terms": {"own": "pi/3"}})]}, {"of": [form({"own": 1}, 0, {"constant": "sqrt(2)/100"})]},
    {"of": [form({"own": 1}, 0, {"terms": {"own": "x[0]"}})]}, {"of": [form({"own": 1}, 0, {"terms": {"other": "1"}})]}])
def test_wrong_hints_about_a_square_certify_nothing_wrong(changes: dict[str, Any]) -> None:
    network, gap = square_network(), square_gap()
    try:
        proved = bounded(network, "x**2", square_hint(**changes), form({"s": 1}))
    except NotUnderstood:
        assert changes
        return
    assert Q(proved.bound) >= gap or not proved.identities
    if not changes:
        assert proved.identities
        assert proved.bound <= 0.01


@pytest.mark.parametrize(("text", "number", "stands_for"), [
    ("pi/3*x**2", lambda t: math.pi / 3 * t * t, {"terms": {"s": "pi/3"}}),
    ("3/pi*x**2", lambda t: 3 / math.pi * t * t, {"terms": {"s": "3/pi"}}),
    ("x**2 + sqrt(2)/10", lambda t: t * t + math.sqrt(2) / 10, {"constant": "sqrt(2)/10"}),
    ("x**2 - sqrt(2)/10", lambda t: t * t - math.sqrt(2) / 10, {"constant": "-sqrt(2)/10"})])
def test_what_a_coefficient_of_an_output_stands_for_is_not_believed(text: str, number: Callable[[float], float],
                                                                    stands_for: dict[str, object]) -> None:
    network, output = square_network(), form({"s": 1}, 0, stands_for)
    assert not bounded(network, "x**2", square_hint(), output).identities
    proved = bounded(network, text, square_hint(), output)
    assert proved.identities
    assert proved.bound >= abs(float(exact(network, np.ones((1, 2, 1)))[0, 0, 0]) - number(1.0)) - 1e-12
    assert proved.bound > 0.03


NEVER_BENT = [entry("r", "rectified", {"x.0": 1}, of=[form({"own": 1})])]


def test_a_form_that_is_never_negative_needs_no_hinge() -> None:
    network = sumformer([], [], [], {"x.0": 1.0})
    proved = bounded(network, "relu(x)", [TOKEN, *NEVER_BENT], form({"r": 1}))
    assert proved.identities
    assert proved.bound < 1e-12
    nothing = [entry("r", "rectified", {"x.0": 0}, of=[form({"own": -1})])]
    proved = bounded(sumformer([], [], [], {"x.0": 0.0}), "relu(-x)", [TOKEN, *nothing], form({"r": 1}))
    assert proved.identities
    assert proved.bound < 1e-12


@pytest.mark.parametrize(("domain", "least"), [("-1,1", 1), ("-1/8,1", Q(1, 8)), ("-1,0", 1)])
def test_a_hinge_that_is_missing_counts_with_what_it_would_cut_off(domain: str, least: Fraction) -> None:
    network = sumformer([], [], [], {"x.0": 1.0})
    proved = bounded(network, "relu(x)", [TOKEN, *NEVER_BENT], form({"r": 1}), domain=domain, eps=Q(2))
    assert Q(proved.bound) >= least
    assert proved.bound <= float(least) + 1e-12


@pytest.mark.parametrize("weight", [1.01, 0.99])
def test_a_form_that_is_held_with_another_weight_is_no_hinge_that_never_bends(weight: float) -> None:
    network = sumformer([], [], [], {"x.0": weight})
    held = [{**NEVER_BENT[0], "held": {"channels": {"x.0": str(Q(weight))}, "constant": "0"}}]
    assert bounded(network, "relu(x)", [TOKEN, *held], form({"r": 1})).bound >= 0.0099
