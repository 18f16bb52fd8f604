"""Jets: the value, gradient and Hessian of a smooth function over a batch of boxes, each entry an enclosure.

Forward differentiation with sparse derivatives: a variable (or pair i <= j of variables) that is absent from a mapping has
derivative exactly 0. Sub-expressions of degree at most one also carry their rational coefficients (``Affine``), so that
``y - x`` with y = x is 0 and its range over a box is not widened by repeated variables.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add
from typing import TypeVar

from proofs_check.enclosures import functions
from proofs_check.enclosures.interval import Booleans, Interval, hull, where

K = TypeVar("K", bound=Hashable)
Gradient = Mapping[int, Interval]
Hessian = Mapping[tuple[int, int], Interval]
ZERO, ONE, TWO = Interval.of(0.0), Interval.of(1.0), Interval.of(2.0)


@dataclass(frozen=True)
class Affine:
    """The function ``constant + sum of slopes[v] * variable v`` with rational coefficients; no slope is 0."""

    constant: Fraction
    slopes: tuple[tuple[int, Fraction], ...] = ()

    def plus(self, other: Affine, factor: Fraction = Fraction(1)) -> Affine:
        """Return self + factor * other."""
        slopes = dict(self.slopes)
        for variable, slope in other.slopes:
            slopes[variable] = slopes.get(variable, Fraction(0)) + factor * slope
        return Affine(self.constant + factor * other.constant, tuple(sorted((v, s) for v, s in slopes.items() if s)))

    def times(self, factor: Fraction) -> Affine:
        """Return factor * self."""
        return Affine(Fraction(0)).plus(self, factor)


@dataclass(frozen=True, eq=False)
class Jet:
    """Value, gradient and Hessian (empty when only first order is asked for); arrays of shape (boxes,), () for constants."""

    value: Interval
    gradient: Gradient
    hessian: Hessian
    affine: Affine | None = None


def affine_jet(affine: Affine, variables: Sequence[Interval]) -> Jet:
    """Return the jet of an affine function; every variable occurs once, so its range is tight up to rounding."""
    terms = [variables[v] if slope == 1 else Interval.constant(slope) * variables[v] for v, slope in affine.slopes]
    if affine.constant or not terms:
        terms.append(Interval.constant(affine.constant))
    return Jet(reduce(add, terms), {v: Interval.constant(slope) for v, slope in affine.slopes}, {}, affine)


def plus(a: Jet, b: Jet) -> Jet:
    """Return a + b."""
    return Jet(a.value + b.value, _merge(a.gradient, b.gradient), _merge(a.hessian, b.hessian))


def negative(a: Jet) -> Jet:
    """Return -a."""
    affine = None if a.affine is None else a.affine.times(Fraction(-1))
    return Jet(-a.value, {v: -g for v, g in a.gradient.items()}, {ij: -h for ij, h in a.hessian.items()}, affine)


def times(a: Jet, b: Jet, *, second: bool) -> Jet:
    """Return a * b; ``second`` asks for the Hessian too."""
    gradient = _merge(_scaled(a.gradient, b.value), _scaled(b.gradient, a.value))
    hessian = _merge(_scaled(a.hessian, b.value), _scaled(b.hessian, a.value), _outer(a, b)) if second else {}
    return Jet(a.value * b.value, gradient, hessian)


def divided(a: Jet, b: Jet, *, second: bool) -> Jet:
    """Return q = a / b through grad q = (grad a - q grad b) / b, where q itself is already known to be tight."""
    quotient, inverse = a.value / b.value, ONE / b.value
    gradient = _scaled(_merge(a.gradient, _scaled(b.gradient, -quotient)), inverse)
    if not second:
        return Jet(quotient, gradient, {})
    cross = _outer(Jet(quotient, gradient, {}), b)
    hessian = _merge(a.hessian, _scaled(b.hessian, -quotient), {ij: -h for ij, h in cross.items()})
    return Jet(quotient, gradient, _scaled(hessian, inverse))


def compose(value: Interval, slope: Interval, curvature: Callable[[], Interval], a: Jet, *, second: bool) -> Jet:
    """Return F(a) from enclosures of F, F' and F'' over the values of a (the chain rule)."""
    gradient = _scaled(a.gradient, slope)
    if not second or not a.gradient:
        return Jet(value, gradient, {})
    # grad a grad a^T, its diagonal as true squares
    squares = {(i, j): g**2 if i == j else g * a.gradient[j] for i, g in a.gradient.items() for j in a.gradient if i <= j}
    return Jet(value, gradient, _merge(_scaled(a.hessian, slope), _scaled(squares, curvature())))


def power(a: Jet, exponent: int, *, second: bool) -> Jet:
    """Return a ** exponent for an integer exponent; division by an interval with 0 gives the whole line."""
    value, k = a.value, Interval.constant(exponent)
    if exponent == 0:
        return Jet(ONE, {}, {}, Affine(Fraction(1)))
    if exponent == 1:
        return a
    return compose(value**exponent, k * value**(exponent - 1),
                   lambda: Interval.constant(exponent * (exponent - 1)) * value**(exponent - 2), a, second=second)


def apply(name: str, a: Jet, *, second: bool) -> Jet:
    """Return a smooth function of the language (``exp log sqrt sin cos tanh sigmoid``) of a jet."""
    u, value = a.value, functions.FUNCTIONS[name](a.value)
    slope, curvature = _DERIVATIVES[name](u, value)
    return compose(value, slope, curvature, a, second=second)


def raised(a: Jet, exponent: Fraction, *, second: bool) -> Jet:
    """Return u**c of a jet, c > 0 and u >= 0; for c < 1 no slope is known where u may be 0."""
    if exponent == Fraction(1, 2):
        return apply("sqrt", a, second=second)
    slope, curvature = Interval.constant(exponent), Interval.constant(exponent * (exponent - 1))
    return compose(_to(a.value, exponent), slope * _to(a.value, exponent - 1), lambda: curvature * _to(a.value, exponent - 2), a,
                   second=second)


def _to(u: Interval, exponent: Fraction) -> Interval:
    """Enclose u**c, u >= 0, for c of any sign; the whole line where that is not finite."""
    if exponent < 0:
        return ONE / functions.raised(u, -exponent)
    return functions.raised(u, exponent) if exponent else ONE


def select(first: Booleans, both: Booleans, a: Jet, b: Jet, of: Callable[[Interval, Interval], Interval]) -> Jet:
    """Return a where ``first`` holds, b elsewhere; where ``both`` holds, values ``of`` both and slopes in the hull of the two.

    There the Hessian is not valid, and the slopes are those at points where their branch is taken: values are never another's.
    """
    if not both.any() and (first.all() or not first.any()):
        return a if first.all() else b

    def pick(left: Interval, right: Interval, together: Callable[[Interval, Interval], Interval] = hull) -> Interval:
        chosen = where(first, left, right)
        return where(both, together(left, right), chosen) if both.any() else chosen

    return Jet(pick(a.value, b.value, of), _join(pick, a.gradient, b.gradient), _join(pick, a.hessian, b.hessian))


def _merge(*parts: Mapping[K, Interval]) -> dict[K, Interval]:
    result: dict[K, Interval] = {}
    for part in parts:
        for key, term in part.items():
            result[key] = result[key] + term if key in result else term
    return result


def _scaled(terms: Mapping[K, Interval], factor: Interval) -> dict[K, Interval]:
    return {key: term * factor for key, term in terms.items()}


def _outer(a: Jet, b: Jet) -> dict[tuple[int, int], Interval]:
    """Return grad a grad b^T + grad b grad a^T, the mixed part of a product's Hessian."""
    result: dict[tuple[int, int], Interval] = {}
    for i, left in a.gradient.items():
        for j, right in b.gradient.items():
            term, key = left * right, (min(i, j), max(i, j))
            result[key] = term * TWO if i == j else result[key] + term if key in result else term
    return result


def _join(pick: Callable[[Interval, Interval], Interval], a: Mapping[K, Interval], b: Mapping[K, Interval]) -> dict[K, Interval]:
    keys: Iterable[K] = dict.fromkeys([*a, *b])
    return {key: pick(a.get(key, ZERO), b.get(key, ZERO)) for key in keys}


Derivatives = tuple[Interval, Callable[[], Interval]]


def _sqrt(u: Interval, value: Interval) -> Derivatives:
    return ONE / (TWO * value), lambda: -ONE / (Interval.of(4.0) * value**3)


def _tanh(u: Interval, value: Interval) -> Derivatives:
    slope = ONE - value**2
    return slope, lambda: -TWO * value * slope


def _sigmoid(u: Interval, value: Interval) -> Derivatives:
    slope = Interval.of(0.25) - (value - Interval.of(0.5)) ** 2
    return slope, lambda: slope * (ONE - TWO * value)


_DERIVATIVES: Mapping[str, Callable[[Interval, Interval], Derivatives]] = {
    "exp": lambda u, value: (value, lambda: value),
    "log": lambda u, value: (ONE / u, lambda: -ONE / u**2),
    "sqrt": _sqrt,
    "sin": lambda u, value: (functions.cos(u), lambda: -value),
    "cos": lambda u, value: (-functions.sin(u), lambda: -value),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
}
