"""Forms of quantities: the exact values, the errors and the definition of a sum are those of its terms."""

from __future__ import annotations

from fractions import Fraction

from constructions.targets import expression as ex
from constructions.targets.language import parse
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
    found = combination(Form({"own": Q(2), "m": Q(-3)}, Q(1, 2), Q(0)), known(), reading)
    assert found.exact.contains([-2.5, 1.75]).all()
    assert float(found.exact.upper) < 1.76
    assert found.error.contains([0.0, 0.375]).all()
    assert float(found.error.lower) > -1e-12
    assert float(found.actual.upper) <= 2.126
    assert Algebra(None, 1).same(found.definition, parse("1/2 + 2*x - 3*mean(y)", 1)[0])
    assert found.relative is None


def test_only_a_positive_multiple_keeps_a_relative_error() -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    for terms, constant, slack, kept in (({"m": Q(2)}, Q(0), Q(0), True), ({"m": Q(-2)}, Q(0), Q(0), False),
                                         ({"m": Q(2)}, Q(1), Q(0), False), ({"m": Q(2)}, Q(0), Q(1, 8), False),
                                         ({"m": Q(1), "own": Q(1)}, Q(0), Q(0), False)):
        assert (combination(Form(terms, constant, slack), known(), reading).relative is not None) is kept


def test_slack_widens_values_and_errors_and_a_negative_one_says_nothing() -> None:
    reading = read(sumformer([], ["x.0"], [], {"x.0": 1.0}))
    wide = combination(Form({"own": Q(1)}, Q(0), Q(1, 8)), known(), reading)
    assert wide.error.contains([-0.125, 0.125]).all()
    assert wide.exact.contains([-0.125, 1.125]).all()
    assert float(combination(Form({"own": Q(1)}, Q(0), Q(-1, 8)), known(), reading).error.upper) == float("inf")


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
