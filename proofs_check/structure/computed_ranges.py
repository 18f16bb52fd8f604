"""Where the numbers are that a network computes: interval arithmetic from layer to layer, in float64 and rounded outward.

What rounding does in a layer is a part of the numbers that are computed there. The error that is passed on to them says little
where slopes multiply; a unit that is 0, or a table that is flat on both sides, bounds them all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from proofs_check.enclosures.interval import Floats

OUT = 2.0**-40  # above what a sum of a few thousand numbers loses, relative to that of their sizes
ULP = 2.0**-52
TINY = 2.0**-1074  # what a product that is subnormal may lose, and more
WHOLE = (-math.inf, math.inf)
Range = tuple[float, float]


@dataclass
class ComputedRanges:
    """Ranges of channels: a channel that is not there holds 0."""

    of: dict[str, Range] = field(default_factory=dict)

    def size(self, channel: str) -> float:
        """Bound the absolute value."""
        low, high = self.of.get(channel, (0.0, 0.0))
        return max(-low, high)

    def add(self, channel: str, low: float, high: float) -> None:
        """Add something between two numbers."""
        a, b = self.of.get(channel, (0.0, 0.0))
        low, high = a + low, b + high
        self.of[channel] = low - abs(low) * OUT, high + abs(high) * OUT

    def within(self, channel: str, size: float) -> Range:
        """Return the range of a channel whose absolute value is known not to be larger."""
        low, high = self.of.get(channel, (0.0, 0.0))
        return max(low, -size), min(high, size)


def dot(terms: Iterable[tuple[float, Range]]) -> Range:
    """Enclose a sum of multiples of numbers in ranges, as a real number."""
    known = list(terms)
    pairs = [sorted(weight * end for end in ends) for weight, ends in known]
    lost = TINY * sum(weight != 0 and ends != (0.0, 0.0) for weight, ends in known)
    (low, below), (high, above) = ((sum(ends), sum(map(abs, ends))) for ends in ([p[k] for p in pairs] for k in (0, 1)))
    return low - (below * OUT + lost), high + (above * OUT + lost)


def of_hinges(weights: Floats, biases: Floats, low: float, high: float) -> Range:
    """Enclose sum of weight relu(t + bias) for t in an interval: it is linear between its knots."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return WHOLE
    order = np.argsort(-biases, kind="stable")
    w, b = weights[order], biases[order]
    slopes, constants, mass, reach = (np.concatenate([[0.0], np.cumsum(one)]) for one in (w, w * b, np.abs(w), np.abs(w * b)))
    at = np.concatenate([[low], -b[(-b > low) & (-b < high)], [high]])
    active = np.searchsorted(-b, at, side="right")
    values = slopes[active] * at + constants[active]
    off = (len(w) + 8) * (2 * ULP * (mass[active] * np.abs(at) + reach[active]) + TINY)
    least = 0.0 if bool((w >= 0).all()) else -math.inf
    return max(float((values - off).min()), least), float((values + off).max())
