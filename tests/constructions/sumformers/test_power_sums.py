"""Polynomial targets through power sums, exactly: identities over fractions and with symbolic tokens."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.encodings.power_sums import multi_indices, printed_dimension, sharpened_dimension
from constructions.errors import Refused
from constructions.sumformers.power_sums import Form, _reduced, as_expression, polynomial_form, sharpened
from constructions.targets.evaluation import evaluate, fraction_algebra
from constructions.targets.target import Target

TEXTS = [("x*mean(y)", 1), ("x + 7*x**2 + 3*x*(sum(y) - x)**3", 1), ("mean((y-mean(y))**2)", 1), ("mean((x-y)**4)*sum(y**3)", 1),
         ("sum(y)**2/n - x*n", 1), ("x[0]*mean(y[1]**2*y[0]) - sum(x[1]*y[0])**2", 2)]
numbers = st.fractions(-2, 2, max_denominator=6)


def of(text: str, n: int, d: int) -> Target:
    return Target.from_text(text, n=n, box=Box.parse("0,1", d))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(TEXTS), st.integers(2, 4), st.data())
def test_forms_and_their_sharpened_forms_are_the_target_on_every_rational_sequence(case: tuple[str, int], n: int,
                                                                                  data: st.DataObject) -> None:
    text, d = case
    target = of(text, n, d)
    tokens = [[data.draw(numbers) for _ in range(d)] for _ in range(n)]
    wanted = target.fractions(np.array(tokens, dtype=object))
    (form,) = polynomial_form(target)
    short = sharpened(form, n, d)
    assert short.degree <= n - 1
    for own in range(n):
        assert form(tokens, own) == short(tokens, own) == wanted[own, 0]
    expression = evaluate((as_expression(form, n),), np.array(tokens, dtype=object), fraction_algebra())
    assert np.array_equal(expression, wanted)


@pytest.mark.parametrize(("m", "d"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)])
def test_power_sums_of_degree_m_generate_those_above_on_m_symbolic_tokens(m: int, d: int) -> None:
    tokens = [[sympy.Symbol(f"t{i}_{c}") for c in range(d)] for i in range(m)]

    def p(b: tuple[int, ...]) -> sympy.Expr:
        return sum(sympy.prod([x**k for x, k in zip(token, b, strict=True)]) for token in tokens)

    for b in multi_indices(d, m + 2):
        if sum(b) > m:
            reduced = sum(sympy.Rational(c.numerator, c.denominator) * sympy.prod([p(a) for a in powers])
                          for powers, c in _reduced(b, m, d).items())
            assert sympy.expand(p(b) - reduced) == 0


def test_one_degree_less_does_not_generate_them() -> None:
    """{0, 3, 3} and {1, 1, 4}: three tokens with equal power sums of degree 1 and 2, and different ones of degree 3."""
    one, other = (0, 3, 3), (1, 1, 4)
    assert [sum(t**k for t in one) == sum(t**k for t in other) for k in (1, 2, 3)] == [True, True, False]


def test_printed_and_sharpened_dimensions_count_multi_indices() -> None:
    for n, d in itertools.product(range(2, 6), range(1, 5)):
        assert printed_dimension(n, d) == len(multi_indices(d, n))
        assert sharpened_dimension(n, d) == len(multi_indices(d, n - 1))
    assert sharpened_dimension(10, 2, degree=3) == len(multi_indices(2, 3))


def test_a_changed_coefficient_is_another_function() -> None:
    target = of("x + 7*x**2 + 3*x*(sum(y) - x)**3", 3, 1)
    (form,) = polynomial_form(target)
    key = next(iter(form.terms))
    wrong = replace(form, terms={**form.terms, key: form.terms[key] + 1})
    tokens = [[Fraction(1, 3)], [Fraction(2, 3)], [Fraction(1, 2)]]
    assert isinstance(wrong, Form)
    assert wrong(tokens, 0) != target.fractions(np.array(tokens, dtype=object))[0, 0]


@pytest.mark.parametrize(("text", "words"), [("x*exp(mean(y))", r"exp\(mean\(y\[0\]\)\) \(column 3\)"), ("1/x", "column"),
                                             ("max(y)", "column 1"), ("mean(sqrt(y))", "column"),
                                             ("(x+mean(y)+mean(y**2)+mean(y**3))**60", "terms")])
def test_what_is_not_a_polynomial_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        polynomial_form(of(text, 3, 1))
