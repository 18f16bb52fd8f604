"""Linear bounds of a stored ReLU Sumformer over boxes of sequences, by substitution from the output back to the tokens.

For X in the box, |X - m| <= r coordinate by coordinate,

    value + slopes . (X - m)  <=  T(X)     and the same from above.

A unit whose argument p lies in [l, u] obeys  lam p <= relu(p) <= mu + kap p  for *every* lam, kap in [0, 1] and
mu >= max(-kap l, (1 - kap) u); kap = u/(u - l) is the chord, lam the nearer of 0 and 1 (Zhang et al. 2018, CROWN). A functional
of the channels after a layer, a lower bound of what is asked for, is put in terms of the channels before it: positive
coefficients take the lower line, negative ones the upper. [l, u] comes from slopes (``propagate.py``) and, where a kink is in it,
from such a substitution of its own, whichever end is the tighter.

Rounding: a computed coefficient that is off by e changes the functional by at most e times the largest value of what it
multiplies. So coefficients are taken as the exact numbers they are, and all that was rounded is made up for by a constant,
gamma_k sum |a| Q with Q the sum of absolute values in a unit's argument (Higham 2002, section 3.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from constructions.network.relu import MeanSumformer
from proofs_check.enclosures.interval import Booleans, Floats, Interval, down, quiet, up
from proofs_check.propagate import Balls, Linearised, Parts, linearise_parts
from proofs_check.stages import Stage, Stages

_UNIT = 2.0**-53
_ABOVE = 1.0 + 2.0**-40  # sums of up to 2^11 terms >= 0, each rounded a few times
_TINY = 2.0**-1000
_LOST = 2.0**-1060  # what 2^11 products lose below the normal numbers, for each unit of what they multiply
TOGETHER = 256  # boxes that are worked on at once: their rows stay in the cache
DEEP = 6  # bending layers from which a box less is worth more than the time that a substitution takes (measured)
LOWER_LINES = (None, 0.0, 1.0)  # tried for the output: the nearer slope, or the same one for all units


@dataclass(frozen=True, eq=False)
class Bounds:
    """Linear bounds of T on boxes: values at the centre, (boxes, d_out), and slopes, (boxes, n * d, d_out), exact numbers.

    The values are infinite where nothing is known; the slopes are 0 there.
    """

    lower: Floats
    lower_slopes: Floats
    upper: Floats
    upper_slopes: Floats

    @quiet
    def enclosure(self, radii: Floats) -> Interval:
        """Return the range of T on the boxes, (boxes, d_out), for radii (boxes, n * d)."""
        below, above = (_sum_of(np.abs(slopes) * radii[:, :, None], axis=1) for slopes in (self.lower_slopes, self.upper_slopes))
        return Interval.of(down(self.lower - below), up(self.upper + above))


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
        mu = np.where(bent, np.maximum(-kap * low, (1.0 - kap) * high) * _ABOVE + _TINY, 0.0)
        size = (before @ np.abs(stage.W_1) + np.abs(stage.bias)) * _ABOVE + _TINY + mu
        largest = np.where(stage.straight, np.maximum(np.abs(low), np.abs(high)), np.maximum(high, 0.0))
        added = (largest @ np.abs(stage.W_2)) * _ABOVE + _TINY
        return Lines(lam, kap, mu, size, before, added, _LOST * (size.sum(axis=1) + before.sum(axis=1) + 1.0))

    def after(self, stage: Stage) -> Floats:
        """Bound the sizes of the channels after the stage."""
        sizes = self.added.copy()
        sizes[:, stage.carried[1]] += self.before[:, stage.carried[0]]
        return sizes * _ABOVE


@dataclass(frozen=True, eq=False)
class Rows:
    """Functionals of channels, a . h + c, each about one box; what is asked for is at least that less ``lost``.

    Attributes:
        a: (rows, channels), exact numbers.
        c, lost: (rows,).
        box: (rows,) which box.
    """

    a: Floats
    c: Floats
    lost: Floats
    box: np.ndarray

    def through(self, stage: Stage, lines: Lines) -> Rows:
        """Put the functionals in terms of the channels before the stage."""
        terms = sum(stage.W_1.shape) + sum(stage.W_2.shape)
        gamma = (terms + 16) * _UNIT * 1.01
        box = self.box
        units = self.a[:, stage.copies] if stage.copies is not None else self.a @ stage.W_2.T
        size = np.abs(units)
        lost = gamma * np.einsum("ru,ru->r", size, lines.size[box])
        if stage.copies is None:
            lost += gamma * np.einsum("rc,rc->r", np.abs(self.a), lines.added[box])
        sloped = np.where(units > 0, lines.lam[box], lines.kap[box]) * units
        # the upper lines' constants, for the negative coefficients alone: units - |units| is exactly twice those
        shift = 0.5 * np.einsum("ru,ru->r", units - size, lines.mu[box])
        bias = sloped @ stage.bias
        a, (here, there) = sloped @ stage.W_1.T, stage.carried
        if here:
            a[:, here] += self.a[:, there]
            lost += 4 * _UNIT * np.einsum("rc,rc->r", np.abs(self.a[:, there]), lines.before[:, here][box])
        lost += 4 * _UNIT * (np.abs(self.c) + np.abs(shift) + np.abs(bias)) + lines.floor[box]
        return Rows(a, self.c + shift + bias, (self.lost + lost) * _ABOVE + _TINY, box)

    def back(self, stages: Sequence[Stage], lines: Sequence[Lines]) -> Rows:
        """Put the functionals in terms of the channels before the first of several stages."""
        rows = self
        for stage, line in zip(reversed(stages), reversed(lines), strict=True):
            rows = rows.through(stage, line)
        return rows

    def at(self, centre: Floats, radii: Floats) -> Floats:
        """Return what the functionals of token coordinates certainly reach at the boxes' centres, -inf where nothing is known."""
        size = np.abs(self.a)
        value = np.einsum("rv,rv->r", self.a, centre[self.box])
        terms = _sum_of(size * (np.abs(centre) + radii)[self.box], axis=1)
        lost = (self.lost + (self.a.shape[1] + 8) * _UNIT * (terms + np.abs(self.c))) * _ABOVE + _TINY
        reached = down(down(value + self.c) - lost)
        return np.where(np.isfinite(reached) & np.isfinite(size).all(axis=1), reached, -np.inf)


def applies(network: MeanSumformer) -> bool:
    """Whether linear bounds pay: many layers of units that bend one by one, no chains of folds, which belong together."""
    stages = Stages.of(network)
    if stages is None or Parts.of(network).folds:
        return False
    return sum(not stage.straight.all() for stage in (*stages.phi, *stages.psi)) >= DEEP


@quiet
def relaxed(network: MeanSumformer, own: int, centres: Floats, radii: Floats, *,
            lines: Sequence[float | None] = LOWER_LINES) -> tuple[Linearised, Bounds]:
    """Bound the network's output at the own token on each box of sequences; the slopes, which this begins with, are returned too.

    Args:
        network: weights, taken as exact real numbers.
        own: index of the own token.
        centres, radii: (boxes, n, d), the box is |X - centre| <= radius coordinate by coordinate.
        lines: slopes of lower lines that are tried for the arguments of units; with none, slopes alone bound those.

    Raises:
        ValueError: a box is not made of finite numbers, or a radius is negative; or the network is none this is for.
    """
    if not (np.isfinite(centres).all() and np.isfinite(radii).all() and (radii >= 0).all()):
        raise ValueError("boxes need finite centres and finite radii >= 0")
    stages = Stages.of(network)
    if stages is None:
        raise ValueError("a channel is listed twice, or a layer has too many units for the rounding analysis")
    parts = [_relaxed(network, stages, own, centres[k: k + TOGETHER], radii[k: k + TOGETHER], lines)
             for k in range(0, max(1, len(centres)), TOGETHER)]
    slopes, bounds = zip(*parts, strict=True)
    return (Linearised(Balls.joined([one.centre for one in slopes]), Balls.joined([one.slopes for one in slopes])),
            Bounds(*(np.concatenate([getattr(one, name) for one in bounds])
                     for name in ("lower", "lower_slopes", "upper", "upper_slopes"))))


def _relaxed(network: MeanSumformer, stages: Stages, own: int, centres: Floats, radii: Floats,
             lines: Sequence[float | None]) -> tuple[Linearised, Bounds]:
    slopes, seen = linearise_parts(network, Parts.unit_by_unit(network), own, centres, radii)
    box = Box(stages, own, centres, radii, lines)
    for k, arguments in enumerate(seen.phi):
        box.enter_phi(k, arguments)
    for k, arguments in enumerate(seen.psi):
        box.enter_psi(k, arguments)
    return slopes, box.output(network.b_out)


Lowest = Callable[[Rows, float | None], Floats]


class Box:
    """Boxes of sequences on the way through a network: the lines of the stages so far."""

    def __init__(self, stages: Stages, own: int, centres: Floats, radii: Floats, lines: Sequence[float | None]) -> None:
        self.boxes, self.n, self.d = centres.shape
        self.stages, self.own, self.lines = stages, own, lines
        self.centre, self.radii = (part.reshape(self.boxes, -1) for part in (centres, radii))
        self.token_centre, self.token_radii = (part.reshape(-1, self.d) for part in (centres, radii))
        self.phi: list[Lines] = []
        self.psi: list[Lines] = []
        self.sizes = (np.abs(self.token_centre) + self.token_radii)[:, list(stages.tokens)] * _ABOVE
        self.bent: Booleans = np.zeros(self.boxes * self.n, dtype=bool)

    def enter_phi(self, k: int, arguments: Balls) -> None:
        """Choose the lines of a stage of phi."""
        stage = self.stages.phi[k]
        self.sizes = self._entered(stage, arguments, self.sizes, self.phi, self._of_token)

    def enter_psi(self, k: int, arguments: Balls) -> None:
        """Choose the lines of a stage of psi."""
        if k == 0:
            self._pool()
        self.sizes = self._entered(self.stages.psi[k], arguments, self.sizes, self.psi, self._of_sequence)

    def _pool(self) -> None:
        sizes = self.sizes.reshape(self.boxes, self.n, -1)
        self.sizes = np.zeros((self.boxes, self.stages.after_pooling))
        (own, own_source), (mean, mean_source) = self.stages.own, self.stages.means
        self.sizes[:, own] = sizes[:, self.own, own_source]
        self.sizes[:, mean] = sizes[:, :, mean_source].max(axis=1)
        self.pooled = self.sizes
        self.bent = np.asarray(self.bent.reshape(self.boxes, self.n).any(axis=1))

    def _entered(self, stage: Stage, arguments: Balls, sizes: Floats, lines: list[Lines], lowest: Lowest) -> Floats:
        low, high = down(arguments.mid - arguments.rad), up(arguments.mid + arguments.rad)
        unknown = np.isnan(low) | np.isnan(high)
        low, high = np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)
        box, unit = np.nonzero((low < 0) & (high > 0) & ~stage.straight & self.bent[:, None])
        if box.size and self.lines:
            weights, bias = stage.W_1.T[unit], stage.bias[unit]
            rows = Rows(np.concatenate([weights, -weights]), np.concatenate([bias, -bias]), np.zeros(2 * len(box)),
                        np.concatenate([box, box]))
            least, most = np.split(np.max([lowest(rows, line) for line in self.lines], axis=0), 2)
            low[box, unit], high[box, unit] = np.maximum(low[box, unit], least), np.minimum(high[box, unit], -most)
            if (low > high).any():
                raise ArithmeticError("two enclosures of one value are disjoint: one of them is wrong")
        lines.append(Lines.of(stage, low, high, sizes))
        self.bent |= ((low < 0) & (high > 0) & ~stage.straight).any(axis=1)
        return lines[-1].after(stage)

    def _of_token(self, rows: Rows, line: float | None) -> Floats:
        """Return the least values of functionals of channels of phi, after the stages so far."""
        rows = self._tokens(rows.back(self.stages.phi[: len(self.phi)], _with_lower(self.phi, line)))
        return _least(rows, self.token_centre, self.token_radii)

    def _of_sequence(self, rows: Rows, line: float | None) -> Floats:
        """Return the least values of functionals of channels of psi."""
        return _least(self._sequence(rows, _with_lower(self.phi, line), _with_lower(self.psi, line)), self.centre, self.radii)

    def _tokens(self, rows: Rows) -> Rows:
        a = np.zeros((len(rows.a), self.d))
        a[:, list(self.stages.tokens)] = rows.a
        return replace(rows, a=a)

    def _sequence(self, rows: Rows, phi: Sequence[Lines], psi: Sequence[Lines]) -> Rows:
        """Put functionals of channels of psi in terms of all tokens' coordinates."""
        rows = rows.back(self.stages.psi[: len(psi)], psi)
        count, (own, own_source), (mean, mean_source) = len(rows.a), self.stages.own, self.stages.means
        a = np.zeros((count, self.n, self.stages.after_phi))
        a[:, :, mean_source] = rows.a[:, None, mean] / self.n
        a[:, self.own, own_source] += rows.a[:, own]
        tokens = (rows.box[:, None] * self.n + np.arange(self.n)).reshape(-1)
        nothing = np.zeros(count * self.n)
        each = self._tokens(Rows(a.reshape(count * self.n, -1), nothing, nothing, tokens).back(self.stages.phi, phi))
        c, lost = each.c.reshape(count, self.n), each.lost.reshape(count, self.n)
        pooled = 8 * _UNIT * np.einsum("rc,rc->r", np.abs(rows.a), self.pooled[rows.box])
        adding = (self.n + 4) * _UNIT * (np.abs(rows.c) + _sum_of(np.abs(c), axis=1))
        floor = _LOST * self.n * (self.pooled.sum(axis=1) + 1.0)[rows.box]
        lost = (rows.lost + _sum_of(lost, axis=1) + pooled + adding + floor) * _ABOVE + _TINY
        return Rows(each.a.reshape(count, -1), rows.c + c.sum(axis=1), lost, rows.box)

    def output(self, b_out: Floats) -> Bounds:
        """Return linear bounds of the output, for each the best of several lower lines of the units."""
        if not self.psi:
            self._pool()
        both = np.concatenate([self.stages.readout.T, -self.stages.readout.T])
        box = np.repeat(np.arange(self.boxes), len(both))
        bias = np.tile(np.concatenate([b_out, -b_out]), self.boxes)
        asked = Rows(np.tile(both, (self.boxes, 1)), bias, np.zeros(len(box)), box)
        value, slopes, best = np.full(len(box), -np.inf), np.zeros((len(box), self.n * self.d)), np.full(len(box), -np.inf)
        for line in LOWER_LINES:
            rows = self._sequence(asked, _with_lower(self.phi, line), _with_lower(self.psi, line))
            reached = rows.at(self.centre, self.radii)
            least = down(reached - _sum_of(np.abs(rows.a) * self.radii[box], axis=1))
            better = least > best
            value, best = np.where(better, reached, value), np.where(better, least, best)
            slopes = np.where(better[:, None], rows.a, slopes)
        (lower, upper), (lower_slopes, upper_slopes) = (
            np.swapaxes(part.reshape(self.boxes, 2, len(b_out), *part.shape[1:]), 0, 1) for part in (value, slopes))
        return Bounds(lower, np.swapaxes(lower_slopes, 1, 2), -upper, -np.swapaxes(upper_slopes, 1, 2))


def _with_lower(lines: Sequence[Lines], slope: float | None) -> list[Lines]:
    return [line if slope is None else replace(line, lam=np.where(line.mu > 0, slope, line.lam)) for line in lines]


def _least(rows: Rows, centre: Floats, radii: Floats) -> Floats:
    least = down(rows.at(centre, radii) - _sum_of(np.abs(rows.a) * radii[rows.box], axis=1))
    return np.where(np.isnan(least), -np.inf, least)


def _sum_of(terms: Floats, axis: int) -> Floats:
    """Return upper bounds of sums of terms >= 0, each of which was rounded once."""
    return terms.sum(axis=axis) * _ABOVE + _TINY
