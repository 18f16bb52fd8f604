"""Ranges of smooth functions on boxes, by subdivision into balls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from flint import arb

from constructions.errors import Refused
from constructions.pieces.forms import ball
from constructions.pieces.smooth import Smooth

Interval = tuple[Fraction | float, Fraction | float]
Side = tuple[Fraction, Fraction]
Cell = tuple[Side, ...]
PIECES = {0: 1, 1: 96, 2: 14, 3: 6, 4: 5}
# How often a piece that is not finite is halved before the function counts as undefined there, and how often where it is
# finite on one half: it may be steep at an end.
DEEPER, AT_AN_END = 4, 64
# Cells are halved so often at most while a slope is bounded by more than so many times what occurs.
STEEP, LOOSE = 200, 1.5


def value_range(g: Smooth, box: Sequence[Interval]) -> arb:
    """Enclose g(box).

    Raises:
        Refused: g could be undefined somewhere on the box.
    """
    pieces = PIECES.get(g.p, 3)
    cells = itertools.product(*(_cut(interval, pieces) for interval in box))
    return _hull(_enclosed(g, lambda *balls: g.ball(*balls), cell, 0) for cell in cells)


def slope_range(g: Smooth, interval: Interval) -> arb:
    """Enclose g' on an interval, p = 1; raises like :func:`value_range`.

    Cells where the ball is far larger than any slope at their ends are halved: a root near 0 is so steep on a part only.
    """
    def slope(ball: arb) -> arb:
        return g.series(ball, 1)[1]

    cells = _cut(interval, 64)
    found = [(_enclosed(g, slope, (cell,), 0), cell) for cell in cells]
    attained = max(float(enclosed.abs_lower()) for enclosed, _ in found)
    if max(float(enclosed.abs_upper()) for enclosed, _ in found) > LOOSE * attained:  # few functions need more than that
        attained = max(float(slope(_balls([(end, end)])[0]).abs_upper()) for end in {end for cell in cells for end in cell})
    for _ in range(STEEP):
        largest = max(range(len(found)), key=lambda k: float(found[k][0].abs_upper()))
        if not float(found[largest][0].abs_upper()) > LOOSE * attained:
            break
        _, cell = found.pop(largest)
        found += [(_enclosed(g, slope, (half,), 0), half) for half in _halved(cell)]
    return _hull(enclosed for enclosed, _ in found)


def partial_bound(g: Smooth, box: Sequence[Interval], variable: int) -> float:
    """Return an upper bound of |dg/dx_variable| on a box; raises like :func:`value_range`."""
    pieces = PIECES.get(g.p, 3)
    cells = itertools.product(*(_cut(interval, pieces) for interval in box))
    bound = _hull(_enclosed(g, lambda *balls: g.partial(variable, *balls), cell, 0) for cell in cells)
    return float(bound.abs_upper()) * (1 + 2.0**-40)


def _cut(interval: Interval, pieces: int) -> list[Side]:
    a, b = (Fraction(end) for end in interval)
    if a == b:
        return [(a, b)]
    step = (b - a) / pieces
    return [(a + k * step, a + (k + 1) * step) for k in range(pieces)]


def _balls(cell: Sequence[Side]) -> list[arb]:
    return [ball(a).union(ball(b)) for a, b in cell]


def _enclosed(g: Smooth, function: Callable[..., arb], cell: Cell, depth: int) -> arb:
    value = function(*_balls(cell))
    if value.is_finite():
        return value
    halves = list(itertools.product(*map(_halved, cell)))
    if depth == AT_AN_END or (depth >= DEEPER and not any(function(*_balls(half)).is_finite() for half in halves)):
        raise Refused(f"{g.tree} could be undefined, or has no bounded slope, where its argument is in {_shown(cell)}")
    return _hull(_enclosed(g, function, half, depth + 1) for half in halves)


def _shown(box: Sequence[Interval]) -> str:
    return " x ".join(f"[{float(a):.3g}, {float(b):.3g}]" for a, b in box)


def _halved(side: Side) -> list[Side]:
    """Halve an interval between exact ends: a ball around [0, b] reaches below 0, and its halves would."""
    return _cut(side, 2)


def _hull(values: Iterable[arb]) -> arb:
    """Return one ball around all: of the least and the largest end, since each union rounds the radius up once more."""
    found = list(values)
    return min(value.lower() for value in found).union(max(value.upper() for value in found))
