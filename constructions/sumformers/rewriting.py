"""Rewriting trees of the target language: factors, substitution, polynomials, patterns whose range is known."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from constructions.pieces.smooth import ANALYTIC
from constructions.targets import expression as ex

ONE, ZERO = ex.Number(Fraction(1)), ex.Number(Fraction(0))
MAX_POLYNOMIAL = 40


def factors(node: ex.Expression) -> list[ex.Expression]:
    """Return the factors of a product, left to right."""
    if isinstance(node, ex.Binary) and node.operator == "*":
        return [*factors(node.left), *factors(node.right)]
    return [node]


def averaged(left: ex.Expression, right: ex.Expression) -> ex.Expression | None:
    """Return u where left/right = mean(w u)/mean(w) with w an exponential (so positive), None otherwise."""
    if not (isinstance(left, ex.Reduction) and isinstance(right, ex.Reduction) and left.kind == right.kind):
        return None
    if left.kind not in ("mean", "sum"):
        return None
    rest = factors(left.body)
    for factor in factors(right.body):
        if factor not in rest or not (isinstance(factor, ex.Apply) and factor.function in ("exp", "sigmoid")):
            return None
        rest.remove(factor)
    return ex.joined("*", rest) if rest else ONE


def averaged_factor(left: ex.Expression, right: ex.Expression) -> tuple[ex.Expression, list[ex.Expression]] | None:
    """Take the factor of the numerator apart that is averaged by the divisor's weights: a mean(w u) / mean(w)."""
    parts = factors(left)
    for k, factor in enumerate(parts):
        if len(parts) > 1 and averaged(factor, right) is not None:
            return factor, [*parts[:k], *parts[k + 1:]]
    return None


def deviation(body: ex.Expression) -> ex.Expression | None:
    """Return u where the body is (u - mean(u))**2."""
    match body:
        case ex.Power(base=ex.Binary(operator="-", left=u, right=ex.Reduction(kind="mean", body=v)),
                      exponent=ex.Number(value=k)) if u == v and k == 2:
            return u
    return None


def unbound(body: ex.Expression) -> Iterator[ex.Expression]:
    """Return the nodes of a tree, those inside reductions left out: what is y there is another y."""
    yield body
    if not isinstance(body, ex.Reduction):
        for child in body.children():
            yield from unbound(child)


def with_own(body: ex.Expression) -> ex.Expression:
    """Put the own token in the place of y; reductions inside keep their own y."""
    if isinstance(body, ex.Other):
        return ex.Own(body.coordinate, column=body.column)
    if isinstance(body, ex.Reduction):
        return body
    return ex.mapped(body, with_own)


def substituted(body: ex.Expression, token: ex.Expression) -> ex.Expression:
    """Put an expression in the place of y; reductions inside keep their own y."""
    if isinstance(body, ex.Other):
        return token
    if isinstance(body, ex.Reduction):
        return body
    return ex.mapped(body, lambda child: substituted(child, token))


def composed(outer: ex.Expression, inner: ex.Expression) -> ex.Expression:
    """Put a tree in the place of the variable of another."""
    if isinstance(outer, ex.Own):
        return inner
    return ex.mapped(outer, lambda child: composed(child, inner))


def constant_tree(node: ex.Expression) -> bool:
    """Say whether a tree is a number, n not included."""
    return not any(isinstance(part, ex.Own | ex.Other | ex.Reduction | ex.OrderStatistic | ex.Length) for part in node.walk())


def analytic(node: ex.Expression) -> bool:
    """Say whether a node, y in it, is analytic."""
    if isinstance(node, ex.Apply):
        return node.function in ANALYTIC or not ex.depends_on(node, ex.Other)
    return not isinstance(node, ex.Binary) or node.operator in "+-*/" or not ex.depends_on(node, ex.Other)


def without_factor(tree: ex.Expression) -> tuple[Fraction, ex.Expression]:
    """Split a rational factor off, so that multiples of one function share a node."""
    factor = Fraction(1)
    while isinstance(tree, ex.Binary) and tree.operator == "*":
        left, right = ex.rational_value(tree.left), ex.rational_value(tree.right)
        if left is not None:
            factor, tree = factor * left, tree.right
        elif right is not None:
            factor, tree = factor * right, tree.left
        else:
            break
    return factor, tree


def coefficients(tree: ex.Expression) -> list[Fraction] | None:
    """Return c_0, c_1, .. where the tree is a polynomial in its variable with rational coefficients, None otherwise."""
    constant = ex.rational_value(tree)
    if constant is not None:
        return [constant]
    match tree:
        case ex.Own():
            return [Fraction(0), Fraction(1)]
        case ex.Apply(function="neg", argument=argument):
            inner = coefficients(argument)
            return None if inner is None else [-c for c in inner]
        case ex.Binary(operator="/", left=left, right=right):
            inner, divisor = coefficients(left), ex.rational_value(right)
            return None if inner is None or not divisor else [c / divisor for c in inner]
        case ex.Binary(operator="+" | "-" | "*" as operator, left=left, right=right):
            a, b = coefficients(left), coefficients(right)
            return None if a is None or b is None else _combine(operator, a, b)
        case ex.Power(base=base, exponent=ex.Number(value=k)) if 0 <= k <= MAX_POLYNOMIAL and k.denominator == 1:
            a = coefficients(base)
            if a is None or (len(a) - 1) * k > MAX_POLYNOMIAL:
                return None
            result = [Fraction(1)]
            for _ in range(int(k)):
                result = _combine("*", result, a) or result  # the degree was checked above
            return result
    return None


def affine(tree: ex.Expression) -> tuple[ex.Expression, ex.Expression] | None:
    """Return (a, b), numbers, where the tree is written as a multiple of its variable and a number, None otherwise."""
    if constant_tree(tree):
        return ZERO, tree
    match tree:
        case ex.Own():
            return ONE, ZERO
        case ex.Apply(function="neg", argument=argument):
            inner = affine(argument)
            return None if inner is None else (_folded("-", ZERO, inner[0]), _folded("-", ZERO, inner[1]))
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right):
            a, b = affine(left), affine(right)
            return None if a is None or b is None else (_folded(operator, a[0], b[0]), _folded(operator, a[1], b[1]))
        case ex.Binary(operator="*", left=left, right=right):
            factor, other = (left, right) if constant_tree(left) else (right, left)
            inner = affine(other) if constant_tree(factor) else None
            return None if inner is None else (_folded("*", factor, inner[0]), _folded("*", factor, inner[1]))
        case ex.Binary(operator="/", left=left, right=right) if constant_tree(right):
            inner = affine(left)
            return None if inner is None else (_folded("/", inner[0], right), _folded("/", inner[1], right))
    return None


def _folded(operator: str, a: ex.Expression, b: ex.Expression) -> ex.Expression:
    """Combine two numbers; what is rational, and sums with 0 and products with 1, at once."""
    rational = ex.rational_value(ex.Binary(operator, a, b))
    if rational is not None:
        return ex.Number(rational)
    p, q = ex.rational_value(a), ex.rational_value(b)
    match operator, p, q:
        case ("*", 0, _) | ("*", _, 0) | ("/", 0, _):
            return ZERO
        case ("+", 0, _) | ("*", 1, _):
            return b
        case ("+" | "-", _, 0) | ("*" | "/", _, 1):
            return a
        case ("-", 0, _):
            return ex.Apply("neg", b)
    return ex.Binary(operator, a, b)


def _combine(operator: str, a: list[Fraction], b: list[Fraction]) -> list[Fraction] | None:
    if operator == "*":
        if len(a) + len(b) - 2 > MAX_POLYNOMIAL:
            return None
        result = [Fraction(0)] * (len(a) + len(b) - 1)
        for i, u in enumerate(a):
            for j, v in enumerate(b):
                result[i + j] += u * v
    else:
        sign, longest = (1 if operator == "+" else -1), max(len(a), len(b))
        padded = [[*c, *[Fraction(0)] * (longest - len(c))] for c in (a, b)]
        result = [u + sign * v for u, v in zip(*padded, strict=True)]
    while len(result) > 1 and not result[-1]:
        result.pop()
    return result
