"""A body that bends where y meets the own token, as w(y) K(u, v(y)): one argument of y, one of everything else, and a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from constructions.pieces.forms import Form, Quantity
from constructions.sumformers.kernel_arguments import kernel_tree, other_coordinates
from constructions.sumformers.rewriting import composed, constant_tree, with_own
from constructions.sumformers.separable import other_only
from constructions.sumformers.values import ONE, Algebra, Value, tree_of
from constructions.targets import expression as ex

OWN, OTHER = 0, 1  # the variables of K


@dataclass(frozen=True)
class Pair:
    """outer w K(u, v): K a tree in x[0] = u and x[1] = v."""

    outer: ex.Expression
    K: ex.Expression
    u: Form
    v: Form
    w: Form | None


def paired(body: ex.Expression, tokens: Sequence[Quantity], value: Callable[[ex.Expression], Value], algebra: Algebra
           ) -> Pair | None:
    """Take a body apart, None where it depends on more than one form on either side.

    Args:
        body: what is averaged over y.
        tokens: the coordinates of the own token.
        value: reads an expression without free y.
        algebra: in which it is read.
    """
    whole = _of_one_coordinate(body, tokens, value, algebra)
    if whole is not None:
        return Pair(ONE, *whole, None)
    parts: tuple[list[ex.Expression], ...] = [], [], []
    for factor in _factors(body):
        parts[_side(factor)].append(factor)
    without, weight, mixed = (ex.joined("*", part) if part else None for part in parts)
    if mixed is None:
        return None
    found = (_of_one_coordinate(mixed, tokens, value, algebra) or _of_two_forms(mixed, value, algebra)
             or _of_two_forms(_gathered(mixed), value, algebra))
    if found is None or weight is None:
        return None if found is None else Pair(without or ONE, *found, None)
    K, u, v = found
    simple = algebra.as_smooth(algebra.concrete(value(with_own(weight))))
    if simple.argument is None:  # a number in disguise
        return Pair(ex.Binary("*", without or ONE, tree_of(simple)), K, u, v, None)
    if simple.argument == v:
        return Pair(without or ONE, ex.Binary("*", K, composed(tree_of(simple), ex.Own(OTHER))), u, v, None)
    return Pair(without or ONE, K, u, v, algebra.form(simple))


def _of_one_coordinate(body: ex.Expression, tokens: Sequence[Quantity], value: Callable[[ex.Expression], Value],
                       algebra: Algebra) -> tuple[ex.Expression, Form, Form] | None:
    """Return K, u and v where v is a coordinate of y, which K may depend on in any way."""
    coordinates = other_coordinates(body)
    if len(coordinates) != 1:
        return None
    K, outer = kernel_tree(body, coordinates, value, algebra)
    return (K, outer[0], Form.of(tokens[coordinates[0]])) if len(outer) == 1 else None


def _of_two_forms(body: ex.Expression, value: Callable[[ex.Expression], Value], algebra: Algebra
                  ) -> tuple[ex.Expression, Form, Form] | None:
    """Return K, u and v where v is any form of y."""
    arguments: tuple[list[Form], list[Form]] = [], []

    def visit(node: ex.Expression) -> ex.Expression:
        side = _side(node)
        if constant_tree(node) or side > OTHER:
            return node if constant_tree(node) else ex.mapped(node, visit)
        known = algebra.concrete(value(with_own(node) if side == OTHER else node))
        if known.constant:
            return tree_of(known)
        simple = algebra.as_smooth(known)
        if simple.argument is not None and simple.argument not in arguments[side]:
            arguments[side].append(simple.argument)
        return composed(tree_of(simple), ex.Own(side))

    K = visit(body)
    if any(len(found) != 1 for found in arguments):
        return None
    (u,), (v,) = arguments
    return K, u, v


def _side(node: ex.Expression) -> int:
    """Return OWN where there is no y, OTHER where there is nothing else, and a larger number where both meet."""
    return OWN if not ex.depends_on(node, ex.Other) else OTHER if other_only(node) else OTHER + 1


def _factors(node: ex.Expression) -> Iterator[ex.Expression]:
    """Return factors of one side each where that is possible: of products, quotients, and exponentials of sums."""
    match node:
        case ex.Binary(operator="*", left=left, right=right):
            yield from (*_factors(left), *_factors(right))
        case ex.Binary(operator="/", left=left, right=right) if _side(right) <= OTHER:
            yield from (*_factors(left), ex.Binary("/", ONE, right))
        case ex.Apply(function="neg", argument=argument):
            yield from (ex.Number(Fraction(-1)), *_factors(argument))
        case ex.Apply(function="exp", argument=argument):
            for terms in _by_side(argument):
                if terms:
                    yield ex.Apply("exp", ex.joined("+", terms), column=node.column)
        case _:
            yield node


def _gathered(node: ex.Expression) -> ex.Expression:
    """Write what has no y, and what has nothing else, together in every sum of both."""
    if _side(node) <= OTHER:
        return node
    own, other, mixed = _by_side(node)
    if mixed != [node]:
        return ex.joined("+", [ex.joined("+", terms) for terms in (own, other) if terms] + [_gathered(term) for term in mixed])
    return ex.mapped(node, _gathered)


def _by_side(node: ex.Expression) -> tuple[list[ex.Expression], list[ex.Expression], list[ex.Expression]]:
    """Sort the terms of a sum."""
    found: tuple[list[ex.Expression], list[ex.Expression], list[ex.Expression]] = [], [], []
    for term in _terms(node):
        found[_side(term)].append(term)
    return found


def _terms(node: ex.Expression) -> Iterator[ex.Expression]:
    match node:
        case ex.Binary(operator="+", left=left, right=right):
            yield from (*_terms(left), *_terms(right))
        case ex.Binary(operator="-", left=left, right=right):
            yield from (*_terms(left), *(ex.Apply("neg", term) for term in _terms(right)))
        case ex.Apply(function="neg", argument=argument):
            yield from (ex.Apply("neg", term) for term in _terms(argument))
        case ex.Binary(operator="*", left=left, right=right) if constant_tree(left) or constant_tree(right):
            factor, other = (left, right) if constant_tree(left) else (right, left)
            yield from (ex.Binary("*", factor, term) for term in _terms(other))
        case ex.Binary(operator="/", left=left, right=right) if constant_tree(right):
            yield from (ex.Binary("/", term, right) for term in _terms(left))
        case _:
            yield node
