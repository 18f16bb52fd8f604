"""Contents as functions of what is held in the place of u: multiples of it, tables of it, and a rest that is bounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from flint import fmpq

from proofs_check.exact_values import from_rational
from proofs_check.structure.broken_lines import Broken
from proofs_check.structure.content import Content, affine
from proofs_check.structure.curve_gaps import Ends
from proofs_check.structure.exponents import Exponent, interval_of
from proofs_check.structure.matching import Affine, compared
from proofs_check.structure.polynomial import leading_monomial
from proofs_check.structure.premises import enclosed, ends
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.squares import rational

ONE = Fraction(1)


class Argument(Protocol):
    """What an average depends on besides tokens y, as it is held: one form or two."""

    @property
    def reading(self) -> Reading:
        """What is known of the network."""

    def other_tables(self, content: Content) -> frozenset[str]:
        """Return the tables in a content that are neither part of it nor of it."""


class Lines(Protocol):
    """All L_i as functions of what is held."""

    def at_bends(self) -> Sequence[Sequence[Fraction]]:
        """Return all L_i wherever a convex function that is linear where they are may be largest."""

    def beside(self, content: Content, i: int, j: int) -> Ends:
        """Enclose a content less L_i - L_j."""


@dataclass
class OfForm:
    """Reads contents as functions of a form, whose values lie between two numbers.

    Attributes:
        form: with all names expanded.
        places: what tables read, by name; None where that is something else.
    """

    reading: Reading
    form: Content
    low: Fraction
    high: Fraction
    places: dict[str, Affine | None] = field(default_factory=dict)

    def place(self, name: str) -> Affine | None:
        """Return the affine function of the form that a table reads, None where it reads anything else."""
        if name not in self.places:
            self.places[name] = compared(self.reading.whole(self.reading.bends[name].argument), self.form)
        return self.places[name]

    def other_tables(self, content: Content) -> frozenset[str]:
        """Return the tables in a content that are neither part of the form nor of it."""
        tables = (content.main.variables & self.reading.bends.keys()) - self.form.main.variables
        return frozenset(name for name in tables if self.place(name) is None)

    def read(self, content: Content) -> tuple[Broken, Ends]:
        """Return a function of the form, and between which numbers what is left of the content is."""
        low, high = interval_of((self.low, self.high))
        parts, rest = list[tuple[Broken, Fraction]](), content
        missed = Fraction(0)
        for name in sorted((content.main.variables & self.reading.bends.keys()) - self.form.main.variables):
            place, variable = self.place(name), self.reading.variables[name]
            if place is not None:
                factor = from_rational(content.main.terms.get(((name, 1),), fmpq(0))) / variable.half
                table = self.reading.bends[name].table
                line = Broken.line(low, high, from_rational(place.scale), from_rational(place.shift))
                parts.append((line.through(table), factor))
                missed += abs(factor) * Fraction(place.missed) * max(map(abs, table.slopes))
                rest = affine([(rest, fmpq(1)), (variable.content(name), -rational(factor))])
        leading = leading_monomial(self.form.main)
        slope = fmpq(0)
        if leading is not None and leading in rest.main.terms:
            slope = rest.main.terms[leading] / self.form.main.terms[leading]
            rest = affine([(rest, fmpq(1)), (self.form, -slope)])
        constant = rest.main.at_zero
        below, above = ends(enclosed(affine([(rest, fmpq(1))], -constant)))
        if not (math.isfinite(below) and math.isfinite(above)):
            raise NotUnderstood("something without bounds is read beside u")
        parts.append((Broken.line(low, high, from_rational(slope), from_rational(constant)), ONE))
        return Broken.total(Fraction(0), parts), (Fraction(below) - missed, Fraction(above) + missed)


@dataclass(frozen=True, eq=False)
class LinesOfForm:
    """All L_i as functions of one form."""

    form: OfForm
    exponent: Exponent

    def at_bends(self) -> Sequence[Sequence[Fraction]]:
        """See ``Lines``."""
        return list(self.exponent.lines.values())

    def beside(self, content: Content, i: int, j: int) -> Ends:
        """See ``Lines``."""
        line, (low, high) = self.form.read(content)
        whole = Broken.total(Fraction(0), [(line, ONE), (self.exponent.line(i), -ONE), (self.exponent.line(j), ONE)])
        return min(value for _, value in whole.points) + low, max(value for _, value in whole.points) + high
