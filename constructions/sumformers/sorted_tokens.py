"""Reductions written over the sorted tokens: a mean, a sum or an extremum as a function of all order statistics
(mathematics: order-statistics)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from constructions.errors import Refused
from constructions.sumformers.rewriting import substituted
from constructions.targets import expression as ex

MAX_SORTED = 12
CHOICE = {"max": "maximum", "min": "minimum"}  # between two values


def at_every_rank(body: ex.Expression, n: int, column: int = 0) -> list[ex.Expression]:
    """Put the largest token in the place of y, the second largest, .., the smallest."""
    ranks = (ex.Number(Fraction(rank)) for rank in range(1, n + 1))
    return [substituted(body, ex.OrderStatistic(rank, column=column)) for rank in ranks]


def over_sorted_tokens(outputs: Sequence[ex.Expression], d: int, n: int) -> tuple[ex.Expression, ...]:
    """Write every reduction over the sorted tokens: f as a function of x and all order statistics.

    Raises:
        Refused: d > 1, n too large, or there is no reduction.
    """
    if d != 1 or n > MAX_SORTED:
        raise Refused(f"all order statistics need d = 1 and n <= {MAX_SORTED}, got d = {d}, n = {n}")
    if not any(isinstance(node, ex.Reduction | ex.OrderStatistic) for output in outputs for node in output.walk()):
        raise Refused("the target does not depend on the other tokens: there is nothing to sort")
    return tuple(over_sorted(output, n) for output in outputs)


def over_sorted(node: ex.Expression, n: int) -> ex.Expression:
    """Replace mean, sum, max and min by their values on the order statistics."""
    node = ex.mapped(node, lambda child: over_sorted(child, n))
    if not isinstance(node, ex.Reduction):
        return node
    total = ex.joined(CHOICE.get(node.kind, "+"), at_every_rank(node.body, n))
    return ex.Binary("/", total, ex.Number(Fraction(n))) if node.kind == "mean" else total
