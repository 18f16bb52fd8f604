"""Quotients of means that are averages with exponential weights, as one coordinate of y and one form of everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from constructions.errors import Refused
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.exponents import MAX_DEGREE, Exponent
from constructions.pieces.forms import Quantity
from constructions.pieces.polynomials import polynomial_of
from constructions.sumformers.kernel_arguments import kernel_tree, other_coordinates
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
    if len(exponents) < len(factors(weight)) or len(coordinates) != 1 or not other_only(values):
        return None
    try:
        k, outer = kernel_tree(ex.joined("+", exponents), coordinates, value, algebra)
    except Refused:
        return None
    if len(outer) != 1 or Exponent.of(k) is None:
        return None
    u, v = outer[0], tokens[coordinates[0]]
    if other_coordinates(values) in ([], coordinates):
        s, _ = kernel_tree(values, coordinates, value, algebra)
        if polynomial_of(s, MAX_DEGREE) is not None:
            return ExponentialAverage(k, s, u, v)
    return ExponentialAverage(k, ex.Own(0), u, v, algebra.form(value(with_own(values))))
