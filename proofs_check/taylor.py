"""Taylor models: on a box m + r t, |t| <= 1, a function is a polynomial in t of bounded degree up to an error.

    g(m + r t) in sum_a terms_a t^a + [-error, error]     for every t in [-1, 1]^v,

and ``range`` encloses the values as well, from interval arithmetic and from the model, whichever is smaller. Rounding goes into
the error: m operations on numbers that add up to s in size err by at most gamma_m s (Higham 2002, section 3.1), so the terms are
plain float64 arrays and the polynomials of a batch of boxes are multiplied by vectorised code. Exponents are ordered by degree,
so that a polynomial of lower degree is a prefix, and a model stores only the variables it depends on.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from proofs_check.enclosures import functions
from proofs_check.enclosures.arrays import as_array, beside, full, zeros
from proofs_check.enclosures.interval import Floats, Interval, down, hull, maximum, minimum, up
from proofs_check.enclosures.sums import ABOVE, MOST_TERMS
from proofs_check.series import coefficients

_UNIT = 2.0**-53
_TINY = 2.0**-1000
ZERO, ONE = Interval.of(0.0), Interval.of(1.0)


@functools.cache
def exponents(variables: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Return the exponents of total degree up to ``degree``, lower degrees first.

    >>> exponents(2, 1)
    ((0, 0), (1, 0), (0, 1))
    """
    count = math.comb(variables + degree, degree)
    if count > MOST_TERMS:
        raise ArithmeticError(f"{count} terms are outside the rounding analysis (at most {MOST_TERMS})")
    return tuple(tuple(chosen.count(v) for v in range(variables)) for total in range(degree + 1)
                 for chosen in itertools.combinations_with_replacement(range(variables), total))


@dataclass(frozen=True, eq=False)
class Model:
    """A function on a batch of boxes.

    Attributes:
        support: numbers of the variables it depends on, increasing.
        degree: of the polynomial.
        terms: (exponents of the support, boxes).
        error: (boxes,), inf where nothing is known.
        range: of the function's values, (boxes,).
    """

    support: tuple[int, ...]
    degree: int
    terms: Floats
    error: Floats
    range: Interval

    @functools.cached_property
    def sizes(self) -> Floats:
        """Bound the terms of each degree, (degree + 1, boxes), by the sum of their absolute values."""
        variables = len(self.support)
        starts = [math.comb(variables + total - 1, total - 1) if total else 0 for total in range(self.degree + 1)]
        return as_array(np.add.reduceat(np.abs(self.terms), starts[: self.degree + 1 if variables else 1], axis=0)) * ABOVE


def made(support: tuple[int, ...], degree: int, terms: Floats, error: Floats, natural: Interval) -> Model:
    """Return the model with its range; where the polynomial says nothing (inf, NaN) the middle of the range takes its place."""
    degree = degree if support else 0
    known = np.isfinite(terms).all(axis=0) & np.isfinite(error)
    if not known.all():
        middle, radius = middle_of(natural)
        terms = np.where(known, terms, 0.0)
        terms[0] = np.where(known, terms[0], middle)
        error = np.where(known, error, radius)
    model = Model(support, degree, terms, error, natural)
    around = (model.sizes[1:].sum(axis=0) + error) * ABOVE + _TINY
    lower, upper = np.fmax(natural.lower, down(terms[0] - around)), np.fmin(natural.upper, up(terms[0] + around))
    if not (lower <= upper).all():
        raise ArithmeticError("two enclosures of one value are disjoint: one of them is wrong")
    return Model(support, degree, terms, error, Interval(lower, upper))


def middle_of(a: Interval) -> tuple[Floats, Floats]:
    """Return middle and radius of intervals; 0 and inf for unbounded ones."""
    middle = 0.5 * a.lower + 0.5 * a.upper
    middle = np.where(np.isfinite(middle), middle, 0.0)
    return middle, up(np.maximum(a.upper - middle, middle - a.lower)) + 0.0


def constant(value: Interval, like: Floats) -> Model:
    """Return a function that is constant on all boxes; ``like`` is an array of them, (boxes,)."""
    value = Interval(*(np.broadcast_to(beside(end, like), like.shape) for end in (value.lower, value.upper)))
    middle, radius = middle_of(value)
    return made((), 0, middle[None], radius, value)


def variable(number: int, middle: Floats, radius: Floats, values: Interval) -> Model:
    """Return the variable m + r t itself."""
    return made((number,), 1, np.stack([middle, radius]), np.zeros_like(middle), values)


@dataclass(frozen=True, eq=False)
class Scale:
    """A rational factor as a float and what it is off by."""

    middle: float
    radius: float
    exactly: Interval

    @staticmethod
    def of(value: Fraction) -> Scale:
        """Enclose a rational number."""
        exactly = Interval.constant(value)
        middle, radius = middle_of(exactly)
        return Scale(float(middle), 0.0 if exactly.lower == exactly.upper else float(radius), exactly)


def combined(offset: Scale, parts: Sequence[tuple[Scale, Model]], like: Floats) -> Model:
    """Return offset + sum of factor * model; ``like`` is an array of the boxes, (boxes,)."""
    support = tuple(sorted({v for _, model in parts for v in model.support}))
    degree = max((model.degree for _, model in parts), default=0)
    terms = zeros((len(exponents(len(support), degree)), len(like)), like)
    terms[0] = offset.middle
    error, sizes = full(like.shape, offset.radius, like), full(like.shape, abs(offset.middle), like)
    natural = Interval(*(full(like.shape, float(end), like) for end in (offset.exactly.lower, offset.exactly.upper)))
    positive = natural.lower >= 0
    for scale, model in parts:
        size = model.sizes.sum(axis=0)
        terms[_placed(model.support, support, model.degree)] += scale.middle * model.terms
        error += abs(scale.middle) * model.error + scale.radius * (size + model.error)
        sizes += abs(scale.middle) * size
        part = scale.exactly * model.range
        natural, positive = natural + part, positive & (part.lower >= 0)
    natural = Interval(np.where(positive, np.maximum(natural.lower, 0.0), natural.lower), natural.upper)
    rounding = (len(parts) + 3) * _UNIT * 1.01
    return made(support, degree, terms, (error + rounding * sizes) * ABOVE + _TINY, natural)


def times(a: Model, b: Model, order: int) -> Model:
    """Return a b; terms of degree above ``order`` become error."""
    natural = a.range**2 if a is b else a.range * b.range
    magnitudes = a.range.magnitude(), b.range.magnitude()
    support, degree, terms, error = _product(a, b, magnitudes, order)
    return made(support, degree, terms, error, natural)


def _product(a: Model, b: Model, magnitudes: tuple[Floats, Floats], order: int) -> tuple[tuple[int, ...], int, Floats, Floats]:
    """Multiply: with f = p + e, g = q + h: |f g - p q| <= |f| |h| + |g| |e| + |e| |h|."""
    error = magnitudes[0] * b.error + magnitudes[1] * a.error + a.error * b.error
    if len(a.terms) > len(b.terms):
        a, b = b, a
    support = tuple(sorted({*a.support, *b.support}))
    degree = min(order, a.degree + b.degree)
    terms = zeros((len(exponents(len(support), degree)), a.terms.shape[1]), a.terms)
    for row, places in zip(a.terms, _places(a.support, b.support, a.degree, b.degree, degree), strict=True):
        terms[places] += row * b.terms[: len(places)]
    lost = np.zeros_like(error)
    for total in range(max(0, degree + 1 - b.degree), a.degree + 1):
        lost += a.sizes[total] * b.sizes[max(0, degree + 1 - total):].sum(axis=0)
    rounding = (len(a.terms) + 3) * _UNIT * 1.01 * a.sizes.sum(axis=0) * b.sizes.sum(axis=0)
    return support, degree, terms, (error + lost + rounding) * ABOVE + _TINY


def apply(name: str, a: Model, order: int) -> Model:
    """Return a smooth function F of a model: its Taylor polynomial around the middle term c, and Lagrange's remainder.

    F(u) = sum_{j <= k} G_j(c) (u - c)^j + G_{k+1}(s) (u - c)^{k+1} with some s between c and u.
    """
    natural = ONE / a.range if name == "reciprocal" else functions.FUNCTIONS[name](a.range)
    centre, k = a.terms[0], order if a.degree else 0
    series = coefficients(name, Interval(centre, centre), k + 1)
    last = coefficients(name, hull(a.range, Interval(centre, centre)), k + 2)[-1].magnitude()
    far = up(np.maximum(a.range.upper - centre, centre - a.range.lower))
    shifted = a.terms.copy()
    shifted[0] = 0.0
    w = Model(a.support, a.degree, shifted, a.error, Interval(-far, far))
    middle, radius = middle_of(series[-1])
    acc = Model((), 0, middle[None], radius, series[-1])
    for j in range(k - 1, -1, -1):
        size = (acc.sizes.sum(axis=0) + acc.error) * ABOVE
        support, degree, terms, error = _product(acc, w, (size, far), order - j)
        middle, radius = middle_of(series[j])
        terms[0] += middle
        acc = Model(support, degree, terms, (error + radius + 2 * _UNIT * np.abs(terms[0])) * ABOVE + _TINY, natural)
    return made(acc.support, acc.degree, acc.terms, (acc.error + last * _power(far, k + 1)) * ABOVE + _TINY, natural)


def clipped(a: Model, sign: int) -> Model:
    """Return the model with what is known of its sign where it is used: 1 for >= 0, -1 for <= 0, 0 for nothing."""
    if not sign:
        return a
    known = maximum(a.range, ZERO) if sign > 0 else minimum(a.range, ZERO)
    return Model(a.support, a.degree, a.terms, a.error, known)


def relu(a: Model) -> Model:
    """Return max(a, 0): a itself or 0 where the sign is known, else a chord: 0 <= relu(u) - s u <= max(-s lo, (1-s) hi)."""
    lower, upper = a.range.lower, a.range.upper
    slope = np.where(lower >= 0, 1.0, np.where(upper <= 0, 0.0, np.clip(upper / (upper - lower), 0.0, 1.0)))
    bent = (lower < 0) & (upper > 0)
    half = np.where(bent, up(np.maximum(-slope * lower, (1 - slope) * upper)) / 2 * ABOVE, 0.0)
    terms = slope * a.terms
    terms[0] += half
    rounding = np.where(bent, 4 * _UNIT * (a.sizes.sum(axis=0) + half), 0.0)
    return made(a.support, a.degree, terms, slope * a.error * ABOVE + half + rounding + np.where(bent, _TINY, 0.0),
                maximum(a.range, ZERO))


def _power(value: Floats, exponent: int) -> Floats:
    return functools.reduce(operator.mul, [value] * exponent) * ABOVE


@functools.cache
def _index(variables: int, degree: int) -> dict[tuple[int, ...], int]:
    return {exponent: place for place, exponent in enumerate(exponents(variables, degree))}


def _within(exponent: tuple[int, ...], support: tuple[int, ...], wider: tuple[int, ...]) -> tuple[int, ...]:
    known = dict(zip(support, exponent, strict=True))
    return tuple(known.get(v, 0) for v in wider)


@functools.cache
def _placed(support: tuple[int, ...], wider: tuple[int, ...], degree: int) -> np.ndarray:
    index = _index(len(wider), degree)
    return _kept([index[_within(exponent, support, wider)] for exponent in exponents(len(support), degree)])


@functools.cache
def _places(a: tuple[int, ...], b: tuple[int, ...], a_degree: int, b_degree: int, degree: int) -> tuple[np.ndarray, ...]:
    """Say for each exponent of a where its products with the first exponents of b stand in the result."""
    wider = tuple(sorted({*a, *b}))
    index = _index(len(wider), degree)
    found = []
    for left in exponents(len(a), a_degree):
        left_wide, room = _within(left, a, wider), min(b_degree, degree - sum(left))
        found.append(_kept([index[tuple(map(sum, zip(left_wide, _within(right, b, wider), strict=True)))]
                            for right in exponents(len(b), room)] if room >= 0 else []))
    return tuple(found)


def _kept(places: list[int]) -> np.ndarray:
    """Return an array that nobody changes: a device needs it once."""
    array = np.array(places, dtype=int)
    array.flags.writeable = False
    return array
