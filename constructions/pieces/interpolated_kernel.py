"""Means of kernels that bend where y meets the own token: mean_k K(u, x_k) for every n (mathematics: interpolated-kernel).

u is one exact quantity of the own token and the sequence, y one coordinate of the token the mean runs over. Hinges of y are
pooled; psi finds the cell of u, and in it puts two hinges in the place of the product q (mu_{k+1} - mu_k):

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
from constructions.pieces.kernel_cells import Box, Cells, designed
from constructions.pieces.kernel_gaps import steepest, value_hull
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.univariate import TooWide
from constructions.targets import expression as ex

Row = Mapping[int, Fraction]  # coefficients that are not 0: of 1, of mean(y), and by number + 2 of the mean of a hinge
Step = Sequence[tuple[Placed, Fraction]]  # q of a cell, from hinges of u
COARSE = 2.0**-6  # of the values of K: how its size is predicted
ROUNDED = 2.0**-26  # relative: a mean of tokens is rounded


class BentKernel(Node):
    """output = mean over y of K(u, y), K a tree in x[0] = u and x[1] = y."""

    def __init__(self, K: ex.Expression, u: Form, token: Quantity) -> None:
        self.K, self.u, self.y = K, u, token
        self.inputs = (u, Form.of(token))
        low, high = value_hull(K, ends(u.range()), ends(token.range))
        if not math.isfinite(high - low):
            raise Refused(f"the values of {K} could not be bounded")
        self.outputs = (Quantity(f"mean({K})", between(low, high), False),)

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("a kernel is given its cells before it is realised")

    @functools.cached_property
    def slope(self) -> float:
        """Bound |dK/du|."""
        return steepest(self.K, ends(self.u.range()), ends(self.y.range))

    def backward(self, sensitivities: Sensitivities) -> None:
        """A coordinate needs nothing; another u is passed the slope."""
        if not self.u.of_coordinates:
            pass_back(sensitivities, self.u, sensitivities.get(self.outputs[0], 0.0) * self.slope)

    def parameters(self, tolerance: float) -> float:
        """Predict the parameters: in inverse proportion to the tolerance."""
        coarse = COARSE * max(size(self.outputs[0].range), tolerance)
        return designed(((self.K, coarse),), self.box(0.0))[0].parameters * coarse / tolerance

    def box(self, margin: float) -> Box:
        """Return the ranges of u, which may be off by the margin where it is no coordinate, and of y."""
        low, high = ends(self.u.range())
        margin = 0.0 if self.u.of_coordinates else max(margin, ROUNDED * (abs(low) + abs(high)))
        return Box((low, high), ends(self.y.range), margin)


def on_shared_cells(nodes: Iterable[BentKernel], tolerances: Mapping[Node, float], margins: Mapping[Node, float],
                    mean: Callable[[Quantity], Quantity], most: int) -> dict[Node, tuple[Knots, Interpolated]]:
    """Choose cells for each kernel, for those of the same arguments the same ones: they share their hinges of y."""
    groups: dict[object, list[BentKernel]] = {}
    for node in nodes:
        groups.setdefault((node.u.key(), node.y), []).append(node)
    found: dict[Node, tuple[Knots, Interpolated]] = {}
    for group in groups.values():
        box = group[0].box(max(margins[node] for node in group))
        cells = designed(tuple((node.K, float(f"{tolerances[node]:.3g}")) for node in group), box, most)
        used = sorted(frozenset().union(*(one.used for one in cells)))
        knots = Knots(group[0].y, {k: float(cells[0].knots[1 + k]) for k in used})
        found |= {node: (knots, Interpolated(node, one, knots, mean)) for node, one in zip(group, cells, strict=True)}
    return found


class Knots(Node):
    """outputs_j = relu(y - t_j), of a coordinate of the token, by the number of the knot; their means are pooled."""

    def __init__(self, token: Quantity, knots: Mapping[int, float]) -> None:
        self.inputs, self.knots = (Form.of(token),), knots
        high = ends(token.range)[1]
        self.outputs = tuple(Quantity(f"relu({token.name}-{t:.6g})", arb(0).union(arb(high) - arb(t)), True, True)
                             for t in knots.values())

    def realise(self, sweep: Sweep) -> None:
        """One unit each."""
        placed = sweep.places.form(self.inputs[0])
        for t, output in zip(self.knots.values(), self.outputs, strict=True):
            channel = sweep.wiring.channel()
            sweep.wiring.unit({c: float(w) for c, w in placed.channels.items()}, float(placed.constant - Fraction(t)),
                              {channel: 1.0})
            lost = sweep.rounding(placed) + 4 * sweep.unit * abs(t)
            sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(0), upward(size(output.range) + lost))
            sweep.errors[output] = arb(0, upward(lost))

    def backward(self, sensitivities: Sensitivities) -> None:
        """Hinges of an exact quantity: nothing is passed."""


class Interpolated(Node):
    """The output of a bent kernel, from the means of y and of its hinges: m cells, two units each, and m hinges of u.

    q_0 = 1 - relu(c_1 - u)/h and q_k = (relu(u - c_k) - relu(u - c_{k+1}))/h: all of these hinges bend in the range of u, so that
    what depends on u can be told from what is a mean, even where u is the mean of y.
    """

    def __init__(self, exact: BentKernel, cells: Cells, hinges: Knots, mean: Callable[[Quantity], Quantity]) -> None:
        self.exact, self.cells, self.outputs = exact, cells, exact.outputs
        numbers = {1: exact.y} | {k + 2: q for k, q in zip(hinges.knots, hinges.outputs, strict=True)}
        self.means = {k: mean(q) for k, q in numbers.items() if k == 1 or k - 2 in cells.used}
        self.inputs = (exact.u, *map(Form.of, self.means.values()))

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Units, and the error: that of the cells at the u held, rounding, and the slope of K times the error of u."""
        exact, cells, output = self.exact, self.cells, self.outputs[0]
        low, high = ends(sweep.actual(exact.u))
        if not cells.cuts[0] <= low <= high <= cells.cuts[-1]:
            raise TooWide(f"{exact.K} has cells on [{cells.cuts[0]:.6g}, {cells.cuts[-1]:.6g}], but its argument may be in "
                          f"[{low:.6g}, {high:.6g}]")
        u, extra = sweep.bottleneck(exact.u)
        below, *beyond = [self._hinge(sweep, u, cells.cuts[1], -1), *(self._hinge(sweep, u, c, 1) for c in cells.cuts[1:-1])]
        q: list[Step] = [((below, -1 / self.lengths[0]),)]  # without the 1 of q_0
        for k, h in enumerate(self.lengths[1:]):
            q.append(((beyond[k], 1 / h), *((following, -1 / h) for following in beyond[k + 1:k + 2])))
        out, lost_u = sweep.wiring.channel(), extra + sweep.rounding(u) + 4 * sweep.unit * float(np.abs(cells.cuts).max())
        lost = sum(self._bends(sweep, out, k, q[k]) + 2 * float(W / h) * lost_u
                   for k, (W, h) in enumerate(zip(self.width, self.lengths, strict=True)) if W)
        line, steep = self._straight(sweep, q)
        lost += sweep.rounding(line) + steep * lost_u + self._passed(sweep, _exact(cells.base))
        kept = Fraction(upward(float(line.mass) + lost))
        sweep.wiring.unit({c: float(w) for c, w in line.channels.items()}, float(line.constant + kept), {out: 1.0})
        mass = 2 * float(kept) + 2 * float(cells.width.sum())
        lost += (2 * len(cells.rises) + 8) * sweep.unit * mass
        sweep.places[output] = Placed({out: Fraction(1)}, -kept, Fraction(upward(mass)))
        sweep.local[output] = arb(0, upward(cells.gap + cells.product_error + lost))
        passed = sweep.error(exact.u)
        sweep.errors[output] = sweep.local[output] + (arb(0, self.slope) * passed if size(passed) else arb(0))

    def _bends(self, sweep: Sweep, out: str, k: int, q: Step) -> float:
        """Write relu(D_k - L + W q - W)/2 - relu(D_k - L - W q)/2; returns a bound of rounding and of the means' errors.

        Together with D_k/2 that has slopes between 0 and 1 in D_k, so an error of D_k counts once.
        """
        D, L, W = self._combined(sweep, self.rises[k]), self.low[k], self.width[k]
        lost = self._passed(sweep, self.rises[k])
        for sign in (1, -1):
            place = sum_of([(D, Fraction(1)), *((channel, sign * W * w) for channel, w in q)])
            shift = -L - (W if sign > 0 else 0) + (0 if k else sign * W)
            reads = {} if sweep.wiring.dry else {c: float(w) for c, w in place.channels.items()}
            sweep.wiring.unit(reads, float(place.constant + shift), {out: sign / 2})
            lost += 0.5 * (sweep.rounding(place) + 4 * sweep.unit * (float(place.mass) + abs(float(shift))))
        return lost

    @functools.cached_property
    def rises(self) -> list[Row]:
        """The coefficients of every D_k."""
        return list(map(_exact, self.cells.rises))

    @functools.cached_property
    def low(self) -> list[Fraction]:
        """L_k as rational numbers."""
        return [Fraction(float(value)) for value in self.cells.low]

    @functools.cached_property
    def width(self) -> list[Fraction]:
        """W_k as rational numbers."""
        return [Fraction(float(value)) for value in self.cells.width]

    @functools.cached_property
    def lengths(self) -> list[Fraction]:
        """Lengths of the cells."""
        return [Fraction(float(b)) - Fraction(float(a)) for a, b in itertools.pairwise(self.cells.cuts)]

    @functools.cached_property
    def slope(self) -> float:
        """Bound |dK/du| wherever the u that is held may be."""
        return steepest(self.exact.K, (float(self.cells.cuts[0]), float(self.cells.cuts[-1])), ends(self.exact.y.range))

    def _hinge(self, sweep: Sweep, held: Placed, cut: float, sign: int) -> Placed:
        """Return relu(sign (u - cut)) in a channel of its own."""
        channel = sweep.wiring.channel()
        sweep.wiring.unit({c: float(sign * w) for c, w in held.channels.items()},
                          float(sign * (held.constant - Fraction(float(cut)))), {channel: 1.0})
        return Placed({channel: Fraction(1)}, Fraction(0), upward(2 * (float(held.mass) + abs(float(cut)))))

    def _combined(self, sweep: Sweep, row: Row) -> Placed:
        """Return b + s mean(y) + sum_j jump_j mean(relu(y - t_j))."""
        place = sum_of((sweep.places[self.means[k]], w) for k, w in row.items() if k)
        constant = row.get(0, Fraction(0))
        return Placed(place.channels, place.constant + constant, float(place.mass) + abs(float(constant)))

    def _passed(self, sweep: Sweep, row: Row) -> float:
        """Bound what the means' own errors add to such a form."""
        return sum(abs(float(w)) * size(sweep.errors[self.means[k]]) for k, w in row.items() if k)

    def _straight(self, sweep: Sweep, q: Sequence[Step]) -> tuple[Placed, float]:
        """Return beta_0 + (sum of all D_k)/2 + sum_k L_k (q_k - 1/2) + shift, and its slope in the hinges of u."""
        half, slopes = dict(_exact(self.cells.base)), dict[int, Fraction]()
        for row in self.rises:
            for k, w in row.items():
                half[k] = half.get(k, Fraction(0)) + w / 2
        hinges = {id(channel): channel for step in q for channel, _ in step}
        for L, step in zip(self.low, q, strict=True):
            for channel, w in step:
                slopes[id(channel)] = slopes.get(id(channel), Fraction(0)) + L * w
        line = sum_of([(self._combined(sweep, half), Fraction(1)), *((hinges[key], w) for key, w in slopes.items() if w)])
        constant = Fraction(self.cells.shift) + self.low[0] - sum(self.low, Fraction(0)) / 2
        return (Placed(line.channels, line.constant + constant, float(line.mass) + abs(float(constant))),
                float(sum(map(abs, slopes.values()))))

    def backward(self, sensitivities: Sensitivities) -> None:
        """As the exact mean; the means that are read are exact."""
        self.exact.backward(sensitivities)


def _exact(row: np.ndarray) -> Row:
    return {int(k): Fraction(float(row[k])) for k in np.flatnonzero(row)}
