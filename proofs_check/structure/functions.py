"""Analytic functions of a few variables, as trees of the target language: values on boxes, and on complex boxes.

Variables are the leaves x[0], x[1], ... Two walks of the checker's own: batched float64 intervals, and complex balls, which
are finite only where the function is analytic.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures import functions as on_intervals
from proofs_check.enclosures.interval import Interval, where
from proofs_check.structure.ranges import Range
from proofs_check.structure.variable import Variable

CONSTANT_BITS = 256
PIECES = {0: 1, 1: 192, 2: 28, 3: 12, 4: 10}


def translated(node: ex.Expression, constant: Callable[[Fraction], Any], pi: Any, functions: Mapping[str, Callable[[Any], Any]],
               power: Callable[[Any, int], Any]) -> Callable[[Sequence[Any]], Any]:
    """Translate a tree into a function of its leaves, in some arithmetic; constants are rounded once.

    Raises:
        TypeError: the tree holds a kink, a reduction, or a power that is no integer.
    """
    def function(node: ex.Expression) -> Callable[[Sequence[Any]], Any]:
        match node:
            case ex.Number(value=q):
                number = constant(q)
                return lambda _: number
            case ex.Pi():
                return lambda _: pi
            case ex.Own(coordinate=c):
                return operator.itemgetter(c)
            case ex.Apply(function="neg", argument=argument):
                u = function(argument)
                return lambda leaves: -u(leaves)
            case ex.Apply(function=name, argument=argument) if name in functions:
                u, g = function(argument), functions[name]
                return lambda leaves: g(u(leaves))
            case ex.Power(base=base, exponent=exponent) if (k := ex.rational_value(exponent)) is not None and k.denominator == 1:
                u, times = function(base), int(k)
                return lambda leaves: power(u(leaves), times)
            case ex.Binary(operator=sign, left=left, right=right) if sign in ex.ARITHMETIC:
                u, v, join = function(left), function(right), ex.ARITHMETIC[sign]
                return lambda leaves: join(u(leaves), v(leaves))
        raise TypeError(f"{node} is not an analytic function of variables")

    return function(node)


def on_boxes(tree: ex.Expression, leaves: Sequence[Interval]) -> Interval:
    """Enclose the values on boxes; the whole line where the function may be undefined."""
    found: Interval = translated(tree, Interval.constant, Interval.pi(), on_intervals.FUNCTIONS, lambda u, k: u**k)(leaves)
    return found


def value_range(tree: ex.Expression, box: Sequence[Range]) -> Range:
    """Enclose the values on one box, cut into pieces; infinite where the function may be undefined."""
    whole = on_boxes(tree, cut(box, PIECES.get(len(box), 6)))
    return float(np.min(whole.lower)), float(np.max(whole.upper))


def on_either_side(tree: ex.Expression, leaves: Sequence[Interval]) -> tuple[Interval, list[Interval]]:
    """Enclose values and slopes on boxes, kinks allowed, on either side of these; the whole line where it may be undefined."""
    from proofs_check.selection import Forking
    from proofs_check.walker import Chamber, Walker

    shape = leaves[0].shape
    walker = Walker(leaves, Chamber(1, len(leaves), 0), Forking({}, leaves[0].lower.size, 0), second=False)
    jet = walker.jet(tree)
    slopes = [jet.gradient.get(v, Interval.of(0.0)) for v in range(len(leaves))]
    value, *slopes = (where(walker.undefined, Interval.whole(shape), one) for one in (jet.value, *slopes))
    return value, slopes


def cut(box: Sequence[Range], pieces: int) -> list[Interval]:
    """Cut a box into equal parts along every axis, an unbounded one not at all; returns one interval array a variable, all of one
    shape."""
    lower, upper = [], []
    for low, high in box:
        bounded = math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)
        ends = low + (high - low) * (np.arange(pieces + 1) / pieces) if bounded else np.array([low, high])
        ends[0], ends[-1] = low, high
        lower.append(ends[:-1])
        upper.append(np.maximum(ends[1:], ends[:-1]))
    if not box:
        return []
    low_mesh, high_mesh = (np.meshgrid(*ends, indexing="ij") for ends in (lower, upper))
    return [Interval(a.ravel(), b.ravel()) for a, b in zip(low_mesh, high_mesh, strict=True)]


def continued(tree: ex.Expression) -> Callable[[Sequence[acb]], acb]:
    """Return the analytic continuation as a function of complex balls; not finite where it may fail to be analytic."""
    return translated(tree, lambda q: acb(fmpq(q.numerator, q.denominator)), acb(arb.pi()), _COMPLEX, _complex_power)


def on_complex_boxes(tree: ex.Expression, leaves: Sequence[acb]) -> acb:
    """Enclose the analytic continuation; not finite where it may fail to be analytic."""
    return continued(tree)(leaves)


def constant_ball(tree: ex.Expression) -> arb:
    """Enclose a number in the working precision; not finite where it may be undefined."""
    value = on_complex_boxes(tree, ())
    return value.real if value.imag == 0 else arb("nan")


def largest_on_ellipse(tree: ex.Expression, box: Sequence[Variable], variable: int, rho: float, budget: int) -> float:
    """Bound |K| where one variable is in the filled Bernstein ellipse of its interval, the others real; inf if undecided.

    The upper half of the ellipse is covered by rectangles, the other intervals are cut; where a cell gives nothing finite, or
    much more than the others, it is divided further, ``budget`` times at most.
    """
    import heapq

    middle, half = (arb(fmpq(q.numerator, q.denominator)) for q in (box[variable].centre, box[variable].half))
    sides = [(float(scale.interval().lower), float(scale.interval().upper)) for scale in box]
    others, at = [v for v in range(len(box)) if v != variable], continued(tree)

    @functools.cache
    def rectangle(across: Range, up: Range) -> acb:
        return acb(middle + half * _between(*across), half * _between(*up))

    @functools.cache
    def real(side: Range) -> acb:
        return acb(_between(*side))

    def bound(cell: tuple[Range, ...]) -> float:
        across, up, *rest = cell
        leaves = list(map(real, rest))
        leaves.insert(variable, rectangle(across, up))
        value = at(leaves)
        return float(abs(value).upper()) if value.is_finite() else math.inf

    heap = [(-bound(cell), cell) for cell in _cover(rho, [sides[v] for v in others])]
    heapq.heapify(heap)
    settled = sorted(-value for value, _ in heap)[len(heap) // 2]
    for _ in range(budget):
        worst, cell = heap[0]
        if -worst <= 2 * settled and math.isfinite(-worst):
            break
        heapq.heapreplace(heap, (0.0, cell))
        for part in _halved(cell):
            heapq.heappush(heap, (-bound(part), part))
    return max(-value for value, _ in heap) * (1 + 2.0**-30)


def _cover(rho: float, others: Sequence[Range]) -> list[tuple[Range, ...]]:
    A, B = (rho + 1 / rho) / 2 * (1 + 2.0**-40), (rho - 1 / rho) / 2 * (1 + 2.0**-40)
    xs, ys = np.linspace(-A, A, 9), np.linspace(0.0, B, 3)
    cells = []
    for (a, b), (c, e) in itertools.product(itertools.pairwise(xs), itertools.pairwise(ys)):
        nearest = 0.0 if a <= 0 <= b else min(abs(a), abs(b))
        if (nearest / A) ** 2 + (c / B) ** 2 <= 1 + 1e-9:
            cells.append(((float(a), float(b)), (float(c), float(e))))
    parts = [[(low + (high - low) * k / 4, low + (high - low) * (k + 1) / 4) for k in range(4)] for low, high in others]
    parts = [[*p[:-1], (p[-1][0], side[1])] for p, side in zip(parts, others, strict=True)]
    return [(*cell, *rest) for cell in cells for rest in itertools.product(*parts)]


def _halved(cell: tuple[Range, ...]) -> list[tuple[Range, ...]]:
    sides = [high - low for low, high in cell]
    widest = max(range(len(cell)), key=sides.__getitem__)
    low, high = cell[widest]
    middle = (low + high) / 2
    return [(*cell[:widest], part, *cell[widest + 1:]) for part in ((low, middle), (middle, high))]


def _between(a: float, b: float) -> arb:
    return arb(a).union(arb(b))


def _complex_power(u: acb, k: int) -> acb:
    if k < 0:
        return acb(1) / _complex_power(u, -k)
    if k == 0:
        return acb(1)
    if k == 1:
        return u
    if k % 2:
        return u * _complex_power(u, k - 1)
    square = acb(_square(u.real) - _square(u.imag), 2 * u.real * u.imag)  # each square is sharp at 0
    return square if k == 2 else _complex_power(square, k // 2)


def _square(u: arb) -> arb:
    ends = arb(u.lower()) * arb(u.lower()), arb(u.upper()) * arb(u.upper())
    both = ends[0].union(ends[1])
    return both.union(arb(0)) if u.contains(0) else both


def _tanh(u: acb) -> acb:
    e = (-2 * u).exp() if u.real >= 0 else (2 * u).exp()
    return (1 - e) / (1 + e) if u.real >= 0 else (e - 1) / (e + 1)


_COMPLEX: Mapping[str, Callable[[acb], acb]] = {
    "exp": acb.exp, "log": lambda u: u.log(analytic=True), "sqrt": lambda u: u.sqrt(analytic=True), "sin": acb.sin,
    "cos": acb.cos, "tanh": _tanh, "sigmoid": lambda u: (_tanh(u / 2) + 1) / 2}
