"""What tables read, taken apart: the numbers of tables that are added, of tables that are subtracted, and the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from flint import fmpq

from proofs_check.exact_values import from_rational
from proofs_check.structure.broken_lines import Broken
from proofs_check.structure.content import Content, affine
from proofs_check.structure.curve_gaps import Ends, Pieces
from proofs_check.structure.of_form import Argument
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.tables import Table

ZERO = Fraction(0)
Chain = frozenset[str]


@dataclass(frozen=True)
class Placed:
    """A table of scale t + shift."""

    table: Table
    scale: Fraction
    shift: Fraction

    def of(self, line: Broken) -> Broken:
        """Return the table of a function."""
        return Broken(tuple((t, self.scale * value + self.shift) for t, value in line.points)).through(self.table)


@dataclass(frozen=True)
class Difference:
    """What a table reads: the numbers of ``plus`` less those of ``minus``, and the rest.

    Attributes:
        tables: what is made of it, tables of tables: a copy may be one; up to ``blur``.
        ends: between which numbers the difference is as far as contents show; units that bend elsewhere were not read.
    """

    plus: Chain
    minus: Chain
    rest: Content
    tables: Sequence[Placed]
    blur: Fraction
    ends: Ends

    def pieces(self, low: Fraction, high: Fraction, factor: Fraction = Fraction(1)) -> Pieces:
        """Return a multiple of the last table where the difference is in an interval."""
        line = Broken.line(low, high, Fraction(1), ZERO)
        for placed in self.tables:
            line = placed.of(line)
        return [((s, factor * first), (t, factor * last)) for (s, first), (t, last) in line.pieces()]


@dataclass
class Differences:
    """The differences that tables read, each taken apart once."""

    form: Argument
    known: dict[str, Difference] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Difference:
        """Take apart what a table reads, or what the copy reads that it reads."""
        if name not in self.known:
            reading = self.form.reading
            tables, argument, blur = self._opened(name)
            signs: dict[int, set[str]] = {1: set(), -1: set()}
            parts = [(argument, fmpq(1))]
            for t in sorted(self.form.other_tables(argument)):
                sign = round(from_rational(argument.main.terms.get(((t, 1),), fmpq(0))) / reading.variables[t].half)
                if sign not in signs:
                    raise NotUnderstood("a logarithm of a sum is read with another factor than 1 or -1")
                signs[sign].add(t)
                parts.append((reading.variables[t].content(t), fmpq(-sign)))
            low, high = reading.range(argument)
            if not (math.isfinite(low) and math.isfinite(high)):
                raise NotUnderstood("a logarithm of a sum without bounds")
            self.known[name] = Difference(frozenset(signs[1]), frozenset(signs[-1]), affine(parts), tables, blur,
                                          (Fraction(low), Fraction(high)))
        return self.known[name]

    def last(self, names: Chain) -> tuple[str, Difference, int]:
        """Return the table that reads X - Y where the others are Y (1) or X (-1)."""
        for name in sorted(names):
            read, others = self[name], names - {name}
            if others == read.minus and read.plus:
                return name, read, 1
            if others == read.plus and read.minus:
                return name, read, -1
        raise NotUnderstood("a sum of tables that is no logarithm of a sum")

    def _opened(self, name: str) -> tuple[list[Placed], Content, Fraction]:
        """Return tables, the last of them this one, of a content that is no multiple of one table, and what noise may do."""
        reading, bend = self.form.reading, self.form.reading.bends[name]
        argument, steepest = reading.whole(bend.argument), max(map(abs, bend.table.slopes))
        inner = self.form.other_tables(argument)
        if len(argument.main.variables) != 1 or not inner:
            return [Placed(bend.table, Fraction(1), ZERO)], argument, ZERO
        (below,) = inner
        tables, content, blur = self._opened(below)
        if argument.main.degree(below) != 1:
            raise NotUnderstood("a logarithm of a sum reads a product")
        variable = reading.variables[below]
        scale = from_rational(argument.main.terms[((below, 1),)]) / variable.half
        shift = from_rational(argument.main.at_zero) - scale * variable.centre
        blur = (abs(scale) * blur + Fraction(argument.sharp_spread())) * steepest
        return [*tables, Placed(bend.table, scale, shift)], content, blur
