"""Ranges of polynomials on [-1, 1]^p: sharp to rounding for p = 1, to a percent or so for p = 2.

In the angle t, x = cos t, a polynomial is sum_j c_j cos(j t) with c_j its Chebyshev coefficients, and its second derivative in t
is at most sum_j j^2 |c_j|. So between two neighbours of a grid of width h in t it differs from the line through its values by
at most h^2/8 of that; in several variables the terms add up. The change of basis is exact; values are float64 with rounding.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from flint import fmpq, fmpq_mat

from proofs_check.enclosures.interval import Floats
from proofs_check.enclosures.sums import ABOVE
from proofs_check.structure.polynomial import CONSTANT, Monomial, Polynomial

Range = tuple[float, float]
POINTS = {1: 128, 2: 24, 3: 8}  # grid points for each degree of each variable
FINEST = 16_384  # cells of an axis
LARGEST_GRID = 2**24  # cells of a grid: a coarser one misses more, and says so
LARGEST_ARRAY = 2**18  # coefficients
FINER = 16  # parts of an interval that may hold the largest value
SHARP = 2.0**-46
_UNIT = 2.0**-52


def rational_down(value: fmpq) -> float:
    """Return a float at or below a rational number."""
    return math.nextafter(int(value.p) / int(value.q), -math.inf) if value else 0.0


def rational_up(value: fmpq) -> float:
    """Return a float at or above a rational number."""
    return -rational_down(-value)


@functools.lru_cache(maxsize=4096)
def polynomial_range(polynomial: Polynomial) -> Range:
    """Enclose the values on [-1, 1]^p; parts without a common variable are bounded one by one."""
    low, high = rational_down(polynomial.at_zero), rational_up(polynomial.at_zero)
    for part in independent(polynomial):
        a, b = _component_range(part)
        low, high = low + a, high + b
    return widened(low, high)


def polynomial_size(polynomial: Polynomial) -> float:
    """Bound the absolute value on [-1, 1]^p."""
    low, high = polynomial_range(polynomial)
    return max(abs(low), abs(high))


def widened(low: float, high: float) -> Range:
    """Move both ends outward by what a hundred float operations on them could have lost."""
    size = (abs(low) + abs(high)) * 2.0**-44 + 2.0**-1000
    return low - size, high + size


def independent(polynomial: Polynomial) -> list[Polynomial]:
    """Return the parts without a common variable, and without the constant."""
    groups: list[tuple[set[str], dict[Monomial, fmpq]]] = []
    for monomial, c in polynomial.terms.items():
        if monomial == CONSTANT:
            continue
        names, terms = {name for name, _ in monomial}, {monomial: c}
        apart = []
        for known, others in groups:
            if known & names:
                names, terms = names | known, {**others, **terms}
            else:
                apart.append((known, others))
        groups = [*apart, (names, terms)]
    return [Polynomial(terms) for _, terms in groups]


def _component_range(polynomial: Polynomial) -> Range:
    names = sorted(polynomial.variables)
    if len(names) == 1 and polynomial.degree(names[0]) == 1:
        size = rational_up(abs(next(iter(polynomial.terms.values()))))
        return -size, size
    if len(names) > max(POINTS) and math.prod(polynomial.degree(name) + 1 for name in names) > LARGEST_ARRAY:
        return _wide_range(polynomial)
    return series_range(*chebyshev(polynomial, names))


def _wide_range(polynomial: Polynomial) -> Range:
    """Enclose by the sizes of the Chebyshev coefficients alone, without an array of all degrees."""
    coefficients = polynomial.terms
    for name in polynomial.variables:
        changed: dict[Monomial, fmpq] = {}
        for monomial, c in coefficients.items():
            power = dict(monomial).get(name, 0)
            for j in range(power % 2, power + 1, 2):
                waves = tuple((other, j if other == name else k) for other, k in monomial if j or other != name)
                changed[waves] = changed.get(waves, fmpq(0)) + c * _to_chebyshev(power)[j, power]
        coefficients = changed
    constant = coefficients.get(CONSTANT, fmpq(0))
    around = sum(map(abs, coefficients.values()), fmpq(0)) - abs(constant)
    return rational_down(constant - around), rational_up(constant + around)


def series_range(coefficients: Floats, slack: float) -> Range:
    """Enclose sum c_J T_j1(x_1) .. T_jp(x_p) on [-1, 1]^p, for coefficients that are right to ``slack`` in the l1 norm."""
    p, sizes = coefficients.ndim, np.abs(coefficients)
    total, constant = float(sizes.sum()), float(coefficients[(0,) * coefficients.ndim])
    rounding = slack + total * (coefficients.size + 16) * 2 * _UNIT
    around = (total - abs(constant)) * ABOVE + rounding  # |T_j| <= 1
    if p > max(POINTS):
        return widened(constant - around, constant + around)
    if p == 1:
        low, high = (sign * _highest(sign * coefficients[None], lambda values: values[:, 0]) for sign in (-1.0, 1.0))
        return widened(max(low - rounding, constant - around), min(high + rounding, constant + around))
    values, missed, _ = on_angles(coefficients)
    missed += slack
    return widened(max(float(values.min()) - missed, constant - around), min(float(values.max()) + missed, constant + around))


def total_size(polynomials: Sequence[Polynomial]) -> float:
    """Bound the sum of the absolute values, those of the same variables together: they are not largest in one place."""
    groups: dict[frozenset[str], list[Polynomial]] = {}
    for polynomial in polynomials:
        groups.setdefault(polynomial.variables, []).append(polynomial)
    total = 0.0
    for names, members in groups.items():
        if len(members) > 1 and 0 < len(names) <= max(POINTS):
            order = sorted(names)
            total += summed_size([chebyshev(polynomial, order) for polynomial in members])
        else:
            total += sum(map(polynomial_size, members))
    return widened(0.0, total)[1] if groups else 0.0


def summed_size(parts: Sequence[tuple[Floats, float]]) -> float:
    """Bound the sum of the absolute values of expansions in the same variables, each right to its slack in the l1 norm."""
    slack = sum(off for _, off in parts) * (1 + 2.0**-30)
    if parts[0][0].ndim == 1:
        stack = np.array(padded([coefficients for coefficients, _ in parts]))
        rounding = float(np.abs(stack).sum()) * (stack.size + 16) * 2 * _UNIT
        return _highest(stack, lambda values: np.abs(values).sum(axis=1)) + slack + rounding
    values, missed, _ = sum_on_angles(parts)
    return float(values.max()) + missed


def padded(several: Sequence[Floats]) -> list[Floats]:
    """Return coefficients of the same shape, zeros added."""
    shape = [max(sizes) for sizes in zip(*(one.shape for one in several), strict=True)]
    return [np.pad(one, [(0, n - m) for n, m in zip(shape, one.shape, strict=True)]) for one in several]


def sum_on_angles(parts: Sequence[tuple[Floats, float]], density: int | None = None) -> tuple[Floats, float, list[Floats]]:
    """Return sum |values| on one grid for several expansions, what that may miss between its points, and the x of each axis.

    Between neighbours each expansion is within its own ``missed`` of multilinear interpolation, the sum within all of them.
    """
    shape = tuple(max(coefficients.shape[axis] for coefficients, _ in parts) for axis in range(parts[0][0].ndim))
    points = tuple(angle_points(len(shape), n - 1, density) for n in shape)
    total: Floats = np.zeros(())
    missed, axes = 0.0, list[Floats]()
    for coefficients, slack in parts:
        values, off, axes = on_angles(coefficients, points)
        total, missed = total + np.abs(values), missed + off + slack
    return total, missed * (1 + 2.0**-30), axes


def angle_points(p: int, D: int, density: int | None = None) -> int:
    """Return how many cells an axis of a grid of angles has, for degree D in p variables."""
    largest = min(FINEST, round(LARGEST_GRID ** (1 / p)))
    return min(largest, max(16, (POINTS.get(p, 8) if density is None else density) * D))


def on_angles(coefficients: Floats, points: Sequence[int] | None = None) -> tuple[Floats, float, list[Floats]]:
    """Return values on a grid of angles, how far the function may be from multilinear interpolation, the x of each axis."""
    p, sizes = coefficients.ndim, np.abs(coefficients)
    values, missed, axes = coefficients, 0.0, []
    for axis, D in enumerate(n - 1 for n in coefficients.shape):
        N = angle_points(p, D) if points is None else points[axis]
        squares = np.arange(D + 1.0) ** 2
        weighted = float((sizes * squares.reshape([-1 if a == axis else 1 for a in range(p)])).sum())
        missed += (math.pi / N) ** 2 / 8 * weighted
        values = np.tensordot(values, angles(D, N), axes=(0, 0))
        axes.append(angles(1, N)[1])
    rounding = float(sizes.sum()) * (coefficients.size + 16) * 2 * _UNIT
    return values, missed * (1 + 2.0**-30) + rounding, axes


def _highest(waves: Floats, added: Callable[[Floats], Floats]) -> float:
    """Bound from above what is made of the waves sum c_kj cos(j t) at one t: a grid that is refined where it may be largest.

    Args:
        waves: c, (waves, degrees).
        added: of values, (points, waves), one number a point; it moves no more than all waves together.
    """
    D, sizes = waves.shape[1] - 1, np.abs(waves).sum(axis=0)
    j = np.arange(D + 1.0)
    total, slope, bend = float(sizes.sum()), float((sizes * j).sum()), float((sizes * j * j).sum())
    width = math.pi / max(8, 4 * D)
    left, cosines = np.zeros(1), _first_waves(D)
    while True:
        # an angle is right to 8 units in the last place, a cosine to two
        values = added(cosines @ waves.T).reshape(len(left), -1)
        bound = np.maximum(values[:, 1:], values[:, :-1]) + (width * (1 + 2.0**-30)) ** 2 / 8 * bend
        best = float(values.max())
        if width * width * bend <= SHARP * total or bound.size > FINEST:
            return float(bound.max()) + 8 * math.pi * 2 * _UNIT * (slope + total)
        left = (left[:, None] + width * np.arange(bound.shape[1]))[bound >= best]
        width /= FINER
        cosines = np.cos(np.outer(left[:, None] + width * np.arange(FINER + 1), j))


@functools.lru_cache(maxsize=64)
def _first_waves(D: int) -> Floats:
    """Return cos(j t) at the ends of the first intervals of [0, pi]."""
    intervals = max(8, 4 * D)
    return np.asarray(np.cos(np.outer(math.pi / intervals * np.arange(intervals + 1), np.arange(D + 1.0))))


@functools.lru_cache(maxsize=64)
def angles(D: int, N: int) -> Floats:
    """Return cos(j pi i / N), (D + 1, N + 1), the angle reduced exactly first; each entry errs by less than 2^-50."""
    turns = np.outer(np.arange(D + 1), np.arange(N + 1)) % (2 * N)
    return np.asarray(np.cos(np.pi / N * turns))


def chebyshev(polynomial: Polynomial, names: Sequence[str]) -> tuple[Floats, float]:
    """Return the Chebyshev coefficients, one axis a variable, and a bound of the l1 error of their rounding."""
    degrees = [polynomial.degree(name) for name in names]
    shape = [D + 1 for D in degrees]
    flat = [fmpq(0)] * math.prod(shape)
    for monomial, c in polynomial.terms.items():
        powers, place = dict(monomial), 0
        for name, count in zip(names, shape, strict=True):
            place = place * count + powers.get(name, 0)
        flat[place] = c
    for D in degrees:  # the first axis is changed and moved to the end
        columns = len(flat) // (D + 1)
        changed = _to_chebyshev(D) * fmpq_mat(D + 1, columns, flat)
        flat = changed.transpose().entries()
    values = np.array([int(c.p) / int(c.q) for c in flat]).reshape(shape)
    return values, float(np.abs(values).sum()) * _UNIT


@functools.lru_cache(maxsize=128)
def _to_chebyshev(D: int) -> fmpq_mat:
    """Return the matrix whose column k holds the coefficients of x^k: x T_j = (T_j+1 + T_|j-1|)/2."""
    columns = [[fmpq(1)] + [fmpq(0)] * D]
    for _ in range(D):
        column = [fmpq(0)] * (D + 1)
        for j, c in enumerate(columns[-1]):
            if c:
                for i in (j + 1, abs(j - 1)):
                    column[i] += c / 2
        columns.append(column)
    return fmpq_mat(D + 1, D + 1, [columns[k][j] for j in range(D + 1) for k in range(D + 1)])
