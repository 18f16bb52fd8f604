"""Averages with exponential weights, for every n and however wide the weights range (mathematics: exponential-average).

    F = sum_k e^k(u, v_k) w_k / sum_k e^k(u, v_k),      k(u, v) = a(u) + u p(v) + r(v) + kinks,    w_k = s(v_k) or any:

softmax attention with any inverse temperature, k = beta u v, averages under a Gaussian, k = -beta (u - v)^2, and under
e^(-beta |u - v|); p, r, s are polynomials. A histogram of v is pooled: the means mu_j of the hats of linear interpolation between
knots t_j. Every value is a mixture of the least and the largest one, s_j = s(t_j) = s_min + z_j H with H = s_max - s_min, so with
L_j = k(u, t_j) - a(u) and sigma(t) = 1/(1 + e^-t), F is about

    s_min + H sigma(log sum_j z_j mu_j e^L_j - log sum_j (1 - z_j) mu_j e^L_j):

weights occur only as logarithms, so nothing is wide, nothing cancels, and a(u) is not needed at all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from constructions.errors import Refused
from constructions.pieces.enclosure import value_range
from constructions.pieces.exponents import MAX_DEGREE, Exponent, Range, values
from constructions.pieces.forms import Form, Quantity, ends, hull, size, upward
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.polynomials import from_float, polynomial_of
from constructions.pieces.smooth import Smooth
from constructions.pieces.univariate import TABLE_UNIT
from constructions.targets import expression as ex

FLOORED = 0.02  # of the tolerance, for what keeps logarithms of empty cells finite
APART = 2.0**-10  # of all values: how far the ends of a mixture are beyond them, so that no part of one vanishes
ROUNDS = 3  # of sharing the tolerance out
HATS = 3  # units a knot, before the mean
COARSE, MANY = 2.0**-5, 2**20  # of the values, and hats: how its size is predicted


@dataclass(frozen=True, eq=False)
class Histogram:
    """Knots, and how far the average over them is from the average itself, for u in a range.

    Attributes:
        knots: (J + 1,) increasing, from end to end of v's range or beyond.
        mixture: which part of the value at each knot is the largest one; None where values are mixed token by token.
        lowest, height: the least value, and the largest less the least.
        steepest: of |L_{j+1} - L_j|.
        wide: of the largest L_j less the smallest.
        spread: of all values.
        missed: bound of |average over the histogram - F|.
    """

    knots: np.ndarray
    mixture: tuple[fmpq, ...] | None
    lowest: fmpq
    height: fmpq
    steepest: float
    wide: float
    spread: float
    missed: float

    @property
    def parts(self) -> tuple[Sequence[fmpq], Sequence[fmpq]]:
        """Return by what the weight at each knot counts as weight on the largest value, and on the least."""
        most = self.mixture or [fmpq(1)] * len(self.knots)
        return most, [1 - z for z in most] if self.mixture else most

    @property
    def tables(self) -> int:
        """Logarithms of means for each knot."""
        return 1 if self.mixture else 2


@dataclass(frozen=True, eq=False)
class Design:
    """A histogram and how finely logarithms are formed.

    Attributes:
        u: where the argument that is held may be.
        floor: delta, added to the mean of every hat.
        logarithm, softplus, sigmoid: how far each table may be off.
    """

    u: Range
    histogram: Histogram
    floor: float
    logarithm: float
    softplus: float
    sigmoid: float

    @functools.cached_property
    def reach(self) -> float:
        """Bound the difference of the logarithms of any two sums over knots, each sum of z_j (mu_j + floor) e^L_j."""
        least = min(float(z) for part in self.histogram.parts for z in part if z)
        each = math.log1p(1 / self.floor) + math.log(len(self.histogram.knots) / least)
        return upward(1.001 * (self.histogram.wide + each))

    @property
    def levels(self) -> int:
        """Sums of two that the logarithm of a sum passes at most."""
        return math.ceil(math.log2(len(self.histogram.knots)))

    @property
    def units(self) -> tuple[float, float, float]:
        """Predict the units of all logarithms, of all sums, and of the last step."""
        J = len(self.histogram.knots) - 1
        each = HATS + math.log1p(1 / self.floor) / (4 * math.sqrt(self.logarithm))
        return J * self.histogram.tables * each, 2 * J * 0.8 / math.sqrt(self.softplus), 0.6 / math.sqrt(self.sigmoid)


class ExponentialAverage(Node):
    """output = F: ``exponent`` a tree in x[0] = u and x[1] = v, v a coordinate of y.

    What is averaged is ``values``, a tree in x[0] = v, or x[0] = w where there is a form w of y.
    """

    def __init__(self, exponent: ex.Expression, values: ex.Expression, u: Form, v: Quantity, w: Form | None = None) -> None:
        k, s = Exponent.of(exponent), polynomial_of(values, MAX_DEGREE)
        if k is None or s is None:
            raise ValueError(f"exp({exponent}) with {values} is not averaged through logarithms")
        self.exponent, self.values, self.k, self.s, self.u, self.v, self.w = exponent, values, k, s, u, v, w
        self.inputs = (u, Form.of(v)) if w is None else (u, Form.of(v), w)
        self.interval = ends(v.range)
        within = value_range(Smooth(values), [self.interval]) if w is None else w.range()
        self.outputs = (Quantity(f"average of {values if w is None else 'values'} by exp({exponent})", within, False),)

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("an average is given its histogram before it is realised")

    @property
    def slope(self) -> float:
        """Bound |dF/du|: the covariance of s and dk/du under the weights is at most a quarter of their widths' product."""
        low, high = ends(self.outputs[0].range)
        return upward(self.k.slopes(self.interval) * (high - low) / 4 * (1 + 2.0**-30))

    def backward(self, sensitivities: Sensitivities) -> None:
        """A coordinate needs nothing; another u is passed the slope, and an error of w is averaged."""
        whole = sensitivities.get(self.outputs[0], 0.0)
        if not self.u.of_coordinates:
            pass_back(sensitivities, self.u, whole * self.slope)
        if self.w is not None:
            pass_back(sensitivities, self.w, whole)

    def around(self, margin: float) -> Range:
        """Return where u may be when what is held is off by the margin."""
        low, high = ends(self.u.range())
        return (low, high) if self.u.of_coordinates else (low - margin, high + margin)

    def parameters(self, tolerance: float) -> float:
        """Predict the parameters: in inverse proportion to the tolerance."""
        coarse = max(tolerance, COARSE * size(self.outputs[0].range))
        return TABLE_UNIT * sum(self.designed(coarse, 0.0, MANY).units) * coarse / tolerance

    def designed(self, tolerance: float, margin: float, most: int) -> Design:
        """Share a tolerance out: half for the histogram, as all units follow the number of knots, the rest by units.

        Raises:
            Refused: more than ``most`` hats would be needed.
        """
        u = self.around(margin)
        found = self._coarsest(tolerance / 2 * (1 - FLOORED), u, margin, most)
        count, each = len(found.knots), max(found.spread, 1e-300)
        floor = math.exp(-found.wide) * FLOORED * tolerance / (each * count)
        if not floor > 2.0**-1000:
            raise Refused(f"{self.outputs[0].name} has weights e^{found.wide:.0f} apart, more than float64 can hold")
        design = Design(u, found, min(floor, 0.5), *[tolerance / each] * 3)
        for _ in range(ROUNDS):
            units = np.array(design.units)
            logarithm, sums, steps = tolerance / 2 * (1 - FLOORED) * units / units.sum() / each
            shares = 2 * logarithm, 2 * sums / max(1, design.levels), steps
            design = Design(u, found, design.floor, *(min(0.1, float(share)) for share in shares))
        return design

    def _coarsest(self, tolerance: float, u: Range, margin: float, most: int) -> Histogram:
        low = high = 1
        while self.histogram(high, u, margin).missed > tolerance:
            low, high = high + 1, 2 * high
            if low > most:
                raise Refused(f"{self.outputs[0].name} to within {tolerance:.3g} needs a histogram of more than {most} hats")
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.histogram(middle, u, margin).missed <= tolerance else (middle + 1, high)
        return self.histogram(low, u, margin)

    def histogram(self, cells: int, u: Range, margin: float = 0.0) -> Histogram:
        """Bound what equal cells miss (mathematics: exponential-average); w may be off by the margin."""
        knots = np.linspace(*self.interval, cells + 1)
        knots[0], knots[-1] = self.interval
        L, rounding = self.k.at(self.k.bends(knots, u), knots)  # differences are linear in u between bends
        steps = np.abs(np.diff(L, axis=1)).max(axis=0) + 2 * rounding
        steepest, wide = upward(float(steps.max())), upward(float(np.ptp(L, axis=1).max()) + 2 * rounding)
        h, (low, high) = upward(float(np.diff(knots).max())), ends(self.outputs[0].range)
        if self.w is not None:
            beyond = APART * (high - low) + 2 * margin
            low, high = low - beyond, high + beyond
        spread = upward(high - low)
        apart = steepest**2 / 8 + self.k.bent(h, u, self.interval)
        weighed = spread * math.tanh(apart / 4)
        if self.w is not None:
            mixed = spread / 2 * math.tanh((steepest + math.log1p(math.exp(-steepest)) - math.log(2)) / 4)
            mixture, lowest, height = None, from_float(low), from_float(spread)
        else:
            s = [self.s(from_float(t)) for t in knots]
            lowest, height = min(s), max(s) - min(s)
            mixture = tuple((one - lowest) / height if height else fmpq(1, 2) for one in s)
            curved = h * h / 8 * size(hull(values(self.s.derivative().derivative(), self.interval)))
            mixed = curved + max(abs(float(s[j + 1] - s[j])) * math.tanh(steps[j] / 4) for j in range(cells))
        return Histogram(knots, mixture, lowest, height, steepest, wide, spread, upward((mixed + weighed) * (1 + 2.0**-30)))
