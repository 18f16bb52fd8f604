"""Quantities of the exact decomposition, affine forms in them, and how far the network's value is from the exact one.

A :class:`Quantity` is an exact real number for each sequence and own token: a coordinate, a mean, the output of a node. The
network holds an approximation of it as an affine combination of channels (:class:`Placed`). Analysis keeps, for every
quantity, an enclosure of its range and an enclosure of the signed error ``network - exact`` as python-flint balls.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from flint import arb, fmpq

from constructions.targets import expression as ex


@dataclass(eq=False)
class Quantity:
    """An exact value.

    Attributes:
        token: whether it is a function of the own token alone (no mean of the sequence enters).
        positive_part: whether a network holds it as the output of one unit: in no arithmetic is that below 0.
    """

    name: str
    range: arb
    token: bool
    positive_part: bool = False


@dataclass(frozen=True)
class Irrational:
    """A number as an expression, a rational number near it, and a bound of the distance."""

    tree: ex.Expression
    near: Fraction
    off: Fraction


Factors = Mapping[tuple[Quantity | None, Irrational], Fraction]


@dataclass(frozen=True)
class Form:
    """constant + sum of coefficient * quantity, with irrational coefficients rounded.

    Attributes:
        terms, constant: rational; what a network holds.
        irrational: by quantity (None for the constant) and irrational number, how often it is in the exact coefficient; the
            number near it is as often in that of ``terms``.
    """

    terms: Mapping[Quantity, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)
    irrational: Factors = field(default_factory=dict)

    @staticmethod
    def of(quantity: Quantity) -> Form:
        """Return the quantity itself."""
        return Form({quantity: Fraction(1)})

    def __add__(self, other: Form) -> Form:
        terms, irrational = dict(self.terms), dict(self.irrational)
        for quantity, coefficient in other.terms.items():
            terms[quantity] = terms.get(quantity, Fraction(0)) + coefficient
        for place, times in other.irrational.items():
            irrational[place] = irrational.get(place, Fraction(0)) + times
        irrational = {place: times for place, times in irrational.items() if times}
        kept = {quantity for quantity, _ in irrational}
        return Form({q: c for q, c in terms.items() if c or q in kept}, self.constant + other.constant, irrational)

    def __mul__(self, factor: Fraction) -> Form:
        if not factor:
            return Form()
        return Form({q: c * factor for q, c in self.terms.items()}, self.constant * factor,
                    {place: times * factor for place, times in self.irrational.items()})

    def __sub__(self, other: Form) -> Form:
        return self + other * Fraction(-1)

    def times(self, number: Irrational) -> Form:
        """Multiply a form with rational coefficients by an irrational number."""
        if self.irrational:
            raise ValueError("a form with irrational coefficients")
        places: dict[tuple[Quantity | None, Irrational], Fraction] = {(q, number): c for q, c in self.terms.items()}
        if self.constant:
            places[None, number] = self.constant
        return Form({q: c * number.near for q, c in self.terms.items()}, self.constant * number.near, places)

    def shifted(self, constant: Fraction) -> Form:
        """Add a constant."""
        return Form(self.terms, self.constant + constant, self.irrational)

    @property
    def token(self) -> bool:
        """Whether it is a function of the own token alone."""
        return all(q.token for q in self.terms)

    @property
    def of_coordinates(self) -> bool:
        """Whether it is one of the own token's coordinates alone: no network errs there."""
        return all(q.name.startswith("x.") for q in self.terms)

    @functools.cached_property
    def sizes(self) -> Mapping[Quantity, float]:
        """Absolute values of the coefficients, rounded."""
        return {quantity: abs(c.numerator / c.denominator) for quantity, c in self.terms.items()}

    @functools.cached_property
    def slack(self) -> Fraction:
        """Bound how far it is from the exact form."""
        return sum((abs(times) * number.off * (1 if q is None else Fraction(size(q.range)))
                    for (q, number), times in self.irrational.items()), Fraction(0))

    @property
    def positive_part(self) -> bool:
        """Whether no network holds it below 0: a positive multiple of one unit."""
        alone = len(self.terms) == 1 and not self.constant and not self.irrational
        return alone and all(q.positive_part and c > 0 for q, c in self.terms.items())

    @property
    def slack_ball(self) -> arb:
        """[-slack, slack]."""
        return arb(0, ball(self.slack).upper())

    def exact(self, quantity: Quantity | None) -> ex.Expression | None:
        """Return the coefficient of a quantity, or the constant for None, as an expression; None where it is rational."""
        found = {number: times for (q, number), times in self.irrational.items() if q is quantity}
        if not found:
            return None
        rational = self.constant if quantity is None else self.terms[quantity]
        rational -= sum((times * number.near for number, times in found.items()), Fraction(0))
        parts = [number.tree if times == 1 else ex.Binary("*", ex.Number(times), number.tree) for number, times in found.items()]
        parts += [ex.Number(rational)] if rational else []
        return ex.joined("+", parts)

    def range(self) -> arb:
        """Enclose its exact values."""
        if len(self.terms) == 1 and not self.constant and not self.irrational:
            (quantity, coefficient), = self.terms.items()
            return quantity.range if coefficient == 1 else ball(coefficient) * quantity.range
        return sum((ball(c) * q.range for q, c in self.terms.items()), ball(self.constant)) + self.slack_ball

    def proportional(self) -> tuple[Form, Fraction]:
        """Return (direction, a) with a * direction the terms, rational ones; all forms parallel to it share the direction."""
        first = min(self.terms, key=lambda q: q.name)
        a = self.terms[first]
        return Form({q: c / a for q, c in self.terms.items()}), a

    def key(self) -> tuple[object, ...]:
        """Return a hashable identity."""
        exact = frozenset(((id(q), number), times) for (q, number), times in self.irrational.items())
        return tuple(sorted((id(q), c) for q, c in self.terms.items())), self.constant, exact


@dataclass(frozen=True)
class Placed:
    """Where the network holds a quantity: sum of coefficient * channel + constant.

    ``mass`` bounds |constant| + sum |coefficient| sup|channel|, from which rounding is bounded (a float where many are summed:
    the few roundings are inside what is added to bounds of rounding).
    """

    channels: Mapping[str, Fraction]
    constant: Fraction
    mass: Fraction | float

    @property
    def unscaled(self) -> bool:
        """Whether a unit reads one channel as it is or its negative: the product is not rounded."""
        return [abs(weight) for weight in self.channels.values()] == [1]


def sum_of(parts: Iterable[tuple[Placed, Fraction]]) -> Placed:
    """Return a combination of places with factors."""
    channels: dict[str, Fraction] = {}
    constant, mass = Fraction(0), 0.0
    for placed, factor in parts:
        for channel, weight in placed.channels.items():
            added = factor if weight == 1 else factor * weight
            channels[channel] = channels[channel] + added if channel in channels else added
        if placed.constant:
            constant += factor * placed.constant
        mass += abs(factor.numerator / factor.denominator) * float(placed.mass)  # several times faster than float(factor)
    return Placed({c: w for c, w in channels.items() if w}, constant, mass)


class Places(dict[Quantity, Placed]):
    """Where all quantities are."""

    def form(self, form: Form) -> Placed:
        """Return a form as an affine combination of channels."""
        whole = sum_of((self[quantity], coefficient) for quantity, coefficient in form.terms.items())
        if not form.constant:
            return whole
        return Placed(whole.channels, whole.constant + form.constant, float(whole.mass) + abs(float(form.constant)))

    def sketched(self, form: Form) -> Placed:
        """Return the same channels and mass, weights left open: enough where no unit is written, and many times faster."""
        channels: dict[str, Fraction] = {}
        mass = abs(float(form.constant)) if form.constant else 0.0
        for quantity, size in form.sizes.items():
            placed = self[quantity]
            channels.update(placed.channels)
            mass += size * float(placed.mass)
        return Placed(channels, Fraction(0), mass)


def ball(value: Fraction | int | float) -> arb:
    """Enclose a rational number, or the exact value of a float."""
    if isinstance(value, float):
        return arb(value)
    return arb(fmpq(value.numerator, value.denominator)) if isinstance(value, Fraction) else arb(value)


def between(lower: arb | float | Fraction, upper: arb | float | Fraction) -> arb:
    """Return the ball around [lower, upper]."""
    ends = [end if isinstance(end, arb) else ball(end) for end in (lower, upper)]
    return ends[0].union(ends[1])


def hull(values: Iterable[arb]) -> arb:
    """Return a ball around some balls."""
    return functools.reduce(lambda a, b: a.union(b), values)


def size(value: arb) -> float:
    """Return a float at or above the absolute value of every point of a ball."""
    return upward(float(value.abs_upper()))


def ends(value: arb) -> tuple[float, float]:
    """Return floats at or outside the ends of a ball."""
    low, high = float(value.lower()), float(value.upper())
    return -upward(-low), upward(high)


def width(values: arb) -> float:
    """Return how long the interval between the ends is, rounded."""
    low, high = ends(values)
    return high - low


def upward(value: float) -> float:
    """Return a float safely above the exact result of the few float operations that gave the value (relative 2^-40)."""
    return value + abs(value) * 2.0**-40 + 2.0**-1000


def total(errors: Iterable[arb]) -> arb:
    """Return the sum of balls."""
    return sum(errors, arb(0))
