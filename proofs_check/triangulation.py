"""Squares of a grid cut into triangles along parallel diagonals, in whole numbers and fractions (mathematics: planar-average).

A knot is a pair (i, j), a place is a pair (xi_1, xi_2) of numbers in which the knots are integers. The orientation is that of
the diagonals: (i, j) to (i + 1, j + 1) for 1, (i, j + 1) to (i + 1, j) for -1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

Knot = tuple[int, int]
ZERO = Fraction(0)


def triangles(cell: Knot, orientation: int) -> tuple[tuple[Knot, ...], tuple[Knot, ...]]:
    """Return the two triangles of a cell, the ends of the diagonal last."""
    i, j = cell
    ends = ((i, j), (i + 1, j + 1)) if orientation > 0 else ((i, j + 1), (i + 1, j))
    first, second = (knot for knot in itertools.product((i, i + 1), (j, j + 1)) if knot not in ends)
    return (first, *ends), (second, *ends)


def neighbours(knot: Knot, orientation: int) -> list[Knot]:
    """Return the six knots that share an edge of a triangle with one, inside the grid or not."""
    (i, j), o = knot, orientation
    return [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1), (i + 1, j + o), (i - 1, j - o)]


def around(triangle: Iterable[Knot], orientation: int) -> set[Knot]:
    """Return the vertices of a triangle and their neighbours."""
    return {*triangle, *(near for knot in triangle for near in neighbours(knot, orientation))}


def edges(start: Knot, orientation: int, far: int = 3) -> dict[Knot, int]:
    """Return the knots at most ``far`` edges from one, with the number of edges."""
    found = {start: 0}
    for k in range(far):
        found |= {near: k + 1 for knot in list(found) for near in neighbours(knot, orientation) if near not in found}
    return found


def offsets(at: tuple[Any, Any], knot: Knot, orientation: int) -> tuple[Any, Any]:
    """Return x_i and y_j at a place."""
    return at[0] - knot[0], orientation * (at[1] - knot[1])


def hat(x: Fraction, y: Fraction) -> Fraction:
    """Return relu(1 - relu(-x) - relu(y) - relu(x - y)).

    >>> [hat(Fraction(1, 2), Fraction(k, 2)) for k in range(-1, 4)] == [0, Fraction(1, 2), Fraction(1, 2), 0, 0]
    True
    """
    return max(1 - max(-x, ZERO) - max(y, ZERO) - max(x - y, ZERO), ZERO)


def barycentric(at: tuple[Fraction, Fraction], orientation: int) -> dict[Knot, Fraction]:
    """Return the vertices of the triangle that a place is in with its barycentric coordinates, by the cell's two halves."""
    i, j = int(at[0] // 1), int(at[1] // 1)
    p, q = at[0] - i, at[1] - j
    if orientation > 0:
        corner = {(i + 1, j): p - q} if p >= q else {(i, j + 1): q - p}
        return corner | {(i, j): 1 - max(p, q), (i + 1, j + 1): min(p, q)}
    if p + q <= 1:
        return {(i, j): 1 - p - q, (i + 1, j): p, (i, j + 1): q}
    return {(i + 1, j + 1): p + q - 1, (i + 1, j): 1 - q, (i, j + 1): 1 - p}
