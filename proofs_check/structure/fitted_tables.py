"""Tables of softplus with the constant they count with; equal tables, as most in a tree are, are compared once.

The constant that suits a table alone suits a merge as well, unless the network adds its terms up with others: then one is looked
for. A table is compared wherever a difference of two sums of a tree may be, in steps: more than is needed, and seldom worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from proofs_check.structure.curve_gaps import Ends, gap, softplus
from proofs_check.structure.differences import Difference
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.shifts import beside_softplus, minimised, start_of
from proofs_check.structure.tables import Table

REACH = 16  # a table is compared up to a multiple of that
NEAR = Fraction(1, 2)  # how far from where it seems to start a table may start
WORSE = Fraction(1, 16)  # of what a table misses: as much as may be lost without looking for another constant
Key = tuple[tuple[tuple[Table, Fraction, Fraction], ...], int, int]


class Errors(Protocol):
    """Between which numbers the error of a logarithm lies."""

    @property
    def low(self) -> Fraction:
        """The least."""

    @property
    def high(self) -> Fraction:
        """The largest."""


@dataclass(frozen=True)
class Fitted:
    """A table is softplus(sign (t - shift)) up to something in ``missed``."""

    shift: Fraction
    missed: Ends

    def hull(self, kept: Errors, off: Ends, sign: int) -> Ends:
        """Enclose the error of a sum, from those of the term that is kept, and of the other one without the shift."""
        moved = off[0] - sign * self.shift, off[1] - sign * self.shift
        return min(kept.low, moved[0]) + self.missed[0], max(kept.high, moved[1]) + self.missed[1]

    def loses(self, kept: Errors, off: Ends, sign: int) -> bool:
        """Say whether another shift may do much better: no sum is known better than both its terms and the table."""
        low, high = self.hull(kept, off, sign)
        own = self.missed[1] - self.missed[0]
        return high - low > max(kept.high - kept.low, off[1] - off[0]) + (1 + WORSE) * own


@dataclass
class Fits:
    """Tables that were compared."""

    known: dict[Key, Fitted | None] = field(default_factory=dict)

    def of(self, read: Difference, sign: int, furthest: Fraction) -> Fitted | None:
        """Compare what is made of a difference, for all its values up to a size; None where it is no table of softplus there."""
        reach = REACH * math.ceil(furthest / REACH)
        key = tuple((placed.table, placed.scale, placed.shift) for placed in read.tables), sign, reach
        if key not in self.known:
            self.known[key] = self._compared(read, sign, reach)
        return self.known[key]

    @staticmethod
    def _compared(read: Difference, sign: int, reach: int) -> Fitted | None:
        pieces = read.pieces(Fraction(-reach), Fraction(reach))
        missed, start = beside_softplus(pieces, sign), Fraction(start_of(pieces, sign))

        def width(s: float) -> float:
            below, above = missed(s)
            return above - below

        try:
            shift = minimised(width, (start - NEAR, start + NEAR))
            return Fitted(shift, gap(pieces, softplus(shift, sign)))
        except NotUnderstood:
            return None
