"""Chebyshev expansions on boxes, with a proved bound of what they miss.

Existence: if g continues analytically, bounded by M, to the Bernstein ellipse of radius rho in one variable (the others real),
the interpolant of degree D at Chebyshev points errs by at most 4 M rho^-D / (rho - 1) (Trefethen 2013, theorem 8.2); for
several variables the errors add up with Lebesgue constants 1 + (2/pi) log(D + 1) between them. So *some* polynomial of degree D
is within ``tail`` of g. Any polynomial P of that degree is then compared with g on a grid of N > D Chebyshev points a variable:

    max |g - P| <= tail + (max over the grid of |g - P| + tail) / prod cos(pi D / (2 N))      (Ehlich and Zeller 1964).
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb

from constructions.errors import Refused
from constructions.pieces.forms import ball, size, upward
from constructions.pieces.polynomials import chebyshev_coefficients
from constructions.pieces.smooth import Smooth
from constructions.targets import expression as ex
from constructions.targets.ball_arrays import BallArray

Box = Sequence[tuple[Fraction, Fraction]]
Rectangle = tuple[float, float, float, float]
Cell = tuple[Any, ...]  # a rectangle (a, b, c, e) of the complex variable, then a side for each other one
Side = tuple[Fraction, Fraction, acb]  # its ends, and the ball around them
RADII = (1.1, 1.2, 1.35, 1.5, 1.75, 2.1, 2.6, 3.5, 5.5, 10.0, 25.0)
OVERSAMPLING = 8  # the proof loses 1/cos(pi/16) = 1.02 a variable
REAL_PIECES = {0: 1, 1: 6, 2: 4, 3: 4}
BUDGET = {1: 200, 2: 1500}  # balls spent where the first cover does not decide, by number of variables
LARGE_BUDGET = 3000
SETTLED = 0.8


@dataclass(frozen=True, eq=False)
class Expansion:
    """P(t) = sum_j c_j T_j(u(t)), u the affine map of the box to [-1, 1]^p; proved: |g - P| <= error on the box."""

    coefficients: np.ndarray
    box: tuple[tuple[Fraction, Fraction], ...]
    error: float


@dataclass(frozen=True)
class Degrees:
    """Degrees of a polynomial within ``tail`` of the function, whose existence is proved."""

    degrees: tuple[int, ...]
    tail: float


def expand(g: Smooth, box: Box, tolerance: float, max_degree: int = 64) -> Expansion:
    """Return a polynomial of one variable of low degree with a proved error at most the tolerance.

    Raises:
        Refused: no analytic neighbourhood of the interval was found, or the degree would exceed ``max_degree``.
    """
    if not tolerance > 0 or g.p != 1:
        raise Refused(f"an expansion needs one variable and a tolerance > 0, got {g.p} and {tolerance}")
    exact = _of_polynomial(g, box, tolerance, max_degree)
    if exact is not None:
        return exact
    near = nearby(g, box, tolerance / 100, 4 * max_degree)
    grid = Grid.of(g, box, near)
    full = grid.coefficients()
    tail = np.cumsum(np.abs(full)[::-1])[::-1]
    tiny = tolerance * 1e-4 / (len(full) + 1)
    first = next((D for D in range(len(full)) if len(full) == D + 1 or 0.5 * tail[D + 1] <= tolerance), len(full) - 1)
    for D in range(first, min(len(full) - 1, max_degree) + 1):
        kept = np.where(np.abs(full[: D + 1]) > tiny, full[: D + 1], 0.0)
        error = grid.error(kept)
        if error <= tolerance:
            return Expansion(_trimmed(kept), tuple(box), error)
    raise Refused(f"{g.tree} needs a polynomial of degree above {min(len(full) - 1, max_degree)} for {tolerance:.3g}")


def _of_polynomial(g: Smooth, box: Box, tolerance: float, max_degree: int) -> Expansion | None:
    """Return the expansion of a polynomial, which misses what is cut off and what rounding changes: both by exact sums.

    None if g is none, or if a grid might show a lower degree to do.
    """
    exact = chebyshev_coefficients(g.tree, box[0], max_degree)
    if exact is None:
        return None
    rounded = np.array([float(c) for c in exact])
    beyond = [*np.cumsum(np.abs(rounded)[:0:-1])[::-1], 0.0]  # after each degree
    D = next(D for D in range(len(rounded)) if beyond[D] <= tolerance / 2)
    if D and 0.5 * beyond[D - 1] <= tolerance:
        return None
    changed = [abs(c - Fraction(float(r))) for c, r in zip(exact, rounded[: D + 1], strict=False)]
    missed = sum((*changed, *map(abs, exact[D + 1:])), Fraction(0))
    error = upward(float(missed)) if missed else 0.0
    return Expansion(_trimmed(rounded[: D + 1]), tuple(box), error) if error <= tolerance else None


def nearby(g: Smooth, box: Box, tail: float, largest: int) -> Degrees:
    """Find degrees for which a polynomial within ``tail`` of g on the box exists.

    Raises:
        Refused: g has no analytic continuation around the box, or a degree would exceed ``largest``.
    """
    p = len(box)
    options = [_options(g, tuple(box), v) for v in range(p)]
    degrees = [4] * p
    for _ in range(4):
        lebesgue = math.prod(1 + 2 / math.pi * math.log(D + 1) for D in degrees)
        degrees = [_degree(g, rates, tail / (p * lebesgue), largest) for rates in options]
    lebesgue = math.prod(1 + 2 / math.pi * math.log(D + 1) for D in degrees)
    missed = [min(4 * M * rho**-D / (rho - 1) for rho, M in rates) for rates, D in zip(options, degrees, strict=True)]
    return Degrees(tuple(degrees), upward(sum(missed) * lebesgue * (1 + 2.0**-30)))


def _degree(g: Smooth, rates: Sequence[tuple[float, float]], tail: float, largest: int) -> int:
    best = math.inf
    for rho, M in rates:
        best = min(best, max(1.0, math.log(max(4 * M / (rho - 1) / tail, 1.0)) / math.log(rho)))
    if best > largest:
        raise Refused(f"{g.tree} has a singularity so close to its domain that an expansion to {tail:.2g} would have degree "
                      f"{best:.0f}, more than {largest}")
    return math.ceil(best)


@functools.lru_cache(maxsize=256)
def _options(g: Smooth, box: Box, variable: int) -> list[tuple[float, float]]:
    """Return (rho, M) for ellipses around one variable's interval inside which g is analytic and at most M."""
    found: list[tuple[float, float]] = []
    for rho in RADII:
        M = _largest(g, box, variable, rho)
        if not math.isfinite(M) or M > 1e200:
            break
        found.append((rho, M))
    if not found:
        raise Refused(f"{g.tree} could not be continued analytically around its domain")
    return found


def _largest(g: Smooth, box: Box, variable: int, rho: float) -> float:
    """Bound |g| on the filled ellipse of one variable times the intervals of the others; inf where it may not be analytic."""
    reduced = in_differences(g)
    if reduced is not None:
        sides, c, cover = _differences(box, variable, rho)
        return _largest_on(*_first(reduced, sides, c), tuple(cover), Fraction(0), Fraction(1))
    low, high = box[variable]
    return _largest_on(g, tuple(box), variable, tuple(_cover(rho)), (low + high) / 2, (high - low) / 2)


def _first(k: Smooth, sides: Box, c: int) -> tuple[Smooth, Box, int]:
    """Exchange variable c and the first one and sort sums and products, so that kernels equal up to this are seen to be."""
    order = [c if v == 0 else 0 if v == c else v for v in range(k.p)]

    def visit(node: ex.Expression) -> ex.Expression:
        if isinstance(node, ex.Own):
            return ex.Own(order[node.coordinate])
        node = ex.mapped(node, visit)
        if isinstance(node, ex.Binary) and node.operator in "+*" and str(node.left) > str(node.right):
            return ex.Binary(node.operator, node.right, node.left)
        return node

    return Smooth(visit(k.tree), k.p), tuple(sides[v] for v in order), 0


@functools.lru_cache(maxsize=512)
def _largest_on(g: Smooth, box: Box, variable: int, cover: Sequence[Rectangle], centre: Fraction, radius: Fraction) -> float:
    middle, half = ball(centre), ball(radius)
    others = [v for v in range(len(box)) if v != variable]
    pieces = REAL_PIECES.get(len(others), 1)
    real = [[_part(box[v], k, pieces) for k in range(pieces)] for v in others]
    budget = BUDGET.get(len(box), LARGE_BUDGET)

    @functools.cache  # most cells share all sides but one with others
    def rectangle(a: float, b: float, c: float, e: float) -> acb:
        return acb(middle + half * arb(a).union(arb(b)), half * arb(c).union(arb(e)))

    def bound(cell: Cell) -> float:
        complex_side, *sides = cell
        arguments = [values for _, _, values in sides]
        arguments.insert(variable, rectangle(*complex_side))
        value = g.complex(*arguments)
        return size(value.abs_upper()) if value.is_finite() else math.inf

    # the worst cell first: halved until its bound is not far above the largest of the smaller cells around it
    heap = [(-bound(cell), k, cell) for k, cell in enumerate(itertools.product(cover, *real))]
    heapq.heapify(heap)
    for k in range(budget):
        above, _, cell = heapq.heappop(heap)
        halves = [(-bound(part), len(box) * budget + 2 * k + side, part) for side, part in enumerate(_halves(box, others, cell))]
        for half_cell in halves:
            heapq.heappush(heap, half_cell)
        if math.isfinite(above) and -min(halves)[0] > SETTLED * -above:
            break
    return -heap[0][0]


def in_differences(g: Smooth) -> Smooth | None:
    """Return k with g(x, y) = k(y - x) where the tree shows it, for twice as many variables as k has; else None."""
    q, rest = divmod(g.p, 2)

    def visit(node: ex.Expression) -> ex.Expression:
        match node:
            case ex.Binary(operator="-", left=ex.Own(coordinate=i), right=ex.Own(coordinate=j)) if i == j + q:
                return ex.Own(j)
            case ex.Binary(operator="-", left=ex.Own(coordinate=i), right=ex.Own(coordinate=j)) if j == i + q:
                return ex.Apply("neg", ex.Own(i))
            case ex.Own():
                raise LookupError
        return ex.mapped(node, visit)

    try:
        return Smooth(visit(g.tree), q) if q and not rest else None
    except LookupError:
        return None


def _differences(box: Box, variable: int, rho: float) -> tuple[Box, int, list[Rectangle]]:
    """Return the box of the differences y - x, and rectangles that cover the one whose x or y is on the filled ellipse."""
    q = len(box) // 2
    sides = tuple((box[c + q][0] - box[c][1], box[c + q][1] - box[c][0]) for c in range(q))
    c, grown = variable % q, (box[variable][1] - box[variable][0]) / 2
    A, B = (rho + 1 / rho) / 2 * (1 + 1e-12), (rho - 1 / rho) / 2 * (1 + 1e-12)
    low, high = float(sides[c][0]) - float(grown) * (A - 1) - 1e-12, float(sides[c][1]) + float(grown) * (A - 1) + 1e-12
    xs, ys = np.linspace(low, high, 13), np.linspace(0, float(grown) * B, 3)
    cells = itertools.product(itertools.pairwise(xs), itertools.pairwise(ys))
    return sides, c, [(float(a), float(b), float(e), float(f)) for (a, b), (e, f) in cells]


def _halves(box: Box, others: Sequence[int], cell: Cell) -> list[Cell]:
    """Halve the relatively widest side."""
    (a, b, c, e), *real = cell
    sides = [box[v][1] - box[v][0] for v in others]
    widths = [(b - a) / 2, (e - c) / 2, *(float((high - low) / side) for (low, high, _), side in zip(real, sides, strict=True))]
    widest = max(range(len(widths)), key=widths.__getitem__)
    if widest == 0:
        return [((a, (a + b) / 2, c, e), *real), (((a + b) / 2, b, c, e), *real)]
    if widest == 1:
        return [((a, b, c, (c + e) / 2), *real), ((a, b, (c + e) / 2, e), *real)]
    low, high, _ = real[widest - 2]
    parts = []
    for part in ((low, (low + high) / 2), ((low + high) / 2, high)):
        changed = list(real)
        changed[widest - 2] = _side(*part)
        parts.append((cell[0], *changed))
    return parts


def _part(interval: tuple[Fraction, Fraction], k: int, pieces: int) -> Side:
    a, b = interval
    return _side(a + (b - a) * k / pieces, a + (b - a) * (k + 1) / pieces)


def _side(low: Fraction, high: Fraction) -> Side:
    return low, high, acb(ball(low).union(ball(high)))


def _cover(rho: float, columns: int = 10, rows: int = 3) -> list[Rectangle]:
    """Cover the upper half of the filled ellipse in u-coordinates by rectangles; |g| is the same in the lower half."""
    A, B = (rho + 1 / rho) / 2 * (1 + 1e-12), (rho - 1 / rho) / 2 * (1 + 1e-12)
    xs, ys = np.linspace(-A, A, columns + 1), np.linspace(0, B, rows + 1)
    cells = []
    for a, b in itertools.pairwise(xs):
        for c, e in itertools.pairwise(ys):
            nearest = 0.0 if a <= 0 <= b else min(abs(a), abs(b))
            if (nearest / A) ** 2 + (c / B) ** 2 <= 1 + 1e-9:
                cells.append((float(a), float(b), float(c), float(e)))
    return cells


@dataclass(frozen=True, eq=False)
class Grid:
    """Values of g on a Chebyshev grid fine enough to bound polynomials of the proved degrees.

    Attributes:
        values: midpoints, shape (N_1, .., N_p); ``radius`` bounds their distance from g at the exact grid points.
        cosines: T_j at the exact points of each axis, (D_v + 1, N_v), right to 2^-48.
    """

    values: np.ndarray
    radius: float
    near: Degrees
    counts: tuple[int, ...]
    cosines: tuple[np.ndarray, ...]

    @staticmethod
    def of(g: Smooth, box: Box, near: Degrees, oversampling: float = OVERSAMPLING, extra: int = 0) -> Grid:
        """Evaluate g on the grid, in float64 balls."""
        counts = tuple(max(2, math.ceil(oversampling * D) + extra) for D in near.degrees)
        axes = [_nodes(interval, N) for interval, N in zip(box, counts, strict=True)]
        mesh = np.meshgrid(*(axis.mid for axis in axes), indexing="ij", sparse=True)
        values = g.balls([BallArray(m, np.asarray(axis.rad.max())) for m, axis in zip(mesh, axes, strict=True)])
        middle, radius = np.broadcast_to(values.mid, counts), float(np.max(values.rad))
        if not math.isfinite(radius):
            raise Refused(f"{g.tree} is not finite on its domain")
        tables = tuple(cosines(D, N) for D, N in zip(near.degrees, counts, strict=True))
        return Grid(np.array(middle), upward(radius), near, counts, tables)

    def coefficients(self) -> np.ndarray:
        """Return the coefficients of the discrete expansion, rounded; a proposal, not a bound."""
        result = self.values
        for table, N in zip(self.cosines, self.counts, strict=True):
            weights = 2.0 / N * table
            weights[0] /= 2
            result = np.tensordot(result, weights, axes=(0, 1))
        return result

    def at_grid(self, coefficients: np.ndarray) -> np.ndarray:
        """Evaluate a coefficient array of degrees at most the proved ones."""
        result = coefficients
        for table in self.cosines:
            result = np.tensordot(result, table[: result.shape[0]], axes=(0, 0))
        return result

    def error(self, coefficients: np.ndarray) -> float:
        """Bound sup |g - P| over the box for any coefficients of at most the proved degrees."""
        return self.bound(self.at_grid(coefficients), float(np.abs(coefficients).sum()), coefficients.size)

    def bound(self, at_grid: np.ndarray, scale: float, terms: int) -> float:
        """Bound sup |g - P| from float values of P at the grid; ``scale`` is the l1 norm of its coefficients."""
        rounding = scale * (2.0**-47 * len(self.counts) + (terms + 8) * 2.0**-52)
        gap = float(np.abs(self.values - at_grid).max()) * (1 + 2.0**-50) + self.radius + rounding
        return upward(self.near.tail + (gap + self.near.tail) * self.factor * (1 + 2.0**-30))

    @property
    def factor(self) -> float:
        """The factor of Ehlich and Zeller."""
        return math.prod(1 / math.cos(math.pi * D / (2 * N)) for D, N in zip(self.near.degrees, self.counts, strict=True))


def _nodes(interval: tuple[Fraction, Fraction], N: int) -> BallArray:
    """Enclose the Chebyshev points cos(pi (2 i + 1)/(2 N)) mapped to an interval."""
    a, b = (float(end) for end in interval)
    u = np.cos(np.pi * (2 * np.arange(N) + 1) / (2 * N))
    slack = 2.0**-49 * (abs(a) + abs(b) + abs(b - a))
    return BallArray((a + b) / 2 + (b - a) / 2 * u, np.full(N, slack))


def cosines(D: int, N: int) -> np.ndarray:
    """Return cos(pi j (2 i + 1)/(2 N)), the angle reduced exactly first, so that each entry errs by less than 2^-50."""
    turns = np.outer(np.arange(D + 1), 2 * np.arange(N) + 1) % (4 * N)
    return np.asarray(np.cos(np.pi / (2 * N) * turns))


def _trimmed(coefficients: np.ndarray) -> np.ndarray:
    last = int(np.max(np.nonzero(coefficients)[0], initial=0))
    return coefficients[: last + 1]
