"""The largest and the smallest of a function of x and y, taken apart into those of functions of y alone where that is possible.

With a free of y: max(a + b) = a + max(b), max(a b) = relu(a) max(b) - relu(-a) min(b), max(g(b)) = g(max(b)) for increasing g,
max(maximum(b, c)) = maximum(max(b), max(c)), max(minimum(a, b)) = minimum(a, max(b)), max(|b|) = maximum(max(b), -min(b));
min(b) = -max(-b).
"""

from __future__ import annotations

from dataclasses import replace

from constructions.sumformers.rewriting import ONE, affine, factors, with_own
from constructions.sumformers.separable import other_only
from constructions.sumformers.signs import Sides, sign
from constructions.sumformers.sorted_tokens import CHOICE
from constructions.targets import expression as ex

OTHER_END = {"max": "min", "min": "max"}
INCREASING = ("exp", "log", "sqrt", "tanh", "sigmoid", "relu")


def taken_apart(kind: str, body: ex.Expression, sides: Sides, column: int = 0) -> ex.Expression:
    """Return max or min over y of a body, tokens in a box; what cannot be taken apart is left as it is.

    >>> from fractions import Fraction
    >>> x, y, sides = ex.Own(0), ex.Other(0), [(Fraction(0), Fraction(1))]
    >>> print(taken_apart("max", ex.Binary("-", x, y), sides), taken_apart("min", ex.Binary("*", x, y), sides))
    (x[0] - min(y[0])) (x[0] * min(y[0]))
    >>> print(taken_apart("min", ex.Apply("abs", ex.Binary("-", x, y)), sides))
    min(abs((x[0] - y[0])))
    """
    def of(part: ex.Expression, which: str = kind) -> ex.Expression:
        return taken_apart(which, part, sides, column)

    def scaled(a: ex.Expression, b: ex.Expression) -> ex.Expression:
        """Return the extremum of a b, a free of y."""
        if side := sign(a, sides):
            return ex.Binary("*", a, of(b, kind if side > 0 else OTHER_END[kind]), column=column)
        above = ex.Binary("*", ex.Apply("relu", a), of(b))
        return ex.Binary("-", above, ex.Binary("*", ex.Apply("relu", ex.Apply("neg", a)), of(b, OTHER_END[kind])), column=column)

    if not ex.depends_on(body, ex.Other):
        return body
    match body:
        case ex.Apply(function="neg", argument=u):
            return replace(body, argument=of(u, OTHER_END[kind]))
        case ex.Apply(function=name, argument=u) if name in INCREASING:
            return replace(body, argument=of(u))
        case ex.Apply(function="abs", argument=u) if kind == "max":
            return ex.Binary("maximum", of(u), ex.Apply("neg", of(u, "min")), column=body.column)
        case ex.Power(base=u, exponent=ex.Number(value=k)) if k > 0 and k.denominator == 1 and k % 2:
            return replace(body, base=of(u))
        case ex.Power(base=u, exponent=ex.Number(value=k)) if k > 0 and k.denominator == 1 and (side := sign(u, sides)):
            return replace(body, base=of(u, kind if side > 0 else OTHER_END[kind]))
        case ex.Power(base=u, exponent=ex.Number(value=k)) if k > 0 and k.denominator == 1 and kind == "max":
            return replace(body, base=of(ex.Apply("abs", u, column=body.column)))
        case ex.Binary(operator="maximum" | "minimum" as operator, left=left, right=right) if operator == CHOICE[kind] or not (
                ex.depends_on(left, ex.Other) and ex.depends_on(right, ex.Other)):
            return replace(body, left=of(left), right=of(right))
        case ex.Binary(operator="+" | "-" as operator, left=left, right=right) if not (
                ex.depends_on(left, ex.Other) and ex.depends_on(right, ex.Other)):
            return replace(body, left=of(left), right=of(right, kind if operator == "+" else OTHER_END[kind]))
        case ex.Binary(operator="/", left=left, right=right) if not ex.depends_on(right, ex.Other):
            return scaled(ex.Binary("/", ONE, right), left)
        case ex.Binary(operator="*"):
            own = [factor for factor in factors(body) if not ex.depends_on(factor, ex.Other)]
            others = [factor for factor in factors(body) if ex.depends_on(factor, ex.Other)]
            if own:
                return scaled(ex.joined("*", own), ex.joined("*", others))
    return ex.Reduction(kind, body, column=column)


def of_forms(apart: ex.Expression) -> bool:
    """Say whether all extrema of one coordinate that are left are of affine functions of y."""
    left = [node.body for node in apart.walk() if isinstance(node, ex.Reduction) and node.kind in OTHER_END]
    return all(other_only(body) and affine(with_own(body)) is not None for body in left)
