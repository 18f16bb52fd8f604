"""Where a compiled network holds the quantities of its decomposition, as plain data: a hint for a checker that trusts none of it.

One entry a quantity, in an order in which they can be computed: what it is, in terms of earlier ones, and the affine form of
channels that stands for it (docs/formats.md lists the kinds).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.extremum import SoftExtremum
from constructions.pieces.forms import Form, Placed, Places, Quantity
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.pieces.kernel import Kernels
from constructions.pieces.mean import Mean, Rectified, Renamed
from constructions.pieces.node import Node
from constructions.pieces.order import OrderStatistic
from constructions.pieces.product import Product
from constructions.pieces.quotient import Quotient, RefinedQuotient
from constructions.pieces.univariate import Hinges, Univariate
from constructions.sumformers.sum_decomposition import Decomposition

Entry = dict[str, Any]


def derivation(decomposition: Decomposition, nodes: Sequence[Node], places: Places, channels: Container[str]
               ) -> dict[str, Any]:
    """Return {"quantities": [..], "outputs": [form, ..]} for the quantities that the network holds.

    Args:
        decomposition: exact quantities.
        nodes: what was built; a reciprocal that is to be refined is made there, in the place of an exact one.
        places: where the network holds them.
        channels: of the network; others hold 0, as those of a square without folds.
    """
    defined = list(_as_built(decomposition.nodes, nodes))
    quantities = [*decomposition.tokens, *(q for node in defined for q in node.outputs)]
    names = {q: f"q{k}" for k, q in enumerate(quantities)}
    entries: list[Entry] = [{"name": names[q], "kind": "token", "coordinate": c, "held": _held(places[q], channels)}
                            for c, q in enumerate(decomposition.tokens)]
    for node in defined:
        for q, entry in _entries(node, names):
            if q in places:
                entries.append({"name": names[q], **entry, "held": _held(places[q], channels)})
    return {"quantities": entries, "outputs": [_form(form, names) for form in decomposition.outputs]}


def _as_built(exact: Sequence[Node], built: Sequence[Node]) -> Iterator[Node]:
    """Put rough reciprocals, and extrema that are formed softly, in the place of the exact ones."""
    soft = {node.exact: node for node in built if isinstance(node, SoftExtremum)}
    tables = {node.outputs[0]: node.exact for node in built if isinstance(node, Hinges)}
    refined = {node.exact: node for node in built if isinstance(node, RefinedQuotient)}
    for node in exact:
        if isinstance(node, Quotient) and node in refined:
            yield tables[refined[node].r]
            yield refined[node]
        else:
            yield soft.get(node, node) if isinstance(node, OrderStatistic) else node


def _entries(node: Node, names: Mapping[Quantity, str]) -> Iterator[tuple[Quantity, Entry]]:
    exact = node.exact if isinstance(node, SoftExtremum) else node
    forms = [_form(form, names) for form in exact.inputs]
    match node:
        case Univariate():
            yield node.outputs[0], {"kind": "function", "tree": str(node.g.tree), "of": forms}
        case Product():
            yield node.outputs[0], {"kind": "product", "of": forms}
        case Quotient() | RefinedQuotient():
            reciprocal = node.reciprocal if isinstance(node, Quotient) else node.r
            refined = {} if isinstance(node, Quotient) else {"refined": str(1 + node.middle)}
            yield node.outputs[0], {"kind": "quotient", "of": forms[:2], "reciprocal": names[reciprocal], **refined}
        case Kernels():
            for K, q in zip(node.kernels, node.outputs, strict=True):
                yield q, {"kind": "kernel", "tree": str(K.tree), "of": forms[: len(node.outer)],
                          "tokens": [names[token] for token in node.tokens]}
        case BentKernel():
            yield node.outputs[0], {"kind": "interpolated-kernel", "tree": str(node.K), "of": forms}
        case ExponentialAverage():
            yield node.outputs[0], {"kind": "exponential-average", "of": forms, "tree": str(node.exponent),
                                    "values": str(node.values)}
        case Mean():
            yield node.outputs[0], {"kind": "mean", "of": forms}
        case Rectified():
            yield node.outputs[0], {"kind": "rectified", "of": forms}
        case Renamed():
            yield node.outputs[0], {"kind": "renamed", "of": forms, "tree": node.outputs[0].name}
        case OrderStatistic():
            yield node.outputs[0], {"kind": "order-statistic", "of": forms, "rank": node.rank}
        case SoftExtremum(exponential=E):
            numbers = {"beta": E.beta, "centre": E.centre, "base": float(E.table.base)}
            yield node.outputs[0], {"kind": "soft-extremum", "of": forms, "rank": node.exact.rank,
                                    **{key: str(Fraction(value)) for key, value in numbers.items()}}


def _form(form: Form, names: Mapping[Quantity, str]) -> Entry:
    written: Entry = {"terms": {names[q]: str(c) for q, c in form.terms.items()}, "constant": str(form.constant)}
    if form.irrational:
        exact = {names[q]: str(tree) for q in form.terms if (tree := form.exact(q)) is not None}
        constant = form.exact(None)
        written["exact"] = {"terms": exact, **({} if constant is None else {"constant": str(constant)})}
    return written


def _held(placed: Placed, channels: Container[str]) -> Entry:
    held = {channel: str(weight) for channel, weight in placed.channels.items() if channel in channels}
    return {"channels": held, "constant": str(placed.constant)}
