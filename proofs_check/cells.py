"""Boxes of tokens with two coordinates, cut into the cells on which phi is affine, for boxes that few of its kinks cross.

A cell is a cycle of corners. It is cut where a unit changes sign along it: at a point w of each of two of its edges, so that both
parts have the corners of one side and both points. *Every point of a token box is within* ``cover`` *of the hull of one of its
cells*, wherever it was cut. For let delta be more than what rounding moves w off its edge, and count for a point x how often the
cycle winds around it. With w on the edge the numbers of both parts add up to that of the cell, and moving w by delta changes none
of them unless x is within delta of an edge of a part. What is on an edge of a cell is within delta of one of a part's. So a point
that the box winds around is within delta times the number of cuts of an edge of a last cell, or one of those winds around it and
has it in its hull. Signs, places and the order of cuts are trusted for nothing; what a unit does on a hull is read off its
corners (``vertices.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from proofs_check.enclosures.interval import Booleans, Floats, quiet
from proofs_check.stages import Stage

MOST_CELLS = 32  # of a box: with more of them its halves are looked at first
_BENT = 2.0**-44  # of a unit's largest argument on a cell: where it bends by less, nothing is to be gained
_UNIT = 2.0**-53
_TINY = 2.0**-1000
_LARGEST = 2.0**500  # of coordinates: no difference overflows


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of boxes, cycles of ``number`` corners each; the places after these repeat one of them.

    Attributes:
        box: (cells,) which box.
        corners: (cells, places, 2).
        number: (cells,)
        cuts: (cells,) how many lead to the cell.
        tried: (cells, units) at which units of the present layer it was cut, or could not be.
    """

    box: np.ndarray
    corners: Floats
    number: np.ndarray
    cuts: np.ndarray
    tried: Booleans

    def take(self, index: np.ndarray) -> Cells:
        """Return some of them."""
        return Cells(self.box[index], self.corners[index], self.number[index], self.cuts[index], self.tried[index])

    @staticmethod
    def joined(parts: Sequence[Cells]) -> Cells:
        """Put several together."""
        places = max(part.corners.shape[1] for part in parts)
        corners = [np.concatenate([part.corners, np.repeat(part.corners[:, -1:], places - part.corners.shape[1], axis=1)], axis=1)
                   for part in parts]
        return Cells(np.concatenate([part.box for part in parts]), np.concatenate(corners),
                     *(np.concatenate([getattr(part, name) for part in parts]) for name in ("number", "cuts", "tried")))

    def cover(self, boxes: int) -> Floats:
        """Bound, (boxes,), how far a point of a box is from the hull of some cell, in each coordinate."""
        largest, cuts = np.zeros(boxes), np.zeros(boxes)
        np.maximum.at(largest, self.box, np.abs(self.corners).max(axis=(1, 2), initial=0.0))
        np.maximum.at(cuts, self.box, self.cuts)
        return np.where(cuts > 0, cuts * (8 * _UNIT * largest + _TINY), 0.0)


@quiet
def cells(stages: Sequence[Stage], tokens: Sequence[int], lower: Floats, upper: Floats) -> tuple[Cells, Booleans]:
    """Cut boxes layer by layer; returns the cells and which boxes, (boxes,), were cut at all kinks.

    Args:
        stages: layers of phi.
        tokens: the coordinate that each channel before the first layer is.
        lower, upper: (boxes, 2).
    """
    (left, below), (right, above) = lower.T, upper.T
    corners = np.stack([np.stack(side, axis=1) for side in ((left, right, right, left), (below, below, above, above))], axis=2)
    count = len(lower)
    found = Cells(np.arange(count), corners, np.full(count, 4), np.zeros(count, dtype=int), np.zeros((count, 0), dtype=bool))
    whole = np.abs(corners).max(axis=(1, 2), initial=0.0) <= _LARGEST
    for k, stage in enumerate(stages):
        found = replace(found, tried=np.zeros((len(found.box), len(stage.bias)), dtype=bool))
        if not stage.straight.all():
            found = _cut(found, stages[: k + 1], tokens, whole)
    return found, whole


def _cut(found: Cells, stages: Sequence[Stage], tokens: Sequence[int], whole: Booleans) -> Cells:
    """Cut cells until no unit of the last stage bends in one, or its box has too many, which is written down in ``whole``."""
    done, waiting = [found.take(np.zeros(0, dtype=int))], found
    number = np.bincount(found.box, minlength=len(whole))
    while waiting.box.size:
        values = _arguments(stages, tokens, waiting.corners)
        low, high = values.min(axis=1), values.max(axis=1)
        depth = np.where(waiting.tried | stages[-1].straight, 0.0, np.minimum(-low, high))
        bent = depth > _BENT * np.maximum(-low, high)
        np.logical_and.at(whole, waiting.box, number[waiting.box] + bent.sum(axis=1) <= MOST_CELLS)
        cut = bent.any(axis=1) & whole[waiting.box]
        done.append(waiting.take(np.flatnonzero(~cut)))
        rows = np.flatnonzero(cut)
        waiting, unit = waiting.take(rows), np.argmax(np.where(bent[rows], depth[rows], -1.0), axis=1)
        if rows.size:
            waiting.tried[np.arange(len(rows)), unit] = True
            number -= np.bincount(waiting.box, minlength=len(whole))
            waiting = _halves(waiting, values[rows, :, unit])
            number += np.bincount(waiting.box, minlength=len(whole))
    return Cells.joined(done)


def _arguments(stages: Sequence[Stage], tokens: Sequence[int], corners: Floats) -> Floats:
    """Return about what the units of the last stage take."""
    channels = corners[..., list(tokens)]
    for stage in stages[:-1]:
        before = channels @ stage.W_1 + stage.bias
        after = np.where(stage.straight, before, np.maximum(before, 0.0)) @ stage.W_2
        here, there = stage.carried
        after[..., there] += channels[..., here]
        channels = after
    return np.asarray(channels @ stages[-1].W_1 + stages[-1].bias)


def _halves(cells: Cells, values: Floats) -> Cells:
    """Cut each cell between corners with values >= 0 and < 0; it stays whole where these are no two arcs of the cycle."""
    rows, places = np.arange(len(cells.box))[:, None], np.arange(cells.corners.shape[1])
    number = cells.number[:, None]
    on = (values >= 0) & (places < number)
    starts = ~on & (places < number) & on[rows, (places + 1) % number]
    simple = starts.sum(axis=1) == 1
    order = (np.argmax(starts, axis=1)[:, None] + 1 + places) % number
    corners, values = cells.corners[rows, order], values[rows, order]
    positive = on.sum(axis=1, keepdims=True)
    here = rows[:, 0]
    last, first, end = positive[:, 0] - 1, np.minimum(positive[:, 0], cells.number - 1), cells.number - 1
    out = _between(corners[here, last], corners[here, first], values[here, last], values[here, first])
    back = _between(corners[here, 0], corners[here, end], values[here, 0], values[here, end])
    listed = np.concatenate([corners, out[:, None], back[:, None]], axis=1)
    places = np.arange(len(places) + 1)
    w_out, w_back = len(places) - 1, len(places)
    one = np.where(places < positive, places, np.where(places == positive, w_out, w_back))
    left = number - positive
    other = np.where(places < left, positive + places, np.where(places == left, w_back, w_out))
    parts = [Cells(cells.box, listed[rows, index], size[:, 0] + 2, cells.cuts + 1, cells.tried)
             for index, size in ((one, positive), (other, left))]
    kept = cells.take(np.flatnonzero(~simple))
    return Cells.joined([kept, *(part.take(np.flatnonzero(simple)) for part in parts)])


def _between(a: Floats, b: Floats, at_a: Floats, at_b: Floats) -> Floats:
    """Return points of the segments from a to b, about where a function with these values at the ends is 0."""
    share = np.nan_to_num(np.clip(at_a / (at_a - at_b), 0.0, 1.0), nan=0.5)[:, None]
    return np.clip(a + share * (b - a), np.minimum(a, b), np.maximum(a, b))
