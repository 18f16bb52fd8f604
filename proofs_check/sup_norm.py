"""||f - T|| over the whole domain by subdivision: any target expression, any ReLU Sumformer, nothing known about either.

By symmetry the tokens descend in coordinate 0, one chamber for each rank of the own token (mathematics: symmetry-reduction). On
a box with centre m and radii r, with e = f - T, g and H the gradient and Hessian of f and s the slopes of T,

    e(X) - e(m) = sum_v (g_v(m) - s_v) (X - m)_v + 1/2 sum_vw H_vw (X - m)_v (X - m)_w,

bounded by sizes and the signs of H_vv (``second_order.py``); where f has a kink in the box its slopes over the box take the place
of g(m) and H. Monomials before phi have such slopes too (``monomials.py``). In deep networks T is also held between two
linear functions (``relaxation.py``), which take the place of T(m) and s, and the smaller bound counts. For tokens with two
coordinates T(X) - g(m) . (X - m) is bounded at the vertices of the cells on which phi is affine (``exact_phi.py``), unless there
are too many of them in a token's box; then nothing is lost to kinks of phi. Neither is done where there are monomials.
Boxes whose bound is above the limit are bisected where it helps most, for d = 1 at the bends of phi (``bends.py``). At any time
max(settled, waiting) is a bound: the search may stop, be stored, go on.
"""

from __future__ import annotations

import functools
import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from constructions.network.relu import MeanSumformer
from constructions.targets import expression as ex
from proofs_check.bends import nearest, token_bends
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.channels import ambiguity
from proofs_check.domain import Tokens
from proofs_check.enclosures.arrays import is_numpy
from proofs_check.enclosures.interval import Floats, Interval, quiet, up
from proofs_check.enclosures.sums import ABOVE
from proofs_check.exact_phi import Bounded, ExactPhi, bounded
from proofs_check.executors import at_hand
from proofs_check.kept_memory import keep_freed_memory
from proofs_check.local import Local
from proofs_check.propagate import Balls, Linearised, Parts, linearise
from proofs_check.relaxation import Bounds, applies, relaxed
from proofs_check.second_order import Curvature
from proofs_check.substitution import sum_of

BATCHES = 8  # a round
FINEST = 2.0**-40  # relative width at which a box is not bisected any more
Sides = Sequence[tuple[Fraction, Fraction]]


@dataclass(frozen=True)
class ErrorWitness:
    """A sequence of the domain where the error certainly exceeds the limit; ``own`` and ``output`` count from 0."""

    tokens: Tokens
    own: int
    output: int
    error_at_least: Fraction


@dataclass(frozen=True, eq=False)
class Problem(Comparison):
    """A target and a network, compared at one length and on one domain."""

    outputs: tuple[ex.Expression, ...]
    network: MeanSumformer
    n: int
    sides: tuple[tuple[Fraction, Fraction], ...]

    @staticmethod
    def of(outputs: Sequence[ex.Expression], network: MeanSumformer, n: int, sides: Sides) -> Problem:
        """Specialise the expressions to n.

        Raises:
            ValueError: the network has other inputs or outputs than the target, or names with two meanings; or n < 1.
        """
        if problem := ambiguity(network):
            raise ValueError(problem)
        if n < 1 or len(network.tokens) != len(sides) or network.d_out != len(outputs):
            raise ValueError(f"a network with {len(network.tokens)} inputs and {network.d_out} outputs does not fit a target "
                             f"with {len(sides)} inputs and {len(outputs)} outputs at n = {n}")
        return Problem(tuple(ex.specialise(output, n) for output in outputs), network, n, tuple(sides))

    def judge(self, batch: Boxes) -> Judged:
        """Judge boxes of one case by values and slopes."""
        return judge(self, batch, int(batch.case[0]))

    def cuts(self, boxes: Boxes, coordinate: np.ndarray) -> Floats:
        """Bisect where phi bends, if it does in the middle half: then the halves have fewer pieces each."""
        middle, side = super().cuts(boxes, coordinate), boxes.upper - boxes.lower
        return nearest(self._bends, middle, side[np.arange(len(coordinate)), coordinate] / 4)

    @functools.cached_property
    def _bends(self) -> Floats:
        # chains of folds have a table of their slopes (``folds.py``); where f bends as well, its slopes over a box end at no
        # floating point number, and both halves would have them all
        if Parts.of(self.network).folds or any(_kinked(node) for output in self.outputs for node in output.walk()):
            return np.zeros(0)
        return token_bends(self.network, *(float(end) for end in self.sides[0]))

    @functools.cached_property
    def digest(self) -> str:
        """Identify the problem: SHA-256 of expressions, lengths, domain and weights."""
        layers = (*self.network.phi, *self.network.psi)
        arrays = [array for layer in layers for array in (layer.W_1, layer.bias, layer.W_2)]
        names = [self.network.tokens, self.network.pooled, self.network.readout, [(la.reads, la.writes) for la in layers],
                 *([tuple(self.network.monomials.items())] if self.network.monomials else [])]
        state = hashlib.sha256(repr((self.outputs, self.n, self.sides, len(self.network.phi), names)).encode())
        for array in (*arrays, self.network.W_out, self.network.b_out):
            state.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return state.hexdigest()


@quiet
def judge(problem: Problem, boxes: Boxes, case: int) -> Judged:
    """Bound |f - T| on boxes of one case."""
    output, own = divmod(case, problem.n)
    shape = (len(boxes.bound), problem.n, problem.d)
    f = Local.of(problem.outputs[output], problem.region(own).chamber, boxes)
    exact = ExactPhi.of(problem.network, problem.n)
    if exact is None or not is_numpy(boxes.lower):  # a processor cuts the cells
        return _by_slopes(problem, own, output, f, shape)
    whole, T = bounded(exact, own, output, *(part.reshape(shape) for part in (boxes.lower, boxes.upper, f.centre, f.tilt)))
    rows, others = np.flatnonzero(whole), np.flatnonzero(~whole)
    parts = [_by_vertices(f.take(rows), T)]
    if others.size:
        parts.append(_by_slopes(problem, own, output, f.take(others), (len(others), *shape[1:])))
    order = np.argsort(np.concatenate([rows, others]))
    return Judged(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in ("upper", "parts", "occurs")))


def _by_slopes(problem: Problem, own: int, output: int, f: Local, shape: tuple[int, ...]) -> Judged:
    """Bound |f - T| from slopes of T, and from linear bounds where there are any."""
    net, lines = _network(problem.network, own, f.centre.reshape(shape), f.radii.reshape(shape))
    T, s = _column(net.centre, output), _column(net.slopes, output)
    gap = f.at_centre - _interval(T)
    tilts = [slope - Interval(s.mid[:, v] - s.rad[:, v], s.mid[:, v] + s.rad[:, v]) for v, slope in enumerate(f.gradient)]
    rise, fall = f.curvature.rise(tilts), f.curvature.fall(tilts)
    upper = up(np.maximum(gap.upper + sum_of(rise, axis=1), sum_of(fall, axis=1) - gap.lower))
    upper = np.fmin(upper, _natural(f.over, T, s, f.radii))
    if lines is not None:
        upper = np.fmin(upper, _between(f.at_centre, f.gradient, lines, output, f.curvature))
    return f.judged(upper, np.maximum(rise, fall), gap)


def _by_vertices(f: Local, T: Bounded) -> Judged:
    """Bound |f - T| where T less the linear function with the slopes ``f.tilt`` is bounded."""
    tilt = f.tilt
    over = [slope - Interval.of(tilt[:, v]) for v, slope in enumerate(f.gradient)]
    rise, fall = f.curvature.rise(over), f.curvature.fall(over)
    above, below = f.at_centre - Interval.of(T.least), f.at_centre - Interval.of(T.most)
    upper = up(np.maximum(above.upper + sum_of(rise, axis=1), sum_of(fall, axis=1) - below.lower))
    ranges = (f.over - Interval.of(T.least, T.most)).magnitude()  # of T itself where the tilt is 0
    upper = np.where((tilt == 0).all(axis=1), np.fmin(upper, ranges), upper)
    return f.judged(upper, np.maximum(rise, fall) + T.lost, f.at_centre - _interval(T.centre))


def _network(network: MeanSumformer, own: int, centres: Floats, radii: Floats) -> tuple[Linearised, Bounds | None]:
    if not applies(network):
        return linearise(network, own, centres, radii), None
    return relaxed(network, own, centres, radii, lines=())  # slopes bound the arguments well enough on boxes that get small


def _between(f: Interval, gradient: Sequence[Interval], T: Bounds, output: int, curvature: Curvature) -> Floats:
    """Bound what f at the centre, its gradient and its curvature leave of |f - T|, T between two linear functions."""
    above, below = f - Interval.of(T.lower[:, output]), f - Interval.of(T.upper[:, output])
    over, under = ([slope - Interval.of(slopes[:, v, output]) for v, slope in enumerate(gradient)]
                   for slopes in (T.lower_slopes, T.upper_slopes))
    rise, fall = sum_of(curvature.rise(over), axis=1), sum_of(curvature.fall(under), axis=1)
    return up(np.maximum(above.upper + rise, fall - below.lower))


def _natural(f: Interval, T: Balls, s: Balls, radii: Floats) -> Floats:
    reach = up((np.abs(s.mid) + s.rad) * radii).sum(axis=1) * ABOVE
    around = up(T.rad + reach)
    return (f - (Interval.of(T.mid) + Interval.of(-around, around))).magnitude()


def _interval(balls: Balls) -> Interval:
    return Interval.of(balls.mid) + Interval.of(-balls.rad, balls.rad)


def _column(balls: Balls, output: int) -> Balls:
    return Balls(balls.mid[..., output], balls.rad[..., output])


@dataclass
class Search:
    """Subdivision of the boxes with the largest bounds first, in batches.

    Attributes:
        limit: boxes with a bound up to it are settled.
        waiting: boxes that are not.
        settled: largest bound among settled boxes.
        judged: how many boxes have been looked at.
        occurs: the largest error that certainly occurs somewhere.
        witness: where an error above the limit occurs, None while none was found.
        done: boxes that do not wait any more, counted by case and level; with the waiting ones they must cover every case.
        broken: why the executor was given up, "" while it was not.
        unkept: why the state could not be written down, "" while it could.
    """

    problem: Comparison
    limit: float
    waiting: Boxes
    settled: float = 0.0
    judged: int = 0
    occurs: float = 0.0
    witness: ErrorWitness | None = None
    done: Counter[tuple[int, int]] = field(default_factory=Counter)
    broken: str = ""
    unkept: str = ""

    @staticmethod
    def begin(problem: Comparison, limit: Fraction) -> Search:
        """Start from the whole domain."""
        return Search(problem, float(Interval.constant(limit).lower), problem.start())

    @property
    def bound(self) -> float:
        """A proved upper bound of ||f - T||, over everything settled or waiting."""
        return max(self.settled, float(self.waiting.bound.max(initial=0.0)))

    @property
    def leaves(self) -> tuple[tuple[int, int, int], ...]:
        """All boxes the search ends in: (case, level, how many)."""
        return tuple(sorted((case, level, boxes) for (case, level), boxes in (self.done + self.waiting.leaves()).items()))

    @property
    def finished(self) -> bool:
        """Nothing waits any more, or the limit is refuted."""
        return not self.waiting.bound.size or self.witness is not None

    def run(self, seconds: float = math.inf, after_round: Callable[[Search], None] = lambda _: None,
            executor: Executor | None = None, boxes: float = math.inf) -> None:
        """Go on until nothing waits, the limit is refuted, or the time or the number of boxes is spent.

        Args:
            seconds: time to spend; a round that was begun is finished.
            after_round: called after each round, when the state is consistent: it may be stored, and whatever is raised there or
                during a round (Ctrl-C) leaves the state of the last finished round.
            executor: where batches are judged; here if none is given.
            boxes: how many may have been judged, those of earlier calls included, before the last round.
        """
        keep_freed_memory()
        until = time.monotonic() + seconds
        while not self.finished and time.monotonic() < until and self.judged < boxes:
            try:
                self.step(executor)
            except BrokenExecutor as error:  # a worker was killed: its round is done again, here
                executor, self.broken = None, str(error)
                continue
            after_round(self)

    def step(self, executor: Executor | None = None) -> None:
        """Judge a round of boxes, those with the largest bounds, and bisect what is above the limit."""
        hot, stays = self.waiting.parted(_largest(self.waiting.bound, BATCHES * self.problem.batch))
        batches = [hot.take(part) for case in np.unique(hot.case)
                   for part in _chunks(np.flatnonzero(hot.case == case), self.problem.batch)]
        pool = at_hand(executor)
        found = pool.map(self.problem.elsewhere, batches) if pool else map(self.problem.judge, batches)
        settled, occurs, witness, parts, done = self.settled, self.occurs, None, [stays], self.done.copy()
        for batch, judged in zip(batches, found, strict=True):
            largest, children, leaves = self._divided(batch, judged)
            there = np.where(self.problem.contains(batch.centre), judged.occurs, 0.0)
            settled, occurs = max(settled, largest), max(occurs, float(there.max(initial=0.0)))
            done.update(leaves)
            witness = witness or self._witness(batch, there)
            parts.append(children)
        # one assignment, so that an interruption leaves the state before the round or after it
        self.__dict__.update(waiting=Boxes.joined(parts), settled=settled, occurs=occurs, witness=witness, done=done,
                             judged=self.judged + hot.bound.size)

    def _divided(self, batch: Boxes, found: Judged) -> tuple[float, Boxes, Counter[tuple[int, int]]]:
        """Return the largest bound among boxes that are settled, the halves of the others, and what need not wait any more."""
        bound = np.fmin(found.upper, batch.bound)  # what is no number is no bound
        open_ = bound > self.limit
        rest = replace(batch.take(open_), bound=bound[open_])
        widths = np.where(rest.divisible, rest.upper - rest.lower, 0.0)
        finest = widths.max(axis=1, initial=0.0) <= FINEST * float(max(b - a for a, b in self.problem.sides))
        divided, coordinate = rest.take(~finest), _coordinate(widths, found.parts[open_])[~finest]
        children = _bisected(divided, coordinate, self.problem.cuts(divided, coordinate))
        region = self.problem.region(int(batch.case[0]) % self.problem.n)
        lower, upper, meets = region.restrict(children.lower, children.upper)
        settled = max(float(bound[~open_].max(initial=0.0)), float(rest.bound[finest].max(initial=0.0)))
        leaves = batch.take(~open_).leaves() + rest.take(finest).leaves() + children.take(~meets).leaves()
        return settled, replace(children, lower=lower, upper=upper).take(meets), leaves

    def _witness(self, batch: Boxes, occurs: Floats) -> ErrorWitness | None:
        worst = int(np.argmax(occurs))
        error, case = Fraction(float(occurs[worst])), int(batch.case[0])
        if not error > Fraction(self.limit):
            return None
        tokens = self.problem.region(case % self.problem.n).tokens(batch.centre[worst])
        return None if tokens is None else ErrorWitness(tokens, case % self.problem.n, case // self.problem.n, error)


def _kinked(node: ex.Expression) -> bool:
    match node:
        case ex.Apply(function=name) | ex.Binary(operator=name) | ex.Reduction(kind=name):
            return name in ("abs", "relu", "max", "min", *ex.PAIRS)
    return False


def _largest(bound: Floats, count: int) -> np.ndarray:
    return np.argpartition(bound, -count)[-count:] if bound.size > count else np.arange(bound.size)


def _chunks(index: np.ndarray, most: int) -> list[np.ndarray]:
    return np.array_split(index, -(-index.size // most))


def _coordinate(widths: Floats, parts: Floats) -> np.ndarray:
    """Choose the coordinate with the largest part of the bound; the widest where the parts say nothing; none of width 0."""
    told = np.isfinite(parts).all(axis=1, keepdims=True) & ((parts > 0) & (widths > 0)).any(axis=1, keepdims=True)
    return np.asarray(np.argmax(np.where(told & (widths > 0), parts, widths), axis=1))


def _bisected(boxes: Boxes, coordinate: np.ndarray, place: Floats) -> Boxes:
    rows, halves = np.arange(len(coordinate)), replace(boxes, level=boxes.level + 1)
    low, high = halves.take(rows), halves.take(rows)
    low.upper[rows, coordinate] = place
    high.lower[rows, coordinate] = place
    return Boxes.joined([low, high])
