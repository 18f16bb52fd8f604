"""How far a kernel K(u, y) is from what is linear in u on cells and piecewise linear in y, enclosed with balls on boxes.

On a box inside one cell and one piece, with B what is held there and m the middle, K - B is K(m) - B(m) up to the largest slopes
of the difference times the radii, and also K(box) - B(box): the first is sharp where K is smooth, the second where it is steep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from constructions.targets import expression as ex
from constructions.targets.ball_arrays import BallArray
from constructions.targets.jets import ONE, ZERO, Jet, JetWalker, forks

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Range = tuple[float, float]
CLOSE = 0.01  # of half of what the gaps spread over
DEEPEST = 10  # how often a box is quartered
MAX_FORKS, MORE_BOXES, BATCH = 64, 4, 2**16  # boxes: so many times as many as at first


@dataclass(frozen=True, eq=False)
class Gaps:
    """Bounds of held - K from below and above, for every cell of u and for every piece of y; infinite where none was found."""

    of_cells: tuple[Floats, Floats]
    of_pieces: tuple[Floats, Floats]

    @property
    def middle(self) -> float:
        """Return the middle of all, 0 where there is none."""
        middle = float(self.of_cells[0].min()) / 2 + float(self.of_cells[1].max()) / 2
        return middle if math.isfinite(middle) else 0.0

    @property
    def largest(self) -> float:
        """Bound what is left around the middle."""
        low, high = self.of_cells
        return max(float(high.max()) - self.middle, self.middle - float(low.min())) * (1 + 2.0**-40)


def basis(knots: Floats) -> Floats:
    """Return 1, y and relu(y - t) for the inner knots t, at all knots: (N + 1, N + 1)."""
    return np.vstack([np.ones_like(knots), knots, np.maximum(knots - knots[1:-1, None], 0.0)])


def gaps(K: ex.Expression, cuts: Floats, knots: Floats, hinges: Floats) -> Gaps:
    """Enclose (1 - q) beta_k(y) + q beta_{k+1}(y) - K(u, y) on all cells and pieces, without the rounding of the weights.

    Boxes that may hold more than all that was met are quartered, until the bounds are within 1 % of it.

    Args:
        K: a tree in x[0] = u and x[1] = y.
        cuts, knots: (m + 1,), (N + 1,) increasing.
        hinges: (m + 1, N + 1) coefficients of beta_0 and of beta_{k+1} - beta_k: 1, y, relu(y - t) for the inner knots t.
    """
    held, todo, spent = _Held.of(cuts, knots, hinges), [(0, _Boxes.mesh(cuts, knots))], 0
    most = MORE_BOXES * max(len(todo[0][1].cell), 2**18)
    cells, pieces = (np.full((2, len(axis) - 1), -np.inf) for axis in (cuts, knots))  # of -held + K and held - K
    met = np.full(2, -np.inf)
    while todo:
        depth, boxes = todo.pop()
        if len(boxes.cell) > BATCH:
            todo += [(depth, boxes.take(slice(BATCH, None))), (depth, boxes.take(slice(BATCH)))]
            continue
        bounds, middle = _gaps(K, held, boxes)
        met, spent = np.maximum(met, middle.max(axis=1)), spent + len(boxes.cell)
        slack = CLOSE * max(float(met.sum()), 0.0) / 2
        open_ = ~(bounds <= met[:, None] + slack).all(axis=0) & (depth < DEEPEST) & (spent < most)
        for side in (0, 1):
            np.maximum.at(cells[side], boxes.cell[~open_], bounds[side, ~open_])
            np.maximum.at(pieces[side], boxes.piece[~open_], bounds[side, ~open_])
        if np.isposinf(cells).any():
            break
        if open_.any():
            todo.append((depth + 1, boxes.take(np.flatnonzero(open_)).quarters()))
    return Gaps((-cells[0], cells[1]), (-pieces[0], pieces[1]))


def value_hull(K: ex.Expression, u: Range, y: Range, pieces: int = 48) -> Range:
    """Enclose the values of K, the ranges cut into pieces; infinite where it may be undefined."""
    boxes = _Boxes.mesh(*(np.linspace(*side, pieces + 1) for side in (u, y)))
    with np.errstate(all="ignore"):
        value = JetWalker([[Jet(ball, second=False) for ball in boxes.balls()]], 0, []).jet(K).value
    return float(np.min(value.lower)), float(np.max(value.upper))


def steepest(K: ex.Expression, u: Range, y: Range, pieces: int = 48) -> Range:
    """Bound the slopes of K in u and in y, on either side of its kinks; infinite where none is seen."""
    boxes = _Boxes.mesh(*(np.linspace(*side, pieces + 1) for side in (u, y)))
    with np.errstate(all="ignore"):
        in_u, in_y = (float(slope.magnitude.max()) for slope in _gradient(K, boxes.balls())[1])
    return in_u, in_y


@dataclass(eq=False)
class _Boxes:
    """Boxes of (u, y), each inside a cell of u and between two knots of y."""

    u: tuple[Floats, Floats]
    y: tuple[Floats, Floats]
    cell: Places
    piece: Places

    @staticmethod
    def mesh(cuts: Floats, knots: Floats) -> _Boxes:
        """Return every cell with every piece."""
        cell, piece = (index.ravel() for index in np.indices((len(cuts) - 1, len(knots) - 1)))
        return _Boxes((cuts[cell], cuts[cell + 1]), (knots[piece], knots[piece + 1]), cell, piece)

    def balls(self) -> list[BallArray]:
        """Enclose them."""
        return [BallArray.between(*side) for side in (self.u, self.y)]

    def take(self, rows: Places | slice) -> _Boxes:
        """Return some."""
        u, y = ((low[rows], high[rows]) for low, high in (self.u, self.y))
        return _Boxes(u, y, self.cell[rows], self.piece[rows])

    def quarters(self) -> _Boxes:
        """Halve both sides."""
        (a, b), (c, e) = self.u, self.y
        u, y = 0.5 * a + 0.5 * b, 0.5 * c + 0.5 * e
        return _Boxes((np.concatenate([a, u, a, u]), np.concatenate([u, b, u, b])),
                      (np.concatenate([c, c, y, y]), np.concatenate([y, y, e, e])), np.tile(self.cell, 4), np.tile(self.piece, 4))


def _gradient(K: ex.Expression, balls: list[BallArray]) -> tuple[BallArray, list[BallArray]]:
    """Enclose the value and both slopes, along every branch that is possible somewhere."""
    zeros, pair = np.zeros_like(balls[0].mid), [Jet(ball, {v: ONE}, second=False) for v, ball in enumerate(balls)]
    found = [jet for jet, _ in forks(K, [pair], 0, MAX_FORKS)]
    slopes = []
    for v in (0, 1):
        ends = [jet.gradient.get(v, ZERO) for jet in found]
        slopes.append(BallArray.between(np.min([one.lower + zeros for one in ends], axis=0),
                                        np.max([one.upper + zeros for one in ends], axis=0)))
    value = found[0].value
    return BallArray(value.mid + zeros, value.rad + zeros), slopes


@dataclass(frozen=True, eq=False)
class _Held:
    """What is held at the corners of all cells and pieces; all that is computed of it is off by at most ``rounding``."""

    cuts: Floats
    knots: Floats
    rows: Floats
    rounding: float

    @staticmethod
    def of(cuts: Floats, knots: Floats, hinges: Floats) -> _Held:
        """Evaluate."""
        size = np.abs(hinges).sum(axis=0) @ np.abs(basis(knots))
        rows = np.cumsum(hinges, axis=0) @ basis(knots)
        return _Held(cuts, knots, rows, 2.0**-50 * float(size.max()) * sum(rows.shape))


def _gaps(K: ex.Expression, held: _Held, boxes: _Boxes) -> tuple[Floats, Floats]:
    """Return bounds of K - held and of held - K on boxes, (2, boxes), and what both certainly are at the middles."""
    with np.errstate(all="ignore"):
        value, slopes = _gradient(K, boxes.balls())
        centres = [BallArray(0.5 * a + 0.5 * b, np.zeros_like(a)) for a, b in (boxes.u, boxes.y)]
        radii = [np.maximum(b - centre.mid, centre.mid - a) * (1 + 2.0**-40)
                 for (a, b), centre in zip((boxes.u, boxes.y), centres, strict=True)]
        middle = JetWalker([[Jet(ball, second=False) for ball in centres]], 0, []).jet(K).value
        at, tilts = _bilinear(held, boxes, centres)
        by_slopes = middle.rad + sum(np.maximum(np.abs(slope.lower - high), np.abs(slope.upper - low)) * radius
                                     for slope, (low, high), radius in zip(slopes, tilts, radii, strict=True))
        by_value = value.rad + sum(np.maximum(np.abs(low), np.abs(high)) * radius
                                   for (low, high), radius in zip(tilts, radii, strict=True))
        bounds = np.array([np.fmin(sign * (middle.mid - at) + by_slopes, sign * (value.mid - at) + by_value) for sign in (1, -1)])
        bounds = bounds + 2.0**-40 * (np.abs(bounds) + np.abs(at)) + held.rounding
        certain = np.array([sign * (middle.mid - at) - middle.rad - held.rounding for sign in (1, -1)])
    return np.where(np.isnan(bounds), np.inf, bounds), np.nan_to_num(certain, nan=-np.inf, posinf=-np.inf)


def _bilinear(held: _Held, boxes: _Boxes, centres: list[BallArray]) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """Return the value of what is held at the middles, and its slopes in u and y between two numbers each."""
    k, j, rows = boxes.cell, boxes.piece, held.rows
    a, b, c, e = rows[k, j], rows[k + 1, j], rows[k, j + 1], rows[k + 1, j + 1]
    starts, lengths = (held.cuts[k], held.knots[j]), (np.diff(held.cuts)[k], np.diff(held.knots)[j])
    h, g = lengths
    q, s = ((centre.mid - start) / length for centre, start, length in zip(centres, starts, lengths, strict=True))
    ends_u, ends_y = ([(end - start) / length for end in side]
                      for side, start, length in zip((boxes.u, boxes.y), starts, lengths, strict=True))
    in_u = [((b - a) * (1 - end) + (e - c) * end) / h for end in ends_y]
    in_y = [((c - a) * (1 - end) + (e - b) * end) / g for end in ends_u]
    at = (a * (1 - q) + b * q) * (1 - s) + (c * (1 - q) + e * q) * s
    return at, [(np.minimum(*two) - held.rounding / length, np.maximum(*two) + held.rounding / length)
                for two, length in zip((in_u, in_y), lengths, strict=True)]
