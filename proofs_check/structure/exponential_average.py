"""Averages with exponential weights through a histogram and logarithms of sums (mathematics: exponential-average).

    F = mean over y of e^k(u, v) s(v) / mean over y of e^k(u, v),     k = a(u) + u p(v) + r(v) + kinks,  v a coordinate of y,
    G = lo + H sigma(A - B) = sum s_i W_i / sum W_i,   W_i = (m_i + d_i) e^(L_i),  s_i = lo + z_i H,
    A = log sum z_i W_i,   B = log sum (1 - z_i) W_i,

m_i the mean of hat i and L_i the exponent, less a(u), at its knot t_i; where values are no function of v, A and B are of means of
parts of hats (``mixed_hats.py``). What is held is G up to what tables miss (``log_sums.py``), G is F up to what lies between
knots (``between_knots.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq_poly

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.exact_values import from_rational
from proofs_check.structure.between_knots import shares_between_knots, shares_of_parts, upper
from proofs_check.structure.broken_lines import OfCoordinate
from proofs_check.structure.content import Content
from proofs_check.structure.derivation import Entry
from proofs_check.structure.differences import Chain, Differences
from proofs_check.structure.exponents import Exponent, polynomial_of, range_between
from proofs_check.structure.hats import Histogram, averaged_band, coordinate_reader
from proofs_check.structure.held_factors import HeldFactors
from proofs_check.structure.log_sums import LogSums, beside_step
from proofs_check.structure.mixed_hats import Mixture
from proofs_check.structure.of_form import OfForm
from proofs_check.structure.premises import Premises, ends, substituted, tree_of, with_other
from proofs_check.structure.quantity import Combination, Part, Quantity, around, magnitude, merged, scaled
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational
from proofs_check.structure.steps_read import Step, sides
from proofs_check.structure.tables_of_means import logarithms
from proofs_check.structure.used_values import UsedValues

ID = "exponential-average"


def exponential_average(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Return what holds for an average of s(v), or of w, with weights exp(k(u, v)); it lies between the values of s, or of w."""
    (u, v, *others), k, s = of, tree_of(entry), entry.values
    if s is None or not isinstance(v.definition, ex.Own):  # what is averaged is read from the token, whatever is held of v
        raise NotUnderstood("an average with exponential weights of what is no coordinate")
    coordinate = v.definition.coordinate
    low, high = map(Fraction, ends(u.actual))
    form = OfForm(given.reading, given.reading.whole(u.content), low, high)
    read = _Read.of(form, given.reading.whole(held))
    reader = coordinate_reader(given.reading, coordinate)
    if others:
        (w,) = others
        if s != ex.Own(0) or any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in w.definition.walk()):
            raise NotUnderstood("an average with exponential weights of what is no function of one token")
        exact, definition, passed = w.exact, with_other(w.definition), w
        exponent, by_tables, shares = _of_parts(read, k, w, reader)
    else:
        values = polynomial_of(s)
        exact, definition, passed = Interval.of(*range_between(values, reader.low, reader.high)), substituted(s, [
            ex.Other(coordinate)]), None
        exponent, by_tables, shares = _of_hats(read, k, values, reader)
    if given.reading.roundings is None:  # hats and their parts are not negative
        given.reading.at_least |= dict.fromkeys(read.means.values(), 0.0)
    own = around(upper(by_tables + sum(shares.values())))
    spread = Fraction(float(exact.upper)) - Fraction(float(exact.lower))
    steep = around(upper(spread * exponent.spread_of_slopes() / 4))
    what = f"{k} by a histogram of {len(exponent.knots)} hats"
    parts: dict[Part, float] = {(ID, f"{what}: {share}"): upper(size) for share, size in shares.items()}
    parts["interpolation-error", f"log, softplus and sigmoid of {k}"] = upper(by_tables)
    weight = ex.Apply("exp", substituted(k, [u.definition, ex.Other(coordinate)]))
    whole = ex.Binary("/", ex.Reduction("mean", ex.Binary("*", weight, definition)), ex.Reduction("mean", weight))
    error = own + steep * u.error
    return Quantity(exact, error if passed is None else error + passed.error, whole, entry.held, own, None,
                    merged(parts, scaled(u.parts, magnitude(steep)), passed.parts if passed is not None else {}))


@dataclass(frozen=True, eq=False)
class _Read:
    """What is held: a step of the difference of two logarithms, and the tables of means these are made of."""

    form: OfForm
    step: Step
    differences: Differences
    means: dict[str, str]

    @staticmethod
    def of(form: OfForm, held: Content) -> _Read:
        step = Step.of(form, held)
        return _Read(form, step, Differences(form), leaves_below(form, step.table))

    def beside(self, chains: tuple[Chain, Chain], sums: Sequence[LogSums], low: Fraction, height: Fraction) -> Fraction:
        """Bound what is held less low + height sigma(A - B)."""
        (above, first), (below, second) = zip(chains, sums, strict=True)
        off = beside_step((first.chain(above), first), (second.chain(below), second), self.differences[self.step.table],
                          self.step.sign, height, (self.step.constant - low, self.step.factor))
        return off + self.step.beside


def _of_hats(read: _Read, k: ex.Expression, values: fmpq_poly, reader: OfCoordinate
             ) -> tuple[Exponent, Fraction, dict[str, Fraction]]:
    """Bound what is held less G, and G less F, for the u that is held, and values that are a function of the coordinate."""
    form, means = read.form, read.means
    if len(set(means.values())) != len(means):
        raise NotUnderstood("several tables of one mean of a histogram")
    histogram = Histogram.of({mean: averaged_band(reader, mean) for mean in means.values()}, reader.low, reader.high)
    exponent = Exponent.of(k, histogram.knots, (form.low, form.high))
    leaves = {name: histogram.place[mean] for name, mean in means.items()}
    tables = logarithms(form.reading, means, max(histogram.largest))
    found = HeldFactors(read.differences, exponent, leaves, tables)
    chains = sides(found, read.step, read.differences)
    exact = [from_rational(values(rational(t))) for t in histogram.knots]
    best: tuple[Fraction, dict[str, Fraction]] | None = None
    for used in UsedValues.candidates(exact, found, *chains):
        sums = [LogSums(form, read.differences, exponent, histogram.total, leaves, tables, factors)
                for factors in (used.above, used.below)]
        shares = shares_between_knots(exponent, values, used.values, histogram, sums[0].deltas)
        off = read.beside(chains, sums, used.low, used.height)
        if best is None or off + sum(shares.values()) < best[0] + sum(best[1].values()):
            best = off, shares
    if best is None:
        raise NotUnderstood("an average in which a knot counts with another factor than its value says")
    return exponent, *best


def _of_parts(read: _Read, k: ex.Expression, w: Combination, reader: OfCoordinate
              ) -> tuple[Exponent, Fraction, dict[str, Fraction]]:
    """Bound the same for values w of their own, each hat parted by w; for the w that is held."""
    reading, means = read.form.reading, read.means
    low, high = map(Fraction, ends(w.actual))
    mixture = Mixture.of(OfForm(reading, reading.whole(w.content), low, high), reader, sorted(means.values()))
    histogram = Histogram.of(mixture.hats, reader.low, reader.high)
    exponent = Exponent.of(k, histogram.knots, (read.form.low, read.form.high))
    leaves = {name: histogram.place[mixture.parts[mean].hat] for name, mean in means.items()}
    whole = 1 + mixture.off
    tables = logarithms(reading, means, max(histogram.largest) * whole + mixture.beside)
    chains = sides(HeldFactors(read.differences, exponent, leaves, tables), read.step, read.differences)
    sums = []
    for most in (True, False):
        own = {name: j for name, j in leaves.items() if mixture.parts[means[name]].most == most}
        if sorted(own.values()) != list(range(len(histogram.knots))):
            raise NotUnderstood("parts of hats that are not averaged once each")
        total = histogram.total * whole + mixture.beside * len(own)
        sums.append(LogSums(read.form, read.differences, exponent, total, own, tables, dict.fromkeys(own.values(), Fraction(1))))
    shares = shares_of_parts(exponent, mixture, histogram, [one.deltas for one in sums])
    return exponent, read.beside(chains, sums, mixture.low, mixture.height), shares


def leaves_below(form: OfForm, table: str) -> dict[str, str]:
    """Return the tables of one mean alone that a table is made of, with these means."""
    waiting, seen, found = [table], set[str](), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            argument = form.reading.whole(form.reading.bends[name].argument)
            inner = form.other_tables(argument)
            waiting += inner
            if not inner and len(argument.main.variables) == 1 and argument.main.variables <= form.reading.pooled.keys():
                (found[name],) = argument.main.variables
    return found
