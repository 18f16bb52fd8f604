"""Ranges of expressions as written, sharper where the form shows more than interval arithmetic (mathematics: range lemmas)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from flint import arb

from constructions.pieces.forms import Quantity, ball, ends
from constructions.pieces.smooth import Smooth
from constructions.sumformers.rewriting import deviation
from constructions.targets import expression as ex

T = ex.Own(0)


def natural_range(node: ex.Expression, tokens: Sequence[Quantity], n: int) -> arb:
    """Enclose an expression by interval arithmetic on the tree as written, free y allowed.

    Args:
        node: an expression.
        tokens: the coordinates of a token, with their ranges.
        n: tokens of a sequence, where the expression counts them.
    """

    def natural(part: ex.Expression) -> arb:
        return natural_range(part, tokens, n)

    match node:
        case ex.Number() | ex.Pi():
            return constant_ball(node)
        case ex.Length():
            return arb(n)
        case ex.Own(coordinate=c) | ex.Other(coordinate=c):
            return tokens[c].range
        case ex.OrderStatistic():
            return tokens[0].range
        case ex.Reduction(kind=kind, body=body):
            inner = natural(body)
            spread = deviation(body)
            if spread is not None and kind != "max":  # Popoviciu, of the mean; the largest may be nearly the whole square
                low, high = ends(natural(spread))
                inner = meet(inner, arb(0).union(ball(Fraction(high) - Fraction(low)) ** 2 / 4))
            return inner * n if kind == "sum" else inner
        case ex.Apply(function="abs", argument=argument):
            values = natural(argument)
            return arb(0).union(values.abs_upper()) if values.contains(0) else abs(values)  # abs of a ball around 0 is one, too
        case ex.Apply() if (power := ex.fractional_power(node)) is not None and (values := natural(power[1])).contains(0):
            # where it is defined: a ball around [0, b] reaches below 0
            return arb(0).union(values.upper() ** ball(power[0])) if values.upper() > 0 else arb(0)
        case ex.Apply(function="relu", argument=argument):
            return natural(argument).max(arb(0))
        case ex.Binary(operator="maximum", left=left, right=right):
            return natural(left).max(natural(right))
        case ex.Binary(operator="minimum", left=left, right=right):
            return natural(left).min(natural(right))
        case ex.Power(base=base):
            return Smooth(replace(node, base=T)).ball(natural(base))
        case ex.Apply(argument=argument):
            return Smooth(replace(node, argument=T)).ball(natural(argument))
        case ex.Binary(left=left, right=right):
            return Smooth(replace(node, left=T, right=ex.Own(1)), 2).ball(natural(left), natural(right))
    raise TypeError(f"{node} has no range")


def constant_ball(tree: ex.Expression) -> arb:
    """Enclose the value of a tree without variables."""
    return Smooth(tree, 0).ball()


def meet(a: arb, b: arb) -> arb:
    """Return the intersection of two enclosures of one value; the sharper one where balls cannot represent it."""
    if not b.is_finite():
        return a
    low = max(ends(a)[0], ends(b)[0])
    high = min(ends(a)[1], ends(b)[1])
    return ball(low).union(ball(high)) if low <= high else b
