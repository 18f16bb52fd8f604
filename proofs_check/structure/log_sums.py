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
from proofs_check.structure.broken_lines import Broken
from proofs_check.structure.curve_gaps import BITS, Ends, ball, gap, logistic, softplus
from proofs_check.structure.differences import Chain, Difference, Differences
from proofs_check.structure.exponents import Exponent
from proofs_check.structure.hinge_sums import ULP
from proofs_check.structure.of_form import OfForm
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.shifts import beside_logistic, beside_softplus, minimised
from proofs_check.structure.tables_of_means import Logarithm

ZERO = Fraction(0)
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
    """

    form: OfForm
    differences: Differences
    exponent: Exponent
    whole: Fraction
    leaves: Mapping[str, int]
    tables: Mapping[str, Logarithm]
    factors: Factors
    known: dict[Chain, LogSum] = field(default_factory=dict)

    def chain(self, names: Chain) -> LogSum:
        """Return what the sum of some tables is the logarithm of."""
        if names not in self.known:
            self.known[names] = self._leaf(next(iter(names))) if len(names) == 1 else self._merged(names)
        return self.known[names]

    def _leaf(self, name: str) -> LogSum:
        j, table = self.leaves[name], self.tables[name]
        low, high = self.logarithms[j][1]
        return LogSum(frozenset({j}), j, table.low + low, table.high + high)

    def _merged(self, names: Chain) -> LogSum:
        """Return Y + T for sign 1, X + T for -1; what is read beside X - Y counts as part of the other one."""
        _, read, sign = self.differences.last(names)
        x, y = self.chain(read.plus), self.chain(read.minus)
        if x.knots & y.knots:
            raise NotUnderstood("a logarithm of a sum in which a knot occurs twice")
        low, high = beside(self.form, self.exponent, read, (x.leaf, self.logarithms), (y.leaf, self.logarithms))
        kept = y if sign > 0 else x
        off = (low + x.low, high + x.high) if sign > 0 else (y.low - high, y.high - low)  # of the other one, without the shift
        pieces = read.pieces(*self.range(x, y, self, read, (low + x.low - y.high, high + x.high - y.low)))
        missed, middle = beside_softplus(pieces, sign), (kept.low + kept.high) / 2
        least, most, first, last = (float(end - middle) for end in (kept.low, kept.high, *off))

        def width(s: float) -> float:
            below, above = missed(s)
            return max(most, last - sign * s) - min(least, first - sign * s) + above - below

        ends_of_shift = sorted(sign * (end - middle) for end in off)
        shift = minimised(width, (ends_of_shift[0], ends_of_shift[1]))
        below, above = gap(pieces, softplus(shift, sign))
        moved = off[0] - sign * shift, off[1] - sign * shift
        return LogSum(x.knots | y.knots, kept.leaf, min(kept.low, moved[0]) + below - read.blur,
                      max(kept.high, moved[1]) + above + read.blur)

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
        least = np.array([of_y.least[j] for j in sorted(y.knots)])
        most = np.array([self.largest[i] for i in sorted(x.knots)])
        above, below = lines[:, sorted(x.knots)] + most, lines[:, sorted(y.knots)] + least
        gaps = np.full((above.shape[1], below.shape[1]), -np.inf)
        for i in range(len(lines)):
            np.maximum(gaps, above[i][:, None] - below[i][None, :], out=gaps)
        total = sum((self.deltas[i] for i in x.knots), self.whole)
        rounded += 4 * ULP * (float(np.abs(least).max()) + float(np.abs(most).max()))
        return Fraction(float(gaps.min(axis=1).max()) + 2 * rounded) + Fraction(max(0.0, math.log(float(total))) + SLACK)

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
        lines = np.array([[float(one) for one in L] for L in self.exponent.lines.values()])
        return lines, 8 * ULP * float(np.abs(lines).max())


def beside(form: OfForm, exponent: Exponent, read: Difference, x: tuple[int, Mapping[int, tuple[Fraction, Ends]]],
           y: tuple[int, Mapping[int, tuple[Fraction, Ends]]]) -> Ends:
    """Enclose what a table reads beside the tables of X and Y and L + log z of their leaves; these are what numbers stand for."""
    line, (low, high) = form.read(read.rest)
    (i, of_x), (j, of_y) = x, y
    whole = Broken.total(of_y[j][0] - of_x[i][0], [(line, Fraction(1)), (exponent.line(i), Fraction(-1)),
                                                   (exponent.line(j), Fraction(1))])
    return min(value for _, value in whole.points) + low, max(value for _, value in whole.points) + high


def beside_step(above: tuple[LogSum, LogSums], below: tuple[LogSum, LogSums], read: Difference, sign: int, height: Fraction,
                step: tuple[Fraction, Fraction]) -> Fraction:
    """Bound |constant + factor * table - height sigma(A - B)|, where the table reads A - B for sign 1, B - A for -1."""
    (x, first), (y, second) = (above, below) if sign > 0 else (below, above)
    if x.knots != first.factors.keys() or y.knots != second.factors.keys():
        raise NotUnderstood("a logarithm of a sum over other knots")
    low, high = beside(first.form, first.exponent, read, (x.leaf, first.logarithms), (y.leaf, second.logarithms))
    off, (constant, factor) = (low + x.low - y.high, high + x.high - y.low), step
    within = first.range(x, y, second, read, off)
    pieces = [((s, a + constant), (t, b + constant)) for (s, a), (t, b) in read.pieces(*within, factor)]
    least, most, steepest = float(off[0]), float(off[1]), float(height) / 4
    missed = beside_logistic(pieces, float(height), sign)
    shift = minimised(lambda s: steepest * max(s - least, most - s) + max(map(abs, missed(s))), off)
    of_table = gap(pieces, logistic(height, shift, sign))
    return height / 4 * max(abs(end - shift) for end in off) + max(map(abs, of_table)) + abs(factor) * read.blur
