"""Distance of stored table values from f at cell middles, in ball arithmetic, with a walker of the checker's own.

A table row is a sequence of cells. Sub-expressions of the own token alone are evaluated once a cell, those of a pair of
tokens once a pair of cells, and only what follows a reduction is evaluated row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from constructions.targets import expression as ex

CHUNK = 2**15
MAX_PAIRS = 2**20  # tables over pairs of cells beyond this would not fit memory as ball objects
Progress = Callable[[int], None]
_FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh, "abs": abs,
    "sigmoid": lambda u: 1 / (1 + (-u).exp()), "relu": lambda u: u.max(arb(0)), "neg": lambda u: -u}
_MAXIMUM, _MINIMUM = np.frompyfunc(lambda u, v: u.max(v), 2, 1), np.frompyfunc(lambda u, v: u.min(v), 2, 1)
_UPPER = np.frompyfunc(lambda u: float(u.abs_upper()) if u.is_finite() else float("inf"), 1, 1)


@dataclass(frozen=True, eq=False)
class _Value:
    """Balls of one sub-expression; ``scope`` says what the axes are: (), own (K,), other (K,), pair (K, K), rows, terms."""

    balls: np.ndarray
    scope: str


def largest_value_error(outputs: Sequence[ex.Expression], middles: np.ndarray, cells: np.ndarray, values: np.ndarray,
                        progress: Progress = lambda done: None) -> Fraction:
    """Bound max over rows of |values[row] - f(middles of cells[row])| for the first token as own token.

    Args:
        outputs: expressions specialised to n.
        middles: (K, d) float64 numbers, used as the exact dyadic numbers they are.
        cells: (rows, n) cell indices, own token first.
        values: (rows, d_out) float64.

    Returns:
        A rational upper bound.

    Raises:
        ArithmeticError: f is not finite at some row.
    """
    walker = _Walker(middles)
    worst = 0.0
    for start in range(0, len(cells), CHUNK):
        part = slice(start, start + CHUNK)
        walker.enter(cells[part])
        for k, output in enumerate(outputs):
            gap = walker.rows(output) - _arbs(values[part, k])
            worst = max(worst, float(_UPPER(gap).astype(np.float64).max()))
        progress(len(cells[part]))
    if not worst < float("inf"):
        raise ArithmeticError("f is not finite at a cell middle")
    return Fraction(np.nextafter(worst, np.inf).item())


class _Walker:
    def __init__(self, middles: np.ndarray) -> None:
        self.middles = _arbs(middles)
        self.tables: dict[ex.Expression, _Value] = {}
        self.local: dict[ex.Expression, _Value] = {}
        self.cells = np.zeros((0, 0), dtype=np.int64)

    def enter(self, cells: np.ndarray) -> None:
        """Start a new chunk of rows; tables over cells and pairs of cells are kept."""
        self.cells, self.local = cells, {}

    def rows(self, node: ex.Expression) -> np.ndarray:
        """Return the node's balls, one a row."""
        return np.broadcast_to(self._gathered(self.value(node), False), (len(self.cells),))

    def value(self, node: ex.Expression) -> _Value:
        for known in (self.tables, self.local):
            if node in known:
                return known[node]
        value = self._compute(node)
        (self.local if value.scope in ("rows", "terms") else self.tables)[node] = value
        return value

    def _compute(self, node: ex.Expression) -> _Value:
        match node:
            case ex.Number(value=number):
                return _Value(_scalar(arb(fmpq(number.numerator, number.denominator))), "")
            case ex.Pi():
                return _Value(_scalar(arb.pi()), "")
            case ex.Own(coordinate=c):
                return _Value(self.middles[:, c], "own")
            case ex.Other(coordinate=c):
                return _Value(self.middles[:, c], "other")
            case ex.Apply(function=name, argument=argument):
                inner = self.value(argument)
                return _Value(np.frompyfunc(_FUNCTIONS[name], 1, 1)(inner.balls), inner.scope)
            case ex.Power(base=base, exponent=ex.Number(value=exponent)):
                inner, p = self.value(base), int(exponent)
                return _Value(np.frompyfunc(lambda u: _power(u, p), 1, 1)(inner.balls), inner.scope)
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.value(left), self.value(right))
            case ex.Reduction(kind=kind, body=body):
                return self._reduce(kind, self.value(body))
            case ex.OrderStatistic(rank=ex.Number(value=rank)):
                order = np.sort(self._coordinate_order(), axis=1)[:, ::-1]
                by_size = np.argsort(_floats(self.middles[:, 0]), kind="stable")
                return _Value(self.middles[by_size[order[:, int(rank) - 1]], 0], "rows")
        raise TypeError(f"{type(node).__name__} must be specialised to a length first")

    def _coordinate_order(self) -> np.ndarray:
        """Rank of each token's first coordinate among the cell middles, which are dyadic numbers and compare exactly."""
        ranks = np.empty(len(self.middles), dtype=np.int64)
        ranks[np.argsort(_floats(self.middles[:, 0]), kind="stable")] = np.arange(len(self.middles))
        return ranks[self.cells]

    def _binary(self, operator: str, left: _Value, right: _Value) -> _Value:
        a, b, scope = self._aligned(left, right)
        if operator in ex.ARITHMETIC:
            return _Value(ex.ARITHMETIC[operator](a, b), scope)
        return _Value((_MAXIMUM if operator == "maximum" else _MINIMUM)(a, b), scope)

    def _aligned(self, left: _Value, right: _Value) -> tuple[np.ndarray, np.ndarray, str]:
        scopes = {left.scope, right.scope} - {""}
        if len(scopes) <= 1:
            return left.balls, right.balls, scopes.pop() if scopes else ""
        if scopes <= {"own", "other", "pair"} and len(self.middles) ** 2 <= MAX_PAIRS:
            return _as_pair(left), _as_pair(right), "pair"
        terms = bool(scopes & {"other", "pair", "terms"})
        return self._gathered(left, terms), self._gathered(right, terms), "terms" if terms else "rows"

    def _gathered(self, value: _Value, terms: bool) -> np.ndarray:
        """Bring a value to shape (rows,), or to one that broadcasts to (rows, n) when it is to be reduced."""
        own = self.cells[:, 0]
        match value.scope:
            case "own":
                balls = value.balls[own]
            case "rows":
                balls = value.balls
            case "other":
                return np.asarray(value.balls[self.cells])
            case "pair":
                return np.asarray(value.balls[own[:, None], self.cells])
            case _:
                return value.balls
        return balls[:, None] if terms else balls

    def _reduce(self, kind: str, body: _Value) -> _Value:
        n = self.cells.shape[1]
        if body.scope in ("", "own", "rows"):  # y does not occur: n equal terms
            return _Value(body.balls * n, body.scope) if kind == "sum" else body
        terms = self._gathered(body, True)
        if kind in ("max", "min"):
            return _Value((_MAXIMUM if kind == "max" else _MINIMUM).reduce(terms, axis=1), "rows")
        total = np.add.reduce(terms, axis=1)
        return _Value(total / n if kind == "mean" else total, "rows")


def _power(u: arb, p: int) -> arb:
    """Multiply out; arb ** int is not used because it is NaN for balls that contain 0."""
    if p < 0:
        return 1 / _power(u, -p)
    half = _power(u, p // 2) if p > 1 else arb(1)
    return half * half * u if p % 2 else half * half


def _as_pair(value: _Value) -> np.ndarray:
    return value.balls[:, None] if value.scope == "own" else value.balls[None, :] if value.scope == "other" else value.balls


def _arbs(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.frompyfunc(lambda v: arb(float(v)), 1, 1)(values))


def _floats(balls: np.ndarray) -> np.ndarray:
    return np.array([float(ball.mid()) for ball in balls])


def _scalar(ball: arb) -> np.ndarray:
    array = np.empty((), dtype=object)
    array[()] = ball
    return array
