"""How far an average over a histogram of two coordinates is from the average itself (mathematics: planar-average).

As between knots of one coordinate (``between_knots.py``), with triangles in the place of cells. The exponent is A(v1) + B(v2),
and its interpolation on a triangle is the sum of those of A and B: chords add up. Vertices of both triangles of a cell differ by
D1, D2 and D1 + o D2, the differences of A and B along its sides: theta is the largest of these. The hats that are off at a token
are among the 4 x 4 around its cell, and count relative to the least weight there; that sum, and one over all knots, is
a product of two. Everything is convex in u1 and in u2: arrays of floats, rounded outward, at the corners of their box.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from proofs_check.enclosures.functions import exp, tanh
from proofs_check.enclosures.interval import Floats, Interval, down, maximum, quiet, up
from proofs_check.enclosures.sums import above
from proofs_check.structure.between_knots import added_up
from proofs_check.structure.exponents import Exponent, beside_chords, range_between
from proofs_check.structure.planar_exponents import PlanarExponent, PlanarValues
from proofs_check.structure.planar_hats import Grid, PlanarHistogram
from proofs_check.structure.reading import NotUnderstood

EIGHTH, QUARTER = Interval.of(0.125), Interval.of(0.25)
RING = 1  # cells around that of a token
LEAST_ADDED = 2.0**-1000  # a product with it is a normal number


@quiet
def shares_on_triangles(exponent: PlanarExponent, values: PlanarValues, used: Sequence[Fraction], histogram: PlanarHistogram,
                        delta: Mapping[int, Fraction]) -> dict[str, Fraction]:
    """Bound |sum s_i W_i / sum W_i - F| in shares, for ``used`` values s_i."""
    grid = histogram.grid
    low, high = (sum(map(Fraction, ends)) for ends in zip(*ranges(values, grid), strict=True))
    S = max(Fraction(high), *used) - min(Fraction(low), *used)
    thetas, stretch = _weights(exponent, grid.turned)
    tilt = (_apart(_square(used, grid), grid.turned) * tanh(thetas * QUARTER) + _beside_used(values, used, grid)).upper.max()
    near, all_knots = zip(*(_sums(axis) for axis in exponent.axes), strict=True)
    part = histogram.off * _finite(near[0]) * _finite(near[1])
    added = np.maximum(_square([delta[k] for k in range(len(delta))], grid).upper, LEAST_ADDED)
    lift = max(float(one @ added @ other) * above(4 * sum(added.shape)) for one in all_knots[0] for other in all_knots[1])
    return added_up(S, _finite(tilt), _finite(stretch), part, _finite(lift))


def ranges(values: PlanarValues, grid: Grid) -> list[tuple[float, float]]:
    """Enclose the values of each coordinate's part."""
    return [range_between(s, *side) for s, side in zip(values.axes, grid.sides, strict=True)]


def _weights(exponent: PlanarExponent, turned: int) -> tuple[Interval, float]:
    """Return the largest theta of each cell's triangles, and a bound of log(q_1/q_0)."""
    steps = [[_differences(axis.lines[u]) for u in axis.u] for axis in exponent.axes]
    chords = [[_ends(one) for one in axis.beside_chords()] for axis in exponent.axes]
    thetas, stretch = Interval.of(0.0), 0.0
    for a, b in itertools.product(range(2), range(2)):
        one, other = steps[0][a][:, None], steps[1][b][None, :]
        theta = maximum(maximum(abs(one), abs(other)), abs(one + other if turned > 0 else one - other))
        (low, high), (below, over) = chords[0][a], chords[1][b]
        bent = theta**2 * EIGHTH - low[:, None] - below[None, :]
        most = Interval.of(high.upper.max()) + Interval.of(over.upper.max())
        thetas, stretch = maximum(thetas, theta), max(stretch, float((Interval.of(bent.upper.max()) + most).upper))
    return thetas, stretch


def _apart(vertices: Interval, turned: int) -> Interval:
    """Bound max - min of three numbers at the vertices of a cell's triangles."""
    along, across = _difference(vertices, 1, 0), _difference(vertices, 0, 1)
    shared = vertices[1:, 1:] - vertices[:-1, :-1] if turned > 0 else vertices[1:, :-1] - vertices[:-1, 1:]
    sides = [shared, along[:, :-1], along[:, 1:], across[:-1], across[1:]]
    found = abs(sides[0])
    for one in sides[1:]:
        found = maximum(found, abs(one))
    return found


def _beside_used(values: PlanarValues, used: Sequence[Fraction], grid: Grid) -> Interval:
    """Bound |s - the interpolation of the used values| on each cell."""
    chords = [np.array([max(abs(low), abs(high)) for low, high in beside_chords(s, knots)])
              for s, knots in zip(values.axes, grid.knots, strict=True)]
    off = _square([abs(a - b) for a, b in zip(values.at(grid.knots), used, strict=True)], grid)
    at_vertices = maximum(maximum(off[:-1, :-1], off[:-1, 1:]), maximum(off[1:, :-1], off[1:, 1:]))
    return Interval.of(chords[0])[:, None] + Interval.of(chords[1])[None, :] + at_vertices


def _sums(axis: Exponent) -> tuple[float, list[Floats]]:
    """Bound the sum of e^L over the knots of a cell and its neighbours, relative to the least one of the cell, and each e^L,
    relative to the least of all; for u at either end.
    """
    near, all_knots = 0.0, list[Floats]()
    for u in axis.u:
        L = axis.lines[u]
        at = _enclosed(L)
        least = np.minimum(at.lower[:-1], at.lower[1:])
        total = Interval.of(np.zeros(len(L) - 1))
        for shift in range(-RING, RING + 2):
            cells = np.arange(max(0, -shift), min(len(L) - 1, len(L) - shift))
            terms = np.zeros(len(L) - 1)
            terms[cells] = exp(at[cells + shift] - Interval.of(least[cells])).upper
            total = total + Interval.of(terms)
        near = max(near, float(total.upper.max()))
        all_knots.append(exp(at - Interval.of(at.lower.min())).upper)
    return near, all_knots


def _differences(L: Sequence[Fraction]) -> Interval:
    return _enclosed([b - a for a, b in itertools.pairwise(L)])


def _difference(vertices: Interval, first: int, second: int) -> Interval:
    """Return the differences of neighbours along one coordinate."""
    return vertices[first:, second:] - vertices[:-1 if first else None, :-1 if second else None]


def _enclosed(numbers: Sequence[Fraction]) -> Interval:
    nearest = np.array([float(one) for one in numbers])
    return Interval(down(nearest), up(nearest))


def _ends(chords: Sequence[tuple[float, float]]) -> tuple[Interval, Interval]:
    low, high = np.array(chords).T
    return Interval.of(low), Interval.of(high)


def _square(numbers: Sequence[Fraction], grid: Grid) -> Interval:
    flat = _enclosed(numbers)
    shape = tuple(count + 1 for count in grid.cells)
    return Interval(flat.lower.reshape(shape), flat.upper.reshape(shape))


def _finite(bound: float | Floats) -> Fraction:
    if not math.isfinite(float(bound)):
        raise NotUnderstood("an average with exponential weights without a finite bound")
    return Fraction(float(bound))
