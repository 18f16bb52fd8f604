"""Exact ranges contain every value, and have the ends that float64 rounds away."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.structure.exact_ranges import exact_range

LOW, HIGH = Fraction(-1, 3), Fraction(2, 3)
SIDES = [(LOW, HIGH)]


def ends(text: str) -> tuple[Fraction, Fraction] | None:
    return exact_range(Target.from_text(text, n=3, box=Box((LOW,), (HIGH,))).symbolic[0], SIDES, None)


@pytest.mark.parametrize(("text", "low", "high"), [
    ("x+1/3", "0", "1"), ("(x+1/3)**2", "0", "1"), ("x**2", "0", "4/9"), ("x*x", "0", "4/9"), ("x**3", "-1/27", "8/27"),
    ("x*mean(y)", "-2/9", "4/9"), ("1/(4/3+x)", "1/2", "1"), ("1/(x-1)", "-3", "-3/4"), ("abs(x)", "0", "2/3"),
    ("-relu(x)", "-2/3", "0"), ("maximum(x,0)", "0", "2/3"), ("minimum(x,max(y**2))", "-1/3", "4/9"), ("exp(x+1/3)", "1", None),
    ("log(x+4/3)", "0", None), ("tanh(x-2/3)", None, "0"), ("sigmoid(x+1/3)", "1/2", None), ("sqrt(x+1/3)", "0", "1"),
    ("1/3-1/7", "4/21", "4/21"), ("exp(x-x*0)", None, None)])
def test_the_ends_are_exact_where_they_are_rational(text: str, low: str | None, high: str | None) -> None:
    found = ends(text)
    assert found is not None
    values = Target.from_text(text, n=3, box=Box((LOW,), (HIGH,))).numpy(
        float(LOW) + np.random.default_rng(0).random((300, 3, 1)))
    assert float(found[0]) - 1e-12 <= values.min()
    assert values.max() <= float(found[1]) + 1e-12
    assert low is None or found[0] == Fraction(low)
    assert high is None or found[1] == Fraction(high)


@pytest.mark.parametrize("text", ["1/x", "log(x)", "sqrt(x)", "sum(y)", "x**0.3", "1/(x*mean(y))", "n*x", "x**(-2)"])
def test_what_has_no_range_has_none(text: str) -> None:
    assert ends(text) is None


@pytest.mark.parametrize("text", ["sin(x)", "cos(pi*x)", "(x/3+1/7)**60*(x-1/11)**64", "((x**60+1)**60+1)**60-1", "x**9999",
                                  "x**0", "(2+x)**-3", "mean(y**2)-mean(y)**2"])
def test_what_is_not_exact_is_rounded(text: str) -> None:
    found = ends(text)
    assert found is not None
    values = Target.from_text(text, n=3, box=Box((LOW,), (HIGH,))).numpy(
        float(LOW) + np.random.default_rng(0).random((300, 3, 1)))
    assert found[0] <= Fraction(float(values.min())) + Fraction(1, 10**12)
    assert Fraction(float(values.max())) <= found[1] * (1 + Fraction(1, 10**9)) + Fraction(1, 10**12)
    assert max(end.denominator.bit_length() for end in found) <= 5000
