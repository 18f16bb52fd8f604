"""Hypothesis strategies: polynomials and contents, and their exact values at points."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from flint import fmpq
from hypothesis import strategies as st

from proofs_check.structure.content import Content, Noise
from proofs_check.structure.polynomial import Monomial, Polynomial
from proofs_check.structure.ranges import polynomial_size

Point = Mapping[str, Fraction]


@st.composite
def rationals(draw: st.DrawFn) -> fmpq:
    """Draw a number of moderate size, also one that is no dyadic number."""
    return fmpq(draw(st.integers(-40, 40)), draw(st.sampled_from([1, 2, 3, 7, 8, 1024])))


@st.composite
def polynomials(draw: st.DrawFn, names: str, degree: int = 3) -> Polynomial:
    """Draw a polynomial in variables of one letter each."""
    terms: dict[Monomial, fmpq] = {}
    for _ in range(draw(st.integers(0, 5))):
        exponents = [(name, draw(st.integers(0, degree))) for name in names]
        terms[tuple(sorted((name, e) for name, e in exponents if e))] = draw(rationals())
    return Polynomial({m: c for m, c in terms.items() if c})


@st.composite
def contents(draw: st.DrawFn, names: str, noises: tuple[str, ...] = ("e1", "e2"), *, rest: bool = True) -> Content:
    """Draw a content; bounds of noise are as sharp as they can be."""
    noise = {}
    for name in noises:
        if draw(st.booleans()):
            polynomial = draw(polynomials(names, 2)).times(fmpq(1, 64))
            if polynomial.terms:
                noise[name] = Noise(polynomial, polynomial_size(polynomial))
    return Content(draw(polynomials(names)), noise, draw(st.sampled_from([0.0, 0.125, 2.0**-30])) if rest else 0.0)


def points(names: str) -> st.SearchStrategy[dict[str, Fraction]]:
    """Draw a value in [-1, 1] for each name."""
    return st.fixed_dictionaries({name: st.one_of(st.sampled_from([Fraction(-1), Fraction(1)]),
                                                  st.fractions(-1, 1, max_denominator=64)) for name in names})


def value(polynomial: Polynomial, at: Point) -> Fraction:
    """Evaluate exactly."""
    total = Fraction(0)
    for monomial, c in polynomial.terms.items():
        term = Fraction(int(c.p), int(c.q))
        for name, exponent in monomial:
            term *= at[name] ** exponent
        total += term
    return total


def centre(content: Content, at: Point, eps: Point) -> Fraction:
    """Evaluate main and noise exactly; the value of the content is within its rest of that."""
    noise = (value(one.polynomial, at) * eps[name] for name, one in content.noise.items())
    return value(content.main, at) + sum(noise, Fraction(0))
