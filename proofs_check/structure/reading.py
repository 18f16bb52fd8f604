"""What is known of a stored ReLU Sumformer while its layers are read (``layers.py``): what every channel holds, and its range.

Variables, each scaled to [-1, 1]: coordinates of the own token (``x.c``), means of pooled channels (``mean.C``), outputs of
tables (``table.C``), proved quantities (``quantity.Q``), and the numbers in channels that further squares are made of
(``channel.C``): what is polynomial in such a number stays short, and what cancels, cancels exactly. Everything is over the reals.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.enclosures.sums import ABOVE
from proofs_check.structure.content import Content, Definitions, Noise, affine, collapsed, dyadic, expanded, multiplied_out, tidy
from proofs_check.structure.derivation import Held
from proofs_check.structure.local_roundings import Roundings
from proofs_check.structure.polynomial import CONSTANT, Polynomial, combined, leading_monomial
from proofs_check.structure.ranges import Range, polynomial_range, rational_down, rational_up, widened
from proofs_check.structure.ridge import ridge_range
from proofs_check.structure.series import Bounds, NoSeries, SeriesOf
from proofs_check.structure.squares import rational
from proofs_check.structure.tables import Soft, Table
from proofs_check.structure.variable import Variable, of_one

TOKEN, OTHER = "x.", "y."
Place = tuple[ReluLayer, int]
ONE = fmpq(1)
ALMOST = 2.0**-10
SMALL = 1 / 64  # of the noise of a channel: what is below has no name of its own


class NotUnderstood(Exception):
    """The network is outside what is read here; nothing is claimed about it."""


@dataclass(frozen=True, eq=False)
class Bend:
    """A table at work: the number in its channel is table(argument)."""

    argument: Content
    table: Table


@dataclass(frozen=True)
class Number:
    """The number rest + half v of a variable v in [-1, 1], the rest a polynomial of others."""

    name: str
    half: fmpq
    rest: Polynomial


@dataclass
class Reading:
    """What is known after some layers.

    Attributes:
        contents: by channel; a channel that nothing has written holds 0.
        variables: scale of every variable.
        definitions: channel variables as polynomials of the token, or of one other variable, with one eps.
        copies: the other channel variables, as contents.
        bends: tables, by the variable that stands for their output.
        pooled: by mean variable, what the pooled channel holds at the token y.
        averaged: the same, scaled as the mean variable is.
        before: by mean variable, what the pooled channel holds, with every eps under its own name.
        facts: combinations of channels whose range is known to be narrower than their contents show.
        soft: by channel of a logarithm in a soft extremum, what rounding is measured by.
        at_least: means that were proved not to be below a number, which is not seen from what is averaged.
        roundings: of each layer, where what is read are the numbers that are computed; None for the real ones.
        products: by two variables, numbers of these, and a third variable that stands for their product: its range is narrow.
        copied: bounds of contents that copy what a unit read; used as long as no facts are known.
        folds: of each square.
        seen: by layer and unit, the range of what the unit rectifies; folds are left out.
        positive: channels to which units are added with weights that are not negative, and nothing else.
        single: those to which one unit alone is added: what is computed there is 0 where that unit is.
        hinges: channels said to hold a rectified form: a unit that writes to one is no copy, however little it bends.
        almost: a unit that bends by less than this part of what it reads is a copy. Ranges of what many tables add up to show
            far more than there is, and a small part of them is no small number.
    """

    sides: Sequence[tuple[Fraction, Fraction]]
    contents: dict[str, Content] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    definitions: Definitions = field(default_factory=Definitions)
    copies: Definitions = field(default_factory=Definitions)
    bends: dict[str, Bend] = field(default_factory=dict)
    pooled: dict[str, Content] = field(default_factory=dict)
    averaged: Definitions = field(default_factory=Definitions)
    before: dict[str, Content] = field(default_factory=dict)
    facts: list[tuple[Held, float, float]] = field(default_factory=list)
    copied: dict[Content, Bounds] = field(default_factory=dict)
    folds: list[int] = field(default_factory=list)
    seen: dict[Place, Range] = field(default_factory=dict)
    positive: set[str] = field(default_factory=set)
    single: set[str] = field(default_factory=set)
    hinges: set[str] = field(default_factory=set)
    products: dict[tuple[str, str], tuple[Number, Number, str]] = field(default_factory=dict)
    soft: dict[str, Soft] = field(default_factory=dict)
    at_least: dict[str, float] = field(default_factory=dict)
    roundings: Roundings | None = None
    almost: float = ALMOST

    def __post_init__(self) -> None:
        self._defined, self._averaged = SeriesOf(self.definitions), SeriesOf(self.averaged)

    def start(self, network: MeanSumformer) -> None:
        """Name the token's coordinates."""
        for channel, (low, high) in zip(network.tokens, self.sides, strict=True):
            name = TOKEN + str(network.tokens.index(channel))
            self.variables[name] = self.variables[name.replace(TOKEN, OTHER)] = Variable.of(low, high)
            self.contents[channel] = self.variables[name].content(name)
        added = [(channel, bool((column >= 0).all())) for layer in (*network.phi, *network.psi)
                 for channel, column in zip(layer.writes, layer.W_2.T, strict=True)]
        before = {*network.tokens, *map(mean_of, network.pooled)}
        self.positive = {channel for channel, _ in added} - before - {channel for channel, positive in added if not positive}
        units = Counter[str]()
        for layer in (*network.phi, *network.psi):
            units.update(dict(zip(layer.writes, np.count_nonzero(layer.W_2, axis=0).tolist(), strict=True)))
        self.single = {channel for channel in self.positive if units[channel] == 1}

    def least(self, held: Held) -> float:
        """Return a number that a combination of channels is never below, from the signs of weights alone."""
        positive = all(channel in self.positive and weight >= 0 for channel, weight in held.channels.items())
        return rational_down(rational(held.constant)) if positive else -math.inf

    def pool(self, channels: Iterable[str]) -> None:
        """Name the means: each lies in the range of what is averaged."""
        for channel in channels:
            held, name = self.contents.get(channel, Content(Polynomial({}))), mean_of(channel)
            if self.roundings is not None:  # a mean that is off by r is that of numbers that are off by r
                held = affine([(held, ONE), (_rounded(self.roundings.of_means[name], of_mean(name)), ONE)])
            ends, whole = self.flattened(held, f"pooled {channel}")
            self.variables[name] = Variable.of(*ends)
            self.contents[name] = self.variables[name].content(name)
            self.pooled[name] = self.at_other(whole)
            self.averaged[name] = self.variables[name].scaled(self.pooled[name])
            self.before[name] = held

    def rounding_of_means(self, held: Held) -> float:
        """Bound what rounding the means themselves does to a combination of them; 0 where what is read are real numbers."""
        if self.roundings is None:
            return 0.0
        return sum(float(abs(weight)) * self.roundings.of_means[channel] for channel, weight in held.channels.items()) * ABOVE

    def averaged_noise(self, name: str) -> Content:
        """Return what a mean averages, scaled as its variable is; its noise cancels against that of the same channels at y."""
        return self.variables[name].scaled(self.at_other(expanded(self.before[name], self.definitions)))

    def at_other(self, content: Content) -> Content:
        """Return the same function of the token at another token, y."""
        names = {name: OTHER + name.removeprefix(TOKEN) for name in content.variables}
        self.variables |= {other: self.variables[name] for name, other in names.items()}
        return content.renamed(names, " at y")

    def read(self, layer: ReluLayer, unit: int, *, bias: bool) -> Content:
        """Return what a unit sees, with or without its bias."""
        parts = [(self.contents[channel], dyadic(weight)) for channel, weight in zip(layer.reads, layer.W_1[:, unit], strict=True)
                 if weight and channel in self.contents]
        whole = affine(parts, dyadic(layer.bias[unit]) if bias else fmpq(0))
        return whole if whole.variables <= self.pooled.keys() and of_one(whole) else tidy(whole)

    def range(self, content: Content) -> Range:
        """Enclose the values; a form that is linear in means ranges where what is averaged does."""
        return self.bounds(content).ends

    def bounds(self, content: Content) -> Bounds:
        """Return the range, and a bound of all noise and rest where definitions are in their place."""
        ends = None if content.variables & self.definitions.keys() else of_one(content)
        if not self.facts and not self.products:
            if ends is not None:
                return Bounds(ends, 0.0)
            if content in self.copied:
                return self.copied[content]
            if content.variables & self.definitions.keys():
                try:
                    return self._defined.bounds(content, self.pooled)
                except NoSeries:
                    pass
        content = expanded(content, self.definitions)
        ranges = [self._range(content), *([ends] if ends else [])]
        ranges += [self._range(other) for other in self.with_products(self.whole(content))] if self.products else []
        return Bounds((max(low for low, _ in ranges), min(high for _, high in ranges)), content.sharp_spread())

    def lower_end(self, content: Content) -> float:
        """Bound the values from below once more, sharply where they are a polynomial of one form in the token's coordinates."""
        whole = self.whole(content)
        found = ridge_range(whole.main) if all(name.startswith(TOKEN) for name in whole.main.variables) else None
        return -math.inf if found is None else found[0] - whole.sharp_spread() * ABOVE

    def flattened(self, content: Content, eps: str) -> tuple[Range, Content]:
        """Return the range, and the content with definitions in their place and one eps in the place of all noise."""
        bounds, main = self.bounds(content), multiplied_out(content.main, self.definitions)
        return bounds.ends, Content(main).with_noise(eps, dyadic(bounds.spread))

    def whole(self, content: Content) -> Content:
        """Expand all names of channels, one copied from the other, as long as none occurs in a higher power than the second."""
        content = expanded(content, self.definitions)
        while content.variables & self.copies.keys():
            if any(content.main.degree(name) > 2 for name in content.main.variables & self.copies.keys()):
                return content
            content = expanded(expanded(content, self.copies), self.definitions)
        return content

    def with_products(self, content: Content) -> list[Content]:
        """Write the content with known products in the place of pairs of variables, in every order in which they can be taken."""
        known = [pair for pair in self.products if set(pair) <= content.variables]
        written = []
        for order in itertools.permutations(known):
            other = content
            for a, b in order:
                product = self._product(a, b)
                noise = {key: Noise(one.polynomial.paired(a, b, product), one.bound) for key, one in other.noise.items()}
                other = Content(other.main.paired(a, b, product), noise, other.rest)
            written.append(other)
        return written if known else []

    def _product(self, a: str, b: str) -> Polynomial:
        """Return a * b of the variables, given a product of numbers: (c + h a)(d + k b) = w."""
        p, q, name = self.products[a, b]
        scale = 1 / (p.half * q.half)
        return combined([(self.variables[name].content(name).main, scale), (p.rest * q.rest, -scale),
                         (p.rest * Polynomial.variable(b), -scale * q.half), (q.rest * Polynomial.variable(a), -scale * p.half)])

    def know_product(self, p: Number, q: Number, low: float, high: float) -> None:
        """Remember the range of the product of two numbers."""
        name = f"product {len(self.variables)}"  # its factors may be called anything, "a and b" for one
        self.variables[name] = Variable.of(low, high)
        self.products[p.name, q.name] = p, q, name

    def _range(self, content: Content, facts: list[tuple[Held, float, float]] | None = None) -> Range:
        """Enclose the values; what is known of a part is taken off, and the rest enclosed by what else is known."""
        plain = self._plain_range(content)
        facts, found = self.facts if facts is None else facts, list[tuple[float, Content, list[fmpq], int]]()
        for number, (held, low, high) in enumerate(facts):
            known = expanded(self.held(held), self.definitions)
            leading = leading_monomial(known.main)
            if leading is None or leading not in content.main.terms:
                continue
            scale = content.main.terms[leading] / known.main.terms[leading]
            ends = sorted((rational(Fraction(low)) * scale, rational(Fraction(high)) * scale))
            left = affine([(content, ONE), (known, -scale)])
            a, b = self._plain_range(left)
            found.append((b - a + float(ends[1] - ends[0]), left, ends, number))
        if not found:
            return plain
        _, left, ends, number = min(found, key=lambda one: one[0])  # the fact that says most
        a, b = self._range(left, [*facts[:number], *facts[number + 1:]])
        a, b = widened(rational_down(ends[0]) + a, rational_up(ends[1]) + b)
        return max(a, plain[0]), min(b, plain[1])

    def _plain_range(self, content: Content) -> Range:
        main, spread = content.main, content.sharp_spread()
        means = {name for name in main.variables if name in self.pooled}
        if means and all(sum(e for _, e in outer) <= 1 for outer in main.by(means)):
            low, high = polynomial_range(main)  # a mean may be known more narrowly than what is averaged shows
            known = low - spread * ABOVE, high + spread * ABOVE
            try:
                low, high = self._averaged.range(Content(main))
            except NoSeries:
                whole = expanded(Content(main), self.averaged)
                low, high = polynomial_range(whole.main)
                spread += whole.sharp_spread()
            return max(low - spread * ABOVE, known[0]), min(high + spread * ABOVE, known[1])
        low, high = polynomial_range(main)
        return low - spread * ABOVE, high + spread * ABOVE

    def name(self, channel: str) -> None:
        """Give the number in a channel a name, so that what is made of it is a polynomial in one variable."""
        held = self.contents[channel]
        if len(held.main.terms) <= 2 and not held.noise and all(m == CONSTANT or m[0][1] == len(m) == 1 for m in held.main.terms):
            return
        name = f"channel.{channel}"
        while name in self.variables:  # it has been added to since it was named
            name += "'"
        below = self.definitions.below(held.variables)
        simple = len(below) == 1 or all(v.startswith(TOKEN) for v in below)
        if simple and len(self.sides) > 1:
            ends, whole = self.flattened(held, name)
        else:
            ends, whole = self.range(held), expanded(held, self.definitions)
            if simple:  # what two polynomials share cancels where both occur; for several coordinates that takes too long
                whole = collapsed(whole, name, SMALL)
        variable = self.variables[name] = Variable.of(*ends)
        (self.definitions if simple else self.copies)[name] = variable.scaled(whole)
        self.contents[channel] = variable.content(name)

    def held(self, held: Held) -> Content:
        """Return what is held in a combination of channels, as they are described now."""
        known = ((channel, weight) for channel, weight in held.channels.items() if channel in self.contents)
        parts = [(self.contents[channel], rational(weight)) for channel, weight in known]
        return tidy(affine(parts, rational(held.constant)))

    def round(self, part: str, at: int) -> None:
        """Add what rounding does in a layer."""
        rounded = {} if self.roundings is None else self.roundings.of_layers.get((part, at), {})
        for channel, size in rounded.items():
            self.add(channel, _rounded(size, rounding_name(part, at, channel)))

    def add(self, channel: str, content: Content) -> None:
        """Add to a channel."""
        held = self.contents.get(channel)
        self.contents[channel] = content if held is None else affine([(held, ONE), (content, ONE)])


def rounding_name(part: str, at: int, channel: str) -> str:
    """Return what the eps is called that stands for the rounding of a layer in a channel."""
    return f"rounding {part}{at} {channel}"


def of_mean(name: str) -> str:
    """Return what the eps is called that stands for the rounding of a mean."""
    return f"rounding {name}"


def is_rounding(eps: str) -> bool:
    """Say whether an eps stands for a rounding, by its name."""
    return eps.startswith("rounding ")


def _rounded(size: float, name: str) -> Content:
    return Content.constant(fmpq(0)).with_noise(name, dyadic(size))
