"""The sign of an expression in the own token and means, for any number of tokens: means are points of a convex hull.

For u = F(x, m), m_k the mean over y of K_k(x, y), on a box of x and m with centre c, G an enclosure of the gradient of F on
the box and g its middle in the directions of the means,

    F(x, m)  in  F(c) + sum_j G_j (x - c)_j + sum_k (G - g)_k (m - c)_k + sum_k g_k (m_k - c_k),

and the last sum is the mean over y of sum_k g_k (K_k(x, y) - c_k), so it lies in the range of that function of y: m2 - m1^2 is
seen to be at least 0 up to the square of the box's width although m2 may be small and m1 large. Boxes are cut where the
enclosure leaves the sign open. (F is piecewise smooth; where it has a kink in the box, G encloses the slopes on both sides.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Booleans, Floats, Interval, quiet
from proofs_check.selection import Forking
from proofs_check.structure.averages import natural_range
from proofs_check.structure.functions import cut
from proofs_check.walker import Chamber, Walker

CELLS = {1: 64, 2: 12, 3: 5}  # of the token y, along each coordinate
MOST_BOXES = 2000
MOST_VARIABLES = 6
Sides = Sequence[tuple[Fraction, Fraction]]


def shown_by_hulls(u: ex.Expression, sign: str, sides: Sides, n: int | None) -> bool:
    """Say whether u is shown to be > 0, >= 0 or != 0 (``sign``) for all tokens in the domain and n of them, every n if None."""
    d = len(sides)
    try:
        means = Means(sides, n)
        tree = means.named(u)
    except Unknown:
        return False
    return d in CELLS and len(means.ranges) <= MOST_VARIABLES and _covered(means, tree, sign)


class Unknown(Exception):
    """Something in the expression is neither a token nor a mean of bounded values."""


@dataclass
class Means:
    """The variables of F: coordinates of the own token, of a free y, and reductions.

    Attributes:
        ranges: of each variable.
        bodies: by variable, K of a mean, with y as the variables after all others and inner reductions named before it.
    """

    sides: Sides
    n: int | None
    ranges: list[tuple[float, float]] = field(default_factory=list)
    bodies: dict[int, ex.Expression] = field(default_factory=dict)
    names: dict[ex.Expression, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for c in range(len(self.sides)):
            self._name(ex.Own(c))

    def _name(self, node: ex.Expression) -> ex.Expression:
        if node not in self.names:
            low, high = natural_range(node, self.sides, self.n)
            if not math.isfinite(low) or not math.isfinite(high):
                raise Unknown
            self.names[node] = len(self.ranges)
            self.ranges.append((low, high))
        return ex.Own(self.names[node])

    def named(self, node: ex.Expression, *, inside: bool = False) -> ex.Expression:
        """Write variables in the place of tokens and reductions; y stays inside a reduction."""
        match node:
            case ex.Own() | ex.OrderStatistic():
                return self._name(node)
            case ex.Other():
                return node if inside else self._name(node)
            case ex.Length():
                raise Unknown
            case ex.Binary(operator="/", left=ex.Reduction(kind="sum", body=body), right=ex.Length()):
                return self.named(ex.Reduction("mean", body), inside=inside)
            case ex.Reduction(kind="sum", body=body):
                if self.n is None:
                    raise Unknown
                mean = self.named(ex.Reduction("mean", body), inside=inside)
                return ex.Binary("*", ex.Number(Fraction(self.n)), mean)
            case ex.Reduction(kind=kind, body=body):
                inner = self.named(body, inside=True) if kind == "mean" else None
                variable = self._name(node)
                if inner is not None:
                    self.bodies[self.names[node]] = inner
                return variable
        return ex.mapped(node, lambda child: self.named(child, inside=inside))

    @property
    def read(self) -> list[int]:
        """Variables that are averaged over y."""
        leaves = (node for body in self.bodies.values() for node in body.walk())
        return sorted({leaf.coordinate for leaf in leaves if isinstance(leaf, ex.Own)})

    def pooled(self, factors: dict[int, Interval], lower: Floats, upper: Floats) -> Interval:
        """Enclose sum over k of factor_k (K_k(x, y) - centre_k) on boxes and cells of y: (boxes, cells), by slopes.

        Args:
            factors: (boxes,), numbers.
            lower, upper: (boxes, variables).
        """
        d, (boxes, variables) = len(self.sides), lower.shape
        cells = cut([natural_range(ex.Other(c), self.sides, self.n) for c in range(d)], CELLS[d])
        shape = boxes, cells[0].lower.size
        sides = [Interval(*(np.broadcast_to(end, shape).ravel() for end in ends)) for ends in
                 [*((lower[:, v, None], upper[:, v, None]) for v in range(variables)), *((c.lower, c.upper) for c in cells)]]
        middles = [_middle(side) for side in sides]
        at = Values([Interval.of(middle) for middle in middles])
        over, total, slopes = Values(sides), Interval.of(np.zeros(shape)), dict[int, Interval]()
        for k, factor in factors.items():
            body, factor = _y_last(self.bodies[k], variables), Interval.of(np.repeat(factor.lower, shape[1]))
            centre = Interval.of(middles[k])
            total = total + _shaped(factor * (at.jet(body).value - centre), shape)
            for v, slope in over.jet(body).gradient.items():
                part = factor * slope
                slopes[v] = slopes[v] + part if v in slopes else part
        for v, slope in slopes.items():
            total = total + _shaped(slope * (sides[v] - Interval.of(middles[v])), shape)
        lost = (over.undefined | at.undefined).reshape(shape)
        return Interval(np.where(lost, -np.inf, total.lower), np.where(lost, np.inf, total.upper))


class Values(Walker):
    """A walk over expressions in plain variables."""

    def __init__(self, sides: Sequence[Interval]) -> None:
        super().__init__(sides, Chamber(1, len(sides), 0), Forking({}, sides[0].lower.size, 0), second=False)


def _middle(side: Interval) -> Floats:
    middle = 0.5 * side.lower + 0.5 * side.upper
    return np.minimum(np.maximum(middle, side.lower), side.upper)  # halves of subnormal numbers are rounded


def _shaped(values: Interval, shape: tuple[int, int]) -> Interval:
    full = np.empty(shape[0] * shape[1])
    return Interval(*(np.broadcast_to(end, full.shape).reshape(shape) for end in (values.lower, values.upper)))


def _y_last(node: ex.Expression, first: int) -> ex.Expression:
    if isinstance(node, ex.Other):
        return ex.Own(first + node.coordinate)
    return ex.mapped(node, lambda child: _y_last(child, first))


def _covered(means: Means, tree: ex.Expression, sign: str) -> bool:
    """Cut boxes until the sign is known on each of them, or there are too many."""
    lower, upper = (np.array([[end[k] for end in means.ranges]]) for k in (0, 1))
    spent = 0
    while len(lower):
        spent += len(lower)
        if spent > MOST_BOXES:
            return False
        values, parts = enclosed(means, tree, lower, upper)
        open_ = ~_has(values, sign)
        lower, upper, parts = lower[open_], upper[open_], parts[open_]
        rows, widest = np.arange(len(lower)), np.argmax(np.where(np.isfinite(parts), parts, upper - lower), axis=1)
        middle = 0.5 * lower[rows, widest] + 0.5 * upper[rows, widest]
        first, second = upper.copy(), lower.copy()
        first[rows, widest] = second[rows, widest] = middle
        lower, upper = np.concatenate([lower, second]), np.concatenate([first, upper])
    return True


def _has(values: Interval, sign: str) -> Booleans:
    if sign == "!= 0":
        return np.asarray((values.lower > 0) | (values.upper < 0))
    return np.asarray(values.lower > 0 if sign == "> 0" else values.lower >= 0)


@quiet
def enclosed(means: Means, tree: ex.Expression, lower: Floats, upper: Floats) -> tuple[Interval, Floats]:
    """Enclose F on boxes, and say about how much each variable contributes to the width.

    Args:
        lower, upper: (boxes, variables).
    """
    boxes, variables = lower.shape
    sides = [Interval(lower[:, v].copy(), upper[:, v].copy()) for v in range(variables)]
    centre = [_middle(side) for side in sides]
    over, at = Values(sides), Values([Interval.of(middle) for middle in centre])
    everywhere, parts = over.jet(tree), np.zeros((boxes, variables))
    nothing, factors = Interval.of(np.zeros(boxes)), dict[int, Interval]()
    value = at.jet(tree).value + nothing
    for v, slope in everywhere.gradient.items():
        if v in means.bodies:
            factors[v] = Interval.of(_middle(slope + nothing))
            slope = slope - factors[v]
        moved = slope * (sides[v] - Interval.of(centre[v]))
        value, parts[:, v] = value + moved, moved.magnitude()
    if factors:
        pooled = means.pooled(factors, lower, upper)
        value = value + Interval(pooled.lower.min(axis=1), pooled.upper.max(axis=1))
        left = (pooled.upper - pooled.lower).max(axis=1)
        parts[:, means.read] += left[:, None] * (upper - lower)[:, means.read] / max(1, len(means.read))
    natural, unknown = everywhere.value + nothing, over.undefined | at.undefined
    both = Interval(np.maximum(value.lower, natural.lower), np.minimum(value.upper, natural.upper))
    apart = both.lower > both.upper  # then no sequence has its means in the box, and either enclosure holds
    return Interval(np.where(unknown, -np.inf, np.where(apart, value.lower, both.lower)),
                    np.where(unknown, np.inf, np.where(apart, value.upper, both.upper))), parts
