"""Polynomials of one form are found and bounded as those of one variable; others are not taken for such."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure.polynomial import Polynomial, combined
from proofs_check.structure.ranges import polynomial_range
from proofs_check.structure.ridge import along, ridge_range
from tests.proofs_check.structure.draws import points, polynomials, rationals, value
from tests.proofs_check.structure.from_text import built_and_proved, largest_error

UVW = ("u", "v", "w")


def of_form(q: list[fmpq], weights: list[fmpq]) -> Polynomial:
    """Return q_0 + q_1 s + q_2 s^2 + .. with s = a u + b v + .."""
    form = combined([(Polynomial.variable(name), c) for name, c in zip(UVW, weights, strict=False)])
    total = Polynomial({})
    for c in reversed(q):
        total = total * form + Polynomial.constant(c)
    return total


@settings(deadline=None)
@given(st.lists(rationals(), min_size=2, max_size=6), st.lists(rationals().filter(bool), min_size=2, max_size=3),
       st.lists(points("uvw"), min_size=1, max_size=8))
def test_a_polynomial_of_a_form_is_enclosed(q: list[fmpq], weights: list[fmpq], at: list[dict[str, Fraction]]) -> None:
    p = of_form(q, weights)
    found = ridge_range(p)
    if not any(q[1:]):
        return
    assert found is not None
    for point in at:
        assert Fraction(found[0]) <= value(p, point) <= Fraction(found[1])


@settings(deadline=None)
@given(polynomials("uv"), points("uv"))
def test_no_polynomial_leaves_its_range(p: Polynomial, at: dict[str, Fraction]) -> None:
    found = ridge_range(p)
    if found is not None:
        assert Fraction(found[0]) <= value(p, at) <= Fraction(found[1])


def test_the_range_is_sharp_where_a_grid_is_not() -> None:
    p = of_form([fmpq(0), fmpq(1), fmpq(0), fmpq(-1)] * 3, [fmpq(1, 3), fmpq(1, 2)])
    low, high = ridge_range(p) or (0.0, 0.0)
    wide = polynomial_range(p)
    assert wide[0] <= low < high <= wide[1]
    assert high - low < wide[1] - wide[0]
    one = polynomial_range(of_form([fmpq(0), fmpq(1), fmpq(0), fmpq(-1)] * 3, [fmpq(5, 6)]))
    assert (low, high) == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("off", [fmpq(1, 10**6), fmpq(1, 2**60)])
def test_what_is_no_polynomial_of_a_form_is_not_taken_for_one_or_counts(off: fmpq) -> None:
    p = of_form([fmpq(0), fmpq(1), fmpq(1)], [fmpq(1), fmpq(1)])
    other = p + Polynomial({(("u", 1), ("v", 2)): off})
    found = ridge_range(other)
    if off > fmpq(1, 2**50):
        assert found is None
    else:
        assert found is not None
        assert Fraction(found[1]) >= 6 + Fraction(1, 2**60)
    assert ridge_range(Polynomial.variable("u")) is None


@settings(deadline=None)
@given(st.lists(rationals(), min_size=1, max_size=6), st.lists(rationals().filter(bool), min_size=2, max_size=3), rationals(),
       points("uvw"), st.sampled_from([fmpq(0), fmpq(1, 2**70), fmpq(1, 3)]))
def test_a_polynomial_of_a_given_form_is_found_with_what_it_misses(
        q: list[fmpq], weights: list[fmpq], constant: fmpq, at: dict[str, Fraction], off: fmpq) -> None:
    form = combined([(Polynomial.variable(name), c) for name, c in zip(UVW, weights, strict=False)])
    form = form + Polynomial.constant(constant)
    total = Polynomial({})
    for c in reversed(q):
        total = total * form + Polynomial.constant(c)
    p = total + Polynomial({(("u", 1), ("v", 1)): off})
    found = along(p, form, "s")
    if not off:
        assert found is not None
    if found is None:
        assert off
        return
    of_s, lost = found
    gap = value(p, at) - value(of_s, {"s": value(form, at)})
    assert abs(gap) <= Fraction(int(lost.p), int(lost.q))
    assert along(p, Polynomial.variable("u") * Polynomial.variable("v"), "s") is None


SUMS = ("tanh(x*mean(y)-mean(sin(x+y)))", "mean(exp(x*y/2))/(7/2+mean(cos(x-y)))")


@pytest.mark.parametrize("text", SUMS)
def test_functions_of_sums_of_several_quantities_are_proved_from_the_weights(text: str) -> None:
    construction, found = built_and_proved(text, "3e-2")
    assert found.identities
    assert found.bound <= 0.03
    for n in (2, 3, 64):
        assert largest_error(construction, n, 100) <= found.bound
