"""Nested list operations of any length: a generator of expressions with their answers, in the manner of ListOps.

``[MAX 4 [SM 7 6 ] 2 ]`` is 4: the sum of 7 and 6 modulo 10 is 3. Written from the description of the task (Nangia and Bowman
2018); expressions are drawn by length, so that a test can ask for one longer than in training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median_low

import numpy as np

OPERATORS: dict[str, Callable[[Sequence[int]], int]] = {
    "[MAX": max, "[MIN": min, "[MED": median_low, "[SM": lambda values: sum(values) % 10}
SYMBOLS = (*map(str, range(10)), *OPERATORS, "]", "pad")
MOST = 5  # arguments
FEWEST = 3  # tokens of an operation


def expression(length: int, random: np.random.Generator) -> tuple[list[str], int]:
    """Draw an expression of at most ``length`` symbols, and its answer; its depth grows with the logarithm of the length.

    >>> symbols, answer = expression(9, np.random.default_rng(0))
    >>> len(symbols) <= 9, 0 <= answer <= 9, symbols[0] in OPERATORS, symbols[-1]
    (True, True, True, ']')
    """
    if length < FEWEST:
        digit = int(random.integers(10))
        return [str(digit)], digit
    operator, inside = str(random.choice(list(OPERATORS))), length - 2
    count = int(random.integers(min(2, inside), min(MOST, inside) + 1))
    sizes = 1 + random.multinomial(inside - count, np.full(count, 1 / count))
    symbols, values = [operator], list[int]()
    for size in sizes.tolist():
        part, value = expression(size, random)
        symbols += part
        values.append(value)
    return [*symbols, "]"], OPERATORS[operator](values)


def value_of(symbols: Sequence[str]) -> int:
    """Read an expression back and return its answer: the oracle of the generator.

    >>> value_of("[MAX 4 [SM 7 6 ] 2 ]".split())
    4
    """
    stack: list[tuple[str, list[int]]] = [("", [])]
    for symbol in symbols:
        if symbol in OPERATORS:
            stack.append((symbol, []))
        elif symbol == "]":
            operator, values = stack.pop()
            stack[-1][1].append(OPERATORS[operator](values))
        elif symbol != "pad":
            stack[-1][1].append(int(symbol))
    return stack[0][1][0]
