"""Networks and hints made to fool the rules: nothing is certified below a real error; honest ones next to them are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer
from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.derivation import Form, Held
from proofs_check.structure.quantity import Quantity, around
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.rules import own_and_others
from tests.proofs_check.structure.handmade import (
    TOKEN,
    Unit,
    bounded,
    entry,
    exact,
    folds,
    form,
    layer,
    square,
    stacked,
    sumformer,
)

Q = Fraction
COPY = layer(({"x.0": 1.0}, 0.0, {"c": 1.0}))
HELD = entry("copy", "renamed", {"c": 1}, of=[form({"own": 1})], tree="form")
MEAN = entry("m", "mean", {"mean.c": 1}, of=[form({"copy": 1})])
ONE: Unit = ({"x.0": 0.0}, 1.0, {"c": 1.0})


def worst(network: MeanSumformer, f: Callable[[Fraction, Sequence[Fraction]], Fraction], n: int = 2, steps: int = 16) -> Fraction:
    """Return the largest error over all sequences of a grid."""
    grid = [Q(k, steps) for k in range(steps + 1)]
    sequences = np.array(list(itertools.product(grid, repeat=n)), dtype=object)[..., None]
    values = exact(network, sequences)[..., 0]
    return max(abs(value - f(own, row)) for row, outputs in zip(sequences[..., 0].tolist(), values.tolist(), strict=True)
               for own, value in zip(row, outputs, strict=True))


def mean(_: Fraction, row: Sequence[Fraction]) -> Fraction:
    return sum(row, Q(0)) / len(row)


def test_an_honest_mean_is_certified_without_error() -> None:
    network = sumformer([COPY], ["c"], [], {"mean.c": 1.0})
    proved = bounded(network, "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}), every_n=True)
    assert proved.identities
    assert worst(network, mean) == 0
    assert proved.bound < 1e-12


@pytest.mark.parametrize("change", [({"x.0": 0.0}, 1.0, {"mean.c": 1.0}), ({"x.0": 1.0}, 0.0, {"c": -1.0}),
                                    ({"x.0": 1.0}, 0.0, {"x.0": 1.0})])
def test_channels_may_not_be_added_to_after_they_were_used(change: Unit) -> None:
    network = sumformer([COPY], ["c"], [layer(change)], {"mean.c": 1.0, "c": 0.0})
    with pytest.raises(NotUnderstood, match="is changed after it was read"):
        bounded(network, "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}))


def test_phi_may_not_add_to_the_token() -> None:
    network = sumformer([layer(({"x.0": 0.0}, 1.0, {"x.0": 1.0}))], [], [], {"x.0": 1.0})
    with pytest.raises(NotUnderstood, match=r"x\.0 is changed"):
        bounded(network, "x", [TOKEN], form({"own": 1}))


def test_a_mean_may_not_have_the_name_of_a_channel_of_phi() -> None:
    network = sumformer([layer(({"x.0": 1.0}, 0.0, {"c": 1.0, "mean.c": 2.0}))], ["c", "mean.c"], [], {"mean.mean.c": 1.0})
    with pytest.raises(NotUnderstood, match=r"mean\.c is changed"):
        bounded(network, "mean(y)", [TOKEN], form({"own": 1}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_are_numbers(value: float) -> None:
    for layers in ([layer(({"x.0": value}, 0.0, {"c": 1.0}))], [layer(({"x.0": 1.0}, value, {"c": 1.0}))],
                   [layer(({"x.0": 1.0}, -9.0, {"c": value}), ({"x.0": 1.0}, 0.0, {"c": 1.0}))]):
        with pytest.raises(NotUnderstood, match="no number"):
            bounded(sumformer(layers, ["c"], [], {"mean.c": 1.0}), "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}))


def test_a_layer_may_not_name_a_channel_twice() -> None:
    doubled = replace(COPY, reads=("x.0", "x.0"), W_1=np.array([[1.0], [1.0]]))
    with pytest.raises(NotUnderstood, match="names a channel twice"):
        bounded(sumformer([doubled], ["c"], [], {"mean.c": 1.0}), "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}))
    written = replace(COPY, writes=("c", "c"), W_2=np.array([[1.0, 1.0]]))
    with pytest.raises(NotUnderstood, match="names a channel twice"):
        bounded(sumformer([written], ["c"], [], {"mean.c": 1.0}), "mean(2*y)", [TOKEN, HELD, MEAN], form({"m": 1}))


def test_a_token_is_held_without_noise() -> None:
    waves = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(1.0, 1)}, "t"), folds({"x.0": 2.0}, 0.0, {"c": square(-1.0, 2)}, "u"))
    network = sumformer(waves, [], [], {"x.0": 1.0, "c": 1.0}, b=-3 / 32)  # the squares cancel, their waves do not
    assert worst(network, lambda own, _: own) > Q(1, 8)
    noisy = entry("own", "token", {"x.0": 1, "c": 1}, Q(-3, 32), coordinate=0)
    with pytest.raises(NotUnderstood, match="is not coordinate 0"):
        bounded(network, "x", [noisy], form({"own": 1}))
    honest = bounded(network, "x", [TOKEN], form({"own": 1}))
    assert Q(honest.bound) >= worst(network, lambda own, _: own)


def products(own: str) -> MeanSumformer:
    """3 + x mean(y) of two coordinates each, 4 x q = (x + q)^2 - (x - q)^2, with the given channel for x."""
    plus = folds({own: 0.5, "mean.x.0": 0.5}, 1.0, {"o": square(1.0, 6)}, "u")
    minus = folds({own: 0.5, "mean.x.0": -0.5}, 1.0, {"o": square(-1.0, 6)}, "v")
    return sumformer([], ["x.0"], stacked(plus, minus), {"o": 1.0}, b=3.0, d=2)


@pytest.mark.parametrize(("own", "known"), [("x.0", True), ("x.1", False)])
def test_a_kernel_that_reads_another_coordinate_than_the_one_it_names_is_not_exact_in_it(own: str, known: bool) -> None:
    """A quantity may be said to be x[0] and be held in x.1: it is off by as much, and so is what is made of it."""
    called = entry("called", "renamed", {own: 1}, of=[form({"own": 1})], tree="form")
    kernel = entry("k", "kernel", {"o": 1}, 3, of=[form({"called": 1})], tokens=["own"], tree="3 + x[0]*x[1]")
    proved = bounded(products(own), "mean(3 + x[0]*y[0])", [TOKEN, called, kernel], form({"k": 1}), domain="-1,1", d=2)
    tokens = np.array([[Q(1), Q(-1)], [Q(1), Q(0)]], dtype=object)
    off = exact(products(own), tokens)[0, 0] / 4 - 1  # 3 + 1 * 1 is wanted
    found = proved.quantities["k"]
    assert proved.identities
    assert proved.bound >= abs(4 * off)
    assert (found.kernel is not None) == known
    assert found.relative is None or float(found.relative.lower) <= off <= float(found.relative.upper)


def test_a_kernel_may_not_name_one_coordinate_of_y_twice() -> None:
    network = sumformer([COPY], ["c"], [], {"mean.c": 1.0})
    kernel = entry("k", "kernel", {"mean.c": 1}, of=[], tokens=["own", "own"], tree="1/2 + 2*(x[0] - 1/2)*(x[1] - 1/2)")
    with pytest.raises(NotUnderstood, match="names a coordinate of y twice"):
        bounded(network, "mean(1/2 + 2*(y - 1/2)**2)", [TOKEN, kernel], form({"k": 1}))


def test_a_kernel_is_held_against_its_true_error() -> None:
    network = sumformer([COPY], ["c"], [], {"mean.c": 1.0})
    kernel = entry("k", "kernel", {"mean.c": 1}, of=[], tokens=["own"], tree="x[0]**2")
    proved = bounded(network, "mean(y**2)", [TOKEN, kernel], form({"k": 1}), every_n=True)
    gap = worst(network, lambda _, row: sum((t * t for t in row), Q(0)) / len(row))
    assert proved.identities
    assert gap == Q(1, 4)
    assert gap <= Q(proved.bound) <= Q(2501, 10000)


def test_the_largest_squared_deviation_is_no_variance() -> None:
    peak = "max((y - mean(y))**2)"
    renamed = entry("v", "renamed", {"c": 1}, of=[form({"own": 1})], tree=peak)
    proved = bounded(sumformer([COPY], ["c"], [], {"c": 1.0}), peak, [TOKEN, renamed], form({"v": 1}), n=9)
    assert float(proved.quantities["v"].exact.upper) >= (8 / 9) ** 2
    assert not proved.identities


RENAMED = entry("v", "renamed", {"mean.c": 3, "x.0": -1}, of=[form({"m": 3, "own": -1})], tree="form")


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 3))
def test_the_range_of_a_form_of_n_tokens_is_that_of_the_own_token_and_the_others(n: int, c: int, k: int, copies: int) -> None:
    names = ["own", *(f"copy {number}" for number in range(copies))]  # the same quantity under several names
    known = {name: Quantity(Interval.of(-1.0, 3.0), around(0.0), ex.Own(0), Held({}, Q(0))) for name in names}
    known["m"] = Quantity(Interval.of(-1.0, 3.0), around(0.0), ex.Reduction("mean", ex.Other(0)), Held({}, Q(0)))
    found = own_and_others(Form({"m": Q(c), **dict.fromkeys(names, Q(k))}, Q(1, 2)), known, n)
    corners = [Q(1, 2) + Q(c) * (own + (n - 1) * others) / n + k * len(names) * own
               for own, others in itertools.product((Q(-1), Q(3)), repeat=2)]
    assert Q(float(found.lower)) <= min(corners)
    assert max(corners) <= Q(float(found.upper))
    if not copies:
        assert float(found.upper) <= float(max(corners)) + 1e-9
        assert float(found.lower) >= float(min(corners)) - 1e-9


@pytest.mark.parametrize(("n", "every_n", "low", "high"), [(3, False, 0.0, 2.0), (2, False, 0.0, 2.0), (6, False, -0.5, 2.5),
                                                           (3, True, -1.0, 3.0)])
def test_a_form_is_narrowed_only_where_the_length_is_known(n: int, every_n: bool, low: float, high: float) -> None:
    network = sumformer([COPY], ["c"], [], {"mean.c": 3.0, "x.0": -1.0})
    proved = bounded(network, "3*mean(y) - x", [TOKEN, HELD, MEAN, RENAMED], form({"v": 1}), n=n, every_n=every_n)
    assert proved.quantities["v"].exact.lower == pytest.approx(low, abs=1e-12)
    assert proved.quantities["v"].exact.upper == pytest.approx(high, abs=1e-12)


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
    {"held": {"channels": {"nowhere": "1"}, "constant": "0"}}, {"of": [form({"own": 1}, 0, {"terms": {"own": "pi"}})]},
    {"of": [form({"own": 1}, 0, {"terms": {"own": "pi/3"}})]}, {"of": [form({"own": 1}, 0, {"constant": "sqrt(2)/100"})]},
    {"of": [form({"own": 1}, 0, {"terms": {"own": "x[0]"}})]}, {"of": [form({"own": 1}, 0, {"terms": {"other": "1"}})]}])
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


def test_a_reciprocal_is_that_of_the_denominator() -> None:
    bends = [-0.7, 0.1, 0.1, 0.08, 0.05, 0.04, 0.03, 0.02]
    table = layer(*[({"x.0": 1.0}, -0.125 * k, {"r": weight}) for k, weight in enumerate(bends)])
    network = sumformer([table], [], [], {"r": 1.0, "x.0": 1.0}, b=1.0)
    reciprocal = entry("r", "function", {"r": 1}, 1, of=[form({"own": 1}, 2)], tree="x[0]**(-1)")
    quotient = entry("q", "quotient", {"r": 1}, 1, of=[form({}, 1), form({"own": 1}, 1)], reciprocal="r")
    with pytest.raises(NotUnderstood, match="not the reciprocal of the denominator"):
        bounded(network, "1/(1 + x)", [TOKEN, reciprocal, quotient], form({"q": 1}))
