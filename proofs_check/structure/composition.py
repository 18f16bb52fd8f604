"""A function of many variables that is a function of few polynomials in them: K = G(s_1, .., s_k), exactly.

*Finding them* (``composite``). Read from the top, every largest sub-expression that is a polynomial of at most some degree is
replaced by a x[i] + b, where it is exactly a s_i + b, rational a and b. Different s_i must have no variable in common.

*Expanding them* (``expanded_composite``). Let t_i = (s_i - c_i)/h_i, |t_i| <= 1 on the box, G be near sum q_ab T_a(t_1) T_b(t_2).
Chebyshev coefficients of T_a(t_i) in the variables follow from T_{a+1} = 2 t T_a - T_{a-1}, in float64. A step that is off by a
polynomial of size d changes a later T_a by U_j(t) d, |U_j| <= j + 1 on [-1, 1], so rounding counts at most a + 1 times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats
from proofs_check.exact_values import from_rational
from proofs_check.structure.deviation import NotAnalytic, difference
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import chebyshev, polynomial_range
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable

MOST_FORMS = 3
DEGREES = (1, 4)  # of the sub-expressions that are tried, one after the other
LARGEST_TENSOR = 30_000_000
_UNIT = 2.0**-52


@dataclass(frozen=True, eq=False)
class Composite:
    """K = outer(s_1, .., s_k); x[i] of ``outer`` is ``inner[i]``, a polynomial in names that stand for numbers in [-1, 1]."""

    outer: ex.Expression
    inner: tuple[Polynomial, ...]

    def scales(self) -> list[Variable]:
        """Cover the range of each s_i."""
        return [Variable.of(*polynomial_range(s)) for s in self.inner]


class _Entangled(Exception):
    """Two polynomials share a variable and are not multiples of each other."""


def composite(K: ex.Expression, names: Sequence[str], box: Sequence[Variable]) -> Composite:
    """Write K, a tree in x[v] = centre + half * names[v], as a function of at most three polynomials.

    Raises:
        NotAnalytic: there are none.
    """
    leaves = [scale.content(name).main for name, scale in zip(names, box, strict=True)]
    for degree in DEGREES:
        inner: list[Polynomial] = []
        try:
            outer = _rewritten(K, leaves, inner, degree)
        except _Entangled:
            continue
        if 0 < len(inner) <= MOST_FORMS:
            return Composite(_in_order(outer), tuple(inner))
    raise NotAnalytic(f"{K} has {len(names)} variables and is no function of fewer polynomials without a common variable")


def _in_order(node: ex.Expression) -> ex.Expression:
    """Sort the operands of sums and products, so that functions equal up to this are seen to be."""
    node = ex.mapped(node, _in_order)
    if isinstance(node, ex.Binary) and node.operator in "+*" and str(node.left) > str(node.right):
        return ex.Binary(node.operator, node.right, node.left)
    return node


def _rewritten(node: ex.Expression, leaves: Sequence[Polynomial], inner: list[Polynomial], degree: int) -> ex.Expression:
    polynomial = as_polynomial(node, leaves)
    if polynomial is None or max((sum(e for _, e in m) for m in polynomial.terms), default=0) > degree:
        return ex.mapped(node, lambda child: _rewritten(child, leaves, inner, degree))
    constant = polynomial.at_zero
    moving = polynomial - Polynomial.constant(constant)
    if not moving.terms:  # also where it is written with variables, which have other numbers from here on
        return ex.Number(from_rational(constant))
    ratios = [_ratio(moving, known) for known in inner]
    i = next((k for k, found in enumerate(ratios) if found is not None), len(inner))
    if i == len(inner):
        if any(known.variables & moving.variables for known in inner):
            raise _Entangled
        inner.append(moving)
        ratios.append(fmpq(1))
    ratio = ratios[i] or fmpq(1)
    scaled = ex.Binary("*", ex.Number(from_rational(ratio)), ex.Own(i)) if ratio != 1 else ex.Own(i)
    return ex.Binary("+", scaled, ex.Number(from_rational(constant))) if constant else scaled


def _ratio(a: Polynomial, b: Polynomial) -> fmpq | None:
    """Return c where a = c b exactly."""
    if a.terms.keys() != b.terms.keys():
        return None
    ratios = {a.terms[m] / b.terms[m] for m in a.terms}
    return ratios.pop() if len(ratios) == 1 else None


def as_polynomial(node: ex.Expression, leaves: Sequence[Polynomial], highest: int = max(DEGREES)) -> Polynomial | None:
    """Multiply a tree out, None where it is no polynomial, or holds a power above the highest."""
    match node:
        case ex.Number(value=q):
            return Polynomial.constant(rational(q))
        case ex.Own(coordinate=c):
            return leaves[c]
        case ex.Apply(function="neg", argument=argument):
            u = as_polynomial(argument, leaves, highest)
            return None if u is None else u.times(fmpq(-1))
        case ex.Power(base=base, exponent=ex.Number(value=k)) if k.denominator == 1 and 0 < k <= highest:
            u = as_polynomial(base, leaves, highest)
            if u is None:
                return None
            power = u
            for _ in range(int(k) - 1):
                power = power * u
            return power
        case ex.Binary(operator=operator, left=left, right=right) if operator in ("+", "-", "*", "/"):
            u, v = as_polynomial(left, leaves, highest), as_polynomial(right, leaves, highest)
            if u is None or v is None:
                return None
            if operator == "/":
                return u.times(1 / v.at_zero) if v.at_zero and not v.variables else None
            return u + v if operator == "+" else u - v if operator == "-" else u * v
    return None


def expanded_composite(whole: Composite, names: Sequence[str], fine: float) -> tuple[Floats, float]:
    """Return Chebyshev coefficients, one axis a name, of a polynomial, and a bound of how far it is from K on the box.

    Args:
        whole: K.
        names: all variables, in the order of the axes.
        fine: errors of this size do not matter.

    Raises:
        NotAnalytic: G has no polynomial of moderate degree near it, or the tensor would be too large.
    """
    scales, inner = whole.scales(), [f"s{i}" for i in range(len(whole.inner))]
    if not all(scale.half for scale in scales):
        raise NotAnalytic("a form that does not move")
    negated, missed = difference(Polynomial({}), inner, whole.outer, scales, fine)
    q, dropped = _thinned(-negated, fine)
    used = [[name for name in names if name in s.variables] for s in whole.inner]
    sizes = [n for s, names_of, top in zip(whole.inner, used, q.shape, strict=True)
             for n in (s.degree(name) * (top - 1) + 1 for name in names_of)]
    if math.prod(sizes) > LARGEST_TENSOR or max(q.shape) * math.prod(sizes[: len(used[0])]) > LARGEST_TENSOR:
        raise NotAnalytic(f"a tensor of {math.prod(sizes):.3g} coefficients")
    tensor, l1, factor = q, np.abs(q), 1.0
    for s, scale, own in zip(whole.inner, scales, used, strict=True):
        t = (s - Polynomial.constant(rational(scale.centre))).times(1 / rational(scale.half))
        table, off = _chebyshev_of(t, own, tensor.shape[0])
        factor *= 1 + off
        l1 = np.tensordot(l1, np.abs(table).reshape(len(table), -1).sum(axis=1), axes=(0, 0))
        tensor = np.tensordot(tensor, table, axes=(0, 0))
    order = list(itertools.chain(*used))
    tensor = np.transpose(tensor, [order.index(name) for name in names if name in order])
    tensor = np.expand_dims(tensor, [axis for axis, name in enumerate(names) if name not in order])
    rounding = float(l1) * (sum(q.shape) + 16) * 2 * _UNIT
    total = float(np.abs(q).sum())
    return tensor, (missed + dropped + total * (factor - 1) + total * 2.0**-44 + rounding) * (1 + 2.0**-30)


def _thinned(q: Floats, fine: float) -> tuple[Floats, float]:
    """Leave out the highest degrees of each variable that together are at most ``fine``; |T_a| <= 1."""
    sizes = np.abs(q)
    ends = []
    for axis in range(q.ndim):
        beyond = np.cumsum(sizes.sum(axis=tuple(a for a in range(q.ndim) if a != axis))[::-1])[::-1]
        ends.append(slice(0, max(2, int(np.max(np.flatnonzero(beyond > fine / q.ndim), initial=0)) + 1)))
    kept = q[tuple(ends)]
    left = sizes.copy()
    left[tuple(ends)] = 0.0
    return kept, float(left.sum()) * (1 + 2.0**-30)


def _chebyshev_of(t: Polynomial, names: Sequence[str], count: int) -> tuple[Floats, float]:
    """Return the coefficients of T_0(t), .., T_{count - 1}(t), (count, *shape), and a bound of each one's error on the box."""
    coefficients, slack = chebyshev(t, names)
    terms = [(index, float(coefficients[index])) for index in np.ndindex(coefficients.shape) if coefficients[index]]
    shape = tuple((n - 1) * (count - 1) + 1 for n in coefficients.shape)
    table = np.zeros((count, *shape))
    table[(0,) * (len(shape) + 1)] = 1.0
    table[1][tuple(map(slice, coefficients.shape))] = coefficients
    size = sum(abs(c) for _, c in terms)
    off = slack  # of t itself
    for a in range(1, count - 1):
        table[a + 1] = 2 * times(terms, table[a]) - table[a - 1]
        now, before = float(np.abs(table[a]).sum()), float(np.abs(table[a - 1]).sum())
        off += 2 * slack * now + (2 * size * now + before) * (4 * len(terms) * 2 ** len(shape) + 16) * _UNIT
    return table, off * count * (1 + 2.0**-30)


def times(terms: Sequence[tuple[tuple[int, ...], float]], tensor: Floats) -> Floats:
    """Multiply by a short expansion: T_k T_j = (T_{j+k} + T_{|j-k|})/2 in each variable; what leaves the array is 0 there."""
    total = np.zeros_like(tensor)
    for index, c in terms:
        part = tensor
        for axis, k in enumerate(index):
            if k:
                part = _shifted(part, axis, k)
        total += c * part
    return total


def _shifted(tensor: Floats, axis: int, k: int) -> Floats:
    source = np.moveaxis(tensor, axis, 0)
    n, result = len(source), np.zeros_like(source)
    result[k:] += source[: n - k] / 2
    for j in range(n):
        if abs(j - k) < n:
            result[abs(j - k)] += source[j] / 2
    return np.moveaxis(result, 0, axis)
