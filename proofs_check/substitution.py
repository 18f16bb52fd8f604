"""Functionals of channels, put back through the layers of a stored ReLU network: its units between two lines each.

A unit whose argument p lies in [l, u] obeys  lam p <= relu(p) <= mu + kap p  for *every* lam, kap in [0, 1] and
mu >= max(-kap l, (1 - kap) u); kap = u/(u - l) is the chord, lam the nearer of 0 and 1, or the chord's slope (Zhang et al. 2018,
CROWN). A functional of the channels after a layer, a lower bound of what is asked for, is put in terms of the channels before
it: positive coefficients take the lower line, negative ones the upper.

Rounding: a computed coefficient that is off by e changes the functional by at most e times the largest value of what it
multiplies. So coefficients are taken as the exact numbers they are, and all that was rounded is made up for by a constant,
gamma_k sum |a| Q with Q the sum of absolute values in a unit's argument (Higham 2002, section 3.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from proofs_check.enclosures.interval import Floats, down, up
from proofs_check.enclosures.sums import ABOVE
from proofs_check.stages import Stage

UNIT = 2.0**-53
TINY = 2.0**-1000
LOST = 2.0**-1060  # what 2^11 products lose below the normal numbers, for each unit of what they multiply
CHORD = "chord"
LowerLine = float | str | None  # a slope for all units, that of their chords, or the nearer of 0 and 1 for each


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of a stage's units on boxes, and what rounding is measured by.

    Attributes:
        lam, kap, mu: (boxes, units) lam p <= relu(p) <= mu + kap p.
        size: (boxes, units) at least mu and the sum of absolute values in p.
        before, added: (boxes, channels) at least the absolute values of the channels before, and of what is added to those after.
        floor: (boxes,) at least what products lose below the normal numbers.
    """

    lam: Floats
    kap: Floats
    mu: Floats
    size: Floats
    before: Floats
    added: Floats
    floor: Floats

    @staticmethod
    def of(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
        """Choose them for arguments in [low, high] and channels up to ``before`` in size."""
        bent = (low < 0) & (high > 0) & ~stage.straight
        on = np.where(stage.straight | (low >= 0), 1.0, 0.0)
        kap = np.where(bent, np.clip(high / (high - low), 0.0, 1.0), on)
        lam = np.where(bent, np.where(high > -low, 1.0, 0.0), on)
        mu = np.where(bent, np.maximum(-kap * low, (1.0 - kap) * high) * ABOVE + TINY, 0.0)
        size = (before @ np.abs(stage.W_1) + np.abs(stage.bias)) * ABOVE + TINY + mu
        largest = np.where(stage.straight, np.maximum(np.abs(low), np.abs(high)), np.maximum(high, 0.0))
        added = (largest @ np.abs(stage.W_2)) * ABOVE + TINY
        return Lines(lam, kap, mu, size, before, added, LOST * (size.sum(axis=1) + before.sum(axis=1) + 1.0))

    def after(self, stage: Stage) -> Floats:
        """Bound the sizes of the channels after the stage."""
        sizes = self.added.copy()
        sizes[:, stage.carried[1]] += self.before[:, stage.carried[0]]
        return sizes * ABOVE


@dataclass(frozen=True, eq=False)
class Rows:
    """Functionals of channels, a . h + c, each about one box; what is asked for is at least that less ``lost``.

    Attributes:
        a: (rows, channels), exact numbers.
        c, lost: (rows,).
        box: (rows,) which box.
        spread: (rows,) with units between chords and their parallels, what is asked for is at most a . h + c + spread + lost;
            None where that is not wanted.
    """

    a: Floats
    c: Floats
    lost: Floats
    box: np.ndarray
    spread: Floats | None = None

    def through(self, stage: Stage, lines: Lines) -> Rows:
        """Put the functionals in terms of the channels before the stage."""
        terms = sum(stage.W_1.shape) + sum(stage.W_2.shape)
        gamma = (terms + 16) * UNIT * 1.01
        box = self.box
        units = self.a[:, stage.copies] if stage.copies is not None else self.a @ stage.W_2.T
        size = np.abs(units)
        lost = gamma * np.einsum("ru,ru->r", size, lines.size[box])
        if stage.copies is None:
            lost += gamma * np.einsum("rc,rc->r", np.abs(self.a), lines.added[box])
        spread = None if self.spread is None else self.spread + np.einsum("ru,ru->r", size, lines.mu[box]) * ABOVE
        sloped = (lines.kap[box] if spread is not None else np.where(units > 0, lines.lam[box], lines.kap[box])) * units
        # the upper lines' constants, for the negative coefficients alone: units - |units| is exactly twice those
        shift = 0.5 * np.einsum("ru,ru->r", units - size, lines.mu[box])
        bias = sloped @ stage.bias
        a, (here, there) = sloped @ stage.W_1.T, stage.carried
        if here:
            a[:, here] += self.a[:, there]
            lost += 4 * UNIT * np.einsum("rc,rc->r", np.abs(self.a[:, there]), lines.before[:, here][box])
        lost += 4 * UNIT * (np.abs(self.c) + np.abs(shift) + np.abs(bias)) + lines.floor[box]
        return Rows(a, self.c + shift + bias, (self.lost + lost) * ABOVE + TINY, box, spread)

    def back(self, stages: Sequence[Stage], lines: Sequence[Lines]) -> Rows:
        """Put the functionals in terms of the channels before the first of several stages."""
        rows = self
        for stage, line in zip(reversed(stages), reversed(lines), strict=True):
            rows = rows.through(stage, line)
        return rows

    def at(self, centre: Floats, radii: Floats) -> Floats:
        """Return what the functionals of token coordinates certainly reach at the boxes' centres, -inf where nothing is known."""
        value, lost = self._there(centre, radii)
        return np.where(np.isfinite(lost), down(down(value + self.c) - lost), -np.inf)

    def _there(self, centre: Floats, radii: Floats) -> tuple[Floats, Floats]:
        """Return a . centre, and how much rounding may have lost, not finite where nothing is known."""
        size = np.abs(self.a)
        value = np.einsum("rv,rv->r", self.a, centre[self.box])
        terms = sum_of(size * (np.abs(centre) + radii)[self.box], axis=1)
        lost = (self.lost + (self.a.shape[1] + 8) * UNIT * (terms + np.abs(self.c))) * ABOVE + TINY
        return value, np.where(np.isfinite(value + self.c) & np.isfinite(size).all(axis=1), lost, np.inf)

    def ends(self, centre: Floats, radii: Floats) -> tuple[Floats, Floats]:
        """Return the least and, with ``spread``, the largest values of what is asked for on the boxes."""
        value, lost = self._there(centre, radii)
        lost = lost + sum_of(np.abs(self.a) * radii[self.box], axis=1)
        low, high = down(down(value + self.c) - lost), np.full(len(value), np.inf)
        if self.spread is not None:
            high = up(up(up(value + self.c) + self.spread) + lost)
        return np.where(np.isfinite(low), low, -np.inf), np.where(np.isfinite(high), high, np.inf)


def with_lower(lines: Sequence[Lines], line: LowerLine) -> list[Lines]:
    """Return the lines with other lower ones, for units that may bend."""
    if line is None:
        return list(lines)
    return [replace(one, lam=np.where(one.mu > 0, one.kap if line == CHORD else line, one.lam)) for one in lines]


def sum_of(terms: Floats, axis: int) -> Floats:
    """Return upper bounds of sums of terms >= 0, each of which was rounded once."""
    return terms.sum(axis=axis) * ABOVE + TINY
