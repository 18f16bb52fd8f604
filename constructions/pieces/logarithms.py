"""Tables of the logarithm on many orders of magnitude: knots are geometric, hinges look to the left, so nothing cancels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.forms import ball, between, ends, hull, upward
from constructions.pieces.interpolation import Table


@dataclass(frozen=True, eq=False)
class LogarithmTable:
    """A table in s = -t that follows log(t + shift).

    Attributes:
        error: an enclosure of table - log(t + shift).
        reach, drop: bounds of sum |weight| |knot|, and of the largest value less the least.
    """

    table: Table
    error: arb
    reach: float
    drop: float

    @staticmethod
    def of(low: float, high: float, pieces: int, shift: float = 0.0) -> LogarithmTable:
        """Choose knots for t + shift in [low, high].

        table - log is convex on a piece: largest at its ends, least where t + shift = 1/slope.
        """
        points = np.exp(np.linspace(math.log(low), math.log(high), pieces + 1))
        points[0], points[-1] = low, high
        knots = points - shift
        values = np.log(points) + sag((math.log(high) - math.log(low)) / pieces) / 2
        slopes = (np.diff(values) / np.diff(knots))[::-1]
        table = Table(float(values[-1]), -knots[:0:-1], -np.concatenate([slopes[:1], np.diff(slopes)]), -math.inf, math.inf)
        exact, found = table.values(-float(knots[0]))[::-1], list[arb]()
        shifted = [Fraction(float(t)) + Fraction(shift) for t in knots]
        for (s, t), (u, v) in zip(itertools.pairwise(shifted), itertools.pairwise(exact), strict=True):
            x = ball((v - u) / (t - s) * s)
            at = ball(u) - ball(s).log()
            found += [at, at + 1 - x + x.log()]
        found.append(ball(exact[-1]) - ball(shifted[-1]).log())
        reach = upward(float(np.abs(table.weights) @ np.abs(table.knots)) * (1 + 2.0**-30))
        return LogarithmTable(table, between(*ends(hull(found))), reach, upward(float(exact[-1] - exact[0])))

    def lost(self, unit: float) -> float:
        """Bound what rounding does to it.

        A hinge at K reads a mean M with an error of a few units of K + M; where K < M/2 it is 0 all the same.
        """
        return (24 * self.reach + (self.table.units + 8) * self.drop) * unit


def sag(q: float) -> float:
    """Return E(q): how far a chord of exp is from it on the logarithmic scale, over a piece that spans q; about q^2/8."""
    c = math.expm1(q) / q
    return max(0.0, math.log(c) - 1 + 1 / c)
