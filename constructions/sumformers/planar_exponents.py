"""Exponents and values that are sums over two coordinates of y, taken apart as polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mpoly_ctx, fmpq_poly

from constructions.pieces.axes import Axis
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.exponents import Exponent, polynomial_in
from constructions.pieces.forms import Form, Quantity
from constructions.pieces.polynomials import fraction
from constructions.targets import expression as ex


def planar(exponent: ex.Expression, values: ex.Expression, outer: Sequence[Form], v: Sequence[Quantity]
           ) -> ExponentialAverage | None:
    """Read an average over both coordinates, None where one meets more than one form, or where both occur in one product.

    Args:
        exponent: a tree in variables 0 .. p - 1 for the forms, p and p + 1 for the coordinates.
        values: a tree in variables 0 and 1 for the coordinates.
        outer, v: these forms and coordinates.
    """
    p, met = len(outer), [set[int](), set[int]()]
    k, s = _monomials(exponent, p + 2), _monomials(values, 2)
    if k is None or s is None:
        return None
    of_y = [fmpq_poly(), fmpq_poly()]
    for powers, c in s:
        if all(powers):
            return None
        of_y[1 if powers[1] else 0] += _power(max(powers), c)
    lines = [[fmpq_poly(), fmpq_poly()] for _ in v]
    for powers, c in k:
        (*of_u, first, second) = powers
        if (first and second) or ((first or second) and sum(of_u) > 1):
            return None
        if first or second:
            a = 1 if second else 0
            met[a] |= {m for m, power in enumerate(of_u) if power}
            lines[a][sum(of_u)] += _power(first + second, c)
    places = [min(one, default=0) for one in met]
    if any(len(one) > 1 for one in met) or not all(m in places or not any(powers[m] for powers, _ in k) for m in range(p)):
        return None
    tree = ex.joined("+", [_renamed(powers, c, places) for powers, c in k])
    axes = [Axis(outer[m], coordinate, Exponent(of_u, alone), part)
            for m, coordinate, (alone, of_u), part in zip(places, v, lines, of_y, strict=True)]
    return ExponentialAverage(tree, values, axes)


def _monomials(tree: ex.Expression, variables: int) -> list[tuple[tuple[int, ...], fmpq]] | None:
    found = polynomial_in(tree, fmpq_mpoly_ctx.get(tuple(f"x{c}" for c in range(variables))))
    return None if found is None else [(tuple(map(int, powers)), c) for powers, c in found.to_dict().items()]


def _power(power: int, c: fmpq) -> fmpq_poly:
    return fmpq_poly([0] * power + [c])


def _renamed(powers: tuple[int, ...], c: fmpq, places: Sequence[int]) -> ex.Expression:
    """Return a product of powers in x[0] = u_1, x[1] = v_1, x[2] = u_2, x[3] = v_2."""
    *of_u, first, second = powers
    a = 1 if second or places[0] not in [m for m, power in enumerate(of_u) if power] else 0
    names = {2 * (a if places[a] == m else 1 - a): power for m, power in enumerate(of_u) if power} | {1: first, 3: second}
    parts: list[ex.Expression] = [] if c == 1 and any(powers) else [ex.Number(fraction(c))]
    for name, power in names.items():
        if power:
            parts.append(ex.Own(name) if power == 1 else ex.Power(ex.Own(name), ex.Number(Fraction(power))))
    return ex.joined("*", parts)
