"""Any weight changed by any amount, any number in the hint too: the bound is above the real error or there is none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.handmade import TOKEN, bounded, entry, folds, form, layer, square, stacked, sumformer, worst
from tests.proofs_check.structure.test_order import thermometer

Q = Fraction
ARRAYS = ("W_1", "bias", "W_2")


@dataclass(frozen=True)
class Honest:
    """A network with a right hint, and the target by hand."""

    network: MeanSumformer
    text: str
    hint: Sequence[Mapping[str, Any]]
    output: Mapping[str, Any]
    formula: Callable[[Fraction, Sequence[Fraction]], Fraction]


def variance() -> Honest:
    """mean(y^2) - mean(y)^2 by four folds in phi and four in psi; c = (x - 1/2)^2 + a constant."""
    phi = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.25, 4)}))
    psi = stacked(folds({"mean.x.0": 2.0}, 0.0, {"d": square(0.25, 4)}, "u"))
    network = sumformer(phi, ["x.0", "c"], psi, {"mean.c": 1.0, "d": -1.0})
    held = [entry("s", "function", {"c": 1, "x.0": 1}, of=[form({"own": 1})], tree="x[0]**2"),
            entry("ms", "mean", {"mean.c": 1, "mean.x.0": 1}, of=[form({"s": 1})]),
            entry("m", "mean", {"mean.x.0": 1}, of=[form({"own": 1})]),
            entry("sm", "function", {"d": 1, "mean.x.0": 1}, of=[form({"m": 1})], tree="x[0]**2")]
    return Honest(network, "mean((y - mean(y))**2)", [TOKEN, *held], form({"ms": 1, "sm": -1}),
                  lambda _, row: sum((t * t for t in row), Q(0)) / len(row) - (sum(row, Q(0)) / len(row)) ** 2)


def largest() -> Honest:
    held = entry("top", "order-statistic", {"o": 1}, of=[form({"own": 1})], rank=1)
    return Honest(thermometer(2, 1, {}), "max(y)", [TOKEN, held], form({"top": 1}), lambda _, row: max(row))


def rectified() -> Honest:
    units = layer(({"x.0": 1.0}, -0.25, {"c": 1.0}), ({"x.0": 0.0}, 1.0, {"e": 0.5}))
    held = entry("r", "rectified", {"c": 1}, of=[form({"own": 1}, Q(-1, 4))])
    mean = entry("m", "mean", {"mean.c": 1}, of=[form({"r": 1})])
    return Honest(sumformer([units], ["c", "e"], [], {"mean.c": 1.0, "mean.e": 0.0}), "mean(relu(y - 1/4))", [TOKEN, held, mean],
                  form({"m": 1}), lambda _, row: sum((max(t - Q(1, 4), Q(0)) for t in row), Q(0)) / len(row))


def product() -> Honest:
    """x mean(y^2), 4 x q = (x + q)^2 - (x - q)^2, the square in phi by two folds only."""
    phi = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.25, 2)}))
    q = {"mean.c": 1.0, "mean.x.0": 1.0}
    plus = folds({"x.0": 1.0, **q}, 0.0, {"o": square(0.25, 6)}, "u")
    minus = folds({"x.0": 1.0, **{channel: -weight for channel, weight in q.items()}}, 1.0, {"o": square(-0.25, 6)}, "v")
    network = sumformer(phi, ["x.0", "c"], stacked(plus, minus), {"o": 1.0, "x.0": 0.5, "mean.c": 0.5, "mean.x.0": 0.5},
                        b=-0.25)
    held = [entry("s", "function", {"c": 1, "x.0": 1}, Q(-1, 128), of=[form({"own": 1})], tree="x[0]**2"),
            entry("q", "mean", {"mean.c": 1, "mean.x.0": 1}, Q(-1, 128), of=[form({"s": 1})]),
            entry("p", "product", {"o": 1, "x.0": Q(1, 2), "mean.c": Q(1, 2), "mean.x.0": Q(1, 2)}, Q(-1, 4),
                  of=[form({"own": 1}), form({"q": 1})])]
    return Honest(network, "x*mean(y**2)", [TOKEN, *held], form({"p": 1}),
                  lambda own, row: own * sum((t * t for t in row), Q(0)) / len(row))


CASES = {one.__name__: one() for one in (variance, largest, rectified, product)}
CHANGES = st.one_of(st.sampled_from([0.0, -1.0, 2.0, 1 + 2.0**-20]), st.floats(0.9, 1.1))


@pytest.mark.parametrize("name", CASES)
def test_unchanged_ones_are_proved_and_their_bounds_hold(name: str) -> None:
    case = CASES[name]
    proved = bounded(case.network, case.text, case.hint, case.output, n=2)
    assert proved.identities
    assert worst(case.network, case.formula) <= Q(proved.bound) < Q(1, 7)


def changed(network: MeanSumformer, place: int, array: str, index: int, factor: float, shift: float) -> MeanSumformer:
    layers = [*network.phi, *network.psi]
    one = layers[place % len(layers)]
    arrays = {name: getattr(one, name).copy() for name in ARRAYS}
    values = arrays[array]
    values.flat[index % values.size] = values.flat[index % values.size] * factor + shift
    layers[place % len(layers)] = ReluLayer(one.reads, arrays["W_1"], arrays["bias"], one.writes, arrays["W_2"])
    return replace(network, phi=tuple(layers[:len(network.phi)]), psi=tuple(layers[len(network.phi):]))


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 20), st.sampled_from(ARRAYS), st.integers(0, 50), CHANGES, st.sampled_from([0.0, 0.0, 2.0**-12, -0.125]))
def test_a_changed_weight_is_in_the_bound(name: str, place: int, array: str, index: int, factor: float, shift: float) -> None:
    case = CASES[name]
    network = changed(case.network, place, array, index, factor, shift)
    try:
        proved = bounded(network, case.text, case.hint, case.output, n=2)
    except NotUnderstood:
        return
    assert worst(network, case.formula, steps=6) <= Q(proved.bound)


def numbers(node: Any) -> list[tuple[Any, Any]]:
    """Return every place of a hint at which an exact number stands."""
    found = []
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(value, str) and key not in ("name", "kind", "tree"):
            found.append((node, key))
        found += numbers(value)
    return found


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_changed_hint_makes_no_bound_too_small(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    hint: list[Any] = copy.deepcopy(list(case.hint))
    output = copy.deepcopy(dict(case.output))
    for node, key in data.draw(st.lists(st.sampled_from(numbers([hint, output])), min_size=1, max_size=2)):
        node[key] = data.draw(st.sampled_from(["0", "1", "-1", "2", "1/2", "101/100", "-1/2048", "1/100"]))
    if data.draw(st.booleans()):
        a, b = data.draw(st.lists(st.integers(0, len(hint) - 1), min_size=2, max_size=2))
        hint[a]["held"], hint[b]["held"] = hint[b]["held"], hint[a]["held"]
    try:
        proved = bounded(case.network, case.text, hint, output, n=2)
    except NotUnderstood:
        return
    assert not proved.identities or worst(case.network, case.formula, steps=6) <= Q(proved.bound)


def named(network: MeanSumformer, data: st.DataObject) -> MeanSumformer:
    """Give a channel another name in one place, or stop pooling one and let phi or psi write something in its mean's name."""
    channels = [*network.channels, *map(mean_of, network.channels)]
    if network.pooled and data.draw(st.booleans(), "unpooled"):
        lost = data.draw(st.sampled_from(network.pooled))
        instead = layer(({"x.0": data.draw(st.sampled_from([0.0, 1.0]))}, 0.25, {mean_of(lost): 1.0}))
        kept = tuple(channel for channel in network.pooled if channel != lost)
        if data.draw(st.booleans(), "in psi"):
            return replace(network, pooled=kept, psi=(instead, *network.psi))
        return replace(network, pooled=kept, phi=(*network.phi, instead))
    layers = [*network.phi, *network.psi]
    place = data.draw(st.integers(0, len(layers) - 1))
    one, side = layers[place], data.draw(st.sampled_from(["reads", "writes"]))
    names = list(getattr(one, side))
    names[data.draw(st.integers(0, len(names) - 1))] = data.draw(st.sampled_from(channels))
    reads, writes = (tuple(names), one.writes) if side == "reads" else (one.reads, tuple(names))
    layers[place] = ReluLayer(reads, one.W_1, one.bias, writes, one.W_2)
    return replace(network, phi=tuple(layers[:len(network.phi)]), psi=tuple(layers[len(network.phi):]))


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_changed_name_makes_no_bound_too_small(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    hint: list[Any] = copy.deepcopy(list(case.hint))
    if data.draw(st.booleans(), "hint"):
        held = data.draw(st.sampled_from(hint))["held"]["channels"]
        old = data.draw(st.sampled_from(sorted(held)))
        held[data.draw(st.sampled_from([*case.network.channels, mean_of(old)]))] = held.pop(old)
    try:
        network = named(case.network, data)
        proved = bounded(network, case.text, hint, case.output, n=2)
    except (NotUnderstood, ValueError):  # no network, or one that is not read
        return
    assert not proved.identities or worst(network, case.formula, steps=6) <= Q(proved.bound)
