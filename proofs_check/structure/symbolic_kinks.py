"""Kinks in symbols: which signs are known, and what relu of a product is.

Tokens lie in their box, means in the range of what is averaged, order statistics descend. |p q| = |p| |q|, so
2 relu(p q) = |p| |q| + p q, and relu(p)^2 = p relu(p): what has been written so has no kink of a product and no power of a kink.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import sympy
from flint import arb, fmpq

from proofs_check.structure.averages import Sides

Range = tuple[Any, Any]
BALLS: Mapping[str, Callable[[arb], arb]] = {"exp": arb.exp, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh, "log": arb.log,
                                             "relu": lambda u: u.max(arb(0))}


def relu(u: Any) -> Any:
    """Return relu(u) as a symbol for a number that is not negative."""
    return sympy.Function("relu", nonnegative=True)(u)


def is_relu(node: Any) -> bool:
    """Say whether a node is such a symbol."""
    return node.is_Function and node.func.__name__ == "relu"


class Signs:
    """What is known of the signs of expressions in symbols.

    Args:
        symbols: what each symbol stands for, as ("mean", what is averaged), ("order", rank) or ("token", (number, coordinate)).
        ranked: the order statistics in descending order where there are some.
        d, sides: coordinates of a token and their box.
        by_box: whether to look at the box.
    """

    def __init__(self, symbols: Mapping[tuple[str, Any], Any], ranked: list[Any], d: int, sides: Sides, by_box: bool) -> None:
        self.symbols, self.ranked, self.d, self.sides, self.by_box = symbols, ranked, d, sides, by_box

    @functools.cached_property
    def _stands_for(self) -> dict[Any, tuple[str, Any]]:
        coordinates = {sympy.Symbol(f"{token}{c}", real=True): ("coordinate", c) for token in "xy" for c in range(self.d)}
        return coordinates | {symbol: key for key, symbol in self.symbols.items()}

    def sign(self, u: Any) -> int:
        """Return 1 (-1) where the values are >= 0 (<= 0), else 0."""
        if u.is_nonnegative or u.is_nonpositive:
            return 1 if u.is_nonnegative else -1
        return self._by_order(u) or (self._of_size(u) or self._by_range(u) if self.by_box else 0)

    def positive_part(self, u: Any) -> Any:
        """Return relu of a product by its factors; of p and -p both by relu(p)."""
        try:
            above, below = map(sympy.factor_list, sympy.fraction(sympy.together(u)))
        except sympy.PolynomialError:
            return relu(u)
        content = above[0] / below[0]
        outside, product, size = abs(content), sympy.sign(content), sympy.Integer(1)
        for factor, k in (*above[1], *((factor, -k) for factor, k in below[1])):
            if k != int(k):
                factor, k = factor**k, 1
            if side := self.sign(factor) if k % 2 else 1:
                outside, product = outside * (side * factor) ** k, product * side
            else:
                outside, product = outside * factor ** (k - 1), product * factor
                size *= 2 * relu(factor) - factor
        return outside * sympy.expand((size + product) / 2)  # no halves are left

    def _by_order(self, u: Any) -> int:
        """Look at a combination of order statistics.

        sum a_k x_(k) with a_1 + .. + a_n = 0 is the sum of P_k (x_(k) - x_(k+1)) with the partial sums P_k.
        """
        slopes = [u.diff(symbol) for symbol in self.ranked]
        partial = [sum(slopes[: k + 1]) for k in range(len(slopes))]
        if not partial or not all(p.is_Rational for p in partial) or partial[-1] != 0:
            return 0
        if sympy.expand(u - sum(a * x for a, x in zip(slopes, self.ranked, strict=True))) != 0:
            return 0
        return 1 if all(p >= 0 for p in partial) else -1 if all(p <= 0 for p in partial) else 0

    def _of_size(self, u: Any) -> int:
        """Look for |p|, which is written 2 relu(p) - p."""
        for kink in filter(is_relu, u.atoms(sympy.Function)):
            for sign in (1, -1):
                if sympy.expand(u - sign * (2 * kink - kink.args[0])) == 0:
                    return sign
        return 0

    def _by_range(self, u: Any) -> int:
        low, high = self._range(u) or (-1, 1)
        values = self._ball(u)
        return 1 if low >= 0 or values >= 0 else -1 if high <= 0 or values <= 0 else 0

    def _ball(self, u: Any) -> arb:
        """Enclose the values by a ball; of what is not known, by the whole line."""
        if u.is_Rational:
            return arb(fmpq(int(u.p), int(u.q)))
        if u.is_Symbol and (ends := self._range_of(u)) is not None:
            return self._ball(ends[0]).union(self._ball(ends[1]))
        parts = [self._ball(part) for part in u.args]
        if u.is_Add:
            return sum(parts, arb(0))
        if u.is_Mul:
            return math.prod(parts, start=arb(1))
        if u.is_Pow and u.exp.is_Integer:
            return parts[0] ** int(u.exp)
        if u.is_Function and (ball := BALLS.get(u.func.__name__)) is not None:
            return ball(parts[0])
        return arb(0, math.inf)

    def _range(self, u: Any) -> Range | None:
        """Enclose a polynomial with rational coefficients in tokens, and in means of such, term by term."""
        ranges = dict[Any, Range]()
        for symbol in sorted(u.free_symbols, key=str):
            if (found := self._range_of(symbol)) is None:
                return None
            ranges[symbol] = found
        if not ranges or not u.is_polynomial(*ranges):
            return None
        low = high = sympy.Integer(0)
        for powers, factor in sympy.Poly(u, *ranges).terms():
            if not factor.is_Rational:
                return None
            ends = [factor]
            for (a, b), k in zip(ranges.values(), powers, strict=True):
                by_power = [0, max(a**k, b**k)] if k and not k % 2 and a < 0 < b else [a**k, b**k]
                ends = [end * other for end in ends for other in by_power]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def _range_of(self, symbol: Any) -> Range | None:
        """Return the range of a coordinate of a token, or of a mean of polynomials in them."""
        match self._stands_for.get(symbol):
            case ("mean", body):
                return self._range(body)
            case ("order", _):
                return _rational(self.sides[0])
            case ("coordinate", c) | ("token", (_, c)):
                return _rational(self.sides[c])
        return None


def without_powers(expression: Any) -> Any:
    """Write relu(u)^k as u^(k - 1) relu(u)."""
    def power(node: Any) -> bool:
        return bool(node.is_Pow and node.exp.is_Integer and node.exp > 1 and is_relu(node.base))

    def simple(node: Any) -> Any:
        return node.base.args[0] ** (node.exp - 1) * node.base

    while any(map(power, expression.atoms(sympy.Pow))):
        expression = sympy.expand(expression.replace(power, simple))
    return expression


def _rational(side: tuple[Fraction, Fraction]) -> Range:
    low, high = (sympy.Rational(end.numerator, end.denominator) for end in side)
    return low, high
