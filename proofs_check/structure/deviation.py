"""How far a polynomial or a table is from an analytic function: a signed enclosure over a whole box.

*Polynomial* Q against K: if K is analytic and at most M on the Bernstein ellipse of radius rho in one variable, the interpolant
of degree D there errs by at most 4 M rho^-D / (rho - 1) (Trefethen 2013, theorem 8.2); one variable after the other, with
Lebesgue constants 1 + (2/pi) log(D + 1), some polynomial P* of degrees D is within ``tail`` of K. Then R = Q - P* is a
polynomial, known on a Chebyshev grid up to the tail. Its discrete expansion is computed in float64; what that misses is a
polynomial whose values on the grid are small, hence small everywhere (Ehlich and Zeller 1964: on N points, degree n, by
1 / cos(pi n / (2 N))).

*Table* against g: on a piece, their difference is within h^2/8 sup |g''| of the line through its values at the ends.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval, hull, maximum, minimum, quiet
from proofs_check.selection import Forking
from proofs_check.structure.functions import largest_on_ellipse, on_boxes
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import Range, chebyshev, on_angles, series_range, sum_on_angles, widened
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable
from proofs_check.walker import Chamber, Walker

RADII = (1.15, 1.3, 1.5, 1.75, 2.1, 2.6, 3.4, 5.0, 9.0, 20.0)
BUDGET = {1: 300, 2: 1500}
MOST_DEGREE = 400
LARGEST_GRID = 6_000_000
CELLS_A_PIECE = 32
_UNIT = 2.0**-52
# Where a slope is looked at: even parts, and ever shorter ones at both ends, where a root may be steep.
_SHORT = 2.0 ** -(np.arange(16, 128) / 2)
PARTS = np.unique(np.concatenate([np.arange(193) / 192, _SHORT, 1 - _SHORT]))


class NotAnalytic(Exception):
    """No analytic neighbourhood was found that is large enough."""


@dataclass(frozen=True)
class Near:
    """Degrees of a polynomial that is within ``tail`` of the function."""

    degrees: tuple[int, ...]
    tail: float


def polynomial_deviation(Q: Polynomial, names: Sequence[str], K: ex.Expression, box: Sequence[Variable], fine: float) -> Range:
    """Enclose Q - K on a box, x[v] = centre + half * names[v].

    Args:
        Q: polynomial in the names, each in [-1, 1].
        K: tree in x[0], .., x[p-1].
        box: scales of the x[v].
        fine: errors of this size do not matter.

    Raises:
        NotAnalytic: K has no polynomial of moderate degree near it.
    """
    expansion, beyond = difference(Q, names, K, box, fine)
    low, high = series_range(expansion, 0.0)
    return widened(low - beyond, high + beyond)


@quiet
def over_weight(expansion: Floats, beyond: float, weight: ex.Expression, box: Sequence[Variable]) -> Range:
    """Enclose (a Chebyshev expansion + something of size at most ``beyond``) / weight, cell by cell of a grid of angles.

    Raises:
        NotAnalytic: the weight is not positive.
    """
    values, missed, axes = on_angles(expansion)
    low, high = _corners(values, np.minimum), _corners(values, np.maximum)
    off = missed + beyond
    found = Interval.of(low - off, high + off) / on_cells(weight, box, axes)
    return widened(float(found.lower.min()), float(found.upper.max()))


@quiet
def sum_over_weight(parts: Sequence[tuple[Floats, float]], weight: ex.Expression, box: Sequence[Variable]) -> float:
    """Bound sum |expansion_k| / weight for Chebyshev coefficients and the l1 errors of their rounding.

    Raises:
        NotAnalytic: the weight is not positive.
    """
    values, missed, axes = sum_on_angles(parts)
    found = Interval.of(_corners(values, np.maximum) + missed) / on_cells(weight, box, axes)
    return widened(0.0, float(found.upper.max()))[1]


def _corners(values: Floats, largest: np.ufunc) -> Floats:
    """Return the largest (smallest) value at the corners of each cell."""
    for axis in range(values.ndim):
        first, second = ([slice(None)] * values.ndim for _ in range(2))
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        values = largest(values[tuple(first)], values[tuple(second)])
    return values


def on_cells(weight: ex.Expression, box: Sequence[Variable], axes: Sequence[Floats]) -> Interval:
    """Enclose a positive expression on the cells between neighbours of a grid of angles."""
    sides = []
    for v, (scale, u) in enumerate(zip(box, axes, strict=True)):
        shape = [-1 if a == v else 1 for a in range(len(box))]
        unit = Interval(np.maximum(u[1:] - 2.0**-49, -1.0).reshape(shape), np.minimum(u[:-1] + 2.0**-49, 1.0).reshape(shape))
        sides.append(Interval.constant(scale.centre) + Interval.constant(scale.half) * unit)
    divisor = on_boxes(weight, sides)
    if not float(np.min(divisor.lower)) > 0:
        raise NotAnalytic(f"{weight} is not positive")
    whole = tuple(len(u) - 1 for u in axes)
    return Interval(np.broadcast_to(divisor.lower, whole), np.broadcast_to(divisor.upper, whole))


@quiet
def difference(Q: Polynomial, names: Sequence[str], K: ex.Expression, box: Sequence[Variable],
               fine: float) -> tuple[Floats, float]:
    """Return the Chebyshev coefficients of a polynomial that is within a number of Q - K, and this number."""
    coefficients, slack = chebyshev(Q, names)
    near = _near(K, box, fine, len(names))
    top = [max(D, size - 1) for D, size in zip(near.degrees, coefficients.shape, strict=True)]
    counts = [2 * n + 2 if len(names) < 3 else math.ceil(1.25 * n) + 2 for n in top]
    if math.prod(counts) > LARGEST_GRID:
        raise NotAnalytic(f"{K} needs a grid of {math.prod(counts):.3g} points")
    tables = [cosines(n, N) for n, N in zip(top, counts, strict=True)]
    values, radius = _on_grid(K, box, counts)
    values = summed(coefficients, tables) - values
    size = float(np.abs(coefficients).sum())
    rounding = slack + radius + (size * (coefficients.size + 16) + float(np.abs(values).max())) * 4 * _UNIT
    expansion = values
    for table, N in zip(tables, counts, strict=True):
        weights = table * (2.0 / N)
        weights[0] /= 2
        expansion = np.tensordot(expansion, weights, axes=(0, 1))
    left = float(np.abs(values - summed(expansion, tables)).max())
    left += (float(np.abs(expansion).sum()) * (expansion.size + 16)) * 2 * _UNIT + rounding + near.tail
    factor = math.prod(1 / math.cos(math.pi * n / (2 * N)) for n, N in zip(top, counts, strict=True))
    return expansion, (left * factor + near.tail) * (1 + 2.0**-30)


def _near(K: ex.Expression, box: Sequence[Variable], fine: float, p: int) -> Near:
    found = []
    for v in range(p):
        rates = _rates(K, tuple(box), v, fine)
        if not rates:
            raise NotAnalytic(f"{K} could not be continued analytically around its domain")
        degree = min(_degree(rho, M, fine / 64) for rho, M in rates)
        if degree > MOST_DEGREE:
            raise NotAnalytic(f"{K} would need a polynomial of degree {degree}")
        found.append((degree, min(4 * M * rho**-degree / (rho - 1) for rho, M in rates)))
    degrees = tuple(degree for degree, _ in found)
    lebesgue = math.prod(1 + 2 / math.pi * math.log(D + 1) for D in degrees)
    return Near(degrees, sum(tail for _, tail in found) * lebesgue * (1 + 2.0**-30))


@functools.lru_cache(maxsize=64)
def _rates(K: ex.Expression, box: tuple[Variable, ...], variable: int, fine: float) -> tuple[tuple[float, float], ...]:
    """Return (rho, M) for growing ellipses, as long as a larger one is worth while."""
    found: list[tuple[float, float]] = []
    best = math.inf
    for rho in RADII:
        M = _largest_on_ellipse(K, box, variable, rho, BUDGET.get(len(box), 3000))
        if not math.isfinite(M):
            break
        found.append((rho, M))
        degree = _degree(rho, M, fine / 64)
        if degree > best:
            break
        best = degree
    return tuple(found)


_largest_on_ellipse = functools.lru_cache(maxsize=512)(largest_on_ellipse)  # the same, however fine errors matter


def _degree(rho: float, M: float, tail: float) -> int:
    return max(1, math.ceil(math.log(max(4 * M / (rho - 1) / tail, 1.0)) / math.log(rho)))


def cosines(D: int, N: int) -> Floats:
    """Return cos(pi j (2 i + 1) / (2 N)), (D + 1, N); the angle is reduced exactly, each entry errs by less than 2^-50."""
    turns = np.outer(np.arange(D + 1), 2 * np.arange(N) + 1) % (4 * N)
    return np.asarray(np.cos(np.pi / (2 * N) * turns))


def summed(coefficients: Floats, tables: Sequence[Floats]) -> Floats:
    """Return the values of an expansion on a grid, for ``tables`` of :func:`cosines`, one an axis, of any higher degree."""
    values = coefficients
    for table in tables:
        values = np.tensordot(values, table[: values.shape[0]], axes=(0, 0))
    return values


def _on_grid(K: ex.Expression, box: Sequence[Variable], counts: Sequence[int]) -> tuple[Floats, float]:
    """Return K at the Chebyshev points and a bound of the error; each point is an interval that contains the true one."""
    axes = []
    for v, (scale, N) in enumerate(zip(box, counts, strict=True)):
        shape = [-1 if a == v else 1 for a in range(len(box))]
        u = np.cos(np.pi * (2 * np.arange(N) + 1) / (2 * N)).reshape(shape)
        unit = Interval(u - 2.0**-49, u + 2.0**-49)
        axes.append(Interval.constant(scale.centre) + Interval.constant(scale.half) * unit)
    found = on_boxes(K, axes)
    lower, upper = np.broadcast_to(found.lower, counts), np.broadcast_to(found.upper, counts)
    middle = 0.5 * lower + 0.5 * upper
    radius = float(np.max(upper - lower))
    if not math.isfinite(radius):
        raise NotAnalytic(f"{K} may be undefined on its domain")
    return middle, radius


@dataclass(frozen=True)
class Placed:
    """A table as a function of t: factor * table(scale t + shift) + constant."""

    table: Table
    scale: Fraction
    shift: Fraction
    factor: Fraction
    constant: Fraction


@quiet
def table_deviation(placed: Placed, g: ex.Expression, low: float, high: float, *, relative: bool = False) -> Range:
    """Enclose table - g over low <= t <= high, or that over g(t) where g > 0.

    The cells are cut in the table's own coordinate u = scale t + shift, in which its knots are float64 numbers.
    """
    if not placed.scale or not low <= high:
        raise NotAnalytic("a table that does not follow its argument")
    left, right, value, slope = _cells(placed, low, high)
    width = Interval.of(right) - Interval.of(left)
    scale, factor, constant = (Interval.constant(q) for q in (placed.scale, placed.factor, placed.constant))
    t0, t1 = ((Interval.of(end) - Interval.constant(placed.shift)) / scale for end in (left, right))
    cell = hull(t0, t1)
    # with e = table - g on a linear piece, e'' = -g'': e lies between its chord and the chord plus h^2/8 g''
    sag = width * width * Interval.of(0.125) * _second_derivative(g, cell) / (scale * scale)
    at_left = factor * value + constant - on_boxes(g, [t0])
    at_right = factor * (value + slope * width) + constant - on_boxes(g, [t1])
    lower = minimum(at_left, at_right) + minimum(sag, Interval.of(0.0))
    upper = maximum(at_left, at_right) + maximum(sag, Interval.of(0.0))
    error = Interval.of(lower.lower, upper.upper)
    if relative:
        error = error / on_boxes(g, [cell])
    if not (np.isfinite(error.lower).all() and np.isfinite(error.upper).all()):
        raise NotAnalytic(f"{g} may be undefined, or bend without bound, on [{low:.6g}, {high:.6g}]")
    return widened(float(error.lower.min()), float(error.upper.max()))


def _cells(placed: Placed, low: float, high: float) -> tuple[Floats, Floats, Interval, Interval]:
    """Return ends of the cells in u, and the table's value at the left end and its slope, enclosed."""
    ends = sorted((placed.scale * Fraction(low) + placed.shift, placed.scale * Fraction(high) + placed.shift))
    first, last = float(Interval.constant(ends[0]).lower), float(Interval.constant(ends[1]).upper)
    pieces = placed.table.pieces(Fraction(first), Fraction(last))
    parts = max(CELLS_A_PIECE, math.ceil(1024 / len(pieces)))
    a, b = (np.array([float(piece[k]) for piece in pieces])[:, None] for k in (0, 1))
    cuts = np.minimum(a + (b - a) * (np.arange(parts + 1) / parts), b)
    cuts[:, :1], cuts[:, -1:] = a, b
    value, slope = (_enclosed([piece[k] for piece in pieces]) for k in (2, 3))
    value, slope = (Interval(one.lower[:, None], one.upper[:, None]) for one in (value, slope))
    at = value + slope * (Interval.of(cuts[:, :-1]) - Interval.of(a))
    slopes = Interval(*(np.broadcast_to(end, at.shape).ravel() for end in (slope.lower, slope.upper)))
    return cuts[:, :-1].ravel(), cuts[:, 1:].ravel(), Interval(at.lower.ravel(), at.upper.ravel()), slopes


def _second_derivative(g: ex.Expression, cell: Interval) -> Interval:
    selector = Forking({}, cell.lower.size, 0)
    walker = Walker([cell], Chamber(1, 1, 0), selector, second=True)
    bend = walker.jet(g).hessian.get((0, 0), Interval.of(np.zeros(cell.shape)))
    unknown = walker.undefined | selector.rough  # at a kink there is no second derivative
    lower, upper = (np.where(unknown, sign * np.inf, end) for sign, end in ((-1, bend.lower), (1, bend.upper)))
    return Interval(np.broadcast_to(lower, cell.shape), np.broadcast_to(upper, cell.shape))


def slope_range(g: ex.Expression, low: float, high: float, *, logarithmic: bool = False) -> Range:
    """Enclose g', or t g'(t), on an interval; infinite where it may be unbounded."""
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)):
        return -math.inf, math.inf
    even = low + (high - low) * PARTS
    ends = np.geomspace(low, high, 193) if logarithmic and low > 0 else even
    ends[0], ends[-1] = low, high
    cell = Interval(ends[:-1], np.maximum(ends[1:], ends[:-1]))
    with np.errstate(all="ignore"):
        walker = Walker([cell], Chamber(1, 1, 0), Forking({}, cell.lower.size, 0), second=False)
        slope = walker.jet(g).gradient.get(0, Interval.of(np.zeros(cell.shape)))
        slope = slope * cell if logarithmic else slope
        if walker.undefined.any():
            return -math.inf, math.inf
    return float(np.min(slope.lower)), float(np.max(slope.upper))


def _enclosed(values: Sequence[Fraction]) -> Interval:
    near = np.array([float(value) for value in values])
    return Interval(np.nextafter(near, -np.inf), np.nextafter(near, np.inf))
