"""Tokens and forms: held without noise, ranges of sums of the own token and of means."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.derivation import Form, Held
from proofs_check.structure.quantity import Quantity, around
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.rules import own_and_others
from tests.proofs_check.structure.handmade import (
    COPY,
    HELD,
    MEAN,
    TOKEN,
    bounded,
    entry,
    folds,
    form,
    square,
    stacked,
    sumformer,
    worst,
)

Q = Fraction


def test_a_token_is_held_without_noise() -> None:
    waves = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(1.0, 1)}, "t"), folds({"x.0": 2.0}, 0.0, {"c": square(-1.0, 2)}, "u"))
    network = sumformer(waves, [], [], {"x.0": 1.0, "c": 1.0}, b=-3 / 32)  # the squares cancel, their waves do not
    assert worst(network, lambda own, _: own) > Q(1, 8)
    noisy = entry("own", "token", {"x.0": 1, "c": 1}, Q(-3, 32), coordinate=0)
    with pytest.raises(NotUnderstood, match="is not coordinate 0"):
        bounded(network, "x", [noisy], form({"own": 1}))
    honest = bounded(network, "x", [TOKEN], form({"own": 1}))
    assert Q(honest.bound) >= worst(network, lambda own, _: own)


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
