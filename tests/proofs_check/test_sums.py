"""Computed sums, raised, are never below the exact ones: as many terms and roundings as are claimed, in any order."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.enclosures.sums import ABOVE, MOST_TERMS, above


def test_the_margin_is_what_the_roundings_may_take() -> None:
    kept = (1 - Fraction(1, 2**53)) ** (2 * MOST_TERMS)
    assert Fraction(ABOVE) * (1 - Fraction(1, 2**53)) * kept > 1


@given(st.integers(1, 2**36))
def test_more_terms_have_a_larger_margin(terms: int) -> None:
    """(1 - u)^k is at least 1 - k u."""
    kept = 1 - Fraction(terms + MOST_TERMS, 2**53)
    assert Fraction(above(terms)) * (1 - Fraction(1, 2**53)) * kept > 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, MOST_TERMS))
def test_a_raised_sum_of_rounded_products_is_above_the_exact_one(seed: int, terms: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = np.ldexp(1 + rng.random((2, terms)), rng.integers(-30, 30, (2, terms)))
    exact = sum((Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)), Fraction(0))
    one_by_one = 0.0
    for product in (a * b).tolist():
        one_by_one += product
    for computed in (float(a @ b), float((a * b).sum()), one_by_one):
        assert Fraction(computed * ABOVE) >= exact
