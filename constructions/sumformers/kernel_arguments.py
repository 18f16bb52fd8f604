"""What a kernel K(z, y) depends on: its y-free parts as variables z, the same ones for kernels of the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from constructions.errors import Refused
from constructions.pieces.forms import Form
from constructions.pieces.kernel import Kernels
from constructions.pieces.node import Node
from constructions.sumformers.rewriting import affine, composed, constant_tree, unbound
from constructions.sumformers.values import Algebra, Value, tree_of
from constructions.targets import expression as ex


def kernel_tree(body: ex.Expression, tokens: Sequence[int], value: Callable[[ex.Expression], Value], algebra: Algebra
                ) -> tuple[ex.Expression, list[Form]]:
    """Replace maximal y-free sub-expressions by variables 0 .. p-1, the coordinates of y by p, p+1, ..

    Args:
        body: what is averaged over y.
        tokens: the coordinates of y that occur in it.
        value: reads an expression without free y.
        algebra: in which it is read.

    Returns:
        the tree, and the forms that variables 0 .. p-1 stand for.
    """
    outer: list[tuple[ex.Expression, Form]] = []

    def visit(node: ex.Expression) -> ex.Expression:
        if isinstance(node, ex.Other):
            return ex.Own(10_000 + tokens.index(node.coordinate), column=node.column)
        if not ex.depends_on(node, ex.Other):
            if constant_tree(node):
                return node
            known = algebra.concrete(value(node))
            if known.constant:
                return tree_of(known)
            line = known.form is not None or affine(tree_of(known)) is not None  # of an exact quantity: no node of its own
            simple = algebra.as_smooth(known if line else Value(form=algebra.form(known)))
            if simple.argument is None:
                raise Refused(f"{node} is not an argument")  # pragma: no cover
            for v, (_, direction) in enumerate(outer):
                if direction == simple.argument:
                    return composed(tree_of(simple), ex.Own(v))
            outer.append((node, simple.argument))
            return composed(tree_of(simple), ex.Own(len(outer) - 1))
        return ex.mapped(node, visit)

    def settle(node: ex.Expression) -> ex.Expression:
        if isinstance(node, ex.Own):
            v = node.coordinate
            return ex.Own(v - 10_000 + len(outer) if v >= 10_000 else place[v], column=node.column)
        return ex.mapped(node, settle)

    # one order of the arguments whatever the text, so that kernels of the same arguments are seen to be such
    tree = visit(body)
    order = sorted(range(len(outer)), key=lambda v: sorted(q.name for q in outer[v][1].terms))
    place = {v: k for k, v in enumerate(order)}
    return settle(tree), [outer[v][1] for v in order]


def other_coordinates(body: ex.Expression) -> list[int]:
    """Return the coordinates of y that occur."""
    return sorted({node.coordinate for node in unbound(body) if isinstance(node, ex.Other)})


def with_shared_kernels(nodes: Sequence[Node]) -> list[Node]:
    """Join kernels of the same arguments into one node, so that they share the functions of the own token."""
    joined: dict[object, list[Kernels]] = {}
    for node in nodes:
        if isinstance(node, Kernels):
            joined.setdefault((tuple(form.key() for form in node.outer), node.tokens), []).append(node)
    first = {group[0]: Kernels.joined(group) for group in joined.values()}
    later = {node for group in joined.values() for node in group[1:]}
    return [first.get(node, node) if isinstance(node, Kernels) else node for node in nodes if node not in later]
