"""Quotients of means that are averages with exponential weights, as one coordinate of y or two and one form that each meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import fmpq_poly

from constructions.errors import Refused
from constructions.pieces.axes import Axis
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.exponents import MAX_DEGREE, Exponent
from constructions.pieces.forms import Quantity
from constructions.pieces.polynomials import polynomial_of
from constructions.sumformers.kernel_arguments import kernel_tree, other_coordinates
from constructions.sumformers.planar_exponents import planar
from constructions.sumformers.rewriting import factors, with_own
from constructions.sumformers.separable import other_only
from constructions.sumformers.values import Algebra, Value
from constructions.targets import expression as ex


def exponential_average(weight: ex.Expression, values: ex.Expression, tokens: Sequence[Quantity],
                        value: Callable[[ex.Expression], Value], algebra: Algebra) -> ExponentialAverage | None:
    """Read mean(weight values)/mean(weight), None where it is nothing that logarithms can form.

    Args:
        weight: what the divisor averages over y.
        values: what is averaged under it.
        tokens: the coordinates of the own token.
        value: reads an expression without free y.
        algebra: in which it is read.
    """
    exponents = [factor.argument for factor in factors(weight) if isinstance(factor, ex.Apply) and factor.function == "exp"]
    coordinates = other_coordinates(weight)
    if len(exponents) < len(factors(weight)) or len(coordinates) not in (1, 2) or not other_only(values):
        return None
    try:
        k, outer = kernel_tree(ex.joined("+", exponents), coordinates, value, algebra)
    except Refused:
        return None
    inside = all(c in coordinates for c in other_coordinates(values))
    s = kernel_tree(values, coordinates, value, algebra)[0] if inside else None
    v = [tokens[c] for c in coordinates]
    if len(v) == 2:
        return None if s is None else planar(k, s, outer, v)
    exponent = Exponent.of(k) if len(outer) == 1 else None
    if exponent is None:
        return None
    of_v = None if s is None else polynomial_of(s, MAX_DEGREE)
    if s is not None and of_v is not None:
        return ExponentialAverage(k, s, [Axis(outer[0], v[0], exponent, of_v)])
    own = Axis(outer[0], v[0], exponent, fmpq_poly())
    return ExponentialAverage(k, ex.Own(0), [own], algebra.form(value(with_own(values))))
