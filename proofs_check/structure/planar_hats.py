"""A histogram of two coordinates: pooled channels that are, nearly, hats of linear interpolation on triangles (planar-average).

With x = (v1 - t_i)/h1, y = o (v2 - s_j)/h2 the hat of knot (i, j) on a grid of equal cells, each cut along one diagonal, o = 1
from its least corner to its largest and o = -1 across, is relu(P*), P* = 1 - relu(-x) - relu(y) - relu(x - y) = 1 - (max - min of
0, x, y). A channel is relu(P) with P read from its unit, made of such hinges. Their slopes say the number of cells, their zeros
say where the knot is, and both are compared: |P - P*| <= off on the whole box. So a channel is off by no more than that, never
negative, and 0 wherever P* <= -off: with off < 1, for v in cell (i, j), at all but the 4 x 4 knots around.

Coordinates are scaled to X, Y in [-1, 1], and c + a X + b Y lies within |a| + |b| of c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from flint import fmpq

from constructions.network.relu import mean_of
from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content
from proofs_check.structure.hats import one_unit, without_mean
from proofs_check.structure.polynomial import CONSTANT
from proofs_check.structure.reading import TOKEN, NotUnderstood, Reading
from proofs_check.structure.squares import rational

NULL, ONE = fmpq(0), fmpq(1)
LARGEST_OFF = fmpq(1, 4)
PARALLEL = fmpq(1, 2**20)  # of a slope: what is less is rounding
MOST_CELLS = 2**15  # of a coordinate
AROUND = 16  # knots whose hats may be off at a token
Line = tuple[fmpq, fmpq, fmpq]  # c + a X + b Y


@dataclass(frozen=True)
class Grid:
    """Equal cells from end to end of two coordinates, each cut in two.

    Attributes:
        sides: the ranges of the coordinates.
        cells: how many of each.
        turned: o, which way cells are cut.
    """

    sides: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]
    cells: tuple[int, int]
    turned: int

    @property
    def knots(self) -> list[list[Fraction]]:
        """The knots of each coordinate."""
        return [[low + (high - low) * Fraction(k, count) for k in range(count + 1)]
                for (low, high), count in zip(self.sides, self.cells, strict=True)]

    def hinges(self, i: int, j: int) -> tuple[Line, Line, Line]:
        """Return -x, y and x - y of a knot."""
        a, b = fmpq(self.cells[0], 2), self.turned * fmpq(self.cells[1], 2)
        x, y = (a - i, a, NULL), (b - self.turned * j, NULL, b)
        return _less((NULL, NULL, NULL), x), y, _less(x, y)


@dataclass(frozen=True)
class PlanarHistogram:
    """Hats on a grid.

    Attributes:
        place: of each mean, the number of its knot, row by row.
        off: how far any hat may be from that of linear interpolation.
    """

    grid: Grid
    place: Mapping[str, int]
    off: Fraction

    @property
    def total(self) -> Fraction:
        """Bound the sum of all hats, hence of their means."""
        return 1 + AROUND * self.off

    @staticmethod
    def of(reading: Reading, coordinates: tuple[int, int], means: Iterable[str]) -> PlanarHistogram:
        """Find the grid and the knot of each mean, and compare."""
        reader, single = PlaneReader(reading, coordinates), {mean_of(channel) for channel in reading.single}
        hats = {mean: reader.hat(mean, single) for mean in means}
        grid = _grid(tuple(reading.sides[c] for c in coordinates), hats.values())
        place, off = dict[str, int](), NULL
        for mean, hat in hats.items():
            missed, i, j = min((hat.beside(grid.hinges(i, j)), i, j) for i, j in hat.candidates(grid))
            if not missed < LARGEST_OFF:
                raise NotUnderstood(f"{mean} is not the mean of a hat of a grid of {grid.cells[0]} times {grid.cells[1]} cells")
            place[mean], off = i * (grid.cells[1] + 1) + j, max(off, missed)
        if not len(set(place.values())) == len(place) == (grid.cells[0] + 1) * (grid.cells[1] + 1):
            raise NotUnderstood("a histogram of two coordinates in which not every knot has one hat")
        return PlanarHistogram(grid, place, from_rational(off))


@dataclass(frozen=True)
class Hinged:
    """line - sum of relu(hinge), up to ``off``; hinges by direction: of the first coordinate, of the second one, of both."""

    line: Line
    hinges: Mapping[int, Line]
    off: fmpq

    def candidates(self, grid: Grid) -> Iterable[tuple[int, int]]:
        """Return the knots that it may belong to: where a hinge is never or always 0, the first one or the last."""
        (m, n), ends = grid.cells, [{0, count} for count in grid.cells]
        if 0 in self.hinges:
            ends[0] = {round(from_rational(self.hinges[0][0] + fmpq(m, 2)))}
        if 1 in self.hinges:
            ends[1] = {round(from_rational(fmpq(n, 2) - grid.turned * self.hinges[1][0]))}
        known = [(i, j) for i in ends[0] for j in ends[1] if 0 <= i <= m and 0 <= j <= n]
        if not known:
            raise NotUnderstood("a hat of a knot outside of the box")
        return known

    def beside(self, exact: Sequence[Line]) -> fmpq:
        """Bound |P - P*| on the box, P* = 1 less these hinges."""
        left, off = _less(self.line, (ONE, NULL, NULL)), self.off
        for direction, line in enumerate(exact):
            if direction in self.hinges:
                off += _size(_less(self.hinges[direction], line))
                continue
            around = abs(line[1]) + abs(line[2])
            never, always = max(NULL, line[0] + around), max(NULL, around - line[0])  # what relu is off from 0, and from the line
            off += min(never, always)
            if always < never:
                left = _less(left, _less((NULL, NULL, NULL), line))
        return off + _size(left)


@dataclass
class PlaneReader:
    """Reads units of two coordinates of the token."""

    reading: Reading
    coordinates: tuple[int, int]
    known: dict[str, tuple[Line, fmpq]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {f"{TOKEN}{c}": k for k, c in enumerate(self.coordinates)}

    def hat(self, mean: str, single: set[str]) -> Hinged:
        """Return what is rectified and averaged; as computed, it is relu(P + e), -r <= e <= 2 r."""
        if mean not in single:
            raise NotUnderstood("a histogram of two coordinates that is not made of one unit for each hat")
        name, rounded = one_unit(self.reading, without_mean(self.reading.before[mean], mean))
        bend = self.reading.bends[name]
        height, knot = (rational(numbers[0]) for numbers in (bend.table.slopes, bend.table.knots))
        (c, a, b), hinges, off = self._apart(bend.argument)
        of = {direction: _times(height, line) for direction, line in hinges.items()}
        return Hinged(_times(height, (c - knot, a, b)), of, height * off + 2 * rational(rounded))

    def _apart(self, content: Content) -> tuple[Line, dict[int, Line], fmpq]:
        """Write a content as a line less hinges, up to the last number."""
        content = self.reading.whole(content)
        line, hinges, off = [NULL, NULL, NULL], dict[int, Line](), rational(Fraction(content.sharp_spread()))
        for monomial, factor in content.main.terms.items():
            if monomial == CONSTANT:
                line[0] += factor
                continue
            (name, exponent), *others = monomial
            if others or exponent != 1 or not (name in self.names or name in self.reading.bends):
                raise NotUnderstood("a histogram of what is no function of two coordinates that is made of hinges")
            if name in self.names:
                line[1 + self.names[name]] += factor
                continue
            variable = self.reading.variables[name]
            height = -factor / rational(variable.half)
            line[0] += height * rational(variable.centre)
            hinge, missed = self._hinge(name)
            direction = _direction(hinge)
            if not height > 0 or direction in hinges:
                raise NotUnderstood("a hat of two coordinates that is not 1 less three hinges")
            hinges[direction], off = _times(height, hinge), off + height * missed
        return (line[0], line[1], line[2]), hinges, off

    def _hinge(self, name: str) -> tuple[Line, fmpq]:
        """Return what a unit rectifies, times its weight, up to the second number."""
        if name not in self.known:
            bend = self.reading.bends[name]
            if len(bend.table.knots) != 1 or not bend.table.slopes[0] > 0:
                raise NotUnderstood("a hat of two coordinates that is made of other tables than hinges")
            height, knot = (rational(numbers[0]) for numbers in (bend.table.slopes, bend.table.knots))
            (c, a, b), hinges, off = self._apart(bend.argument)
            if hinges:
                raise NotUnderstood("a hat of two coordinates with a hinge of hinges")
            self.known[name] = _times(height, (c - knot, a, b)), height * off
        return self.known[name]


def _grid(sides: tuple[tuple[Fraction, Fraction], ...], hats: Iterable[Hinged]) -> Grid:
    """Read the cells off a hinge of both coordinates: x - y has the slopes of half the cells."""
    across = next((hat.hinges[2] for hat in hats if 2 in hat.hinges), None)
    if across is None:
        raise NotUnderstood("a histogram of two coordinates without a hinge of both")
    m, n = (round(from_rational(2 * abs(slope))) for slope in across[1:])
    if not (0 < m <= MOST_CELLS and 0 < n <= MOST_CELLS):
        raise NotUnderstood("a histogram of two coordinates without cells")
    return Grid((sides[0], sides[1]), (m, n), -1 if across[1] * across[2] > 0 else 1)


def _direction(line: Line) -> int:
    _, a, b = line
    if abs(b) <= PARALLEL * abs(a):
        return 0
    return 1 if abs(a) <= PARALLEL * abs(b) else 2


def _times(factor: fmpq, line: Line) -> Line:
    c, a, b = line
    return factor * c, factor * a, factor * b


def _less(one: Line, other: Line) -> Line:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _size(line: Line) -> fmpq:
    """Return the largest absolute value on the box."""
    return abs(line[0]) + abs(line[1]) + abs(line[2])
