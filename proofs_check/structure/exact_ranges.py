"""Ranges with rational ends, for what touches 0: 1 - x**2 on [-1, 1], x - 1/3 from 1/3 on, 1 - exp(-x), log(1 + x) from 0 on.

Interval arithmetic in float64 rounds outward, and then a root of these is not seen to be defined. Here + - * / and whole powers
are exact, and so are increasing functions where their values are rational; other parts range as they do in float64.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from constructions.targets import expression as ex
from proofs_check.enclosures import functions as on_intervals
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.averages import Sides, natural_range

Ends = tuple[Fraction, Fraction]
ZERO, ONE = Fraction(0), Fraction(1)
INCREASING = {"exp": {ZERO: ONE}, "log": {ONE: ZERO}, "tanh": {ZERO: ZERO}, "sigmoid": {ZERO: ONE / 2},
              "sqrt": {ZERO: ZERO, ONE: ONE}}  # and where their values are rational
MOST = 64  # power
MOST_BITS = 4096  # of the end of a range; longer ones are rounded


def exact_range(node: ex.Expression, sides: Sides, n: int | None) -> Ends | None:
    """Enclose an expression, y free or bound; None where that is not finite."""
    found = _by_parts(node, sides, n)
    if found is None or max(number.bit_length() for end in found for number in (end.numerator, end.denominator)) > MOST_BITS:
        found = _rounded(natural_range(node, sides, n))
    return found


def _rounded(ends: tuple[float, float]) -> Ends | None:
    return (Fraction(ends[0]), Fraction(ends[1])) if all(map(math.isfinite, ends)) else None


def _by_parts(node: ex.Expression, sides: Sides, n: int | None) -> Ends | None:
    """Enclose by the ranges of the parts; None where this is no use, which is not to say that there is no range."""
    constant = ex.rational_value(node)
    if constant is not None:
        return constant, constant
    match node:
        case ex.Own(coordinate=c) | ex.Other(coordinate=c):
            return sides[c]
        case ex.Reduction(kind="mean" | "max" | "min", body=u):
            return exact_range(u, sides, n)
        case ex.Apply(function=name, argument=u) if (ends := exact_range(u, sides, n)) is not None:
            return _applied(name, *ends)
        case ex.Power(base=u, exponent=ex.Number(value=k)) if 0 < k <= MOST and (ends := exact_range(u, sides, n)) is not None:
            return _power(*ends, int(k))
        case ex.Binary(operator="*", left=u, right=v) if u == v and (ends := exact_range(u, sides, n)) is not None:
            return _power(*ends, 2)
        case ex.Binary(operator=operator, left=u, right=v):
            a, b = exact_range(u, sides, n), exact_range(v, sides, n)
            return None if a is None or b is None else _combined(operator, a, b)
    return None


def _applied(name: str, low: Fraction, high: Fraction) -> Ends | None:
    match name:
        case "neg":
            return -high, -low
        case "abs":
            return max(low, -high, ZERO), max(-low, high)
        case "relu":
            return max(low, ZERO), max(high, ZERO)
    if name not in INCREASING or (first := _value(name, low)) is None or (last := _value(name, high)) is None:
        return None
    return first[0], last[1]


def _value(name: str, at: Fraction) -> Ends | None:
    """Enclose the value of an increasing function at a number."""
    if at in INCREASING[name]:
        return INCREASING[name][at], INCREASING[name][at]
    found = on_intervals.FUNCTIONS[name](Interval.constant(at))
    return _rounded((float(found.lower), float(found.upper)))


def _power(low: Fraction, high: Fraction, k: int) -> Ends:
    ends = low**k, high**k
    if k % 2:
        return ends
    return min(ends) if low > 0 or high < 0 else ZERO, max(ends)


def _combined(operator: str, a: Ends, b: Ends) -> Ends | None:
    (low, high), (least, largest) = a, b
    match operator:
        case "+":
            return low + least, high + largest
        case "-":
            return low - largest, high - least
        case "maximum":
            return max(low, least), max(high, largest)
        case "minimum":
            return min(low, least), min(high, largest)
        case "/" if least > 0 or largest < 0:
            return _combined("*", a, (1 / largest, 1 / least))
        case "*":
            products = [p * q for p, q in itertools.product(a, b)]
            return min(products), max(products)
    return None
