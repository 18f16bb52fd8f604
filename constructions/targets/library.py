"""The named targets: formula, default n and d, and why each one matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from constructions.domains import Box
from constructions.errors import BadInput, nearest
from constructions.targets.language import WORDS, ExpressionError, coordinates_in
from constructions.targets.target import AnyTarget, CallableTarget, Target


@dataclass(frozen=True)
class NamedTarget:
    """A library entry; ``formula`` maps the token dimension to a text, ``dimensions`` are the allowed d (None: any)."""

    name: str
    formula: Callable[[int], str]
    n: int
    d: int
    why: str
    dimensions: tuple[int, ...] | None = (1,)
    lengths: tuple[int, ...] | None = None


def _fixed(text: str) -> Callable[[int], str]:
    return lambda d: text


def _tuple(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _figure_2(d: int) -> str:
    """Paper, figure 2: g(x, {y, z}) = x + 7 x^2 + 3 x (y + z)^3 in every coordinate; y + z = sum - x."""
    def part(c: int) -> str:
        x, y = (f"x[{c}]", f"y[{c}]") if d > 1 else ("x", "y")
        return f"{x} + 7*{x}**2 + 3*{x}*(sum({y}) - {x})**3"
    return _tuple([part(c) for c in range(d)])


def _gravity(d: int) -> str:
    """Softened attraction, mean of (y - x) / (|y - x|^2 + 1/10)^(3/2), one output a coordinate."""
    square = " + ".join(f"(y[{c}]-x[{c}])**2" for c in range(d))
    return _tuple([f"mean((y[{c}]-x[{c}])/({square} + 0.1)**1.5)" for c in range(d)])


LIBRARY = {target.name: target for target in (
    NamedTarget("f", _fixed("sum(exp(2*x*y)*y)/sum(exp(2*x*y))"), 3, 1,
                "running example: one softmax self-attention head, beta = 2"),
    NamedTarget("own-times-mean", _fixed("x*mean(y)"), 3, 1, "smallest target that needs the own token and the others"),
    NamedTarget("standardise", _fixed("(x-mean(y))/sqrt(mean((y-mean(y))**2)+0.1)"), 3, 1,
                "layer normalisation over the sequence: nested means and a quotient"),
    NamedTarget("kernel-density", _fixed("mean(exp(-((x-y)/0.2)**2/2))"), 3, 1, "Gaussian kernel density at the own token"),
    NamedTarget("soft-rank", _fixed("mean(sigmoid((x-y)/0.1))"), 3, 1, "differentiable ranking: the own token's soft rank"),
    NamedTarget("max", _fixed("max(y)"), 3, 1, "hard maximum: a kink along every tie"),
    NamedTarget("range", _fixed("max(y)-min(y)"), 3, 1, "spread of the sequence: two order statistics"),
    NamedTarget("median", _fixed("order((n+1)/2)"), 3, 1, "order statistic (odd n): not smooth, not a mean of features"),
    NamedTarget("smooth-maximum", _fixed("log(mean(exp(8*y)))/8"), 3, 1, "log-mean-exp pooling, beta = 8"),
    NamedTarget("gravity-2d", _gravity, 2, 2, "softened n-body force in the plane, two outputs", (2,)),
    NamedTarget("gravity-3d", _gravity, 2, 3, "softened n-body force in space, three outputs", (3,)),
    NamedTarget("figure-2", _figure_2, 3, 1, "the paper's only printed target, component-wise in any d", None, (3,)),
    NamedTarget("obstruction", _fixed("2*(2*(max(y)-min(y)) - sum(abs(y-x))) - 1"), 3, 1,
                "2|x_j - x_k| - 1 of the two others: defeats every continuous phi with d' = 1", (1,), (3,)),
    NamedTarget("moments", _fixed("(mean(y), mean((y-mean(y))**2))"), 3, 1, "two outputs: mean and variance"),
)}


def resolve(text: str, *, n: int | None, d: int | None, domain: str, positional: bool = False) -> AnyTarget:
    """Turn what the user wrote after ``--target`` into a target: a name, a ``package.module:callable`` or an expression.

    With ``positional`` tokens get one coordinate more, their position i/n in [0, 1] (mathematics: positional-encoding). Without
    ``d`` an expression has the coordinates that it or the domain names.

    Raises:
        BadInput: unknown name (with the nearest ones), n or d that does not fit, or a text outside the language.
    """
    if d is not None and d < 1:
        raise BadInput(f"d = {d}: expected d >= 1 coordinates a token")
    named = LIBRARY.get(text.strip())
    if named is not None:
        return _named(named, n, d, domain, positional)
    n = 3 if n is None else n
    if names_callable(text):
        if positional:
            raise BadInput(f"--positional: {text.strip()!r} is a callable; expected an expression in x, y, i and j")
        return CallableTarget.load(text.strip(), n=n, box=Box.parse(domain, d or 1))
    if d is None:
        named_by_number = coordinates_in(text)
        d = max(named_by_number, domain.count(";") + 1) if named_by_number else 1
    try:
        return Target.from_text(text.strip(), n=n, box=_box(domain, d, positional), positional=positional)
    except ExpressionError:
        if not text.strip().replace("-", "_").isidentifier() or text.strip() in WORDS:
            raise
    raise BadInput(f"unknown target {text.strip()!r}: {nearest(text.strip(), LIBRARY)}; "
                   f"an expression such as 'x*mean(y)' or package.module:callable is accepted too")


def _box(domain: str, d: int, positional: bool) -> Box:
    box = Box.parse(domain, d)
    return Box((*box.lower, Fraction(0)), (*box.upper, Fraction(1))) if positional else box


def _named(named: NamedTarget, n: int | None, d: int | None, domain: str, positional: bool) -> Target:
    n, d = named.n if n is None else n, named.d if d is None else d
    if named.dimensions is not None and d not in named.dimensions:
        raise BadInput(f"target {named.name!r} has d = {named.dimensions[0]}, got d = {d}")
    if named.lengths is not None and n not in named.lengths:
        raise BadInput(f"target {named.name!r} is defined for n = {named.lengths[0]} tokens, got n = {n}")
    return Target.from_text(named.formula(d), n=n, box=_box(domain, d, positional), name=named.name, positional=positional)


def names_callable(text: str) -> bool:
    """Say whether a target text has the form ``package.module:callable``."""
    module, colon, attribute = text.strip().partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))

