"""Ranges of sums of named variables whose definitions are known, in float64: nothing is multiplied out, and each product of
definitions is changed to Chebyshev polynomials once.

    sum_k w_k C_k,   C_k an array of Chebyshev coefficients that is right to slack_k in the l1 norm and at most size_k in it

is formed in float64. A weight and each product lose half a unit in the last place, each addition as much of what was added so
far, so that the l1 error of the sum of m arrays is at most sum |w_k| (slack_k + (m + 8) 2^-52 size_k), and what underflows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from proofs_check.enclosures.interval import Floats
from proofs_check.structure.content import Content, Definitions
from proofs_check.structure.polynomial import CONSTANT, Monomial, Polynomial
from proofs_check.structure.ranges import (
    POINTS,
    Range,
    chebyshev,
    independent,
    series_range,
    sum_on_angles,
    widened,
)

_UNIT = 2.0**-52
_UP = 1 + 2.0**-30
_LEAST = 2.0**-1000
_LARGEST = 200_000  # coefficients of one sum
_DUST = 2.0**-36  # of the sum: a part in two variables that is smaller is bounded by its l1 norm


class NoSeries(Exception):
    """The content is no sum of products of definitions, or too large a one."""


@dataclass(frozen=True, eq=False)
class Series:
    """sum c_J T_J in some variables, one axis each; ``slack`` bounds the l1 error, ``size`` the l1 norm."""

    names: tuple[str, ...]
    coefficients: Floats
    slack: float
    size: float

    @staticmethod
    def of(polynomial: Polynomial) -> list[Series]:
        """Return a polynomial as a sum of series without a common variable."""
        constant = Polynomial.constant(polynomial.at_zero)
        return [Series._of(part) for part in (constant, *independent(polynomial)) if part.terms]

    @staticmethod
    def _of(polynomial: Polynomial) -> Series:
        names = tuple(sorted(polynomial.variables))
        if math.prod(polynomial.degree(name) + 1 for name in names) > _LARGEST:
            raise NoSeries
        coefficients, slack = chebyshev(polynomial, names)
        return Series(names, coefficients, slack, float(np.abs(coefficients).sum()) * _UP)


Parts = list[tuple[Series, float]]


@dataclass(frozen=True, eq=False)
class Known:
    """A product of definitions, in series."""

    main: Sequence[Series]
    noise: Mapping[str, Sequence[Series]]
    rest: float
    spread: float


class SeriesOf:
    """The series of products of definitions, each made once; definitions may be added, not changed."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self._known: dict[Monomial, tuple[Content, Known]] = {}

    def range(self, content: Content, unknown: Iterable[str] = ()) -> Range:
        """Enclose the values of a content.

        Raises:
            NoSeries: a definition occurs with another variable, or one of the ``unknown`` variables occurs.
        """
        main: Parts = []
        noise: dict[str, Parts] = {}
        rest = content.rest
        for weight, known in self._terms(content.main):
            main += [(series, weight) for series in known.main]
            rest += abs(weight) * (1 + 2.0**-50) * known.rest
            for name, parts in known.noise.items():
                noise.setdefault(name, []).extend((series, weight) for series in parts)
        for name, one in content.noise.items():
            for weight, known in self._terms(one.polynomial):
                noise.setdefault(name, []).extend((series, weight) for series in known.main)
                rest += abs(weight) * (1 + 2.0**-50) * known.spread
        if any(name in unknown for series, _ in main for name in series.names):
            raise NoSeries
        low, high = _range([part for series in summed(main) for part in _split(series)])
        spread = (size([summed(parts) for parts in noise.values()]) + rest) * (1 + 2.0**-40)
        return widened(low - spread, high + spread)

    def _terms(self, polynomial: Polynomial) -> list[tuple[float, Known]]:
        terms = []
        for outer, inner in polynomial.by(self.definitions).items():
            if not outer:
                terms.append((1.0, Known(Series.of(inner), {}, 0.0, 0.0)))
            elif inner.terms.keys() == {CONSTANT}:
                terms.append((_nearest(inner.at_zero), self._product(outer)))
            else:
                raise NoSeries
        return terms

    def _product(self, monomial: Monomial) -> Known:
        content = self.definitions.product(monomial)
        before = self._known.get(monomial)
        if before is None or before[0] is not content:
            noise = {name: Series.of(one.polynomial) for name, one in content.noise.items()}
            before = self._known[monomial] = content, Known(Series.of(content.main), noise, content.rest, content.spread)
        return before[1]


def _nearest(c: fmpq) -> float:
    """Return a float within half a unit in the last place."""
    value = int(c.p) / int(c.q)
    if abs(value) < _LEAST:
        raise NoSeries
    return value


def _range(parts: Sequence[Series]) -> Range:
    """Enclose a sum of series without a common variable."""
    low, high = 0.0, 0.0
    for series in parts:
        value = float(series.coefficients) if not series.names else 0.0
        a, b = series_range(series.coefficients, series.slack) if series.names else (value - series.slack, value + series.slack)
        low, high = low + a, high + b
    return widened(low, high)


def summed(parts: Parts) -> list[Series]:
    """Add weighted series: those that share a variable, directly or through others, become one."""
    groups: list[tuple[set[str], Parts]] = []
    for series, weight in parts:
        names, members = set(series.names), [(series, weight)]
        apart = []
        for known, others in groups:
            if known & names or not (known or names):
                others.extend(members)
                names, members = known | names, others
            else:
                apart.append((known, others))
        groups = [*apart, (names, members)]
    return [_added(tuple(sorted(names)), members) for names, members in groups]


def _added(names: tuple[str, ...], parts: Parts) -> Series:
    at = {name: axis for axis, name in enumerate(names)}
    shape = [1] * len(names)
    for series, _ in parts:
        for name, n in zip(series.names, series.coefficients.shape, strict=True):
            shape[at[name]] = max(shape[at[name]], n)
    if math.prod(shape) > _LARGEST:
        raise NoSeries
    total, slack, norm = np.zeros(shape), 0.0, 0.0
    for series, weight in parts:
        place: list[slice | int] = [0] * len(names)
        for name, n in zip(series.names, series.coefficients.shape, strict=True):
            place[at[name]] = slice(0, n)
        total[tuple(place)] += weight * series.coefficients
        slack, norm = slack + abs(weight) * series.slack, norm + abs(weight) * series.size
    slack = (slack + norm * (len(parts) + 8) * _UNIT) * _UP + len(parts) * total.size * _LEAST
    if not (math.isfinite(slack) and np.isfinite(total).all()):
        raise NoSeries
    return Series(names, total, slack, norm * _UP)


def _split(series: Series) -> list[Series]:
    """Write f(u) + g(v) as that, where what is left in u and v together is dust: ranges in one variable are sharper."""
    if len(series.names) != 2:
        return [series]
    C = series.coefficients
    mixed = float(np.abs(C[1:, 1:]).sum()) * _UP
    if mixed > _DUST * series.size:
        return [series]
    rows, columns = C[:, 0].copy(), C[0].copy()
    columns[0] = 0.0
    first, second = series.names
    return [Series((first,), rows, series.slack + mixed, series.size), Series((second,), columns, 0.0, series.size)]


def size(sums: Sequence[Sequence[Series]]) -> float:
    """Bound the sum of the absolute values of sums of series without a common variable; those in the same variables are taken
    together: they are not largest in one place."""
    groups: dict[tuple[str, ...], list[Series]] = {}
    total = 0.0
    for parts in sums:
        series = _joined(parts)
        if series is None:
            total += _size(parts)
        else:
            groups.setdefault(series.names, []).append(series)
    for names, members in groups.items():
        most = sum(_size([series]) for series in members)
        if len(members) > 1 and 0 < len(names) <= max(POINTS):
            values, missed, _ = sum_on_angles([(series.coefficients, series.slack) for series in members])
            most = min(most, float(values.max()) + missed)
        total += most
    return widened(0.0, total)[1] if sums else 0.0


def _joined(parts: Sequence[Series]) -> Series | None:
    """Add a constant to the only other series; None where there are more."""
    numbers, others = [part for part in parts if not part.names], [part for part in parts if part.names]
    if len(others) > 1 or not parts:
        return None
    return _added(others[0].names if others else (), [(part, 1.0) for part in (*others, *numbers)])


def _size(parts: Sequence[Series]) -> float:
    low, high = _range(parts)
    return max(abs(low), abs(high))
