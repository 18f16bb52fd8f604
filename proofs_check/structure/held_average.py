"""What a network holds of an average with exponential weights: a step of the difference of two logarithms of sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content
from proofs_check.structure.differences import Chain, Differences
from proofs_check.structure.fitted_tables import Fits
from proofs_check.structure.held_factors import HeldFactors
from proofs_check.structure.log_sums import LogSums, beside_step
from proofs_check.structure.of_form import Argument, Lines
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.steps_read import Step, sides
from proofs_check.structure.tables_of_means import logarithms
from proofs_check.structure.used_values import UsedValues

Shares = dict[str, Fraction]
SharesOf = Callable[[Sequence[Fraction], Mapping[int, Fraction]], Shares]


@dataclass(frozen=True, eq=False)
class Average:
    """What was found out.

    Attributes:
        id: of the statement that says it.
        exact: the values lie there.
        by_tables: what is held is that close to sum s_i W_i / sum W_i, s_i the values that are used.
        shares: that is as close to F as they add up to, for what is held in the place of u.
        spreads: of the derivatives of the exponent by each u, over v.
        hats: how many there are.
        means: all means that are read.
    """

    id: str
    exact: Interval
    by_tables: Fraction
    shares: Shares
    spreads: tuple[Fraction, ...]
    hats: int
    means: frozenset[str]


@dataclass(frozen=True, eq=False)
class HeldAverage:
    """What is held: a step of the difference of two logarithms, and the tables of means these are made of."""

    argument: Argument
    step: Step
    differences: Differences
    means: dict[str, str]

    @staticmethod
    def of(argument: Argument, held: Content) -> HeldAverage:
        """Read what is held; raises NotUnderstood where it is anything else."""
        step = Step.of(argument, held)
        return HeldAverage(argument, step, Differences(argument), leaves_below(argument, step.table))

    def refuse_shared_means(self) -> None:
        """Raise NotUnderstood where a mean has several tables."""
        if len(set(self.means.values())) != len(self.means):
            raise NotUnderstood("several tables of one mean of a histogram")

    def beside(self, chains: tuple[Chain, Chain], sums: Sequence[LogSums], low: Fraction, height: Fraction) -> Fraction:
        """Bound what is held less low + height sigma(A - B)."""
        (above, first), (below, second) = zip(chains, sums, strict=True)
        off = beside_step((first.chain(above), first), (second.chain(below), second), self.differences[self.step.table],
                          self.step.sign, height, (self.step.constant - low, self.step.factor))
        return off + self.step.beside

    def of_hats(self, lines: Lines, place: Mapping[str, int], total: Fraction, largest: Fraction, exact: Sequence[Fraction],
                shares_of: SharesOf) -> tuple[Fraction, Shares]:
        """Bound what is held less sum s_i W_i / sum W_i, and that less F, for the best s_i near the ``exact`` values at knots.

        Args:
            lines: all L_i.
            place: of each mean, which knot.
            total: the sum of all means is at most that.
            largest: no mean is larger.
            exact: the values at knots.
            shares_of: from the values that are used and what is added before logarithms, how far the average over knots is off.
        """
        leaves = {name: place[mean] for name, mean in self.means.items()}
        tables = logarithms(self.argument.reading, self.means, largest)
        found = HeldFactors(self.differences, lines, leaves, tables)
        chains = sides(found, self.step, self.differences)
        best: tuple[Fraction, Shares] | None = None
        fits = Fits()
        for used in UsedValues.candidates(exact, found, *chains):
            sums = [LogSums(lines, self.differences, total, leaves, tables, factors, fits)
                    for factors in (used.above, used.below)]
            shares = shares_of(used.values, sums[0].deltas)
            off = self.beside(chains, sums, used.low, used.height)
            if best is None or off + sum(shares.values()) < best[0] + sum(best[1].values()):
                best = off, shares
        if best is None:
            raise NotUnderstood("an average in which a knot counts with another factor than its value says")
        return best


def leaves_below(argument: Argument, table: str) -> dict[str, str]:
    """Return the tables of one mean alone that a table is made of, with these means."""
    reading = argument.reading
    waiting, seen, found = [table], set[str](), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            read = reading.whole(reading.bends[name].argument)
            inner = argument.other_tables(read)
            waiting += inner
            if not inner and len(read.main.variables) == 1 and read.main.variables <= reading.pooled.keys():
                (found[name],) = read.main.variables
    return found
