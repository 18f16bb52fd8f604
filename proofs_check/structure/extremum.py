"""The largest or smallest value through a logarithm of a mean of exponentials (mathematics: soft-extremum).

With u_1, .., u_n and any beta > 0, c,  0 <= max u - [c + (1/beta) log mean exp(beta (u - c))] <= log(n)/beta. The network holds
a table F in the place of the exponential, F > 0, and a table G in the place of c + (1/beta) log:

    log F(u) - beta (u - c)     is concave on each piece of F: least at its ends, largest at most where log z <= z/a - 1 + log a,
    G(m) - c - (1/beta) log m   is convex on each piece of G: largest at its ends, least at least where the same holds,

a the number at which log has the slope of the piece. A mean of F lies between e^l and e^r times that of the exponential where
log F - beta (u - c) lies between l and r. All tables are exact fractions, since their values span e^1000; logarithms are balls.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content
from proofs_check.structure.curve_gaps import ball
from proofs_check.structure.derivation import Entry
from proofs_check.structure.matching import compared
from proofs_check.structure.order import ranked
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.premises import Premises, ends
from proofs_check.structure.quantity import Combination, Quantity, above, merged, of_ball
from proofs_check.structure.reading import OTHER, NotUnderstood, Reading
from proofs_check.structure.tables import Soft, Table

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Scaled:
    """factor * table(scale t + shift) + constant, as a function of t."""

    table: Table
    scale: Fraction
    shift: Fraction
    factor: Fraction
    constant: Fraction

    def pieces(self, low: Fraction, high: Fraction) -> list[tuple[Point, Point]]:
        """Return (t, value) at both ends of each linear piece of [low, high], the smaller t first."""
        first, last = sorted((self.scale * low + self.shift, self.scale * high + self.shift))
        found = []
        for a, b, value, slope in self.table.pieces(first, last):
            left, right = self._point(a, value), self._point(b, value + slope * (b - a))
            found.append((left, right) if self.scale > 0 else (right, left))
        return found

    def _point(self, t: Fraction, value: Fraction) -> Point:
        return (t - self.shift) / self.scale, self.factor * value + self.constant


def soft_extremum(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Return what holds for the largest (rank 1) or smallest (rank n) value; of values that are off, it is off by no more."""
    (u,), rank, n = of, entry.detail, given.n
    beta, centre, base = entry.soft
    if n is None or n < 2 or rank not in (1, n) or not beta > 0:
        raise NotUnderstood("a soft extremum is the largest or the smallest of a known number of values")
    sign, reading = 1 if rank == 1 else -1, given.reading
    logarithm, mean = _logarithm(reading, held, sign, base)
    exponential, missed = _exponential(reading, mean, u.content, sign, base)
    low, high = sorted(sign * Fraction(end) for end in ends(u.actual))
    pieces, off = exponential.pieces(low, high), Fraction(missed) / exponential.scale
    steepest = _steepest(exponential)
    of_exp = beside_exponential(pieces, beta, centre) + _around(steepest * Fraction(missed))
    means = [value for piece in exponential.pieces(low - off, high + off) for _, value in piece]
    logs = logarithm.pieces(min(means), max(means))
    of_log = beside_logarithm(logs, beta, centre) + _around(Fraction(held.rest))
    softness = arb(n).log() / ball(beta)
    own = of_ball(of_log + of_exp / ball(beta) - softness.union(arb(0)))
    if len(entry.held.channels) == 1 and exponential.factor == 1 and exponential.constant == base and _of_one_sign(logarithm):
        largest = max(abs((value - logarithm.constant) / logarithm.factor) for piece in logs for _, value in piece)
        numbers = (above(ball(q)) for q in (steepest, base, -logarithm.scale, largest))
        reading.soft |= {channel: Soft(mean, *numbers) for channel in entry.held.channels}
    definition = ranked(rank, n, u.definition, len(reading.sides))
    what = f"{definition} as a log of a mean of exponentials, beta = {float(beta):.6g}"
    tables = "exp and log of a soft extremum"
    parts = {("soft-extremum", what): above(softness), ("interpolation-error", tables): above(abs(of_log))}
    own = own if sign > 0 else -own
    return Quantity(u.exact, own + u.error, definition, entry.held, own, None, merged(parts, u.parts))


def _logarithm(reading: Reading, held: Content, sign: int, base: Fraction) -> tuple[Scaled, str]:
    """Return sign * (what is held) as a function of a mean + base, and the mean."""
    name, weight, constant = _of_one_table(reading, held.main)
    argument = reading.bends[name].argument
    (mean,) = argument.variables if len(argument.variables) == 1 else ("",)
    if held.noise or argument.noise or argument.rest or mean not in reading.pooled or argument.main.degree(mean) != 1:
        raise NotUnderstood("the logarithm of a soft extremum reads something else than one mean")
    slope, offset = _affine(reading, argument.main, mean)
    return Scaled(reading.bends[name].table, slope, offset - slope * base, sign * weight, sign * constant), mean


def _exponential(reading: Reading, mean: str, u: Content, sign: int, base: Fraction) -> tuple[Scaled, float]:
    """Return what is averaged, + base, as a function of sign * u, and by how much its table's argument is off."""
    averaged = reading.pooled[mean]
    name, weight, constant = _of_one_table(reading, averaged.main)
    if averaged.noise or averaged.rest:
        raise NotUnderstood("a soft extremum averages more than one table")
    place = compared(reading.whole(reading.bends[name].argument), reading.whole(u))
    if place is None or not sign * place.scale > 0:
        raise NotUnderstood("a soft extremum whose exponential reads another form")
    scale, shift = sign * from_rational(place.scale), from_rational(place.shift)
    return Scaled(reading.bends[name].table, scale, shift, weight, constant + base), place.missed


def _of_one_table(reading: Reading, main: Polynomial) -> tuple[str, Fraction, Fraction]:
    """Return a table, its factor and what is added where a polynomial is that and nothing else."""
    names = [variable.removeprefix(OTHER) for variable in main.variables]
    if len(names) != 1 or names[0] not in reading.bends or main.degree(next(iter(main.variables))) != 1:
        raise NotUnderstood("a soft extremum is no table of a mean of a table")
    return names[0], *_affine(reading, main, next(iter(main.variables)))


def _affine(reading: Reading, main: Polynomial, name: str) -> tuple[Fraction, Fraction]:
    """Write a polynomial of degree one in one variable in terms of the variable's number."""
    variable = reading.variables[name]
    if not variable.half:
        raise NotUnderstood("a soft extremum that is constant")
    slope = from_rational(main.terms[((name, 1),)]) / variable.half
    return slope, from_rational(main.at_zero) - slope * variable.centre


def _steepest(exponential: Scaled) -> Fraction:
    """Bound the slope of log F by the table's own variable, everywhere: F is convex, so it is largest at knots."""
    table, factor = exponential.table, exponential.factor
    rates = []
    for value, slope, before in zip(table.values, table.slopes, (Fraction(0), *table.slopes), strict=False):
        height = factor * value + exponential.constant
        if not height > 0 or not factor * (slope - before) >= 0:
            raise NotUnderstood("the exponential of a soft extremum is not positive and convex")
        rates.append(factor * slope / height)
    return max(rates)


def beside_exponential(pieces: Iterable[tuple[Point, Point]], beta: Fraction, centre: Fraction) -> arb:
    """Enclose log F(u) - beta (u - centre) for F positive and linear on each piece from (u, F) to (u, F)."""
    found = []
    for (s, low), (t, high) in pieces:
        if not (low > 0 and high > 0):
            raise NotUnderstood("a soft extremum may take the logarithm of a number that is not positive")
        found += [ball(low).log() - ball(beta * (s - centre)), ball(high).log() - ball(beta * (t - centre))]
        if high > low and t > s:
            a = (high - low) / (t - s) / beta  # log F <= F/a - 1 + log a, and F/a rises with slope beta
            found.append(ball(low / a - 1 - beta * (s - centre)) + ball(a).log())
    return _hull(found)


def beside_logarithm(pieces: Iterable[tuple[Point, Point]], beta: Fraction, centre: Fraction) -> arb:
    """Enclose G(m) - centre - (1/beta) log m for G linear on each piece from (m, G) to (m, G): m is linear in G as well."""
    mirrored = [((low, s), (high, t)) for (s, low), (t, high) in pieces]
    return -beside_exponential(mirrored, beta, centre) / ball(beta)


def _of_one_sign(logarithm: Scaled) -> bool:
    """Say whether all hinges look to the left and have weights of one sign: then nothing cancels."""
    slopes = logarithm.table.slopes
    jumps = [slope - before for slope, before in zip(slopes, (Fraction(0), *slopes), strict=False)]
    return logarithm.scale < 0 and all(jump * jumps[0] > 0 for jump in jumps)


def _hull(values: Sequence[arb]) -> arb:
    whole = functools.reduce(lambda a, b: a.union(b), values)
    if not whole.is_finite():
        raise NotUnderstood("a soft extremum without a finite bound")
    return whole


def _around(size: Fraction) -> arb:
    return arb(0).union(ball(size)).union(ball(-size))
