"""The checker's own walk over the expression tree: a target expression and a batch of boxes give a jet.

*Chamber*: relabel the tokens so that coordinate 0 descends, x_1[0] >= .. >= x_n[0]; the own token then has some rank
(mathematics: symmetry-reduction). Inside a chamber ``order(m)`` *is* the coordinate x_m, and the sign of a difference such
as ``y - x`` is known although the ranges overlap. Variable number ``token * d + coordinate``, tokens in descending order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

from constructions.targets import expression as ex
from proofs_check import jets
from proofs_check.enclosures.arrays import as_array, zeros
from proofs_check.enclosures.interval import Booleans, Interval, maximum, minimum, where
from proofs_check.jets import Affine, Jet
from proofs_check.selection import Key, Selector


@dataclass(frozen=True)
class Chamber:
    """n tokens with d coordinates, sorted; ``own`` is the rank of the own token, counted from 0."""

    n: int
    d: int
    own: int

    def sign(self, affine: Affine) -> int:
        """Return 1 (-1) where the affine function is >= 0 (<= 0) on the chamber for lack of alternatives, else 0.

        sum a_k x_k with a_1 + .. + a_n = 0 equals sum P_k (x_k - x_{k+1}) with partial sums P_k, and every gap is >= 0.

        >>> Chamber(3, 1, 0).sign(Affine(Fraction(0), ((0, Fraction(1)), (2, Fraction(-1)))))
        1
        """
        if affine.constant or any(v % self.d for v, _ in affine.slopes):
            return 0
        slopes = dict(affine.slopes)
        partial = list(accumulate(slopes.get(token * self.d, Fraction(0)) for token in range(self.n)))
        if partial[-1] or (min(partial) < 0 < max(partial)):
            return 0
        return 1 if min(partial) >= 0 else -1


class Walker:
    """Evaluates nodes over boxes; equal nodes are evaluated once.

    Args:
        variables: n * d intervals, each of shape (boxes,).
        chamber: the order of the tokens and the rank of the own one.
        selector: answers kinks whose sign is open.
        second: whether Hessians are wanted.
    """

    def __init__(self, variables: Sequence[Interval], chamber: Chamber, selector: Selector, *, second: bool) -> None:
        self.variables, self.chamber, self.selector, self.second = tuple(variables), chamber, selector, second
        self.undefined: Booleans = zeros(variables[0].shape, variables[0].lower, bool)
        self._known: dict[tuple[ex.Expression, int | None], Jet] = {}

    def jet(self, node: ex.Expression, token: int | None = None) -> Jet:
        """Return the node's jet; ``token`` is the rank that ``y`` stands for inside a reduction."""
        key = node, token if token is not None and _sees_other(node) else None
        if key not in self._known:
            self._known[key] = self._compute(*key)
        return self._known[key]

    def _compute(self, node: ex.Expression, token: int | None) -> Jet:
        match node:
            case ex.Number(value=value):
                return self._affine(Affine(value))
            case ex.Pi():
                return Jet(Interval.pi(), {}, {})
            case ex.Own(coordinate=c):
                return self._variable(self.chamber.own, c)
            case ex.Other(coordinate=c) if token is not None:
                return self._variable(token, c)
            case ex.OrderStatistic(rank=ex.Number(value=rank)):
                return self._variable(int(rank) - 1, 0)
            case ex.Apply() if (power := ex.fractional_power(node)) is not None:
                base = self._base(power[1], token)
                self._needs(base.value.lower >= 0)
                return jets.raised(base, power[0], second=self.second)
            case ex.Apply(function=name, argument=argument):
                return self._apply(name, self.jet(argument, token), (node, token))
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.jet(left, token), self.jet(right, token), (node, token))
            case ex.Power(base=base, exponent=ex.Number(value=exponent)):
                return self._power(self.jet(base, token), int(exponent))
            case ex.Reduction(kind=kind, body=body):
                return self._reduction(node, kind, [self.jet(body, rank) for rank in range(self.chamber.n)])
        raise TypeError(f"{type(node).__name__} must be specialised to a length before it is differentiated")

    def _affine(self, affine: Affine) -> Jet:
        jet = jets.affine_jet(affine, self.variables)
        sign, zero = self.chamber.sign(affine), Interval.of(0.0)
        if not affine.slopes or not sign:
            return jet
        return replace(jet, value=maximum(jet.value, zero) if sign > 0 else minimum(jet.value, zero))

    def _variable(self, token: int, coordinate: int) -> Jet:
        return self._affine(Affine(Fraction(0), ((token * self.chamber.d + coordinate, Fraction(1)),)))

    def _needs(self, defined: Booleans) -> None:
        self.undefined = self.undefined | ~defined

    def _apply(self, name: str, a: Jet, key: Key) -> Jet:
        match name:
            case "neg":
                return jets.negative(a)
            case "abs":
                return self._kink(key, a, a, jets.negative(a), lambda u, _: abs(u))
            case "relu":
                return self._kink(key, a, a, self._affine(Affine(Fraction(0))))
            case "log":
                self._needs(a.value.lower > 0)
        return jets.apply(name, a, second=self.second)

    def _binary(self, operator: str, a: Jet, b: Jet, key: Key) -> Jet:
        match operator:
            case "+":
                return self._plus(a, b)
            case "-":
                # equal sub-expressions have one jet, and their difference is 0 wherever they are defined
                return self._affine(Affine(Fraction(0))) if a is b else self._plus(a, jets.negative(b))
            case "*":
                return self._times(a, b)
            case "/":
                self._needs(~b.value.contains(0.0))
                if b.affine is not None and not b.affine.slopes and b.affine.constant:
                    return self._times(a, self._affine(Affine(1 / b.affine.constant)))
                return jets.divided(a, b, second=self.second)
            case "maximum":
                return self._larger(a, b, key)
        return self._smaller(a, b, key)

    def _plus(self, a: Jet, b: Jet) -> Jet:
        return self._affine(a.affine.plus(b.affine)) if a.affine and b.affine else jets.plus(a, b)

    def _times(self, a: Jet, b: Jet) -> Jet:
        for left, right in ((a.affine, b.affine), (b.affine, a.affine)):
            if left is not None and right is not None and not right.slopes:
                return self._affine(left.times(right.constant))
        return jets.power(a, 2, second=self.second) if a is b else jets.times(a, b, second=self.second)

    def _power(self, base: Jet, exponent: int) -> Jet:
        if exponent < 0:
            self._needs(~base.value.contains(0.0))
        return jets.power(base, exponent, second=self.second)

    def _reduction(self, node: ex.Expression, kind: str, terms: list[Jet]) -> Jet:
        total = terms[0]
        for rank, term in enumerate(terms[1:], start=1):
            key = node, rank
            total = {"max": self._larger, "min": self._smaller}[kind](total, term, key) if kind in ("max", "min") \
                else self._plus(total, term)
        return self._times(total, self._affine(Affine(Fraction(1, self.chamber.n)))) if kind == "mean" else total

    def _larger(self, a: Jet, b: Jet, key: Key) -> Jet:
        return self._kink(key, self._plus(a, jets.negative(b)), a, b)

    def _smaller(self, a: Jet, b: Jet, key: Key) -> Jet:
        return self._kink(key, self._plus(a, jets.negative(b)), b, a, minimum)

    def _base(self, node: ex.Expression, token: int | None) -> Jet:
        """Return the jet of what a root is taken of: of a maximum a branch with the values that it has where it is taken.

        Beyond its own part a branch may have no root.
        """
        jet = self.jet(node, token)
        match node:
            case ex.Binary(operator="maximum", left=left, right=right):
                a, b = self.jet(left, token).value, self.jet(right, token).value
                either = ~as_array((a.lower >= b.upper) | (b.lower >= a.upper))
                self.selector.blur(either)
                return replace(jet, value=where(either, maximum(a, b), jet.value), affine=None)
        return jet

    def _kink(self, key: Key, argument: Jet, positive: Jet, negative: Jet,
              of: Callable[[Interval, Interval], Interval] = maximum) -> Jet:
        """Return the first branch where the argument is >= 0 and the second where it is <= 0: the maximum ``of`` both."""
        sign = self.chamber.sign(argument.affine) if argument.affine is not None else 0
        if sign:
            return positive if sign > 0 else negative
        first, both = self.selector.choose(key, argument.value)
        return jets.select(first, both, positive, negative, of)


@lru_cache(maxsize=4096)
def _sees_other(node: ex.Expression) -> bool:
    return ex.depends_on(node, ex.Other)
