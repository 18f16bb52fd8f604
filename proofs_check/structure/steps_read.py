"""What is held of an average: a constant, and one table of a difference of two logarithms of sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq

from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content, affine
from proofs_check.structure.differences import Chain, Differences
from proofs_check.structure.held_factors import HeldFactors
from proofs_check.structure.of_form import Argument
from proofs_check.structure.premises import enclosed
from proofs_check.structure.quantity import magnitude
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational


@dataclass(frozen=True, eq=False)
class Step:
    """constant + factor * table, up to ``beside``; it rises (1) or falls (-1) with what the table reads."""

    table: str
    factor: Fraction
    constant: Fraction
    beside: Fraction
    sign: int

    @staticmethod
    def of(form: Argument, held: Content) -> Step:
        """Read what is held; raises NotUnderstood where it is anything else."""
        names = form.other_tables(held)
        if len(names) != 1:
            raise NotUnderstood("an average with exponential weights that is not one table of a difference")
        (name,) = names
        variable, table = form.reading.variables[name], form.reading.bends[name].table
        factor = from_rational(held.main.terms.get(((name, 1),), fmpq(0))) / variable.half
        rest = affine([(held, fmpq(1)), (variable.content(name), -rational(factor))])
        beside = magnitude(enclosed(affine([(rest, fmpq(1))], -rest.main.at_zero)))
        rising = factor * (table.values[-1] - table.values[0])
        return Step(name, factor, from_rational(rest.main.at_zero), Fraction(beside), 1 if rising > 0 else -1)


def sides(found: HeldFactors, step: Step, differences: Differences) -> tuple[Chain, Chain]:
    """Return the chains that are above and below, whose difference the table of a step reads.

    A leaf that both start with cancels in their difference: it is one that some table of theirs adds to.
    """
    read = differences[step.table]
    above, below = (read.plus, read.minus) if step.sign > 0 else (read.minus, read.plus)
    if (above | below) & found.leaves.keys():
        return above, below
    for leaf in dict.fromkeys(_starts(found, differences, above | below)):
        chains = above | {leaf}, below | {leaf}
        try:
            for chain in chains:
                found.members(chain)
        except NotUnderstood:
            continue
        return chains
    raise NotUnderstood("a difference of logarithms of sums without a table of a mean")


def _starts(found: HeldFactors, differences: Differences, names: Chain) -> Iterator[str]:
    for name in sorted(names):
        for chain in (differences[name].plus, differences[name].minus):
            if len(chain) == 1 and chain <= found.leaves.keys():
                yield from chain
