"""How far a kernel K(u, y) is from what is linear in u on every cell and piecewise linear in y, by subdivision.

On a box inside one cell and one piece, with B what is held there (bilinear, from its four corners) and m the middle,

    K - B  in  K(m) - B(m) + (dK/du - dB/du) [-r, r] + (dK/dy - dB/dy) [-s, s],   and in   K(box) - B(box):

the first is sharp where K is smooth, the second where its slopes are steep or have no bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval, intersection, quiet
from proofs_check.structure.functions import on_either_side

CLOSE = 1.01
DEEPEST = 12  # how often a box is quartered
MOST_BOXES = 4_000_000
BATCH = 2**15
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Lines:
    """Values at the corners of cells and pieces; ``left`` and ``right`` (M, P) at the ends of each cell, at the knots of y.

    Attributes:
        cuts: (M + 1,) of u.
        knots: (P,) of y.
    """

    cuts: Floats
    knots: Floats
    left: Floats
    right: Floats


@dataclass(frozen=True, eq=False)
class _Boxes:
    u: Interval
    y: Interval
    cell: Places
    piece: Places

    @property
    def sides(self) -> tuple[Interval, Interval]:
        return self.u, self.y

    @property
    def middle(self) -> _Boxes:
        u, y = (Interval.of(0.5 * side.lower + 0.5 * side.upper) for side in self.sides)
        return _Boxes(u, y, self.cell, self.piece)

    def take(self, rows: Places | slice) -> _Boxes:
        return _Boxes(self.u[rows], self.y[rows], self.cell[rows], self.piece[rows])

    def quarters(self) -> _Boxes:
        u, y = (0.5 * side.lower + 0.5 * side.upper for side in (self.u, self.y))
        low_u, high_u = Interval.of(self.u.lower, u), Interval.of(u, self.u.upper)
        low_y, high_y = Interval.of(self.y.lower, y), Interval.of(y, self.y.upper)
        parts = [(a, b) for a in (low_u, high_u) for b in (low_y, high_y)]
        joined = [Interval(np.concatenate([p[axis].lower for p in parts]), np.concatenate([p[axis].upper for p in parts]))
                  for axis in (0, 1)]
        return _Boxes(joined[0], joined[1], np.tile(self.cell, 4), np.tile(self.piece, 4))


@quiet
def kernel_range(K: ex.Expression, u: Interval, y: Interval, pieces: int = 40) -> tuple[Interval, list[Interval]]:
    """Enclose the values of K, x[0] = u and x[1] = y in two intervals, and both slopes; the whole line where undefined."""
    boxes = _mesh(*(np.linspace(float(side.lower), float(side.upper), pieces + 1) for side in (u, y)))
    middle = boxes.middle
    value, slopes = on_either_side(K, boxes.sides)
    value = intersection(value, _around(on_either_side(K, middle.sides)[0], slopes, boxes, middle))
    whole, *tilts = (Interval.of(one.lower.min(), one.upper.max()) for one in (value, *slopes))
    return whole, tilts


@quiet
def largest_gap(K: ex.Expression, lines: Lines, fine: float) -> float:
    """Bound |K - what the lines hold| on all cells; infinite where no bound was found.

    Args:
        K: a tree in x[0] = u and x[1] = y.
        lines: what is held.
        fine: boxes below this are not looked at further.
    """
    todo, settled, met, spent = [(0, _mesh(lines.cuts, lines.knots))], 0.0, 0.0, 0
    while todo:
        depth, boxes = todo.pop()
        if len(boxes.cell) > BATCH:
            todo += [(depth, boxes.take(slice(BATCH, None))), (depth, boxes.take(slice(BATCH)))]
            continue
        gap, middle = _gaps(K, lines, boxes)
        bound = gap.magnitude()
        met, spent = max(met, float(middle.mignitude().max(initial=0.0))), spent + len(bound)
        open_ = ~(bound <= max(met * CLOSE, fine)) & (depth < DEEPEST) & (spent < MOST_BOXES)
        settled = max(settled, float(bound[~open_].max(initial=0.0)))
        if settled == np.inf:
            break
        if open_.any():
            todo.append((depth + 1, boxes.take(np.flatnonzero(open_)).quarters()))
    return settled


def _mesh(cuts: Floats, knots: Floats) -> _Boxes:
    cell, piece = (index.ravel() for index in np.indices((len(cuts) - 1, len(knots) - 1)))
    return _Boxes(Interval.of(cuts[cell], cuts[cell + 1]), Interval.of(knots[piece], knots[piece + 1]), cell, piece)


def _gaps(K: ex.Expression, lines: Lines, boxes: _Boxes) -> tuple[Interval, Interval]:
    """Enclose the difference on boxes and at their middles."""
    middle = boxes.middle
    value, slopes = on_either_side(K, boxes.sides)
    whole, tilts = _bilinear(lines, boxes)
    at_middle = on_either_side(K, middle.sides)[0] - _bilinear(lines, middle)[0]
    apart = [slope - tilt for slope, tilt in zip(slopes, tilts, strict=True)]
    return intersection(_around(at_middle, apart, boxes, middle), value - whole), at_middle


def _around(at_middle: Interval, slopes: Sequence[Interval], boxes: _Boxes, middle: _Boxes) -> Interval:
    """Enclose values by those at the middles and the slopes (mean value theorem)."""
    for slope, side, point in zip(slopes, boxes.sides, middle.sides, strict=True):
        at_middle = at_middle + slope * (side - point)
    return at_middle


def _bilinear(lines: Lines, boxes: _Boxes) -> tuple[Interval, list[Interval]]:
    """Enclose what is held, and its slopes in u and in y."""
    i, j = boxes.cell, boxes.piece
    a, b, c, e = (Interval.of(values[i, place]) for place in (j, j + 1) for values in (lines.left, lines.right))
    start, origin = Interval.of(lines.cuts[i]), Interval.of(lines.knots[j])
    h, g = Interval.of(lines.cuts[i + 1]) - start, Interval.of(lines.knots[j + 1]) - origin
    q, s = (boxes.u - start) / h, (boxes.y - origin) / g
    low, high = a + (b - a) * q, c + (e - c) * q
    mixed = (e - c) - (b - a)
    return low + (high - low) * s, [((b - a) + mixed * s) / h, ((c - a) + mixed * q) / g]
