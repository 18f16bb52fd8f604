"""Separate x from y by symbols where it is possible: sums, products, powers, exponentials and waves of sums, kinks of products.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from constructions.sumformers.rewriting import without_factor
from constructions.targets import expression as ex

Term = tuple[ex.Expression, ex.Expression]
ONE = ex.Number(Fraction(1))
MAX_POWER = 8
MAX_TERMS = 64


def other_only(node: ex.Expression) -> bool:
    """Say whether a body depends on y and constants alone: no own token, no outer reduction, no n."""
    return not any(isinstance(part, ex.Own | ex.Reduction | ex.OrderStatistic | ex.Length) for part in node.walk())


def separate_symbolically(body: ex.Expression) -> list[Term]:
    """Return terms (outer, inner) with body = sum of outer * inner; outer has no y.

    Inner factors that still mix x and y are left as they are: kernels, to be expanded.
    """
    return _merged(_separated(body))


def _separated(node: ex.Expression) -> list[Term]:
    if not ex.depends_on(node, ex.Other):
        return [(node, ONE)]
    if other_only(node):
        return [(ONE, node)]
    match node:
        case ex.Apply(function="neg", argument=argument):
            return [(_negated(outer), inner) for outer, inner in _separated(argument)]
        case ex.Binary(operator="+", left=left, right=right):
            return [*_separated(left), *_separated(right)]
        case ex.Binary(operator="-", left=left, right=right):
            return [*_separated(left), *((_negated(outer), inner) for outer, inner in _separated(right))]
        case ex.Binary(operator="*", left=left, right=right):
            return _products(_separated(left), _separated(right), node)
        case ex.Binary(operator="/", left=left, right=right):
            if not ex.depends_on(right, ex.Other):
                return [(_divided(outer, right), inner) for outer, inner in _separated(left)]
            if other_only(right):
                return [(outer, _divided(inner, right)) for outer, inner in _separated(left)]
            outer, inner = _factored(right)
            if outer != ONE:
                return [(_divided(o, outer), _divided(i, inner)) for o, i in _separated(left)]
        case ex.Power(base=base, exponent=ex.Number(value=k)) if 1 <= k <= MAX_POWER and k.denominator == 1:
            terms = _separated(base)
            if len(terms) > 1 and _pure(terms):
                power = terms
                for _ in range(int(k) - 1):
                    power = _merged(_products(power, terms, node))
                return power
            if len(terms) == 1 and _pure(terms):
                ((outer, inner),) = terms
                return [(replace(node, base=outer), replace(node, base=inner))]
        case ex.Apply(function="relu" | "abs" as kink, argument=argument):
            terms = _factorised(_merged(_separated(argument)))
            if len(terms) == 1 and _pure(terms):
                return _kink(kink, *terms[0], node)
        case ex.Apply(function="exp", argument=argument):
            terms = _separated(argument)
            if _pure(terms) and len(terms) <= MAX_TERMS:
                return [_exponential(terms, node)]
        case ex.Apply(function="sin" | "cos" as wave, argument=argument):
            terms = _separated(argument)
            if _pure(terms) and all(ONE in term or ex.rational_value(term[0]) is not None for term in terms):
                return _wave(wave, terms, node)
    return [(ONE, node)]


def _pure(terms: list[Term]) -> bool:
    """Whether every inner part is y alone and nothing is left mixed."""
    return all(inner == ONE or other_only(inner) for _, inner in terms)


def _products(left: list[Term], right: list[Term], node: ex.Expression) -> list[Term]:
    if len(left) * len(right) > MAX_TERMS:
        return [(ONE, node)]
    if not (_pure(left) and _pure(right)) and len(left) * len(right) > 1 and min(len(left), len(right)) > 1:
        return [(ONE, node)]
    return [(_times(a, c), _times(b, e)) for a, b in left for c, e in right]


def _exponential(terms: list[Term], node: ex.Expression) -> Term:
    """exp(a(x) + b(y)) = exp(a(x)) exp(b(y)), unless a term is a product of both."""
    outer: ex.Expression | None = None
    inner: ex.Expression | None = None
    for a, b in terms:
        if b == ONE:
            outer = a if outer is None else ex.Binary("+", outer, a)
        elif ex.rational_value(a) is not None:
            part = _times(a, b)
            inner = part if inner is None else ex.Binary("+", inner, part)
        else:
            return ONE, node
    if outer is None or inner is None:
        return ONE, node
    return ex.Apply("exp", outer, column=node.column), ex.Apply("exp", inner, column=node.column)


def _wave(wave: str, terms: list[Term], node: ex.Expression) -> list[Term]:
    """sin(a + b) = sin a cos b + cos a sin b, cos(a + b) = cos a cos b - sin a sin b."""
    outer = [a for a, b in terms if b == ONE]
    inner = [_times(a, b) for a, b in terms if b != ONE]
    if not outer or not inner:
        return [(ONE, node)]
    (s_a, c_a), (s_b, c_b) = ([ex.Apply(name, part, column=node.column) for name in ("sin", "cos")]
                              for part in (ex.joined("+", outer), ex.joined("+", inner)))
    return [(s_a, c_b), (c_a, s_b)] if wave == "sin" else [(c_a, c_b), (_negated(s_a), s_b)]


def _factorised(terms: list[Term]) -> list[Term]:
    """Add the inner parts where all outer parts are multiples of one: x + x y = x (1 + y)."""
    scaled = [(*_scaled(outer), inner) for outer, inner in terms]
    if len({outer for _, outer, _ in scaled}) != 1:
        return terms
    sums = ex.joined("+", [_times(replace(ONE, value=c), inner) for c, _, inner in scaled])
    return [(scaled[0][1], sums)]


def _scaled(node: ex.Expression) -> tuple[Fraction, ex.Expression]:
    """Split a rational factor off, signs included."""
    if isinstance(node, ex.Apply) and node.function == "neg":
        c, rest = _scaled(node.argument)
        return -c, rest
    if (number := ex.rational_value(node)) is not None:
        return number, ONE
    return without_factor(node)


def _kink(kink: str, outer: ex.Expression, inner: ex.Expression, node: ex.Expression) -> list[Term]:
    """|a b| = |a| |b|, relu(a b) = relu(a) relu(b) + relu(-a) relu(-b)."""
    signs = [(outer, inner)] if kink == "abs" else [(outer, inner), (_negated(outer), _negated(inner))]
    return [(ex.Apply(kink, a, column=node.column), ex.Apply(kink, b, column=node.column)) for a, b in signs]


def _factored(node: ex.Expression) -> Term:
    terms = _separated(node)
    return terms[0] if len(terms) == 1 else (ONE, node)


def _merged(terms: list[Term]) -> list[Term]:
    """Add the outer parts of equal inner parts."""
    by_inner: dict[ex.Expression, ex.Expression] = {}
    for outer, inner in terms:
        by_inner[inner] = outer if inner not in by_inner else ex.Binary("+", by_inner[inner], outer)
    return [(outer, inner) for inner, outer in by_inner.items()]


def _times(a: ex.Expression, b: ex.Expression) -> ex.Expression:
    if a == ONE:
        return b
    return a if b == ONE else ex.Binary("*", a, b)


def _divided(a: ex.Expression, b: ex.Expression) -> ex.Expression:
    return a if b == ONE else ex.Binary("/", a, b)


def _negated(a: ex.Expression) -> ex.Expression:
    rational = ex.rational_value(a)
    return replace(ONE, value=-rational) if rational is not None else ex.Apply("neg", a)
