"""Averages with exponential weights, for every n and however wide the weights range (mathematics: exponential-average).

    F = sum_k e^k(u, v_k) w_k / sum_k e^k(u, v_k),      k(u, v) = a(u) + u p(v) + r(v) + kinks,    w_k = s(v_k) or any:

softmax attention with any inverse temperature, k = beta u v, averages under a Gaussian, k = -beta (u - v)^2, and under
e^(-beta |u - v|); p, r, s are polynomials. A histogram of v is pooled: the means mu_j of the hats of linear interpolation between
knots t_j. Every value is a mixture of the least and the largest one, s_j = s(t_j) = s_min + z_j H with H = s_max - s_min, so with
L_j = k(u, t_j) - a(u) and sigma(t) = 1/(1 + e^-t), F is about

    s_min + H sigma(log sum_j z_j mu_j e^L_j - log sum_j (1 - z_j) mu_j e^L_j):

weights occur only as logarithms, so nothing is wide, nothing cancels, and a(u) is not needed at all. Two coordinates v, where
exponents and values are sums over them, have a histogram of their plane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import fmpq

from constructions.errors import Refused
from constructions.pieces.axes import Axis
from constructions.pieces.enclosure import value_range
from constructions.pieces.exponents import Range
from constructions.pieces.forms import Form, Quantity, ends, size, upward
from constructions.pieces.histograms import Design, Grid, Histogram
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.polynomials import from_float
from constructions.pieces.smooth import Smooth
from constructions.pieces.univariate import TABLE_UNIT
from constructions.targets import expression as ex

FLOORED = 0.02  # of the tolerance, for what keeps logarithms of empty cells finite
APART = 2.0**-10  # of all values: how far the ends of a mixture are beyond them, so that no part of one vanishes
ROUNDS = 3  # of sharing the tolerance out
COARSE, MANY = 2.0**-5, 2**20  # of the values, and hats: how its size is predicted
BESIDES = 1.3  # parameters over those of tables: lines, kinks, differences


class ExponentialAverage(Node):
    """output = F: ``exponent`` a tree in x[0] = u, x[1] = v, and of two coordinates in x[2], x[3] as well.

    What is averaged is ``values``, a tree in x[0] = v (and x[1]), or x[0] = w where there is a form w of y.
    """

    def __init__(self, exponent: ex.Expression, values: ex.Expression, axes: Sequence[Axis], w: Form | None = None) -> None:
        self.exponent, self.values, self.axes, self.w = exponent, values, tuple(axes), w
        of_axes = [form for axis in axes for form in (axis.u, Form.of(axis.v))]
        self.inputs = (*of_axes, *(() if w is None else (w,)))
        within = value_range(Smooth(values, len(axes)), [axis.interval for axis in axes]) if w is None else w.range()
        self.outputs = (Quantity(f"average of {values if w is None else 'values'} by exp({exponent})", within, False),)

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("an average is given its histogram before it is realised")

    def slope(self, axis: Axis) -> float:
        """Bound |dF/du|: the covariance of s and dk/du under the weights is at most a quarter of their widths' product."""
        low, high = ends(self.outputs[0].range)
        return upward(axis.k.slopes(axis.interval) * (high - low) / 4 * (1 + 2.0**-30))

    def backward(self, sensitivities: Sensitivities) -> None:
        """A coordinate needs nothing; another u is passed the slope, and an error of w is averaged."""
        whole = sensitivities.get(self.outputs[0], 0.0)
        for axis in self.axes:
            if not axis.u.of_coordinates:
                pass_back(sensitivities, axis.u, whole * self.slope(axis))
        if self.w is not None:
            pass_back(sensitivities, self.w, whole)

    def around(self, margin: float) -> tuple[Range, ...]:
        """Return where each u may be when what is held is off by the margin."""
        return tuple(axis.around(margin) for axis in self.axes)

    def parameters(self, tolerance: float) -> float:
        """Predict the parameters: knots of each coordinate are 1/tolerance or its root, units of a table its root."""
        coarse = max(tolerance, COARSE * size(self.outputs[0].range))
        power = sum(1.0 if axis.k.kinks or self.w is not None else 0.5 for axis in self.axes) + 0.5
        return BESIDES * TABLE_UNIT * sum(self.designed(coarse, 0.0, MANY).units) * (coarse / tolerance) ** power

    @property
    def weights(self) -> object:
        """What averages have in common that share a histogram; nothing, where values have to be mixed token by token."""
        return self if self.w is not None else (str(self.exponent), *((axis.u.key(), id(axis.v)) for axis in self.axes))

    def designed(self, tolerance: float, margin: float, most: int, cells: int = 1) -> Design:
        """Share a tolerance out: half for the histogram, as all units follow the number of knots, the rest by units.

        Args:
            tolerance: of the average, same unit as its values.
            margin: how far the argument that is held may be off.
            most: hats at most.
            cells: at least so many of the steepest coordinate.

        Raises:
            Refused: more than ``most`` hats would be needed.
        """
        u = self.around(margin)
        found = self._coarsest(tolerance / 2 * (1 - FLOORED), u, margin, most, cells)
        each = max(found.spread, 1e-300)
        floor = math.exp(-found.wide) * FLOORED * tolerance / (each * found.count)
        if not floor > 2.0**-1000:
            raise Refused(f"{self.outputs[0].name} has weights e^{found.wide:.0f} apart, more than float64 can hold")
        design = Design(u, found, min(floor, 0.5), *[tolerance / each] * 3)
        for _ in range(ROUNDS):
            units = np.array(design.units)
            logarithm, sums, steps = tolerance / 2 * (1 - FLOORED) * units / units.sum() / each
            shares = 2 * logarithm, 2 * sums / max(1, design.levels), steps
            design = Design(u, found, design.floor, *(min(0.1, float(share)) for share in shares))
        return design

    def _coarsest(self, tolerance: float, u: Sequence[Range], margin: float, most: int, cells: int) -> Histogram:
        low = high = cells
        while self.histogram(high, u, margin).missed > tolerance:
            low, high = high + 1, 2 * high
            if math.prod(self.cells(low)) > most:
                raise Refused(f"{self.outputs[0].name} to within {tolerance:.3g} needs a histogram of more than {most} hats")
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.histogram(middle, u, margin).missed <= tolerance else (middle + 1, high)
        return self.histogram(low, u, margin)

    def cells(self, most: int) -> list[int]:
        """Return how many cells each coordinate has, ``most`` of the steepest one."""
        steep = [axis.steepness for axis in self.axes]
        return [max(1, math.ceil(most * one / max(max(steep), 1e-300))) for one in steep] if len(steep) > 1 else [most]

    def histogram(self, cells: int, u: Sequence[Range], margin: float = 0.0) -> Histogram:
        """Bound what equal cells miss (mathematics: exponential-average); w may be off by the margin."""
        grid = Grid.of(self.axes, self.cells(cells), u)
        diagonal = min((1, -1), key=lambda one: float(grid.turned(one).max())) if len(self.axes) > 1 else 1
        steepest = upward(float(grid.turned(diagonal).max()))
        low, high = ends(self.outputs[0].range)
        if self.w is not None:
            beyond = APART * (high - low) + 2 * margin
            low, high = low - beyond, high + beyond
        spread = upward(high - low)
        weighed = spread * math.tanh((steepest**2 / 8 + grid.bent) / 4)
        if self.w is not None:
            mixed = spread / 2 * math.tanh((steepest + math.log1p(math.exp(-steepest)) - math.log(2)) / 4)
            mixture, lowest, height = None, from_float(low), from_float(spread)
        else:
            s = grid.sums
            lowest, height = min(s), max(s) - min(s)
            mixture = tuple((one - lowest) / height if height else fmpq(1, 2) for one in s)
            mixed = grid.curved + grid.tilted(diagonal)
        return Histogram(cells, grid.knots, diagonal, mixture, lowest, height, grid.steepest, grid.wide, spread,
                         upward((mixed + weighed) * (1 + 2.0**-30)))
