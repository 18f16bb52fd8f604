"""Tables of log(1 + e^t) and 1/(1 + e^-t) that hold for all t, however large."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.forms import ball, between, ends, upward
from constructions.pieces.interpolation import Table, interpolate
from constructions.pieces.smooth import Smooth
from constructions.targets import expression as ex

ONE, T = ex.Number(Fraction(1)), ex.Own(0)
SOFTPLUS = Smooth(ex.Apply("log", ex.Binary("+", ONE, ex.Apply("exp", T))))
SIGMOID = Smooth(ex.Apply("sigmoid", T))


@dataclass(frozen=True, eq=False)
class Everywhere:
    """A table, and an enclosure of table - function for all |t| up to some reach."""

    table: Table
    error: arb


def softplus(tolerance: float, reach: float) -> Everywhere:
    """log(1 + e^t), between 0 and e^t, is t + log(1 + e^-t)."""
    return _extended(SOFTPLUS, tolerance, reach, slope=1)


def sigmoid(tolerance: float, reach: float) -> Everywhere:
    """1/(1 + e^-t), between 0 and e^t, is 1 less that of -t."""
    return _extended(SIGMOID, tolerance, reach, slope=0)


@functools.lru_cache(maxsize=64)
def _extended(g: Smooth, tolerance: float, reach: float, slope: int) -> Everywhere:
    """Take a table on [-c, c] as constant to the left of it, and as slope t + constant to the right.

    There g itself is within e^-c of 0 and of slope t + (1 - slope).
    """
    c = max(1.0, min(reach, math.log(4 / tolerance)))
    inner = interpolate(g, -c, c, tolerance)
    last = float(Fraction(slope) - sum(map(Fraction, map(float, inner.weights)), Fraction(0)))
    table = Table(inner.base, np.append(inner.knots, c), np.append(inner.weights, last), inner.lower, inner.upper)
    beyond, small = arb(0).union(ball(-c).exp()), ball(inner.values(c)[-1]) - (ball(c) if slope else 1)
    off = sum(map(Fraction, map(float, table.weights)), Fraction(0)) - slope
    right = small + arb(0).union(ball(off) * ball(reach)) + (-beyond if slope else beyond)
    low, high = ends(between(inner.lower, inner.upper).union(ball(inner.base) - beyond).union(right))
    return Everywhere(table, between(-upward(-low), upward(high)))
