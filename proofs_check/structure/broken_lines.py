"""Piecewise-linear functions of one coordinate, exact: what a channel of phi holds, from below and from above.

A table of a function that is linear between some points is linear between these and where the function crosses a knot of the
table. What is known of a content only up to noise lies between two such functions, and so does a monotone table of it.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content
from proofs_check.structure.polynomial import CONSTANT
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.tables import Table

Point = tuple[Fraction, Fraction]
ZERO = Fraction(0)


@dataclass(frozen=True)
class Broken:
    """The function through some points (t, value), t increasing, on the interval from the first to the last."""

    points: tuple[Point, ...]

    @staticmethod
    def line(low: Fraction, high: Fraction, slope: Fraction, constant: Fraction) -> Broken:
        """Return slope t + constant on [low, high]."""
        return Broken(tuple((t, slope * t + constant) for t in (low, high)))

    def __call__(self, t: Fraction) -> Fraction:
        """Return the value at a point of the interval."""
        k = min(max(bisect.bisect_right(self.points, t, key=lambda point: point[0]), 1), len(self.points) - 1)
        (s, low), (u, high) = self.points[k - 1], self.points[k]
        return low + (high - low) * (t - s) / (u - s)

    def pieces(self) -> Iterator[tuple[Point, Point]]:
        """Yield the ends of the linear pieces."""
        return itertools.pairwise(self.points)

    def through(self, table: Table) -> Broken:
        """Return the table of it."""
        found = [(self.points[0][0], table(self.points[0][1]))]
        for (s, low), (u, high) in self.pieces():
            first, last = sorted((low, high))
            inner = list(zip(*table.between(first, last), strict=True))
            run = (u - s) / (high - low) if inner else ZERO
            found += [(s + (knot - low) * run, value) for knot, value in (inner if high > low else reversed(inner))]
            found.append((u, table(high)))
        return Broken(tuple(found))

    @staticmethod
    def total(constant: Fraction, parts: Sequence[tuple[Broken, Fraction]]) -> Broken:
        """Return constant + sum of factor * function, all on one interval."""
        at = sorted({t for one, _ in parts for t, _ in one.points})
        return Broken(tuple((t, constant + sum((factor * one(t) for one, factor in parts), ZERO)) for t in at))


@dataclass(frozen=True)
class Band:
    """All functions between two broken lines."""

    lower: Broken
    upper: Broken

    @property
    def exact(self) -> bool:
        """Whether there is one only."""
        return self.lower == self.upper

    def through(self, table: Table) -> Band:
        """Return the table of what is between."""
        if self.exact:
            line = self.lower.through(table)
            return Band(line, line)
        if all(slope >= 0 for slope in table.slopes):
            return Band(self.lower.through(table), self.upper.through(table))
        if all(slope <= 0 for slope in table.slopes):
            return Band(self.upper.through(table), self.lower.through(table))
        raise NotUnderstood("a table that rises and falls, of what is known up to noise only")

    def moved(self, off: Fraction) -> Band:
        """Return what differs by at most this."""
        if not off:
            return self
        return Band(Broken.total(-off, [(self.lower, Fraction(1))]), Broken.total(off, [(self.upper, Fraction(1))]))

    @staticmethod
    def total(constant: Fraction, parts: Iterable[tuple[Band, Fraction]]) -> Band:
        """Return constant + sum of factor * what is between."""
        known = list(parts)
        ends = [Broken.total(constant, [(one.lower if (factor > 0) == below else one.upper, factor) for one, factor in known])
                for below in (True, False)]
        return Band(ends[0], ends[1])


@dataclass
class OfCoordinate:
    """Reads contents as functions of one coordinate of the token."""

    reading: Reading
    name: str
    low: Fraction
    high: Fraction
    known: dict[str, Band] = field(default_factory=dict)

    def read(self, content: Content) -> Band:
        """Return the band; raises NotUnderstood where anything else than the coordinate, or a product, is in it."""
        content = self.reading.whole(content)
        constant, parts = ZERO, list[tuple[Band, Fraction]]()
        line = Broken.line(self.low, self.high, ZERO, ZERO)
        parts.append((Band(line, line), Fraction(1)))  # for the interval
        for monomial, c in content.main.terms.items():
            if monomial == CONSTANT:
                constant += from_rational(c)
                continue
            (name, exponent), *others = monomial
            if others or exponent != 1:
                raise NotUnderstood("a histogram of what is no piecewise-linear function of a coordinate")
            variable = self.reading.variables[name]
            factor = from_rational(c) / variable.half
            constant -= factor * variable.centre
            parts.append((self._variable(name), factor))
        return Band.total(constant, parts).moved(Fraction(content.sharp_spread()))

    def _variable(self, name: str) -> Band:
        """Return the number that a variable stands for."""
        if name not in self.known:
            if name == self.name:
                line = Broken.line(self.low, self.high, Fraction(1), ZERO)
                self.known[name] = Band(line, line)
            elif name in self.reading.bends:
                bend = self.reading.bends[name]
                self.known[name] = self.read(bend.argument).through(bend.table)
            else:
                raise NotUnderstood(f"a histogram of something else than the coordinate {self.name}")
        return self.known[name]
