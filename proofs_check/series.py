"""Taylor coefficients F^(j)(c)/j! of the elementary functions, enclosed for all c of an interval at once.

Where a function is not smooth on all of the interval its first coefficient, and with it every other, is the whole line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from proofs_check.enclosures import functions
from proofs_check.enclosures.interval import Interval

ONE = Interval.of(1.0)


def coefficients(name: str, at: Interval, count: int) -> list[Interval]:
    """Return F(c), F'(c), F''(c)/2, .. for c in the interval.

    Args:
        name: ``exp log sqrt sin cos tanh sigmoid`` or ``reciprocal``.
        at: where, shape (boxes,).
        count: how many, at least 1.

    >>> bool(coefficients("exp", Interval.of([0.0]), 4)[3].contains(1 / 6).all())
    True
    """
    return _SERIES[name](at, count)


def _exp(at: Interval, count: int) -> list[Interval]:
    found = [functions.exp(at)]
    for j in range(1, count):
        found.append(found[-1] * Interval.constant(Fraction(1, j)))
    return found


def _reciprocal(at: Interval, count: int) -> list[Interval]:
    step = ONE / at
    found = [step]
    for _ in range(1, count):
        found.append(-(found[-1] * step))
    return found


def _log(at: Interval, count: int) -> list[Interval]:
    powers = _reciprocal(at, count)  # the derivative is the reciprocal
    return [functions.log(at)] + [powers[j - 1] * Interval.constant(Fraction(1, j)) for j in range(1, count)]


def _sqrt(at: Interval, count: int) -> list[Interval]:
    step, found = ONE / at, [functions.sqrt(at)]
    for j in range(1, count):  # binom(1/2, j) = binom(1/2, j-1) (3/2 - j) / j
        found.append(found[-1] * step * Interval.constant((Fraction(3, 2) - j) / j))
    return found


def _wave(at: Interval, count: int, turn: int) -> list[Interval]:
    sine, cosine = functions.sin(at), functions.cos(at)
    cycle, factor = (sine, cosine, -sine, -cosine), Fraction(1)
    found = []
    for j in range(count):
        factor = factor / j if j else factor
        found.append(cycle[(j + turn) % 4] * Interval.constant(factor))
    return found


def _riccati(value: Interval, count: int, slope: Callable[[list[Interval], int], Interval]) -> list[Interval]:
    """Solve g' = a polynomial of g: coefficient j + 1 is coefficient j of the right side over j + 1."""
    found = [value]
    for j in range(count - 1):
        found.append(slope(found, j) * Interval.constant(Fraction(1, j + 1)))
    return found


def _square(g: list[Interval], j: int) -> Interval:
    total = g[0] ** 2 if j == 0 else g[0] * g[j]
    for i in range(1, j + 1):
        total = total + (g[i] ** 2 if 2 * i == j else g[i] * g[j - i])
    return total


def _tanh(at: Interval, count: int) -> list[Interval]:
    return _riccati(functions.tanh(at), count, lambda g, j: (ONE - _square(g, j)) if j == 0 else -_square(g, j))


def _sigmoid(at: Interval, count: int) -> list[Interval]:
    return _riccati(functions.sigmoid(at), count, lambda g, j: g[j] - _square(g, j))


_SERIES: Mapping[str, Callable[[Interval, int], list[Interval]]] = {
    "exp": _exp, "log": _log, "sqrt": _sqrt, "reciprocal": _reciprocal, "tanh": _tanh, "sigmoid": _sigmoid,
    "sin": lambda at, count: _wave(at, count, 0), "cos": lambda at, count: _wave(at, count, 1)}
