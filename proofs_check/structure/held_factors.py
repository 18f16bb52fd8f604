"""Which factor each knot counts with in a tree of sums: found in float64 from where tables cross a level, trusted for nothing.

Factors are functions of knots, and knots are known up to rounding: where one is as good as 0, its logarithm is whatever rounding
made of it. Any factors may be compared with; these make the comparison a close one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from proofs_check.structure.curve_gaps import Ends
from proofs_check.structure.differences import Chain, Difference, Differences
from proofs_check.structure.log_sums import beside
from proofs_check.structure.of_form import Lines
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.shifts import start_of
from proofs_check.structure.tables_of_means import Logarithm

NO_FACTORS: Mapping[int, tuple[Fraction, Ends]] = defaultdict(lambda: (Fraction(0), (Fraction(0), Fraction(0))))


@dataclass(frozen=True, eq=False)
class HeldFactors:
    """Follows chains of tables down to leaves."""

    differences: Differences
    lines: Lines
    leaves: Mapping[str, int]
    tables: Mapping[str, Logarithm]

    def members(self, names: Chain) -> frozenset[int]:
        """Return the knots over which is summed; raises NotUnderstood where there is no such sum."""
        if len(names) == 1:
            (name,) = names
            if name not in self.leaves:
                raise NotUnderstood("a logarithm of a sum that starts with no table of a mean")
            return frozenset({self.leaves[name]})
        _, read, _ = self.differences.last(names)
        return self.members(read.plus) | self.members(read.minus)

    def logarithms(self, names: Chain) -> tuple[dict[int, float], int]:
        """Return about the logarithm of each factor, where that of the last knot, which is returned too, is 0."""
        if len(names) == 1:
            (name,) = names
            table = self.tables[name]
            return {self.leaves[name]: float(table.low + table.high) / 2}, self.leaves[name]
        _, read, sign = self.differences.last(names)
        (x, i), (y, j) = self.logarithms(read.plus), self.logarithms(read.minus)
        moved = self.moved(read, i, j, sign)
        return ({**y, **{k: one + moved for k, one in x.items()}}, j) if sign > 0 else (
            {**x, **{k: one - moved for k, one in y.items()}}, i)

    def moved(self, read: Difference, i: int, j: int, sign: int) -> float:
        """Return about the constant that a difference is read with."""
        low, high = beside(self.lines, read, (i, NO_FACTORS), (j, NO_FACTORS))
        return float(low + high) / 2 - start_of(read.pieces(*read.ends), sign)
