"""Polynomials of several variables that are polynomials of one form in them: their ranges are those of one variable.

If p(x) = q(x_0 + r_1 x_1 + ..), then q(s) = p(s, 0, ..), and with c the coefficient of x_0^k in p that of x_0^(k-1) x_i is
k c r_i. What p differs from the q that was found counts with its coefficients, so nothing is assumed of p.
"""

from __future__ import annotations

from flint import fmpq

from proofs_check.structure.polynomial import ZERO, Monomial, Polynomial, combined
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
    found = along(p, form, first)
    if found is None:
        return None
    q, lost = found
    reach = form.l1()
    scaled = Polynomial({m: c * reach ** (m[0][1] if m else 0) for m, c in q.terms.items()})
    low, high = polynomial_range(scaled)
    return widened(low - rational_up(lost), high + rational_up(lost))


def along(p: Polynomial, form: Polynomial, name: str) -> tuple[Polynomial, fmpq] | None:
    """Return q, a polynomial in ``name``, and a bound of p - q(form) on [-1, 1]^n; None where p is no polynomial of the form."""
    linear = {m[0][0]: c for m, c in form.terms.items() if m}
    if not linear or any(sum(e for _, e in m) > 1 for m in form.terms) or not p.variables <= linear.keys():
        return None
    first = max(linear, key=lambda variable: abs(linear[variable]))
    inverse = Polynomial.variable(name).times(1 / linear[first]) - Polynomial.constant(form.at_zero / linear[first])
    powers = {m[0][1] if m else 0: c for m, c in p.terms.items() if not m or (len(m) == 1 and m[0][0] == first)}
    q = composed = Polynomial({})
    for exponent in range(max(powers, default=0), -1, -1):  # Horner, once in the variable and once in the form
        q = q * inverse + Polynomial.constant(powers.get(exponent, ZERO))
    coefficients = {m[0][1] if m else 0: c for m, c in q.terms.items()}
    for exponent in range(max(coefficients, default=0), -1, -1):
        composed = composed * form + Polynomial.constant(coefficients.get(exponent, ZERO))
    lost = (p - composed).l1()
    return None if lost > MOST_LOST * p.l1() else (q, lost)


def _largest_power(p: Polynomial, name: str) -> tuple[int, fmpq]:
    """Return the power of a variable alone with the largest coefficient, and its size."""
    found = {m[0][1]: abs(c) for m, c in p.terms.items() if len(m) == 1 and m[0][0] == name}
    return max(found.items(), key=lambda one: one[1], default=(0, ZERO))


def _beside(first: str, k: int, name: str) -> Monomial:
    return tuple(sorted([*([(first, k - 1)] if k > 1 else []), (name, 1)]))
