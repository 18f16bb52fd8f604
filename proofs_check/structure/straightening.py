"""Units that see a function of one variable and a sum of features, as straight lines between cuts of the variable.

A unit sees z = alpha(t) + sum of c_f phi_f, alpha piecewise linear, the features phi_f between known bounds. On a cell of t,
where all alpha are linear, most units never bend, and two do,

    w relu(z_1) - w relu(z_2),   with  A = (z_1 + z_2 + W)/2 of the features,  B = (z_1 - z_2 + W)/2 linear in t,  A, B in [0, W]:

that is w (2 A B/W - A), up to w W/8 (mathematics: interpolated-kernel). Of any other unit that bends, for z in [a, b] say, the
line b (z - a/2)/(b - a) is off by at most -a b/2(b - a). So on every cell all units together are a sum of features with
coefficients that are linear in t, up to what is bounded here.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from proofs_check.enclosures.interval import Floats
from proofs_check.structure.hinge_sums import TINY, ULP, HingeSum, Values

NEARLY = 2.0**-30  # of what a unit sees: a unit that bends by less is taken as straight, and what that misses is counted
ABOVE = 1 + 2.0**-40
Places = NDArray[np.intp]


@dataclass(eq=False)
class Seen:
    """What a unit of this weight sees, or what is held without one: a function of t, and coefficients of features by name.

    Attributes:
        unit: which one it is; the same unit may add to several sums.
    """

    weight: Fraction = Fraction(1)
    unit: Hashable = field(default_factory=object)
    of_t: HingeSum = field(default_factory=HingeSum)
    features: dict[str, Fraction] = field(default_factory=dict)

    def add_feature(self, name: str, c: Fraction) -> None:
        """Add a multiple of a feature."""
        self.features[name] = self.features.get(name, Fraction(0)) + c


@dataclass(frozen=True, eq=False)
class Features:
    """Functions that lie between their values at the corners of pieces, on each piece.

    Attributes:
        row: of each feature.
        at: (features, corners) values.
        bent: (features, pieces) multiples of one function between -1 and 1 on each piece, by which features differ from what is
            linear between the corners.
        off: (features, pieces) how far they may differ from that.
        pieces: (pieces, corners of one) which corners belong to a piece.
    """

    row: Mapping[str, int]
    at: Floats
    bent: Floats
    off: Floats
    pieces: Places

    def coefficients(self, seen: Sequence[Seen]) -> Floats:
        """Return (units, features), each rounded once."""
        C = np.zeros((len(seen), len(self.row)))
        for i, one in enumerate(seen):
            for name, c in one.features.items():
                C[i, self.row[name]] = float(c)
        return C

    def range(self, C: Floats) -> tuple[Floats, Floats]:
        """Bound sums of features from below and above, without rounding."""
        values, spread = (C @ self.at)[:, self.pieces], self.spread(C)
        return (values.min(axis=2) - spread).min(axis=1), (values.max(axis=2) + spread).max(axis=1)

    def spread(self, C: Floats) -> Floats:
        """Bound how far sums of features may be from what is linear between corners, on each piece."""
        size = np.abs(C)
        result: Floats = np.abs(C @ self.bent) + size @ self.off + (len(self.row) + 8) * ULP * (size @ np.abs(self.bent))
        return result

    def size(self, C: Floats) -> Floats:
        """Bound sums of absolute values."""
        result: Floats = (np.abs(C) @ np.abs(self.at)).max(axis=1, initial=0.0)
        return result


@dataclass(frozen=True, eq=False)
class Straight:
    """constant + sum of coefficients times features on each cell, linear in t between both ends.

    Attributes:
        left, right: (cells, corners) values at the ends of the cells.
        off: (cells,) how far what is held may be from that, the two units that bend left out.
        weight, bound: (cells,) what these add: so many times one function, the same for the same ``units``, and a bound of it.
    """

    left: Floats
    right: Floats
    off: Floats
    weight: Floats
    bound: Floats
    units: Sequence[tuple[Hashable, ...]]

    @property
    def apart(self) -> Floats:
        """Bound how far what is held may be from that, on each cell."""
        result: Floats = (self.off + np.abs(self.weight) * self.bound) * ABOVE
        return result


def straightened(straight: Seen, units: Sequence[Seen], cuts: Floats, features: Features) -> Straight:
    """Put lines in the place of units."""
    alpha, C = Values.of([one.of_t for one in (straight, *units)], cuts), features.coefficients([straight, *units])
    rounded = (len(features.row) + 8) * ULP * features.size(C) + TINY
    low, high = (np.minimum(alpha.at[1:, :-1], alpha.at[1:, 1:]), np.maximum(alpha.at[1:, :-1], alpha.at[1:, 1:]))
    off = np.maximum(alpha.off[1:, :-1], alpha.off[1:, 1:]) + rounded[1:, None]
    least, most = features.range(C[1:])
    low, high = low + least[:, None] - off, high + most[:, None] + off
    weight = np.array([float(one.weight) for one in units]).reshape(-1, 1)
    nearly = NEARLY * np.maximum(np.abs(low), np.abs(high)).max(axis=1, keepdims=True, initial=0.0) + 4 * off
    bends = (low < -nearly) & (high > nearly)
    _complete(bends, weight[:, 0], C[1:])
    active = ~bends & (low + high > 0)
    missed = np.where(bends, 0.0, np.abs(weight) * np.where(active, np.maximum(-low, 0.0), np.maximum(high, 0.0)))
    pairs = _bent(bends, weight[:, 0], alpha, C, rounded, features, (low, high))
    on = (active * weight).T  # (cells, units)
    slopes, mass = C[0] + on @ C[1:], np.abs(C[0]) + np.abs(on) @ np.abs(C[1:]) + np.abs(pairs.slopes).max(axis=0)
    constants = [alpha.at[0, at] + np.sum(on * alpha.at[1:, at].T, axis=1) for at in (slice(-1), slice(1, None))]
    sizes = (np.abs(on) @ np.abs(alpha.at[1:]).max(axis=1) + np.abs(alpha.at[0]).max() + pairs.size
             + (mass @ np.abs(features.at)).max(axis=1, initial=0.0))
    lost = ((len(units) + len(features.row) + 24) * ULP * sizes
            + np.abs(on) @ (rounded[1:] + alpha.off[1:].max(axis=1)) + alpha.off[0].max() + rounded[0])
    sides = [slopes + more for more in pairs.slopes]
    left, right = (constant[:, None] + more[:, None] + side @ features.at
                   for constant, more, side in zip(constants, pairs.constants, sides, strict=True))
    bilinear = np.maximum(*(features.spread(side).max(axis=1) for side in sides))
    which = [tuple(units[k].unit for k in pair) for pair in pairs.units]
    return Straight(left, right, (missed.sum(axis=0) + pairs.missed + lost + bilinear) * ABOVE, pairs.weight, pairs.bound, which)


def _complete(bends: np.ndarray, weight: Floats, C: Floats) -> None:
    """Where a unit bends alone, call its partner bent too: where less is met than was built for, that may not bend."""
    partner = {(C[k].tobytes(), float(-weight[k])): k for k in range(len(weight))}
    for i in np.flatnonzero(bends.sum(axis=0) == 1):
        (k,) = np.flatnonzero(bends[:, i])
        other = partner.get((C[k].tobytes(), float(weight[k])))
        if other is not None:
            bends[other, i] = True


@dataclass(frozen=True, eq=False)
class _Bent:
    """What the units that bend on each cell stand for, at both ends: (2, cells, features), (2, cells); errors and sizes.

    ``bound`` bounds the error of the first of two ``units`` less the second, ``weight`` says how often it counts; ``missed`` is
    the error of other units.
    """

    slopes: Floats
    constants: Floats
    weight: Floats
    bound: Floats
    missed: Floats
    size: Floats
    units: list[tuple[int, ...]]


def _bent(bends: np.ndarray, weight: Floats, alpha: Values, C: Floats, rounded: Floats, features: Features,
          seen: tuple[Floats, Floats]) -> _Bent:
    """Put w (2 A B/W - A) in the place of two units, and lines in that of others; ``seen`` bounds what units see on cells."""
    cells = bends.shape[1]
    pairs, bound, missed, size = np.zeros((4, cells))
    found = _Bent(np.zeros((2, cells, C.shape[1])), np.zeros((2, cells)), pairs, bound, missed, size, [()] * cells)
    for i in map(int, np.flatnonzero(bends.any(axis=0))):
        units = np.flatnonzero(bends[:, i])
        low, high = seen[0][units, i], seen[1][units, i]
        slope = weight[units] * (high / (high - low))
        cost = np.abs(slope) * -low / 2 * ABOVE
        first = np.argsort(-cost, kind="stable")  # what bends by rounding alone is no part of a pair
        pair = np.sort(units[first[:2]])
        together = len(units) > 1 and weight[pair[0]] == -weight[pair[1]] and _pair(
            found, i, pair, weight[pair[0]], alpha, C, rounded, features, float(cost[first[:2]].sum()))
        for k in first[2:] if together else first:
            at = alpha.at[units[k] + 1, i:i + 2]
            found.slopes[:, i] += slope[k] * C[units[k] + 1]
            found.constants[:, i] += slope[k] * (at - low[k] / 2)
            missed[i] += cost[k]
            size[i] += 2 * abs(slope[k]) * (abs(low[k]) + float(np.abs(at).max()) + float(features.size(C[[units[k] + 1]]).max()))
    return found


def _pair(found: _Bent, i: int, units: Places, w: float, alpha: Values, C: Floats, rounded: Floats, features: Features,
          alone: float) -> bool:
    """Take two units, weights w and -w, together on cell i; returns whether that errs by no more than a line for each."""
    first, second = units + 1
    off = 2 * sum(float(alpha.off[row].max() + rounded[row]) for row in (first, second))
    apart, together = C[first] - C[second], (C[first] + C[second]) / 2
    (least,), (most,) = features.range(apart[None])
    difference = alpha.at[first, i:i + 2] - alpha.at[second, i:i + 2] + (most + least) / 2
    total = alpha.at[first, i:i + 2] + alpha.at[second, i:i + 2]
    W = float(np.abs(difference).max())
    if not W > 0:
        return False
    shift = (total.mean() + W) / 2
    (low,), (high,) = features.range(together[None])
    delta = (most - least) / 2 + abs(total[1] - total[0]) / 2 + off
    outside = max(0.0, -(low + shift), high + shift - W)
    bound = (W / 8 + 16 * delta + 4 * outside) * ABOVE
    if not abs(w) * bound <= alone:
        return False
    factors = w * (difference / W)  # w (2 B/W - 1), B = (difference + W)/2
    found.slopes[:, i], found.constants[:, i] = factors[:, None] * together, factors * shift
    found.weight[i], found.bound[i] = w, bound
    found.units[i] = (int(units[0]), int(units[1]))
    found.size[i] = abs(w) * 4 * (W + abs(shift) + float(np.abs(alpha.at[[first, second]]).max())
                                  + float(features.size(C[[first, second]]).max()))
    return True
