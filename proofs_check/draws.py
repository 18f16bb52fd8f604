"""Where a search for the largest |f - T| looks: uniformly, by Sobol nets, at corners, at boundaries from both sides, at ties.

Sequences are laid out with the batch innermost in memory, (d, n, batch) seen as (batch, n, d): token-wise work then runs
along contiguous memory. Random numbers come from the processor's generator whatever the device is, so a seed means the same
sequences everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
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
_BITS = 30  # of torch's Sobol points
_NET = 2**8


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

    @property
    def n_moves(self) -> int:
        """Number of :meth:`moves` of one candidate."""
        return self.n * self.d * (1 + 2 * len(STEPS) + JUMPS)

    def uniform(self, generator: torch.Generator, count: int, n: int | None = None) -> Tensor:
        """Draw sequences uniformly from the box, its upper end excluded where rounding allows."""
        return self._in_box(self._random(generator, self.d, n or self.n, count, dtype=self.points.dtype))

    def sobol(self, generator: torch.Generator, count: int) -> Tensor:
        """Return a randomly shifted Sobol net of sequences: evenly spread in all n d coordinates together."""
        net, fast = _net(self.n * self.d, max(count, _NET)), _fast(generator)
        shift = torch.from_numpy(fast.integers(2**_BITS, size=(self.n * self.d, 1)))
        tokens = torch.bitwise_xor(net[:, :count], shift).to(torch.float64).mul_(2.0**-_BITS)
        tokens = tokens.view(self.n, self.d, count).transpose(0, 1).contiguous()
        return self._in_box(tokens.to(self.points.device, self.points.dtype))

    def _random(self, generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Draw numbers of [0, 1)."""
        drawn = _fast(generator).random(shape, dtype=np.float32 if dtype == torch.float32 else np.float64)
        return torch.from_numpy(drawn).to(self.points.device, dtype)

    def _in_box(self, tokens: Tensor) -> Tensor:
        """Stretch (d, n, count) numbers of [0, 1) to the box, in place; returns (count, n, d)."""
        for coordinate, lower, upper in zip(tokens, self.points[:, 0].tolist(), self.points[:, -1].tolist(), strict=True):
            if (lower, upper) != (0.0, 1.0):
                coordinate.mul_(upper - lower).add_(lower).clamp_(lower, upper)
        return tokens.permute(2, 1, 0)

    def corners(self, generator: torch.Generator, first: int, count: int) -> Tensor:
        """Return domain corners ``first, .., first + count - 1`` in binary order where these are few, random ones otherwise."""
        width, device = self.n * self.d, self.points.device
        if width <= 16:
            numbers = torch.arange(first, first + count, device=device)
            bits = (numbers >> torch.arange(width, device=device)[:, None]) & 1
        else:
            bits = torch.randint(2, (width, count), generator=generator).to(device)
        chosen = torch.where(bits.reshape(self.n, self.d, count).bool(), self.points[:, -1:], self.points[:, :1])
        return chosen.permute(2, 0, 1)

    def boundaries(self, generator: torch.Generator, count: int, n: int | None = None) -> Tensor:
        """Draw a random cell for every coordinate, and one of its two ends."""
        tokens, fast = self.points.new_empty(self.d, n or self.n, count), _fast(generator)
        for column, axis, size in zip(tokens, self.points, self.sizes.tolist(), strict=True):
            ends = torch.from_numpy(fast.integers(size, size=column.numel(), dtype=np.int32)).to(axis.device)
            torch.index_select(axis, 0, ends, out=column.view(-1))
        return tokens.permute(2, 1, 0)

    def equal(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw sequences of equal tokens, half of them uniform, half at cell ends."""
        half = count // 2
        tokens = _joined(self.uniform(generator, count - half, 1), self.boundaries(generator, half, 1))
        return tokens.expand(count, self.n, self.d)

    def partly_equal(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw sequences of at most 2 to n - 1 different tokens (1 or 2 for n = 2); half uniform, half at cell ends."""
        half = count // 2
        tokens = _joined(self.uniform(generator, count - half), self.boundaries(generator, half)).permute(2, 1, 0)
        different = (2 + self._random(generator, count) * max(1, self.n - 2)).floor_()
        repeated = self._random(generator, self.n, count).mul_(different).long().clamp_(max=self.n - 1)
        return torch.gather(tokens, 1, repeated.expand(self.d, -1, -1)).permute(2, 1, 0)

    def two_values(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw sequences of two random values in a random proportion, the first token free."""
        values, tokens = self.uniform(generator, count, 2), self.uniform(generator, count, self.n)
        chosen = self._random(generator, self.n - 1, count) < self._random(generator, count)
        by_memory = values.permute(2, 1, 0)
        tokens.permute(2, 1, 0)[:, 1:] = torch.where(chosen, by_memory[:, :1], by_memory[:, 1:])
        return tokens

    def near(self, generator: torch.Generator, tokens: Tensor, trials: int, scale: float) -> Tensor:
        """Move half of the coordinates of (candidates, n, d) sequences by ``scale`` box widths, normally distributed.

        Returns:
            (candidates * trials, n, d) sequences inside the box, those of one candidate together.
        """
        shape = self.d, self.n, len(tokens), trials
        fast = _fast(generator)
        drawn = fast.standard_normal(shape) * (fast.random(shape, dtype=np.float32) < 0.5)
        moves = torch.from_numpy(drawn).to(tokens.device, self.points.dtype)
        low, high = (self.points[:, end, None, None, None] for end in (0, -1))
        moved = moves.mul_(scale * (high - low)).add_(tokens.permute(2, 1, 0)[..., None])
        return moved.clamp_(low, high).flatten(2).permute(2, 1, 0)

    def random_ends(self, generator: torch.Generator, count: int, n: int) -> Tensor:
        """Draw positions in ``points``, shape (count, n, d)."""
        return torch.minimum((self._random(generator, count, n, self.d) * self.sizes).long(), self.sizes - 1)

    def at(self, ends: Tensor) -> Tensor:
        """Return the tokens at positions in ``points``, (batch, n, d) to (batch, n, d)."""
        columns = [axis.index_select(0, ends[..., c].T.reshape(-1)).view(ends.shape[1], -1) for c, axis in enumerate(self.points)]
        return torch.stack(columns).permute(2, 1, 0)

    def nearest_ends(self, tokens: Tensor) -> Tensor:
        """Return for each coordinate the position of the nearer end of its cell."""
        columns = []
        for c, (axis, size) in enumerate(zip(self.points, self.sizes.tolist(), strict=True)):
            x = tokens[..., c].contiguous()
            below = (torch.searchsorted(axis[:size].contiguous(), x, right=True) - 1).clamp(0, size - 2)
            columns.append(below + (axis[below + 1] - x < x - axis[below]))
        return torch.stack(columns, dim=-1)

    def moves(self, generator: torch.Generator, ends: Tensor) -> Tensor:
        """Return every change of one coordinate to another end of its cell, of the next two on either side, or of a random one.

        Args:
            generator: of the random ones.
            ends: (candidates, n, d) positions in ``points``.

        Returns:
            (candidates, moves, n, d) positions.
        """
        candidates, coordinates = len(ends), self.n * self.d
        present = ends.reshape(candidates, coordinates)
        other = present ^ 1
        near = torch.stack([other, *(end + step for end in (present, other) for step in STEPS)])
        far = self.random_ends(generator, JUMPS * candidates, self.n).reshape(JUMPS, candidates, coordinates)
        last = (self.sizes - 1).repeat(self.n)
        places = torch.minimum(torch.cat([near, far]).clamp(min=0), last)
        trial = present.expand(len(places), coordinates, candidates, coordinates).clone()
        every = torch.arange(coordinates, device=ends.device)
        trial[:, every, :, every] = places.permute(2, 0, 1)
        return trial.permute(2, 0, 1, 3).reshape(candidates, -1, self.n, self.d)


def _fast(generator: torch.Generator) -> np.random.Generator:
    """Return numpy's fastest generator, which takes 0.4 of the time of torch's (measured), started by torch's."""
    return np.random.Generator(np.random.SFC64(int(torch.randint(2**62, (1,), generator=generator))))


@functools.lru_cache(maxsize=4)
def _net(coordinates: int, count: int) -> Tensor:
    """Return the first points of Sobol's sequence as integers below 2^_BITS, (coordinates, count)."""
    engine = torch.quasirandom.SobolEngine(coordinates)  # type: ignore[no-untyped-call]
    return (engine.draw(count, dtype=torch.float64) * 2.0**_BITS).long().T.contiguous()


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
    low, high = torch.tensor(float(lower), dtype=dtype), torch.tensor(float(upper), dtype=dtype)
    while Fraction(low.item()) < lower:
        low = torch.nextafter(low, torch.tensor(torch.inf, dtype=dtype))
    while Fraction(high.item()) > upper:
        high = torch.nextafter(high, torch.tensor(-torch.inf, dtype=dtype))
    if low > high:
        raise BadInput(f"domain [{lower}, {upper}] contains no {dtype} number")
    return low.item(), high.item()


def _cell_ends(lower: float, upper: float, thresholds: np.ndarray, dtype: torch.dtype) -> Tensor:
    inner = torch.from_numpy(thresholds[(thresholds > lower) & (thresholds <= upper)]).to(dtype)
    below = torch.nextafter(inner, inner.new_full((), -torch.inf))
    ends = torch.tensor([lower, upper], dtype=dtype)
    return torch.cat([ends[:1], torch.stack([below, inner], dim=-1).flatten(), ends[1:]])
