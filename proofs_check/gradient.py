"""Upper and lower bounds of the l1 norm of a target's gradient over boxes (mathematics: modulus).

sum_v |g_v| is the Lipschitz constant from max norm to max norm. Over a box with centre m and radii r two bounds compete:
the natural one, sum_v max |g_v|, and the mean-value form: for *any* signs s, |g_v| = s_v g_v + 2 max(0, -s_v g_v), and
sum_v s_v g_v <= sum_v s_v g_v(m) + sum_j max |sum_v s_v H_vj| r_j. The second keeps what the entries have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Booleans, Floats, Interval, intersection, quiet, up
from proofs_check.jets import ZERO, Jet
from proofs_check.selection import Forking, Key, Replay, Strict
from proofs_check.walker import Chamber, Walker

MAX_OPEN_KINKS = 10  # at most 2**10 selections of a batch, then hulls
_ALMOST = 2.0**-10


@dataclass(frozen=True, eq=False)
class GradientBound:
    """Per box: an upper bound of the l1 norm, and per variable the part of it that comes from the box's width there.

    ``upper`` has shape (boxes,), inf where the function may be undefined; ``spread`` has shape (n * d, boxes).
    """

    upper: Floats
    spread: Floats


def gradient_bound(output: ex.Expression, variables: Sequence[Interval], chamber: Chamber, *,
                   max_open: int = MAX_OPEN_KINKS) -> GradientBound:
    """Bound the l1 norm of the gradient of one output at the own token, over each box and all selections.

    Args:
        output: expression specialised to ``chamber.n``.
        variables: n * d intervals of shape (boxes,), tokens in descending order of coordinate 0; a box must contain, with
            any point of the chamber, the segment to its own centre (true when lower and upper ends descend too).
        chamber: number of tokens and coordinates, rank of the own token.
        max_open: how many open kinks are enumerated before hulls are taken.
    """
    boxes = variables[0].shape[0]
    upper, spread = np.zeros(boxes), np.zeros((len(variables), boxes))
    pending: list[tuple[np.ndarray, Mapping[Key, bool]]] = [(np.arange(boxes), {})]
    while pending:
        index, decisions = pending.pop()
        selector = Forking(decisions, index.size, max_open)
        part = [variable[index] for variable in variables]
        bound = _selected_bound(output, part, chamber, selector)
        upper[index] = np.maximum(upper[index], bound.upper)
        spread[:, index] = np.maximum(spread[:, index], bound.spread)
        earlier = dict(decisions)
        for key, open_ in selector.opened:
            pending.append((index[open_], {**earlier, key: False}))
            earlier[key] = True
    return GradientBound(upper, spread)


@quiet
def _selected_bound(output: ex.Expression, variables: Sequence[Interval], chamber: Chamber, selector: Forking) -> GradientBound:
    walker = Walker(variables, chamber, selector, second=True)
    jet = walker.jet(output)
    if jet.affine is not None:
        norm = float(Interval.constant(sum((abs(slope) for _, slope in jet.affine.slopes), Fraction(0))).upper)
        return GradientBound(np.where(walker.undefined, np.inf, norm), np.zeros((len(variables), *walker.undefined.shape)))
    middles = [Interval.of(_middle(variable)) for variable in variables]
    centre = Walker(middles, chamber, Replay(selector.taken), second=False).jet(output)
    radii = [up(np.maximum(variable.upper - middle.lower, middle.lower - variable.lower))
             for variable, middle in zip(variables, middles, strict=True)]
    smooth = ~selector.rough
    gradient = {v: _slope(g, jet, centre, v, radii, smooth) for v, g in jet.gradient.items()}
    natural = _sum_up([g.magnitude() for g in gradient.values()], walker.undefined.shape)
    mean_value, spread = _mean_value(gradient, jet, centre, radii)
    best = np.where(smooth, np.fmin(natural, mean_value), natural)
    upper = np.where(walker.undefined | np.isnan(best), np.inf, best)
    return GradientBound(upper, np.where(smooth & np.isfinite(spread), spread, 0.0))


def _slope(natural: Interval, jet: Jet, centre: Jet, v: int, radii: Sequence[Floats], smooth: Booleans) -> Interval:
    """Intersect one partial derivative with its own mean-value form g_v(m) + sum_j H_vj [-r_j, r_j]."""
    reach = _sum_up([up(jet.hessian[min(v, j), max(v, j)].magnitude() * r) for j, r in enumerate(radii)
                     if (min(v, j), max(v, j)) in jet.hessian], smooth.shape)
    reach = np.where(smooth & ~np.isnan(reach), reach, np.inf)
    return intersection(_wide(natural, smooth), _wide(centre.gradient.get(v, ZERO), smooth) + Interval.of(-reach, reach))


def _mean_value(gradient: Mapping[int, Interval], jet: Jet, centre: Jet, radii: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the mean-value bound and its part per variable."""
    shape = radii[0].shape
    signs = {v: _sign(g) for v, g in gradient.items()}
    parts = [np.where(signs[v] == 0, g.magnitude(), 2.0 * np.maximum(0.0, -_signed(g, signs[v]).lower))
             for v, g in gradient.items()]
    parts += [_signed(centre.gradient.get(v, ZERO), s).upper for v, s in signs.items()]
    spread = np.zeros((len(radii), *shape))
    loose = np.zeros((len(radii), *shape))
    for j, radius in enumerate(radii):
        total = ZERO
        for v, s in signs.items():
            entry = jet.hessian.get((min(v, j), max(v, j)))
            if entry is not None:
                total = total + _signed(entry, s)
                loose[j] += np.where(s == 0, entry.magnitude(), 0.0) * radius
        spread[j] = up(total.magnitude() * radius)
    return _sum_up([*parts, *spread], shape), spread + loose


def _sign(g: Interval) -> Floats:
    """Return the sign that (almost) the whole interval has, 0 where there is none."""
    almost = g.magnitude() * _ALMOST
    return np.where(g.lower >= -almost, 1.0, np.where(g.upper <= almost, -1.0, 0.0))


def _signed(a: Interval, sign: Floats) -> Interval:
    """Return sign * a for signs 1, 0, -1; no rounding happens."""
    return Interval(np.where(sign > 0, a.lower, np.where(sign < 0, -a.upper, 0.0)),
                    np.where(sign > 0, a.upper, np.where(sign < 0, -a.lower, 0.0)))


def norm_at(output: ex.Expression, points: Sequence[Interval], chamber: Chamber) -> Floats:
    """Return a lower bound of the l1 norm of the gradient at points of the closed chamber, 0 where nothing is certain.

    Args:
        output: expression specialised to ``chamber.n``.
        points: n * d degenerate intervals of shape (points,), descending in coordinate 0.
        chamber: as in :func:`gradient_bound`.
    """
    selector = Strict(points[0].shape[0])
    walker = Walker(points, chamber, selector, second=False)
    total = np.zeros(selector.rough.shape)
    for entry in walker.jet(output).gradient.values():
        total = np.maximum(0.0, (Interval.of(total) + Interval.of(entry.mignitude())).lower)
    return np.where(walker.undefined | selector.rough, 0.0, total)


def _middle(a: Interval) -> Floats:
    middle = 0.5 * a.lower + 0.5 * a.upper
    return np.minimum(np.maximum(middle, a.lower), a.upper)


def _wide(a: Interval, like: Booleans) -> Interval:
    return Interval(np.broadcast_to(a.lower, like.shape), np.broadcast_to(a.upper, like.shape))


def _sum_up(terms: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    total: Floats = np.zeros(shape)
    for term in terms:
        total = up(total + term)
    return total
