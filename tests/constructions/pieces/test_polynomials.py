"""Polynomials are expanded exactly: what is missed is what is cut off and what rounding the coefficients changes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from constructions.pieces.expansion import expand
from constructions.pieces.polynomials import chebyshev_coefficients, polynomial_of
from constructions.pieces.smooth import Smooth
from constructions.targets import expression as ex
from constructions.targets.language import parse

CONSTANTS = st.fractions(-3, 3, max_denominator=9).map(lambda q: f"({q})")
TEXTS = st.recursive(st.one_of(st.just("x"), CONSTANTS), lambda inner: st.one_of(
    st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]}{p[1]}{p[2]})"), inner.map(lambda u: f"(-{u})"),
    st.tuples(inner, st.integers(0, 3)).map(lambda p: f"({p[0]})**{p[1]}"), inner.map(lambda u: f"({u})/(7/3)")), max_leaves=8)
INTERVALS = st.tuples(st.fractions(-2, 2, max_denominator=8), st.fractions(1, 3, max_denominator=8)).map(
    lambda pair: (pair[0], pair[0] + pair[1]))


def tree(text: str) -> ex.Expression:
    return ex.specialise(parse(text, 1)[0], 2)


@settings(max_examples=80, deadline=None)
@given(TEXTS, INTERVALS)
def test_the_coefficients_are_those_of_sympy(text: str, interval: tuple[Fraction, Fraction]) -> None:
    found = chebyshev_coefficients(tree(text), interval, 30)
    x, u = sympy.symbols("x u")
    a, b = (sympy.Rational(end.numerator, end.denominator) for end in interval)
    wanted = sympy.sympify(text.replace("/(7/3)", "*Rational(3,7)"), locals={"x": x}, rational=True)
    if sympy.degree(sympy.Poly(wanted, x)) > 30:
        return
    assert found is not None
    series = sum(sympy.Rational(c.numerator, c.denominator) * sympy.chebyshevt(j, u) for j, c in enumerate(found))
    assert sympy.expand(series - wanted.subs(x, (a + b) / 2 + (b - a) / 2 * u)) == 0


@settings(max_examples=60, deadline=None)
@given(TEXTS, INTERVALS, st.sampled_from([1e-1, 1e-3, 1e-12]))
def test_an_expansion_is_within_its_error(text: str, interval: tuple[Fraction, Fraction], tolerance: float) -> None:
    p = polynomial_of(tree(text), 30)
    if p is None or p.degree() > 20:
        return
    found = expand(Smooth(tree(text)), (interval,), tolerance, 30)
    assert found.error <= tolerance
    exact = chebyshev_coefficients(tree(text), interval, 30)
    assert exact is not None
    gap = [Fraction(0)] * max(len(exact), len(found.coefficients))
    for j, c in enumerate(exact):
        gap[j] += c
    for j, r in enumerate(found.coefficients):
        gap[j] -= Fraction(float(r))
    values = chebyshev.chebval(np.cos(np.linspace(0, np.pi, 400)), [float(c) for c in gap])
    assert np.abs(values).max() <= found.error * (1 + 1e-9) + 1e-300


@pytest.mark.parametrize(("text", "degree", "error"), [("x**2", 2, 0.0), ("(x-1)**2*x/4", 3, 0.0), ("x/3", 1, 1e-16)])
def test_what_is_exact_in_float64_misses_nothing(text: str, degree: int, error: float) -> None:
    found = expand(Smooth(tree(text)), ((Fraction(0), Fraction(1)),), 1e-15)
    assert len(found.coefficients) == degree + 1
    assert found.error <= error


def test_small_coefficients_are_cut_off_where_the_tolerance_allows() -> None:
    assert len(expand(Smooth(tree("(1-x)**9")), ((Fraction(0), Fraction(1)),), 1e-2).coefficients) == 6


@pytest.mark.parametrize("text", ["exp(x)", "1/x", "x**-2", "sqrt(x)", "x/(1+x)", "x**31", "(x**6)**6", "pi*x"])
def test_other_trees_are_no_polynomials(text: str) -> None:
    assert polynomial_of(tree(text), 30) is None
