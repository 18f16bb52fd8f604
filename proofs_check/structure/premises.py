"""What a rule may look at: the channels as they were read, the quantities known so far, the number of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content, affine, expanded
from proofs_check.structure.derivation import Entry
from proofs_check.structure.matching import Affine
from proofs_check.structure.polynomial import Polynomial, combined
from proofs_check.structure.quantity import Part, Quantity, around, magnitude
from proofs_check.structure.ranges import polynomial_range
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable

FOLDS: Part = ("square-sawtooth", "squares by folds")
ONE = Interval.of(1.0)


@dataclass(frozen=True, eq=False)
class Premises:
    """What every rule may use; ``n`` is None for a claim about every n, ``fine`` the accuracy worth working for."""

    reading: Reading
    known: Mapping[str, Quantity]
    n: int | None
    fine: float

    def gap(self, held: Content, wanted: Content) -> Interval:
        """Enclose the difference of two contents."""
        difference = expanded(affine([(held, fmpq(1)), (wanted, fmpq(-1))]), self.reading.definitions)
        gap = enclosed(difference)
        for other in self.reading.with_products(self.reading.whole(difference)) if self.reading.products else ():
            gap = min(gap, enclosed(other), key=magnitude)
        if difference.variables & self.reading.copies.keys():  # one side may have copied what the other reads
            gap = min(gap, enclosed(self.reading.whole(difference)), key=magnitude)
        return gap


def enclosed(content: Content) -> Interval:
    """Enclose the values of a content."""
    return Interval.of(*polynomial_range(content.main)) + around(content.sharp_spread())


def ends(values: Interval) -> tuple[float, float]:
    """Return the ends of an interval as numbers."""
    return float(values.lower), float(values.upper)


def tree_of(entry: Entry) -> ex.Expression:
    """Return the function that an entry names."""
    if entry.tree is None:
        raise NotUnderstood(f"{entry.name} has no function")
    return entry.tree


def substituted(tree: ex.Expression, leaves: list[ex.Expression]) -> ex.Expression:
    """Put expressions in the place of the variables of a tree."""
    if isinstance(tree, ex.Own):
        return leaves[tree.coordinate]
    return ex.mapped(tree, lambda child: substituted(child, leaves))


def with_other(node: ex.Expression) -> ex.Expression:
    """Write y for the own token, outside reductions."""
    if isinstance(node, ex.Own):
        return ex.Other(node.coordinate)
    return node if isinstance(node, ex.Reduction) else ex.mapped(node, with_other)


def in_scale(name: str, place: Affine, scale: Variable) -> Polynomial:
    """Return the variable v of an argument u = scale_v v + shift as a polynomial in s, u = centre + half s (also called v)."""
    slope = rational(scale.half) / place.scale
    return combined([(Polynomial.variable(name), slope),
                     (Polynomial.constant(fmpq(1)), (rational(scale.centre) - place.shift) / place.scale)])
