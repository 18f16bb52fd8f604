"""Ranges of smooth functions on boxes, by subdivision into balls."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from flint import arb

from constructions.errors import Refused
from constructions.pieces.smooth import Smooth
from constructions.targets import expression as ex
from constructions.targets.definedness import ROOT

Interval = tuple[Fraction | float, Fraction | float]
PIECES = {0: 1, 1: 96, 2: 14, 3: 6, 4: 5}
DEEPER = 4  # how often a piece that is not finite is halved before the function counts as undefined there


def value_range(g: Smooth, box: Sequence[Interval]) -> arb:
    """Enclose g(box).

    Raises:
        Refused: g could be undefined somewhere on the box.
    """
    pieces = PIECES.get(g.p, 3)
    cells = itertools.product(*(_cut(interval, pieces) for interval in box))
    return _hull(_enclosed(g, lambda *balls: g.ball(*balls), cell, 0) for cell in cells)


def slope_range(g: Smooth, interval: Interval) -> arb:
    """Enclose g' on an interval, p = 1; raises like :func:`value_range`."""
    return _hull(_enclosed(g, lambda ball: g.series(ball, 1)[1], (cell,), 0) for cell in _cut(interval, 64))


def partial_bound(g: Smooth, box: Sequence[Interval], variable: int) -> float:
    """Return an upper bound of |dg/dx_variable| on a box; raises like :func:`value_range`."""
    pieces = PIECES.get(g.p, 3)
    cells = itertools.product(*(_cut(interval, pieces) for interval in box))
    bound = _hull(_enclosed(g, lambda *balls: g.partial(variable, *balls), cell, 0) for cell in cells)
    return float(bound.abs_upper()) * (1 + 2.0**-40)


def _cut(interval: Interval, pieces: int) -> list[arb]:
    a, b = (Fraction(end) for end in interval)
    if a == b:
        return [_ball(a, b)]
    step = (b - a) / pieces
    return [_ball(a + k * step, a + (k + 1) * step) for k in range(pieces)]


def _ball(a: Fraction, b: Fraction) -> arb:
    from constructions.pieces.forms import ball

    return ball(a).union(ball(b))


def _enclosed(g: Smooth, function: Callable[..., arb], cell: tuple[arb, ...], depth: int) -> arb:
    value = function(*cell)
    if value.is_finite():
        return value
    if depth == DEEPER:
        place = ", ".join(str(ball) for ball in cell)
        hint = ROOT if any(isinstance(node, ex.Apply) and node.function == "sqrt" for node in g.tree.walk()) else ""
        raise Refused(f"{g.tree} could be undefined, or has no bounded slope, where its argument is in {place}{hint}")
    halves = [_halved(ball) for ball in cell]
    return _hull(_enclosed(g, function, part, depth + 1) for part in itertools.product(*halves))


def _halved(ball: arb) -> tuple[arb, ...]:
    if ball.rad() == 0:
        return (ball,)
    middle = arb(ball.mid())
    return arb(ball.lower()).union(middle), middle.union(arb(ball.upper()))


def _hull(values: Iterable[arb]) -> arb:
    return functools.reduce(lambda a, b: a.union(b), values)
