"""Linear bounds of a stored ReLU Sumformer over boxes of sequences, by substitution from the output back to the tokens.

For X in the box, |X - m| <= r coordinate by coordinate,

    value + slopes . (X - m)  <=  T(X)     and the same from above.

by putting lines in the place of units (``substitution.py``). A unit's range [l, u] comes from slopes (``propagate.py``) and,
where a kink is in it, from such a substitution of its own, whichever end is the tighter.

No range is monotone in the ranges it was made of: a narrower one may choose another lower line, and bound the output less well.
So that a bound is never wider than that of CROWN with its chords below as well as above (Zhang et al. 2018), these are followed
through the network on their own, every range from chords alone, and the tighter bound of the output counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from constructions.network.relu import MeanSumformer
from proofs_check.enclosures.arrays import as_array, beside, full, is_numpy, zeros
from proofs_check.enclosures.interval import Booleans, Floats, Interval, down, quiet, up
from proofs_check.enclosures.sums import ABOVE
from proofs_check.propagate import Balls, Linearised, Parts, linearise_parts
from proofs_check.stages import Stage, Stages
from proofs_check.substitution import CHORD, LOST, TINY, UNIT, Lines, LowerLine, Rows, sum_of, with_lower

TOGETHER = 512  # boxes that are worked on at once: their rows stay in the cache
DEEP = 6  # bending layers from which a box less is worth more than the time that a substitution takes (measured)
LOWER_LINES: tuple[LowerLine, ...] = (None, 0.0, 1.0)  # tried for the output: the nearer slope, or the same one for all units
ARGUMENT_LINES: tuple[LowerLine, ...] = (0.0, 1.0)  # tried for the arguments of units


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
        below, above = (sum_of(np.abs(slopes) * radii[:, :, None], axis=1) for slopes in (self.lower_slopes, self.upper_slopes))
        return Interval.of(down(self.lower - below), up(self.upper + above))


def applies(network: MeanSumformer) -> bool:
    """Whether linear bounds pay: many layers of units that bend one by one, no chains of folds, which belong together."""
    stages = Stages.of(network)
    if stages is None or Parts.of(network).folds:
        return False
    return sum(not stage.straight.all() for stage in (*stages.phi, *stages.psi)) >= DEEP


@quiet
def relaxed(network: MeanSumformer, own: int, centres: Floats, radii: Floats, *,
            lines: Sequence[LowerLine] = ARGUMENT_LINES) -> tuple[Linearised, Bounds]:
    """Bound the network's output at the own token on each box of sequences; the slopes, which this begins with, are returned too.

    Args:
        network: weights, taken as exact real numbers.
        own: index of the own token.
        centres, radii: (boxes, n, d), the box is |X - centre| <= radius coordinate by coordinate.
        lines: slopes of lower lines that are tried, beside chords, for the arguments of units; with none, slopes alone bound
            those, and CROWN's bounds are not looked at.

    Raises:
        ValueError: a box is not made of finite numbers, or a radius is negative; or the network is none this is for.
    """
    if not (np.isfinite(centres).all() and np.isfinite(radii).all() and (radii >= 0).all()):
        raise ValueError("boxes need finite centres and finite radii >= 0")
    stages = Stages.of(network)
    if stages is None:
        raise ValueError("a channel is listed twice, or a layer has too many units for the rounding analysis")
    together = TOGETHER if is_numpy(centres) else max(1, len(centres))  # a GPU has no such cache
    parts = [_relaxed(network, stages, own, centres[k: k + together], radii[k: k + together], lines)
             for k in range(0, max(1, len(centres)), together)]
    slopes, bounds = zip(*parts, strict=True)
    return (Linearised(Balls.joined([one.centre for one in slopes]), Balls.joined([one.slopes for one in slopes])),
            Bounds(*(np.concatenate([getattr(one, name) for one in bounds])
                     for name in ("lower", "lower_slopes", "upper", "upper_slopes"))))


def _relaxed(network: MeanSumformer, stages: Stages, own: int, centres: Floats, radii: Floats,
             lines: Sequence[LowerLine]) -> tuple[Linearised, Bounds]:
    slopes, seen = linearise_parts(network, Parts.unit_by_unit(network), own, centres, radii)
    box = Box(stages, own, centres, radii, lines)
    chords = Box(stages, own, centres, radii, (CHORD,), alone=True) if lines else None
    for k, arguments in enumerate(seen.phi):
        box.enter_phi(k, arguments, chords.enter_phi(k, arguments) if chords else None)
    for one in (box, chords) if chords else (box,):
        one.pool()
    for k, arguments in enumerate(seen.psi):
        box.enter_psi(k, arguments, chords.enter_psi(k, arguments) if chords else None)
    return slopes, _best(network.b_out, [*((box, line) for line in LOWER_LINES), *([(chords, CHORD)] if chords else [])])


Ends = tuple[Floats, Floats]
EndsOf = Callable[[Rows, LowerLine], Ends]


class Box:
    """Boxes of sequences on the way through a network: the lines of the stages so far.

    Args:
        lines: slopes of lower lines that are tried for the arguments of units.
        alone: whether nothing else bounds those, once a unit may have bent.
    """

    def __init__(self, stages: Stages, own: int, centres: Floats, radii: Floats, lines: Sequence[LowerLine], *,
                 alone: bool = False) -> None:
        self.boxes, self.n, self.d = centres.shape
        self.stages, self.own, self.lines, self.alone = stages, own, lines, alone
        self.centre, self.radii = (part.reshape(self.boxes, -1) for part in (centres, radii))
        self.token_centre, self.token_radii = (part.reshape(-1, self.d) for part in (centres, radii))
        self.phi: list[Lines] = []
        self.psi: list[Lines] = []
        self.sizes = (np.abs(self.token_centre) + self.token_radii)[:, list(stages.tokens)] * ABOVE
        self.bent: Booleans = zeros((self.boxes * self.n,), centres, bool)

    def enter_phi(self, k: int, arguments: Balls, known: Ends | None = None) -> Ends:
        """Choose the lines of a stage of phi, given arguments by slopes and other ends of them; return the ends."""
        return self._entered(self.stages.phi[k], arguments, known, self.phi, self._of_token)

    def enter_psi(self, k: int, arguments: Balls, known: Ends | None = None) -> Ends:
        """Choose the lines of a stage of psi."""
        return self._entered(self.stages.psi[k], arguments, known, self.psi, self._of_sequence)

    def pool(self) -> None:
        """Go from the channels of phi to those of psi."""
        sizes = self.sizes.reshape(self.boxes, self.n, -1)
        self.sizes = zeros((self.boxes, self.stages.after_pooling), sizes)
        (own, own_source), (mean, mean_source) = self.stages.own, self.stages.means
        self.sizes[:, own] = sizes[:, self.own, own_source]
        self.sizes[:, mean] = sizes[:, :, mean_source].max(axis=1)
        self.pooled = self.sizes
        self.bent = as_array(self.bent.reshape(self.boxes, self.n).any(axis=1))

    def _entered(self, stage: Stage, arguments: Balls, known: Ends | None, lines: list[Lines], ends: EndsOf) -> Ends:
        low, high = down(arguments.mid - arguments.rad), up(arguments.mid + arguments.rad)
        unknown = np.isnan(low) | np.isnan(high)
        low, high = np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)
        if known is not None:
            low, high = np.maximum(low, known[0]), np.minimum(high, known[1])
        box, unit = self._asked(stage, low, high) if self.lines else (np.zeros(0, dtype=int), np.zeros(0, dtype=int))
        if box.size:
            weights, bias, nothing = stage.W_1.T[unit], stage.bias[unit], np.zeros(len(box))
            if self.alone:
                low[box, unit], high[box, unit] = ends(Rows(weights, bias, nothing, box, nothing), CHORD)
            else:
                rows = Rows(np.concatenate([weights, -weights]), np.concatenate([bias, -bias]), np.tile(nothing, 2),
                            np.tile(box, 2))
                least, most = np.split(np.max([ends(rows, line)[0] for line in self.lines], axis=0), 2)
                low[box, unit], high[box, unit] = np.maximum(low[box, unit], least), np.minimum(high[box, unit], -most)
        if (low > high).any():
            raise ArithmeticError("two enclosures of one value are disjoint: one of them is wrong")
        lines.append(Lines.of(stage, low, high, self.sizes))
        self.bent |= ((low < 0) & (high > 0) & ~stage.straight).any(axis=1)
        self.sizes = lines[-1].after(stage)
        return low, high

    def _asked(self, stage: Stage, low: Floats, high: Floats) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes and units whose arguments are bounded by substitution."""
        box, unit = np.nonzero((self.alone | (low < 0) & (high > 0)) & ~stage.straight & self.bent[:, None])
        return box, unit

    def _of_token(self, rows: Rows, line: LowerLine) -> Ends:
        """Return the least values of functionals of channels of phi, after the stages so far, and the largest if asked for."""
        rows = self._tokens(rows.back(self.stages.phi[: len(self.phi)], with_lower(self.phi, line)))
        return rows.ends(self.token_centre, self.token_radii)

    def _of_sequence(self, rows: Rows, line: LowerLine) -> Ends:
        """Return the same of functionals of channels of psi."""
        return self._sequence(rows, with_lower(self.phi, line), with_lower(self.psi, line)).ends(self.centre, self.radii)

    def _tokens(self, rows: Rows) -> Rows:
        a = zeros((len(rows.a), self.d), rows.a)
        a[:, list(self.stages.tokens)] = rows.a
        return replace(rows, a=a)

    def _sequence(self, rows: Rows, phi: Sequence[Lines], psi: Sequence[Lines]) -> Rows:
        """Put functionals of channels of psi in terms of all tokens' coordinates."""
        rows = rows.back(self.stages.psi[: len(psi)], psi)
        count, (own, own_source), (mean, mean_source) = len(rows.a), self.stages.own, self.stages.means
        a = zeros((count, self.n, self.stages.after_phi), rows.a)
        a[:, :, mean_source] = rows.a[:, None, mean] / self.n
        a[:, self.own, own_source] += rows.a[:, own]
        tokens = (rows.box[:, None] * self.n + np.arange(self.n)).reshape(-1)
        nothing = zeros((count * self.n,), rows.a)
        spread = None if rows.spread is None else nothing
        each = self._tokens(Rows(a.reshape(count * self.n, -1), nothing, nothing, tokens, spread).back(self.stages.phi, phi))
        c, lost = each.c.reshape(count, self.n), each.lost.reshape(count, self.n)
        pooled = 8 * UNIT * np.einsum("rc,rc->r", np.abs(rows.a), self.pooled[rows.box])
        adding = (self.n + 4) * UNIT * (np.abs(rows.c) + sum_of(np.abs(c), axis=1))
        floor = LOST * self.n * (self.pooled.sum(axis=1) + 1.0)[rows.box]
        lost = (rows.lost + sum_of(lost, axis=1) + pooled + adding + floor) * ABOVE + TINY
        if rows.spread is not None and each.spread is not None:
            spread = rows.spread + sum_of(each.spread.reshape(count, self.n), axis=1)
        return Rows(each.a.reshape(count, -1), rows.c + c.sum(axis=1), lost, rows.box, spread)

    def output(self, asked: Rows, line: LowerLine) -> Rows:
        """Put functionals of the channels that are read out in terms of all tokens' coordinates."""
        return self._sequence(asked, with_lower(self.phi, line), with_lower(self.psi, line))


def _best(b_out: Floats, ways: Sequence[tuple[Box, LowerLine]]) -> Bounds:
    """Return linear bounds of the output, for each box and output the best of several."""
    box, _ = ways[0]
    both = np.concatenate([box.stages.readout.T, -box.stages.readout.T])
    which = beside(np.repeat(np.arange(box.boxes), len(both)), box.centre)
    bias = beside(np.tile(np.concatenate([b_out, -b_out]), box.boxes), box.centre)
    asked = Rows(beside(np.tile(both, (box.boxes, 1)), box.centre), bias, zeros((len(which),), box.centre), which)
    value, best = full((len(which),), -np.inf, box.centre), full((len(which),), -np.inf, box.centre)
    slopes = zeros((len(which), box.n * box.d), box.centre)
    for one, line in ways:
        rows = one.output(asked, line)
        reached, (least, _) = rows.at(box.centre, box.radii), rows.ends(box.centre, box.radii)
        better = least > best
        value, best = np.where(better, reached, value), np.where(better, least, best)
        slopes = np.where(better[:, None], rows.a, slopes)
    (lower, upper), (lower_slopes, upper_slopes) = (
        np.swapaxes(part.reshape(box.boxes, 2, len(b_out), *part.shape[1:]), 0, 1) for part in (value, slopes))
    return Bounds(lower, np.swapaxes(lower_slopes, 1, 2), -upper, -np.swapaxes(upper_slopes, 1, 2))
