"""Forms of quantities: the exact values, the errors and the definition of a sum are those of its terms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.derivation import Form, Held
from proofs_check.structure.identity import Algebra
from proofs_check.structure.quantity import ZERO, Quantity, combination
from tests.proofs_check.structure.handmade import layer, sumformer
from tests.proofs_check.structure.readings import read

Q = Fraction


def known() -> dict[str, Quantity]:
    mean = ex.Reduction("mean", ex.Other(0))
    return {"own": Quantity(Interval.of(0.0, 1.0), ZERO, ex.Own(0), Held({"x.0": Q(1)}, Q(0))),
            "m": Quantity(Interval.of(0.25, 1.0), Interval.of(-0.125, 0.0), mean, Held({"mean.x.0": Q(2)}, Q(1)),
                          relative=Interval.of(-0.25, 0.0))}


def test_a_form_adds_up_values_errors_and_definitions() -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    found = combination(Form({"own": Q(2), "m": Q(-3)}, Q(1, 2)), known(), reading)
    assert found.exact.contains([-2.5, 1.75]).all()
    assert float(found.exact.upper) < 1.76
    assert found.error.contains([0.0, 0.375]).all()
    assert float(found.error.lower) > -1e-12
    assert float(found.actual.upper) <= 2.126
    assert Algebra(None, 1).same(found.definition, parse("1/2 + 2*x - 3*mean(y)", 1)[0])
    assert found.relative is None


def test_only_a_positive_multiple_keeps_a_relative_error() -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    for terms, constant, exact, kept in (({"m": Q(2)}, Q(0), {}, True), ({"m": Q(-2)}, Q(0), {}, False),
                                         ({"m": Q(2)}, Q(1), {}, False), ({"m": Q(2)}, Q(0), {"m": ex.Pi()}, False),
                                         ({"m": Q(1), "own": Q(1)}, Q(0), {}, False)):
        assert (combination(Form(terms, constant, exact), known(), reading).relative is not None) is kept


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["pi", "sqrt(2)", "-exp(1)", "log(3)/7", "sin(1)*1000", "2**0.3"]), st.floats(-0.5, 0.5),
       st.floats(-0.5, 0.5), st.integers(0, 8), st.integers(0, 8), st.sampled_from([-0.125, -0.0625, 0.0]))
def test_a_coefficient_that_stands_for_another_number_counts_as_an_error(
        text: str, near: float, shift: float, own: int, others: int, off: float) -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    tree = ex.specialise(parse(text, 1)[0], None)
    value = Target.from_text(text, n=2, box=Box.parse("0,1", 1)).numpy(np.zeros((1, 2, 1)))[0, 0, 0]
    c, constant = Q(float(value) + near), Q(float(value) + shift)
    found = combination(Form({"own": Q(1), "m": c}, constant, {"m": tree}, tree), known(), reading)
    x, m = own / 8, max(others / 8, 0.25)  # the network holds m + off in the place of m
    exact, held = x + value * m + value, x + float(c) * (m + off) + float(constant)
    size = 1e-12 * (1 + abs(value))
    assert float(found.exact.lower) - size <= exact <= float(found.exact.upper) + size
    if m + off >= 0.1875:  # else the range of what is held rules it out
        assert float(found.error.lower) - size <= held - exact <= float(found.error.upper) + size
        assert float(found.actual.lower) - size <= held <= float(found.actual.upper) + size
    assert Algebra(None, 1).same(found.definition, parse(f"({text}) + x + ({text})*mean(y)", 1)[0])
    assert not Algebra(None, 1).same(found.definition, parse(f"({text}) + x + ({c})*mean(y)", 1)[0])


def test_a_coefficient_rounded_to_the_nearest_number_costs_next_to_nothing() -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    found = combination(Form({"own": Q(math.pi)}, Q(0), {"own": ex.Pi()}), known(), reading)
    assert 0 < -float(found.error.lower) < 3e-16
    assert abs(float(found.error.upper)) < 1e-17  # pi is above the nearest number
    assert found.definition == ex.Binary("*", ex.Pi(), ex.Own(0))


@pytest.mark.parametrize("text", ["log(-1)", "1/(pi-pi)", "sqrt(0-2)"])
def test_a_coefficient_that_stands_for_no_number_proves_nothing(text: str) -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    with pytest.raises(ValueError, match="finite"):
        combination(Form({"own": Q(1)}, Q(0), {"own": ex.specialise(parse(text, 1)[0], None)}), known(), reading)


def test_values_that_are_held_satisfy_both_kinds_of_error() -> None:
    actual = known()["m"].actual
    assert actual.contains([0.1875, 1.0]).all()
    assert float(actual.lower) > 0.1874


def test_what_is_held_is_read_off_the_channels_as_they_are_now() -> None:
    reading = read(sumformer([layer(({"x.0": 1.0}, 0.0, {"c": 1.0}))], [], [], {"c": 1.0}))
    before = reading.held(Held({"c": Q(3)}, Q(1)))
    reading.add("c", reading.contents["x.0"])
    after = reading.held(Held({"c": Q(3)}, Q(1)))
    assert (after - before).main.at_zero == 3 * reading.contents["x.0"].main.at_zero
