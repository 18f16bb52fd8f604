"""Averages with exponential weights through a histogram and logarithms of sums (mathematics: exponential-average).

    F = mean over y of e^k(u, v) s(v) / mean over y of e^k(u, v),     k = a(u) + u p(v) + r(v) + kinks,  v a coordinate of y,
    G = lo + H sigma(A - B) = sum s_i W_i / sum W_i,   W_i = (m_i + d_i) e^(L_i),  s_i = lo + z_i H,
    A = log sum z_i W_i,   B = log sum (1 - z_i) W_i,

m_i the mean of hat i and L_i the exponent, less a(u), at its knot t_i; where values are no function of v, A and B are of means of
parts of hats (``mixed_hats.py``); v may be two coordinates (``planar_average.py``). What is held is G up to what tables miss
(``held_average.py``), G is F up to what lies between knots (``between_knots.py``, ``on_triangles.py``).
"""

from __future__ import annotations

from fractions import Fraction

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.exact_values import from_rational
from proofs_check.structure.between_knots import shares_between_knots, shares_of_parts, upper
from proofs_check.structure.broken_lines import OfCoordinate
from proofs_check.structure.content import Content
from proofs_check.structure.derivation import Entry
from proofs_check.structure.exponents import Exponent, polynomial_of, range_between
from proofs_check.structure.hats import Histogram, averaged_band, coordinate_reader
from proofs_check.structure.held_average import Average, HeldAverage
from proofs_check.structure.held_factors import HeldFactors
from proofs_check.structure.log_sums import LogSums
from proofs_check.structure.mixed_hats import Mixture
from proofs_check.structure.of_form import LinesOfForm, OfForm
from proofs_check.structure.planar_average import planar_average
from proofs_check.structure.premises import Premises, ends, substituted, tree_of, with_other
from proofs_check.structure.quantity import Combination, Part, Quantity, around, magnitude, merged, scaled
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational
from proofs_check.structure.steps_read import sides
from proofs_check.structure.tables_of_means import logarithms

ID = "exponential-average"


def exponential_average(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Return what holds for an average of s(v), or of w, with weights exp(k(u, v)); it lies between the values of s, or of w."""
    k, s = tree_of(entry), entry.values
    pairs, own = list(zip(of[::2], of[1::2], strict=False)), of[-1] if len(of) % 2 else None
    others = [_other(v) for _, v in pairs]
    if s is None:
        raise NotUnderstood("an average with exponential weights without values")
    if len(pairs) > 1:
        found = planar_average(given, k, s, held, [(u, other.coordinate) for (u, _), other in zip(pairs, others, strict=True)])
    else:
        found = _of_one_coordinate(given, k, s, held, (*pairs[0], own), others[0].coordinate)
    if given.reading.roundings is None:  # hats and their parts are not negative
        given.reading.at_least |= dict.fromkeys(found.means, 0.0)
    exact, definition = found.exact, substituted(s, list(others)) if own is None else with_other(own.definition)
    local = around(upper(found.by_tables + sum(found.shares.values())))
    spread = Fraction(float(exact.upper)) - Fraction(float(exact.lower))
    steep = [around(upper(spread * one / 4)) for one in found.spreads]
    what = f"{k} by a histogram of {found.hats} hats"
    parts: dict[Part, float] = {(found.id, f"{what}: {share}"): upper(size) for share, size in found.shares.items()}
    parts["interpolation-error", f"log, softplus and sigmoid of {k}"] = upper(found.by_tables)
    weight = ex.Apply("exp", substituted(k, [x for (u, _), other in zip(pairs, others, strict=True)
                                             for x in (u.definition, other)]))
    whole = ex.Binary("/", ex.Reduction("mean", ex.Binary("*", weight, definition)), ex.Reduction("mean", weight))
    error = local
    for (u, _), slope in zip(pairs, steep, strict=True):
        error = error + slope * u.error
    return Quantity(exact, error if own is None else error + own.error, whole, entry.held, local, None,
                    merged(parts, *(scaled(u.parts, magnitude(slope)) for (u, _), slope in zip(pairs, steep, strict=True)),
                           own.parts if own is not None else {}))


def _other(v: Combination) -> ex.Other:
    """Return the coordinate of y; what is averaged is read from the token, whatever is held of v."""
    if not isinstance(v.definition, ex.Own):
        raise NotUnderstood("an average with exponential weights of what is no coordinate")
    return ex.Other(v.definition.coordinate)


def _of_one_coordinate(given: Premises, k: ex.Expression, s: ex.Expression, held: Content,
                       of: tuple[Combination, Combination, Combination | None], coordinate: int) -> Average:
    u, _, w = of
    low, high = map(Fraction, ends(u.actual))
    form = OfForm(given.reading, given.reading.whole(u.content), low, high)
    read, reader = HeldAverage.of(form, given.reading.whole(held)), coordinate_reader(given.reading, coordinate)
    if w is None:
        return _of_hats(read, form, k, s, reader)
    if s != ex.Own(0) or any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in w.definition.walk()):
        raise NotUnderstood("an average with exponential weights of what is no function of one token")
    return _of_parts(read, form, k, w, reader)


def _of_hats(read: HeldAverage, form: OfForm, k: ex.Expression, s: ex.Expression, reader: OfCoordinate) -> Average:
    """Bound what is held less G, and G less F, for the u that is held, and values that are a function of the coordinate."""
    read.refuse_shared_means()
    values = polynomial_of(s)
    histogram = Histogram.of({mean: averaged_band(reader, mean) for mean in read.means.values()}, reader.low, reader.high)
    exponent = Exponent.of(k, histogram.knots, (form.low, form.high))
    by_tables, shares = read.of_hats(LinesOfForm(form, exponent), histogram.place, histogram.total, max(histogram.largest),
                                     [from_rational(values(rational(t))) for t in histogram.knots],
                                     lambda used, deltas: shares_between_knots(exponent, values, used, histogram, deltas))
    exact = Interval.of(*range_between(values, reader.low, reader.high))
    return Average(ID, exact, by_tables, shares, (exponent.spread_of_slopes(),), len(histogram.knots),
                   frozenset(read.means.values()))


def _of_parts(read: HeldAverage, form: OfForm, k: ex.Expression, w: Combination, reader: OfCoordinate) -> Average:
    """Bound the same for values w of their own, each hat parted by w; for the w that is held."""
    reading, means = form.reading, read.means
    low, high = map(Fraction, ends(w.actual))
    mixture = Mixture.of(OfForm(reading, reading.whole(w.content), low, high), reader, sorted(means.values()))
    histogram = Histogram.of(mixture.hats, reader.low, reader.high)
    exponent = Exponent.of(k, histogram.knots, (form.low, form.high))
    lines = LinesOfForm(form, exponent)
    leaves = {name: histogram.place[mixture.parts[mean].hat] for name, mean in means.items()}
    whole = 1 + mixture.off
    tables = logarithms(reading, means, max(histogram.largest) * whole + mixture.beside)
    chains = sides(HeldFactors(read.differences, lines, leaves, tables), read.step, read.differences)
    sums = []
    for most in (True, False):
        own = {name: j for name, j in leaves.items() if mixture.parts[means[name]].most == most}
        if sorted(own.values()) != list(range(len(histogram.knots))):
            raise NotUnderstood("parts of hats that are not averaged once each")
        total = histogram.total * whole + mixture.beside * len(own)
        sums.append(LogSums(lines, read.differences, total, own, tables, dict.fromkeys(own.values(), Fraction(1))))
    shares = shares_of_parts(exponent, mixture, histogram, [one.deltas for one in sums])
    return Average(ID, w.exact, read.beside(chains, sums, mixture.low, mixture.height), shares, (exponent.spread_of_slopes(),),
                   len(histogram.knots), frozenset(means.values()))
