"""The error budget of a compiled network: which statement contributes which share of the proved bound."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.network.relu import MeanSumformer
from constructions.pieces.extremum import Logarithm, SoftExtremum
from constructions.pieces.forms import size
from constructions.pieces.interpolated_kernel import Interpolated
from constructions.pieces.kernel import Bilinear
from constructions.pieces.log_sums import LogSums
from constructions.pieces.node import Node
from constructions.pieces.order import Sorted
from constructions.pieces.quotient import RefinedQuotient
from constructions.pieces.univariate import Hinges, Polynomial
from constructions.sumformers.derivation import derivation
from constructions.sumformers.folds import finest
from constructions.sumformers.program import EXACT, Arithmetic, Swept
from constructions.sumformers.tolerances import sensitivities_of

APPROXIMATIONS = (Hinges, Polynomial, Bilinear, Interpolated, Sorted, Logarithm, SoftExtremum, RefinedQuotient, LogSums)


@dataclass(frozen=True)
class Share:
    """A term of the error budget: the statement it comes from (mathematics id), what was done, and its part of the bound."""

    id: str
    what: str
    bound: Fraction


@dataclass(frozen=True, eq=False)
class Compiled:
    """A Sumformer, the proved bound of ||f - T||, the shares that add up to it exactly, and where it holds which quantity."""

    sumformer: MeanSumformer
    bound: Fraction
    shares: tuple[Share, ...]
    derivation: Mapping[str, Any] = field(default_factory=dict)

    def beyond(self, id: str, what: str, missed: Fraction) -> Compiled:
        """Add how far what was compiled is from the target, by the statement of this id."""
        if not missed:
            return self
        return replace(self, bound=self.bound + missed, shares=(Share(id, what, missed), *self.shares))

    def rounded(self, kind: type[np.float32]) -> Compiled:
        """Round the weights; the bound must have been proved for weights of that format."""
        return replace(self, sumformer=self.sumformer.rounded(kind))


def with_budget(swept: Swept, bits: int) -> Compiled:
    """Switch the sources of error on one after the other: what each adds to the bound is its share."""
    program, folds = swept.program, swept.folds
    exact = program.swept(EXACT, finest(program))
    bounds = [Fraction(exact.bound)]
    for kind in (EXACT, Arithmetic.stored(bits)):
        bounds.append(max(bounds[-1], Fraction(program.swept(kind, folds).bound)))
    bounds.append(max(bounds[-1], Fraction(swept.bound)))  # it was swept with this arithmetic
    rises = [after - before for before, after in itertools.pairwise(bounds)]
    folded = sum(square.folds for square in program.squares)
    stored = f"float{32 if bits == 24 else 64}"
    shares = [*_approximations(exact, bounds[0]),
              Share("square-sawtooth", f"{len(folds)} squares by {folded} folds", rises[0]),
              Share("weight-rounding", f"weights are {stored} numbers", rises[1]),
              Share("evaluation", f"evaluated in {stored}, any order of summation", rises[2])]
    kept = tuple(share for share in shares if share.bound or share.id == "evaluation")
    held = derivation(program.decomposition, program.nodes, swept.sweep.places, frozenset(swept.sumformer.channels))
    return Compiled(swept.sumformer, bounds[-1], kept, held)


def _approximations(swept: Swept, bound: Fraction) -> list[Share]:
    """Divide the bound of expansions and tables among the nodes, in proportion to error times sensitivity."""
    program, weights = swept.program, dict[Node, Fraction]()
    for output in program.decomposition.outputs:
        sensitivities = sensitivities_of(output, program.nodes)
        for node in program.nodes:
            if isinstance(node, APPROXIMATIONS):
                part = max(sensitivities.get(q, 0.0) * size(swept.sweep.local[q]) for q in node.outputs)
                weights[node] = max(weights.get(node, Fraction(0)), Fraction(part))
    whole = sum(weights.values(), Fraction(0))
    if not whole:
        return [Share("rational-constants", "constants rounded to rational numbers", bound)] if bound else []
    return [Share(*_named(node), bound * weight / whole) for node, weight in weights.items() if weight]


def _named(node: Node) -> tuple[str, str]:
    if isinstance(node, Hinges):
        return "interpolation-error", f"{node.exact.g.tree} by {node.table.units} hinges"
    if isinstance(node, Polynomial):
        degree = len(node.expansion.coefficients) - 1
        return "chebyshev-expansion", f"{node.exact.g.tree} by a polynomial of degree {degree}"
    if isinstance(node, Bilinear):
        kernels = ", ".join(str(K.tree) for K in node.exact.kernels)
        return "separable-kernel", f"{kernels} by {len(node.U)} products"
    if isinstance(node, Interpolated):
        return "interpolated-kernel", f"{node.exact} between straight lines on {len(node.lines.rises)} cells"
    if isinstance(node, LogSums):
        statement = "exponential-average" if len(node.exact.axes) == 1 else "planar-average"
        return statement, f"{node.outputs[0].name} through a histogram of {node.histogram.count} hats"
    if isinstance(node, Logarithm):
        return "interpolation-error", f"exp and log of a soft extremum by {node.units} hinges"
    if isinstance(node, RefinedQuotient):
        return "product", f"{node.outputs[0].name} by one correction, its reciprocal right to {node.loose:.2g}"
    if isinstance(node, SoftExtremum):
        return "soft-extremum", f"{node.outputs[0].name} as a log of a mean of exponentials, beta = {node.beta:.6g}"
    return "order-statistics", f"{node.outputs[0].name} by a thermometer of {len(node.inputs)} channels"
