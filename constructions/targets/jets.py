"""Second-order forward derivatives on batches of boxes: gradients of a target enclosed, kinks included.

A jet holds enclosures of a value, of its gradient and of its Hessian with respect to the n d token coordinates, sparse. At a
kink (abs, relu, maximum, minimum, max, min) the gradient is, almost everywhere, that of a selected branch. A kink whose
argument may have either sign on some box is therefore *forked*: the evaluation is repeated for each one-sided slope and the
largest result counts. Second derivatives are lost on the boxes where a kink is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from constructions.targets import expression as ex
from constructions.targets.ball_arrays import BallArray

ZERO, ONE, TWO = BallArray.constant(0), BallArray.constant(1), BallArray.constant(2)
Pair = tuple[int, int]
Key = TypeVar("Key", int, Pair)


@dataclass(frozen=True)
class Jet:
    """Enclosures of value, gradient {v: ball} and Hessian {(v, w): ball, v <= w}; missing entries are exactly 0.

    ``second`` is False where second derivatives are not kept. ``rank`` marks the first coordinate of a token by its place
    in the sorted chamber, ``sign`` a difference of two such coordinates, whose sign the chamber knows although the boxes may
    not.
    """

    value: BallArray
    gradient: dict[int, BallArray] = field(default_factory=dict)
    hessian: dict[Pair, BallArray] = field(default_factory=dict)
    rank: int | None = None
    sign: int = 0
    second: bool = True

    def __add__(self, other: Jet) -> Jet:
        return Jet(self.value + other.value, _merge(self.gradient, other.gradient), _merge(self.hessian, other.hessian),
                   second=self.second and other.second)

    def __neg__(self) -> Jet:
        return Jet(-self.value, {v: -g for v, g in self.gradient.items()}, {k: -h for k, h in self.hessian.items()},
                   sign=-self.sign, second=self.second)

    def __mul__(self, other: Jet) -> Jet:
        a, b = self.value, other.value
        gradient = _merge(_scaled(self.gradient, b), _scaled(other.gradient, a))
        if not (self.second and other.second):
            return Jet(a * b, gradient, second=False)
        hessian = _merge(_scaled(self.hessian, b), _scaled(other.hessian, a))
        return Jet(a * b, gradient, _merge(hessian, _symmetric(self.gradient, other.gradient)))

    def __truediv__(self, other: Jet) -> Jet:
        """Divide; q' = (a' - q b')/b and q'' = (a'' - q b'' - q' b' - b' q')/b lose less than a times 1/b."""
        q = self.value / other.value
        gradient = _merge(self.gradient, _scaled(other.gradient, -q))
        gradient = {v: g / other.value for v, g in gradient.items()}
        if not (self.second and other.second):
            return Jet(q, gradient, second=False)
        mixed = {k: -h for k, h in _symmetric(gradient, other.gradient).items()}
        hessian = _merge(_merge(self.hessian, _scaled(other.hessian, -q)), mixed)
        return Jet(q, gradient, {k: h / other.value for k, h in hessian.items()})

    def chain(self, value: BallArray, first: BallArray, second: BallArray) -> Jet:
        """Compose with a scalar function of given enclosed value and first two derivatives."""
        if not self.second:
            return Jet(value, _scaled(self.gradient, first), second=False)
        square = {(v, w): g * h for v, g in self.gradient.items() for w, h in self.gradient.items() if v < w}
        square |= {(v, v): g.power(2) for v, g in self.gradient.items()}
        return Jet(value, _scaled(self.gradient, first), _merge(_scaled(self.hessian, first), _scaled(square, second)))

    def power(self, p: int) -> Jet:
        """Return the integer power."""
        if p == 0:
            return Jet(ONE)
        if p == 1:
            return self
        second = TWO if p == 2 else BallArray.constant(p * (p - 1)) * self.value.power(p - 2)
        return self.chain(self.value.power(p), BallArray.constant(p) * self.value.power(p - 1), second)

    def where(self, mask: np.ndarray, other: Jet) -> Jet:
        """Take self on the boxes where the mask holds, other elsewhere."""
        def select(a: dict[Key, BallArray], b: dict[Key, BallArray]) -> dict[Key, BallArray]:
            return {k: a.get(k, ZERO).where(mask, b.get(k, ZERO)) for k in {**a, **b}}
        return Jet(self.value.where(mask, other.value), select(self.gradient, other.gradient),
                   select(self.hessian, other.hessian), second=self.second and other.second)


def _scaled(a: dict[Key, BallArray], factor: BallArray) -> dict[Key, BallArray]:
    return {k: ball * factor for k, ball in a.items()}


def _merge(a: dict[Key, BallArray], b: dict[Key, BallArray]) -> dict[Key, BallArray]:
    result = dict(a)
    for key, ball in b.items():
        result[key] = result[key] + ball if key in result else ball
    return result


def _symmetric(a: dict[int, BallArray], b: dict[int, BallArray]) -> dict[Pair, BallArray]:
    """Return the symmetric part of the product of two gradients: a_v b_w + a_w b_v, on the diagonal 2 a_v b_v."""
    result: dict[Pair, BallArray] = {}
    for v, g in a.items():
        for w, h in b.items():
            product = TWO * g * h if v == w else g * h
            key = (min(v, w), max(v, w))
            result[key] = result[key] + product if key in result else product
    return result


Derivatives = tuple[BallArray, BallArray, BallArray]


def _exp(u: BallArray) -> Derivatives:
    return (u.increasing(np.exp),) * 3


def _log(u: BallArray) -> Derivatives:
    return u.increasing(np.log, 0.0), ONE / u, -(ONE / u.power(2))


def _sqrt(u: BallArray) -> Derivatives:
    root = u.increasing(np.sqrt, 0.0)
    return root, ONE / (TWO * root), -(ONE / (BallArray.constant(4) * root.power(3)))


def _sin(u: BallArray) -> Derivatives:
    sine = u.lipschitz_one(np.sin)
    return sine, u.lipschitz_one(np.cos), -sine


def _cos(u: BallArray) -> Derivatives:
    cosine = u.lipschitz_one(np.cos)
    return cosine, -u.lipschitz_one(np.sin), -cosine


def _tanh(u: BallArray) -> Derivatives:
    t = u.increasing(np.tanh)
    slope = ONE - t.power(2)
    return t, slope, -(TWO * t * slope)


def _sigmoid(u: BallArray) -> Derivatives:
    from scipy.special import expit  # a fifth of a second to import, and few targets need it

    s = u.increasing(expit)
    slope = s * (ONE - s)
    return s, slope, slope * (ONE - TWO * s)


def _raised(u: BallArray, c: Fraction) -> Derivatives:
    """u**c and its derivatives, each through its ends: tighter than those of exp and log in a chain."""
    logarithm = u.increasing(np.log, 0.0)

    def to(exponent: Fraction) -> BallArray:
        return (BallArray.constant(exponent) * logarithm).increasing(np.exp)

    return to(c), BallArray.constant(c) * to(c - 1), BallArray.constant(c * (c - 1)) * to(c - 2)


_SMOOTH: dict[str, Callable[[BallArray], Derivatives]] = {
    "exp": _exp, "log": _log, "sqrt": _sqrt, "sin": _sin, "cos": _cos, "tanh": _tanh, "sigmoid": _sigmoid}


class JetWalker:
    """Evaluate an expression on jets of a batch of boxes, in one chamber, along one list of kink decisions.

    In the chamber, tokens are sorted by falling first coordinate and the own token is number ``own`` of them
    (mathematics: symmetry-reduction; ties have measure zero), so for d = 1 the m-th largest token is token m.
    """

    def __init__(self, tokens: list[list[Jet]], own: int, decisions: list[bool]) -> None:
        self.tokens, self.own, self.decisions = tokens, own, decisions
        self.forks = 0
        self.undecided: np.ndarray = np.zeros_like(tokens[0][0].value.mid, dtype=bool)
        self.known: dict[tuple[ex.Expression, int | None], Jet] = {}

    def jet(self, node: ex.Expression, other: int | None = None) -> Jet:
        """Return the node's jet, ``other`` being the token that ``y`` stands for."""
        key = (node, other if ex.depends_on(node, ex.Other) else None)
        if key not in self.known:
            self.known[key] = self._compute(node, other)
        return self.known[key]

    def _compute(self, node: ex.Expression, other: int | None) -> Jet:
        match node:
            case ex.Number(value=value):
                return Jet(BallArray.constant(value))
            case ex.Pi():
                return Jet(BallArray(np.asarray(np.pi), np.asarray(2.0**-51)))
            case ex.Own(coordinate=c):
                return self.tokens[self.own][c]
            case ex.Other(coordinate=c) if other is not None:
                return self.tokens[other][c]
            case ex.Apply(function="exp") if (power := ex.fractional_power(node)) is not None:
                base = self.jet(power[1], other)
                return base.chain(*_raised(base.value, power[0]))
            case ex.Apply(function=name, argument=argument):
                return self._apply(name, self.jet(argument, other))
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.jet(left, other), self.jet(right, other))
            case ex.Power(base=base, exponent=ex.Number(value=exponent)):
                return self.jet(base, other).power(int(exponent))
            case ex.Reduction(kind=kind, body=body):
                return self._reduce(kind, body)
            case ex.OrderStatistic(rank=ex.Number(value=rank)):
                return self.tokens[int(rank) - 1][0]
        raise TypeError(f"{type(node).__name__} cannot be differentiated")

    def _apply(self, name: str, u: Jet) -> Jet:
        match name:
            case "neg":
                return -u
            case "abs":
                return _not_negative(self._larger(u, -u, u))
            case "relu":
                return _not_negative(self._larger(u, Jet(ZERO), u))
        return u.chain(*_SMOOTH[name](u.value))

    def _binary(self, operator: str, a: Jet, b: Jet) -> Jet:
        match operator:
            case "+":
                return a + b
            case "-":
                return _difference(a, b)
            case "*":
                return a * b
            case "/":
                return a / b
            case "maximum":
                return self._larger(a, b, _difference(a, b))
        return -self._larger(-a, -b, _difference(b, a))

    def _reduce(self, kind: str, body: ex.Expression) -> Jet:
        n = len(self.tokens)
        if kind in ("max", "min") and body == ex.Other(0) and len(self.tokens[0]) == 1:
            return self.tokens[0 if kind == "max" else -1][0]
        total = self.jet(body, 0)
        for k in range(1, n):
            term = self.jet(body, k)
            total = total + term if kind in ("sum", "mean") else self._binary(f"{kind}imum", total, term)
        return total / Jet(BallArray.constant(n)) if kind == "mean" else total

    def _larger(self, a: Jet, b: Jet, difference: Jet) -> Jet:
        """Decide box by box which of two is the larger, by a - b or a multiple of it; fork for the boxes where both are possible.

        A forked branch is evaluated with the values of the maximum, as it has where it counts: elsewhere the other fork does.
        """
        ball = difference.value
        if difference.sign or not (np.any(ball.mid) or np.any(ball.rad)):
            return a.where(np.full(self.undecided.shape, difference.sign >= 0), b)
        positive, negative = ball.lower >= 0, ball.upper <= 0
        open_ = ~positive & ~negative
        if not np.any(open_):
            return a.where(positive, b)
        self.undecided = self.undecided | open_
        index, self.forks = self.forks, self.forks + 1
        if index == len(self.decisions):
            self.decisions.append(True)
        taken = a.where(positive | (open_ & self.decisions[index]), b)
        larger = BallArray.between(np.maximum(a.value.lower, b.value.lower), np.maximum(a.value.upper, b.value.upper))
        return replace(taken, value=larger.where(open_, taken.value))


def forks(node: ex.Expression, tokens: list[list[Jet]], own: int, most: int) -> Iterator[tuple[Jet, np.ndarray]]:
    """Yield (jet, boxes with an undecided kink) for every combination of one-sided slopes possible on the batch.

    Beyond ``most`` combinations unbounded slopes are yielded: sound, and subdivision thins the kinks out.
    """
    decisions: list[bool] = []
    for _ in range(most):
        walker = JetWalker(tokens, own, decisions)
        jet = walker.jet(node)
        yield jet, walker.undecided
        while decisions and not decisions[-1]:
            decisions.pop()
        if not decisions:
            return
        decisions[-1] = False
    unbounded = BallArray(np.asarray(0.0), np.asarray(np.inf))
    yield Jet(ZERO, dict.fromkeys(range(sum(map(len, tokens))), unbounded)), walker.undecided


def _not_negative(jet: Jet) -> Jet:
    """Cut values off at 0, below which none is: a ball around [0, b] stays."""
    below = jet.value.lower < 0
    return replace(jet, value=BallArray.between(np.maximum(jet.value.lower, 0.0), jet.value.upper).where(below, jet.value))


def _difference(a: Jet, b: Jet) -> Jet:
    """Subtract; a token minus itself is exactly 0, and the chamber knows the sign of x_(k) - x_(l)."""
    if a is b:
        return Jet(ZERO)
    difference = a + -b
    if a.rank is None or b.rank is None:
        return difference
    return replace(difference, sign=1 if a.rank < b.rank else -1)
