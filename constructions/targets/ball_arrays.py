"""Batches of float64 balls [mid - rad, mid + rad]: the arithmetic in which the builder encloses gradients.

Every operation returns balls that contain all exact results. Radii are inflated for the rounding of the midpoint *and* of the
radius itself; monotone functions are enclosed through both ends. A result that is undefined somewhere has radius infinity.
Assumption, stated in docs/trust.md: numpy's elementary functions err by less than ``ULPS`` units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

ULPS = 8
_RELATIVE = ULPS * 2.0**-52
_TINY = 2.0**-1000  # absorbs underflow: every rounded subnormal result errs by less


@dataclass(frozen=True, eq=False)
class BallArray:
    """Balls with float64 midpoints and radii of one shape (or broadcastable)."""

    mid: np.ndarray
    rad: np.ndarray

    @staticmethod
    def constant(value: Fraction | int) -> BallArray:
        """Enclose one rational number."""
        mid = np.float64(float(value))
        exact = Fraction(float(mid)) == value
        return BallArray(np.asarray(mid), np.asarray(0.0 if exact else abs(mid) * 2.0**-52 + _TINY))

    @staticmethod
    def between(lower: np.ndarray, upper: np.ndarray) -> BallArray:
        """Enclose [lower, upper], the ends taken as accurate to ``ULPS`` units in the last place."""
        mid = 0.5 * lower + 0.5 * upper
        rad = np.maximum(upper - mid, mid - lower) + _RELATIVE * np.maximum(np.abs(lower), np.abs(upper)) + _TINY
        return _made(mid, rad)

    @property
    def lower(self) -> np.ndarray:
        """A float at or below every point."""
        return np.nextafter(self.mid - self.rad, -np.inf)

    @property
    def upper(self) -> np.ndarray:
        """A float at or above every point."""
        return np.nextafter(self.mid + self.rad, np.inf)

    @property
    def magnitude(self) -> np.ndarray:
        """A float at or above the absolute value of every point."""
        return np.nextafter(np.abs(self.mid) + self.rad, np.inf)

    def __add__(self, other: BallArray) -> BallArray:
        mid = self.mid + other.mid
        return _made(mid, self.rad + other.rad + _RELATIVE * np.abs(mid))

    def __sub__(self, other: BallArray) -> BallArray:
        return self + -other

    def __neg__(self) -> BallArray:
        return BallArray(-self.mid, self.rad)

    def __mul__(self, other: BallArray) -> BallArray:
        mid = self.mid * other.mid
        rad = np.abs(self.mid) * other.rad + self.rad * np.abs(other.mid) + self.rad * other.rad
        return _made(mid, rad + _RELATIVE * np.abs(mid) + _TINY)

    def __truediv__(self, other: BallArray) -> BallArray:
        lower, upper = other.lower, other.upper
        reciprocal = BallArray.between(1 / upper, 1 / lower)
        return self * _where(((lower > 0) | (upper < 0)) & np.isfinite(reciprocal.mid), reciprocal, _nowhere())

    def power(self, exponent: int) -> BallArray:
        """Return the integer power, even ones through the absolute value."""
        if exponent < 0:
            return BallArray.constant(1) / self.power(-exponent)
        if exponent % 2:
            return BallArray.between(self.lower**exponent, self.upper**exponent)
        low = np.maximum(np.maximum(self.lower, -self.upper), 0.0)
        return BallArray.between(low**exponent, self.magnitude**exponent)

    def increasing(self, function: Callable[[np.ndarray], np.ndarray], domain: float = -np.inf) -> BallArray:
        """Apply an increasing function that is defined for arguments >= domain."""
        lower, upper = self.lower, self.upper
        image = BallArray.between(function(np.maximum(lower, domain)), function(upper))
        return _where(lower >= domain, image, _nowhere())

    def lipschitz_one(self, function: Callable[[np.ndarray], np.ndarray]) -> BallArray:
        """Apply a function with slopes in [-1, 1] and values in [-1, 1] (sine and cosine)."""
        mid = function(self.mid)
        return _made(mid, np.minimum(self.rad + _RELATIVE * (1 + np.abs(self.mid) * 2.0**-40), 2.0))

    def where(self, mask: np.ndarray, other: BallArray) -> BallArray:
        """Take self where the mask holds, other elsewhere."""
        return _where(mask, self, other)


def _made(mid: np.ndarray, rad: np.ndarray) -> BallArray:
    rad = rad * (1 + _RELATIVE)
    broken = ~(np.isfinite(mid) & np.isfinite(rad))
    if np.any(broken):
        mid, rad = np.where(broken, 0.0, mid), np.where(broken, np.inf, rad)
    return BallArray(mid, rad)


def _where(mask: np.ndarray, a: BallArray, b: BallArray) -> BallArray:
    return BallArray(np.where(mask, a.mid, b.mid), np.where(mask, a.rad, b.rad))


def _nowhere() -> BallArray:
    return BallArray(np.asarray(0.0), np.asarray(np.inf))
