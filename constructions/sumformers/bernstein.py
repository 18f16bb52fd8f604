"""The tensor Bernstein operator: polynomial density with a constant (mathematics: polynomial-density).

B_N f(X) = sum_k f(k/N) prod_j b_{k_j}(x_j) over the n d scalar coordinates, b_k(t) = binom(N, k) t^k (1 - t)^(N - k). It keeps
equivariance, and with |f(X) - f(X')| <= sum_j L_j |x_j - x'_j| it errs by at most (b - a) sum_j L_j / (2 sqrt N), because the
mean distance of a binomial variable from its mean is at most 1/(2 sqrt N).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from constructions.encodings.power_sums import printed_dimension, sharpened_dimension
from constructions.errors import Refused
from constructions.targets import expression as ex
from constructions.targets.target import Target
from constructions.wording import counted

MAX_VALUES = 4000


def bernstein_degree(sides: Sequence[tuple[Fraction, Fraction]], slopes: Sequence[Fraction], tolerance: Fraction) -> int:
    """Return the least N with sum_j (b_j - a_j) L_j / (2 sqrt N) <= tolerance, over all n d coordinates.

    >>> bernstein_degree([(Fraction(0), Fraction(1))] * 2, [Fraction(1)] * 2, Fraction(1, 4))
    16
    """
    weight = sum(((b - a) * L for (a, b), L in zip(sides, slopes, strict=True)), Fraction(0))
    needed = (weight / (2 * tolerance)) ** 2
    return max(1, math.ceil(needed))


def bernstein_degree_fits(target: Target, slopes: Sequence[Fraction], tolerance: Fraction) -> int:
    """Return N, or refuse where more than ``MAX_VALUES`` values of f would be needed, saying how many."""
    N = bernstein_degree(list(target.box.sides) * target.n, slopes, tolerance)
    count = (N + 1) * math.comb(N + target.n - 1, target.n - 1)
    if count > MAX_VALUES:
        raise Refused(f"it is not a polynomial, and its Bernstein polynomial has degree {counted(N)} or more in each coordinate: "
                      f"at least {counted(count)} values of f are more than {MAX_VALUES}; latent dimension "
                      f"{counted(sharpened_dimension(target.n, 1, N))} (printed {printed_dimension(target.n, 1)})")
    return N


def bernstein(target: Target, slopes: Sequence[Fraction], tolerance: Fraction) -> tuple[tuple[ex.Expression, ...], Fraction, int]:
    """Return expressions in x and means of y that equal B_N f, the proved bound of |f - B_N f|, and N; d = 1.

    The values of f at the grid are taken in float64; each is within 2^-40 of its size of f, and B_N averages them.

    Args:
        target: f on [a, b]^n, one coordinate a token.
        slopes: Lipschitz constants, the own token first, then one for each other.
        tolerance: of the approximation.

    Raises:
        Refused: d > 1, or more grid values than ``MAX_VALUES``, with N, their number and the latent dimension.
    """
    N, (a, b) = bernstein_degree_fits(target, slopes, tolerance), target.box.sides[0]
    grid = [a + (b - a) * Fraction(k, N) for k in range(N + 1)]
    cells = [(own, *others) for own in range(N + 1)
             for others in itertools.combinations_with_replacement(range(N + 1), target.n - 1)]
    values = target.numpy(np.array([[[float(grid[k])] for k in cell] for cell in cells]), slice(0, 1))[:, 0]
    scale = Fraction(float(np.abs(values).max()))
    outputs = []
    for o in range(target.d_out):
        terms = [_term(Fraction(float(value)), cell, N, a, b) for cell, value in zip(cells, values[:, o], strict=True) if value]
        outputs.append(_sum(terms) if terms else ex.Number(Fraction(0)))
    weight = sum(slopes, Fraction(0)) * (b - a)
    root = Fraction(math.isqrt(N * 2**80), 2**40)  # below sqrt(N)
    return tuple(outputs), weight / (2 * root) + (scale + 1) / 2**40, N


def slopes_that_occur(target: Target, samples: int = 64) -> list[Fraction]:
    """Return slopes found by differences, own token first: no Lipschitz constant is smaller."""
    rng = np.random.default_rng(0)
    low, high = (float(end) for end in target.box.sides[0])
    n = target.n
    tokens = low + (high - low) * (0.001 + 0.998 * rng.random((samples, n, 1)))
    step = 1e-6 * (high - low)
    found = []
    for j in range(min(n, 2)):
        moved = tokens.copy()
        moved[:, j] += step
        rise = np.abs(target.numpy(moved, slice(0, 1)) - target.numpy(tokens, slice(0, 1))).max() / step
        found.append(Fraction(float(rise) * 0.99) if np.isfinite(rise) else Fraction(1))
    return [found[0], *(found[1] for _ in range(n - 1))]


def _term(value: Fraction, cell: tuple[int, ...], N: int, a: Fraction, b: Fraction) -> ex.Expression:
    """value * b_own(x) * sum over distinct assignments of the others' cells to the others.

    The last is a polynomial in the power sums of the others: a sum over set partitions of the products of
    (-1)^(|B|-1) (|B|-1)! sum_k prod of b_j(x_k), j in B (mathematics: power-sums-generate), divided by the repetitions.
    """
    from constructions.sumformers.power_sums import partitions

    own, *others = cell
    x, y = _unit(ex.Own(0), a, b), _unit(ex.Other(0), a, b)
    parts: list[ex.Expression] = []
    for partition in partitions(list(range(len(others)))):
        factors: list[ex.Expression] = [ex.Number(Fraction(math.prod((-1) ** (len(B) - 1) * math.factorial(len(B) - 1)
                                                                      for B in partition)))]
        for block in partition:
            body, mine = (ex.joined("*", [_bernstein(token, others[j], N) for j in block]) for token in (y, x))
            factors.append(ex.Binary("-", ex.Reduction("sum", body), mine))
        parts.append(ex.joined("*", factors))
    repeated = math.prod(math.factorial(others.count(k)) for k in set(others))
    return ex.joined("*", [ex.Number(value / repeated), _bernstein(x, own, N), _sum(parts)])


def _unit(token: ex.Expression, a: Fraction, b: Fraction) -> ex.Expression:
    return ex.Binary("/", ex.Binary("-", token, ex.Number(a)), ex.Number(b - a))


def _bernstein(t: ex.Expression, k: int, N: int) -> ex.Expression:
    one = ex.Binary("-", ex.Number(Fraction(1)), t)
    powers = [ex.Power(base, ex.Number(Fraction(m))) for base, m in ((t, k), (one, N - k)) if m]
    return ex.joined("*", [ex.Number(Fraction(math.comb(N, k))), *powers])


def _sum(parts: Sequence[ex.Expression]) -> ex.Expression:
    result = list(parts)
    while len(result) > 1:  # balanced, so that the tree stays shallow
        result = [ex.Binary("+", *pair) if len(pair) == 2 else pair[0] for pair in
                  (result[i:i + 2] for i in range(0, len(result), 2))]
    return result[0]
