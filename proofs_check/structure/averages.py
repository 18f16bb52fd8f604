"""Range lemmas: what an expression shows of its own range where interval arithmetic on the parts shows less.

*Average*: mean(w u)/mean(w) with w > 0 lies in the range of u. *Popoviciu*: mean((u - mean(u))^2) = mean(u^2) - mean(u)^2 is at
most a quarter of the squared width of u's range, and not negative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from constructions.targets import expression as ex
from proofs_check.enclosures import functions as on_intervals
from proofs_check.enclosures.interval import Interval, intersection, maximum, minimum
from proofs_check.structure.ranges import Range

Sides = Sequence[tuple[Fraction, Fraction]]
WHOLE = (-math.inf, math.inf)


def natural_range(node: ex.Expression, sides: Sides, n: int | None) -> Range:
    """Enclose an expression, y free or bound, by interval arithmetic on the tree as it is written."""
    values = _natural(node, sides, n)
    return float(values.lower), float(values.upper)


def collected_range(node: ex.Expression, sides: Sides, n: int | None) -> Range:
    """Enclose an expression as a sum in which equal summands were added up first: x/2 - x is -x/2."""
    parts, total = dict[ex.Expression, Fraction](), Interval.of(0.0)
    _collect(node, Fraction(1), parts)
    for part, c in parts.items():
        if c:
            total = total + Interval.constant(c) * _natural(part, sides, n)
    return float(total.lower), float(total.upper)


def _collect(node: ex.Expression, factor: Fraction, parts: dict[ex.Expression, Fraction]) -> None:
    match node:
        case ex.Number(value=q):
            parts[ex.Number(Fraction(1))] = parts.get(ex.Number(Fraction(1)), Fraction(0)) + factor * q
        case ex.Apply(function="neg", argument=argument):
            _collect(argument, -factor, parts)
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
            _collect(left, factor, parts)
            _collect(right, factor if operator == "+" else -factor, parts)
        case ex.Binary(operator="*", left=left, right=right) if (c := ex.rational_value(left)) is not None:
            _collect(right, factor * c, parts)
        case ex.Binary(operator="*" | "/" as operator, left=left, right=right) if (c := ex.rational_value(right)):
            _collect(left, factor * c if operator == "*" else factor / c, parts)
        case _:
            parts[node] = parts.get(node, Fraction(0)) + factor


def _natural(node: ex.Expression, sides: Sides, n: int | None) -> Interval:
    match node:
        case ex.Number(value=q):
            return Interval.constant(q)
        case ex.Pi():
            return Interval.pi()
        case ex.Length():
            return Interval.of(*WHOLE) if n is None else Interval.constant(n)
        case ex.Own(coordinate=c) | ex.Other(coordinate=c):
            return Interval.of(Interval.constant(sides[c][0]).lower, Interval.constant(sides[c][1]).upper)
        case ex.OrderStatistic():
            return _natural(ex.Own(0), sides, n)
        case ex.Reduction(kind=kind, body=body):
            values = _natural(body, sides, n)
            spread = _deviation(body)
            if spread is not None and kind != "max":  # the largest of them may be the whole square
                values = _of_variance(values, spread, sides, n)
            return values * _natural(ex.Length(), sides, n) if kind == "sum" else values
        case ex.Apply(function="neg", argument=argument):
            return -_natural(argument, sides, n)
        case ex.Apply(function="exp") if (power := ex.fractional_power(node)) is not None:
            return on_intervals.raised(_natural(power[1], sides, n), power[0])
        case ex.Apply(function=name, argument=argument):
            return on_intervals.FUNCTIONS[name](_natural(argument, sides, n))
        case ex.Power(base=base, exponent=exponent) if (k := ex.rational_value(exponent)) is not None and k.denominator == 1:
            return _natural(base, sides, n) ** int(k)
        case ex.Binary() if (constant := ex.rational_value(node)) is not None:  # 1/2 is no interval
            return Interval.constant(constant)
        case ex.Binary(operator="*", left=left, right=right) if left == right:
            return _natural(left, sides, n) ** 2
        case ex.Binary(operator="/", left=ex.Reduction(kind="sum", body=p), right=ex.Reduction(kind="sum", body=q)):
            return _quotient_of_means(ex.Reduction("mean", p), ex.Reduction("mean", q), sides, n)  # whatever n is
        case ex.Binary(operator=operator, left=left, right=right):
            a, b = _natural(left, sides, n), _natural(right, sides, n)
            if operator in ex.ARITHMETIC:
                combined: Interval = ex.ARITHMETIC[operator](a, b)
                spread = _variance(node)
                return combined if spread is None else _of_variance(combined, spread, sides, n)
            return maximum(a, b) if operator == "maximum" else minimum(a, b)
    return Interval.of(*WHOLE)


def _quotient_of_means(p: ex.Expression, q: ex.Expression, sides: Sides, n: int | None) -> Interval:
    found, (low, high) = _natural(p, sides, n) / _natural(q, sides, n), quotient_range(p, q, sides)
    return Interval.of(max(float(found.lower), low), min(float(found.upper), high))


def _deviation(body: ex.Expression) -> ex.Expression | None:
    """Return u where the body is (u - mean(u))**2."""
    match body:
        case ex.Power(base=ex.Binary(operator="-", left=u, right=ex.Reduction(kind="mean", body=v)),
                      exponent=ex.Number(value=k)) if u == v and k == 2:
            return u
    return None


def _variance(node: ex.Expression) -> ex.Expression | None:
    """Return u where the node is mean(u**2) - mean(u)**2, squares written either way."""
    match node:
        case ex.Binary(operator="-", left=ex.Reduction(kind="mean", body=square), right=other):
            u, mean = _root(square), _root(other)
            return u if u is not None and mean == ex.Reduction("mean", u) else None
    return None


def _root(square: ex.Expression) -> ex.Expression | None:
    match square:
        case ex.Power(base=u, exponent=ex.Number(value=k)) if k == 2:
            return u
        case ex.Binary(operator="*", left=u, right=v) if u == v:
            return u
    return None


def _of_variance(values: Interval, u: ex.Expression, sides: Sides, n: int | None) -> Interval:
    """Cut the range of a variance of u: Popoviciu's inequality."""
    whole = _natural(u, sides, n)
    width = Interval.of(whole.upper) - Interval.of(whole.lower)
    return minimum(maximum(values, Interval.of(0.0)), Interval.of((width * width * Interval.of(0.25)).upper))


def quotient_range(p: ex.Expression, q: ex.Expression, sides: Sides, known: Mapping[ex.Expression, Interval] | None = None
                   ) -> Range:
    """Enclose mean(a)/mean(b) with b > 0, where a = b u for a product b of factors of a; the whole line where it is no such.

    ``known`` are ranges of functions of y that have been found otherwise.
    """
    match p, q:
        case ex.Reduction(kind="mean", body=a), ex.Reduction(kind="mean", body=b) if float(_natural(b, sides, None).lower) > 0:
            rest = _factors(a)
            for factor in _factors(b):
                if factor not in rest:
                    return WHOLE
                rest.remove(factor)
            values = Interval.of(1.0)
            for factor in rest:
                values = values * _narrowed(factor, sides, known or {})
            return float(values.lower), float(values.upper)
    return WHOLE


def _narrowed(node: ex.Expression, sides: Sides, known: Mapping[ex.Expression, Interval]) -> Interval:
    """Enclose a function of y, an affine one of what is known by that."""
    found = _natural(node, sides, None)
    if node in known:
        return intersection(found, known[node])
    if isinstance(node, ex.Binary) and node.operator in "+-*" and any(
            ex.rational_value(part) is not None for part in node.children()):
        left, right = (_narrowed(part, sides, known) for part in node.children())
        return intersection(found, ex.ARITHMETIC[node.operator](left, right))
    return found


def _factors(node: ex.Expression) -> list[ex.Expression]:
    if isinstance(node, ex.Binary) and node.operator == "*":
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


