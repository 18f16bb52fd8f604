"""How far are two expressions apart that differ in rounded constants alone? Sums of terms, each constant as a ball.

A network is built for c x mean(y) with a rational c in the place of pi. The difference of the two expressions is collected by
what depends on tokens, a sum of (pi - c)_k r_k(X), and each r_k is bounded by balls on the whole domain, coarsely.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb, ctx, fmpq

if TYPE_CHECKING:
    import sympy

BITS = 256
Ranges = Callable[["sympy.Symbol"], arb]


def largest(difference: sympy.Expr, ranges: Ranges) -> Fraction | None:
    """Bound the absolute value of a sum of terms, None where no finite bound is found.

    Args:
        difference: expanded.
        ranges: values of each symbol in it.
    """
    import sympy

    parts: dict[Any, list[Any]] = {}
    for term in difference.as_ordered_terms():
        number, rest = term.as_independent(*term.free_symbols, as_Add=False) if term.free_symbols else (term, sympy.Integer(1))
        common, rest = rest.as_content_primitive()  # 1/(2 m + 2) is half of 1/(m + 1)
        parts.setdefault(rest, []).append(number * common)
    precision = ctx.prec
    try:
        ctx.prec = BITS
        total = arb(0)
        for rest, numbers in parts.items():
            total += abs(sum((ball(number, ranges) for number in numbers), arb(0))) * abs(ball(rest, ranges))
        if not total.is_finite():
            return None
        return Fraction(math.nextafter(float(total.upper()), math.inf)) if total.upper() > 0 else Fraction(0)
    finally:
        ctx.prec = precision


def ball(expression: Any, ranges: Ranges) -> arb:
    """Enclose an expression; not finite where it holds something unknown, or may be undefined."""
    import sympy

    node = sympy.sympify(expression)
    if node.is_Rational:
        return arb(fmpq(int(node.p), int(node.q)))
    if node.is_Symbol:
        return ranges(node)
    if node is sympy.pi:
        return arb.pi()
    if node is sympy.E:
        return arb(1).exp()
    inner = [ball(part, ranges) for part in node.args]
    if node.is_Add:
        return functools.reduce(lambda a, b: a + b, inner)
    if node.is_Mul:
        return functools.reduce(lambda a, b: a * b, inner)
    if node.is_Pow:
        return _power(inner[0], node.exp)
    name = node.func.__name__
    return _FUNCTIONS[name](inner[0]) if name in _FUNCTIONS else arb("nan")


def _power(base: arb, exponent: Any) -> arb:
    if not exponent.is_Rational:
        return arb("nan")
    if exponent < 0:
        return 1 / _power(base, -exponent)
    if not exponent.is_Integer:
        return (base.log() * arb(fmpq(int(exponent.p), int(exponent.q)))).exp() if base > 0 else arb("nan")
    if int(exponent) % 2 == 0:  # |t| -> |t|^k is increasing
        least, most = (arb(end) for end in (base.abs_lower(), base.abs_upper()))
        return _repeated(least, int(exponent)).union(_repeated(most, int(exponent)))
    return _repeated(base, int(exponent))


def _repeated(base: arb, exponent: int) -> arb:
    result = arb(1)
    for _ in range(exponent):
        result *= base
    return result


_FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "exp": arb.exp, "log": arb.log, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh,
    "sigmoid": lambda u: 1 / (1 + (-u).exp()), "relu": lambda u: u.max(arb(0))}
