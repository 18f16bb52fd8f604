"""The tolerance of each node, from how far the target follows it and what accuracy costs there (mathematics: error-budget)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.forms import Form, Quantity
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.pieces.kernel import Kernels
from constructions.pieces.mean import Renamed
from constructions.pieces.node import Node, Sensitivities, pass_back
from constructions.pieces.order import OrderStatistic
from constructions.pieces.product import half_width
from constructions.pieces.quotient import Quotient
from constructions.pieces.univariate import Univariate
from constructions.sumformers.sum_decomposition import EXACT, Decomposition

APPROXIMATED = Univariate | Kernels | BentKernel | OrderStatistic | ExponentialAverage
# A divisor may be off by more than its sensitivity says, since where it is large its error counts less.
DIVISOR_MARGIN = 3.0


def abstract_nodes(decomposition: Decomposition) -> list[Node]:
    """Return the nodes that a network only approximates; squares and products of the others err by their folds alone."""
    return [node for node in decomposition.nodes if isinstance(node, APPROXIMATED)]


def sensitivities_of(output: Form, nodes: Sequence[Node]) -> Sensitivities:
    """Return how far one output follows each quantity: a backward pass over nodes in an order in which they can be computed."""
    sensitivities = Sensitivities()
    pass_back(sensitivities, output, 1.0)
    for node in reversed(nodes):
        node.backward(sensitivities)
    return sensitivities


def settle_quotients(decomposition: Decomposition, tolerance: float) -> None:
    """Let every quotient decide how its reciprocal is formed."""
    found = [node for node in decomposition.nodes if isinstance(node, Quotient)]
    for quotient in found:
        quotient.loose = None
    for output in decomposition.outputs if found else ():
        sensitivities = sensitivities_of(output, decomposition.nodes)
        for quotient in found:
            if quotient.loose is None:
                quotient.settle(tolerance, sensitivities.get(quotient.outputs[0], 0.0))


def distributed(decomposition: Decomposition, approximation: float, tolerance: float,
                widen: float) -> tuple[dict[Node, float], dict[Node, float]]:
    """Split a share of the tolerance over the nodes that approximate, in proportion to what accuracy costs them.

    Args:
        approximation: the share, same unit as the target.
        tolerance: the whole.
        widen: how many times further than the whole tolerance permits an argument may be off.

    Returns:
        for each node how far it may err, and its margin: how far its argument may be off.
    """
    nodes = abstract_nodes(decomposition)
    slopes = _largest_slopes(decomposition, nodes)
    divisors = {node.reciprocal for node in decomposition.nodes if isinstance(node, Quotient)}
    margins = {node: _margin(node, slopes.argument, tolerance, DIVISOR_MARGIN * widen if divisors & {*node.outputs} else widen)
               for node in nodes}
    named = {q for node in decomposition.nodes if isinstance(node, Renamed) for q in node.outputs}  # no relative error is known
    for node in nodes:
        if isinstance(node, Univariate) and not named & node.inputs[0].terms.keys():
            node.relative_margin = _relative_margin(node, slopes.logarithm, tolerance, widen)
    tolerances = _by_cost(approximation, [node for node in nodes if slopes.weight[node] > 0], slopes, margins)
    return tolerances | {node: approximation for node in nodes if node not in tolerances}, margins


@dataclass
class _Slopes:
    """The largest over all outputs: how far one follows a node or a quantity, and its logarithm (None: no bound)."""

    weight: dict[Node, float]
    relative: dict[Node, float | None] = field(default_factory=dict)
    argument: dict[Quantity, float] = field(default_factory=dict)
    logarithm: dict[Quantity, float | None] = field(default_factory=dict)


def _largest_slopes(decomposition: Decomposition, nodes: Sequence[Node]) -> _Slopes:
    found = _Slopes(dict.fromkeys(nodes, 0.0))
    for output in decomposition.outputs:
        sensitivities = sensitivities_of(output, decomposition.nodes)
        for node in nodes:
            found.weight[node] = max([found.weight[node], *(sensitivities.get(q, 0.0) for q in node.outputs)])
            found.relative[node] = _larger(found.relative.get(node, 0.0), sensitivities.of_logarithm(node.outputs[0]))
        for q, s in sensitivities.items():
            found.argument[q] = max(found.argument.get(q, 0.0), s)
            found.logarithm[q] = _larger(found.logarithm.get(q, 0.0), sensitivities.of_logarithm(q))
    return found


def _larger(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else max(a, b)


def _by_cost(approximation: float, used: Sequence[Node], slopes: _Slopes, margins: Mapping[Node, float]) -> dict[Node, float]:
    """Share out in proportion to elasticities, which depend on the tolerances themselves: three rounds."""
    elastic = dict.fromkeys(used, 1.0)
    tolerances: dict[Node, float] = {}
    for _ in range(3):
        whole = sum(elastic.values())
        tolerances = {node: approximation * elastic[node] / whole / slopes.weight[node] for node in used}
        for node in used:
            if isinstance(node, Univariate):
                log_slope = slopes.relative[node]
                node.relative_tolerance = min(0.3, tolerances[node] * slopes.weight[node] / log_slope) if log_slope else None
        elastic = {node: _elasticity(node, tolerances[node], margins[node]) for node in used}
    return tolerances


def _elasticity(node: Node, tolerance: float, margin: float) -> float:
    """Parameters for one e-fold of accuracy."""
    if isinstance(node, Univariate):
        return node.elasticity(tolerance, margin)
    if isinstance(node, OrderStatistic):
        return 11.0 * node.cells(tolerance)
    if isinstance(node, BentKernel | ExponentialAverage):
        return node.parameters(tolerance)
    return 60.0


def _margin(node: Node, sensitivities: Mapping[Quantity, float], tolerance: float, widen: float) -> float:
    """How far the network's argument may be from the exact one, when the whole tolerance were spent there."""
    margin = 0.0
    exact = EXACT if widen == 1 else ("x.",)  # a mean of tokens is rounded, by more than usual in a coarse format
    for form in node.inputs:
        inexact = [q for q in form.terms if not q.name.startswith(exact)]
        for q in inexact:
            s = sensitivities.get(q, 0.0)
            width = 2 * half_width(form.range())
            margin = max(margin, widen * min(0.05 * width, abs(float(form.terms[q])) * tolerance / s if s else math.inf))
    return margin


def _relative_margin(node: Univariate, logarithms: Mapping[Quantity, float | None], tolerance: float,
                     widen: float) -> float | None:
    """The same as a factor, where the argument is one positive quantity all of whose users look at its logarithm."""
    form = node.inputs[0]
    (quantity, *others) = form.terms
    log_slope = logarithms.get(quantity)
    if others or form.constant or not log_slope or quantity.name.startswith(EXACT):
        return None
    if widen > 16:  # it was not the relative error that mattered
        return None
    return min(0.5, max(1.5 * widen * tolerance / log_slope, 2.0**-26))
