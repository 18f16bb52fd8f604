"""The steepest slope of a target: best-first subdivision of the sorted sequences, in batches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from constructions.targets.ball_arrays import BallArray
from constructions.targets.jets import ONE, ZERO, Jet, forks
from constructions.targets.target import Target

MAX_FORKS = 256
BATCH = 2048
MAX_SECOND = 12  # beyond so many coordinates Hessians cost more than they sharpen

Place = list[tuple[float, float]]


@dataclass
class _Boxes:
    """Boxes of one chamber: ends (count, n d), proven bounds, and the coordinate to bisect next."""

    lower: np.ndarray
    upper: np.ndarray
    bound: np.ndarray
    split: np.ndarray

    def take(self, rows: np.ndarray) -> _Boxes:
        return _Boxes(self.lower[rows], self.upper[rows], self.bound[rows], self.split[rows])

    def joined(self, other: _Boxes) -> _Boxes:
        return _Boxes(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))


def steepest(target: Target, *, tolerance: float, max_boxes: int) -> tuple[float, float, Place]:
    """Enclose sup of the l1 gradient norm of any output over the box^n (mathematics: modulus, symmetry-reduction).

    Args:
        target: symbolic target.
        tolerance: relative width at which to stop.
        max_boxes: number of boxes after which to stop with what is proven.

    Returns:
        (proven upper bound, slope attained at some sequence, the sides of the box with the largest bound).
    """
    search = _Search(target)
    chambers = [search.start(own) for own in range(target.n if search.sorted else 1)]
    spent = 0
    while True:
        worst = max(range(len(chambers)), key=lambda own: chambers[own].bound.max())
        boxes = chambers[worst]
        top = float(boxes.bound.max())
        row = int(boxes.bound.argmax())
        if top <= search.attained * (1 + tolerance) or top < 1e-30 or spent >= max_boxes:
            return top, search.attained, list(zip(boxes.lower[row].tolist(), boxes.upper[row].tolist(), strict=True))
        # Only boxes that can still matter are split, the most promising first.
        open_ = np.flatnonzero(boxes.bound > search.attained * (1 + tolerance))
        chosen = open_[np.argsort(-boxes.bound[open_], kind="stable")[:BATCH]]
        rest = np.setdiff1d(np.arange(len(boxes.bound)), chosen, assume_unique=True)
        halves = search.bisect(boxes.take(chosen), worst)
        chambers[worst] = boxes.take(rest).joined(halves)
        spent += len(halves.bound)


class _Search:
    def __init__(self, target: Target) -> None:
        self.outputs, self.n, self.d, self.box = target.outputs, target.n, target.d, target.box
        self.shift_free = all(translation_invariant(output) for output in target.outputs)
        self.second = self.n * self.d <= MAX_SECOND
        # Without second derivatives subdivision gains little; one box of unsorted tokens then serves every own token.
        self.sorted = self.second or any(_orders_tokens(node) for output in target.outputs for node in output.walk())
        self.attained = 0.0

    def start(self, own: int) -> _Boxes:
        """Return the box of all sequences, rounded outward; a function of differences needs the own token only at 0."""
        sides = self.box.sides
        lower, upper = np.tile([_below(a) for a, _ in sides], self.n), np.tile([_above(b) for _, b in sides], self.n)
        if self.shift_free:
            lower, upper = np.tile([_below(a - b) for a, b in sides], self.n), np.tile([_above(b - a) for a, b in sides], self.n)
            lower[own * self.d:(own + 1) * self.d] = upper[own * self.d:(own + 1) * self.d] = 0.0
        return self._bounded(lower[None], upper[None], own)

    def bisect(self, boxes: _Boxes, own: int) -> _Boxes:
        rows = np.arange(len(boxes.bound))
        middle = 0.5 * boxes.lower[rows, boxes.split] + 0.5 * boxes.upper[rows, boxes.split]
        lower, upper = np.repeat(boxes.lower, 2, axis=0), np.repeat(boxes.upper, 2, axis=0)
        upper[2 * rows, boxes.split] = middle
        lower[2 * rows + 1, boxes.split] = middle
        first_lower, first_upper = lower[:, :: self.d], upper[:, :: self.d]
        meets = np.all(first_upper[:, :-1] >= first_lower[:, 1:], axis=1) | (not self.sorted)
        meets &= self._feasible(lower, upper)
        return self._bounded(lower[meets], upper[meets], own)

    def _feasible(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Say which boxes hold a sequence of the domain: differences from the own token may not spread beyond its sides."""
        holds = np.ones(len(lower), dtype=bool)
        if self.shift_free:
            for c, (a, b) in enumerate(self.box.sides):
                spread = lower[:, c :: self.d].max(axis=1) - upper[:, c :: self.d].min(axis=1)
                holds &= spread <= _above(b - a) * (1 + 2.0**-50)
        return holds

    def _bounded(self, lower: np.ndarray, upper: np.ndarray, own: int) -> _Boxes:
        with np.errstate(all="ignore"):
            balls = [BallArray.between(lower[:, v], upper[:, v]) for v in range(lower.shape[1])]
            centres = [BallArray(ball.mid, np.zeros_like(ball.mid)) for ball in balls]
            radii = np.stack([ball.rad for ball in balls], axis=-1)
            bound, score = np.zeros(len(lower)), np.zeros_like(radii)
            for output in self.outputs:
                for jet, rough in self._forks(output, balls, own):
                    middle, undecided = next(self._forks(output, centres, own))
                    self._attain(middle, undecided, centres)
                    bound = np.maximum(bound, _l1_bound(jet, middle, rough | (not jet.second), radii))
                    score = np.maximum(score, _curvature(jet, radii))
        widest = radii.max(axis=1, keepdims=True)
        usable = np.all(np.isfinite(score), axis=1, keepdims=True) & (score.max(axis=1, keepdims=True) > 0)
        # A coordinate much narrower than the widest waits: no side may shrink to nothing before the others.
        fair = np.where(radii * 16 >= widest, np.where(usable, score, radii), -1.0)
        return _Boxes(lower, upper, bound, fair.argmax(axis=1))

    def _forks(self, output: ex.Expression, balls: list[BallArray], own: int) -> Iterator[tuple[Jet, np.ndarray]]:
        tokens = [[Jet(balls[k * self.d + c], {k * self.d + c: ONE}, second=self.second,
                       rank=k if self.sorted and c == 0 else None) for c in range(self.d)] for k in range(self.n)]
        return forks(output, tokens, own, MAX_FORKS)

    def _attain(self, jet: Jet, undecided: np.ndarray, points: list[BallArray]) -> None:
        """Record the largest slope at a point that lies in the chamber and on no kink."""
        first = [points[k * self.d].mid for k in range(self.n)]
        regular = ~undecided & (np.all([a > b for a, b in itertools.pairwise(first)], axis=0) | (not self.sorted))
        slope = sum((np.maximum(np.abs(g.mid) - g.rad, 0.0) for g in jet.gradient.values()), np.zeros(len(first[0])))
        places = np.stack([point.mid for point in points], axis=-1)
        slope = np.where(regular & self._feasible(places, places) & np.isfinite(slope), slope, 0.0)
        self.attained = max(self.attained, float(slope.max(initial=0.0)) * (1 - 2.0**-40))


def translation_invariant(node: ex.Expression) -> bool:
    """Say whether tokens occur only as differences y[c] - x[c], so that shifting all tokens changes nothing."""
    if isinstance(node, ex.Own | ex.Other | ex.OrderStatistic):
        return False
    if isinstance(node, ex.Binary) and node.operator == "-":
        match node.left, node.right:
            case (ex.Other(coordinate=c), ex.Own(coordinate=e)) | (ex.Own(coordinate=c), ex.Other(coordinate=e)):
                return c == e
    return all(translation_invariant(child) for child in node.children())


def _orders_tokens(node: ex.Expression) -> bool:
    return isinstance(node, ex.OrderStatistic) or (isinstance(node, ex.Reduction) and node.kind in ("max", "min"))


def _below(value: Fraction) -> float:
    return float(value) if float(value) <= value else math.nextafter(float(value), -math.inf)


def _above(value: Fraction) -> float:
    return -_below(-value)


def _l1_bound(jet: Jet, middle: Jet, rough: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Bound sum_v |g_v| on each box: natural enclosures, or the mean-value form of the signed sum where signs are known."""
    shape = radii[:, 0]
    entries = {v: BallArray(*np.broadcast_arrays(g.mid, g.rad, shape)[:2]) for v, g in jet.gradient.items()}
    plain = sum((g.magnitude for g in entries.values()), np.zeros_like(shape))
    signs = {v: np.where(g.lower >= 0, 1.0, np.where(g.upper <= 0, -1.0, 0.0)) for v, g in entries.items()}
    signed, slopes = ZERO, dict[int, BallArray]()
    for v, s in signs.items():
        sign = BallArray(s, np.zeros_like(s))
        signed = signed + sign * middle.gradient.get(v, ZERO)
        for (a, b), h in jet.hessian.items():
            for w in ({a, b} - {v} or {v}) if v in (a, b) else ():
                slopes[w] = slopes.get(w, ZERO) + sign * h
    centred = signed.magnitude + sum((s.magnitude * radii[:, w] for w, s in slopes.items()), np.zeros_like(shape))
    centred = centred + sum((np.where(signs[v] == 0, g.magnitude, 0.0) for v, g in entries.items()), np.zeros_like(shape))
    best = np.where(rough, plain, np.fmin(plain, centred)) * (1 + 2.0**-40)
    return np.where(np.isfinite(best), best, math.inf)


def _curvature(jet: Jet, radii: np.ndarray) -> np.ndarray:
    """Estimate how much each coordinate's width adds to the spread of the gradient (a heuristic, not a bound)."""
    score = np.zeros_like(radii)
    for (v, w), h in jet.hessian.items():
        score[:, v] += h.magnitude * radii[:, v]
        if v != w:
            score[:, w] += h.magnitude * radii[:, w]
    return score
