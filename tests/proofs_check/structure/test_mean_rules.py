"""Means and kernels made to fool their rules: nothing is certified below a real error; honest ones are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions.network.relu import MeanSumformer
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.handmade import (
    COPY,
    HELD,
    MEAN,
    TOKEN,
    bounded,
    entry,
    exact,
    folds,
    form,
    mean,
    square,
    stacked,
    sumformer,
    worst,
)

Q = Fraction


def test_an_honest_mean_is_certified_without_error() -> None:
    network = sumformer([COPY], ["c"], [], {"mean.c": 1.0})
    proved = bounded(network, "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}), every_n=True)
    assert proved.identities
    assert worst(network, mean) == 0
    assert proved.bound < 1e-12


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


@pytest.mark.parametrize("steps", range(12))
def test_a_kernel_of_a_coordinate_turned_around_is_not_exact_in_it(steps: int) -> None:
    """-c x with c close to 1 ranges, rounded outward, where x does; it is off by 2 |x|, and so is the mean of the kernel."""
    turned = form({"own": -1 + steps * Q(1, 2**53)}, exact={"terms": {"own": "1"}})
    kernel = entry("k", "kernel", {"o": 1}, 3, of=[turned], tokens=["own"], tree="3 - x[0]*x[1]")
    proved = bounded(products("x.0"), "mean(3 - x[0]*y[0])", [TOKEN, kernel], form({"k": 1}), domain="-1,1", d=2)
    tokens = np.array([[Q(1), Q(-1)], [Q(1), Q(0)]], dtype=object)
    held, wanted = exact(products("x.0"), tokens)[0, 0], 2
    found = proved.quantities["k"]
    assert proved.identities
    assert proved.bound >= held - wanted
    assert found.kernel is None
    assert found.relative is None or float(found.relative.upper) >= held / wanted - 1


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
