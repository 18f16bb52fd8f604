"""One table of small targets with everything known about them in advance; every stage is tested on it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.domains import Box
from constructions.targets.target import Target

Token = Sequence[Any]
Formula = Callable[[Token, Sequence[Token]], tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """A target, a tolerance, and what follows from them by hand.

    ``formula`` is written independently of the target language: own token and all tokens -> outputs, over any numbers when
    ``rational``. ``lipschitz`` is the exact constant (or, for ``exact`` False, a bound above it); K, R as in the theorem.
    """

    name: str
    text: str
    formula: Formula
    n: int
    domain: str
    eps: Fraction
    lipschitz: Fraction
    cells: tuple[int, ...]
    multisets: int
    d_out: int = 1
    rational: bool = True
    exact: bool = True

    @property
    def d(self) -> int:
        return len(self.cells)

    @property
    def k(self) -> int:
        """K, the number of cells."""
        return math.prod(self.cells)

    @property
    def box(self) -> Box:
        return Box.parse(self.domain, self.d)

    @property
    def target(self) -> Target:
        return Target.from_text(self.text, n=self.n, box=self.box, name=self.name)

    def brute(self, tokens: np.ndarray) -> np.ndarray:
        """Evaluate the formula on one (n, d) sequence, token by token."""
        rows = [tuple(row) for row in tokens]
        values = np.empty((self.n, self.d_out), dtype=tokens.dtype)
        for i, row in enumerate(rows):
            values[i] = self.formula(row, rows)
        return values

    def tokens(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw float64 sequences inside the closed box, some coordinates exactly at its ends; shape (count, n, d)."""
        lower, upper = inner_ends(self.box)
        shape = (count, self.n, self.d)
        inside = np.clip(lower + (upper - lower) * rng.random(shape), lower, upper)
        choice = rng.integers(0, 8, shape)
        return np.where(choice == 0, lower, np.where(choice == 1, upper, inside))


def inner_ends(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest float64 numbers inside the closed box, coordinate by coordinate."""
    lower = [x if (x := float(a)) >= a else math.nextafter(x, math.inf) for a in box.lower]
    upper = [x if (x := float(b)) <= b else math.nextafter(x, -math.inf) for b in box.upper]
    return np.array(lower), np.array(upper)


def fractions(tokens: np.ndarray) -> np.ndarray:
    """Turn floats into the exact rational numbers they are."""
    return np.vectorize(Fraction, otypes=[object])(tokens)


def count_multisets(cells: int, size: int) -> int:
    """Count multisets by listing them."""
    return sum(1 for _ in itertools.combinations_with_replacement(range(cells), size))


def _mean(values: Iterator[Any] | Sequence[Any]) -> Any:
    values = list(values)
    return sum(values[1:], values[0]) / len(values)


def _moments(x: Token, ys: Sequence[Token]) -> tuple[Any, Any]:
    middle = _mean([y[0] for y in ys])
    return middle, _mean([(y[0] - middle) ** 2 for y in ys])


def _obstruction(x: Token, ys: Sequence[Token]) -> tuple[Any]:
    """2 |x_j - x_k| - 1 of the two tokens that are not the own one."""
    rest = [y[0] for y in ys]
    rest.remove(x[0])
    return (2 * abs(rest[0] - rest[1]) - 1,)


def _f(numerator: int, denominator: int = 1) -> Fraction:
    return Fraction(numerator, denominator)


CASES = (
    Case("own-times-mean", "x*mean(y)", lambda x, ys: (x[0] * _mean([y[0] for y in ys]),),
         3, "0,1", _f(1, 4), _f(2), (5,), 15),
    Case("own-times-mean-wide", "x*mean(y)", lambda x, ys: (x[0] * _mean([y[0] for y in ys]),),
         3, "-1,2", _f(2), _f(4), (4,), 10),
    Case("max-thirds", "max(y)", lambda x, ys: (max(y[0] for y in ys),),
         4, "1/3,2/3", _f(1, 20), _f(1), (4,), 20),
    Case("range", "max(y)-min(y)", lambda x, ys: (max(y[0] for y in ys) - min(y[0] for y in ys),),
         3, "0,1", _f(1, 2), _f(2), (3,), 6),
    Case("moments-wide", "(mean(y), mean((y-mean(y))**2))", _moments,
         2, "-1,2", _f(1), _f(3), (5,), 5, d_out=2),
    Case("plane", "(x[0]*mean(y[1]), max(y[0]) - x[1])",
         lambda x, ys: (x[0] * _mean([y[1] for y in ys]), max(y[0] for y in ys) - x[1]),
         2, "0,1;-1,2", _f(3, 2), _f(3), (2, 4), 8, d_out=2),
    Case("second-of-five", "order(2)", lambda x, ys: (sorted((y[0] for y in ys), reverse=True)[1],),
         5, "0,1", _f(1, 5), _f(1), (3,), 15),
    Case("median", "order((n+1)/2)", lambda x, ys: (sorted(y[0] for y in ys)[1],),
         3, "0,1", _f(1, 5), _f(1), (3,), 6),
    Case("obstruction", "2*(2*(max(y)-min(y)) - sum(abs(y-x))) - 1", _obstruction,
         3, "0,1", _f(2), _f(4), (2,), 3),
    Case("hinges", "sum(relu(y-x))", lambda x, ys: (sum([max(y[0] - x[0], 0) for y in ys]),),
         3, "0,1", _f(1), _f(4), (3,), 6),
    Case("one-cell", "x - mean(y)", lambda x, ys: (x[0] - _mean([y[0] for y in ys]),),
         3, "0,1", _f(4), _f(4, 3), (1,), 1),
    Case("exponential", "exp(x)*mean(y)", lambda x, ys: (math.exp(x[0]) * _mean([y[0] for y in ys]),),
         3, "0,1", _f(1, 2), _f(11, 2), (6,), 21, rational=False, exact=False),
)
RATIONAL_CASES = tuple(case for case in CASES if case.rational)
BY_NAME = {case.name: case for case in CASES}
