"""A histogram of one coordinate: pooled channels that are, nearly, the hats of linear interpolation at some knots.

Knots are where the channels are largest. On the cell from t_i to t_i+1 the hats there are h_i + h_i+1 = 1 and all others 0; how
far each channel is from that is found exactly, on every cell, for what it holds may be known up to noise only.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq

from constructions.network.relu import mean_of
from proofs_check.structure.broken_lines import Band, Broken, OfCoordinate
from proofs_check.structure.content import Content, affine
from proofs_check.structure.reading import TOKEN, NotUnderstood, Reading, is_rounding, of_mean

ZERO = Fraction(0)


@dataclass(frozen=True)
class Histogram:
    """Channels that hold numbers >= 0, by the knots where they are largest.

    Attributes:
        knots: from one end of the coordinate's interval to the other.
        place: of each mean, which knot.
        largest: of each hat, no value is above that.
        off: by cell and hat, how far the hat may be from the one of linear interpolation, where it is not equal.
    """

    knots: tuple[Fraction, ...]
    place: Mapping[str, int]
    largest: tuple[Fraction, ...]
    off: Mapping[tuple[int, int], Fraction]

    @functools.cached_property
    def total(self) -> Fraction:
        """Bound the sum of all hats, hence of their means."""
        on_cells = dict.fromkeys(range(len(self.knots) - 1), Fraction(1))
        for (cell, _), off in self.off.items():
            on_cells[cell] += off
        return max(on_cells.values())

    @staticmethod
    def of(bands: Mapping[str, Band], low: Fraction, high: Fraction) -> Histogram:
        """Find the knots between the ends of the coordinate's interval, and compare."""
        if any(value < 0 for band in bands.values() for _, value in band.lower.points):
            raise NotUnderstood("a histogram of numbers that may be negative")
        found = sorted((_top(band.lower), name, band) for name, band in bands.items())
        if len(found) < 2:
            raise NotUnderstood("a histogram of one hat")
        inner = [Fraction(float(top)) for top, _, _ in found[1:-1]]
        knots = (min(low, _foot(found[0][2].lower, 0)), *inner, max(high, _foot(found[-1][2].lower, -1)))
        if not all(s < t for s, t in itertools.pairwise(knots)):
            raise NotUnderstood("a histogram whose hats are not largest at different points of the interval")
        off: dict[tuple[int, int], Fraction] = {}
        for j, (_, _, band) in enumerate(found):
            for line in {band.lower, band.upper}:
                for cell, gap in _beside_hat(line, knots, j):
                    if gap:
                        off[cell, j] = max(gap, off.get((cell, j), ZERO))
        largest = tuple(max(value for _, value in band.upper.points) for _, _, band in found)
        return Histogram(knots, {name: j for j, (_, name, _) in enumerate(found)}, largest, off)


def coordinate_reader(reading: Reading, coordinate: int) -> OfCoordinate:
    """Return what reads functions of one coordinate of the token."""
    return OfCoordinate(reading, f"{TOKEN}{coordinate}", *reading.sides[coordinate])


def averaged_band(reader: OfCoordinate, mean: str) -> Band:
    """Enclose what is averaged, as it is computed where that is what is read."""
    before = reader.reading.before[mean]
    return reader.read(before) if reader.reading.roundings is None else computed_band(reader, without_mean(before, mean), mean)


def without_mean(before: Content, mean: str) -> Content:
    """Leave out the rounding of the mean itself, which is relative: who reads the mean counts with that."""
    return Content(before.main, {key: one for key, one in before.noise.items() if key != of_mean(mean)}, before.rest)


def computed_band(reader: OfCoordinate, held: Content, mean: str) -> Band:
    """Enclose what one unit w relu(z) is computed as, within r of that: it is never below 0, and it is 0 where z <= -r/w.

    So it is at least w relu(z - r/w) and at most w relu(z + 2 r/w).
    """
    reading = reader.reading
    if not any(mean == mean_of(channel) for channel in reading.single):
        raise NotUnderstood("a histogram, as computed, that is not made of one unit for each hat")
    name, rounded = one_unit(reading, held)
    bend = reading.bends[name]
    off, inner = rounded / bend.table.slopes[0], reader.read(bend.argument)
    return Band(inner.moved(off).lower, inner.moved(2 * off).upper).through(bend.table)


def one_unit(reading: Reading, held: Content) -> tuple[str, Fraction]:
    """Return the hinge that is held, a table with one knot that rises from there, and up to what it is held.

    That is the rounding of the unit, which is 0 where the hinge is: any other noise might hold the hat up far from its knot.
    """
    names = held.main.variables & reading.bends.keys()
    if len(names) != 1:
        raise NotUnderstood("a histogram that is not made of one unit for each hat")
    (name,) = names
    table, rest = reading.bends[name].table, affine([(held, fmpq(1)), (reading.variables[name].content(name), fmpq(-1))])
    if rest.main.terms or len(table.knots) != 1 or not table.slopes[0] > 0 or held.rest or not all(map(is_rounding, held.noise)):
        raise NotUnderstood("a histogram of something else than units that are added")
    return name, Fraction(rest.sharp_spread())


def _top(line: Broken) -> Fraction:
    """Return the middle of the points where a function is largest."""
    most = max(value for _, value in line.points)
    at = [t for t, value in line.points if value == most]
    return (at[0] + at[-1]) / 2


def _foot(line: Broken, end: int) -> Fraction:
    """Return about the point at or beyond an end of the interval where a function that is less than 1 there would be 1."""
    points = line.points[::-1] if end else line.points
    (s, first), (t, second) = points[0], points[1]
    if not (0 < 1 - first < Fraction(1, 16) and second < first):
        return s
    return Fraction(float(s + (1 - first) * (t - s) / (second - first)))


def _beside_hat(line: Broken, knots: tuple[Fraction, ...], j: int) -> Iterator[tuple[int, Fraction]]:
    """Yield cells and how far the function is from hat j at points between which both are linear; where both are 0, nothing."""
    first, last = max(j - 1, 0), min(j + 1, len(knots) - 1)
    for (s, low), (t, high) in line.pieces():
        begin, end = bisect.bisect_right(knots, s) - 1, bisect.bisect_left(knots, t)
        if low == high == 0:  # the hat is 0 as well where it has no business
            begin, end = max(begin, first), min(end, last)
        for cell in range(max(begin, 0), min(end, len(knots) - 1)):
            for at in (max(s, knots[cell]), min(t, knots[cell + 1])):
                value = low + (high - low) * (at - s) / (t - s)
                yield cell, abs(value - _hat(knots, cell, j, at))


def _hat(knots: tuple[Fraction, ...], cell: int, j: int, at: Fraction) -> Fraction:
    if j not in (cell, cell + 1):
        return ZERO
    q = (at - knots[cell]) / (knots[cell + 1] - knots[cell])
    return q if j == cell + 1 else 1 - q
