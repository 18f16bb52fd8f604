"""A coordinate of y under an exponential weight: what it meets in the exponent, and its part of the values."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from flint import fmpq_poly

from constructions.pieces.exponents import Exponent, Range
from constructions.pieces.forms import Form, Quantity, ends

SAMPLED = 17  # knots that show how steep an exponent is


@dataclass(frozen=True, eq=False)
class Axis:
    """A coordinate v of y, the number u that it meets, and the parts k(u, v) of the exponent and s(v) of the values."""

    u: Form
    v: Quantity
    k: Exponent
    s: fmpq_poly

    @property
    def interval(self) -> Range:
        """The ends of v's range."""
        return ends(self.v.range)

    @functools.cached_property
    def steepness(self) -> float:
        """About the largest slope of the exponent in v, times the length of v's range."""
        L, _ = self.k.at(np.array(ends(self.u.range())), self.knots(SAMPLED - 1))
        return float(np.abs(np.diff(L, axis=1)).max()) * (SAMPLED - 1)

    def knots(self, cells: int) -> np.ndarray:
        """Return the ends of equal cells, (cells + 1,)."""
        knots = np.linspace(*self.interval, cells + 1)
        knots[0], knots[-1] = self.interval
        return knots

    def around(self, margin: float) -> Range:
        """Return where u may be when what is held is off by the margin."""
        low, high = ends(self.u.range())
        return (low, high) if self.u.of_coordinates else (low - margin, high + margin)
