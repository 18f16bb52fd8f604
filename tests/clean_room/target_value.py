"""f(X)_i from the tree of its text, over any numbers that have + - * / and the functions of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from operator import add, mul, sub, truediv
from typing import Any

import mpmath
import numpy as np

from tests.clean_room.target_text import Tree, parse

Functions = Mapping[str, Callable[..., Any]]
DIGITS = 60
CONTEXT = mpmath.mp.clone()
CONTEXT.dps = DIGITS


def _high(value: Fraction) -> Any:
    return CONTEXT.mpf(value.numerator) / value.denominator


HIGH: Functions = {
    "number": _high, "exp": CONTEXT.exp, "log": CONTEXT.log, "sqrt": CONTEXT.sqrt, "sin": CONTEXT.sin, "cos": CONTEXT.cos,
    "tanh": CONTEXT.tanh, "sigmoid": lambda t: 1 / (1 + CONTEXT.exp(-t)), "abs": abs, "relu": lambda t: max(t, CONTEXT.mpf(0)),
    "maximum": max, "minimum": min, "descending": lambda values: sorted(values, reverse=True),
    "pi": lambda: +CONTEXT.pi,
}
FLOAT: Functions = {
    "number": float, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "sigmoid": lambda t: 1 / (1 + np.exp(-t)), "abs": abs, "relu": lambda t: np.maximum(t, 0.0), "maximum": np.maximum,
    "minimum": np.minimum, "descending": lambda values: list(np.sort(np.stack(np.broadcast_arrays(*values)), axis=0)[::-1]),
    "pi": lambda: np.pi,
}


class Target:
    """A target text; its outputs at a token of a sequence."""

    def __init__(self, text: str) -> None:
        self.outputs = parse(text)

    def high(self, tokens: Sequence[Sequence[Fraction]], own: int) -> list[Any]:
        """With 60 digits, at exact tokens."""
        return self._at([[_high(value) for value in token] for token in tokens], own, HIGH)

    def floats(self, tokens: np.ndarray, own: int) -> np.ndarray:
        """float64, tokens of shape (batch, n, d) to (batch, d_out): for searching, never for judging."""
        columns = [[token[:, c] for c in range(token.shape[1])] for token in np.moveaxis(tokens, 1, 0)]
        return np.stack([np.broadcast_to(value, len(tokens)) for value in self._at(columns, own, FLOAT)], axis=-1)

    def _at(self, tokens: Sequence[Sequence[Any]], own: int, functions: Functions) -> list[Any]:
        scope = {"x": tokens[own]}
        return [_value(tree, tokens, scope, functions) for tree in self.outputs]


def _value(tree: Tree, tokens: Sequence[Any], scope: dict[str, Any], functions: Functions) -> Any:
    def of(part: Tree) -> Any:
        return _value(part, tokens, scope, functions)

    match tree:
        case ("number", number):
            return functions["number"](number)
        case ("name", "n"):
            return functions["number"](Fraction(len(tokens)))
        case ("name", "pi"):
            return functions["pi"]()
        case ("name", "i" | "j" as name):
            return scope["x" if name == "i" else "y"][-1] * len(tokens)  # the position, i/n, is the last coordinate
        case ("coordinate", "x" | "y" as name, index):
            return scope[name][index]
        case ("negative", part):
            return -of(part)
        case ("+", left, right):
            return of(left) + of(right)
        case ("-", left, right):
            return of(left) - of(right)
        case ("*", left, right):
            return of(left) * of(right)
        case ("/", left, right):
            return of(left) / of(right)
        case ("**", base, exponent):
            rational = _constant(exponent, len(tokens))
            if rational is None:
                return functions["exp"](of(exponent) * functions["log"](of(base)))
            return _power(of(base), rational, functions)
        case ("reduce", name, body):
            values = [_value(body, tokens, scope | {"y": token}, functions) for token in tokens]
            if name in ("max", "min"):
                return reduce(functions["maximum" if name == "max" else "minimum"], values)
            total = reduce(lambda a, b: a + b, values)
            return total / len(tokens) if name == "mean" else total
        case ("call", "order", rank):
            place = _constant(rank, len(tokens))
            if place is None or place.denominator != 1:
                raise ValueError(f"not a rank: {rank!r}")
            return functions["descending"]([token[0] for token in tokens])[int(place) - 1]
        case ("call", name, *arguments) if name in functions:
            return functions[name](*map(of, arguments))
    raise ValueError(f"no meaning for {tree!r}")


def _constant(tree: Tree, n: int) -> Fraction | None:
    """The exact value of a rank or an exponent made of numbers and n by + - * / and whole powers, None for others."""
    match tree:
        case ("number", number):
            return Fraction(number)
        case ("name", "n"):
            return Fraction(n)
        case ("negative", part):
            value = _constant(part, n)
            return None if value is None else -value
        case ("+" | "-" | "*" | "/" | "**" as sign, left, right):
            a, b = _constant(left, n), _constant(right, n)
            if a is None or b is None or (sign == "**" and b.denominator != 1):
                return None
            return Fraction({"+": add, "-": sub, "*": mul, "/": truediv, "**": pow}[sign](a, b))
    return None


def _power(base: Any, exponent: Fraction, functions: Functions) -> Any:
    if exponent.denominator == 1:
        return base ** int(exponent)
    if exponent.denominator == 2:
        return functions["sqrt"](base) ** exponent.numerator
    return functions["exp"](functions["number"](exponent) * functions["log"](base))
