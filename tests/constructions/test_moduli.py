"""Moduli of continuity: a derived one is a short decimal just above the steepest slope, a declared one says so."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions import moduli
from constructions.domains import Box
from constructions.errors import Refused
from constructions.number_formats import short_decimal_above
from constructions.targets.library import resolve
from constructions.targets.target import Target
from tests.cases import CASES
from tests.constructions.targets.known_slopes import KNOWN


def test_a_derived_modulus_is_a_short_decimal_at_most_four_percent_above_the_constant() -> None:
    for name in ("own-times-mean", "range", "figure-2"):
        modulus = moduli.derived(resolve(name, n=None, d=None, domain="0,1"))
        assert KNOWN[name] < modulus.lipschitz <= Fraction(104, 100) * KNOWN[name]
        assert len(str(modulus.lipschitz.numerator)) <= 5
        assert modulus.assumption == ""
        assert 0.95 * KNOWN[name] <= modulus.attained <= KNOWN[name]


def test_a_derived_modulus_bounds_differences_of_the_target() -> None:
    case = next(c for c in CASES if c.name == "plane")
    modulus, rng = moduli.derived(case.target), np.random.default_rng(5)
    first, second = case.tokens(rng, 2000), case.tokens(rng, 2000)
    distance = np.abs(first - second).max(axis=(1, 2))
    change = np.abs(case.target.numpy(first) - case.target.numpy(second)).max(axis=(1, 2))
    assert np.all(change <= float(modulus.lipschitz) * distance + 1e-12)
    assert np.any(change > 0.6 * float(modulus.lipschitz) * distance)


def test_a_modulus_is_linear_and_exact() -> None:
    assert moduli.Modulus(Fraction(3, 7))(Fraction(1, 3)) == Fraction(1, 7)


def test_a_declared_modulus_names_its_assumption() -> None:
    modulus = moduli.declared(Fraction(5, 2), "m:f")
    assert modulus.lipschitz == Fraction(5, 2)
    assert modulus.attained == 0
    assert "m:f has Lipschitz constant at most 5/2 (declared" in modulus.assumption


@pytest.mark.parametrize("value", [
    Fraction(1, 3), Fraction(2), Fraction(99999), Fraction(1, 10**7), Fraction(123451, 10), Fraction(0)])
def test_rounding_to_a_short_decimal_goes_up_by_at_most_a_thousandth(value: Fraction) -> None:
    rounded = short_decimal_above(value, 4)
    assert value <= rounded <= value * Fraction(1001, 1000)


@pytest.mark.parametrize(("text", "domain"), [("sqrt(x)", "0,1"), ("1/x", "0,1"), ("log(x)", "0,1"), ("1/(x-1/3)", "0,1")])
def test_an_unbounded_slope_is_refused_with_the_place(text: str, domain: str) -> None:
    with pytest.raises(Refused, match="its slope could not be bounded near X in"):
        moduli.derived(Target.from_text(text, n=2, box=Box.parse(domain, 1)), max_boxes=2000)


def test_the_same_slope_on_another_domain_is_bounded() -> None:
    modulus = moduli.derived(Target.from_text("sqrt(x)", n=2, box=Box.parse("1,2", 1)))
    assert Fraction(1, 2) <= modulus.lipschitz <= Fraction(52, 100)
