"""Is one expression of the target language the same function as another? By algebra, with sympy.

Means are linear: what does not depend on y leaves them, exp(a + b) is split, and the mean of each remaining term becomes a symbol
of its own, the same one wherever the same term is averaged. sum is n times mean; abs, maximum and minimum are written with relu.
Two expressions are the same if their difference, brought over one denominator and multiplied out, is 0. "Not shown" says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from constructions.targets import expression as ex

if TYPE_CHECKING:
    import sympy


class Algebra:
    """Expressions in symbols; ``n`` is a number, or None for a symbol."""

    def __init__(self, n: int | None) -> None:
        import sympy

        self.sympy = sympy
        self.n = sympy.Symbol("n", positive=True) if n is None else sympy.Integer(n)
        self.means: dict[tuple[str, Any], sympy.Symbol] = {}

    def same(self, a: ex.Expression, b: ex.Expression) -> bool:
        """Say whether the two are shown to be the same function."""
        difference = self.sympy.together(self.sympy.expand(self.read(a) - self.read(b)))
        return bool(self.sympy.expand(self.sympy.fraction(difference)[0]) == 0)

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
            case ex.Reduction(kind="mean" | "sum" as kind, body=body):
                return self._mean(self.read(body)) * (self.n if kind == "sum" else 1)
            case ex.Reduction(kind=kind, body=body):
                return self._symbol(kind, sympy.expand(self.read(body)))
            case ex.OrderStatistic(rank=rank):
                return self._symbol("order", sympy.expand(self.read(rank)))
            case ex.Power(base=base, exponent=exponent):
                return self.read(base) ** self.read(exponent)
            case ex.Apply(function="neg", argument=argument):
                return -self.read(argument)
            case ex.Apply(function=name, argument=argument):
                return self._function(name, sympy.expand(self.read(argument)))
            case ex.Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.read(left), self.read(right))
        raise TypeError(f"{node} has no form in symbols")

    def _function(self, name: str, u: Any) -> Any:
        if name == "abs":
            return 2 * self._function("relu", u) - u
        if name in ("relu", "sigmoid"):
            return self.sympy.Function(name, real=True)(u)
        return getattr(self.sympy, name)(u)

    def _binary(self, operator: str, a: Any, b: Any) -> Any:
        match operator:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                return a / b
        larger = b + self._function("relu", self.sympy.expand(a - b))
        return larger if operator == "maximum" else a + b - larger

    def _mean(self, body: Any) -> Any:
        total = self.sympy.Integer(0)
        for term in self.sympy.Add.make_args(self.sympy.expand(body)):
            free, bound = term.as_independent(*(s for s in term.free_symbols if s.name.startswith("y")), as_Add=False)
            total += free * (self._symbol("mean", bound) if bound != 1 else 1)
        return total

    def _symbol(self, kind: str, body: Any) -> Any:
        key = kind, body
        if key not in self.means:
            self.means[key] = self.sympy.Symbol(f"{kind}_{len(self.means)}", real=True)
        return self.means[key]
