"""Domain boxes and the grid of the discretised construction (mathematics: quantiser-covers).

Inner cell boundaries are *representable* numbers: the exact rational a + j (b-a)/N is rounded once, and the rounded number is
the weight. Nothing is approximated afterwards: the sign of x - t computed in floating point is the sign of
the real difference (one rounding keeps the sign), so the quantiser network run in floating point is the quantiser of the
proof for every floating-point token. The mesh is then uneven in the last bit, and :attr:`Grid.radius` is the exact radius.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from constructions.errors import BadInput, Refused
from constructions.number_formats import NumberFormat


@dataclass(frozen=True)
class Box:
    """The domain of one token: a closed box with exact rational ends, ``lower[c] < upper[c]``."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        for a, b in self.sides:
            if not a < b:
                raise BadInput(f"domain {a},{b}: expected LO < HI")

    @property
    def d(self) -> int:
        """Number of token coordinates."""
        return len(self.lower)

    @property
    def sides(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """The interval of each coordinate."""
        return tuple(zip(self.lower, self.upper, strict=True))

    @staticmethod
    def parse(text: str, d: int) -> Box:
        """Read ``LO,HI`` (the same for all coordinates) or ``LO,HI;LO,HI;..`` (one pair a coordinate), exactly.

        >>> Box.parse("0,1", 2).upper
        (Fraction(1, 1), Fraction(1, 1))
        """
        pairs = [part.split(",") for part in text.split(";")]
        if len(pairs) == 1:
            pairs = pairs * d
        if len(pairs) != d or any(len(pair) != 2 for pair in pairs):
            raise BadInput(f"domain {text!r}: expected LO,HI or {d} such pair{'s' * (d > 1)} separated by ';'")
        ends = [(parse_rational(lo, "domain end"), parse_rational(hi, "domain end")) for lo, hi in pairs]
        return Box(tuple(lo for lo, _ in ends), tuple(hi for _, hi in ends))

    def __str__(self) -> str:
        pairs = [f"[{_shown(a)}, {_shown(b)}]" for a, b in self.sides]
        power = f"^{self.d}" if self.d > 1 else ""
        return f"{pairs[0]}{power}" if len(set(pairs)) == 1 else " x ".join(pairs)


def _shown(end: Fraction) -> str:
    return str(end) if len(str(end)) <= 20 else f"{float(end):g}"


def parse_rational(text: str, what: str) -> Fraction:
    """Read a decimal or fraction text exactly; refuse NaN, infinities, other text and absurd exponents.

    >>> parse_rational("1e-2", "eps")
    Fraction(1, 100)
    """
    cleaned = text.strip()
    _, _, exponent = cleaned.lower().partition("e")
    try:
        if len(cleaned) > 400 or len(exponent.lstrip("+-0")) > 3:
            raise ValueError
        value = Fraction(cleaned)
    except (ValueError, ZeroDivisionError):
        raise BadInput(f"{what} {text!r}: expected a finite decimal number such as 0.01 or 1e-2, or a fraction 1/3") from None
    if value and not Fraction(1, 10**300) <= abs(value) <= 10**300:
        raise BadInput(f"{what} {text!r}: expected 0 or a size between 1e-300 and 1e300")
    return value


@dataclass(frozen=True)
class Axis:
    """One coordinate's cells: [lower, t_1), [t_1, t_2), .., [t_{N-1}, upper], the last one closed."""

    lower: Fraction
    upper: Fraction
    thresholds: np.ndarray
    centres: np.ndarray

    @property
    def cells(self) -> int:
        """The number of cells N."""
        return len(self.centres)

    @cached_property
    def edges(self) -> list[Fraction]:
        """The N + 1 exact cell ends."""
        return [self.lower, *(Fraction(float(t)) for t in self.thresholds), self.upper]

    @cached_property
    def radius(self) -> Fraction:
        """The exact largest distance of a point of a cell to the cell's centre."""
        centres = [Fraction(float(c)) for c in self.centres]
        return max(max(c - a, b - c) for a, b, c in zip(self.edges, self.edges[1:], centres, strict=False))

    @staticmethod
    def uniform(lower: Fraction, upper: Fraction, cells: int, number_format: NumberFormat) -> Axis:
        """Cut an interval into equal cells, boundaries rounded to the number format, centres (no weights) to float64.

        Raises:
            Refused: neighbouring boundaries round to the same number (the mesh is finer than the format).
        """
        mesh = (upper - lower) / cells
        thresholds = np.array([number_format.round(lower + j * mesh) for j in range(1, cells)], dtype=np.float64)
        edges = [lower, *(Fraction(float(t)) for t in thresholds), upper]
        centres = np.array([float((a + b) / 2) for a, b in itertools.pairwise(edges)], dtype=np.float64)
        if not all(a < Fraction(float(c)) < b for c, (a, b) in zip(centres, itertools.pairwise(edges), strict=True)):
            raise Refused(f"{cells} cells on [{lower}, {upper}] are finer than {number_format.name} can tell apart")
        return Axis(lower, upper, thresholds, centres)


@dataclass(frozen=True)
class Grid:
    """A product of axes; cell index z = sum_c stride_c z_c with the first coordinate most significant."""

    axes: tuple[Axis, ...]

    @property
    def cells(self) -> int:
        """K, the number of cells."""
        return math.prod(axis.cells for axis in self.axes)

    @property
    def strides(self) -> tuple[int, ...]:
        """The weight of each coordinate's cell number in z."""
        counts = [axis.cells for axis in self.axes]
        return tuple(math.prod(counts[c + 1:]) for c in range(len(counts)))

    @property
    def radius(self) -> Fraction:
        """Exact max-norm distance from any point of the box to the centre of its cell, the rho of w_f(rho)."""
        return max(axis.radius for axis in self.axes)

    def centres(self) -> np.ndarray:
        """Return the cell centres in the order of z, shape (K, d)."""
        mesh = np.meshgrid(*(axis.centres for axis in self.axes), indexing="ij")
        return np.stack([m.ravel() for m in mesh], axis=-1)

    @staticmethod
    def with_radius(box: Box, radius: Fraction, number_format: NumberFormat) -> Grid:
        """Return the coarsest grid of equal cells an axis whose *rounded* cells stay within the radius of their centres."""
        return Grid(tuple(_axis_within(a, b, radius, number_format) for a, b in box.sides))


def cells_needed(lower: Fraction, upper: Fraction, radius: Fraction) -> int:
    """Return N = max(1, ceil((b-a)/(2 radius))) (mathematics: piecewise-constant-error)."""
    return max(1, math.ceil((upper - lower) / (2 * radius)))


def _axis_within(lower: Fraction, upper: Fraction, radius: Fraction, number_format: NumberFormat) -> Axis:
    axis = Axis.uniform(lower, upper, cells_needed(lower, upper, radius), number_format)
    if axis.radius <= radius:
        return axis
    # Rounding moves a boundary by at most u times its size: a mesh finer by twice that keeps the radius.
    narrower = radius - 2 * number_format.unit_roundoff * max(abs(lower), abs(upper))
    if narrower > 0:
        axis = Axis.uniform(lower, upper, cells_needed(lower, upper, narrower), number_format)
    if axis.radius > radius:
        raise Refused(f"cells of radius {float(radius):.3g} on [{lower}, {upper}] are finer than {number_format.name} can "
                      f"tell apart")
    return axis
