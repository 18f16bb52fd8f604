"""Contents: a result contains the exact value, whatever the variables and the eps are; shared eps keep their signs."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure.content import (
    Content,
    Definitions,
    affine,
    collapsed,
    dyadic,
    expanded,
    multiplied_out,
    squared,
    tidy,
)
from proofs_check.structure.polynomial import Polynomial
from tests.proofs_check.structure.draws import Point, centre, contents, points, rationals

FEW = settings(max_examples=25, deadline=None)
SIGNS = st.sampled_from([Fraction(-1), Fraction(-1, 3), Fraction(1)])
EPS = points("ab").map(lambda at: {"e1": at["a"], "e2": at["b"]})


def fraction(q: fmpq) -> Fraction:
    return Fraction(int(q.p), int(q.q))


def actual(content: Content, at: Point, eps: Point, sign: Fraction) -> Fraction:
    """Return one of the values that a content allows."""
    return centre(content, at, eps) + sign * Fraction(content.rest)


def allows(content: Content, at: Point, eps: Point, number: Fraction) -> bool:
    return abs(number - centre(content, at, eps)) <= Fraction(content.rest)


@FEW
@given(contents("uv"), contents("uv"), points("uv"), EPS, SIGNS, SIGNS)
def test_a_product_contains_the_products(a: Content, b: Content, at: Point, eps: Point, s: Fraction, t: Fraction) -> None:
    assert allows(a * b, at, eps, actual(a, at, eps, s) * actual(b, at, eps, t))


@FEW
@given(contents("uv"), contents("uv"), rationals(), rationals(), rationals(), points("uv"), EPS, SIGNS, SIGNS)
def test_an_affine_form_contains_the_sums(a: Content, b: Content, c: fmpq, d: fmpq, k: fmpq, at: Point, eps: Point,
                                          s: Fraction, t: Fraction) -> None:
    found = affine([(a, c), (b, d)], k)
    assert allows(found, at, eps, fraction(k) + fraction(c) * actual(a, at, eps, s) + fraction(d) * actual(b, at, eps, t))


@FEW
@given(contents("uv", rest=False), points("uv"), EPS)
def test_a_square_contains_the_squares_for_some_new_eps(a: Content, at: Point, eps: Point) -> None:
    found = squared(a, "new")
    true = centre(a, at, eps) ** 2
    low, high = (centre(found, at, {**eps, "new": sign}) for sign in (Fraction(-1), Fraction(1)))
    assert min(low, high) - Fraction(found.rest) <= true <= max(low, high) + Fraction(found.rest)


@pytest.mark.parametrize("small", [1e-170, 1e-200, 5e-324])
def test_what_is_too_small_for_a_float_is_not_lost(small: float) -> None:
    """A later weight of 1e300 would show it."""
    at, eps = {"u": Fraction(1)}, {"e1": Fraction(1), "e2": Fraction(1)}
    noise, rest = Content(Polynomial({})).with_noise("e1", dyadic(small)), Content(Polynomial({}), {}, small)
    large = Content(Polynomial.variable("u").times(dyadic(small)))
    square = squared(noise, "new")
    assert any(allows(square, at, {**eps, "new": sign}, Fraction(small) ** 2) for sign in (Fraction(-1), Fraction(1)))
    assert allows(noise * rest, at, eps, Fraction(small) ** 2)
    assert allows(rest * large, at, eps, Fraction(small) ** 2)
    assert allows(affine([(rest, dyadic(small))]), at, eps, Fraction(small) ** 2)


@FEW
@given(contents("uvw"), contents("x", ("e1",)), contents("xy", ("e2",)), points("uxy"), EPS, SIGNS, SIGNS, SIGNS)
def test_expansion_puts_definitions_in_their_place(a: Content, v: Content, w: Content, at: Point, eps: Point,
                                                   s: Fraction, t: Fraction, r: Fraction) -> None:
    inside = [affine([(one, 1 / (one.main.l1() + fmpq(1)))]) for one in (v, w)]
    numbers = {"v": actual(inside[0], at, eps, s), "w": actual(inside[1], at, eps, t)}
    if any(abs(number) > 1 for number in numbers.values()):
        return
    true = actual(a, {**at, **numbers}, eps, r)
    found = expanded(a, Definitions({"v": inside[0], "w": inside[1]}))
    assert not found.variables & {"v", "w"}
    assert not (found.main - multiplied_out(a.main, Definitions({"v": inside[0], "w": inside[1]}))).terms
    assert allows(found, at, eps, true)
    assert abs(true - centre(Content(found.main), at, eps)) <= Fraction(found.spread)


@FEW
@given(contents("uv"), points("uv"), EPS, SIGNS)
def test_spreads_bound_all_but_the_main_part(a: Content, at: Point, eps: Point, s: Fraction) -> None:
    off = abs(actual(a, at, eps, s) - centre(Content(a.main), at, eps))
    assert off <= Fraction(a.sharp_spread())
    assert off <= Fraction(a.spread)


@FEW
@given(contents("uv"), points("uv"), EPS, SIGNS, st.sampled_from([0.0, 0.01, 0.4, 0.6]))
def test_noise_may_be_put_together_below_a_size_and_what_is_larger_keeps_its_name(a: Content, at: Point, eps: Point, s: Fraction,
                                                                                  below: float) -> None:
    some = collapsed(a, "one", below)
    total = sum(one.bound for one in a.noise.values())
    assert {name for name, one in a.noise.items() if one.bound > below * total} == some.noise.keys() - {"one"}
    new = fraction(some.noise["one"].polynomial.at_zero) if "one" in some.noise else Fraction(0)
    kept = Content(some.main, {name: one for name, one in some.noise.items() if name != "one"})
    assert abs(actual(a, at, eps, s) - centre(kept, at, eps)) <= new


@FEW
@given(contents("uv"), st.integers(200, 400), points("uv"), EPS, SIGNS)
def test_short_coefficients_lose_no_value(a: Content, bits: int, at: Point, eps: Point, s: Fraction) -> None:
    long = affine([(a, fmpq(1, 3**bits) + fmpq(1, 7))])
    assert allows(tidy(long), at, eps, actual(long, at, eps, s))


def test_shared_noise_with_opposite_signs_cancels_and_with_equal_ones_adds_up() -> None:
    a = Content(Polynomial.variable("u")).with_noise("e", fmpq(1, 4))
    b = Content(Polynomial({})).with_noise("e", fmpq(-1, 4))
    assert affine([(a, fmpq(1)), (b, fmpq(1))]).sharp_spread() == 0
    assert affine([(a, fmpq(1)), (b, fmpq(-1))]).sharp_spread() == pytest.approx(0.5)
    assert (a - a).sharp_spread() == 0
    assert affine([(a, fmpq(1)), (b, fmpq(1, 2))]).sharp_spread() == pytest.approx(0.125)


def test_a_name_may_be_used_once() -> None:
    noisy = Content(Polynomial({})).with_noise("e", fmpq(1))
    with pytest.raises(ValueError, match="'e' is there already"):
        noisy.with_noise("e", fmpq(-1))
    with pytest.raises(ValueError, match="is there already"):
        squared(noisy, "e")


def test_a_rest_has_no_square() -> None:
    with pytest.raises(ValueError, match="rest"):
        squared(Content(Polynomial.variable("u"), {}, 0.5), "new")


def test_another_token_has_other_noise() -> None:
    here = Content(Polynomial.variable("x.0")).with_noise("e", fmpq(1, 2))
    there = here.renamed({"x.0": "y.0"}, " at y")
    assert there.variables == {"y.0"}
    assert (here - there).sharp_spread() == pytest.approx(1.0)
