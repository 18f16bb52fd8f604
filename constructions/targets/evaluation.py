"""One walker, several number fields: float64 numpy, torch, exact rationals, balls.

Tokens come as an array of shape (*batch, n, d). A node that does not depend on the own token has a one in the own axis, one
that does not depend on ``y`` a one in the last axis; so ``mean(y)`` costs n and only ``mean(k(x, y))`` costs n^2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

import numpy as np

from constructions.targets import expression as ex

Array = Any
Counts = Sequence[int] | Array
FEW = 8


class NotRational(ArithmeticError):
    """The expression has no exact rational value: it uses a transcendental function or a root."""


@dataclass(frozen=True)
class Algebra:
    """What a number field must provide; arrays of it broadcast like numpy arrays and know ``+ - * / **``."""

    constant: Callable[[Fraction], Array]
    pi: Callable[[], Array]
    functions: Mapping[str, Callable[[Array], Array]]
    maximum: Callable[[Array, Array], Array]
    minimum: Callable[[Array, Array], Array]
    sum: Callable[[Array], Array]
    max: Callable[[Array], Array]
    min: Callable[[Array], Array]
    sort: Callable[[Array], Array]
    stack: Callable[[Sequence[Array]], Array]
    power: Callable[[Array, int], Array] = lambda base, exponent: base**exponent
    fractional_power: Callable[[Array, Fraction, bool], Array] | None = None  # of u or of max(u, 0), if not as it is written


def evaluate(outputs: Sequence[ex.Expression], tokens: Array, algebra: Algebra, own: slice = slice(None),
             counts: Counts | None = None, numbers: Numbers | None = None) -> Array:
    """Evaluate all outputs at all own tokens in ``own``.

    Args:
        outputs: expressions already fixed to the length n of the token array (:func:`expression.specialise`).
        tokens: (*batch, n, d) array of the algebra's numbers.
        algebra: the number field.
        own: which tokens take the role of x; all of them unless told.
        counts: how often each token occurs, so that the sequence has as many tokens as they add up to; once unless told. As an
            array one row for each sequence of the batch, all of the same sum.
        numbers: of the outputs; saves comparing nodes, and holds no value longer than it is needed.

    Returns:
        Array of shape (*batch, number of own tokens, d_out).
    """
    walker = Walker(tokens, algebra, own, counts, numbers)
    shape = (*tokens.shape[:-2], len(range(*own.indices(tokens.shape[-2]))))
    return algebra.stack([_broadcast(walker.value(output)[..., 0], shape) for output in outputs])


@dataclass(frozen=True)
class Numbers:
    """A number for every node by its identity, the same for equal nodes, as long as the outputs live.

    Attributes:
        of: the number of a node with an ``id``.
        uses: how often each number is asked for, by other nodes or as an output.
    """

    of: Mapping[int, int]
    uses: Mapping[int, int]

    @staticmethod
    def numbered(outputs: Sequence[ex.Expression]) -> Numbers:
        """Number the nodes of the outputs."""
        numbers: dict[ex.Expression, int] = {}
        of = {id(node): numbers.setdefault(node, len(numbers)) for tree in outputs for node in tree.walk()}
        asked = [*outputs, *(child for node in numbers for child in node.children())]
        return Numbers(of, Counter(numbers[node] for node in asked))


def _broadcast(values: Array, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(values, shape) if isinstance(values, np.ndarray) else values.broadcast_to(shape)


class Walker:
    """Evaluate nodes on one token array; equal nodes are evaluated once."""

    def __init__(self, tokens: Array, algebra: Algebra, own: slice, counts: Counts | None = None,
                 numbers: Numbers | None = None) -> None:
        self.tokens, self.algebra, self.own = tokens, algebra, own
        self.n: int = tokens.shape[-2]
        self.counts: Array = None
        if isinstance(counts, Sequence):
            self.n, self.counts = sum(counts), algebra.stack([algebra.constant(Fraction(count)) for count in counts])
        elif counts is not None:
            self.n, self.counts = int(counts[0].sum()), counts[..., None, :]
        self.numbers = numbers
        self.known: dict[ex.Expression | int, Array] = {}
        self.left: dict[int, int] = {} if numbers is None else dict(numbers.uses)

    def value(self, node: ex.Expression) -> Array:
        """The node's value, shape (*batch, own or 1, n or 1); equal nodes are evaluated once."""
        if self.numbers is None:
            if node not in self.known:
                self.known[node] = self._compute(node)
            return self.known[node]
        key = self.numbers.of[id(node)]
        found = self.known.pop(key, None)
        if found is None:
            found = self._compute(node)
        self.left[key] -= 1
        if self.left[key]:
            self.known[key] = found  # otherwise its memory is the next to be used, while a processor's cache still holds it
        return found

    def _compute(self, node: ex.Expression) -> Array:
        algebra = self.algebra
        match node:
            case ex.Number(value=value):
                return self._constant(algebra.constant(value))
            case ex.Pi():
                return self._constant(algebra.pi())
            case ex.Own(coordinate=c):
                return self.tokens[..., self.own, None, c]
            case ex.Other(coordinate=c):
                return self.tokens[..., None, :, c]
            case ex.Apply(function="neg", argument=argument):
                return -self.value(argument)
            case ex.Apply(function=name, argument=argument):
                power = ex.fractional_power(node)
                if power is None or algebra.fractional_power is None:
                    return algebra.functions[name](self.value(argument))
                exponent, u = power
                positive_part = isinstance(u, ex.Apply) and u.function == "relu"
                return algebra.fractional_power(self.value(next(u.children()) if positive_part else u), exponent, positive_part)
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.value(left), self.value(right))
            case ex.Power(base=base, exponent=ex.Number(value=exponent)):
                return self._power(self.value(base), int(exponent))
            case ex.Reduction(kind=kind, body=body):
                return self._reduce(kind, self.value(body))
            case ex.OrderStatistic(rank=ex.Number(value=rank)) if self.counts is None:
                return algebra.sort(self.tokens[..., None, :, 0])[..., int(rank) - 1, None]
        raise TypeError(f"{type(node).__name__} must be specialised to a length before it is evaluated")

    def _constant(self, value: Array) -> Array:
        return value.reshape((1,) * self.tokens.ndim)

    def _binary(self, operator: str, left: Array, right: Array) -> Array:
        if operator in ex.ARITHMETIC:
            return ex.ARITHMETIC[operator](left, right)
        return (self.algebra.maximum if operator == "maximum" else self.algebra.minimum)(left, right)

    def _power(self, base: Array, exponent: int) -> Array:
        if exponent < 0:
            return self._constant(self.algebra.constant(Fraction(1))) / self._power(base, -exponent)
        return self._constant(self.algebra.constant(Fraction(1))) if exponent == 0 else self.algebra.power(base, exponent)

    def _reduce(self, kind: str, body: Array) -> Array:
        if body.shape[-1] == 1:  # the body does not see y: all n terms are equal (n >= 2 always)
            return body * self._constant(self.algebra.constant(Fraction(self.n))) if kind == "sum" else body
        if self.counts is not None and kind in ("mean", "sum"):
            body = body * self.counts
        if kind == "mean":
            return self.algebra.sum(body) / self._constant(self.algebra.constant(Fraction(self.n)))
        return {"sum": self.algebra.sum, "max": self.algebra.max, "min": self.algebra.min}[kind](body)


def numpy_algebra() -> Algebra:
    """Return the float64 numpy field; rounding and overflow follow IEEE 754 and numpy's functions."""
    def sigmoid(values: Array) -> Array:
        from scipy.special import expit  # a fifth of a second to import, and few targets need it

        return expit(values)

    return Algebra(
        constant=lambda value: np.array(float(value)), pi=lambda: np.array(np.pi),
        functions={"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
                   "sigmoid": sigmoid, "abs": np.abs, "relu": lambda a: np.maximum(a, 0.0)},
        maximum=np.maximum, minimum=np.minimum,
        sum=lambda a: a.sum(-1, keepdims=True), max=lambda a: a.max(-1, keepdims=True),
        min=lambda a: a.min(-1, keepdims=True), sort=lambda a: np.sort(a, axis=-1)[..., ::-1],
        stack=lambda parts: np.stack(parts, axis=-1))


@lru_cache(maxsize=16)
def torch_algebra(device: Any, dtype: Any) -> Algebra:
    """Return the torch field on a device; differentiable, batched, rounding as torch rounds.

    One field serves all calls: making a constant takes as long as an operation on thousands of tokens.
    """
    import torch

    def along(whole: Callable[[Array, int], Array], pair: Callable[[Array, Array], Array]) -> Callable[[Array], Array]:
        """A reduction of few terms is several times faster term by term, and one of many along the memory (measured)."""
        def reduced(a: Array) -> Array:
            if a.shape[-1] <= FEW:
                return reduce(pair, a.unbind(-1))[..., None]
            axes = sorted(range(a.ndim), key=a.stride, reverse=True)
            return whole(a.permute(axes), axes.index(a.ndim - 1)).permute(np.argsort(axes).tolist())

        return reduced

    return Algebra(
        constant=lru_cache(maxsize=256)(lambda value: torch.tensor(float(value), device=device, dtype=dtype)),
        pi=lambda: torch.tensor(torch.pi, device=device, dtype=dtype),
        functions={"exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "sin": torch.sin, "cos": torch.cos,
                   "tanh": torch.tanh, "sigmoid": torch.sigmoid, "abs": torch.abs, "relu": torch.relu},
        maximum=torch.maximum, minimum=torch.minimum,
        sum=along(lambda a, axis: a.sum(axis, keepdim=True), torch.add),
        max=along(lambda a, axis: a.amax(axis, keepdim=True), torch.maximum),
        min=along(lambda a, axis: a.amin(axis, keepdim=True), torch.minimum),
        sort=lambda a: a.sort(dim=-1, descending=True).values,
        stack=lambda parts: torch.stack(list(parts), dim=-1) if len(parts) > 1 else parts[0][..., None])  # keeps the layout


def _elementwise(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    return np.frompyfunc(function, 1, 1)


def _object_algebra(constant: Callable[[Fraction], Any], pi: Callable[[], Any], functions: Mapping[str, Callable[[Any], Any]],
                    larger: Callable[[Any, Any], Any], smaller: Callable[[Any, Any], Any]) -> Algebra:
    """Build a field over numpy object arrays from scalar functions."""
    maximum, minimum = np.frompyfunc(larger, 2, 1), np.frompyfunc(smaller, 2, 1)

    def scalar(value: Any) -> Array:
        array = np.empty((), dtype=object)
        array[()] = value
        return array

    def sort(values: Array) -> Array:
        """Odd-even transposition: max and min only, so it is exact for balls that overlap as well."""
        columns = [values[..., k] for k in range(values.shape[-1])]
        for round_ in range(len(columns)):
            for k in range(round_ % 2, len(columns) - 1, 2):
                columns[k], columns[k + 1] = maximum(columns[k], columns[k + 1]), minimum(columns[k], columns[k + 1])
        return np.stack(columns, axis=-1)

    return Algebra(
        constant=lambda value: scalar(constant(value)), pi=lambda: scalar(pi()),
        functions={name: _elementwise(function) for name, function in functions.items()},
        maximum=maximum, minimum=minimum, sum=lambda a: np.add.reduce(a, axis=-1, keepdims=True),
        max=lambda a: maximum.reduce(a, axis=-1, keepdims=True),
        min=lambda a: minimum.reduce(a, axis=-1, keepdims=True), sort=sort,
        stack=lambda parts: np.stack(parts, axis=-1))


def fraction_algebra() -> Algebra:
    """Return exact rational arithmetic over object arrays of ``Fraction``.

    Raises (on evaluation):
        NotRational: at a function whose value is not rational, or a square root of a non-square.
        ZeroDivisionError: at a division by zero.
    """
    def refuse(name: str) -> Callable[[Fraction], Fraction]:
        def function(value: Fraction) -> Fraction:
            raise NotRational(f"{name}({value}) is not rational")
        return function

    functions: dict[str, Callable[[Fraction], Fraction]] = {name: refuse(name) for name in ex.FUNCTIONS}
    functions |= {"abs": abs, "relu": lambda value: max(value, Fraction(0)), "sqrt": _exact_root}

    def pi() -> Fraction:
        raise NotRational("pi is not rational")

    return _object_algebra(Fraction, pi, functions, max, min)


def _exact_root(value: Fraction) -> Fraction:
    from math import isqrt

    if value >= 0:
        root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
        if root * root == value:
            return root
    raise NotRational(f"sqrt({value}) is not rational")


def ball_algebra() -> Algebra:
    """Return ball arithmetic (python-flint) over object arrays of ``arb``: every result contains the true value.

    The precision is python-flint's global ``ctx.prec``. A result that is undefined somewhere on the ball is not finite.
    """
    from flint import arb, fmpq

    half = arb("0.5")

    def integer_power(u: Any, exponent: int) -> Any:
        """Enclose u ** exponent through the ends of the ball: sharp where arb ** int is wide, or NaN around 0."""
        ends = _multiplied(u.upper(), exponent).union(_multiplied(u.lower(), exponent))
        return ends.union(arb(0)) if u.contains(0) else ends

    def fractional_power(u: Any, exponent: Fraction, positive_part: bool) -> Any:
        """Enclose u**c, or max(u, 0)**c: a ball around 0 has negative numbers, and those no root."""
        def of(v: Any) -> Any:
            return v.sqrt() if exponent == Fraction(1, 2) else (v.log() * fmpq(exponent.numerator, exponent.denominator)).exp()

        if not u.is_finite():
            return arb("nan")  # the upper end of a NaN is not above 0
        if u > 0:
            return of(u)
        top = u.upper()
        if positive_part:
            return arb(0).union(of(top)) if top > 0 else arb(0)
        return arb(0) if u == 0 else arb("nan")

    def power(base: Array, exponent: int) -> Array:
        return np.frompyfunc(lambda u: integer_power(u, exponent), 1, 1)(base)

    algebra = _object_algebra(
        lambda value: arb(fmpq(value.numerator, value.denominator)), arb.pi,
        {"exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh,
         "sigmoid": lambda u: ((u * half).tanh() + 1) * half, "abs": abs, "relu": lambda u: u.max(arb(0))},
        lambda u, v: u.max(v), lambda u, v: u.min(v))
    return replace(algebra, power=power, fractional_power=lambda base, c, positive_part: np.frompyfunc(
        lambda u: fractional_power(u, c, positive_part), 1, 1)(base))


def _multiplied(u: Any, exponent: int) -> Any:
    half = _multiplied(u, exponent // 2) if exponent > 1 else 1
    return half * half * u if exponent % 2 else half * half
