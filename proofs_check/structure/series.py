"""Ranges of sums of named variables whose definitions are known, in float64: nothing is multiplied out, and each product of
definitions is changed to Chebyshev polynomials once.

    sum_k w_k C_k,   C_k an array of Chebyshev coefficients that is right to slack_k in the l1 norm and at most size_k in it

is formed in float64. A weight and each product lose half a unit in the last place, each addition as much of what was added so
far, so that the l1 error of the sum of m arrays is at most sum |w_k| (slack_k + (m + 8) 2^-52 size_k), and what underflows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from proofs_check.enclosures.interval import Floats
from proofs_check.enclosures.sums import above
from proofs_check.structure.content import Content, Definitions, dyadic, product_up
from proofs_check.structure.polynomial import CONSTANT, Monomial, Polynomial
from proofs_check.structure.ranges import (
    POINTS,
    Range,
    chebyshev,
    independent,
    rational_down,
    rational_up,
    series_range,
    summed_size,
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

    @functools.cached_property
    def ends(self) -> Range:
        """Enclose the values."""
        if not self.names:
            return float(self.coefficients) - self.slack, float(self.coefficients) + self.slack
        ends = [series_range(part.coefficients, part.slack) for part in self._apart()]
        return widened(sum(low for low, _ in ends), sum(high for _, high in ends))

    def _apart(self) -> Sequence[Series]:
        """Write f(u) + g(v) as that, where what is left in u and v together is dust: ranges in one variable are sharper."""
        C = self.coefficients
        mixed = float(np.abs(C[1:, 1:]).sum()) * _UP if C.ndim == 2 else math.inf
        if mixed > _DUST * self.size:
            return [self]
        rows, columns = C[:, 0].copy(), C[0].copy()
        columns[0] = 0.0
        first, second = self.names
        return [Series((first,), rows, self.slack + mixed, self.size), Series((second,), columns, 0.0, self.size)]


Parts = list[tuple[Series, float]]


@dataclass(frozen=True, eq=False)
class Known:
    """A product of definitions, in series."""

    main: Sequence[Series]
    noise: Mapping[str, Sequence[Series]]
    rest: float
    spread: float


@dataclass(frozen=True)
class Bounds:
    """``ends`` of the values of a content; ``spread`` bounds everything but its main part, definitions in their place."""

    ends: Range
    spread: float

    def of_copy(self, factor: fmpq, constant: fmpq, noise: fmpq) -> Bounds:
        """Return the bounds of factor * content + constant + noise * a new eps."""
        low, high = sorted(dyadic(end) * factor + constant for end in self.ends)
        spread = dyadic(self.spread) * abs(factor) + abs(noise)
        return Bounds((rational_down(low - abs(noise)), rational_up(high + abs(noise))), rational_up(spread))


class SeriesOf:
    """The series of products of definitions, each made once; definitions may be added, not changed."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self._known: dict[tuple[Monomial, Monomial], tuple[Content, Known]] = {}

    def range(self, content: Content, unknown: Iterable[str] = ()) -> Range:
        """Enclose the values of a content; raises as :meth:`bounds`."""
        return self.bounds(content, unknown).ends

    def bounds(self, content: Content, unknown: Iterable[str] = ()) -> Bounds:
        """Enclose the values of the main part, definitions in their place, and bound everything else.

        Raises:
            NoSeries: one of the ``unknown`` variables occurs, or more coefficients than are worth it.
        """
        if not self.definitions.below(content.variables).isdisjoint(unknown):
            raise NoSeries
        main: Parts = []
        noise: dict[str, Parts] = {}
        rest = content.rest
        for weight, known in self._terms(content.main):
            main += [(series, weight) for series in known.main]
            rest += product_up(abs(weight) * (1 + 2.0**-50), known.rest)
            for name, parts in known.noise.items():
                noise.setdefault(name, []).extend((series, weight) for series in parts)
        for name, one in content.noise.items():
            if name not in noise and one.polynomial.terms.keys() == {CONSTANT}:
                rest += rational_up(abs(one.polynomial.at_zero))
                continue
            for weight, known in self._terms(one.polynomial):
                noise.setdefault(name, []).extend((series, weight) for series in known.main)
                rest += product_up(abs(weight) * (1 + 2.0**-50), known.spread)
        low, high = _range(summed(main))
        spread = (size([summed(parts) for parts in noise.values()]) + rest) * above(len(noise))
        return Bounds(widened(low - spread, high + spread), spread)

    def _terms(self, polynomial: Polynomial) -> list[tuple[float, Known]]:
        terms = []
        for outer, inner in polynomial.by(self.definitions).items():
            if not outer:
                terms.append((1.0, Known(Series.of(inner), {}, 0.0, 0.0)))
            else:
                terms += [(_nearest(c), self._product(outer, others)) for others, c in inner.terms.items()]
        return terms

    def _product(self, monomial: Monomial, others: Monomial) -> Known:
        """Return the series of a product of definitions times one of other variables."""
        content = self.definitions.product(monomial)
        before = self._known.get((monomial, others))
        if before is None or before[0] is not content:
            whole = Content(Polynomial({others: fmpq(1)})) * content if others else content
            noise = {name: Series.of(one.polynomial) for name, one in whole.noise.items()}
            before = content, Known(Series.of(whole.main), noise, whole.rest, whole.spread)
            self._known[monomial, others] = before
        return before[1]


def _nearest(c: fmpq) -> float:
    """Return a float within half a unit in the last place."""
    value = int(c.p) / int(c.q)
    if abs(value) < _LEAST:
        raise NoSeries
    return value


def _range(parts: Parts) -> Range:
    """Enclose a sum of weighted series without a common variable."""
    low, high = 0.0, 0.0
    for series, weight in parts:
        a, b = sorted((weight * series.ends[0], weight * series.ends[1]))
        low, high = low + a, high + b
    if not math.isfinite(high - low):
        raise NoSeries
    return widened(low, high)


def summed(parts: Parts) -> Parts:
    """Add weighted series: those that share a variable, directly or through others, become one."""
    groups: dict[int, tuple[set[str], Parts]] = {}
    owner: dict[str, int] = {}
    for number, (series, weight) in enumerate(parts):
        names, members = set(series.names), [(series, weight)]
        for group in sorted({owner[name] for name in series.names or ("",) if name in owner}):
            known, others = groups.pop(group)
            others.extend(members)
            names, members = known | names, others
        groups[number] = names, members
        owner |= dict.fromkeys(names or {""}, number)
    return [members[0] if len(members) == 1 else (_added(tuple(sorted(names)), members), 1.0)
            for names, members in groups.values()]


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


def size(sums: Sequence[Parts]) -> float:
    """Bound the sum of the absolute values of sums of series without a common variable; those in the same variables are taken
    together: they are not largest in one place."""
    groups: dict[tuple[str, ...], Parts] = {}
    total = 0.0
    for parts in sums:
        one = _joined(parts)
        if one is None:
            total += _size(parts)
        else:
            groups.setdefault(one[0].names, []).append(one)
    for names, members in groups.items():
        if len(members) > 1 and 0 < len(names) <= max(POINTS):
            # one rounding a product
            together = summed_size([(weight * series.coefficients, abs(weight) * (series.slack + series.size * _UNIT))
                                    for series, weight in members])
            total += min(together, sum(abs(weight) * (series.size + series.slack) for series, weight in members) * _UP)
        else:
            total += sum(_size([member]) for member in members)
    return widened(0.0, total)[1] if sums else 0.0


def _joined(parts: Parts) -> tuple[Series, float] | None:
    """Add a constant to the only other series; None where there are more."""
    others = [part for part in parts if part[0].names]
    if len(others) > 1 or not parts:
        return None
    return parts[0] if len(parts) == 1 else (_added(others[0][0].names if others else (), parts), 1.0)


def _size(parts: Parts) -> float:
    low, high = _range(parts)
    return max(abs(low), abs(high))
