"""Logarithms of sums of exponentials, as a network adds them up: pair by pair, in the order that its weights show.

With numbers W_i = (m_i + d_i) e^(L_i(u)), m_i a mean and 0 <= d_i <= delta_i, and factors z_i:

    a leaf     is a table of m_i, plus L_i + log z_i:               log(z_i W_i), up to an error in an interval
    a merge    Y + T(X - Y) or X + T(X - Y), T a table of softplus: log(e^X + e^Y) = Y + softplus(X - Y) = X + softplus(Y - X),

and where X and Y have errors in an interval, log(e^X + e^Y) has an error in it, since that is increasing in both and moves with
them. Only differences X - Y are read by units. In each, the tables that are added say what X is, those that are subtracted what Y
is: a leaf and merges. Of these the last one is that whose own argument subtracts (or adds) all others. The constant with which a
table counts in its argument cannot be seen; any number may be taken for it, and the best one is looked for in float64.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from flint import arb, ctx

from proofs_check.enclosures.interval import Floats
from proofs_check.exact_values import from_end
from proofs_check.structure.curve_gaps import BITS, Ends, Pieces, ball, gap, logistic, softplus
from proofs_check.structure.differences import Chain, Difference, Differences
from proofs_check.structure.fitted_tables import Fits, Fitted
from proofs_check.structure.hinge_sums import ULP
from proofs_check.structure.of_form import Lines
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.shifts import beside_logistic, beside_softplus, minimised
from proofs_check.structure.tables_of_means import Logarithm

ZERO = Fraction(0)
MOST_GAPS = 2**20  # at once
SLACK = 2.0**-30  # above what is lost in a logarithm of a number near 1
Factors = Mapping[int, Fraction]


@dataclass(frozen=True)
class LogSum:
    """The tables of a chain, plus L and log z of a knot, the ``leaf``, are log of the sum of z_i W_i, up to an error."""

    knots: frozenset[int]
    leaf: int
    low: Fraction
    high: Fraction


@dataclass
class LogSums:
    """One tree of sums: reads tables as logarithms of sums over a histogram, each knot with a factor.

    Attributes:
        whole: the sum of all means is at most that.
        leaves: tables of means, with the knots that these belong to.
        tables: of these, how far they are from logarithms.
        fits: of tables of softplus, which may be shared by several trees.
    """

    lines: Lines
    differences: Differences
    whole: Fraction
    leaves: Mapping[str, int]
    tables: Mapping[str, Logarithm]
    factors: Factors
    fits: Fits = field(default_factory=Fits)
    known: dict[Chain, LogSum] = field(default_factory=dict)

    def chain(self, names: Chain) -> LogSum:
        """Return what the sum of some tables is the logarithm of."""
        if names not in self.known:
            self.known[names] = self._leaf(next(iter(names))) if len(names) == 1 else self._merged(names)
        return self.known[names]

    def _leaf(self, name: str) -> LogSum:
        if self.leaves.get(name) not in self.factors:
            raise NotUnderstood("a logarithm of a sum that starts with no table of a mean, or with one that counts for nothing")
        j, table = self.leaves[name], self.tables[name]
        low, high = self.logarithms[j][1]
        return LogSum(frozenset({j}), j, table.low + low, table.high + high)

    def _merged(self, names: Chain) -> LogSum:
        """Return Y + T for sign 1, X + T for -1; what is read beside X - Y counts as part of the other one."""
        _, read, sign = self.differences.last(names)
        x, y = self.chain(read.plus), self.chain(read.minus)
        if x.knots & y.knots:
            raise NotUnderstood("a logarithm of a sum in which a knot occurs twice")
        low, high = beside(self.lines, read, (x.leaf, self.logarithms), (y.leaf, self.logarithms))
        kept = y if sign > 0 else x
        off = (low + x.low, high + x.high) if sign > 0 else (y.low - high, y.high - low)  # of the other one, without the shift
        around = low + x.low - y.high, high + x.high - y.low
        fitted = self.fits.of(read, sign, self.widest + max(map(abs, around)))
        if fitted is None or fitted.loses(kept, off, sign):
            fitted = self._fitted(kept, off, read.pieces(*self.range(x, y, self, read, around)), sign)
        least, most = fitted.hull(kept, off, sign)
        return LogSum(x.knots | y.knots, kept.leaf, least - read.blur, most + read.blur)

    def _fitted(self, kept: LogSum, off: Ends, pieces: Pieces, sign: int) -> Fitted:
        """Look for the shift that makes errors least, and compare."""
        missed, middle = beside_softplus(pieces, sign), (kept.low + kept.high) / 2
        least, most, first, last = (float(end - middle) for end in (kept.low, kept.high, *off))

        def width(s: float) -> float:
            below, above = missed(s)
            return max(most, last - sign * s) - min(least, first - sign * s) + above - below

        ends_of_shift = sorted(sign * (end - middle) for end in off)
        shift = minimised(width, (ends_of_shift[0], ends_of_shift[1]))
        return Fitted(shift, gap(pieces, softplus(shift, sign)))

    def range(self, x: LogSum, y: LogSum, of_y: LogSums, read: Difference, off: Ends) -> Ends:
        """Enclose X - Y + something between the ends of ``off``, Y of another tree maybe, both without errors.

        log sum z W is at least each log z W and at most the largest L_i + log z_i + the logarithm of the sum of all m + d.
        """
        low, high = max(read.ends[0], -of_y._most(y, x, self) + off[0]), min(read.ends[1], self._most(x, y, of_y) + off[1])
        if not low <= high:
            raise NotUnderstood("a difference of logarithms of sums that has no values")
        return low, high

    def _most(self, x: LogSum, y: LogSum, of_y: LogSums) -> Fraction:
        """Bound X - Y: for i in X the smallest over j in Y of the largest L_i + log z_i - log z_j W_j at ends and bends of u."""
        lines, rounded = self.lines_at_bends
        of_x, of_y_knots = sorted(x.knots), sorted(y.knots)
        least, most = np.array([of_y.least[j] for j in of_y_knots]), np.array([self.largest[i] for i in of_x])
        gap = _largest_of_least(lines[:, of_x] + most, lines[:, of_y_knots] + least)
        total = sum((self.deltas[i] for i in x.knots), self.whole)
        rounded += 4 * ULP * (float(np.abs(least).max()) + float(np.abs(most).max()))
        return Fraction(gap + 2 * rounded) + Fraction(max(0.0, math.log(float(total))) + SLACK)

    @functools.cached_property
    def widest(self) -> Fraction:
        """Bound the difference of any two sums."""
        lines, rounded = self.lines_at_bends
        least, most = (np.array([of[j] for j in sorted(of)]) for of in (self.least, self.largest))
        at = lines[:, sorted(self.factors)]
        total = sum(self.deltas.values(), self.whole)
        rounded += 4 * ULP * (float(np.abs(least).max()) + float(np.abs(most).max()))
        gap = float(((at + most).max(axis=1) - (at + least).min(axis=1)).max())
        return Fraction(gap + 2 * rounded) + Fraction(max(0.0, math.log(float(total))) + SLACK)

    @functools.cached_property
    def logarithms(self) -> dict[int, tuple[Fraction, Ends]]:
        """A number near log z of each factor, and an enclosure of that less log z."""
        found = {}
        with ctx.workprec(BITS):
            for j, z in self.factors.items():
                exact = ball(z).log()
                near = Fraction(float(exact.mid()))
                off: arb = ball(near) - exact
                found[j] = near, (from_end(off.lower()), from_end(off.upper()))
        return found

    @functools.cached_property
    def deltas(self) -> dict[int, Fraction]:
        """What is added to a mean before its logarithm is taken is at most that."""
        return {j: self.tables[name].delta for name, j in self.leaves.items()}

    @functools.cached_property
    def least(self) -> dict[int, float]:
        """A bound of log z (m + d) from below."""
        at = ((j, self.tables[name].least + self.logarithms[j][0] + min(ZERO, -self.logarithms[j][1][1]))
              for name, j in self.leaves.items() if j in self.factors)
        return {j: math.nextafter(float(value), -math.inf) for j, value in at}

    @functools.cached_property
    def largest(self) -> dict[int, float]:
        """A bound of log z from above."""
        return {j: math.nextafter(float(near + max(ZERO, -off[0])), math.inf) for j, (near, off) in self.logarithms.items()}

    @functools.cached_property
    def lines_at_bends(self) -> tuple[Floats, float]:
        """All L_i at the ends of u and at all bends, and a bound of their rounding and of that of a difference."""
        lines = np.array([[float(one) for one in L] for L in self.lines.at_bends()])
        return lines, 8 * ULP * float(np.abs(lines).max())


def _largest_of_least(above: Floats, below: Floats) -> float:
    """Return the largest over i of the smallest over j of the largest over rows of above_i - below_j."""
    found, many = -math.inf, max(1, MOST_GAPS // below.shape[1])
    for start in range(0, above.shape[1], many):
        some = above[:, start:start + many]
        gaps = some[0][:, None] - below[0]
        for i in range(1, len(below)):
            np.maximum(gaps, some[i][:, None] - below[i], out=gaps)
        found = max(found, float(gaps.min(axis=1).max()))
    return found


def beside(lines: Lines, read: Difference, x: tuple[int, Mapping[int, tuple[Fraction, Ends]]],
           y: tuple[int, Mapping[int, tuple[Fraction, Ends]]]) -> Ends:
    """Enclose what a table reads beside the tables of X and Y and L + log z of their leaves; these are what numbers stand for."""
    (i, of_x), (j, of_y) = x, y
    (low, high), apart = lines.beside(read.rest, i, j), of_y[j][0] - of_x[i][0]
    return low + apart, high + apart


def beside_step(above: tuple[LogSum, LogSums], below: tuple[LogSum, LogSums], read: Difference, sign: int, height: Fraction,
                step: tuple[Fraction, Fraction]) -> Fraction:
    """Bound |constant + factor * table - height sigma(A - B)|, where the table reads A - B for sign 1, B - A for -1."""
    (x, first), (y, second) = (above, below) if sign > 0 else (below, above)
    if x.knots != first.factors.keys() or y.knots != second.factors.keys():
        raise NotUnderstood("a logarithm of a sum over other knots")
    low, high = beside(first.lines, read, (x.leaf, first.logarithms), (y.leaf, second.logarithms))
    off, (constant, factor) = (low + x.low - y.high, high + x.high - y.low), step
    within = first.range(x, y, second, read, off)
    pieces = [((s, a + constant), (t, b + constant)) for (s, a), (t, b) in read.pieces(*within, factor)]
    least, most, steepest = float(off[0]), float(off[1]), float(height) / 4
    missed = beside_logistic(pieces, float(height), sign)
    shift = minimised(lambda s: steepest * max(s - least, most - s) + max(map(abs, missed(s))), off)
    of_table = gap(pieces, logistic(height, shift, sign))
    return height / 4 * max(abs(end - shift) for end in off) + max(map(abs, of_table)) + abs(factor) * read.blur
