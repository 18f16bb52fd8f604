"""The syntax tree of the target language: what a target *means*, before any arithmetic is chosen.

A target has one expression per output feature. It describes f(X)_i as a function of the own token ``x = x_i`` and of
reductions over *all* tokens ``y = x_1, .., x_n``; such an f is permutation-equivariant by construction
(mathematics: equivariance-semi-invariance). The tree is kept as written, not simplified: a simplifier may change where the
function is defined, and every node remembers its column so that a refusal can point at it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import Any, ClassVar

FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "abs", "relu")
PAIRS = ("maximum", "minimum")
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"+": add, "-": sub, "*": mul, "/": truediv}
REDUCTIONS = ("mean", "sum", "max", "min")
MAX_EXPONENT = 10_000


@dataclass(frozen=True)
class Expression:
    """A node; ``column`` counts from 1 in the source text and does not take part in equality.

    A hash is kept: nodes are keys wherever equal ones are to be treated once, and a whole tree would be hashed at each of its
    nodes again. It stays in its process, another one hashes strings differently.
    """

    column: int = field(default=0, compare=False, kw_only=True)
    parts: ClassVar[tuple[str, ...]] = ()  # names of what a node of a class is made of

    def __init_subclass__(cls) -> None:
        cls.parts = tuple(inspect.get_annotations(cls))
        cls.__hash__ = Expression.__hash__  # type: ignore[method-assign]  # a dataclass would write its own

    def __hash__(self) -> int:
        found: int | None = self.__dict__.get("_hash")
        if found is None:
            found = hash((type(self), *(getattr(self, name) for name in self.parts)))
            object.__setattr__(self, "_hash", found)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    def children(self) -> Iterator[Expression]:
        """Yield the direct sub-expressions, left to right."""
        for name in self.parts:
            value = getattr(self, name)
            if isinstance(value, Expression):
                yield value

    def walk(self) -> Iterator[Expression]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True)
class Number(Expression):
    """An exact rational constant."""

    value: Fraction

    def __str__(self) -> str:
        return str(self.value) if self.value.denominator == 1 and self.value >= 0 else f"({self.value})"


@dataclass(frozen=True)
class Pi(Expression):
    """The circle constant."""

    def __str__(self) -> str:
        return "pi"


@dataclass(frozen=True)
class Length(Expression):
    """The number of tokens n."""

    def __str__(self) -> str:
        return "n"


@dataclass(frozen=True)
class Own(Expression):
    """Coordinate ``x[c]`` of the own token."""

    coordinate: int

    def __str__(self) -> str:
        return f"x[{self.coordinate}]"


@dataclass(frozen=True)
class Other(Expression):
    """Coordinate ``y[c]`` of the token a reduction runs over."""

    coordinate: int

    def __str__(self) -> str:
        return f"y[{self.coordinate}]"


@dataclass(frozen=True)
class Apply(Expression):
    """A function of one argument, one of ``FUNCTIONS`` or ``neg``."""

    function: str
    argument: Expression

    def __str__(self) -> str:
        return f"(-{self.argument})" if self.function == "neg" else f"{self.function}({self.argument})"


@dataclass(frozen=True)
class Binary(Expression):
    """``left operator right`` with operator one of ``ARITHMETIC`` or a name in ``PAIRS``."""

    operator: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        if self.operator in PAIRS:
            return f"{self.operator}({self.left}, {self.right})"
        return f"({self.left} {self.operator} {self.right})"


@dataclass(frozen=True)
class Power(Expression):
    """``base ** exponent``; the exponent is resolved by :func:`specialise`."""

    base: Expression
    exponent: Expression

    def __str__(self) -> str:
        base, exponent = (f"({part})" if isinstance(part, Power) else str(part) for part in (self.base, self.exponent))
        return f"{base}**{exponent}"


@dataclass(frozen=True)
class Reduction(Expression):
    """``kind`` of the body over y = x_1, .., x_n, all tokens, the own one included."""

    kind: str
    body: Expression

    def __str__(self) -> str:
        return f"{self.kind}({self.body})"


@dataclass(frozen=True)
class OrderStatistic(Expression):
    """The rank-th largest token (d = 1 only), rank counted from 1."""

    rank: Expression

    def __str__(self) -> str:
        return f"order({self.rank})"


def joined(operator: str, parts: Sequence[Expression]) -> Expression:
    """Return the sum, product or other combination of some expressions, from left to right."""
    return functools.reduce(lambda a, b: Binary(operator, a, b), parts)


def mapped(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the node with every direct sub-expression changed."""
    changed: dict[str, Any] = {name: change(getattr(expression, name)) for name in expression.parts
                               if isinstance(getattr(expression, name), Expression)}
    return replace(expression, **changed) if changed else expression


def depends_on(expression: Expression, kind: type[Expression]) -> bool:
    """Say whether a *free* node of the kind occurs: ``y`` inside a reduction is bound by it."""
    if isinstance(expression, kind):
        return True
    if isinstance(expression, Reduction) and kind is Other:
        return False
    return any(depends_on(child, kind) for child in expression.children())


def rational_value(expression: Expression) -> Fraction | None:
    """Return the exact value of a constant rational expression, None when it is not one."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Apply) and expression.function == "neg":
        value = rational_value(expression.argument)
        return None if value is None else -value
    if isinstance(expression, Binary) and expression.operator in "+-*/":
        left = rational_value(expression.left)
        right = None if left is None else rational_value(expression.right)
        if left is None or right is None or (expression.operator == "/" and right == 0):
            return None
        return {"+": left + right, "-": left - right, "*": left * right}.get(expression.operator) \
            if expression.operator != "/" else left / right
    if isinstance(expression, Power):
        return _rational_power(rational_value(expression.base), rational_value(expression.exponent))
    return None


def _rational_power(base: Fraction | None, exponent: Fraction | None) -> Fraction | None:
    """Fold small integer powers only: a huge one is a number nobody meant, and would take forever."""
    if base is None or exponent is None or exponent.denominator != 1 or abs(exponent) > 64:
        return None
    if max(base.numerator.bit_length(), base.denominator.bit_length()) > 1024 or (base == 0 and exponent < 0):
        return None
    return Fraction(base ** int(exponent))


def fractional_power(node: Expression) -> tuple[Fraction, Expression] | None:
    """Return (c, u) of a node that stands for u**c, c > 0: a square root, or exp(c*log(u)), which is 0 where u = 0."""
    match node:
        case Apply(function="sqrt", argument=u):
            return Fraction(1, 2), u
        case Apply(function="exp", argument=Binary(operator="*", left=exponent, right=Apply(function="log", argument=u))):
            c = rational_value(exponent)
            return None if c is None or c <= 0 else (c, u)
    return None


def raised(base: Expression, exponent: Fraction, column: int) -> Expression:
    """Return the node that stands for a fractional power."""
    if exponent == Fraction(1, 2):
        return Apply("sqrt", base, column=column)
    return Apply("exp", Binary("*", Number(exponent), Apply("log", base, column=column), column=column), column=column)


def with_bases(expression: Expression, powers: Container[Expression], change: Callable[[Expression], Expression]) -> Expression:
    """Change the bases of these fractional powers, those inside a base first."""
    power = fractional_power(expression)
    if power is None or expression not in powers:
        return mapped(expression, lambda child: with_bases(child, powers, change))
    c, u = power
    return raised(change(with_bases(u, powers, change)), c, expression.column)


def outside_powers(expression: Expression) -> Iterator[Expression]:
    """Yield this node and all below it but the logarithms that fractional powers are written with."""
    yield expression
    power = fractional_power(expression)
    for child in expression.children() if power is None else [power[1]]:
        yield from outside_powers(child)


def specialise(expression: Expression, n: int | None) -> Expression:
    """Fix the sequence length: ``n`` becomes a number, ranks and exponents become constants.

    With n = None the length stays a symbol and ranks stay as written: the tree of the target for every n at once.

    A power with a variable exponent becomes exp(exponent * log(base)); one with a constant exponent that is neither an
    integer nor a half-integer likewise, so that only integer powers and square roots remain.

    Raises:
        ValueError: a rank that is not an integer in 1..n, or an exponent beyond MAX_EXPONENT, with ``args = (message, column)``.
    """
    if isinstance(expression, Length) and n is not None:
        return Number(Fraction(n), column=expression.column)
    result = mapped(expression, lambda child: specialise(child, n))
    if isinstance(result, OrderStatistic) and n is not None:
        rank = rational_value(result.rank)
        if rank is None or rank.denominator != 1 or not 1 <= rank <= n:
            raise ValueError(f"order(..) needs a whole number from 1 to n = {n}, got {result.rank}", expression.column)
        return replace(result, rank=Number(rank, column=result.rank.column))
    return _specialise_power(result) if isinstance(result, Power) else result


def _specialise_power(power: Power) -> Expression:
    exponent, column = rational_value(power.exponent), power.column
    if exponent is not None and abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"the exponent {power.exponent} is larger than {MAX_EXPONENT}", column)
    if exponent is not None and exponent.denominator == 1:
        return replace(power, exponent=Number(exponent, column=power.exponent.column))
    if exponent is not None and exponent.denominator == 2:
        root = Apply("sqrt", power.base, column=column)
        return Power(root, Number(exponent * 2, column=power.exponent.column), column=column)
    logarithm = Apply("log", power.base, column=column)
    return Apply("exp", Binary("*", power.exponent, logarithm, column=column), column=column)
