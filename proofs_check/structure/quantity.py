"""What has been proved of a quantity of the target: its range, and how far the network's value is from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from flint import arb, ctx

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval, down, hull, intersection, up, where
from proofs_check.structure.content import Content, affine
from proofs_check.structure.derivation import Form, Held
from proofs_check.structure.functions import CONSTANT_BITS, constant_ball
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
        function: the function itself, as a tree in x[0].
        local_relative: for a function: network / g(argument that the network holds) - 1.
        local_at: ``local`` for arguments in a part of the range.
        kernel: for a mean of a kernel of exact arguments, what the network averages in its place.
        parts: by statement, about how much it contributes to the error; for the budget, no proof rests on it.
        shown: an enclosure of what the network holds, from its channels alone.
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
    function: ex.Expression | None = None
    shown: Interval | None = None

    @property
    def actual(self) -> Interval:
        """Enclose the values that the network holds."""
        values = self.exact + self.error
        if self.relative is not None:
            values = common(values, self.exact * (Interval.of(1.0) + self.relative))
        return values if self.shown is None else common(values, self.shown)


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
    terms = [(known[name], name, c) for name, c in form.terms.items()]
    content = affine([(reading.held(q.held), rational(c)) for q, _, c in terms], rational(form.constant))
    constant, off = _rounded(form.constant, form.exact_constant)
    exact, error, actual = constant, off, Interval.constant(form.constant)
    for q, name, c in terms:
        factor, off = _rounded(c, form.exact.get(name))  # c q' - factor q = factor (q' - q) + (c - factor) q'
        exact, actual = exact + factor * q.exact, actual + Interval.constant(c) * q.actual
        error = error + factor * q.error + off * q.actual
    single = len(terms) == 1 and form.rational and not form.constant and next(iter(form.terms.values())) > 0
    return Combination(form, content, exact, error, common(actual, exact + error), _written(form, known),
                       merged(*(scaled(q.parts, abs(float(c))) for q, _, c in terms)), terms[0][0].relative if single else None)


def _rounded(c: Fraction, exact: ex.Expression | None) -> tuple[Interval, Interval]:
    """Enclose the number that c stands for, and c less that."""
    if exact is None:
        return Interval.constant(c), ZERO
    with ctx.workprec(CONSTANT_BITS):
        value = constant_ball(exact)
        return of_ball(value), of_ball(arb(rational(c)) - value)


def of_ball(values: arb) -> Interval:
    """Return an interval around a ball; raises ValueError where it is not finite."""
    if not values.is_finite():
        raise ValueError("a number without a finite enclosure")
    low, high = (np.asarray(float(end)) for end in (values.lower(), values.upper()))
    return Interval.of(down(low), up(high))


def above(values: arb) -> float:
    """Return a float at or above all of a ball."""
    return float(of_ball(values).upper)


def _written(form: Form, known: Mapping[str, Quantity]) -> ex.Expression:
    total = form.exact_constant or ex.Number(form.constant)
    for name, c in form.terms.items():
        factor, definition = form.exact.get(name) or ex.Number(c), known[name].definition
        part = definition if factor == ex.Number(Fraction(1)) else ex.Binary("*", factor, definition)
        total = part if total == ex.Number(Fraction(0)) else ex.Binary("+", total, part)
    return total


def common(a: Interval, b: Interval) -> Interval:
    """Return what two enclosures of one value share."""
    return intersection(a, b)


def shared(a: Interval, b: Interval) -> Interval:
    """Return what two enclosures share that hold under a condition; if nothing, the condition is never met and either will do."""
    meet = (a.lower <= b.upper) & (b.lower <= a.upper)
    return where(meet, Interval(np.maximum(a.lower, b.lower), np.minimum(a.upper, b.upper)), a)


def joined(a: Interval, b: Interval) -> Interval:
    """Return the hull."""
    return hull(a, b)


def stacked(parts: Sequence[Interval]) -> Interval:
    """Return several intervals as one array, along a new first axis."""
    return Interval(np.stack([one.lower for one in parts]), np.stack([one.upper for one in parts]))


def whole(parts: Interval) -> Interval:
    """Return the hull of all entries of an array."""
    return Interval.of(parts.lower.min(), parts.upper.max())


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
