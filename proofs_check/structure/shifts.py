"""Which constant a table of softplus or of the logistic function counts with: looked for in float64, trusted for nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from proofs_check.enclosures.interval import Floats, quiet
from proofs_check.structure.curve_gaps import Ends, Pieces

STEPS = 40
GOLDEN = (math.sqrt(5) - 1) / 2
LEAST = 2.0**-40  # of the interval that is searched
LOG_2, SMALLEST = math.log(2), 1e-12
Deviation = Callable[[float], tuple[float, float]]


def minimised(cost: Callable[[float], float], around: Ends) -> Fraction:
    """Return where a function with one valley is about least, near the middle of an interval and no further than its length."""
    middle, length = float((around[0] + around[1]) / 2), float(around[1] - around[0]) + LEAST
    low, high = middle - length, middle + length
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    of_left, of_right = cost(left), cost(right)
    for _ in range(STEPS):
        if of_left <= of_right:
            high, right, of_right = right, left, of_left
            left = high - GOLDEN * (high - low)
            of_left = cost(left)
        else:
            low, left, of_left = left, right, of_right
            right = low + GOLDEN * (high - low)
            of_right = cost(right)
    return Fraction(min((left, right, middle), key=cost))


def start_of(pieces: Pieces, sign: int) -> float:
    """Return about the s for which the pieces are softplus(sign (t - s)): where that is log 2, or else from its largest value."""
    for (s, a), (t, b) in pieces:
        first, last = float(a) - LOG_2, float(b) - LOG_2
        if first * last <= 0 and first != last:
            return float(s) + float(t - s) * first / (first - last)
    end, value = pieces[-1][1] if sign > 0 else pieces[0][0]
    return float(end) - sign * math.log(math.expm1(min(max(float(value), SMALLEST), 700.0)))


def beside_softplus(pieces: Pieces, sign: int) -> Deviation:
    """Return about how far a table is from log(1 + e^(sign (t - s))), by s."""
    t, values, slopes = _arrays(pieces)
    m = np.clip(sign * slopes, 2.0**-60, 1 - 2.0**-53)
    at = np.log(m) - np.log1p(-m)  # softplus has slope m there
    most = -np.log1p(-m)

    def missed(s: float) -> tuple[float, float]:
        inner = s + sign * at
        chord = values[:-1] + slopes * (inner - t[:-1])
        inside = (inner > t[:-1]) & (inner < t[1:])
        return _ends(values - np.logaddexp(0.0, sign * (t - s)), np.where(inside, chord - most, np.nan))

    return quiet(missed)


def beside_logistic(pieces: Pieces, height: float, sign: int) -> Deviation:
    """Return about how far a table is from height / (1 + e^(-sign (t - s))), by s."""
    t, values, slopes = _arrays(pieces)
    m = np.clip(sign * slopes / height, 2.0**-60, 0.25)
    q = 2 * m / (1 + np.sqrt(1 - 4 * m))
    at = np.log((1 - q) / q)

    def missed(s: float) -> tuple[float, float]:
        inner = np.concatenate([s - at, s + at])
        chord = np.tile(values[:-1], 2) + np.tile(slopes, 2) * (inner - np.tile(t[:-1], 2))
        inside = (inner > np.tile(t[:-1], 2)) & (inner < np.tile(t[1:], 2))
        return _ends(values - height / (1 + np.exp(-sign * (t - s))),
                     np.where(inside, chord - height / (1 + np.exp(-sign * (inner - s))), np.nan))

    return quiet(missed)


def _arrays(pieces: Pieces) -> tuple[Floats, Floats, Floats]:
    points = [pieces[0][0], *(end for _, end in pieces)]
    slopes = [float((high - low) / (t - s)) if t > s else 0.0 for (s, low), (t, high) in pieces]
    return np.array([float(t) for t, _ in points]), np.array([float(value) for _, value in points]), np.array(slopes)


def _ends(at_knots: Floats, between: Floats) -> tuple[float, float]:
    low, high = float(at_knots.min()), float(at_knots.max())
    return float(np.nanmin(between, initial=low)), float(np.nanmax(between, initial=high))
