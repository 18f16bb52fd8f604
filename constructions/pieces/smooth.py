"""Analytic functions of a few variables, as trees of the target language: values, balls, Taylor series, complex balls.

Variables are the leaves ``Own(0), .., Own(p-1)``. Kinks never occur inside (the decomposition cuts there), so every
function here is analytic wherever its balls are finite.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import acb, arb, arb_series, fmpq

from constructions.targets import expression as ex
from constructions.targets.ball_arrays import BallArray

ANALYTIC = frozenset({"neg", "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid"})


@dataclass(frozen=True)
class Smooth:
    """g: R^p -> R. All evaluations return enclosures except :meth:`numpy`.

    Raises (at birth):
        ValueError: the tree holds a kink, a reduction or another leaf than constants and variables.
    """

    tree: ex.Expression
    p: int = 1

    def __post_init__(self) -> None:
        for node in self.tree.walk():
            fine = isinstance(node, ex.Number | ex.Pi | ex.Own | ex.Power) or (
                isinstance(node, ex.Apply) and node.function in ANALYTIC) or (
                isinstance(node, ex.Binary) and node.operator in "+-*/")
            if not fine:
                raise ValueError(f"{node} is not an analytic function of variables")

    @functools.cached_property
    def _steps(self) -> tuple[Step, ...]:
        return _program(self.tree)

    def numpy(self, points: np.ndarray) -> np.ndarray:
        """Evaluate in float64 at (*batch, p) points; rounded, for design decisions only."""
        from scipy.special import expit

        functions = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
                     "sigmoid": expit, "neg": np.negative}
        with np.errstate(all="ignore"):
            value = _run(self._steps, [points[..., c] for c in range(self.p)], lambda q: float(q), np.pi, functions,
                          lambda u, k: u**float(k))
        return np.broadcast_to(value, points.shape[:-1])

    def ball(self, *arguments: arb) -> arb:
        """Enclose the values on a box of balls; not finite where it could be undefined."""
        return _run(self._steps, arguments, _arb, arb.pi(), _BALLS, _ball_power)

    def balls(self, arguments: Sequence[BallArray]) -> BallArray:
        """Enclose the values on arrays of float64 balls that broadcast; the radius is infinite where it could be undefined."""
        from scipy.special import expit

        functions = {"exp": lambda u: u.increasing(np.exp), "log": lambda u: u.increasing(np.log, 2.0**-1000),
                     "sqrt": lambda u: u.increasing(np.sqrt, 0.0), "sin": lambda u: u.lipschitz_one(np.sin),
                     "cos": lambda u: u.lipschitz_one(np.cos), "tanh": lambda u: u.increasing(np.tanh),
                     "sigmoid": lambda u: u.increasing(expit), "neg": lambda u: -u}
        with np.errstate(all="ignore"):
            return _run(self._steps, arguments, BallArray.constant, BallArray(np.asarray(np.pi), np.asarray(2.0**-50)), functions,
                         lambda u, k: u.power(k))

    def series(self, argument: arb, order: int) -> list[arb]:
        """Enclose g, g', g''/2, .. up to the order, p = 1: Taylor coefficients at every point of the ball.

        They are not finite where g could be undefined.
        """
        from flint import ctx

        cap, ctx.cap = ctx.cap, order + 1
        try:
            value = _run(self._steps, [arb_series([argument, 1])], lambda q: arb_series([_arb(q)]), arb_series([arb.pi()]),
                          _SERIES, _multiplied)
        except ValueError:  # a division by a series that could vanish
            return [arb("nan")] * (order + 1)
        finally:
            ctx.cap = cap
        return [value[k] for k in range(order + 1)]

    def partial(self, variable: int, *arguments: arb) -> arb:
        """Enclose the partial derivative with respect to one variable on a box of balls."""
        from flint import ctx

        cap, ctx.cap = ctx.cap, 2
        try:
            leaves = [arb_series([u, int(v == variable)]) for v, u in enumerate(arguments)]
            return _run(self._steps, leaves, lambda q: arb_series([_arb(q)]), arb_series([arb.pi()]), _SERIES, _multiplied)[1]
        except ValueError:
            return arb("nan")
        finally:
            ctx.cap = cap

    def complex(self, *arguments: acb) -> acb:
        """Enclose the analytic continuation on a box of complex balls; not finite where it may fail to be analytic."""
        return _run(self._steps, arguments, lambda q: acb(_arb(q)), acb(arb.pi()), _COMPLEX, _complex_power)


Step = tuple[str, Any, int, int]  # kind, what it needs, the places of its operands


def _program(tree: ex.Expression) -> tuple[Step, ...]:
    """List the steps that evaluate a tree, operands first, each node once: walking a tree again and again costs more."""
    steps: list[Step] = []
    places: dict[ex.Expression, int] = {}

    def place(node: ex.Expression) -> int:
        if node not in places:
            steps.append(step(node))
            places[node] = len(steps) - 1
        return places[node]

    def step(node: ex.Expression) -> Step:
        match node:
            case ex.Number(value=q):
                return "constant", q, 0, 0
            case ex.Pi():
                return "pi", None, 0, 0
            case ex.Own(coordinate=c):
                return "leaf", c, 0, 0
            case ex.Apply(function=name, argument=argument):
                return "apply", name, place(argument), 0
            case ex.Power(base=base, exponent=ex.Number(value=k)):
                return "power", int(k), place(base), 0
            case ex.Binary(operator=operator, left=left, right=right) if operator in ex.ARITHMETIC:
                return "binary", ex.ARITHMETIC[operator], place(left), place(right)
        raise TypeError(f"{node} is not an analytic function of variables")

    place(tree)
    return tuple(steps)


def _run(steps: Sequence[Step], leaves: Sequence[Any], constant: Callable[[Any], Any], pi: Any,
         functions: Mapping[str, Callable[[Any], Any]], power: Callable[[Any, int], Any]) -> Any:
    values: list[Any] = []
    for kind, what, a, b in steps:
        if kind == "binary":
            value = what(values[a], values[b])
        elif kind == "apply":
            value = functions[what](values[a])
        elif kind == "leaf":
            value = leaves[what]
        elif kind == "constant":
            value = constant(what)
        elif kind == "power":
            value = constant(1) / power(values[a], -what) if what < 0 else power(values[a], what) if what else constant(1)
        else:
            value = pi
        values.append(value)
    return values[-1]


def _arb(q: Any) -> arb:
    return arb(q) if isinstance(q, int) else arb(fmpq(q.numerator, q.denominator))


def _multiplied(u: Any, k: int) -> Any:
    """Return u^k, k >= 1, by squaring: python-flint's arb ** int is NaN for a ball that contains 0."""
    half = _multiplied(u, k // 2) if k > 1 else None
    if half is None:
        return u
    return half * half * u if k % 2 else half * half


def _ball_power(u: arb, k: int) -> arb:
    """Return u^k through the ends of the ball, which is sharp."""
    ends = _multiplied(arb(u.upper()), k).union(_multiplied(arb(u.lower()), k))
    return ends.union(arb(0)) if k % 2 == 0 and u.contains(0) else ends


def _increasing(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    """Enclose an increasing function through the ends of the ball, which is sharp; NaN at an end stays NaN."""
    return lambda u: function(arb(u.lower())).union(function(arb(u.upper())))


def _complex_sqrt(u: acb) -> acb:
    """Return the root with sharp parts in the right half-plane: ((|u| + a)/2)^(1/2) and b over twice that."""
    if not u.real > 0:
        return u.sqrt(analytic=True)
    root = _BALLS["sqrt"]
    size = root(_ball_power(u.real, 2) + _ball_power(u.imag, 2))
    real = root((size + u.real) / 2)
    return acb(real, u.imag / (2 * real))


def _complex_power(u: acb, k: int) -> acb:
    """Return u^k; the real part of a square is a difference of squares, each of which is sharp at 0."""
    if k % 2 or k == 0:
        return _multiplied(u, k)
    square = acb(_ball_power(u.real, 2) - _ball_power(u.imag, 2), 2 * u.real * u.imag)
    return square if k == 2 else _complex_power(square, k // 2)


def _series_tanh(u: arb_series) -> arb_series:
    """tanh through exp(-2|u|): the argument's sign is taken from its constant term, so nothing overflows."""
    if u[0] >= 0:
        e = (-2 * u).exp()
        return (1 - e) / (1 + e)
    e = (2 * u).exp()
    return (e - 1) / (e + 1)


def _complex_tanh(u: acb) -> acb:
    if u.real >= 0:
        e = (-2 * u).exp()
        return (1 - e) / (1 + e)
    e = (2 * u).exp()
    return (e - 1) / (e + 1)


_SERIES: Mapping[str, Callable[[Any], Any]] = {
    "exp": arb_series.exp, "log": arb_series.log, "sqrt": arb_series.sqrt, "sin": arb_series.sin, "cos": arb_series.cos,
    "neg": lambda u: -u, "tanh": _series_tanh, "sigmoid": lambda u: (_series_tanh(u / 2) + 1) / 2}
_BALLS: Mapping[str, Callable[[Any], Any]] = {
    "exp": _increasing(arb.exp), "log": _increasing(arb.log), "sqrt": _increasing(arb.sqrt), "sin": arb.sin, "cos": arb.cos,
    "tanh": _increasing(arb.tanh), "sigmoid": _increasing(lambda u: ((u / 2).tanh() + 1) / 2), "neg": lambda u: -u}
_COMPLEX: Mapping[str, Callable[[acb], acb]] = {
    "exp": acb.exp, "log": lambda u: u.log(analytic=True), "sqrt": _complex_sqrt, "sin": acb.sin, "cos": acb.cos,
    "tanh": _complex_tanh, "neg": lambda u: -u, "sigmoid": lambda u: (_complex_tanh(u / 2) + 1) / 2}
