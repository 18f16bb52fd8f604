"""Means of kernels that bend where y meets the own token, for every n (mathematics: interpolated-kernel).

    mean over k of w(x_k) K(u, v(x_k)):

u is a form of the own token and the sequence, v and the weight w are forms of the token the mean runs over. Hinges of v are
pooled, and what makes them w times as large; psi finds the cell of u, and puts two hinges in the place of q (mu_{k+1} - mu_k):

    p, q in [0, 1]:   |relu(p + q - 1) + p - relu(p - q) - 2 p q| <= 1/8,   and 0 for q = 0 or 1.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.errors import Refused
from constructions.pieces.forms import Form, Placed, Quantity, between, ends, size, sum_of, upward
from constructions.pieces.kernel_cells import Box, Cells, Wanted, designed
from constructions.pieces.kernel_features import Hinged, Lines, Row, Weighted, pieces_of, plain, weighted
from constructions.pieces.kernel_gaps import Range, steepest, value_hull
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.univariate import TooWide
from constructions.targets import expression as ex

Step = Sequence[tuple[Placed, Fraction]]  # q of a cell, from hinges of u
COARSE = 2.0**-6  # of the values of K: how its size is predicted
ROUNDED = 2.0**-26  # relative: a mean of tokens is rounded


class BentKernel(Node):
    """output = mean over y of w K(u, v): K a tree in x[0] = u and x[1] = v, v and the weight w, 1 if there is none, of y."""

    def __init__(self, K: ex.Expression, u: Form, v: Form, w: Form | None = None) -> None:
        self.K, self.u, self.v, self.w = K, u, v, w
        self.inputs = (u, v) if w is None else (u, v, w)
        low, high = value_hull(K, ends(u.range()), ends(v.range()))
        if not math.isfinite(high - low):
            raise Refused(f"the values of {K} could not be bounded")
        values = between(low, high)
        self.largest = size(values)
        self.outputs = (Quantity(f"mean({self})", values if w is None else values * w.range(), False),)

    def __str__(self) -> str:
        return f"{self.K}" if self.w is None else f"x[2]*({self.K})"

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("a kernel is given its cells before it is realised")

    @functools.cached_property
    def weights(self) -> tuple[float, float]:
        """Return the range of the weight."""
        return (1.0, 1.0) if self.w is None else ends(self.w.range())

    @functools.cached_property
    def slopes(self) -> tuple[float, ...]:
        """Bound how far it follows u, v, and w."""
        return self.slopes_on(ends(self.u.range()), ends(self.v.range()))

    def slopes_on(self, u: Range, v: Range) -> tuple[float, ...]:
        """Bound the same for u and v elsewhere."""
        weight = max(map(abs, self.weights))
        return (*(weight * slope for slope in steepest(self.K, u, v)), self.largest)

    def backward(self, sensitivities: Sensitivities) -> None:
        """A coordinate needs nothing; others are passed the slope."""
        whole = sensitivities.get(self.outputs[0], 0.0)
        for form, slope in zip(self.inputs, self.slopes, strict=False):
            if not form.of_coordinates:
                pass_back(sensitivities, form, whole * slope)

    def parameters(self, tolerance: float) -> float:
        """Predict the parameters: in inverse proportion to the tolerance."""
        coarse = COARSE * max(size(self.outputs[0].range), tolerance)
        return designed((self.wanted(coarse),), self.box(0.0))[0].parameters * coarse / tolerance

    def wanted(self, tolerance: float) -> Wanted:
        """Return what the cells have to reach."""
        return Wanted(self.K, tolerance, self.weights)

    def box(self, margin: float) -> Box:
        """Return the ranges of u and v; where one is no coordinate, what is held may be off by the margin."""
        (low, high), margin_u = ends(self.u.range()), _margin(self.u, margin)
        v, margin_v = ends(self.v.range()), _margin(self.v, margin)
        return Box((low, high), (v[0] - margin_v, v[1] + margin_v), margin_u)

    def sides(self, margin: float) -> tuple[Fraction, Fraction]:
        """Return ends between which the weight that is held is."""
        off = 0.0 if self.w is None else _margin(self.w, margin)
        low, high = Fraction(self.weights[0] - off), Fraction(self.weights[1] + off)
        return low, high if low < high else low + 1


def _margin(form: Form, margin: float) -> float:
    low, high = ends(form.range())
    return 0.0 if form.of_coordinates else max(margin, ROUNDED * (abs(low) + abs(high)))


def on_shared_cells(nodes: Iterable[BentKernel], tolerances: Mapping[Node, float], margins: Mapping[Node, float],
                    mean: Callable[[Quantity], Quantity], most: int) -> dict[Node, Sequence[Node]]:
    """Choose cells for each kernel, for those of the same arguments the same ones: they share their hinges, and their weights."""
    groups: dict[object, list[BentKernel]] = {}
    for node in nodes:
        groups.setdefault((node.u.key(), node.v.key()), []).append(node)
    found: dict[Node, Sequence[Node]] = {}
    for group in groups.values():
        margin = max(margins[node] for node in group)
        wanted = {node: node.wanted(float(f"{tolerances[node]:.3g}")) for node in group}
        cells = dict(zip(group, designed(tuple(wanted.values()), group[0].box(margin), most), strict=True))
        knots: dict[object, list[float]] = {}  # by weight
        for node, one in cells.items():
            if node.w is None:
                knots.setdefault(None, []).extend(float(one.knots[1 + k]) for k in one.used)
            else:
                knots.setdefault(node.w.key(), []).extend(pieces_of(one, wanted[node]))
        y = group[0].box(margin).y
        hinges = Hinged(group[0].v, (t for own in knots.values() for t in own if t not in y))
        weights: dict[object, Weighted] = {}
        for node, one in cells.items():
            if node.w is None:
                found[node] = hinges, Interpolated(node, one, plain(one, hinges), mean)
                continue
            key = node.w.key()
            if key not in weights:
                weights[key] = Weighted(hinges, node.w, node.sides(margin), sorted(set(knots[key])))
            found[node] = hinges, weights[key], Interpolated(node, one, weighted(one, weights[key]), mean)
    return found


class Interpolated(Node):
    """The output of a bent kernel, from the means of y and of its hinges: m cells, two units each, and m hinges of u.

    q_0 = 1 - relu(c_1 - u)/h and q_k = (relu(u - c_k) - relu(u - c_{k+1}))/h: all of these hinges bend in the range of u, so that
    what depends on u can be told from what is a mean, even where u is the mean of y.
    """

    def __init__(self, exact: BentKernel, cells: Cells, lines: Lines, mean: Callable[[Quantity], Quantity]) -> None:
        self.exact, self.cells, self.lines, self.outputs = exact, cells, lines, exact.outputs
        used = dict.fromkeys(q for row in (lines.base, *lines.rises) for q in row if q is not None)
        self.means = {q: mean(q) for q in used}
        self.inputs = (*exact.inputs, *map(Form.of, self.means.values()))

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Units, and the error: that of the cells at the u held, rounding, and the slope of K times the error of u."""
        exact, cells, lines, output = self.exact, self.cells, self.lines, self.outputs[0]
        for form, grid in ((exact.u, cells.cuts), (exact.v, cells.knots)):
            low, high = ends(sweep.actual(form))
            if not grid[0] <= low <= high <= grid[-1]:
                raise TooWide(f"{exact.K} has cells on [{grid[0]:.6g}, {grid[-1]:.6g}], but its argument may be in "
                              f"[{low:.6g}, {high:.6g}]")
        u, extra = sweep.bottleneck(exact.u)
        below, *beyond = [self._hinge(sweep, u, cells.cuts[1], -1), *(self._hinge(sweep, u, c, 1) for c in cells.cuts[1:-1])]
        q: list[Step] = [((below, -1 / self.lengths[0]),)]  # without the 1 of q_0
        for k, h in enumerate(self.lengths[1:]):
            q.append(((beyond[k], 1 / h), *((following, -1 / h) for following in beyond[k + 1:k + 2])))
        out, lost_u = sweep.wiring.channel(), extra + sweep.rounding(u) + 4 * sweep.unit * float(np.abs(cells.cuts).max())
        lost = sum(self._bends(sweep, out, k, q[k]) + 2 * float(W / h) * lost_u
                   for k, (W, h) in enumerate(zip(lines.width, self.lengths, strict=True)) if W)
        line, steep = self._straight(sweep, q)
        lost += sweep.rounding(line) + steep * lost_u + self._passed(sweep, lines.base)
        kept = Fraction(upward(float(line.mass) + lost))
        sweep.wiring.unit({c: float(w) for c, w in line.channels.items()}, float(line.constant + kept), {out: 1.0})
        mass = 2 * float(kept) + 2 * float(sum(lines.width))
        lost += (2 * len(lines.rises) + 8) * sweep.unit * mass
        sweep.places[output] = Placed({out: Fraction(1)}, -kept, Fraction(upward(mass)))
        sweep.local[output] = arb(0, upward(lines.gap + lines.product_error + lost))
        sweep.errors[output] = sweep.local[output] + sum(
            (arb(0, slope) * passed for form, slope in zip(exact.inputs, self.slopes, strict=False)
             if size(passed := sweep.error(form))), arb(0))

    def _bends(self, sweep: Sweep, out: str, k: int, q: Step) -> float:
        """Write relu(D_k - L + W q - W)/2 - relu(D_k - L - W q)/2; returns a bound of rounding and of the means' errors.

        Together with D_k/2 that has slopes between 0 and 1 in D_k, so an error of D_k counts once.
        """
        row, L, W = self.lines.rises[k], self.lines.low[k], self.lines.width[k]
        D, lost = self._combined(sweep, row), self._passed(sweep, row)
        for sign in (1, -1):
            place = sum_of([(D, Fraction(1)), *((channel, sign * W * w) for channel, w in q)])
            shift = -L - (W if sign > 0 else 0) + (0 if k else sign * W)
            lost += 0.5 * sweep.rectified(place, shift, {out: sign / 2})
        return lost

    @functools.cached_property
    def lengths(self) -> list[Fraction]:
        """Lengths of the cells."""
        return [Fraction(float(b)) - Fraction(float(a)) for a, b in itertools.pairwise(self.cells.cuts)]

    @functools.cached_property
    def slopes(self) -> tuple[float, ...]:
        """Bound how far K follows its arguments wherever those that are held may be."""
        return self.exact.slopes_on(*((float(grid[0]), float(grid[-1])) for grid in (self.cells.cuts, self.cells.knots)))

    def _hinge(self, sweep: Sweep, held: Placed, cut: float, sign: int) -> Placed:
        """Return relu(sign (u - cut)) in a channel of its own."""
        channel = sweep.wiring.channel()
        sweep.wiring.unit({c: float(sign * w) for c, w in held.channels.items()},
                          float(sign * (held.constant - Fraction(float(cut)))), {channel: 1.0})
        return Placed({channel: Fraction(1)}, Fraction(0), upward(2 * (float(held.mass) + abs(float(cut)))))

    def _combined(self, sweep: Sweep, row: Row) -> Placed:
        """Return the means of features, combined."""
        place = sum_of((sweep.places[self.means[q]], c) for q, c in row.items() if q is not None)
        constant = row.get(None, Fraction(0))
        return Placed(place.channels, place.constant + constant, float(place.mass) + abs(float(constant)))

    def _passed(self, sweep: Sweep, row: Row) -> float:
        """Bound what the means' own errors add to such a form."""
        return sum(abs(float(c)) * size(sweep.errors[self.means[q]]) for q, c in row.items() if q is not None)

    def _straight(self, sweep: Sweep, q: Sequence[Step]) -> tuple[Placed, float]:
        """Return beta_0 + (sum of all D_k)/2 + sum_k L_k (q_k - 1/2), and its slope in the hinges of u."""
        half, slopes, low = dict(self.lines.base), dict[int, Fraction](), self.lines.low
        for row in self.lines.rises:
            for feature, c in row.items():
                half[feature] = half.get(feature, Fraction(0)) + c / 2
        hinges = {id(channel): channel for step in q for channel, _ in step}
        for L, step in zip(low, q, strict=True):
            for channel, c in step:
                slopes[id(channel)] = slopes.get(id(channel), Fraction(0)) + L * c
        line = sum_of([(self._combined(sweep, half), Fraction(1)), *((hinges[key], c) for key, c in slopes.items() if c)])
        constant = low[0] - sum(low, Fraction(0)) / 2
        return (Placed(line.channels, line.constant + constant, float(line.mass) + abs(float(constant))),
                float(sum(map(abs, slopes.values()))))

    def backward(self, sensitivities: Sensitivities) -> None:
        """As the exact mean; the means that are read are exact."""
        self.exact.backward(sensitivities)

