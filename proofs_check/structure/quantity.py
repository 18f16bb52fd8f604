"""What has been proved of a quantity of the target: its range, and how far the network's value is from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval, hull, intersection
from proofs_check.structure.content import Content, affine
from proofs_check.structure.derivation import Form, Held
from proofs_check.structure.ratio import MeanOfKernel
from proofs_check.structure.reading import Reading
from proofs_check.structure.squares import rational

Part = tuple[str, str]  # id of the statement that was used, and what it was used for
ZERO = Interval.of(0.0)


@dataclass(frozen=True, eq=False)
class Quantity:
    """An exact number for each sequence and own token, and what the network holds in its place.

    Attributes:
        exact: range of the exact values.
        error: network - exact.
        definition: the exact value as an expression in x and reductions over y.
        local: for a function: network - g(argument that the network holds).
        relative: network/exact - 1, where the exact value is positive and this is known.
        held: the channels that stand for it.
        form: the argument, for a function.
        local_relative: for a function: network / g(argument that the network holds) - 1.
        local_at: ``local`` for arguments in a part of the range.
        kernel: for a mean of a kernel of exact arguments, what the network averages in its place.
        parts: by statement, about how much it contributes to the error; for the budget, no proof rests on it.
    """

    exact: Interval
    error: Interval
    definition: ex.Expression
    held: Held
    local: Interval | None = None
    relative: Interval | None = None
    parts: Mapping[Part, float] = field(default_factory=dict)
    form: Form | None = None
    local_relative: Interval | None = None
    local_at: Callable[[float, float], Interval] | None = None
    kernel: MeanOfKernel | None = None

    @property
    def actual(self) -> Interval:
        """Enclose the values that the network holds."""
        values = self.exact + self.error
        if self.relative is not None:
            values = common(values, self.exact * (Interval.of(1.0) + self.relative))
        return values


@dataclass(frozen=True, eq=False)
class Combination:
    """A form of quantities: the same facts about it, added up."""

    form: Form
    content: Content
    exact: Interval
    error: Interval
    actual: Interval
    definition: ex.Expression
    parts: Mapping[Part, float]
    relative: Interval | None


def combination(form: Form, known: Mapping[str, Quantity], reading: Reading) -> Combination:
    """Add up what is known of the quantities in a form; what it holds is read off the channels as they are described now."""
    terms = [(known[name], c) for name, c in form.terms.items()]
    slack = float(Interval.constant(form.slack).upper)
    loose, constant = Interval.of(-slack, slack), Interval.constant(form.constant)
    content = affine([(reading.held(q.held), rational(c)) for q, c in terms], rational(form.constant))
    exact, error, actual = constant + loose, loose, constant
    for q, c in terms:
        factor = Interval.constant(c)
        exact, error, actual = exact + factor * q.exact, error + factor * q.error, actual + factor * q.actual
    single = len(terms) == 1 and not form.constant and not form.slack and next(iter(form.terms.values())) > 0
    return Combination(form, content, exact, error, common(actual, exact + error), _written(form, terms),
                       merged(*(scaled(q.parts, abs(float(c))) for q, c in terms)), terms[0][0].relative if single else None)


def _written(form: Form, terms: list[tuple[Quantity, Fraction]]) -> ex.Expression:
    total: ex.Expression = ex.Number(form.constant)
    for q, c in terms:
        part = q.definition if c == 1 else ex.Binary("*", ex.Number(c), q.definition)
        total = part if total == ex.Number(Fraction(0)) else ex.Binary("+", total, part)
    return total


def common(a: Interval, b: Interval) -> Interval:
    """Return what two enclosures of one value share."""
    return intersection(a, b)


def shared(a: Interval, b: Interval) -> Interval:
    """Return what two enclosures share that hold under a condition; if nothing, the condition is never met and either will do."""
    return common(a, b) if float(a.lower) <= float(b.upper) and float(b.lower) <= float(a.upper) else a


def joined(a: Interval, b: Interval) -> Interval:
    """Return the hull."""
    return hull(a, b)


def around(size: float) -> Interval:
    """Return [-size, size]."""
    return Interval.of(-size, size)


def magnitude(values: Interval) -> float:
    """Return the largest absolute value."""
    return float(np.max(values.magnitude()))


def scaled(parts: Mapping[Part, float], factor: float) -> dict[Part, float]:
    """Multiply a division of an error."""
    return {key: value * factor for key, value in parts.items()}


def merged(*parts: Mapping[Part, float]) -> dict[Part, float]:
    """Add divisions of errors."""
    total: dict[Part, float] = {}
    for one in parts:
        for key, value in one.items():
            total[key] = total.get(key, 0.0) + value
    return total
