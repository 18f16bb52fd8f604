"""An average with exponential weights from a histogram, in logarithms (mathematics: exponential-average).

Every value is a mixture of the least and the largest one, so an average is as well: of all weight the part on the largest one is
sigma(A - B), A and B the logarithms of what is on the largest and on the least. They are sums of sums of two,
log(e^x + e^y) = y + softplus(x - y), in a tree, which makes no error larger.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq

from constructions.errors import Refused
from constructions.pieces.axes import Axis
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.forms import Form, Placed, ball, ends, size, sum_of, total, upward
from constructions.pieces.hats import Hats, Mixed
from constructions.pieces.histograms import Design
from constructions.pieces.log_means import ABOVE, LogMeans
from constructions.pieces.node import ROOM, Node, Sensitivities, Sweep
from constructions.pieces.planar_hats import PlanarHats
from constructions.pieces.polynomials import fraction
from constructions.pieces.sigmoids import Everywhere, sigmoid, softplus
from constructions.pieces.univariate import TooWide


@dataclass(frozen=True)
class LogSum:
    """The logarithm of a sum of z_j (mu_j + delta) e^L_j, or of a factor: where it is held, and an enclosure of held - exact."""

    place: Placed
    error: arb


class LogSums(Node):
    """The output of an average, from the logarithms of the means of its hats."""

    def __init__(self, exact: ExponentialAverage, design: Design, hats: Hats | PlanarHats | Mixed, logs: LogMeans) -> None:
        self.exact, self.design, self.histogram, self.hats, self.outputs = exact, design, design.histogram, hats, exact.outputs
        sides = (hats.most, hats.least) if isinstance(hats, Mixed) else (hats.outputs, hats.outputs)
        self.logs = tuple([logs.of[q] for q in side] for side in sides)
        self.inputs = (*exact.inputs, *map(Form.of, logs.outputs))
        beyond = 2 * design.reach  # what is held may differ by more
        self.softplus, self.sigmoid = softplus(design.softplus, beyond), sigmoid(design.sigmoid, beyond)

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Units, and the error: of the histogram, of the tables and of rounding; and the slope of F times the error of u."""
        exact, histogram, output, out = self.exact, self.histogram, self.outputs[0], sweep.wiring.channel()
        for axis, side in zip(exact.axes, self.design.u, strict=True):
            low, high = ends(sweep.actual(axis.u))
            if not side[0] <= low <= high <= side[1]:
                raise TooWide(f"an average is made for u in {side}, but u may be in [{low:.6g}, {high:.6g}]")
        off = max(size(sweep.errors[q]) for q in self.hats.outputs)
        if 2 * (sweep.pooling + off) > ABOVE:
            raise Refused(f"rounding a mean of hats by {sweep.pooling:.2g} is more than its logarithm allows for")
        lines = self._exponents(sweep)
        most, least = (self._sum(sweep, [_scaled(LogSum(sweep.places[q], sweep.errors[q]), line, z)
                                         for q, line, z in zip(side, lines, part, strict=True) if z])
                       for side, part in zip(self.logs, histogram.parts, strict=True))
        held, rounding = self._difference(sweep, most, least)
        written = self._hinges(sweep, held, self.sigmoid, out, float(histogram.height))
        # sigma has a slope of at most 1/4
        step = (size(most.error - least.error) + rounding) / 4 + size(self.sigmoid.error) + written + 16 * sweep.unit
        lowest, height = (Fraction(float(c)) for c in (histogram.lowest, histogram.height))
        rounded = abs(lowest - fraction(histogram.lowest)) + abs(height - fraction(histogram.height))
        lost = histogram.missed + self._moved(off) + float(height) * step + float(rounded)
        sweep.local[output] = arb(0, upward(lost * (1 + 2.0**-30)))
        of_values = arb(0) if exact.w is None else sweep.error(exact.w)
        of_u = total(arb(0, exact.slope(axis)) * sweep.error(axis.u) for axis in exact.axes)
        sweep.errors[output] = sweep.local[output] + of_values + of_u
        base = lowest + Fraction(self.sigmoid.table.base) * height
        sweep.places[output] = Placed({out: Fraction(1)}, base, Fraction(upward(2 * float(height) + abs(float(base)))))

    def _moved(self, off: float) -> float:
        """Bound what delta adds, weight elsewhere, and what hats that are off do.

        A hat is off only where it or a neighbour is not 0: relative to the weight of its token.
        """
        turned = off * math.prod((1 + math.exp(min(steepest, 350.0))) ** 2 for steepest in self.histogram.steepest)
        floored = self.histogram.count * self.design.floor * math.exp(self.histogram.wide)
        return self.histogram.spread * (turned + floored) * (1 + 2.0**-20)

    def _exponents(self, sweep: Sweep) -> list[LogSum]:
        """Return L_j for each knot, the sum of what every coordinate adds."""
        held, of_axes = dict[object, tuple[Placed, float]](), list[list[LogSum]]()
        for axis, side, knots in zip(self.exact.axes, self.design.u, self.histogram.grid, strict=True):
            key, largest = axis.u.key(), max(map(abs, side))
            if key not in held:
                held[key] = sweep.bottleneck(axis.u)
            of_axes.append([self._exponent(sweep, axis, Fraction(float(t)), largest, *held[key]) for t in knots])
        return [_together(one) for one in itertools.product(*of_axes)]

    def _exponent(self, sweep: Sweep, axis: Axis, t: Fraction, largest: float, u: Placed, extra: float) -> LogSum:
        """Return k(u, t) - a(u), affine in u but for kinks |z| = 2 relu(z) - z; |u| is no larger than ``largest``."""
        k, at = axis.k, fmpq(t.numerator, t.denominator)
        slope, constant = (fraction(c) for c in (k.p(at), k.r(at)))
        parts, lost = list[tuple[Placed, Fraction]](), 0.0
        for kink in k.kinks:
            shift, height = kink.of_v * t + kink.shift, _near(2 * kink.height)
            slope, constant = slope - kink.height * kink.of_u, constant - kink.height * shift
            channel = sweep.wiring.channel()
            place = sum_of([(u, _near(kink.of_u))])
            lost += float(abs(height)) * (sweep.rectified(place, _near(shift), {channel: 1.0}) + _off(kink.of_u, shift, largest))
            lost += float(abs(height - 2 * kink.height)) * float(place.mass + abs(shift))
            parts.append((Placed({channel: Fraction(1)}, Fraction(0), upward(float(place.mass + abs(shift)) * 1.01)), height))
        line = sum_of([(u, _near(slope)), *parts])
        steep = float(abs(slope)) + sum(float(abs(2 * kink.height * kink.of_u)) for kink in k.kinks)
        place = Placed(line.channels, line.constant + _near(constant), float(line.mass) + abs(float(constant)))
        return LogSum(place, arb(0, upward(lost + _off(slope, constant, largest) + steep * extra)))

    def _sum(self, sweep: Sweep, terms: Sequence[LogSum]) -> LogSum:
        """Return the logarithm of the sum of all terms."""
        if len(terms) == 1:
            return terms[0]
        middle = len(terms) // 2
        return self._added(sweep, self._sum(sweep, terms[:middle]), self._sum(sweep, terms[middle:]))

    def _added(self, sweep: Sweep, one: LogSum, other: LogSum) -> LogSum:
        """Return log(e^one + e^other) = short + softplus(long - short), short the one that is held in fewer channels."""
        short, long = sorted((one, other), key=lambda held: len(held.place.channels))
        held, lost = self._difference(sweep, long, short)
        channel = sweep.wiring.channel()
        rounded = self._hinges(sweep, held, self.softplus, channel, 1.0)
        table = Placed({channel: Fraction(1)}, Fraction(self.softplus.table.base), upward(2 * self.design.reach))
        error = one.error.union(other.error) + self.softplus.error + arb(0, upward(lost + rounded))
        return LogSum(sum_of([(short.place, Fraction(1)), (table, Fraction(1))]), error)

    def _difference(self, sweep: Sweep, one: LogSum, other: LogSum) -> tuple[Placed, float]:
        """Put one - other into a channel of its own; returns also what rounding does to it."""
        place = sum_of([(one.place, Fraction(1)), (other.place, Fraction(-1))])
        around = arb(0, upward(self.design.reach * (1 + ROOM) + size(one.error) + size(other.error)))
        held, rounding = sweep.materialise(place, around)
        return held, rounding + sweep.rounding(held)

    def _hinges(self, sweep: Sweep, held: Placed, function: Everywhere, channel: str, factor: float) -> float:
        """Write factor times a table; returns what rounding does to it, for factor 1."""
        sweep.hinges(held, function.table, channel, factor=factor)
        reach = self.design.reach * (1 + 2 * ROOM)
        each = 8 * sweep.unit * (float(held.mass) + reach) * float(abs(function.table.weights).sum())
        return upward(each + (function.table.units + 4) * sweep.unit * function.table.mass(reach))

    def backward(self, sensitivities: Sensitivities) -> None:
        """As the exact average."""
        self.exact.backward(sensitivities)


def _scaled(table: LogSum, line: LogSum, z: fmpq) -> LogSum:
    """Return the logarithm of z m e^L from those of m and e^L."""
    exact = arb(z).log()
    held = Fraction(float(exact.mid()))
    place = sum_of([(table.place, Fraction(1)), (line.place, Fraction(1))])
    place = Placed(place.channels, place.constant + held, float(place.mass) + abs(float(held)))
    return LogSum(place, table.error + line.error + ball(held) - exact)


def _together(parts: Sequence[LogSum]) -> LogSum:
    """Return the sum of some numbers; of one, itself."""
    if len(parts) == 1:
        return parts[0]
    return LogSum(sum_of([(part.place, Fraction(1)) for part in parts]), total(part.error for part in parts))


def _off(slope: Fraction, constant: Fraction, largest: float) -> float:
    """Bound what rounding the coefficients of an affine function to float64 does, its argument at most ``largest``."""
    return upward(float(abs(_near(slope) - slope)) * largest + float(abs(_near(constant) - constant)))


def _near(number: Fraction) -> Fraction:
    """Return the nearest float64 number."""
    return Fraction(float(number))
