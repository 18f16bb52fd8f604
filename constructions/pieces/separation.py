"""Separate kernels: K(x, y) ~ sum_r alpha_r(x) beta_r(y) of low rank, with a proved error (mathematics: separable-kernel).

Singular values in Chebyshev coefficient space give the rank; several kernels of the same arguments share the alphas. What is
certified is the final sum with its rounded, thinned coefficients, against the kernel itself.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from constructions.errors import Refused
from constructions.pieces.expansion import Box, Degrees, Grid, cosines, nearby
from constructions.pieces.forms import upward
from constructions.pieces.smooth import Smooth

Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Separation:
    """alpha_r = sum_k U[r, k] B_k(x), beta_or = sum_l V[r, o, l] B_l(y), B the Chebyshev products of the listed degrees.

    ``errors[o]`` bounds sup |K_o - sum_r alpha_r beta_or|.
    """

    U: np.ndarray
    V: np.ndarray
    x_degrees: tuple[Index, ...]
    y_degrees: tuple[Index, ...]
    errors: tuple[float, ...]

    @property
    def error(self) -> float:
        """The largest of the errors."""
        return max(self.errors)


PRODUCT = 40  # parameters of a product, and of one Chebyshev polynomial or product of them, roughly
POLYNOMIAL = 24
LARGEST_GRID = 3e7
ASSUMED_LOSS = 4.0  # of the proof against random points, in four variables


def separate_many(kernels: Sequence[Smooth], x_variables: int, box: Box, tolerance: float, max_degree: int = 64,
                  max_rank: int = 128) -> Separation:
    """Separate kernels of the same arguments, the first ``x_variables`` of which are x.

    Raises:
        Refused: no analytic neighbourhood, a degree above ``max_degree`` or a rank above ``max_rank``.
    """
    certifiers = [certifier(K, box, tolerance / 50, max_degree) for K in kernels]
    x_shape, y_shape = _shapes(certifiers, x_variables)
    matrices = [_padded(c.coefficients, (*x_shape, *y_shape)).reshape(math.prod(x_shape), -1) for c in certifiers]
    stacked = np.concatenate(matrices, axis=1)
    direct = _direct(stacked, len(kernels), certifiers, x_shape, y_shape, tolerance, max_rank)
    worth = min(map(_cost, direct), default=math.inf)
    proposals = [*_by_singular_values(stacked, len(kernels), certifiers, x_shape, y_shape, tolerance, max_rank, worth), *direct]
    if not proposals:
        raise Refused(f"{', '.join(str(K.tree) for K in kernels)} has no separation of rank at most {max_rank} to within "
                      f"{tolerance:.3g}")
    return min(proposals, key=_cost)


def _cost(found: Separation) -> float:
    tensors = sum(sum(1 for j in index if j) - 1 for index in {*found.x_degrees, *found.y_degrees} if any(index))
    degrees = len({(c, j) for index in (*found.x_degrees, *found.y_degrees) for c, j in enumerate(index) if j > 1})
    return float(np.count_nonzero(found.U) + np.count_nonzero(found.V) + PRODUCT * found.V.shape[0] * found.V.shape[1]
                 + POLYNOMIAL * degrees + PRODUCT * tensors)


def _by_singular_values(stacked: np.ndarray, outputs: int, certifiers: Sequence[Certifier], x_shape: Index, y_shape: Index,
                        tolerance: float, max_rank: int, worth: float) -> list[Separation]:
    """Lowest ranks first; the rank is taken one or two higher where thinner factors pay for it.

    Ranks that must cost more than ``worth`` are left out: a rank costs at least what the tolerance as threshold leaves of it.
    """
    u, s, vt = np.linalg.svd(stacked, full_matrices=False)
    u, s, vt = u[:, :max_rank], s[:max_rank], vt[:max_rank]
    found: list[Separation] = []

    def rounded(rank: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        root = np.exp2(np.round(np.log2(np.sqrt(s[:rank]))))  # a power of two, so that scaling rounds nothing
        U, V = (u[:, :rank] * root).T, (s[:rank] / root)[:, None] * vt[:rank]
        weight_u, weight_v = np.abs(V).max(axis=1, keepdims=True), np.abs(U).max(axis=1, keepdims=True)
        return np.where(np.abs(U) * weight_u > threshold, U, 0.0), np.where(np.abs(V) * weight_v > threshold, V, 0.0)

    def errors(rank: int, threshold: float) -> tuple[float, ...] | None:
        """Return the errors of all kernels, None if one is too large: the first such one decides."""
        U, V = rounded(rank, threshold)
        bounds: list[float] = []
        for c, part in zip(certifiers, np.split(V, outputs, axis=1), strict=True):
            bounds.append(c.error((U.T @ part).reshape(*x_shape, *y_shape), tolerance))
            if not bounds[-1] <= tolerance:
                return None
        return tuple(bounds)

    def least_cost(rank: int) -> float:
        return _cost(_separation(*rounded(rank, tolerance), outputs, x_shape, y_shape, ()))

    affordable = bisect.bisect_right(range(1, len(s) + 1), worth, key=least_cost)
    if not affordable or errors(affordable, 0.0) is None:
        return found
    low, high = 1, affordable
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if errors(middle, 0.0) is None else (low, middle)
    tried = 4 if len(x_shape) + len(y_shape) <= 2 else 1  # more variables: seconds each, and seldom chosen
    for rank in range(low, min(low + tried, affordable + 1)):
        small, large, bounds = tolerance * 1e-9, tolerance, None
        for _ in range(9):
            threshold = math.sqrt(small * large)
            fitting = errors(rank, threshold)
            small, large, bounds = (small, threshold, bounds) if fitting is None else (threshold, large, fitting)
        bounds = errors(rank, small) if bounds is None else bounds
        if bounds is not None:
            U, V = rounded(rank, small)
            found.append(_separation(U, V, outputs, x_shape, y_shape, bounds))
    return found


def _direct(stacked: np.ndarray, outputs: int, certifiers: Sequence[Certifier], x_shape: Index, y_shape: Index, tolerance: float,
            max_rank: int) -> list[Separation]:
    """Keep the large coefficients as they are, one product for each polynomial of x: no mixing, for kernels of many variables."""
    if len(x_shape) + len(y_shape) <= 2:
        return []
    best: Separation | None = None
    threshold = _proposed_threshold(stacked, outputs, (*x_shape, *y_shape), tolerance)
    for _ in range(4):
        kept = np.where(np.abs(stacked) > threshold, stacked, 0.0)
        parts = np.split(kept, outputs, axis=1)
        bounds = tuple(c.error(part.reshape(*x_shape, *y_shape)) for c, part in zip(certifiers, parts, strict=True))
        if max(bounds) <= tolerance:
            rows = np.flatnonzero(np.any(kept, axis=1))
            best = _separation(np.eye(len(stacked))[rows], kept[rows], outputs, x_shape, y_shape, bounds)
            break
        threshold *= min(0.8, 0.9 * tolerance / max(bounds))
    return [best] if best is not None and len(best.U) <= 4 * max_rank else []


def _proposed_threshold(stacked: np.ndarray, outputs: int, shape: Index, tolerance: float) -> float:
    """Find by random points the size below which coefficients may go, with the usual loss of the proof allowed for."""
    rng = np.random.default_rng(0)
    tables = [np.cos(np.outer(np.arange(n), np.arccos(rng.uniform(-1, 1, 400)))) for n in shape]
    small, large = tolerance * 1e-5, tolerance
    for _ in range(9):
        threshold = math.sqrt(small * large)
        dropped = np.where(np.abs(stacked) > threshold, 0.0, stacked)
        worst = 0.0
        for part in np.split(dropped, outputs, axis=1):
            values = part.reshape(shape)
            letters = "abcdefgh"[: len(shape)]
            values = np.einsum(f"{letters},{','.join(f'{c}z' for c in letters)}->z", values, *tables, optimize=True)
            worst = max(worst, float(np.abs(values).max()))
        small, large = (threshold, large) if worst <= tolerance / ASSUMED_LOSS else (small, threshold)
    return small


def _separation(U: np.ndarray, V: np.ndarray, outputs: int, x_shape: Index, y_shape: Index,
                bounds: tuple[float, ...]) -> Separation:
    """Drop what does not occur."""
    V = V.reshape(len(U), outputs, -1)
    used_rows, used_columns = np.any(U, axis=0), np.any(V, axis=(0, 1))
    used_rows[0] = used_columns[0] = True  # the constant 1, so that neither side is empty
    rows, columns = np.flatnonzero(used_rows), np.flatnonzero(used_columns)
    index = [list(itertools.product(*(range(D) for D in shape))) for shape in (x_shape, y_shape)]
    return Separation(U[:, rows], V[:, :, columns], tuple(index[0][k] for k in rows), tuple(index[1][k] for k in columns), bounds)


def _shapes(certifiers: Sequence[Certifier], x_variables: int) -> tuple[Index, Index]:
    shapes = [c.coefficients.shape for c in certifiers]
    largest = [max(shape[v] for shape in shapes) for v in range(len(shapes[0]))]
    return tuple(largest[:x_variables]), tuple(largest[x_variables:])


def _padded(coefficients: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return np.pad(coefficients, [(0, n - m) for n, m in zip(shape, coefficients.shape, strict=True)])


class Certifier(Protocol):
    """Bounds sup |K - P| for coefficient arrays P; ``coefficients`` is a proposal."""

    @property
    def coefficients(self) -> np.ndarray:
        """Chebyshev coefficients, float64, not certified."""

    def error(self, P: np.ndarray, enough: float = math.inf) -> float:
        """Bound sup |K - P| on the box, P taken exactly; inf where the bound is seen to be above ``enough``."""


def certifier(K: Smooth, box: Box, tail: float, max_degree: int) -> Certifier:
    """Return the sharper certifier for up to two variables, the one that scales for more."""
    if len(box) <= 2:
        return ByGrid.of(K, box, nearby(K, box, tail / 2, 2 * max_degree))
    near = nearby(K, box, 4 * tail, max_degree)
    count = math.prod(D + 1 for D in near.degrees)
    if count > LARGEST_GRID / 4:
        raise Refused(f"{K.tree} has {len(box)} variables: its expansion would have {count:.3g} coefficients")
    return ByCoefficients.of(K, box, near)


@dataclass(frozen=True, eq=False)
class ByGrid:
    """Compare with the kernel itself on a grid eight times as fine as the degree."""

    grid: Grid
    coefficients: np.ndarray

    @staticmethod
    def of(K: Smooth, box: Box, near: Degrees) -> ByGrid:
        """Evaluate the kernel once."""
        grid = Grid.of(K, box, near)
        return ByGrid(grid, grid.coefficients())

    def error(self, P: np.ndarray, enough: float = math.inf) -> float:
        """See :class:`Grid`; rows and columns beyond the proved degrees belong to another kernel and must be empty."""
        own = P[tuple(slice(0, D) for D in self.coefficients.shape)]
        rest = float(np.abs(P).sum() - np.abs(own).sum())
        return self.grid.error(own) + max(0.0, rest) * (1 + 2.0**-40) + np.abs(P).sum() * 2.0**-45


@dataclass(frozen=True, eq=False)
class ByCoefficients:
    """Compare with the interpolant's coefficients: low degrees on a grid two and a half times as fine, the rest by its l1 norm.

    Attributes:
        coefficients: of the interpolant, each right to ``slack``.
        tail: how far the interpolant is from the kernel.
        worst: the slice of the grid where the last error was largest.
    """

    coefficients: np.ndarray
    slack: float
    tail: float
    worst: list[int] = field(default_factory=lambda: [0])

    @staticmethod
    def of(K: Smooth, box: Box, near: Degrees) -> ByCoefficients:
        """Interpolate at D + 1 Chebyshev points a variable; small coefficients of high degree are set to 0 and paid for."""
        grid = Grid.of(K, box, near, oversampling=1.0, extra=1)
        full, size = grid.coefficients(), float(np.abs(grid.values).max())
        p = len(box)
        each = 2.0**p * (grid.radius + size * (sum(near.degrees) + 8 * p) * 2.0**-50)
        sizes = [np.abs(full).sum(axis=tuple(a for a in range(p) if a != v)) for v in range(p)]
        kept = full[tuple(slice(0, _last(one, near.tail / p) + 1) for one in sizes)]
        dropped = float(np.abs(full).sum() - np.abs(kept).sum()) * (1 + 2.0**-30) + 2.0**-40 * float(np.abs(full).sum()) * 2.0**-8
        return ByCoefficients(np.ascontiguousarray(kept), each, near.tail + dropped + each * full.size)

    def error(self, P: np.ndarray, enough: float = math.inf) -> float:
        """Bound the low part on a grid where that is affordable, one slice after the other, where it was largest before first."""
        difference = _padded(self.coefficients, P.shape) - P
        l1 = float(np.abs(difference).sum())
        counts = [math.ceil(2.5 * n) for n in P.shape]
        if math.prod(counts) > LARGEST_GRID:
            return self._bound(l1)
        tables = [cosines(n - 1, N) for n, N in zip(P.shape, counts, strict=True)]
        factor = math.prod(1 / math.cos(math.pi * (n - 1) / (2 * N)) for n, N in zip(P.shape, counts, strict=True))
        largest = 0.0
        for k in sorted(range(counts[0]), key=lambda k: k != self.worst[0]):
            values = np.tensordot(tables[0][:, k], difference, axes=(0, 0))
            for table in tables[1:]:
                values = np.tensordot(values, table, axes=(0, 0))
            size = max(float(values.max()), -float(values.min()))
            if size > largest:
                largest, self.worst[0] = size, k
            if self._bound(min(l1, largest * factor)) > enough:
                return math.inf
        return self._bound(min(l1, largest * factor + l1 * 2.0**-36))

    def _bound(self, low_degrees: float) -> float:
        return upward(low_degrees * (1 + 2.0**-30) + self.tail)


def _last(sizes: np.ndarray, tail: float) -> int:
    """Return the last index after which the sizes add up to more than nothing that matters."""
    beyond = np.cumsum(sizes[::-1])[::-1]
    return int(np.max(np.flatnonzero(beyond > tail), initial=0))
