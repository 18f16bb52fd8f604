"""Trees that are polynomials as they are written, and their Chebyshev coefficients, in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq, fmpq_poly

from constructions.targets import expression as ex


def chebyshev_coefficients(tree: ex.Expression, interval: tuple[Fraction, Fraction], max_degree: int) -> list[Fraction] | None:
    """Return the coefficients c_j of sum_j c_j T_j(u), u the affine map of the interval to [-1, 1].

    None if the tree is no polynomial in x[0] as it is written, or one of a higher degree.
    """
    p = polynomial_of(tree, max_degree)
    if p is None:
        return None
    a, b = (fmpq(end.numerator, end.denominator) for end in interval)
    return [fraction(c) for c in _in_chebyshev_basis(p(fmpq_poly([(a + b) / 2, (b - a) / 2])))]


def polynomial_of(tree: ex.Expression, max_degree: int) -> fmpq_poly | None:
    """Multiply a tree out.

    >>> from constructions.targets.language import parse
    >>> print(polynomial_of(parse("(x-1)**2/4", 1)[0], 8))
    1/4*x^2 + (-1/2)*x + 1/4
    """
    match tree:
        case ex.Number(value=value):
            return fmpq_poly([fmpq(value.numerator, value.denominator)])
        case ex.Own(coordinate=0):
            return fmpq_poly([0, 1])
        case ex.Apply(function="neg", argument=u) if (p := polynomial_of(u, max_degree)) is not None:
            return -p
        case ex.Power(base=u, exponent=ex.Number(value=k)) if 0 <= k <= max_degree:
            p = polynomial_of(u, max_degree)
            return p ** int(k) if p is not None and p.degree() * k <= max_degree else None
        case ex.Binary(operator=operator, left=u, right=v):
            p, q = polynomial_of(u, max_degree), polynomial_of(v, max_degree)
            return None if p is None or q is None else _combined(operator, p, q, max_degree)
    return None


def from_float(value: float) -> fmpq:
    """Return the same number."""
    return fmpq(*float(value).as_integer_ratio())


def fraction(c: fmpq) -> Fraction:
    """Return the same number."""
    return Fraction(int(c.p), int(c.q))


def _combined(operator: str, p: fmpq_poly, q: fmpq_poly, max_degree: int) -> fmpq_poly | None:
    match operator:
        case "+":
            return p + q
        case "-":
            return p - q
        case "*" if p.degree() + q.degree() <= max_degree:
            return p * q
        case "/" if q.degree() == 0:
            return p / q[0]
    return None


def _in_chebyshev_basis(p: fmpq_poly) -> list[fmpq]:
    """Return the coefficients of T_0, T_1, .., by Horner's rule with u T_0 = T_1 and u T_j = (T_j-1 + T_j+1)/2."""
    result = [fmpq(0)]
    for c in reversed(p.coeffs()):
        times = [fmpq(0)] * (len(result) + 1)
        for j, b in enumerate(result):
            times[j + 1] += b / 2 if j else b
            if j:
                times[j - 1] += b / 2
        times[0] += c
        result = times
    while len(result) > 1 and not result[-1]:
        result.pop()
    return result
