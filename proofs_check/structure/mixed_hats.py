"""Hats h of one coordinate, parted by another number of the token: g = (relu(h + z - 1) + h - relu(h - z))/2, and h - g.

z = (w - lo)/H lies strictly between 0 and 1. Where h_i + h_i+1 = 1, g_i + g_i+1 = z, and g is within 1/16 of z h. What is read
is c h + p relu(h + b w + d) + q relu(h - b' w + d') with about these numbers. Below some least h both hinges are 0: so it is off
from g, or h - g, by at most a part of h. Neither is less than min(z, 1 - z) h/2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq

from constructions.network.relu import mean_of
from proofs_check.exact_values import from_rational
from proofs_check.structure.broken_lines import Band, OfCoordinate
from proofs_check.structure.content import affine
from proofs_check.structure.curve_gaps import Ends
from proofs_check.structure.hats import computed_band, without_mean
from proofs_check.structure.of_form import OfForm
from proofs_check.structure.polynomial import leading_monomial
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.squares import rational
from proofs_check.structure.tables_of_means import means_off

HALF = Fraction(1, 2)
ZERO = Fraction(0)


@dataclass(frozen=True)
class Hinge:
    """height relu(h + slope w + shift), up to ``off``."""

    height: Fraction
    slope: Fraction
    shift: Fraction
    off: Fraction

    def beyond(self, w: Ends) -> Fraction:
        """Return an h below which it is 0, whatever w is."""
        return -max(self.slope * end + self.shift for end in w)

    def beside(self, height: Fraction, slope: Fraction, shift: Fraction, w: Ends, largest: Fraction) -> Fraction:
        """Bound the difference from another one, for 0 <= h <= largest."""
        moved = max(abs((self.slope - slope) * end + self.shift - shift) for end in w)
        size = max(abs(slope * end + shift) for end in w) + largest
        return abs(self.height) * moved + abs(self.height - height) * size + self.off


@dataclass(frozen=True)
class Part:
    """What is averaged, as a function of the number h of a table ``hat``, and of w: one hinge rises with w, one falls."""

    hat: str
    slope: Fraction
    rising: Hinge
    falling: Hinge
    noise: Fraction

    @property
    def most(self) -> bool:
        """Whether it is the part that grows with w."""
        return self.rising.height > 0

    def off(self, low: Fraction, height: Fraction, w: Ends, largest: Fraction, moved: Fraction) -> Fraction:
        """Bound how far this is from g, or h - g, by a part of h, where h is known up to ``moved`` and is 0 or positive.

        Below half of the least h at which a hinge may be above 0, here or in g, it is ``slope`` h, whatever noise is elsewhere.
        """
        sign = HALF if self.most else -HALF
        hinges = (self.rising.beside(sign, 1 / height, -low / height - 1, w, largest)
                  + self.falling.beside(-sign, -1 / height, low / height, w, largest))
        least = min(self.rising.beyond(w), self.falling.beyond(w), (w[0] - low) / height, (low + height - w[1]) / height) / 2
        heights = abs(self.rising.height), abs(self.falling.height)
        if not least > 2 * moved + 2 * (self.noise + self.rising.off + self.falling.off) / min(heights):
            raise NotUnderstood("a hat that is not parted between its ends")
        return abs(self.slope - HALF) + (hinges + self.noise + (abs(self.slope) + sum(heights)) * moved) / least


def part_of(form: OfForm, mean: str) -> Part:
    """Read what is averaged; w is the form. Raises NotUnderstood where it is anything else."""
    reading, held = form.reading, form.reading.whole(without_mean(form.reading.before[mean], mean))
    tables, leading = sorted(held.main.variables & reading.bends.keys()), leading_monomial(form.form.main)
    arguments = [reading.whole(reading.bends[name].argument) for name in tables]
    hats = frozenset[str]().union(*(form.other_tables(one) for one in arguments if leading in one.main.terms))
    if len(hats) != 1:
        raise NotUnderstood("what is averaged is no part of one hat")
    (hat,) = hats
    slope, noise, hinges, rest = ZERO, ZERO, list[Hinge](), held
    for name in tables:
        variable = reading.variables[name]
        factor = from_rational(held.main.terms.get(((name, 1),), fmpq(0))) / variable.half
        rest = affine([(rest, fmpq(1)), (variable.content(name), -rational(factor))])
        if name == hat:
            slope += factor
            continue
        hinge = _hinge(form, reading, name, hat, factor)
        if hinge.slope:
            hinges.append(hinge)
        elif hinge.shift:
            raise NotUnderstood("a part of a hat with another hinge")
        else:
            slope, noise = slope + hinge.height, noise + hinge.off  # h is not negative
    if rest.main.terms or len(hinges) != 2 or not hinges[0].slope * hinges[1].slope < 0:
        raise NotUnderstood("a part of a hat with something else")
    rising, falling = sorted(hinges, key=lambda one: -one.slope)
    return Part(hat, slope, rising, falling, noise + Fraction(rest.sharp_spread()))


def _hinge(form: OfForm, reading: Reading, name: str, hat: str, factor: Fraction) -> Hinge:
    """Read factor * table as one hinge of h + a multiple of w."""
    bend = reading.bends[name]
    argument, variable = reading.whole(bend.argument), reading.variables[hat]
    a = from_rational(argument.main.terms.get(((hat, 1),), fmpq(0))) / variable.half
    if len(bend.table.knots) != 1 or not a > 0 or not bend.table.slopes[0]:
        raise NotUnderstood("a part of a hat with a unit that is no hinge of it")
    line, (low, high) = form.read(affine([(argument, fmpq(1)), (variable.content(hat), -rational(a))]))
    (s, first), (t, last) = line.points[0], line.points[-1]
    slope = (last - first) / (t - s)
    if any(value != first + slope * (u - s) for u, value in line.points):
        raise NotUnderstood("a part of a hat with a hinge of something else than a multiple of w")
    height = factor * bend.table.slopes[0] * a
    shift = (first - slope * s - bend.table.knots[0]) / a
    return Hinge(height, slope / a, shift, abs(height) * max(abs(low), abs(high)) / a)


@dataclass(frozen=True)
class Mixture:
    """The means of parts, by name: which hat's, and whether of the part that grows with w = low + z height.

    Attributes:
        hats: what each hat is, as a function of the coordinate.
        off: every part is off from what it should be by at most this part of its hat.
        beside: and by as much again, also where its hat is 0.
    """

    low: Fraction
    height: Fraction
    parts: Mapping[str, Part]
    hats: Mapping[str, Band]
    off: Fraction
    beside: Fraction

    @staticmethod
    def of(form: OfForm, reader: OfCoordinate, means: Sequence[str]) -> Mixture:
        """Read all of them; the first one says what the least and the largest value are."""
        reading, w = form.reading, (form.low, form.high)
        parts = {mean: part_of(form, mean) for mean in means}
        rising = parts[means[0]].rising
        height = 1 / rising.slope
        low = -(rising.shift + 1) * height
        if not low < w[0] <= w[1] < low + height:
            raise NotUnderstood("a mixture of values that are not the least and the largest")
        hats, moved = dict[str, Band](), Fraction(0)
        for hat in {part.hat for part in parts.values()}:
            held = reading.variables[hat].content(hat)
            if reading.roundings is not None:
                channel = _channel(reading, hat)
                held = reading.contents[channel]
                moved = max(moved, Fraction(held.sharp_spread()))
            hats[hat] = reader.read(held) if reading.roundings is None else computed_band(reader, held, mean_of(channel))
        largest = max(value for band in hats.values() for _, value in band.upper.points)
        off = max(part.off(low, height, w, largest, moved) for part in parts.values())
        relative, least = means_off(reading)
        if reading.roundings is None and any(part.noise for part in parts.values()):
            raise NotUnderstood("parts of hats that may be something where their hats are 0")
        if not off + relative < min(w[0] - low, low + height - w[1]) / height / 4:
            raise NotUnderstood("parts of hats that may be negative")
        return Mixture(low, height, parts, hats, off + relative, least)


def _channel(reading: Reading, hat: str) -> str:
    """Return the channel of one unit that holds a table and nothing else."""
    for channel in sorted(reading.single):
        content = reading.contents.get(channel)
        if content is not None and content.main.variables == {hat}:
            return channel
    raise NotUnderstood("a hat that is not one unit")
