"""A function of many variables as a tensor of Chebyshev coefficients: through few polynomials, in parts, or directly.

A function of few polynomials without a common variable is expanded by ``composition.py``. Otherwise it is taken apart at its
root: sums and products of expansions are expansions, exp(u + v) = exp(u) exp(v), u / v = u v^(-1). Where that does not lead to
such functions, one of at most four variables is compared with a polynomial on one grid in all of them (``deviation.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval
from proofs_check.structure.composition import LARGEST_TENSOR, composite, expanded_composite, times
from proofs_check.structure.deviation import LARGEST_GRID, NotAnalytic, cosines, difference, summed
from proofs_check.structure.functions import on_boxes, value_range
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import Range, padded
from proofs_check.structure.variable import Variable

MOST_DIRECT = 4  # variables of one grid
FEW_TERMS = 64  # of the shorter factor of a product that is multiplied term by term
SHARPER = 2.0**-8  # what the interpolant misses counts with Lebesgue constants and the factor of Ehlich and Zeller, each of four
_UNIT = 2.0**-52


@dataclass(frozen=True, eq=False)
class Wide:
    """Coefficients, one axis a variable; the function is within ``missed`` of them, and has its values in ``values``."""

    tensor: Floats
    missed: float
    values: Interval

    @property
    def size(self) -> float:
        """A bound of the function and of its expansion."""
        return (float(np.abs(self.tensor).sum()) + self.missed) * (1 + 2.0**-30)

    def __neg__(self) -> Wide:
        return Wide(-self.tensor, self.missed, -self.values)

    def __add__(self, other: Wide) -> Wide:
        a, b = padded([self.tensor, other.tensor])
        total = a + b
        rounding = float(np.abs(total).sum()) * _UNIT
        return Wide(total, (self.missed + other.missed + rounding) * (1 + 2.0**-30), self.values + other.values)

    def __mul__(self, other: Wide) -> Wide:
        short, long = sorted((self, other), key=lambda one: np.count_nonzero(one.tensor))
        shape = [m + n - 1 for m, n in zip(short.tensor.shape, long.tensor.shape, strict=True)]
        if np.count_nonzero(short.tensor) <= FEW_TERMS:
            product, rounding = _by_terms(short, long, shape)
        else:
            product, rounding = _on_grid(short, long, shape)
        missed = short.missed * long.size + long.missed * short.size + rounding
        return Wide(product, missed * (1 + 2.0**-30), self.values * other.values)


def _by_terms(short: Wide, long: Wide, shape: Sequence[int]) -> tuple[Floats, float]:
    """Multiply the expansions term by term, and bound the rounding."""
    if math.prod(shape) > LARGEST_TENSOR:
        raise NotAnalytic(f"a tensor of {math.prod(shape):.3g} coefficients")
    terms = [(tuple(index), float(short.tensor[tuple(index)])) for index in np.argwhere(short.tensor)]
    room = np.zeros(shape)
    room[tuple(map(slice, long.tensor.shape))] = long.tensor
    return times(terms, room), short.size * long.size * (4 * len(terms) * 2 ** len(shape) + 16) * _UNIT


def _on_grid(a: Wide, b: Wide, shape: Sequence[int]) -> tuple[Floats, float]:
    """Multiply the values on a Chebyshev grid and expand them.

    The exact product less what was found is a polynomial of degrees n_i. On the grid it is at most what rounding did there and
    what the expansion misses, elsewhere at most prod 1/cos(pi n_i/(2 N_i)) times as large (Ehlich and Zeller 1964).
    """
    degrees = [n - 1 for n in shape]
    counts = [math.ceil(1.25 * n) + 2 for n in degrees]
    if math.prod(counts) > LARGEST_GRID:
        raise NotAnalytic(f"a product on a grid of {math.prod(counts):.3g} points")
    tables = [cosines(n, N) for n, N in zip(degrees, counts, strict=True)]
    values = summed(a.tensor, tables) * summed(b.tensor, tables)
    found = values
    for table, N in zip(tables, counts, strict=True):
        weights = table * (2.0 / N)
        weights[0] /= 2
        found = np.tensordot(found, weights, axes=(0, 1))
    operations = (sum(shape) + 16) * 4 * _UNIT
    off = float(np.abs(values - summed(found, tables)).max())
    off += a.size * b.size * operations + float(np.abs(found).sum()) * operations
    factor = math.prod(1 / math.cos(math.pi * n / (2 * N)) for n, N in zip(degrees, counts, strict=True))
    return found, off * factor * (1 + 2.0**-30)


def expanded(K: ex.Expression, names: Sequence[str], box: Sequence[Variable], fine: float) -> Wide:
    """Expand K, a tree in x[v] = centre + half * names[v], names in [-1, 1].

    Args:
        fine: errors of this size do not matter.

    Raises:
        NotAnalytic: K is none of the above, or has no polynomial of moderate degree near it.
    """
    if through_polynomials(K, names, box):
        try:
            return _taken_apart(K, names, box, fine)
        except NotAnalytic:
            if len(names) > MOST_DIRECT:
                raise
    if len(names) > MOST_DIRECT:
        raise NotAnalytic(f"{K} has {len(names)} variables, and no parts that are functions of few polynomials")
    negated, missed = difference(Polynomial({}), names, K, box, fine * SHARPER)
    return Wide(-negated, missed, Interval.of(*value_range(K, [_ends(scale) for scale in box])))


def through_polynomials(K: ex.Expression, names: Sequence[str], box: Sequence[Variable]) -> bool:
    """Say whether a tree can be taken apart into numbers and functions of few polynomials."""
    if _constant(K):
        return True
    try:
        composite(K, names, box)
    except NotAnalytic:
        parts = _parts(K)
        return bool(parts) and all(through_polynomials(part, names, box) for part in parts)
    return True


def _parts(K: ex.Expression) -> tuple[ex.Expression, ...]:
    """Return the sub-expressions of which K is a sum, a product or the opposite."""
    match K:
        case ex.Apply(function="neg", argument=u):
            return (u,)
        case ex.Apply(function="exp", argument=ex.Binary(operator="+" | "-" as sign, left=u, right=v)):
            return ex.Apply("exp", u), ex.Apply("exp", v if sign == "+" else ex.Apply("neg", v))
        case ex.Apply(function="exp", argument=ex.Apply(function="neg", argument=ex.Binary(operator="+" | "-" as sign, left=u,
                                                                                          right=v))):
            return ex.Apply("exp", ex.Apply("neg", u)), ex.Apply("exp", v if sign == "-" else ex.Apply("neg", v))
        case ex.Binary(operator="+" | "-" | "*", left=u, right=v):
            return u, v
        case ex.Binary(operator="/", left=u, right=v):
            return u, ex.Power(v, ex.Number(Fraction(-1)))
    return ()


def _constant(K: ex.Expression) -> bool:
    return not any(isinstance(node, ex.Own) for node in K.walk())


def _taken_apart(K: ex.Expression, names: Sequence[str], box: Sequence[Variable], fine: float) -> Wide:
    if _constant(K):
        values = on_boxes(K, [])
        number = float(0.5 * values.lower + 0.5 * values.upper)
        return Wide(np.full((1,) * len(names), number), float((values - Interval.of(number)).magnitude()), values)
    try:
        whole = composite(K, names, box)
    except NotAnalytic:
        first, *second = (_taken_apart(part, names, box, fine) for part in _parts(K))
        if not second:
            return -first
        match K:
            case ex.Binary(operator="+"):
                return first + second[0]
            case ex.Binary(operator="-"):
                return first + -second[0]
        return first * second[0]
    tensor, missed = expanded_composite(whole, names, fine)
    return Wide(tensor, missed, Interval.of(*value_range(whole.outer, [_ends(scale) for scale in whole.scales()])))


def _ends(scale: Variable) -> Range:
    values = scale.interval()
    return float(values.lower), float(values.upper)
