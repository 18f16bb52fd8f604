"""What a mean of a kernel of many variables is held in: sum C_ab v_a(x) w_b, v_a of the own token, w_b linear in means.

With w_b = sum W_bk mean of P_k(y) the network averages p(x, y) = sum v_a(x) (C W)_ak P_k(y) over y. The products are taken in
float64, on Chebyshev coefficients; rounding is bounded by the l1 norms of the factors (|T_j| <= 1). Noise of v_a enters through
|sum (C W)_ak P_k(y)|, noise of P_k through |sum v_a(x) (C W)_ak|, each summed on a grid.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from proofs_check.enclosures.interval import Floats
from proofs_check.structure.content import Content
from proofs_check.structure.deviation import cosines
from proofs_check.structure.polynomial import CONSTANT, Polynomial
from proofs_check.structure.ranges import chebyshev, rational_up, sum_on_angles, widened
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.squares import rational

GRID = 8  # points for each degree where noise is added up
FINER = 3  # points for each degree where a tensor of many variables is bounded
REST = 400  # a variable's degrees end where the rest of a tensor is a part of its l1 norm
LARGEST_GRID = 100_000_000
_UNIT = 2.0**-52
_LEAST = 2.0**-900  # what conversion of very small numbers may lose

Names = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Separated:
    """p as Chebyshev coefficients, axes x then y; the network averages p up to ``missed`` (rounding) and ``noise``."""

    tensor: Floats
    missed: float
    noise: float


@dataclass(frozen=True, eq=False)
class Side:
    """Functions of one token: Chebyshev coefficients, (count, *shape), the l1 norm of each, and bounds of their noise."""

    coefficients: Floats
    l1: Floats
    noise: Floats

    @staticmethod
    def of(contents: Sequence[Content], names: Names) -> Side:
        """Expand contents in ``names``."""
        arrays = [_coefficients(content.main, names) for content in contents]
        shape = [max(array.shape[axis] for array in arrays) for axis in range(len(names))]
        table = np.zeros((len(arrays), *shape))
        for row, array in zip(table, arrays, strict=True):
            row[tuple(map(slice, array.shape))] = array
        noise = np.array([content.sharp_spread() for content in contents])
        return Side(table, np.abs(table).reshape(len(table), -1).sum(axis=1), noise)

    def mixed(self, weights: Floats, factors: Floats) -> float:
        """Bound sum_r factors_r |sum_k weights_rk f_k| over the token; the f_k are taken as they are."""
        rows = np.flatnonzero(factors * np.abs(weights).sum(axis=1))
        if not len(rows):
            return 0.0
        combined = np.tensordot(weights[rows], self.coefficients, axes=(1, 0))
        rounding = (np.abs(weights[rows]) @ self.l1) * (len(self.l1) + 32) * 2 * _UNIT + _LEAST
        parts = [(factor * tensor, float(factor * off))
                 for factor, tensor, off in zip(factors[rows], combined, rounding, strict=True)]
        values, missed, _ = sum_on_angles(parts, GRID)
        return (float(values.max()) + missed) * (1 + 2.0**-30)


def separated(reading: Reading, held: Content, names: Names, others: Names, fine: float) -> Separated:
    """Read p off a content.

    Args:
        reading: definitions of the channels.
        held: what the network holds.
        names: variables of the own token.
        others: variables of the token y.
        fine: terms of another shape are bounded one by one, and may add up to as much.

    Raises:
        NotUnderstood: the content is no such sum.
    """
    own, pooled = [Content.constant(fmpq(1))], [Content.constant(fmpq(1))]
    means: dict[str, int] = {"": 0}  # the constant 1
    places: dict[str, int] = {}
    columns: dict[str, tuple[dict[int, fmpq], float]] = {"": ({0: fmpq(1)}, 0.0)}
    for name in sorted(held.main.variables):
        content = reading.whole(Content(Polynomial.variable(name)))
        if content.variables <= set(names):
            places[name] = len(own)
            own.append(content)
        else:
            columns[name] = _linear(reading, content, means, pooled), content.sharp_spread()
    at = {name: k for k, name in enumerate(columns)}
    C, lost = np.zeros((len(own), len(columns))), 0.0
    for monomial, c in held.main.terms.items():
        mine = [name for name, e in monomial if name in places]
        theirs = [name for name, e in monomial if name in at]
        if len(mine) > 1 or len(theirs) > 1 or any(e > 1 for _, e in monomial):
            lost += rational_up(abs(c))
            continue
        C[places[mine[0]] if mine else 0, at[theirs[0]] if theirs else 0] = _rounded(c)
    if not lost <= fine:
        raise NotUnderstood("its channels hold no sum of functions of the token times means")
    W = np.zeros((len(columns), len(means)))
    for row, (weights, _) in zip(W, columns.values(), strict=True):
        for k, c in weights.items():
            row[k] = _rounded(c)
    return _product(Side.of(own, names), C, W, np.array([spread for _, spread in columns.values()]), Side.of(pooled, others),
                    lost + sum(rational_up(one.polynomial.l1()) for one in held.noise.values()) + held.rest)


def _rounded(c: fmpq) -> float:
    """Return the nearest float64; where it may have lost more than a unit in the last place nothing is understood."""
    nearest = int(c.p) / int(c.q)
    if c and abs(nearest) < _LEAST:
        raise NotUnderstood("a weight too small to be multiplied in floating point")
    return nearest


def _linear(reading: Reading, content: Content, means: dict[str, int], pooled: list[Content]) -> dict[int, fmpq]:
    """Return the weights of what is averaged; a scaled mean is (mean - centre)/half."""
    weights: dict[int, fmpq] = {0: fmpq(0)}
    for monomial, c in content.main.terms.items():
        if monomial == CONSTANT:
            weights[0] += c
            continue
        ((name, exponent), *more) = monomial
        if more or exponent != 1 or name not in reading.pooled:
            raise NotUnderstood("its channels hold no sum of functions of the token times means")
        scale = reading.variables[name]
        if not scale.half:  # the mean is a constant, and its variable stands for 0
            continue
        if name not in means:
            means[name] = len(pooled)
            pooled.append(reading.pooled[name])
        weights[means[name]] = c / rational(scale.half)
        weights[0] -= c * rational(scale.centre / scale.half)
    return weights


def _product(x: Side, C: Floats, W: Floats, w_noise: Floats, y: Side, rest: float) -> Separated:
    A = C @ W
    size = np.abs(C) @ np.abs(W)  # |A| is off by less than a few units of it
    terms = len(C) + len(W) + len(W.T) + 32
    tensor = np.tensordot(x.coefficients, np.tensordot(A, y.coefficients, axes=(1, 0)), axes=(0, 0))
    missed = float(x.l1 @ size @ y.l1) * terms * 4 * _UNIT + _LEAST * size.size
    missed += 2.0**-1000 * float(x.l1.sum()) * float(y.l1.sum()) * size.size  # entries of A that are too small for float64
    noise = y.mixed(A, x.noise) + x.mixed(A.T, y.noise) + x.mixed(C.T, w_noise)
    noise += float(x.noise @ size @ y.noise) + float(x.noise @ np.abs(C) @ w_noise)
    off = float(x.noise @ size @ y.l1 + x.l1 @ size @ y.noise) * terms * 4 * _UNIT  # rounding of A in what noise is multiplied by
    return Separated(tensor, missed * (1 + 2.0**-30), (noise + off + rest + _LEAST) * (1 + 2.0**-30))


@functools.lru_cache(maxsize=2048)
def _coefficients(polynomial: Polynomial, names: Names) -> Floats:
    """Return Chebyshev coefficients, each right to a unit in the last place."""
    if polynomial.variables - set(names):
        raise NotUnderstood(f"its channels depend on {', '.join(sorted(polynomial.variables - set(names))[:3])} too")
    return chebyshev(polynomial, names)[0]


def tensor_range(tensor: Floats) -> tuple[float, float]:
    """Enclose the values of sum c_J T_J for many variables: those of low degree on a Chebyshev grid, the rest by its l1 norm.

    A polynomial of degree n is at most 1/cos(pi n/(2 N)) times its largest value on N Chebyshev points of each variable (Ehlich
    and Zeller 1964), here of the polynomial less the middle of its values.
    """
    constant, sizes = float(tensor[(0,) * tensor.ndim]), np.abs(tensor)
    total = float(sizes.sum()) * (1 + 2.0**-30)
    around = total - abs(constant) * (1 - 2.0**-30)
    block = tensor[tuple(slice(0, _last(sizes, axis, total / REST) + 1) for axis in range(tensor.ndim))]
    counts = [FINER * n for n in block.shape]
    if math.prod(counts) > LARGEST_GRID:
        return constant - around, constant + around
    rest = total - float(np.abs(block).sum()) * (1 - 2.0**-30)
    tables = [cosines(n - 1, N) for n, N in zip(block.shape, counts, strict=True)]
    low, high = math.inf, -math.inf
    for row in tables[0].T:  # one slice after the other: the whole grid would not fit
        values = np.tensordot(row, block, axes=(0, 0))
        for table in tables[1:]:
            values = np.tensordot(values, table, axes=(0, 0))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    factor = math.prod(1 / math.cos(math.pi * (n - 1) / (2 * N)) for n, N in zip(block.shape, counts, strict=True))
    rounding = total * (block.size + 16) * 2 * _UNIT
    middle, reach = (low + high) / 2, ((high - low) / 2 + rounding) * factor * (1 + 2.0**-30) + rest + rounding
    return widened(max(middle - reach, constant - around), min(middle + reach, constant + around))


def _last(sizes: Floats, axis: int, tail: float) -> int:
    """Return the last index of an axis after which the sizes add up to at most the tail."""
    each = sizes.sum(axis=tuple(a for a in range(sizes.ndim) if a != axis))
    return int(np.max(np.flatnonzero(np.cumsum(each[::-1])[::-1] > tail), initial=0))
