"""One affine form inside another: what is missed bounds the difference, and what is no such form is not one."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure.content import Content, affine
from proofs_check.structure.matching import argument_variable, compared, leading_monomial
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.reading import Reading
from proofs_check.structure.variable import Variable
from tests.proofs_check.structure.draws import Point, centre, contents, points, rationals

FEW = settings(max_examples=25, deadline=None)


def fraction(q: fmpq) -> Fraction:
    return Fraction(int(q.p), int(q.q))


@FEW
@given(contents("uv", rest=False), rationals(), rationals(), points("uv"), points("ab"), st.sampled_from([0.0, 2.0**-40]))
def test_a_multiple_and_a_shift_are_found_up_to_what_is_missed(other: Content, c: fmpq, k: fmpq, at: Point, signs: Point,
                                                               rest: float) -> None:
    exact = affine([(other, c)], k)
    content = Content(exact.main, exact.noise, rest)
    found = compared(content, other)
    if found is None:
        assert not c or leading_monomial(other.main) is None
        return
    eps = {"e1": signs["a"], "e2": signs["b"]}
    off = abs(centre(content, at, eps) - fraction(found.scale) * centre(other, at, eps) - fraction(found.shift))
    assert off + Fraction(rest) <= Fraction(found.missed)
    assert found.missed <= 2 * rest + 1e-200


@FEW
@given(contents("uv"), contents("uv"), points("uv"), points("ab"))
def test_whatever_is_found_is_missed_by_no_more(a: Content, b: Content, at: Point, signs: Point) -> None:
    found = compared(a, b)
    if found is not None:
        eps = {"e1": signs["a"], "e2": signs["b"]}
        off = abs(centre(a, at, eps) - fraction(found.scale) * centre(b, at, eps) - fraction(found.shift))
        assert off + Fraction(a.rest) <= Fraction(found.missed)


def test_another_form_is_none() -> None:
    u, v = Content(Polynomial.variable("u")), Content(Polynomial.variable("v"))
    assert compared(u, v) is None
    assert compared(affine([(u, fmpq(1)), (v, fmpq(1, 1000))]), u) is None
    assert compared(u * u, u) is None
    assert compared(u, Content.constant(fmpq(1))) is None


def test_opposite_noise_is_missed_twice_and_equal_noise_not_at_all() -> None:
    u = Content(Polynomial.variable("u"))
    plus, minus = u.with_noise("e", fmpq(1, 8)), u.with_noise("e", fmpq(-1, 8))
    same, opposite = compared(plus, plus), compared(plus, minus)
    assert same is not None
    assert opposite is not None
    assert same.missed < 1e-200
    assert opposite.missed == pytest.approx(0.25)


def test_an_argument_is_a_variable_or_a_copy_or_nothing() -> None:
    reading = Reading([(Fraction(0), Fraction(1))])
    u, v = Content(Polynomial.variable("u")), Content(Polynomial.variable("v"))
    reading.variables |= {name: Variable.of(-1, 1) for name in ("u", "v", "channel.c")}
    reading.copies["channel.c"] = affine([(u, fmpq(1, 2)), (v, fmpq(1, 3))])
    alone = argument_variable(reading, affine([(u, fmpq(2))], fmpq(1, 3)), [])
    assert alone is not None
    assert (alone[0], alone[1].scale, alone[1].shift) == ("u", fmpq(2), fmpq(1, 3))
    copied = argument_variable(reading, affine([(u, fmpq(1)), (v, fmpq(2, 3))]), ["channel.c"])
    assert copied is not None
    assert (copied[0], copied[1].scale) == ("channel.c", fmpq(2))
    assert argument_variable(reading, affine([(u, fmpq(1)), (v, fmpq(1))]), ["channel.c"]) is None
    assert argument_variable(reading, u * u, []) is None
