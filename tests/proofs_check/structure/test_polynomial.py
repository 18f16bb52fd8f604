"""Polynomials: the same algebra as sympy's, and coefficients cut by no more than is said."""

from __future__ import annotations

from fractions import Fraction

import sympy
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure.polynomial import Polynomial, combined
from tests.proofs_check.structure.draws import polynomials, rationals

FEW = settings(max_examples=15, deadline=None)


def symbolic(p: Polynomial) -> sympy.Expr:
    """Write a polynomial for sympy."""
    return sum((sympy.Rational(int(c.p), int(c.q)) * sympy.prod(sympy.Symbol(v) ** e for v, e in m) for m, c in p.terms.items()),
               sympy.Integer(0))


def same(p: Polynomial, q: sympy.Expr) -> bool:
    return bool(sympy.expand(symbolic(p) - q) == 0) and all(p.terms.values())


@FEW
@given(polynomials("uv"), polynomials("uw"), rationals())
def test_sums_products_and_multiples_are_those_of_algebra(p: Polynomial, q: Polynomial, c: fmpq) -> None:
    a, b, factor = symbolic(p), symbolic(q), sympy.Rational(int(c.p), int(c.q))
    assert same(p + q, a + b)
    assert same(p - q, a - b)
    assert same(p * q, a * b)
    assert same(p.times(c), a * factor)
    assert same(combined([(p, c), (q, fmpq(2))]), factor * a + 2 * b)
    assert not (p - p).terms


@FEW
@given(polynomials("u"), polynomials("u"))
def test_dense_products_in_one_variable_are_the_same(p: Polynomial, q: Polynomial) -> None:
    assert same(p * q, symbolic(p) * symbolic(q))


@FEW
@given(polynomials("uv"), polynomials("vw"), polynomials("u"))
def test_substitution_is_simultaneous(p: Polynomial, q: Polynomial, r: Polynomial) -> None:
    swapped = {sympy.Symbol("u"): symbolic(q), sympy.Symbol("v"): symbolic(r)}
    assert same(p.substituted({"u": q, "v": r}), symbolic(p).subs(swapped, simultaneous=True))


@FEW
@given(polynomials("uvw"))
def test_by_splits_off_the_chosen_variables_and_loses_nothing(p: Polynomial) -> None:
    parts = p.by(["u", "w"])
    assert all(inner.variables <= {"v"} for inner in parts.values())
    assert same(combined((Polynomial({outer: fmpq(1)}) * inner, fmpq(1)) for outer, inner in parts.items()), symbolic(p))
    assert max((sum(e for v, e in outer if v == "u") for outer in parts), default=0) == p.degree("u")


@FEW
@given(polynomials("uv"), st.integers(200, 700))
def test_cut_loses_at_most_what_it_says_and_shortens(p: Polynomial, bits: int) -> None:
    long = p.times(fmpq(1, 3**bits) + fmpq(1, 7))
    short, lost = long.cut()
    assert (long - short).l1() <= lost
    assert all(int(c.q).bit_length() <= 257 for c in short.terms.values())
    assert lost <= fmpq(len(long.terms), 2**256)


@FEW
@given(polynomials("uv"), st.integers(195, 260))
def test_dust_is_dropped_and_counted(p: Polynomial, bits: int) -> None:
    short, lost = p.times(fmpq(1, 2**bits)).cut()
    assert (p.times(fmpq(1, 2**bits)) - short).l1() <= lost
    assert all(abs(c) >= fmpq(1, 2**201) for c in short.terms.values())


@FEW
@given(polynomials("uv"), st.fractions(-1, 1), st.fractions(-1, 1))
def test_l1_bounds_the_values(p: Polynomial, u: Fraction, v: Fraction) -> None:
    value = symbolic(p).subs({"u": sympy.Rational(u), "v": sympy.Rational(v)})
    bound = p.l1()
    assert abs(value) <= sympy.Rational(int(bound.p), int(bound.q))
