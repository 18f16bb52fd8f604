"""A target expression on boxes of sequences: values, slopes and curvature, and what a bound of |f - T| makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constructions.targets import expression as ex
from proofs_check.boxes import Boxes, Judged
from proofs_check.enclosures.arrays import beside
from proofs_check.enclosures.interval import Booleans, Floats, Interval, up
from proofs_check.second_order import Curvature
from proofs_check.selection import Forking
from proofs_check.walker import Chamber, Walker


@dataclass(frozen=True, eq=False)
class Local:
    """f on boxes, one output.

    Attributes:
        centre, radii: (boxes, variables), |X - centre| <= radii.
        over, at_centre: values over the boxes and at their centres.
        gradient: for each variable the slope at the centre, or over the box where f has a kink.
        curvature: of the boxes.
        undefined, undefined_at_centre: (boxes,) whether f may have no value.
    """

    centre: Floats
    radii: Floats
    over: Interval
    at_centre: Interval
    gradient: list[Interval]
    curvature: Curvature
    undefined: Booleans
    undefined_at_centre: Booleans

    @staticmethod
    def of(f: ex.Expression, chamber: Chamber, boxes: Boxes) -> Local:
        """Evaluate f and its derivatives."""
        centre = boxes.centre
        radii, count = up(np.maximum(boxes.upper - centre, centre - boxes.lower)), len(centre)
        selector = Forking({}, count, 0)
        sides = [Interval(a, b) for a, b in zip(boxes.lower.T.copy(), boxes.upper.T.copy(), strict=True)]
        walker = Walker(sides, chamber, selector, second=True)
        wide = walker.jet(f)
        points = [Interval.of(column) for column in centre.T.copy()]
        at_centre = Walker(points, chamber, Forking({}, count, 0), second=False)
        narrow = at_centre.jet(f)
        rough = beside(selector.rough, centre)
        gradient = [_either(rough, wide.gradient.get(v), narrow.gradient.get(v), count) for v in range(centre.shape[1])]
        return Local(centre, radii, _everywhere(wide.value, count), _everywhere(narrow.value, count), gradient,
                     Curvature.of(wide.hessian, radii, rough), walker.undefined, at_centre.undefined)

    def take(self, rows: np.ndarray) -> Local:
        """Return some of the boxes."""
        return Local(self.centre[rows], self.radii[rows], self.over[rows], self.at_centre[rows],
                     [slope[rows] for slope in self.gradient], self.curvature.take(rows), self.undefined[rows],
                     self.undefined_at_centre[rows])

    @property
    def tilt(self) -> Floats:
        """About the gradient, (boxes, variables), finite numbers; 0 where slopes or curvature of f are not bounded."""
        middle = np.stack([(slope.lower + slope.upper) / 2 for slope in self.gradient], axis=1)
        known = middle + self.curvature.least + self.curvature.most + self.curvature.mixed
        return np.where(np.isfinite(known).all(axis=1, keepdims=True), middle, 0.0)

    def judged(self, upper: Floats, parts: Floats, gap: Interval) -> Judged:
        """Say what was found; nothing is known where f may have no value."""
        upper = np.where(self.undefined | np.isnan(upper), np.inf, upper)
        occurs = np.where(self.undefined_at_centre | np.isnan(gap.lower), 0.0, gap.mignitude())
        return Judged(upper, np.nan_to_num(parts, nan=np.inf, posinf=np.inf), occurs)


def _everywhere(value: Interval, boxes: int) -> Interval:
    return Interval(np.broadcast_to(value.lower, (boxes,)), np.broadcast_to(value.upper, (boxes,)))


def _either(rough: Booleans, wide: Interval | None, narrow: Interval | None, boxes: int) -> Interval:
    zero = Interval.of(np.zeros(boxes))
    a, b = (zero if one is None else zero + one for one in (wide, narrow))
    return Interval(np.where(rough, a.lower, b.lower), np.where(rough, a.upper, b.upper))
