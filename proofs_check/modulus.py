"""A Lipschitz constant of a target over its whole domain, proved by subdivision (mathematics: modulus, symmetry-reduction).

From max norm to max norm the best constant is sup ||grad f(X)_i||_1 over sequences X, tokens i and outputs (a box is convex
and f is Lipschitz wherever its selected functions have bounded gradients). By equivariance the tokens may be taken in
descending order of coordinate 0, which leaves one chamber per rank of the own token.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from constructions.targets import expression as ex
from proofs_check.domain import Region, Tokens
from proofs_check.enclosures.interval import Floats, Interval
from proofs_check.gradient import gradient_bound, norm_at
from proofs_check.walker import Chamber

BATCH = 4096
_FINEST = 2.0**-36
_TRIALS = 16
_ROUNDING = 1.0 + 2.0**-40  # a bound this close to the claim may be all rounding: more boxes do not help


@dataclass(frozen=True)
class LipschitzWitness:
    """A point where the l1 norm of the gradient exceeds the claim.

    ``own`` is the own token's index in ``tokens``, which descend in coordinate 0; ``output`` counts the output features from 0.
    """

    own: int
    tokens: Tokens
    norm_at_least: Fraction
    output: int = 0


@dataclass(frozen=True)
class ModulusCheck:
    """What came out: ``status`` is "certified", "undecided" or "refuted".

    ``proven`` is an upper bound of the Lipschitz constant of all outputs (max norm to max norm), None when none was
    reached; ``boxes`` counts the gradient enclosures that were computed.
    """

    status: str
    proven: Fraction | None
    boxes: int
    witness: LipschitzWitness | None = None


def check_lipschitz(outputs: Sequence[ex.Expression], n: int, d: int, lower: Sequence[Fraction], upper: Sequence[Fraction],
                    claim: Fraction, *, max_boxes: int = 2_000_000,
                    progress: Callable[[int, int], None] | None = None) -> ModulusCheck:
    """Decide whether the claim bounds the Lipschitz constant of all outputs over all sequences of n tokens in the domain.

    Args:
        outputs: one expression per output feature; specialised here if they are not yet.
        n: number of tokens.
        d: coordinates per token.
        lower: lower end of the domain per coordinate.
        upper: upper end per coordinate, larger than the lower one.
        claim: the constant, max norm to max norm.
        max_boxes: how many boxes may be enclosed before the answer is "undecided".
        progress: called with (boxes done, boxes waiting) after every batch.

    Raises:
        ValueError: a malformed domain, or a rank outside 1..n.

    >>> from constructions.targets.language import parse
    >>> check_lipschitz(parse("x*mean(y)", 1), 3, 1, [Fraction(0)], [Fraction(1)], Fraction(201, 100)).status
    'certified'
    """
    if len(lower) != d or len(upper) != d or n < 1 or any(low >= high for low, high in zip(lower, upper, strict=True)):
        raise ValueError(f"expected {d} lower ends below {d} upper ends and n >= 1, got {list(lower)}, {list(upper)}, n = {n}")
    proven, boxes = 0.0, 0
    cases = list(product(range(len(outputs)), range(n)))
    for position, (index, own) in enumerate(cases):
        output = ex.specialise(outputs[index], n)
        search = _Search(output, Region.of(output, Chamber(n, d, own), lower, upper), claim)
        for done, waiting in search.run((max_boxes - boxes) // (len(cases) - position)):
            if progress is not None:
                progress(boxes + done, waiting)
        boxes, proven = boxes + search.boxes, max(proven, search.bound())
        if search.witness is not None:
            return ModulusCheck("refuted", None, boxes, replace(search.witness, output=index))
    status = "certified" if proven <= claim else "undecided"
    return ModulusCheck(status, Fraction(proven) if proven < math.inf else None, boxes)


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Lower and upper ends, shape (boxes, n * d), and the best bound known for each box."""

    lower: Floats
    upper: Floats
    bound: Floats

    def take(self, index: np.ndarray | slice) -> _Boxes:
        return _Boxes(self.lower[index], self.upper[index], self.bound[index])


class _Search:
    """Breadth-first subdivision of one output's chamber for one rank of the own token."""

    def __init__(self, output: ex.Expression, region: Region, claim: Fraction) -> None:
        self.output, self.region, self.chamber, self.claim = output, region, region.chamber, claim
        self.limit = float(Interval.constant(claim).lower)
        lower, upper = region.start()
        self.finest = float((upper - lower).max()) * _FINEST
        self.waiting = deque([_Boxes(*region.restrict(lower, upper)[:2], np.array([math.inf]))])
        self.settled, self.boxes = 0.0, 0
        self.witness: LipschitzWitness | None = None

    def run(self, max_boxes: int) -> Iterable[tuple[int, int]]:
        """Subdivide until nothing waits, the budget is spent or the claim is refuted; yield the counts after each batch."""
        while self.waiting and self.boxes < max_boxes and self.witness is None:
            batch = self._next_batch(min(BATCH, max_boxes - self.boxes))
            self._work_on(batch)
            self.boxes += batch.bound.size
            yield self.boxes, sum(part.bound.size for part in self.waiting)

    def bound(self) -> float:
        """Return an upper bound of the norm over everything, settled or still waiting."""
        return max([self.settled, *(float(part.bound.max()) for part in self.waiting)])

    def _next_batch(self, size: int) -> _Boxes:
        parts: list[_Boxes] = []
        while self.waiting and size > 0:
            head = self.waiting.popleft()
            if head.bound.size > size:
                self.waiting.appendleft(head.take(slice(size, None)))
                head = head.take(slice(size))
            parts.append(head)
            size -= head.bound.size
        return _Boxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("lower", "upper", "bound")))

    def _work_on(self, batch: _Boxes) -> None:
        variables = [Interval(low, high) for low, high in zip(batch.lower.T.copy(), batch.upper.T.copy(), strict=True)]
        enclosed = gradient_bound(self.output, variables, self.chamber)
        bound = np.minimum(enclosed.upper, batch.bound)
        open_ = bound > self.limit
        self._settle(bound[~open_])
        if not open_.any():
            return
        rest = _Boxes(batch.lower[open_], batch.upper[open_], bound[open_])
        self._look_for_witness(rest)
        width = rest.upper - rest.lower
        coordinate = self._coordinate(width, enclosed.spread.T[open_], rest.bound)
        stuck = (width.max(axis=1) <= self.finest) | (rest.bound <= self.limit * _ROUNDING)
        self._settle(rest.bound[stuck])
        children = _bisected(rest.take(~stuck), coordinate[~stuck])
        lower, upper, meets = self.region.restrict(children.lower, children.upper)
        if meets.any():
            self.waiting.append(_Boxes(lower, upper, children.bound).take(meets))

    def _settle(self, bound: Floats) -> None:
        self.settled = max([self.settled, *bound.max(initial=0.0, keepdims=True)])

    def _coordinate(self, width: Floats, spread: Floats, bound: Floats) -> np.ndarray:
        """Choose what to bisect: the largest contribution, or the widest where contributions alone cannot help."""
        helpless = ~(spread.sum(axis=1) > bound - self.limit)
        return np.asarray(np.argmax(np.where(helpless[:, None], width, spread), axis=1))

    def _look_for_witness(self, boxes: _Boxes) -> None:
        points = 0.5 * boxes.lower + 0.5 * boxes.upper
        norm = norm_at(self.output, [Interval(column, column) for column in points.T.copy()], self.chamber)
        for index in np.flatnonzero(norm > self.limit)[:_TRIALS]:
            tokens, found = self.region.tokens(points[index]), Fraction(float(norm[index]))
            if tokens is not None and found > self.claim:
                self.witness = LipschitzWitness(self.chamber.own, tokens, found)


def _bisected(boxes: _Boxes, coordinate: np.ndarray) -> _Boxes:
    rows = np.arange(coordinate.size)
    lower, upper = np.concatenate([boxes.lower, boxes.lower]), np.concatenate([boxes.upper, boxes.upper])
    middle = 0.5 * boxes.lower[rows, coordinate] + 0.5 * boxes.upper[rows, coordinate]
    upper[rows, coordinate] = middle
    lower[rows + rows.size, coordinate] = middle
    return _Boxes(lower, upper, np.concatenate([boxes.bound, boxes.bound]))
