"""The largest or smallest value of a sequence through a log of a mean of exponentials (mathematics: soft-extremum).

    max_k u_k = c + (1/beta) log mean_k exp(beta (u_k - c)) + r,    0 <= r <= log(n)/beta,

so with log(n)/(2 beta) added it errs by at most log(n)/(2 beta): one pooled channel, any token-wise u, one n. Knots of the
exponential are evenly spaced, knots of the logarithm geometrically; every piece spans q on the logarithmic scale. With the chord
rising by the factor e^q over it, and c_q = (e^q - 1)/q,

    0 <= log(chord of exp) - t <= E(q),   -E(q) <= (chord of log) - log <= 0,   E(q) = log c_q - 1 + 1/c_q, about q^2/8,

both ends attained; each table is moved by half of E. Numbers span e^(beta width), which the format's exponents must hold. All
terms of either table have one sign, hinges of the logarithm look to the left, so nothing cancels: rounding is relative to the
value although values span hundreds of orders of magnitude.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, ball, between, ends, hull, size, upward
from constructions.pieces.interpolation import MAX_KNOTS, Table
from constructions.pieces.logarithms import LogarithmTable, sag
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.order import OrderStatistic
from constructions.pieces.univariate import TABLE_UNIT, TooWide

# Width of the range of beta u that a format's exponents hold, with room for sums over tokens and for slopes.
EXPONENTS = {53: 1290.0, 24: 150.0}
ROOM = 2.0**-10  # of the logarithm's table beyond the values of the exponential's, relative


@dataclass(frozen=True)
class Softening:
    """How soft and how fine: ``beta`` and the number of pieces of each of the two tables."""

    beta: float
    pieces: int

    @property
    def parameters(self) -> int:
        """Of both tables."""
        return 2 * TABLE_UNIT * self.pieces


def softening(n: int, width: float, tolerance: float, exponents: float) -> Softening | None:
    """Return the softening with the fewest pieces that errs by at most the tolerance, None where the exponents do not suffice.

    With m pieces a table and beta = q m / width the error is (width/m) (log(n)/2 + E(q))/q, to be least over q <= exponents/m.

    Args:
        n: tokens.
        width: of the interval of u.
        tolerance: sup-norm error, same unit as u.
        exponents: largest beta * width.
    """
    if not tolerance > 0 or width <= 0 or not math.log(n) * width / 2 < tolerance * exponents:
        return None

    def best(m: int) -> tuple[float, float]:
        error, q = min(((math.log(n) / 2 + sag(q)) / q, q) for q in _lengths(exponents / m))
        return float(error * width / m), float(q)

    wanted, low, high = tolerance * (1 - 2.0**-20), 1, MAX_KNOTS
    if best(high)[0] > wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if best(middle)[0] <= wanted else (middle + 1, high)
    return Softening(best(low)[1] * low / width, low)


def _lengths(largest: float) -> list[float]:
    """Return lengths of a piece to try, up to the largest that the exponents allow."""
    lengths = np.geomspace(0.02, 6, 300)
    return [*map(float, lengths[lengths < largest]), min(largest, 6.0)]


class Exponential(Node):
    """output = exp(beta (u - c)) of a token quantity u, a table with relative error.

    Attributes:
        error: set by the sweep, an enclosure of log(held) - beta (u held - c), rounding included; ``rounded`` its part.
        lowest, highest: of the values at the knots.
    """

    def __init__(self, form: Form, interval: tuple[Fraction, Fraction], soft: Softening) -> None:
        self.inputs, self.beta = (form,), soft.beta
        self.interval = a, b = float(interval[0]), float(interval[1])
        self.centre = (a + b) / 2
        self.table, self.bounds, self.steepest = _exponential_table(a, b, self.centre, soft)
        values = self.table.values(b)
        self.lowest, self.highest = float(values[0]), float(values[-1])
        exact = (ball(soft.beta) * (between(a, b) - ball(self.centre))).exp()
        self.outputs = (Quantity(f"exp({soft.beta:.6g}*u)", arb(0).union(exact.upper()), form.token),)
        self.error, self.rounded = arb(0), arb(0)

    def realise(self, sweep: Sweep) -> None:
        """Every term is positive and log(table) has slope at most ``steepest``, so a shift of a hinge counts that often."""
        (form,), output, channel = self.inputs, self.outputs[0], sweep.wiring.channel()
        values = sweep.actual(form)
        if not (values >= ball(self.interval[0]) and values <= ball(self.interval[1])):
            raise TooWide(f"a soft extremum is approximated on {self.interval}, but its argument may be in {values}")
        placed, extra = sweep.bottleneck(form)
        sweep.hinges(placed, self.table, channel)
        reach = float(placed.mass) + max(map(abs, self.interval))
        off = extra + (len(placed.channels) + 4) * sweep.unit * reach
        summed = (self.table.units + 8) * sweep.unit + sweep.pooling
        self.rounded = arb(0, upward(self.steepest * off + 1.01 * summed))
        self.error = self.bounds + self.rounded
        sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(float(self.table.base)), Fraction(2 * self.highest))
        sweep.errors[output] = arb(0, 2 * self.highest)  # said nowhere: who reads it looks at ``error``

    def backward(self, sensitivities: Sensitivities) -> None:
        """The logarithm passes the argument's share back."""


class Logarithm(Node):
    """output = c + (1/beta) log mean exp(beta (u - c)), from the mean of an :class:`Exponential`."""

    def __init__(self, exponential: Exponential, mean: Quantity, soft: Softening) -> None:
        self.exponential, self.beta = exponential, soft.beta
        self.inputs = (Form.of(mean),)
        low, high = exponential.lowest * (1 - ROOM), exponential.highest * (1 + ROOM)
        self.logarithm = LogarithmTable.of(low, high, soft.pieces)
        self.table, self.bounds = self.logarithm.table, self.logarithm.error
        self.covered = (ball(low) / ball(exponential.lowest)).log(), (ball(high) / ball(exponential.highest)).log()
        form = exponential.inputs[0]
        self.outputs = (Quantity(f"log-mean-exp({soft.beta:.6g}*u)", form.range(), False),)

    @property
    def units(self) -> int:
        """Hinges of both tables."""
        return self.exponential.table.units + self.table.units

    def realise(self, sweep: Sweep) -> None:
        """A mean of values with logarithmic errors in an interval has a logarithmic error in it; log adds its own."""
        (form,), output, exponential, table = self.inputs, self.outputs[0], self.exponential, self.table
        if not (exponential.rounded > self.covered[0] and exponential.rounded < self.covered[1]):
            raise TooWide("rounding leaves the table of a logarithm")
        placed, channel = sweep.places.form(form), sweep.wiring.channel()
        sweep.hinges(placed, table, channel, -1)
        drop, lost = self.logarithm.drop, upward(self.logarithm.lost(sweep.unit) * 1.01)
        beta = ball(self.beta)
        sweep.local[output] = (exponential.error + self.bounds + arb(0, lost)) / beta
        sweep.errors[output] = sweep.local[output] + sweep.error(exponential.inputs[0])
        constant = Fraction(float(table.base)) / Fraction(self.beta) + Fraction(exponential.centre)
        mass = Fraction(upward(drop)) / Fraction(self.beta) + abs(constant)
        sweep.places[output] = Placed({channel: 1 / Fraction(self.beta)}, constant, mass)

    def backward(self, sensitivities: Sensitivities) -> None:
        """A log of a mean of exponentials is 1-Lipschitz in the largest change of a value."""
        pass_back(sensitivities, self.exponential.inputs[0], sensitivities.get(self.outputs[0], 0.0))


class SoftExtremum(Node):
    """output = the largest (or, of -u, the smallest) value, from the logarithm: no units, an error of log(n)/(2 beta)."""

    def __init__(self, exact: OrderStatistic, logarithm: Logarithm, sign: int) -> None:
        self.exact, self.sign, self.beta, self.exponential = exact, sign, logarithm.beta, logarithm.exponential
        self.inputs, self.outputs = (Form.of(logarithm.outputs[0]),), exact.outputs
        largest = arb(exact.n).log() / ball(self.beta)
        self.offset = Fraction(float((largest / 2).mid()))
        self.missed = ball(self.offset) - arb(0).union(largest)  # r lies between 0 and the largest

    def realise(self, sweep: Sweep) -> None:
        """Sign the logarithm, add the middle of what it misses."""
        form = (self.inputs[0].shifted(self.offset)) * Fraction(self.sign)
        sweep.places[self.outputs[0]] = sweep.places.form(form)
        sweep.local[self.outputs[0]] = self.missed * self.sign
        sweep.errors[self.outputs[0]] = sweep.error(form) + self.missed * self.sign

    def backward(self, sensitivities: Sensitivities) -> None:
        """Pass on."""
        pass_back(sensitivities, self.inputs[0], sensitivities.get(self.outputs[0], 0.0))


def sign_of(statistic: OrderStatistic) -> int:
    """Return +1 for the largest value, -1 for the smallest, 0 for another."""
    return 1 if statistic.rank == 1 else -1 if statistic.rank == statistic.n else 0


def _exponential_table(a: float, b: float, centre: float, soft: Softening) -> tuple[Table, arb, float]:
    """Return the table, an enclosure of log(table) - beta (t - centre) on [a, b], and a bound of the slope of log(table).

    log(table) - beta t is concave on a piece, so least at its ends; largest, where it is stationary.
    """
    knots = np.linspace(a, b, soft.pieces + 1)
    q = soft.beta * (b - a) / soft.pieces
    slopes = np.diff(np.exp(soft.beta * (knots - centre) - sag(q) / 2)) / np.diff(knots)
    base = float(np.exp(soft.beta * (a - centre) - sag(q) / 2))
    table = Table(base, knots[:-1].copy(), np.concatenate([slopes[:1], np.diff(slopes)]), -math.inf, math.inf)
    beta, logs, steepest, found = ball(soft.beta), [ball(v).log() for v in table.values(b)], 0.0, list[arb]()
    for (s, t), (u, v) in zip(itertools.pairwise(map(float, knots)), itertools.pairwise(logs), strict=True):
        length, off = ball(t) - ball(s), u - beta * (ball(s) - ball(centre))
        rise = (v - u).exp() - 1
        c = rise / (beta * length)
        found += [off, off + c.log() - 1 + 1 / c]
        steepest = max(steepest, size(rise / length))
    found.append(logs[-1] - beta * (ball(b) - ball(centre)))
    return table, between(*ends(hull(found))), steepest
