"""Exact polynomials in the coordinates of m tokens, as sympy rings over the rationals: power sums and forms in them."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

from sympy.polys.domains import QQ
from sympy.polys.rings import ring

from constructions.sumformers.power_sums import Form

Index = tuple[int, ...]
# Prouhet-Tarry-Escott pairs: equal power sums up to degree m - 1 of m numbers each, different ones of degree m
PAIRS = {2: ((0, 2), (1, 1)), 3: ((0, 4, 5), (1, 2, 6)), 4: ((0, 4, 7, 11), (1, 2, 9, 10)),
         5: ((0, 4, 8, 16, 17), (1, 2, 10, 14, 18)), 6: ((0, 4, 9, 17, 22, 26), (1, 2, 12, 14, 24, 25))}


@cache
def tokens(m: int, d: int) -> tuple[tuple[Any, ...], ...]:
    """Return m tokens of d ring generators."""
    if m == 0:
        return ()
    _, *generators = ring([f"x{k}_{c}" for k in range(m) for c in range(d)], QQ)
    return tuple(tuple(generators[k * d:(k + 1) * d]) for k in range(m))


def monomial(token: tuple[Any, ...], a: Index) -> Any:
    """Return token^a."""
    return math.prod(x**k for x, k in zip(token, a, strict=True))


def power_sum(sequence: tuple[tuple[Any, ...], ...], a: Index) -> Any:
    """Return the sum of the tokens' a-th powers."""
    return sum(monomial(token, a) for token in sequence)


def expanded(form: Form, own: int, sequence: tuple[tuple[Any, ...], ...]) -> Any:
    """Evaluate a form in power sums on a sequence of ring elements, by arithmetic of the checker's own."""
    used = [token for k, token in enumerate(sequence) if not (form.others and k == own)]
    total: Any = 0
    for (a, powers), c in form.terms.items():
        term = monomial(sequence[own], a) if any(a) else 1
        for b in powers:
            term = term * sum(monomial(token, b) for token in used)
        total = total + term * QQ(Fraction(c).numerator, Fraction(c).denominator)
    return total
