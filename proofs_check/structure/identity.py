"""Is one expression of the target language the same function as another? By algebra, with sympy.

Means are linear: what does not depend on y leaves them, exp(a + b) is split, and the mean of each remaining term becomes a symbol
of its own, the same one wherever the same term is averaged. sum is n times mean; abs, maximum and minimum are written with relu.
Two expressions are the same if their difference, brought over one denominator and multiplied out, is 0. Where that fails, sines
and cosines of sums are taken apart (``addition.py``). Where that fails too and n is a small number, reductions are written out
over n tokens: sorted ones for d = 1, and the own token is each of them in turn; by symmetry the first one for d > 1. "Not shown"
says nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constructions.targets import expression as ex
from proofs_check.structure.addition import Angles, Finer, reduced
from proofs_check.structure.averages import Sides, collected_range, natural_range
from proofs_check.structure.exact_ranges import exact_range

if TYPE_CHECKING:
    import sympy

MOST_TOKENS = 8
LARGEST_TREE = 2000  # nodes: beyond that multiplying out may take forever
Way = Callable[[ex.Expression, ex.Expression], bool]
MOST_READINGS = 12  # until the angles are known of which all others are multiples


class Algebra:
    """Expressions in symbols; ``n`` is a number, or None for a symbol. For d = 1 max(y) is order(1), min(y) is order(n).

    Args:
        sides: the box of a token, from which signs below relu, abs, maximum and minimum may be known.
    """

    def __init__(self, n: int | None, d: int, sides: Sides | None = None) -> None:
        import sympy

        from proofs_check.structure import symbolic_kinks

        self.sympy, self.kinks = sympy, symbolic_kinks
        self.sides, self.whole_n, self.d, self.one_coordinate = sides, n, d, d == 1
        self.signs = self.written_out = False
        self.apart = True  # whether extrema are taken apart
        self.n = sympy.Symbol("n", positive=True) if n is None else sympy.Integer(n)
        self.means: dict[tuple[str, Any], sympy.Symbol] = {}
        self.angles: Angles | None = None

    def same(self, a: ex.Expression, b: ex.Expression) -> bool:
        """Say whether the two are shown to be the same function."""
        if _larger_than(LARGEST_TREE, a, b):
            return False
        nodes = {getattr(node, name) for tree in (a, b) for node in tree.walk() for name in ("function", "operator", "kind")
                 if hasattr(node, name)}
        ways = [self._in_means, *([self._in_tokens] if self.n.is_Integer and self.n <= MOST_TOKENS else [])]
        if len(ways) > 1 and not nodes.isdisjoint(("max", "min")):
            ways.append(functools.partial(self._in_tokens, apart=True))
        if not nodes.isdisjoint(("sin", "cos")):
            ways = [attempt for way in ways for attempt in (way, functools.partial(self._with_theorems, way))]
        if self.sides is not None and not nodes.isdisjoint(("relu", "abs", "maximum", "minimum", "max", "min")):
            ways += [functools.partial(self._with_signs, way) for way in ways]
        return any(way(a, b) for way in ways)

    def _with_signs(self, way: Way, a: ex.Expression, b: ex.Expression) -> bool:
        """Try a way with the side taken of every kink whose argument has one sign, and kinks of products by their factors."""
        self.signs = True
        try:
            return way(a, b)
        finally:
            self.signs = False

    def _in_means(self, a: ex.Expression, b: ex.Expression) -> bool:
        return self._zero(self.read(a) - self.read(b))

    def _in_tokens(self, a: ex.Expression, b: ex.Expression, *, apart: bool = False) -> bool:
        self.written_out, self.apart = True, apart
        try:
            difference = self.read(a) - self.read(b)
            if self._zero(difference):
                return True
            owns = range(int(self.n)) if self.one_coordinate else (0,)
            return all(self._zero(difference.subs(self._own_is(k))) for k in owns)
        finally:
            self.written_out, self.apart = False, True

    def _with_theorems(self, way: Way, a: ex.Expression, b: ex.Expression) -> bool:
        """Try a way with sines and cosines of sums taken apart, in the same angles on both sides."""
        self.angles = Angles()
        try:
            for _ in range(MOST_READINGS):
                try:
                    return way(a, b)
                except Finer:
                    continue
            return False
        finally:
            self.angles = None

    def _zero(self, difference: Any) -> bool:
        difference = self.sympy.together(self.sympy.expand(difference))
        return bool(self._multiplied_out(self.sympy.fraction(difference)[0]) == 0)

    def _multiplied_out(self, expression: Any) -> Any:
        out = self.sympy.expand(expression) if self.angles is None else reduced(expression)
        return self.kinks.without_powers(out) if self.signs else out

    def _token(self, k: int, c: int) -> Any:
        """Return coordinate c of token k; for d = 1 token k is the (k + 1)-th largest."""
        return self._symbol("order", self.sympy.Integer(k + 1)) if self.one_coordinate else self._symbol("token", (k, c))

    def _own_is(self, k: int) -> dict[Any, Any]:
        return {self.sympy.Symbol(f"x{c}", real=True): self._token(k, c) for c in range(self.d)}

    def _over_tokens(self, kind: str, body: Any) -> Any:
        others = [{self.sympy.Symbol(f"y{c}", real=True): self._token(k, c) for c in range(self.d)} for k in range(int(self.n))]
        terms = [body.subs(other, simultaneous=True) for other in others]
        if kind in ("mean", "sum"):
            return sum(terms) / (self.n if kind == "mean" else 1)
        largest = terms[0]
        for term in terms[1:]:
            largest = self._binary("maximum" if kind == "max" else "minimum", largest, term)
        return largest

    def read(self, node: ex.Expression) -> Any:
        """Return a node in symbols."""
        sympy = self.sympy
        match node:
            case ex.Number(value=q):
                return sympy.Rational(q.numerator, q.denominator)
            case ex.Pi():
                return sympy.pi
            case ex.Length():
                return self.n
            case ex.Own(coordinate=c):
                return sympy.Symbol(f"x{c}", real=True)
            case ex.Other(coordinate=c):
                return sympy.Symbol(f"y{c}", real=True)
            case ex.Reduction(kind="max" | "min", body=body) if not ex.depends_on(body, ex.Other):
                return self.read(body)
            case ex.Reduction(kind="max" | "min" as kind, body=body) if self.apart and (
                    apart := self._extremum(kind, body)) is not None:
                return apart
            case ex.Reduction(kind=kind, body=body) if self.written_out and not (self.one_coordinate and body == ex.Other(0)
                                                                                and kind in ("max", "min")):
                return self._over_tokens(kind, self.read(body))
            case ex.Reduction(kind="mean" | "sum" as kind, body=body):
                return self._mean(self.read(body)) * (self.n if kind == "sum" else 1)
            case ex.Reduction(kind=kind, body=ex.Other(coordinate=0)) if self.one_coordinate:
                return self._symbol("order", sympy.Integer(1) if kind == "max" else self.n)
            case ex.Reduction(kind=kind, body=body):
                return self._of_form(kind, self._multiplied_out(self.read(body)))
            case ex.OrderStatistic(rank=rank):
                return self._symbol("order", sympy.expand(self.read(rank)))
            case ex.Power(base=base, exponent=exponent):
                return self.read(base) ** self.read(exponent)
            case ex.Apply(function="neg", argument=argument):
                return -self.read(argument)
            case ex.Apply(function="relu" | "abs" as name, argument=argument) if sign := self._known_sign(argument):
                return self.read(argument) * (sign if name == "abs" else max(sign, 0))
            case ex.Apply(function=name, argument=argument):
                return self._function(name, self._multiplied_out(self.read(argument)))
            case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right) if sign := self._known_sign(
                    ex.Binary("-", left, right)):
                return self.read(left if (sign > 0) == (operator == "maximum") else right)
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.read(left), self.read(right))
        raise TypeError(f"{node} has no form in symbols")

    def _extremum(self, kind: str, body: ex.Expression) -> Any:
        """Return max or min of a body through those of its parts; None where that is not possible.

        Increasing functions and what does not depend on y change places with it, decreasing ones and factors below 0 turn it
        around: max(a b) = relu(a) max(b) - relu(-a) min(b) for a free of y.
        """
        def of(part: ex.Expression, *, turned: bool = False) -> Any:
            return self.read(ex.Reduction(("min" if kind == "max" else "max") if turned else kind, part))

        free = [not ex.depends_on(part, ex.Other) for part in body.children()]
        match body:
            case ex.Apply(function="neg", argument=u):
                return -of(u, turned=True)
            case ex.Apply(function="exp" | "log" | "sqrt" | "tanh" | "sigmoid" | "relu" as name, argument=u):
                return self._function(name, self._multiplied_out(of(u)))
            case ex.Apply(function="abs", argument=u) if kind == "max":
                return self._binary("maximum", of(u), -of(u, turned=True))
            case ex.Power(base=u, exponent=ex.Number(value=k)) if k.denominator == 1 and k > 0 and (sign := self._known_sign(u)):
                return of(u, turned=sign < 0 and not k % 2) ** int(k)
            case ex.Power(base=u, exponent=ex.Number(value=k)) if k.denominator == 1 and k > 0 and (k % 2 or kind == "max"):
                return of(u if k % 2 else ex.Apply("abs", u)) ** int(k)
            case ex.Binary(operator="maximum" | "minimum" as operator, left=u, right=v) if operator.startswith(kind) or any(free):
                return self._binary(operator, of(u), of(v))
            case ex.Binary(operator="+", left=u, right=v) if any(free):
                return of(u) + of(v)
            case ex.Binary(operator="-", left=u, right=v) if any(free):
                return of(u) - of(v, turned=True)
            case ex.Binary(operator="/", left=u, right=v) if free[1]:
                return self._scaled(1 / self.read(v), of(u), of(u, turned=True))
            case ex.Binary(operator="*", left=u, right=v) if any(free):
                a, b = (u, v) if free[0] else (v, u)
                return self._scaled(self.read(a), of(b), of(b, turned=True))
        return None

    def _of_form(self, kind: str, u: Any) -> Any:
        """Return max or min of what is affine in y by those of y, of anything else as a symbol."""
        y = self.sympy.Symbol("y0", real=True)
        a = u.coeff(y, 1)
        b = self.sympy.expand(u - a * y)
        if not self.one_coordinate or not a or a.has(y) or b.has(y):
            return self._symbol(kind, u)
        largest, smallest = self._symbol("order", self.sympy.Integer(1)), self._symbol("order", self.n)
        return b + (self._scaled(a, largest, smallest) if kind == "max" else self._scaled(a, smallest, largest))

    def _scaled(self, a: Any, same: Any, opposite: Any) -> Any:
        a = self._multiplied_out(a)
        return self._function("relu", a) * same - self._function("relu", -a) * opposite

    def _function(self, name: str, u: Any) -> Any:
        if name == "abs":
            return 2 * self._function("relu", u) - u
        if name == "relu" and u.is_Rational:
            return max(u, self.sympy.Integer(0))
        if name == "relu":
            return self._relu(u)
        if name == "sigmoid":
            return self.sympy.Function(name, positive=True)(u)
        if name in ("sin", "cos") and self.angles is not None:
            return self.angles.wave(name, u)
        return getattr(self.sympy, name)(u)

    def _relu(self, u: Any) -> Any:
        """Return relu(u), 0 or u where the sign of u is known; of a product by its factors where signs are looked at."""
        few = self.one_coordinate and self.n.is_Integer and self.n <= MOST_TOKENS
        ranked = [self._symbol("order", self.sympy.Integer(k + 1)) for k in range(int(self.n))] if few else []
        signs = self.kinks.Signs(self.means, ranked, self.d, self.sides or (), self.signs)
        if sign := signs.sign(u):
            return u if sign > 0 else self.sympy.Integer(0)
        return signs.positive_part(u) if self.signs else self.kinks.relu(u)

    def _known_sign(self, node: ex.Expression) -> int:
        """Return 1 (-1) where the values are >= 0 (<= 0) by interval arithmetic on the tree, else 0."""
        if self.sides is None or not self.signs:
            return 0
        (a, b), (c, e) = (of(node, self.sides, self.whole_n) for of in (natural_range, collected_range))
        low, high = exact_range(node, self.sides, self.whole_n) or (a, b)
        return 1 if max(a, c, low) >= 0 else -1 if min(b, e, high) <= 0 else 0

    def _binary(self, operator: str, a: Any, b: Any) -> Any:
        if operator in ex.ARITHMETIC:
            return ex.ARITHMETIC[operator](a, b)
        larger = b + self._function("relu", self._multiplied_out(a - b))
        return larger if operator == "maximum" else a + b - larger

    def _mean(self, body: Any) -> Any:
        total = self.sympy.Integer(0)
        for term in self.sympy.Add.make_args(self._multiplied_out(body)):
            free, bound = self._taken_apart(term)
            total += free * (self._symbol("mean", bound) if bound != 1 else 1)
        return total

    def _taken_apart(self, term: Any) -> tuple[Any, Any]:
        """Split a term into a factor without y and one with y, divisors by their factors."""
        others = [s for s in term.free_symbols if s.name.startswith("y")]
        free, bound = term.as_independent(*others, as_Add=False)
        above, below = self.sympy.fraction(bound)
        if below.is_number or not below.atoms(self.sympy.Add):
            return free, bound
        try:
            content, powers = self.sympy.factor_list(below)
        except self.sympy.PolynomialError:
            return free, bound
        divisor = self.sympy.Integer(1)
        for factor, k in powers:
            if factor.has(*others):
                divisor *= factor**k
            else:
                content *= factor**k
        return free / content, above / divisor

    def _symbol(self, kind: str, body: Any) -> Any:
        key = kind, body
        if key not in self.means:
            self.means[key] = self.sympy.Symbol(f"{kind}_{len(self.means)}", real=True)
        return self.means[key]


def _larger_than(limit: int, *trees: ex.Expression) -> bool:
    """Say whether trees have more nodes than the limit, without walking all of them; no recursion, however deep they are."""
    waiting, seen = list(trees), 0
    while waiting and seen <= limit:
        seen += 1
        waiting += waiting.pop().children()
    return bool(waiting)
