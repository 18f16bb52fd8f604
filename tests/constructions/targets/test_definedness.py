"""A target is accepted only where it is shown to be defined everywhere, and refused with a place and a sub-expression."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings

from constructions.domains import Box
from constructions.errors import Refused, Undefined
from constructions.targets.definedness import refuse_undefined
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.target import Target
from tests.cases import CASES, Case
from tests.strategies import Sample, samples


def target_of(text: str, domain: str, n: int = 2) -> Target:
    return Target.from_text(text, n=n, box=Box.parse(domain, 1))


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_library_target_is_accepted_on_the_unit_box(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    refuse_undefined(target, max_boxes=1000)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_target_of_the_table_is_accepted(case: Case) -> None:
    refuse_undefined(case.target)


@given(samples(n=2, depth=2))
@settings(max_examples=25, deadline=None)
def test_a_target_that_is_defined_for_all_real_tokens_is_accepted(sample: Sample) -> None:
    refuse_undefined(target_of(sample.text, "-1,2"))


@pytest.mark.parametrize(("text", "domain"), [
    ("1/x", "1,2"), ("1/(x+1)", "0,1"), ("log(x)", "1/3,2/3"), ("sqrt(x)", "1/1000,1"), ("log(1+x)", "-1/2,1"),
    ("1/(1/10+mean((y-mean(y))**2))", "-1,2"), ("1/(x-mean(y)+3)", "-1,1"), ("x**0.5", "1,2"), ("x**x", "1,2"),
    ("sqrt(1/100+(x-mean(y))**2)", "0,1"), ("log(x**2-x+1)", "-1,2"),
])
def test_what_is_defined_everywhere_is_accepted(text: str, domain: str) -> None:
    refuse_undefined(target_of(text, domain), max_boxes=5000)


UNDEFINED = [
    ("1/x", "0,1", "the divisor x[0] vanishes"), ("log(x)", "0,1", "log needs an argument > 0"),
    ("sqrt(x)", "-1,2", "sqrt needs an argument >= 0"), ("1/(x-mean(y))", "0,1", "the divisor (x[0] - mean(y[0])) vanishes"),
    ("sqrt(x-mean(y))", "0,1", "sqrt needs an argument >= 0"), ("1 + mean(1/(x-y))", "0,1", "the divisor (x[0] - y[0]) vanishes"),
    ("x**-1", "-1,2", "not finite"), ("log(x-1/2)", "0,1", "log needs"), ("x**0.3", "-1,2", "base >= 0"),
    ("1/(x-1/2)", "0,1", "vanishes"), ("log(max(y)-min(y))", "0,1", "log needs"),
    ("exp(exp(exp(exp(99*x))))", "0,1", "not finite"),
]


@pytest.mark.parametrize(("text", "domain", "reason"), UNDEFINED)
def test_what_is_undefined_somewhere_is_refused_with_place_and_reason(text: str, domain: str, reason: str) -> None:
    target = target_of(text, domain)
    with pytest.raises(Refused) as caught:
        refuse_undefined(target, max_boxes=2000)
    message = str(caught.value)
    assert reason in message
    assert re.search(r"\(column \d+\)", message)
    place = re.search(r"is undefined at X = \(([^)]*)\)", message)
    if place is not None and "exp" not in text:
        values = target.numpy(np.array([[float(v)] for v in place[1].split(",")]))
        assert not np.isfinite(values).all()


@pytest.mark.parametrize("text", ["1/(x-1/3)", "log((x-1/3)**2)"])
def test_a_single_bad_point_that_is_no_dyadic_number_is_never_accepted(text: str) -> None:
    with pytest.raises(Refused, match="could not be shown to be defined on"):
        refuse_undefined(target_of(text, "0,1"), max_boxes=300)


def test_the_column_is_that_of_the_culprit() -> None:
    with pytest.raises(Refused, match=r"log\(x\[0\]\) \(column 10\)"):
        refuse_undefined(target_of("exp(2) + log(x)", "0,1"))


def test_a_root_of_what_reaches_zero_is_refused_with_what_is_defined_instead() -> None:
    with pytest.raises(Refused, match=r"sqrt needs an argument >= 0 in .*maximum\(u, r\)\*\*c is defined"):
        refuse_undefined(target_of("sqrt(mean(y**2))", "-1,1"), max_boxes=300)
    refuse_undefined(target_of("sqrt(maximum(mean(y**2), 1/100))", "-1,1"), max_boxes=300)
    with pytest.raises(Refused) as refused:
        refuse_undefined(target_of("1/mean((y-mean(y))**2 + 1/10**9*(x-1/3)**2)", "-1,1"), max_boxes=300)
    assert "sqrt" not in str(refused.value)


@pytest.mark.parametrize("text", ["sqrt(mean(exp(y)**2)-mean(exp(y))**2)", "1/(exp(x)-exp(x)+sin(1)-sin(1))",
                                  "log(exp(1+x)-exp(1+x))"])
def test_what_balls_cannot_tell_is_not_called_undefined(text: str) -> None:
    """At equal tokens the first is 0 and its ball reaches below; the others have no value, which their balls do not show."""
    with pytest.raises(Refused) as caught:
        refuse_undefined(target_of(text, "0,1"), max_boxes=50)
    assert not isinstance(caught.value, Undefined)
    assert "could not be shown to be defined" in str(caught.value)
