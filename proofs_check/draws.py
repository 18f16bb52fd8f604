"""Where a search for the largest |f - T| looks: uniformly, by Sobol nets, at corners, at boundaries from both sides, at ties.

Sequences are laid out with the batch innermost in memory, (d, n, batch) seen as (batch, n, d): token-wise work then runs
along contiguous memory. A draw rotates a fixed set of points of the unit cube, random ones or a net, by a random shift modulo 1
(Cranley and Patterson): every point is uniformly distributed, at a fifth of the price of new random numbers (measured). The shift
comes from the processor's generator and sums are rounded alike, so a seed means the same sequences on every device.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from constructions.domains import Box
from constructions.errors import BadInput

# Moves of a climber: to the ends of cells this many half-cells away, and to so many random ends.
STEPS = (-4, -2, 2, 4)
JUMPS = 4
# Coordinates of a Sobol net: with more, as many points as are drawn here are no longer spread evenly.
SOBOL = 64
# Numbers in a table of moves at least.
MOVES = 2**20
Points = Callable[[int, int, torch.dtype, torch.device], Tensor]


@dataclass(frozen=True, eq=False)
class Space:
    """Sequences of n tokens in a box whose cells are known.

    Attributes:
        points: (d, P) ends of all cells of a coordinate in order, [lower, below t_1, t_1, below t_2, .., upper]: entry 2 k is
            the lower end of cell k, entry 2 k + 1 the last floating-point number in it. Padded with the upper end.
        sizes: (d,) number of entries before the padding.
    """

    n: int
    points: Tensor
    sizes: Tensor

    @staticmethod
    def of(box: Box, n: int, thresholds: Sequence[np.ndarray], device: torch.device | str, dtype: torch.dtype) -> Space:
        """Round the box inward and list the ends of its cells.

        Raises:
            BadInput: a side of the box holds no number of the dtype, or the thresholds are not one array a coordinate.
        """
        if len(thresholds) != box.d:
            raise BadInput(f"{len(thresholds)} arrays of cell boundaries: expected one for each of {box.d} coordinates")
        axes = [_cell_ends(*inward(lower, upper, dtype), np.asarray(boundaries, dtype=np.float64), dtype)
                for lower, upper, boundaries in zip(box.lower, box.upper, thresholds, strict=True)]
        longest = max(len(axis) for axis in axes)
        points = torch.stack([torch.cat([axis, axis[-1:].expand(longest - len(axis))]) for axis in axes])
        sizes = torch.tensor([len(axis) for axis in axes])
        return Space(n, points.to(device), sizes.to(device))

    @property
    def d(self) -> int:
        """Token dimension."""
        return len(self.points)

    @functools.cached_property
    def sides(self) -> list[tuple[float, float]]:
        """Ends of the box in each coordinate, as numbers: a clamp to numbers is seven times faster than to tensors (measured)."""
        return list(zip(self.points[:, 0].tolist(), self.points[:, -1].tolist(), strict=True))

    @property
    def n_moves(self) -> int:
        """Number of :meth:`moves` of one candidate."""
        return self.n * self.d * (1 + 2 * len(STEPS) + JUMPS)

    def uniform(self, generator: torch.Generator, count: int, n: int | None = None) -> Tensor:
        """Draw sequences uniformly from the box, its upper end excluded where rounding allows."""
        n = n or self.n
        return self._in_box(self.unit(generator, n * self.d, count).view(self.d, n, count))

    def sobol(self, generator: torch.Generator, count: int) -> Tensor:
        """Return a randomly shifted Sobol net of sequences: evenly spread in all n d coordinates together."""
        return self._in_box(self.unit(generator, self.n * self.d, count, _net).view(self.d, self.n, count))

    def unit(self, generator: torch.Generator, rows: int, count: int, points: Points | None = None) -> Tensor:
        """Rotate points of the unit cube, random ones unless told; returns (rows, count) numbers of [0, 1)."""
        like = self.points
        fixed = (points or cloud)(rows, 1 << (count - 1).bit_length(), like.dtype, like.device)
        shift = torch.rand(rows, 1, generator=generator, dtype=torch.float64)
        return torch.add(fixed[:, :count], shift.to(like)).frac_()

    def _in_box(self, tokens: Tensor) -> Tensor:
        """Stretch (d, n, count) numbers of [0, 1) to the box, in place; returns (count, n, d)."""
        for coordinate, (lower, upper) in zip(tokens, self.sides, strict=True):
            if (lower, upper) != (0.0, 1.0):
                coordinate.mul_(upper - lower).add_(lower).clamp_(lower, upper)
        return tokens.permute(2, 1, 0)

    def corners(self, generator: torch.Generator, first: int, count: int) -> Tensor:
        """Return domain corners ``first, .., first + count - 1`` in binary order where these are few, random ones otherwise."""
        width, device = self.n * self.d, self.points.device
        if width <= 16:
            numbers = torch.arange(first, first + count, device=device)
            upper = ((numbers >> torch.arange(width, device=device)[:, None]) & 1).to(self.points)
        else:
            upper = self.unit(generator, width, count).lt_(0.5)
        return _either(self.points[:, -1:], self.points[:, :1], upper.view(self.n, self.d, count)).permute(2, 0, 1)

    def boundaries(self, generator: torch.Generator, count: int, n: int | None = None) -> Tensor:
        """Draw a random cell for every coordinate, and one of its two ends."""
        n = n or self.n
        return self._at(self._ends(self.unit(generator, n * self.d, count).view(self.d, n, count))).permute(2, 1, 0)

    def equal(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw sequences of equal tokens, half of them uniform, half at cell ends."""
        half = count // 2
        tokens = _joined(self.uniform(generator, count - half, 1), self.boundaries(generator, half, 1))
        return tokens.expand(count, self.n, self.d)

    def partly_equal(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw sequences of at most 2 to n - 1 different tokens (1 or 2 for n = 2); half uniform, half at cell ends."""
        tokens, drawn = self.unit(generator, self.n * (self.d + 1) + 1, count).tensor_split([self.n * self.d])
        tokens, half = tokens.view(self.d, self.n, count), count - count // 2
        self._in_box(tokens[..., :half])
        tokens[..., half:] = self._at(self._ends(tokens[..., half:]))
        different = drawn[0].mul_(max(1, self.n - 2)).add_(2).floor_()
        repeated = drawn[1:].mul_(different).long().clamp_(max=self.n - 1)
        return torch.gather(tokens, 1, repeated.expand(self.d, -1, -1)).permute(2, 1, 0)

    def two_values(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw sequences of two random values in a random proportion, the first token free."""
        points, drawn = self.unit(generator, 3 * self.d + self.n, count).tensor_split([3 * self.d])
        own, one, other = self._in_box(points.view(self.d, 3, count)).permute(2, 1, 0).unbind(1)
        others = _either(one[:, None], other[:, None], drawn[1:].lt_(drawn[0]))
        return torch.cat([own[:, None], others], dim=1).permute(2, 1, 0)

    def near(self, generator: torch.Generator, tokens: Tensor, trials: int, scale: float | Tensor) -> Tensor:
        """Move some coordinates of (candidates, n, d) sequences by ``scale`` box widths, normally distributed.

        Half of the coordinates or about two; in half of the trials equal tokens stay equal. Candidates share the moves.

        Args:
            generator: of the moves.
            tokens: the candidates.
            trials: number of moves of each.
            scale: one for all trials or one for each.

        Returns:
            (candidates * trials, n, d) sequences inside the box, those of one candidate together.
        """
        half, moves = trials // 2, self.moves_of(generator, self.n * self.d, trials, scale).view(self.d, self.n, trials)
        for coordinate, (lower, upper) in zip(moves, self.sides, strict=True):
            coordinate.mul_(upper - lower)
        first = tokens[..., 0].contiguous()
        rank = torch.searchsorted(first.sort(dim=1).values, first).T  # the same for equal tokens
        present = tokens.permute(2, 1, 0)[..., None]
        moved = moves.index_select(1, rank.flatten()).view(self.d, *rank.shape, trials)
        moved[..., :half] += present
        torch.add(present, moves[:, :, None, half:], out=moved[..., half:])
        for coordinate, (lower, upper) in zip(moved, self.sides, strict=True):
            coordinate.clamp_(lower, upper)
        return moved.flatten(2).permute(2, 1, 0)

    def moves_of(self, generator: torch.Generator, rows: int, trials: int, scale: float | Tensor) -> Tensor:
        """Return normal moves of ``scale`` for half of the rows or about two, 0 for the others; shape (rows, trials).

        A random part of a table with random signs: together with the scales that differs enough from call to call.
        """
        several = max(4 << (trials - 1).bit_length(), MOVES // rows)  # few moves over and over find much less
        table = _moves(rows, several, self.points.dtype, self.points.device)
        start = int(torch.randint(table.shape[1] - trials, (1,), generator=generator))
        signs = 2 * torch.randint(2, (rows, 1), generator=generator) - 1
        return (table[:, start:start + trials] * scale).mul_(signs.to(table))

    def random_ends(self, generator: torch.Generator, count: int, n: int) -> Tensor:
        """Draw positions in ``points``, shape (count, n, d)."""
        drawn = torch.rand(self.d, n, count, generator=generator, dtype=torch.float64)
        return self._ends(drawn.to(self.points.device)).permute(2, 1, 0)

    def _ends(self, drawn: Tensor) -> Tensor:
        """Turn (d, ..) numbers of [0, 1) into positions in ``points``."""
        sizes = self.sizes.view(-1, *(1,) * (drawn.ndim - 1))
        return torch.minimum(drawn.mul_(sizes).to(torch.int32), (sizes - 1).to(torch.int32))

    def at(self, ends: Tensor) -> Tensor:
        """Return the tokens at positions in ``points``, (batch, n, d) to (batch, n, d)."""
        return self._at(ends.permute(2, 1, 0)).permute(2, 1, 0)

    def _at(self, ends: Tensor) -> Tensor:
        """Return the coordinates at positions in ``points``, (d, ..) to (d, ..)."""
        columns = [axis.index_select(0, places.reshape(-1)) for axis, places in zip(self.points, ends, strict=True)]
        return (torch.cat(columns) if len(columns) > 1 else columns[0]).view(ends.shape)

    def nearest_ends(self, tokens: Tensor) -> Tensor:
        """Return for each coordinate the position of the nearer end of its cell."""
        columns = []
        for axis, size, x in zip(self.points, self.sizes.tolist(), tokens.permute(2, 1, 0).contiguous(), strict=True):
            below = (torch.searchsorted(axis[:size].contiguous(), x, right=True) - 1).clamp(0, size - 2)
            columns.append((below + (axis[below + 1] - x < x - axis[below])).to(torch.int32))
        return torch.stack(columns).permute(2, 1, 0)

    def moves(self, generator: torch.Generator, ends: Tensor) -> Tensor:
        """Return for every coordinate the other end of its cell, the next two on either side, and random ones.

        Args:
            generator: of the random ones.
            ends: (candidates, n, d) positions in ``points``.

        Returns:
            (d * n, moves of a coordinate, candidates) positions, coordinates in the order of memory.
        """
        present = ends.permute(2, 1, 0)
        other = present ^ 1
        near = [other, *(end + step for end in (present, other) for step in STEPS)]
        far = self.random_ends(generator, JUMPS * len(ends), self.n).permute(2, 1, 0).view(self.d, self.n, JUMPS, -1)
        places = torch.cat([torch.stack(near, dim=2), far], dim=2).clamp_(min=0)
        return torch.minimum(places, (self.sizes - 1).to(places.dtype).view(-1, 1, 1, 1)).flatten(0, 1)

    def moved(self, ends: Tensor, places: Tensor) -> Tensor:
        """Return the sequences at ``ends`` with one coordinate at one of its ``places`` (:meth:`moves`).

        Returns:
            (d * n * moves of a coordinate * candidates, n, d) tokens in this order.
        """
        coordinates, moves, candidates = places.shape
        tokens = self._at(ends.permute(2, 1, 0)).view(coordinates, 1, 1, candidates)
        trials = tokens.repeat(1, coordinates, moves, 1)
        alone = self._at(places.view(self.d, -1)).view(places.shape)
        trials.diagonal().copy_(alone.permute(1, 2, 0))
        return trials.view(self.d, self.n, -1).permute(2, 1, 0)

    def moved_to(self, ends: Tensor, places: Tensor, move: Tensor, wanted: Tensor) -> Tensor:
        """Return the positions after the moves with these numbers, (candidates,), where they are ``wanted``."""
        coordinates, moves, candidates = places.shape
        present, coordinate = ends.permute(2, 1, 0).reshape(coordinates, candidates), (move // moves)[None]
        place = torch.where(wanted, places.view(-1, candidates).gather(0, move[None]), present.gather(0, coordinate))
        return present.scatter(0, coordinate, place).view(self.d, self.n, candidates).permute(2, 1, 0)


@functools.lru_cache(maxsize=4)
def _moves(coordinates: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return standard normal moves of half of the coordinates or of about two, (coordinates, count); always the same ones."""
    fast = np.random.Generator(np.random.SFC64(coordinates))
    share = np.where(fast.random(count) < 0.5, 0.5, min(0.5, 2 / coordinates))
    moved = fast.random((coordinates, count)) < share
    return torch.from_numpy(fast.standard_normal((coordinates, count)) * moved).to(device, dtype)


@functools.lru_cache(maxsize=8)
def cloud(coordinates: int, count: int, dtype: torch.dtype, device: torch.device, number: int = 0) -> Tensor:
    """Return random points of the unit cube, (coordinates, count), always the same ones of this ``number``."""
    fast = np.random.Generator(np.random.SFC64([coordinates, number]))
    return torch.from_numpy(fast.random((coordinates, count))).to(device, dtype)


@functools.lru_cache(maxsize=4)
def _net(coordinates: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the first points of Sobol's sequence, (coordinates, count)."""
    engine = torch.quasirandom.SobolEngine(coordinates)  # type: ignore[no-untyped-call]
    return engine.draw(count, dtype=torch.float64).T.contiguous().to(device, dtype)


def _either(one: Tensor, other: Tensor, which: Tensor) -> Tensor:
    """Return ``one`` where ``which`` is 1 and ``other`` where it is 0, exactly; a quarter of torch.where's time (measured)."""
    return torch.lerp(other, one, which)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Put (batch, n, d) sequences one after the other, the batch innermost in memory as before."""
    return torch.cat([first.permute(2, 1, 0), second.permute(2, 1, 0)], dim=2).permute(2, 1, 0)


def inward(lower: Fraction, upper: Fraction, dtype: torch.dtype) -> tuple[float, float]:
    """Return the least and the largest number of the dtype in [lower, upper].

    Raises:
        BadInput: there is none.

    >>> inward(Fraction(1, 10), Fraction(1, 3), torch.float64) == (0.1, 1 / 3)
    True
    """
    largest = Fraction(torch.finfo(dtype).max)
    low, high = (torch.tensor(float(min(max(end, -largest), largest)), dtype=dtype) for end in (lower, upper))
    if Fraction(low.item()) < lower:
        low = torch.nextafter(low, torch.tensor(torch.inf, dtype=dtype))
    if Fraction(high.item()) > upper:
        high = torch.nextafter(high, torch.tensor(-torch.inf, dtype=dtype))
    if low > high or lower > largest or upper < -largest:
        raise BadInput(f"domain [{lower}, {upper}] contains no {dtype} number")
    return low.item(), high.item()


def _cell_ends(lower: float, upper: float, thresholds: np.ndarray, dtype: torch.dtype) -> Tensor:
    inner = torch.from_numpy(thresholds[(thresholds > lower) & (thresholds <= upper)]).to(dtype)
    below = torch.nextafter(inner, inner.new_full((), -torch.inf))
    ends = torch.tensor([lower, upper], dtype=dtype)
    return torch.cat([ends[:1], torch.stack([below, inner], dim=-1).flatten(), ends[1:]])
