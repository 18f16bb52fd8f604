"""Functionals of phi's channels over boxes of tokens, exact up to rounding: their extremes are at corners of cells.

On the hull of a cell's corners every channel c is within dev_c of an affine function, measured unit by unit: for an argument p
within dev_p of an affine one and in [l, u] on the hull, relu(p) is within dev_p + max(0, -l)/2 of an affine function, and within
max(0, u)/2 of a constant. On a cell that was cut at all kinks these are roundings. So on the whole hull

    a . c  <=  (the largest a . c at a corner)  +  2 sum |a_c| dev_c,

and what a hull leaves out of the box (``cells.py``) costs at most |a_c| times c's Lipschitz constant times the distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proofs_check.cells import Cells, cells
from proofs_check.enclosures.interval import Booleans, Floats, down, quiet, up
from proofs_check.enclosures.sums import ABOVE
from proofs_check.propagate import Balls
from proofs_check.stages import Stage
from proofs_check.substitution import LOST, TINY, UNIT

COORDINATES = 2
OVERFLOWING = 2.0**900  # of what rounding loses, which is more than 2^-51 of the sum of absolute values


@dataclass(frozen=True, eq=False)
class Vertices:
    """Channels on boxes of tokens: the two coordinates, then those after phi.

    Attributes:
        corners: (corners, channels) at corners of cells, exact numbers near the channels' values; one box follows another.
        start, count: (boxes,) where those of a box are.
        slack: (boxes, channels) how much of a channel's extremes over the box they may miss.
        size: (boxes, channels) at least the absolute values over the box.
        whole: (boxes,) whether the box was cut at all kinks, and all these numbers are finite.
    """

    corners: Floats
    start: np.ndarray
    count: np.ndarray
    slack: Floats
    size: Floats
    whole: Booleans

    @staticmethod
    @quiet
    def of(stages: Sequence[Stage], tokens: Sequence[int], lower: Floats, upper: Floats) -> Vertices:
        """Look at boxes [lower, upper], (boxes, 2)."""
        found, whole = cells(stages, tokens, lower, upper)
        points, index = _distinct(found)
        channels, dev, lipschitz = _followed(stages, tokens, points, index)
        boxes, cover = len(lower), found.cover(len(lower))
        dev_of, rad_of = np.zeros((boxes, dev.shape[1])), np.zeros((boxes, dev.shape[1]))
        np.maximum.at(dev_of, found.box, dev)
        np.maximum.at(rad_of, found.box, channels.rad[index].max(axis=1))
        slack = (2 * dev_of + rad_of + cover[:, None] * lipschitz) * ABOVE + TINY
        slack = np.concatenate([np.repeat(cover[:, None], COORDINATES, axis=1), slack], axis=1)
        start, count, order = _places(found.box, index, boxes)
        corners = np.concatenate([points, channels.mid], axis=1)[order]
        size = (np.maximum.reduceat(np.abs(corners), start, axis=0) + slack) * ABOVE
        return Vertices(corners, start, count, slack, size, whole & np.isfinite(size).all(axis=1))

    @staticmethod
    def joined(parts: Sequence[Vertices]) -> Vertices:
        """Put the boxes of several together."""
        before = np.cumsum([0, *(len(part.corners) for part in parts)])
        start = np.concatenate([part.start + first for part, first in zip(parts, before[:-1], strict=True)])
        corners, count, slack, size, whole = (np.concatenate([getattr(part, name) for part in parts])
                                              for name in ("corners", "count", "slack", "size", "whole"))
        return Vertices(corners, start, count, slack, size, whole)

    def at(self, boxes: np.ndarray) -> Hulls:
        """Return some of the boxes."""
        steps, count = np.arange(int(self.count[boxes].max(initial=1))), self.count[boxes][:, None]
        values = self.corners[self.start[boxes][:, None] + np.where(steps < count, steps, 0)]
        return Hulls(values, self.slack[boxes], self.size[boxes])


@dataclass(frozen=True, eq=False)
class Hulls:
    """Channels on boxes of tokens: ``values`` (boxes, places, channels) at corners, the rest as for :class:`Vertices`."""

    values: Floats
    slack: Floats
    size: Floats

    def ends(self, functionals: Floats) -> tuple[Floats, Floats]:
        """Return the least and the largest values over the boxes of functionals, (boxes, number, channels), each (boxes, number).

        The coefficients may be off by four roundings of their own sizes; where they are sums, what these lose is the caller's.
        The result is NaN or infinite where numbers overflow.
        """
        reached, lost = self._reached(functionals)
        return down(reached.min(axis=1) - lost), up(reached.max(axis=1) + lost)

    def least(self, functionals: Floats) -> Floats:
        """Return the least values alone."""
        reached, lost = self._reached(functionals)
        return down(reached.min(axis=1) - lost)

    def _reached(self, functionals: Floats) -> tuple[Floats, Floats]:
        reached = self.values @ np.swapaxes(functionals, 1, 2)
        rounding = (self.values.shape[2] + 8) * UNIT * 1.01
        lost = np.abs(functionals) @ (self.slack + rounding * self.size + LOST)[:, :, None]
        lost = (lost[:, :, 0] + LOST * (self.size.sum(axis=1) + 1.0)[:, None]) * ABOVE + TINY
        return reached, np.where(lost < OVERFLOWING, lost, np.inf)  # below it no part of a sum was infinite


def _distinct(found: Cells) -> tuple[Floats, np.ndarray]:
    """Return the different corners of all boxes, (corners, 2), and which of them the cells have, (cells, places)."""
    places = np.arange(found.corners.shape[1])
    listed = np.where((places < found.number[:, None])[:, :, None], found.corners, found.corners[:, :1])
    rows = np.concatenate([np.broadcast_to(found.box[:, None, None], (*listed.shape[:2], 1)), listed], axis=2).reshape(-1, 3)
    _, first, index = np.unique(np.ascontiguousarray(rows).view(np.dtype((np.void, 24))).ravel(), return_index=True,
                                return_inverse=True)
    return rows[first, 1:], index.reshape(listed.shape[:2])


def _followed(stages: Sequence[Stage], tokens: Sequence[int], corners: Floats,
              index: np.ndarray) -> tuple[Balls, Floats, Floats]:
    """Return the channels at the corners, how far they are from affine on each cell's hull, and their Lipschitz constants."""
    channels = Balls.exact(corners[:, list(tokens)])
    dev, lipschitz = np.zeros((len(index), len(tokens))), np.ones(len(tokens))
    for stage in stages:
        before = stage.arguments(channels)
        dev_before = (dev @ np.abs(stage.W_1)) * ABOVE + TINY
        low = down(down(before.mid - before.rad)[index].min(axis=1) - 2 * dev_before)
        high = up(up(before.mid + before.rad)[index].max(axis=1) + 2 * dev_before)
        on, off = up(dev_before + np.maximum(-low, 0.0) / 2), np.maximum(high, 0.0) / 2
        dev_units = np.where(stage.straight, dev_before, np.minimum(on, off))
        after, steep = dev_units @ np.abs(stage.W_2), ((lipschitz @ np.abs(stage.W_1)) * ABOVE + TINY) @ np.abs(stage.W_2)
        here, there = stage.carried
        after[:, there] += dev[:, here]
        steep[there] += lipschitz[here]
        channels, dev, lipschitz = stage.after(channels, before), after * ABOVE + TINY, steep * ABOVE + TINY
    return channels, dev, lipschitz


def _places(box: np.ndarray, index: np.ndarray, boxes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the corners of each box start in a list of them, how many there are, and the list."""
    most = int(index.max(initial=0)) + 1
    of_box, corner = np.divmod(np.unique(np.repeat(box, index.shape[1]) * most + index.ravel()), most)
    count = np.bincount(of_box, minlength=boxes)
    return np.cumsum(count) - count, count, corner
