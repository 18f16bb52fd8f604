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


@dataclass(eq=False)
class Quantity:
    """An exact value; ``token`` says that it is a function of the own token alone (no mean of the sequence enters)."""

    name: str
    range: arb
    token: bool


@dataclass(frozen=True)
class Form:
    """constant + sum of coefficient * quantity, up to ``slack`` (irrational constants are rounded to rationals)."""

    terms: Mapping[Quantity, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)
    slack: Fraction = Fraction(0)

    @staticmethod
    def of(quantity: Quantity) -> Form:
        """Return the quantity itself."""
        return Form({quantity: Fraction(1)})

    def __add__(self, other: Form) -> Form:
        terms = dict(self.terms)
        for quantity, coefficient in other.terms.items():
            terms[quantity] = terms.get(quantity, Fraction(0)) + coefficient
        return Form({q: c for q, c in terms.items() if c}, self.constant + other.constant, self.slack + other.slack)

    def __mul__(self, factor: Fraction) -> Form:
        if not factor:
            return Form()
        return Form({q: c * factor for q, c in self.terms.items()}, self.constant * factor, self.slack * abs(factor))

    def __sub__(self, other: Form) -> Form:
        return self + other * Fraction(-1)

    def shifted(self, constant: Fraction) -> Form:
        """Add a constant."""
        return Form(self.terms, self.constant + constant, self.slack)

    @property
    def token(self) -> bool:
        """Whether it is a function of the own token alone."""
        return all(q.token for q in self.terms)

    @functools.cached_property
    def sizes(self) -> Mapping[Quantity, float]:
        """Absolute values of the coefficients, rounded."""
        return {quantity: abs(c.numerator / c.denominator) for quantity, c in self.terms.items()}

    @property
    def slack_ball(self) -> arb:
        """[-slack, slack]."""
        return arb(0, ball(self.slack).upper())

    def range(self) -> arb:
        """Enclose its exact values."""
        if len(self.terms) == 1 and not self.constant and not self.slack:
            (quantity, coefficient), = self.terms.items()
            return quantity.range if coefficient == 1 else ball(coefficient) * quantity.range
        return sum((ball(c) * q.range for q, c in self.terms.items()), ball(self.constant)) + self.slack_ball

    def proportional(self) -> tuple[Form, Fraction, Fraction]:
        """Return (direction, a, b) with self = a * direction + b, the direction shared by all forms parallel to it."""
        first = min(self.terms, key=lambda q: q.name)
        a = self.terms[first]
        return Form({q: c / a for q, c in self.terms.items()}), a, self.constant

    def key(self) -> tuple[tuple[tuple[int, Fraction], ...], Fraction]:
        """Return a hashable identity."""
        return tuple(sorted((id(q), c) for q, c in self.terms.items())), self.constant


@dataclass(frozen=True)
class Placed:
    """Where the network holds a quantity: sum of coefficient * channel + constant.

    ``mass`` bounds |constant| + sum |coefficient| sup|channel|, from which rounding is bounded (a float where many are summed:
    the few roundings are inside what is added to bounds of rounding).
    """

    channels: Mapping[str, Fraction]
    constant: Fraction
    mass: Fraction | float


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


def upward(value: float) -> float:
    """Return a float safely above the exact result of the few float operations that gave the value (relative 2^-40)."""
    return value + abs(value) * 2.0**-40 + 2.0**-1000


def total(errors: Iterable[arb]) -> arb:
    """Return the sum of balls."""
    return sum(errors, arb(0))
