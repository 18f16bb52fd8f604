"""Polynomials of several variables that are polynomials of one form in them: their ranges are those of one variable.

If p(x) = q(x_0 + r_1 x_1 + ..), then q(s) = p(s, 0, ..), and with c the coefficient of x_0^k in p that of x_0^(k-1) x_i is
k c r_i. What p differs from the q that was found counts with its coefficients, so nothing is assumed of p.
"""

from __future__ import annotations

from flint import fmpq

from proofs_check.structure.polynomial import CONSTANT, ZERO, Monomial, Polynomial, combined
from proofs_check.structure.ranges import Range, polynomial_range, rational_up, widened

MOST_LOST = fmpq(1, 2**40)  # of the sum of all coefficients: beyond that p is no such polynomial


def ridge_range(p: Polynomial) -> Range | None:
    """Enclose the values on [-1, 1]^n of a polynomial of one form, None where it is none."""
    names = sorted(p.variables)
    if len(names) < 2:
        return None
    first = max(names, key=lambda name: _largest_power(p, name)[1])
    k, _ = _largest_power(p, first)
    if not k:
        return None
    ratios = {name: p.terms.get(_beside(first, k, name), ZERO) / (k * p.terms[((first, k),)]) for name in names if name != first}
    form = combined([(Polynomial.variable(name), r) for name, r in {first: fmpq(1), **ratios}.items()])
    powers = {m[0][1] if m else 0: c for m, c in p.terms.items() if not m or (len(m) == 1 and m[0][0] == first)}
    composed = Polynomial({})
    for exponent in range(max(powers), -1, -1):
        composed = composed * form + Polynomial.constant(powers.get(exponent, ZERO))
    lost = (p - composed).l1()
    if lost > MOST_LOST * p.l1():
        return None
    reach = form.l1()
    scaled = Polynomial({((first, e),) if e else CONSTANT: c * reach**e for e, c in powers.items() if c})
    low, high = polynomial_range(scaled)
    return widened(low - rational_up(lost), high + rational_up(lost))


def _largest_power(p: Polynomial, name: str) -> tuple[int, fmpq]:
    """Return the power of a variable alone with the largest coefficient, and its size."""
    found = {m[0][1]: abs(c) for m, c in p.terms.items() if len(m) == 1 and m[0][0] == name}
    return max(found.items(), key=lambda one: one[1], default=(0, ZERO))


def _beside(first: str, k: int, name: str) -> Monomial:
    return tuple(sorted([*([(first, k - 1)] if k > 1 else []), (name, 1)]))
