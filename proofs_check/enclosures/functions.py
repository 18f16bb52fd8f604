"""The elementary functions on intervals.

Assumption (docs: trust): where numpy's float64 ``exp log sin cos tanh`` return t, the true value is within ``LIBM_ULPS`` *
(2^-52 |t| + 2^-1074) of t. numpy's vectorised kernels promise 4 units in the last place; twice that is taken here, and the
tests compare with ball arithmetic. numpy's ``sqrt`` needs no assumption beyond IEEE 754; on a device it is taken like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np

from proofs_check.enclosures.arrays import as_array, is_numpy
from proofs_check.enclosures.interval import (
    Booleans,
    Floats,
    Interval,
    _checked,
    _whole_where,
    down,
    maximum,
    quiet,
    up,
)

LIBM_ULPS = 8.0
_LARGEST = float(np.finfo(np.float64).max)


def _slack(values: Floats) -> Floats:
    return np.abs(values) * (LIBM_ULPS * 2.0**-52) + LIBM_ULPS * 2.0**-1074


def _below(values: Floats) -> Floats:
    finite = np.minimum(values, _LARGEST)  # a computed +inf only says that the true value is about the largest double
    return down(finite - _slack(finite))


def _above(values: Floats) -> Floats:
    finite = np.maximum(values, -_LARGEST)
    return up(finite + _slack(finite))


@quiet
def exp(a: Interval) -> Interval:
    """Enclose the exponential, increasing and >= 0."""
    return _checked(np.maximum(_below(np.exp(a.lower)), 0.0), _above(np.exp(a.upper)))


@quiet
def log(a: Interval) -> Interval:
    """Enclose the natural logarithm; the whole line unless the interval is positive."""
    return _whole_where(_checked(_below(np.log(a.lower)), _above(np.log(a.upper))), a.lower <= 0)


@quiet
def sqrt(a: Interval) -> Interval:
    """Enclose the square root; the whole line unless the interval is >= 0."""
    below, above = (down, up) if is_numpy(a.lower) else (_below, _above)  # no other library's is known to be rounded correctly
    lower, upper = np.sqrt(a.lower), np.sqrt(a.upper)
    return _whole_where(_checked(np.maximum(below(np.minimum(lower, _LARGEST)), 0.0), above(upper)), a.lower < 0)


@quiet
def raised(a: Interval, exponent: Fraction) -> Interval:
    """Enclose u**c, c > 0, which increases and is 0 where u = 0; the whole line unless the interval is >= 0."""
    if exponent == Fraction(1, 2):
        return sqrt(a)
    c = Interval.constant(exponent)
    lower, upper = (exp(log(Interval.of(np.where(end > 0, end, 1.0))) * c) for end in (a.lower, a.upper))
    return _whole_where(_checked(np.where(a.lower > 0, lower.lower, 0.0), np.where(a.upper > 0, upper.upper, 0.0)), a.lower < 0)


@quiet
def tanh(a: Interval) -> Interval:
    """Enclose the hyperbolic tangent, increasing and within [-1, 1]."""
    return _checked(np.maximum(_below(np.tanh(a.lower)), -1.0), np.minimum(_above(np.tanh(a.upper)), 1.0))


@quiet
def sigmoid(a: Interval) -> Interval:
    """Enclose 1 / (1 + exp(-t)); each end occurs once, so the natural extension is as tight as the exponential."""
    one = Interval.of(1.0)
    result = one / (one + exp(-a))
    return Interval(np.maximum(result.lower, 0.0), np.minimum(result.upper, 1.0))


@quiet
def sin(a: Interval) -> Interval:
    """Enclose the sine; its maxima are at 2 pi (k + 1/4), its minima at 2 pi (k - 1/4)."""
    return _wave(a, np.sin, 0.25, -0.25)


@quiet
def cos(a: Interval) -> Interval:
    """Enclose the cosine; its maxima are at 2 pi k, its minima at 2 pi (k + 1/2)."""
    return _wave(a, np.cos, 0.0, 0.5)


def _wave(a: Interval, function: Callable[[Floats], Floats], crest: float, trough: float) -> Interval:
    left, right = function(a.lower), function(a.upper)
    lower = np.maximum(_below(np.minimum(left, right)), -1.0)
    upper = np.minimum(_above(np.maximum(left, right)), 1.0)
    turns = a / (Interval.of(2.0) * Interval.pi())
    lower = np.where(_may_contain_integer(turns - Interval.of(trough)), -1.0, lower)
    upper = np.where(_may_contain_integer(turns - Interval.of(crest)), 1.0, upper)
    return Interval(lower, upper)


def _may_contain_integer(a: Interval) -> Booleans:
    contains = np.floor(a.upper) >= np.ceil(a.lower)
    return as_array(contains | ~np.isfinite(a.lower) | ~np.isfinite(a.upper))


@quiet
def relu(a: Interval) -> Interval:
    """Enclose max(t, 0); no rounding happens."""
    return maximum(a, Interval.of(0.0))


FUNCTIONS: Mapping[str, Callable[[Interval], Interval]] = {
    "exp": exp, "log": log, "sqrt": sqrt, "sin": sin, "cos": cos, "tanh": tanh, "sigmoid": sigmoid, "abs": abs, "relu": relu}
