"""Signs that an expression shows as it is written, and the kinks that never bend because of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from constructions.targets import expression as ex

POSITIVE, NEGATIVE, OPEN = 1, -1, 0
ZERO = ex.Number(Fraction(0))
Sides = Sequence[tuple[Fraction, Fraction]]


def sign(node: ex.Expression, sides: Sides) -> int:
    """Return POSITIVE (NEGATIVE) where the values are >= 0 (<= 0) on the box, for every n, y free or not; OPEN where they may
    be anything.

    >>> x, y, sides = ex.Own(0), ex.Other(0), [(Fraction(0), Fraction(1))]
    >>> sign(ex.Binary("*", x, y), sides), sign(ex.Binary("-", x, y), sides)
    (1, 0)
    """
    match node:
        case ex.Apply(function="neg", argument=argument):
            return -sign(argument, sides)
        case ex.Apply(function="abs" | "relu" | "exp" | "sqrt" | "sigmoid"):
            return POSITIVE
        case ex.Apply(function="tanh", argument=argument):
            return sign(argument, sides)
        case ex.Reduction(body=body):
            return sign(body, sides)
        case ex.Power(base=base, exponent=ex.Number(value=k)) if k.denominator == 1:
            return sign(base, sides) if k % 2 else POSITIVE
        case ex.Binary(operator="*" | "/", left=left, right=right):
            return POSITIVE if left == right else sign(left, sides) * sign(right, sides)
        case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right):
            signs = {sign(left, sides), sign(right, sides)}
            decides = POSITIVE if operator == "maximum" else NEGATIVE
            return decides if decides in signs else signs.pop() if len(signs) == 1 else OPEN
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
            one, other = sign(left, sides), sign(right, sides) * (1 if operator == "+" else -1)
            if one == other != OPEN:
                return one
    values = _range(node, sides)
    return OPEN if values is None else POSITIVE if values[0] >= 0 else NEGATIVE if values[1] <= 0 else OPEN


def _range(node: ex.Expression, sides: Sides) -> tuple[Fraction, Fraction] | None:
    """Enclose what is made of tokens and rational numbers by sums, products and means, exactly; None for anything else."""
    if (number := ex.rational_value(node)) is not None:
        return number, number
    match node:
        case ex.Own(coordinate=c) | ex.Other(coordinate=c):
            return sides[c]
        case ex.OrderStatistic():
            return sides[0]
        case ex.Reduction(kind="mean" | "max" | "min", body=body):
            return _range(body, sides)
        case ex.Apply(function="neg", argument=argument):
            values = _range(argument, sides)
            return None if values is None else (-values[1], -values[0])
        case ex.Binary(operator="+" | "-" | "*" as operator, left=left, right=right):
            one, other = _range(left, sides), _range(right, sides)
            if one is not None and other is not None:
                ends = [ex.ARITHMETIC[operator](a, b) for a in one for b in other]
                return min(ends), max(ends)
    return None


def without_idle_kinks(node: ex.Expression, sides: Sides) -> ex.Expression:
    """Take the side of every relu, abs, maximum and minimum whose argument has one sign on the box."""
    node = ex.mapped(node, lambda child: without_idle_kinks(child, sides))
    match node:
        case ex.Apply(function="relu" | "abs" as name, argument=argument) if side := sign(argument, sides):
            return argument if side > 0 else ZERO if name == "relu" else ex.Apply("neg", argument, column=node.column)
        case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right) if side := sign(
                ex.Binary("-", left, right), sides):
            return left if (side > 0) == (operator == "maximum") else right
        case ex.Binary(operator="maximum", left=left, right=right) if ZERO in (left, right):
            return ex.Apply("relu", right if left == ZERO else left, column=node.column)
        case ex.Binary(operator="minimum", left=left, right=right) if ZERO in (left, right):
            below = ex.Apply("neg", right if left == ZERO else left, column=node.column)
            return ex.Apply("neg", ex.Apply("relu", below, column=node.column), column=node.column)
    return node
