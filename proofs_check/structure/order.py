"""Order statistics read off a thermometer (mathematics: order-statistics).

Let the u-axis be cut into N cells of width delta from a on, c_j(u) = clamp((u - a)/delta - j, 0, 1), s_j = sum over the n tokens
of c_j(u_k). Then a + delta sum_j clamp(s_j - m + 1, 0, 1) differs from the m-th largest u_k by a number in
delta [-(1 - 1/m), 1 - 1/(n - m + 1)]: in a cell above the one that holds it at most m - 1 tokens count, in a cell below at
least m.

What is checked here, exactly, is that the channels compute this sum: each unit pair against the clamp, each argument against s_j.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from fractions import Fraction

from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content, Definitions, affine, expanded
from proofs_check.structure.derivation import Entry
from proofs_check.structure.hinge_sums import HingeSum
from proofs_check.structure.matching import Affine, compared
from proofs_check.structure.polynomial import CONSTANT, Monomial, Polynomial
from proofs_check.structure.premises import Premises, ends, with_other
from proofs_check.structure.quantity import Combination, Quantity, magnitude, merged
from proofs_check.structure.reading import OTHER, Bend, NotUnderstood, Reading

ONE = Fraction(1)
NEARLY = Fraction(1, 2**30)


@dataclass(frozen=True)
class Clamp:
    """One summand, height * clamp(s - start, 0, 1), s the sum over tokens of a ramp from 0 at ``left`` to 1 at ``right``; up to
    ``missed``."""

    height: Fraction
    start: Fraction
    left: Fraction
    right: Fraction
    missed: Fraction


@dataclass(eq=False)
class Counted:
    """The values that are sorted, and how the hinges of their thermometer read them: two clamps share most."""

    reading: Reading
    u: Content
    places: dict[str, Affine | None] = field(default_factory=dict)

    @functools.cached_property
    def at_other(self) -> Content:
        """The values of another token."""
        return self.reading.at_other(self.u)

    @functools.cached_property
    def whole(self) -> Content:
        """The values, all names expanded."""
        return expanded(self.u, self.reading.definitions)

    def place(self, name: str) -> Affine | None:
        """Return what a table reads as a function of the values."""
        if name not in self.places:
            argument = self.reading.bends[name].argument
            self.places[name] = compared(expanded(argument, self.reading.definitions), self.whole)
        return self.places[name]


def order_statistic(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """The m-th largest of values that are off by e_k is off by a number between the least and the largest e_k."""
    (u,), rank = of, entry.detail
    if given.n is None or not 1 <= rank <= given.n:
        raise NotUnderstood("an order statistic needs the number of tokens")
    own = order_statistic_error(given.reading, held, u.content, rank, given.n, *ends(u.actual))
    definition = ranked(rank, given.n, u.definition, len(given.reading.sides))
    parts = {("order-statistics", f"order({rank}) by a thermometer"): magnitude(own)}
    return Quantity(u.exact, own + u.error, definition, entry.held, own, None, merged(parts, u.parts))


def ranked(rank: int, n: int, u: ex.Expression, d: int) -> ex.Expression:
    """Return the rank-th largest value of a token, or the largest or smallest one of a function of a token, as an expression."""
    if d == 1 and u == ex.Own(0):
        return ex.OrderStatistic(ex.Number(Fraction(rank)))
    if any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in u.walk()) or rank not in (1, n):
        raise NotUnderstood("an order statistic of what is no coordinate of a token")
    return ex.Reduction("max" if rank == 1 else "min", with_other(u))


def order_statistic_error(reading: Reading, held: Content, u: Content, rank: int, n: int, low: float, high: float) -> Interval:
    """Enclose held - (m-th largest of the n values of u), m = ``rank``, u in [low, high].

    Raises:
        NotUnderstood: the channels do not hold such a sum.
    """
    constant, clamps, counted = from_rational(held.main.at_zero), list[Clamp](), Counted(reading, u)
    ends = Fraction(low), Fraction(high)
    for monomial, c in held.main.terms.items():
        if monomial != CONSTANT:
            name = _table_name(reading, monomial)
            variable, bend = reading.variables[name], reading.bends[name]
            weight = from_rational(c) / variable.half
            constant -= weight * variable.centre
            clamps.append(_clamp(counted, bend, weight, n, ends))
    if held.noise or not clamps:
        raise NotUnderstood("an order statistic is no sum of tables")
    clamps.sort(key=lambda clamp: clamp.left)
    start, delta = clamps[0].left, (clamps[-1].right - clamps[0].left) / len(clamps)
    missed = Fraction(held.rest) + max(start - ends[0], ends[1] - clamps[-1].right, Fraction(0))
    for j, clamp in enumerate(clamps):
        left = start + j * delta
        moved = abs(clamp.left - left) + abs(clamp.right - left - delta)  # a ramp moved by t counts n tokens wrong by t / delta
        missed += clamp.missed + abs(clamp.height - delta) + n * moved + delta * abs(clamp.start - (rank - 1))
    shift = constant - start
    lower = shift - delta * (1 - Fraction(1, rank)) - missed
    upper = shift + delta * (1 - Fraction(1, n - rank + 1)) + missed
    return Interval.of(Interval.constant(lower).lower, Interval.constant(upper).upper)


def _table_name(reading: Reading, monomial: Monomial) -> str:
    ((name, exponent), *more) = monomial
    if more or exponent != 1 or name not in reading.bends:
        raise NotUnderstood("an order statistic is no sum of tables")
    return name


def _clamp(of: Counted, bend: Bend, weight: Fraction, n: int, ends: tuple[Fraction, Fraction]) -> Clamp:
    """Read height and start off a table, the ramp off what its argument averages: n times the ramp of one token."""
    table = bend.table
    ramp = _piecewise(of, _at_token(of.reading, bend.argument))
    inside = sorted({*ends, *(cut for cut in ramp.jumps if ends[0] < cut < ends[1])})
    points = [(t, ramp(t)) for t in inside]
    rises = [((at_b - at_a) / (b - a), a, at_a) for (a, at_a), (b, at_b) in itertools.pairwise(points)]
    slope, a, at_a = max(rises, key=lambda rise: rise[0])
    if not slope > 0:
        raise NotUnderstood("a step of an order statistic counts no tokens")
    left = a - at_a / slope
    right = left + n / slope
    points += [(t, ramp(t)) for t in (left, right) if ends[0] < t < ends[1]]
    off = max(abs(value / n - min(max((t - left) / (right - left), Fraction(0)), ONE)) for t, value in points)
    largest = n * (1 + off)
    first = table.knots[0]
    flat = len(table.knots) == 2 and table.slopes[1] == 0
    if not flat and not (len(table.knots) == 1 and largest <= first + 1 + NEARLY):
        raise NotUnderstood("a step of an order statistic is no clamp")
    height = weight * table.slopes[0]
    length = table.knots[1] - first if flat else ONE
    beyond = abs(length - 1) if flat else max(largest - first - 1, Fraction(0))
    return Clamp(height, first, left, right, abs(height) * (n * off + ramp.blur + beyond))


def _at_token(reading: Reading, argument: Content) -> Content:
    """Return the token function whose mean the argument is."""
    whole = expanded(argument, reading.definitions)
    means = {name for name in whole.main.variables if name in reading.pooled}
    if whole.noise or any(sum(e for _, e in outer) > 1 for outer in whole.main.by(means)):
        raise NotUnderstood("an argument that is not linear in means")
    return expanded(whole, Definitions({name: reading.averaged_noise(name) for name in means}))


def _piecewise(of: Counted, content: Content) -> HingeSum:
    """Return a token function as a piecewise-linear function of u."""
    reading, at_y = of.reading, of.at_other
    found = HingeSum(from_rational(content.main.at_zero), blur=Fraction(content.sharp_spread()))
    linear: list[tuple[Content, fmpq]] = []
    for monomial, c in content.main.terms.items():
        if monomial == CONSTANT:
            continue
        name = monomial[0][0]
        own = name.removeprefix(OTHER)
        bend = reading.bends.get(own)
        if bend is None or name in at_y.main.variables:  # u may itself be a table
            linear.append((Content(Polynomial({monomial: c})), fmpq(1)))
            continue
        place = of.place(own)
        variable = reading.variables[name]
        if place is None or len(monomial) != 1 or monomial[0][1] != 1 or not name.startswith(OTHER):
            raise NotUnderstood("a thermometer that reads another form")
        weight = from_rational(c) / variable.half
        found.constant -= weight * variable.centre
        found.add(HingeSum.of(bend.table, place), weight)
    if linear:
        place = compared(affine(linear), at_y)
        if place is None:
            raise NotUnderstood("a thermometer that reads another form")
        found.add(HingeSum(from_rational(place.shift), from_rational(place.scale), blur=Fraction(place.missed)), ONE)
    return found
