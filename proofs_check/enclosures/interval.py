"""Batched float64 intervals with outward rounding: the arithmetic of the checker (the functions are in ``functions``).

An interval stands for a set of reals that contains the true value at every point of a box. An operation that is undefined
somewhere on its arguments, or whose bounds overflow in a way that leaves nothing known, gives the whole line [-inf, inf];
a NaN never leaves this module. Trusted: IEEE 754 double precision, round to nearest, for ``+ - * / sqrt`` as numpy
performs them, with subnormal numbers (no flush to zero).

Outward rounding does not call ``nextafter`` (slow in numpy). For finite t, e = fl(fl(|t| 2^-52) + 2^-1074) is at least the
distance from t to its neighbours: for normal t because ulp(t) <= |t| 2^-52 is representable and rounding is monotone, for
subnormal t because that distance is 2^-1074. So fl(t - e) <= pred(t), again because rounding is monotone, and pred(t) is
below every real number that rounds to t. A sum of two floats is a multiple of 2^-1074, hence exact where it is subnormal or 0:
there it needs no 2^-1074 more.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from proofs_check.enclosures.arrays import as_array, is_numpy

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
P = ParamSpec("P")
R = TypeVar("R")
_ULP = 2.0**-52
_TINY = 2.0**-1074


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with numpy's floating-point warnings off: infinities and NaNs are handled, not reported."""
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)
    return wrapped


def down(values: Floats) -> Floats:
    """Return floats strictly below the given ones (mathematics: the module's lemma); NaN at +inf."""
    return values - (np.abs(values) * _ULP + _TINY)


def up(values: Floats) -> Floats:
    """Return floats strictly above the given ones; NaN at -inf."""
    return values + (np.abs(values) * _ULP + _TINY)


@dataclass(frozen=True, eq=False)
class Interval:
    """Closed intervals [lower, upper], one per array element; ``lower <= upper`` always, neither is NaN.

    Args:
        lower: float64 array.
        upper: float64 array of the same shape.

    >>> a = Interval.of([1.0, -2.0], [2.0, 3.0])
    >>> bool((a * a).contains(np.array([4.0, -6.0])).all())
    True
    """

    lower: Floats
    upper: Floats

    @staticmethod
    def of(lower: Any, upper: Any = None) -> Interval:
        """Wrap the given floats as they are; a NaN or a reversed pair becomes the whole line."""
        low = as_array(lower, np.float64)
        return _checked(*np.broadcast_arrays(low, low if upper is None else as_array(upper, np.float64)))

    @staticmethod
    def constant(value: Fraction | int) -> Interval:
        """Enclose a rational constant, shape (); a single float when the value is one.

        >>> Interval.constant(Fraction(1, 4)).width().item()
        0.0
        """
        try:
            nearest = float(value)
        except OverflowError:
            limit = np.finfo(np.float64).max
            return Interval.of(limit, np.inf) if value > 0 else Interval.of(-np.inf, -limit)
        return Interval.of(nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf),
                           nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf))

    @staticmethod
    def pi() -> Interval:
        """Enclose the circle constant: ``math.pi`` is the double below it.

        >>> Interval.pi().lower.item()
        3.141592653589793
        """
        return Interval.of(math.pi, math.nextafter(math.pi, math.inf))

    @staticmethod
    def whole(shape: tuple[int, ...]) -> Interval:
        """Return the whole line, "nothing is known", in the given shape."""
        return Interval(np.full(shape, -np.inf), np.full(shape, np.inf))

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape of both ends."""
        return self.lower.shape

    def __getitem__(self, index: Any) -> Interval:
        return Interval(as_array(self.lower[index]), as_array(self.upper[index]))

    def width(self) -> Floats:
        """Return upper - lower, not rounded outward: for heuristics only."""
        return self.upper - self.lower

    def magnitude(self) -> Floats:
        """Return max |t| over each interval."""
        return np.maximum(np.abs(self.lower), np.abs(self.upper))

    def mignitude(self) -> Floats:
        """Return min |t| over each interval."""
        return np.maximum(0.0, np.maximum(self.lower, -self.upper))

    def contains(self, values: Any) -> Booleans:
        """Say where the float is in the interval."""
        return as_array((self.lower <= values) & (values <= self.upper))

    def __neg__(self) -> Interval:
        return Interval(-self.upper, -self.lower)

    @quiet
    def __add__(self, other: Interval) -> Interval:
        return _of_sums(self.lower + other.lower, self.upper + other.upper)

    @quiet
    def __sub__(self, other: Interval) -> Interval:
        return _of_sums(self.lower - other.upper, self.upper - other.lower)

    @quiet
    def __mul__(self, other: Interval) -> Interval:
        if _nonnegative(self):
            if _nonnegative(other):  # the product is then >= 0 too, whatever rounding did
                lower, upper = self.lower * other.lower, self.upper * other.upper
                return _checked(np.maximum(down(lower), 0.0), up(upper))
            return _outward(np.minimum(self.lower * other.lower, self.upper * other.lower),
                            np.maximum(self.lower * other.upper, self.upper * other.upper))
        if _nonnegative(other):
            return other * self
        return _hull_of(self.lower * other.lower, self.lower * other.upper, self.upper * other.lower, self.upper * other.upper)

    @quiet
    def __truediv__(self, other: Interval) -> Interval:
        if _nonnegative(self) and bool((other.lower > 0).all()):  # the quotient is then >= 0 too, whatever rounding did
            return _checked(np.maximum(down(self.lower / other.upper), 0.0), up(self.upper / other.lower))
        result = _hull_of(self.lower / other.lower, self.lower / other.upper, self.upper / other.lower, self.upper / other.upper)
        return _whole_where(result, other.contains(0.0))

    @quiet
    def __pow__(self, exponent: int) -> Interval:
        """Raise to an integer power; even powers do not see the sign, so ``[-1, 2]**2`` starts at 0."""
        if exponent < 0:
            return Interval.of(1.0) / self**-exponent
        if exponent % 2 == 0:
            result = _power_of_nonnegative(self.mignitude(), self.magnitude(), exponent)
            return Interval(np.maximum(result.lower, 0.0), result.upper)
        # t -> t**k is odd and increasing, so each end is bounded by itself
        low, high = (_power_of_nonnegative(np.abs(end), np.abs(end), exponent) for end in (self.lower, self.upper))
        return _checked(np.where(self.lower < 0, -low.upper, low.lower), np.where(self.upper < 0, -high.lower, high.upper))

    def __abs__(self) -> Interval:
        return Interval(self.mignitude(), self.magnitude())


def maximum(a: Interval, b: Interval) -> Interval:
    """Return the larger of two values; no rounding happens."""
    return Interval(np.maximum(a.lower, b.lower), np.maximum(a.upper, b.upper))


def minimum(a: Interval, b: Interval) -> Interval:
    """Return the smaller of two values; no rounding happens."""
    return Interval(np.minimum(a.lower, b.lower), np.minimum(a.upper, b.upper))


def hull(a: Interval, b: Interval) -> Interval:
    """Return the smallest interval that contains both."""
    return Interval(np.minimum(a.lower, b.lower), np.maximum(a.upper, b.upper))


def intersection(a: Interval, b: Interval) -> Interval:
    """Return what two enclosures of the *same* value have in common.

    Raises:
        ArithmeticError: they are disjoint, so one of them is not an enclosure.
    """
    lower, upper = np.maximum(a.lower, b.lower), np.minimum(a.upper, b.upper)
    if not (lower <= upper).all():
        raise ArithmeticError("two enclosures of one value are disjoint: one of them is wrong")
    return Interval(lower, upper)


def where(condition: Booleans, a: Interval, b: Interval) -> Interval:
    """Return a where the condition holds, b elsewhere."""
    return Interval(np.where(condition, a.lower, b.lower), np.where(condition, a.upper, b.upper))


def sum_along(a: Interval, axis: int) -> Interval:
    """Return the sum along an axis, rounded outward at every addition; the empty sum is 0."""
    terms = np.moveaxis(a.lower, axis, 0), np.moveaxis(a.upper, axis, 0)
    total = Interval.of(np.zeros(terms[0].shape[1:]))
    for index, (lower, upper) in enumerate(zip(*terms, strict=True)):
        total = Interval(lower, upper) if index == 0 else total + Interval(lower, upper)
    return total


def max_along(a: Interval, axis: int) -> Interval:
    """Return the largest value along an axis."""
    return Interval(a.lower.max(axis), a.upper.max(axis))


def min_along(a: Interval, axis: int) -> Interval:
    """Return the smallest value along an axis."""
    return Interval(a.lower.min(axis), a.upper.min(axis))


def _nonnegative(a: Interval) -> bool:
    return bool((a.lower >= 0).all())


def _checked(lower: Floats, upper: Floats) -> Interval:
    known = lower <= upper  # false for NaN as well
    if is_numpy(known) and known.all():  # asking a device takes longer than choosing there
        return Interval(lower, upper)
    return Interval(np.where(known, lower, -np.inf), np.where(known, upper, np.inf))


def _outward(lower: Floats, upper: Floats) -> Interval:
    return _checked(down(lower), up(upper))


def _of_sums(lower: Floats, upper: Floats) -> Interval:
    """Round sums of two floats outward, which are exact below the normal numbers: a sum of what is not negative stays so at 0."""
    return _checked(lower - np.abs(lower) * _ULP, upper + np.abs(upper) * _ULP)


def _hull_of(*candidates: Floats) -> Interval:
    return _outward(functools.reduce(np.minimum, candidates), functools.reduce(np.maximum, candidates))


def _whole_where(a: Interval, undefined: Booleans) -> Interval:
    return where(undefined, Interval.whole(()), a) if undefined.any() else a


def _power_of_nonnegative(lower: Floats, upper: Floats, exponent: int) -> Interval:
    """Square and multiply: every factor is >= 0, so the lower and the upper end each stay on their side."""
    result, square = Interval.of(np.ones_like(lower)), Interval(lower, upper)
    while exponent:
        if exponent & 1:
            result = square if _is_one(result) else result * square
        exponent >>= 1
        square = square * square if exponent else square
    return result


def _is_one(a: Interval) -> bool:
    return bool((a.lower == 1.0).all() and (a.upper == 1.0).all())
