"""Piecewise-linear tables with equal errors, not equal spacing (mathematics: interpolation-error)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, ctx, fmpq

from constructions.errors import Refused
from constructions.pieces.forms import ends, upward
from constructions.pieces.polynomials import from_float
from constructions.pieces.smooth import Smooth

MAX_KNOTS = 10_000
# The grid is refined until no cell has more than so many times its share of the pieces, which takes longer where a root is steep.
UNEVEN, MOST_REFINED = 4.0, 20
FINE = 2048
FEW = 64
REFINED = 8
HALVED = 8  # how often a piece is
ATTEMPTS = 12
CELLS_A_PIECE = 16
BETTER = 4.0  # hinges that look the other way have to add up to so much less


@dataclass(frozen=True, eq=False)
class Table:
    """t -> base + sum_j weights[j] relu(t - knots[j]), with float64 numbers used as they are.

    Attributes:
        knots: (m,) increasing; the first is at or below the interval.
        lower, upper: proved, lower <= (table - g)/omega <= upper on the interval.
    """

    base: float
    knots: np.ndarray
    weights: np.ndarray
    lower: float
    upper: float

    @property
    def units(self) -> int:
        """Number of hidden units."""
        return len(self.knots)

    def mass(self, last: float) -> float:
        """Return about how much its hinges add up to without their signs, at most: what rounding is in proportion to."""
        return float(np.abs(self.weights) @ np.maximum(last - self.knots, 0.0))

    def values(self, last: float) -> list[Fraction]:
        """Return the exact values at the knots and at one more point beyond them."""
        value, slope = Fraction(self.base), Fraction(0)
        result = [value]
        points = [Fraction(float(t)) for t in (*self.knots, last)]
        for weight, (a, b) in zip(self.weights, itertools.pairwise(points), strict=True):
            slope += Fraction(float(weight))
            value += slope * (b - a)
            result.append(value)
        return result


def conditioned(table: Table, last: float) -> tuple[Table, int]:
    """Return the table and 1, or its mirror image and -1 where the hinges of that add up to much less.

    A root is steep at its left end. Hinges that start there carry the steepest slope to the other end, where others take it back;
    relu(knot - t) with the same knots has ended where the root is flat.
    """
    ends_at = abs(float(table.weights.sum())) * (last - float(table.knots[0]))
    mirrored = ends_at + float(np.abs(table.weights[1:]) @ (table.knots[1:] - table.knots[0]))
    return (_mirrored(table, last), -1) if BETTER * mirrored < table.mass(last) else (table, 1)


def _mirrored(table: Table, last: float) -> Table:
    """Return the table in s = -t, its bounds wider by what rounding base and weights changes: a maximum over the knots, exact."""
    knots = -np.append(table.knots, last)[::-1]
    points, values = [Fraction(float(s)) for s in knots], table.values(last)[::-1]
    slopes = [(v - u) / (t - s) for (s, t), (u, v) in zip(itertools.pairwise(points), itertools.pairwise(values), strict=True)]
    weights = np.array([float(slopes[0]), *(float(after - before) for before, after in itertools.pairwise(slopes))])
    image = Table(float(values[0]), knots[:-1], weights, table.lower, table.upper)
    changed = upward(max(abs(float(v - u)) for u, v in zip(values, image.values(float(knots[-1])), strict=True)))
    return Table(image.base, image.knots, weights, -upward(changed - table.lower), upward(changed + table.upper))


def predicted_units(g: Smooth, a: float, b: float, tolerance: float, weight: Smooth | None = None) -> float:
    """Return about how many pieces are needed: the integral of sqrt(|g''| / (16 tolerance omega))."""
    return float(_density(g, a, b, weight, tolerance)[1][-1])


def interpolate(g: Smooth, a: float, b: float, tolerance: float, *, weight: Smooth | None = None,
                max_knots: int = MAX_KNOTS) -> Table:
    """Return a table with |table - g| <= tolerance * omega on [a, b], omega = 1 or the weight, with few knots.

    Knots have equal density against sqrt(|g''|/omega), so all pieces err alike; values at knots are moved by half the error of
    their neighbourhood, -h^2 g''/16, which halves the largest error (for g convex or concave, nearly elsewhere).

    Raises:
        Refused: g'' is not bounded on [a, b], or more than ``max_knots`` would be needed.
    """
    if not tolerance > 0 or not a < b:
        raise Refused(f"a table of {g.tree} needs a tolerance > 0 and an interval, got {tolerance} on [{a}, {b}]")
    grid, cumulated = _density(g, a, b, weight, tolerance)
    pieces = max(1, math.ceil(cumulated[-1]))
    if not np.all(np.isfinite(g.numpy(grid[:, None]))):
        raise Refused(f"{g.tree} is not finite in float64 on [{a:.6g}, {b:.6g}]")
    unbounded: Refused | None = None
    for attempt in range(ATTEMPTS):
        if pieces > max_knots:
            raise Refused(f"{g.tree} to within {tolerance:.3g} needs more than {max_knots} hinges")
        try:
            table = _certified(g, weight, _table(g, grid, cumulated, pieces, a, b), b, tolerance)
        except Refused as refused:  # balls of long pieces may show no bound although there is one
            unbounded = unbounded or refused
            if pieces > FEW:
                raise unbounded from None
            pieces *= 2
            continue
        if max(-table.lower, table.upper) <= tolerance:
            return table
        least = 1 if attempt < ATTEMPTS / 2 else pieces // 32  # the worst piece may hardly become shorter
        pieces = max(pieces + least, math.ceil(pieces * min(1.5, math.sqrt(max(-table.lower, table.upper) / tolerance))))
    raise Refused(f"no table of {g.tree} reaches {tolerance:.3g} on [{a:.6g}, {b:.6g}]; the best had an error of "
                  f"{max(-table.lower, table.upper):.3g}")


def _density(g: Smooth, a: float, b: float, weight: Smooth | None, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return points and the number of pieces needed up to each, on a grid refined where they are dense."""
    grid = np.linspace(a, b, FINE + 1) if a <= 0 or b < 16 * a else np.geomspace(a, b, FINE + 1)
    grid[0], grid[-1] = a, b
    for refined in range(MOST_REFINED):
        cumulated = _pieces(g, grid, weight, tolerance)
        if not np.isfinite(cumulated[-1]):
            raise Refused(f"{g.tree} is not finite on [{a:.6g}, {b:.6g}]")
        if cumulated[-1] <= 0:
            return grid, np.zeros(len(grid))
        cells = max(FINE, CELLS_A_PIECE * math.ceil(min(cumulated[-1], MAX_KNOTS)))
        if refined >= 3 and np.diff(cumulated).max() * cells <= UNEVEN * cumulated[-1]:
            break
        mixed = cumulated / cumulated[-1] + (grid - a) / (b - a)
        grid = np.interp(np.linspace(0, 2, cells + 1), mixed, grid)
        grid[0], grid[-1] = a, b
    return grid, cumulated


def _pieces(g: Smooth, grid: np.ndarray, weight: Smooth | None, tolerance: float) -> np.ndarray:
    """Integrate 1/h, h the length of a piece that errs by the tolerance: from g'', around inflections from its slope."""
    values = g.numpy(grid[:, None])
    step = np.diff(grid)
    bend = np.diff(np.diff(values) / step) / ((step[1:] + step[:-1]) / 2)
    noise = 2.0**-50 * np.abs(values).max() / np.minimum(step[1:], step[:-1]) ** 2
    bend = np.where(np.abs(bend) > noise, bend, 0.0)
    bend = np.concatenate([bend[:1], bend, bend[-1:]])
    allowed = tolerance if weight is None else tolerance * weight.numpy(grid[:, None])
    third = np.abs(np.gradient(bend, grid))
    # h^2 |second| = 16 tolerance; where the second derivative vanishes, h^3 |third| = 60 tolerance
    density = np.maximum(np.sqrt(np.abs(bend) / (16 * allowed)), np.cbrt(third / (60 * allowed)) * (np.abs(bend) > 0))
    return np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * step)])


def _table(g: Smooth, grid: np.ndarray, cumulated: np.ndarray, pieces: int, a: float, b: float) -> Table:
    if cumulated[-1] > 0:
        knots = np.interp(np.linspace(0, cumulated[-1], pieces + 1), cumulated, grid)
    else:
        knots = np.linspace(a, b, pieces + 1)
    knots[0], knots[-1] = a, b
    values = g.numpy(knots[:, None])
    middle = g.numpy(((knots[1:] + knots[:-1]) / 2)[:, None])
    sag = (values[1:] + values[:-1]) / 2 - middle  # h^2 g''/8 on each piece
    shift = np.concatenate([sag[:1], (sag[1:] + sag[:-1]) / 2, sag[-1:]]) / 2
    slopes = np.diff(values - shift) / np.diff(knots)
    weights = np.concatenate([slopes[:1], np.diff(slopes)])
    return Table(float(values[0] - shift[0]), knots[:-1].copy(), weights, -math.inf, math.inf)


def _refined(points: list[float], values: list[fmpq], parts: int) -> tuple[list[float], list[fmpq]]:
    """Cut every piece of a piecewise-linear function into parts; a weight varies over a piece, and less over a part."""
    if parts == 1:
        return points, values
    fine, exact = [points[0]], [values[0]]
    for (s, t), (u, v) in zip(itertools.pairwise(points), itertools.pairwise(values), strict=True):
        slope = (v - u) / (from_float(t) - from_float(s))
        for k in range(1, parts):
            middle = s + (t - s) * k / parts
            fine.append(middle)
            exact.append(u + slope * (from_float(middle) - from_float(s)))
        fine.append(t)
        exact.append(v)
    return fine, exact


def _certified(g: Smooth, weight: Smooth | None, table: Table, last: float, tolerance: float) -> Table:
    """Enclose the error piece by piece, of parts of a piece where its ends show little of what is between: a root is steep there.

    On [s, t] with middle m, table - g = (linear interpolation of its values at the ends) + (x - s)(t - x) g[s, x, t]. The
    divided difference has the slope g[s, x, x, t], a third of a half of a third derivative, so it is g[s, m, t], which three
    values give, plus at most |x - m| sup|third derivative|/6; and |x - m| (x - s)(t - x) <= h^3/(12 sqrt 3).
    """
    values = [fmpq(value.numerator, value.denominator) for value in table.values(last)]
    points, values = _refined([float(t) for t in (*table.knots, last)], values, 1 if weight is None else REFINED)
    low, high = math.inf, -math.inf
    with ctx.workprec(106):  # second differences of values lose half the digits
        at = [g.ball(arb(t)) for t in points]
        twisted = 1 / (12 * arb(3).sqrt())
        ends_of = zip(itertools.pairwise(points), itertools.pairwise(values), itertools.pairwise(at), strict=True)
        pieces = [(*places, *held, *exact, 0) for places, held, exact in ends_of]
        while pieces:
            s, t, u, v, at_s, at_t, depth = pieces.pop()
            h, piece, m = arb(t) - arb(s), arb(s).union(arb(t)), (s + t) / 2
            sag = at_s + at_t - 2 * g.ball((arb(s) + arb(t)) / 2)  # h^2/2 g[s, m, t]
            twist = (g.series(piece, 3)[3] * h**3 * twisted).abs_upper()
            error = (arb(u) - at_s).union(arb(v) - at_t) + (sag / 2).union(arb(0)) + arb(0, twist)
            if weight is not None:
                error = error / weight.ball(piece)
            twisty = not error.is_finite() or (8 * twist > sag.abs_upper() and error.abs_upper() > tolerance)
            if twisty and depth < HALVED and s < m < t:
                middle, at_m = u + (v - u) * (from_float(m) - from_float(s)) / (from_float(t) - from_float(s)), g.ball(arb(m))
                pieces += [(m, t, middle, v, at_m, at_t, depth + 1), (s, m, u, middle, at_s, at_m, depth + 1)]
                continue
            if not error.is_finite():
                raise Refused(f"the curvature of {g.tree} is not bounded on [{s:.6g}, {t:.6g}]")
            below, above = ends(error)
            low, high = min(low, below), max(high, above)
    return Table(table.base, table.knots, table.weights, -upward(-low), upward(high))
