"""K(u, y) between straight lines: where u is cut, where y is, and what stands there (mathematics: interpolated-kernel).

On the cell [c_k, c_{k+1}] of u, q = (u - c_k)/h, stands (1 - q) beta_k(y) + q beta_{k+1}(y) for K(u, y), beta_k piecewise linear
and near K(c_k, .). Nothing is asked of K but that it is continuous: it may bend anywhere. Where the difference is large, enclosed
with balls, there are more cells and more knots.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from constructions.errors import Refused
from constructions.pieces.kernel_gaps import CLOSE, Floats, Gaps, Range, gaps
from constructions.targets import expression as ex
from constructions.targets.evaluation import evaluate, numpy_algebra
from constructions.wording import counted

FEWEST, MOST = 4, 4096  # cells
ROOM = 1.0 + CLOSE  # who bounds the gaps again, as closely, may find them larger
CHORDS = 0.1  # of the tolerance: how far chords may be from points
STEPS = 2.0**-10  # of the largest W: the grid on which the ends of differences are put, so that neighbours share them
MOST_STEPS, LEAST_STEP, LARGEST_STEP, WIDER, FEWER = 16, 1.25, 8.0, 8, 0.75  # how much finer or coarser in one step
ALIKE = 0.4  # of the largest error: cells in which it is more are left alike, so that those of u and of y stay the same
EQUAL = 1e-6  # relative: parts and lengths of cells are rounded by less, cells that are to differ do so by more
KINKS = ("abs", "relu", *ex.PAIRS)
TINY, ALMOST = 1e-300, 1.15
SEEN, HOPELESS = 32, 4  # cells from which on it is asked whether the tolerance will be reached, and by how far it may be missed



@dataclass(frozen=True)
class Wanted:
    """A kernel K(u, v), how far what stands for w K(u, v) may be from it, and where its weight w lies."""

    K: ex.Expression
    tolerance: float
    weight: Range = (1.0, 1.0)

    @property
    def size(self) -> float:
        """Bound |w|."""
        return max(map(abs, self.weight))

    @property
    def pieces(self) -> float:
        """Return the part of the tolerance that products of hinges and the weight may take.

        For |u - v| on cells and pieces of length h lines err by h/4, products with u by h/8, and these by the range of w
        times h/16: with this part, and a little more, the pieces are as long as the cells.
        """
        wide = self.weight[1] - self.weight[0]
        return ALMOST * wide / (6 * self.size + wide) if wide else 0.0

    def widths(self, cells: Cells) -> Floats:
        """Return how wide the ranges of w D_k are."""
        corners = [w * end for w in self.weight for end in (cells.low, cells.low + cells.width)]
        return np.max(corners, axis=0) - np.min(corners, axis=0)

    def error(self, cells: Cells) -> float:
        """Return the error of lines and products with u, as a share of what it may be."""
        allowed = (1 - self.pieces) * self.tolerance
        return (self.size * cells.gap + float(self.widths(cells).max(initial=0.0)) / 16) / allowed


@dataclass(frozen=True)
class Box:
    """Ranges of u and y; the u that a network holds may be off by the margin, for which the outermost cells are longer."""

    u: Range
    y: Range
    margin: float = 0.0

    def __str__(self) -> str:
        return f"u in [{self.u[0]:.6g}, {self.u[1]:.6g}] and y in [{self.y[0]:.6g}, {self.y[1]:.6g}]"


@dataclass(frozen=True, eq=False)
class Cells:
    """Cuts of u and what stands at them.

    Attributes:
        cuts: (m + 1,) increasing, c_0 .. c_m.
        knots: (N + 1,) increasing, of y, the ends of its range among them.
        base: b, s and (N - 1,) jumps at the inner knots of beta_0(y) = b + s y + sum_j jump_j relu(y - knot_j).
        rises: (m, N + 1) the same for the differences D_k = beta_{k+1} - beta_k.
        low, width: (m,) L_k and W_k: D_k lies in [L_k, L_k + W_k].
        shift: added to everything.
        gap: bound of how far the lines, shifted, are from K.
    """

    cuts: Floats
    knots: Floats
    base: Floats
    rises: Floats
    low: Floats
    width: Floats
    shift: float = 0.0
    gap: float = math.inf

    @functools.cached_property
    def used(self) -> frozenset[int]:
        """Numbers of the inner knots at which some beta_k bends."""
        return frozenset(map(int, np.flatnonzero(np.any(np.vstack([self.base, self.rises])[:, 2:] != 0, axis=0))))

    @property
    def parameters(self) -> int:
        """About how many non-zero weights it takes."""
        return int(2 * np.count_nonzero(self.rises[:, 1:]) + 12 * len(self.rises) + 4 * len(self.used))


@functools.lru_cache(maxsize=64)
def designed(kernels: tuple[Wanted, ...], box: Box, most: int = MOST) -> tuple[Cells, ...]:
    """Choose cells, the same for all kernels, for an error of each one of at most its tolerance.

    Args:
        kernels: trees in x[0] = u and x[1] = y, with their tolerances.
        box: the ranges.
        most: cells, twice the channels that may be pooled.

    Raises:
        Refused: more cells would be needed, or a kernel is not finite somewhere or could not be bounded.
    """
    found = _Design.of(kernels, box, np.linspace(*box.u, FEWEST + 1), np.linspace(*box.y, FEWEST + 1))
    for _ in range(MOST_STEPS):
        longest = max(len(found.u), len(found.y)) - 1
        if found.share <= 1:
            return found.fewer().cells
        if longest >= most or (longest >= SEEN and found.expected > HOPELESS * most):
            break
        found = _Design.of(kernels, box, *(_recut(grid, found.share, parts, most) for grid, parts in (
            (found.u, found.of_cells), (found.y, found.of_pieces))))
    raise Refused(f"{kernels[0].K} between straight lines to within {kernels[0].tolerance:.3g} needs more than {counted(most)} "
                  f"cells, twice --max-latent")


def _has_kinks(wanted: Wanted) -> bool:
    return any(getattr(node, name, "") in KINKS for node in wanted.K.walk() for name in ("function", "operator"))


def _recut(grid: Floats, share: float, parts: Floats, most: int) -> Floats:
    """Cut each part in proportion to its error where that is too large, or widen it by the root; all alike if they err alike."""
    beside = np.pad(parts, 1)  # a cell next to one that errs may err when it is moved
    around = np.max([beside[:-2], parts, beside[2:]], axis=0)
    wanted = share * (np.ones_like(parts) if parts.min() > ALIKE else around)
    wanted = np.clip(np.where(wanted > 1, wanted, np.sqrt(wanted)), 1 / WIDER, LARGEST_STEP)
    count = max(float(wanted.sum()), len(parts) * min(share, LEAST_STEP))
    return _spread(grid, wanted, min(most, math.ceil(count)))


def _spread(grid: Floats, parts: Floats, count: int) -> Floats:
    """Return so many cells that each take the same part; equal parts give equal cells.

    Without that last exception, for parts and cells that differ by rounding only, u and y would be cut a little apart.
    """
    if np.ptp(parts) <= EQUAL * parts[0] and np.ptp(np.diff(grid)) <= EQUAL * (grid[1] - grid[0]):
        return np.linspace(grid[0], grid[-1], count + 1)
    sums = np.concatenate([[0.0], np.cumsum(parts)])
    found = np.interp(np.linspace(0, sums[-1], count + 1), sums, grid)
    found[[0, -1]] = grid[[0, -1]]
    return found


@dataclass(frozen=True, eq=False)
class _Design:
    """Cells of some kernels, and their errors over the tolerances.

    Attributes:
        u, y: where both ranges are cut.
        share: the largest error.
        of_cells, of_pieces: of each cell of u and piece of y, over the largest one.
    """

    kernels: tuple[Wanted, ...]
    box: Box
    u: Floats
    y: Floats
    cells: tuple[Cells, ...]
    share: float
    of_cells: Floats
    of_pieces: Floats

    @property
    def expected(self) -> float:
        """Predict the cells that are needed: smooth kernels gain with the square of their number, those with kinks less."""
        cells = max(len(self.u), len(self.y)) - 1
        if not any(map(_has_kinks, self.kernels)):
            return cells * math.sqrt(self.share)
        return self.share * float(max(self.of_cells.sum(), self.of_pieces.sum()))

    @staticmethod
    def of(kernels: tuple[Wanted, ...], box: Box, u: Floats, y: Floats) -> _Design:
        """Draw the cells and bound how far they are from the kernels."""
        found, share = list[Cells](), 0.0
        of_cells, of_pieces = np.zeros(len(u) - 1), np.zeros(len(y) - 1)
        for one in kernels:
            cells, scale = drawn(one.K, box, u, y, one.tolerance / max(one.size, TINY)), one.size / one.tolerance
            apart = _bounded(one.K, cells)
            found.append(replace(cells, shift=-apart.middle, gap=apart.largest * ROOM))
            share = max(share, one.error(found[-1]))
            spread = apart.of_cells[1] - apart.of_cells[0]
            of_cells = np.maximum(of_cells, scale * spread + one.widths(cells) / (8 * one.tolerance))
            of_pieces = np.maximum(of_pieces, scale * (apart.of_pieces[1] - apart.of_pieces[0]))
        scaled = [np.maximum(parts, 0) / max(float(parts.max()), TINY) for parts in (of_cells, of_pieces)]
        return _Design(kernels, box, u, y, tuple(found), share, *scaled)

    def fewer(self) -> _Design:
        """Take cells, then pieces, away as long as the error allows."""
        found = self
        for axis in (0, 1):
            while True:
                grids, shares = [found.u, found.y], (found.of_cells, found.of_pieces)[axis]
                count = int((len(grids[axis]) - 1) * FEWER)
                if count < FEWEST:
                    break
                grids[axis] = _spread(grids[axis], np.maximum(np.sqrt(shares), 1 / WIDER), count)
                trial = _Design.of(found.kernels, found.box, *grids)
                if not trial.share <= 1:
                    break
                found = trial
        return found


def _bounded(K: ex.Expression, cells: Cells) -> Gaps:
    found = gaps(K, cells.cuts, cells.knots, np.vstack([cells.base, cells.rises]))
    if not found.largest < math.inf:
        raise Refused(f"how far {K} is from straight lines is not seen: its values could not be bounded somewhere")
    return found


def drawn(K: ex.Expression, box: Box, u: Floats, y: Floats, tolerance: float) -> Cells:
    """Follow K on cells of u and pieces of y.

    beta_{k+1} is beta_k and chords of what then is missing from K(c_{k+1}, .): that is as small as a cell, so few chords do,
    and what one leaves the next ones see.
    """
    cuts, held, hinges, rises = u.copy(), np.zeros_like(y), list[Floats](), list[Floats]()
    cuts[[0, -1]] += [-box.margin, box.margin]
    wanted = values(K, cuts[:, None], y[None, :])
    if not np.isfinite(wanted).all():
        raise Refused(f"{K} is not finite for all {box}")
    for row in wanted:
        hinge, chords = _chords(y, row - held, CHORDS * tolerance)
        hinges.append(hinge)
        rises.append(chords)
        held = held + chords
    low, high = (end(rises[1:], axis=1) for end in (np.min, np.max))
    step = max(float((high - low).max()) * STEPS, 2.0**-40 * float(np.abs(wanted).max(initial=0.0)))
    step = 2.0 ** math.ceil(math.log2(step)) if step else 1.0
    bent = np.any(np.array(hinges[1:])[:, 1:] != 0, axis=1)  # where D_k is a number there is nothing to multiply
    low, high = (np.where(bent, step * end, low) for end in (np.floor(low / step - 2.0**-10), np.ceil(high / step + 2.0**-10)))
    return Cells(cuts, y, hinges[0], np.array(hinges[1:]), low, high - low)


def _chords(knots: Floats, row: Floats, allowed: float) -> tuple[Floats, Floats]:
    """Return hinges, and values at the knots: of a number if that is near enough to the points, or of few chords.

    A chord is cut where it is furthest from the points.
    """
    hinge = np.zeros(len(knots))
    if float(row.max() - row.min()) <= 2 * allowed:
        hinge[0] = row.max() / 2 + row.min() / 2
        return hinge, np.full(len(knots), hinge[0])
    kept, todo = [0, len(knots) - 1], [(0, len(knots) - 1)]
    while todo:
        i, j = todo.pop()
        inner = np.abs(row[i:j + 1] - (row[i] + (row[j] - row[i]) * ((knots[i:j + 1] - knots[i]) / (knots[j] - knots[i]))))
        furthest = int(inner.argmax())
        if inner[furthest] > allowed and 0 < furthest < j - i:
            kept.append(i + furthest)
            todo += [(i, i + furthest), (i + furthest, j)]
    kept.sort()
    steep = np.diff(row[kept]) / np.diff(knots[kept])
    hinge[0], hinge[1] = row[0] - steep[0] * knots[0], steep[0]
    hinge[1 + np.array(kept[1:-1], dtype=int)] = np.diff(steep)
    return hinge, np.interp(knots, knots[kept], row[kept])


def values(K: ex.Expression, u: Floats, y: Floats) -> Floats:
    """Evaluate K in float64, for design decisions only."""
    pairs = np.stack(np.broadcast_arrays(u, y), axis=-1)
    with np.errstate(all="ignore"):
        return np.asarray(evaluate([K], pairs.reshape(-1, 1, 2), numpy_algebra())).reshape(pairs.shape[:-1])
