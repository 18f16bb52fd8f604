"""What is built for each node of a decomposition: tables, polynomials, separated kernels, thermometers, soft extrema."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from constructions.errors import Refused
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.extremum import Exponential, Logarithm, Softening, SoftExtremum, sign_of, softening
from constructions.pieces.forms import Quantity, ends
from constructions.pieces.interpolated_kernel import BentKernel, on_shared_cells
from constructions.pieces.interpolation import interpolate
from constructions.pieces.kernel import Kernels, Means
from constructions.pieces.mean import Mean
from constructions.pieces.node import Node
from constructions.pieces.order import OrderStatistic, Sorted, Thermometer
from constructions.pieces.product import half_width
from constructions.pieces.quotient import Quotient, RefinedQuotient
from constructions.pieces.shared_histograms import over_shared_histograms
from constructions.pieces.univariate import Bases, Hinges, Univariate
from constructions.sumformers.limits import Limits
from constructions.sumformers.sum_decomposition import Decomposition
from constructions.sumformers.tolerances import distributed, settle_quotients
from constructions.wording import counted


def concrete_nodes(decomposition: Decomposition, approximation: float, tolerance: float, widen: float, limits: Limits
                   ) -> dict[Quantity, Node]:
    """Decide tables, polynomials and kernels; return for each quantity the node that defines it, needed or not.

    Args:
        approximation: the error they may make together, same unit as the target.
        tolerance: the whole error, for the quotients and for how far arguments may be off.
        widen: how many times further they may be off.
        limits: what may be built.

    Raises:
        Refused: a limit is exceeded.
    """
    settle_quotients(decomposition, tolerance)
    tolerances, margins = distributed(decomposition, approximation, tolerance, widen)
    bases, extra = Bases(), dict[Quantity, Node]()
    made: dict[Quantity, Quantity] = {}
    existing = {next(iter(node.inputs[0].terms)): node for node in decomposition.nodes if isinstance(node, Mean)}

    def mean(quantity: Quantity) -> Quantity:
        if quantity in existing:
            return existing[quantity].outputs[0]
        if quantity not in made:
            node = Mean(quantity)
            extra[node.outputs[0]] = node
            made[quantity] = node.outputs[0]
        return made[quantity]

    abstract: dict[Quantity, Node] = {q: node for node in decomposition.nodes for q in node.outputs}
    producer = dict(abstract)
    extrema = _order_statistic_designs(decomposition, tolerances, margins, limits)
    shared = {**on_shared_cells((node for node in decomposition.nodes if isinstance(node, BentKernel)), tolerances, margins, mean,
                                2 * limits.max_latent),
              **over_shared_histograms((node for node in decomposition.nodes if isinstance(node, ExponentialAverage)), tolerances,
                                       margins, mean, limits.max_latent)}
    for node in decomposition.nodes:
        for new in _concrete(node, tolerances, margins, bases, mean, limits, extrema, shared, abstract):
            producer |= dict.fromkeys(new.outputs, new)
    for basis in bases.known.values():
        producer |= dict.fromkeys(basis.outputs, basis)
    for product in bases.products.values():
        producer |= dict.fromkeys(product.outputs, product)
    return producer | extra


def _concrete(node: Node, tolerances: Mapping[Node, float], margins: Mapping[Node, float], bases: Bases, mean: Means,
              limits: Limits, extrema: Mapping[Node, Thermometer | Softening], shared: Mapping[Node, Iterable[Node]],
              producer: Mapping[Quantity, Node]) -> Iterable[Node]:
    """Return what is built for a node so that it errs by its tolerance where its argument is off by its margin.

    Args:
        bases, mean: Chebyshev bases and means, made once and shared.
        extrema, shared: what was decided for each order statistic, and made for each kernel that bends and each average.
        producer: the node that defines a quantity.
    """
    if isinstance(node, Univariate):
        return node.concrete(tolerances[node], margins[node], bases)
    if isinstance(node, Kernels):
        return node.concrete(tolerances[node], margins[node], bases, mean, limits.max_degree, limits.max_rank)
    if isinstance(node, BentKernel | ExponentialAverage):
        return shared[node]
    if isinstance(node, OrderStatistic):
        chosen = extrema[node]
        if isinstance(chosen, Softening):
            return _softened(node, chosen, margins[node], mean)
        return [chosen, Sorted(node, chosen, tuple(mean(q) for q in chosen.outputs))]
    if isinstance(node, Quotient) and node.loose is not None:
        return _refined(node, node.loose, producer[node.reciprocal], margins)
    return [node]


def _refined(node: Quotient, loose: float, reciprocal: Node, margins: Mapping[Node, float]) -> list[Node]:
    if not isinstance(reciprocal, Univariate):
        raise TypeError("a reciprocal is a function of one form")  # pragma: no cover
    coarse = Univariate(reciprocal.g, reciprocal.inputs[0])
    interval = coarse.widened(margins[reciprocal])
    table = interpolate(coarse.g, float(interval[0]), float(interval[1]), loose, weight=coarse.g)
    return [Hinges(coarse, table, interval, True), RefinedQuotient(node, coarse.outputs[0], loose)]


def _softened(node: OrderStatistic, soft: Softening, margin: float, mean: Means) -> list[Node]:
    sign = sign_of(node)
    form = node.form * Fraction(sign)
    low, high = ends(form.range())
    exponential = Exponential(form, (Fraction(low - margin), Fraction(high + margin)), soft)
    logarithm = Logarithm(exponential, mean(exponential.outputs[0]), soft)
    return [exponential, logarithm, SoftExtremum(node, logarithm, sign)]


def _order_statistic_designs(decomposition: Decomposition, tolerances: Mapping[Node, float], margins: Mapping[Node, float],
                             limits: Limits) -> dict[Node, Thermometer | Softening]:
    """Decide how order statistics are formed: one thermometer for all of the same quantity, as fine as the most demanding
    one needs, or, where only the largest and smallest values are wanted, softly, whichever has fewer parameters."""
    wanted: dict[object, list[OrderStatistic]] = {}
    for node in decomposition.nodes:
        if isinstance(node, OrderStatistic):
            wanted.setdefault(node.form.key(), []).append(node)
    found: dict[Node, Thermometer | Softening] = {}
    for nodes in wanted.values():
        cells = max(node.cells(tolerances[node]) for node in nodes)
        soft = {node: _softening(node, tolerances[node], margins[node], limits) for node in nodes if sign_of(node)}
        cost = [design.parameters if design else math.inf for design in soft.values()]
        if cells > limits.max_latent and len(soft) == len(nodes) and max(cost) < math.inf:
            found |= {node: design for node, design in soft.items() if design}
            continue
        if cells > limits.max_latent:
            raise Refused(_too_many_cells(nodes, cells, min(tolerances[node] for node in nodes), limits))
        low, high = ends(nodes[0].form.range())
        margin = max(margins[node] for node in nodes)
        found |= dict.fromkeys(nodes, Thermometer(nodes[0].form, (Fraction(low - margin), Fraction(high + margin)), cells))
    return found


def _softening(node: OrderStatistic, tolerance: float, margin: float, limits: Limits) -> Softening | None:
    return softening(node.n, 2 * (half_width(node.form.range()) + margin), tolerance, limits.exponents)


def _too_many_cells(nodes: Sequence[OrderStatistic], cells: int, finest: float, limits: Limits) -> str:
    reason = (f"{nodes[0].outputs[0].name} to within {finest:.3g} needs a thermometer of {counted(cells)} channels, more than "
              f"--max-latent {limits.max_latent}")
    if not all(sign_of(node) for node in nodes):
        return reason
    apart = math.log(nodes[0].n) * half_width(nodes[0].form.range()) / max(finest, 1e-300)
    return (f"{reason}; as a log of a mean of exponentials it needs numbers e^{counted(round(apart))} apart or more, and the "
            f"format's exponents hold e^{limits.exponents:.0f}")
