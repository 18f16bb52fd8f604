"""Boxes of sorted sequences, and what a search over them needs to know about the error it bounds."""

from __future__ import annotations

import abc
import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.domain import Region
from proofs_check.enclosures.interval import Booleans, Floats, Interval
from proofs_check.packed import Packed
from proofs_check.walker import Chamber

BATCH = 2048  # boxes


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of sorted sequences, the best bound known for each, and which output and rank of the own token they are about.

    Attributes:
        lower, upper: (boxes, n * d).
        bound: (boxes,), inf before a box was looked at.
        case: (boxes,) integers, output * n + own.
        level: (boxes,) integers, how often the case's first box was bisected on the way to it.
    """

    lower: Floats
    upper: Floats
    bound: Floats
    case: np.ndarray
    level: np.ndarray

    def take(self, index: np.ndarray | slice) -> Boxes:
        """Return some of them."""
        return Boxes(self.lower[index], self.upper[index], self.bound[index], self.case[index], self.level[index])

    def parted(self, chosen: np.ndarray) -> tuple[Boxes, Boxes]:
        """Return the chosen ones, and the others in their order."""
        others = np.ones(self.bound.size, dtype=bool)
        others[chosen] = False
        return self.take(chosen), self.take(others)

    def leaves(self) -> Counter[tuple[int, int]]:
        """Count them by case and level."""
        found: Counter[tuple[int, int]] = Counter()
        for case in np.unique(self.case):  # two sorts of numbers: one of pairs takes many times as long
            levels, counts = np.unique(self.level[self.case == case], return_counts=True)
            found.update({(int(case), int(level)): int(count) for level, count in zip(levels, counts, strict=True)})
        return found

    @property
    def centre(self) -> Floats:
        """Return a point of each box, its middle up to rounding."""
        middle = 0.5 * self.lower + 0.5 * self.upper
        return np.minimum(np.maximum(middle, self.lower), self.upper)

    @property
    def divisible(self) -> Booleans:
        """Say of each coordinate, (boxes, n * d), whether the box can be cut there: some number lies strictly inside."""
        centre = self.centre
        return np.asarray((self.lower < centre) & (centre < self.upper))

    @staticmethod
    def joined(parts: Sequence[Boxes]) -> Boxes:
        """Put several together."""
        names = ("lower", "upper", "bound", "case", "level")
        return Boxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, eq=False)
class Judged:
    """What was found about some boxes: an upper bound, each coordinate's part of it, and an error that occurs at the centre."""

    upper: Floats
    parts: Floats
    occurs: Floats


class Comparison(abc.ABC):
    """A target and what stands in for it, at one length and on one domain.

    Attributes:
        outputs: the target's expressions, specialised to n.
        n: tokens.
        sides: the domain of a token, an interval for each of its d coordinates.
    """

    outputs: tuple[ex.Expression, ...]
    n: int
    sides: tuple[tuple[Fraction, Fraction], ...]

    @property
    @abc.abstractmethod
    def digest(self) -> str:
        """Identify the comparison: SHA-256 of all it depends on."""

    @abc.abstractmethod
    def judge(self, batch: Boxes) -> Judged:
        """Bound the error on boxes of one case."""

    @property
    def batch(self) -> int:
        """How many boxes of one case are judged at once."""
        return BATCH

    @property
    def d(self) -> int:
        """Coordinates of a token."""
        return len(self.sides)

    def cuts(self, boxes: Boxes, coordinate: np.ndarray) -> Floats:
        """Return where each box, (boxes,), is to be bisected in the coordinate chosen for it: strictly inside, in the middle."""
        return boxes.centre[np.arange(len(coordinate)), coordinate]

    def region(self, own: int) -> Region:
        """Return the chamber of sorted sequences for one rank of the own token."""
        lower, upper = zip(*self.sides, strict=True)
        return Region(Chamber(self.n, self.d, own), lower, upper, (False,) * self.d)

    def contains(self, points: Floats) -> Booleans:
        """Say which points, (points, n * d), are in the domain: a box may reach beyond an end that is no float64 number."""
        least, most = ([float(getattr(Interval.constant(end), side)) for end in ends] * self.n
                       for side, ends in zip(("upper", "lower"), zip(*self.sides, strict=True), strict=True))
        return np.asarray(((points >= least) & (points <= most)).all(axis=1))

    def start(self) -> Boxes:
        """Return one box for each output and each rank of the own token."""
        parts = []
        for case in range(len(self.outputs) * self.n):
            region = self.region(case % self.n)
            lower, upper, _ = region.restrict(*region.start())
            parts.append(Boxes(lower, upper, np.array([math.inf]), np.array([case]), np.array([0])))
        return Boxes.joined(parts)

    @functools.cached_property
    def elsewhere(self) -> Callable[[Boxes], Judged]:
        """The judge as a function that another process can call; the comparison is packed once, and unpacked once there."""
        return functools.partial(_judged, Packed.of(self))


def _judged(packed: Packed, batch: Boxes) -> Judged:
    """Judge boxes with the copy of the comparison that this process has analysed already, if there is one."""
    comparison: Comparison = packed.unpacked()
    return comparison.judge(batch)
