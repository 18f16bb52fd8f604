"""Staircases as look-ups on torch tensors: of a token coordinate by bins, of an integer by a table or a binary search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from constructions.errors import Refused

MAX_BINS = 2**22
MAX_GATHER = 2**22
Columns = Mapping[str, Tensor]


class Step(Protocol):
    """One node of the network."""

    def write(self, known: dict[str, Tensor]) -> None:
        """Add every channel the node writes to the known ones."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Count thresholds <= x for a token coordinate x.

    The bin of x is trunc(clamp((x - low) * scale + 1/2)). Rounded subtraction, multiplication by a positive number, addition,
    clamping and truncation never decrease when x increases, so neither does the bin, whatever was rounded. Hence a threshold
    in a lower bin than x's is < x, one in a higher bin is > x, and if a bin holds at most one threshold

        number of thresholds <= x  =  before[bin] + [x >= ahead[bin]],

    where ``before`` counts the thresholds in lower bins and ``ahead`` is the next one (infinity after the last). Should that
    one lie in a higher bin, then x is below it and the comparison rightly adds 0. The bins of the thresholds are computed by
    :meth:`place` itself, on the same device, so that they belong to the same non-decreasing function.
    """

    low: float
    scale: float
    last: int
    before: Tensor
    ahead: Tensor

    @staticmethod
    def of(thresholds: Tensor, low: float, high: float) -> Bins:
        """Double the number of bins until every bin holds at most one threshold.

        Raises:
            Refused: thresholds lie closer together than the ``MAX_BINS``-th part of [low, high].
        """
        last = len(thresholds) + 1
        while last <= MAX_BINS:
            bins = Bins(low, last / (high - low), last, thresholds, thresholds)
            places = bins.place(thresholds)
            if bool((places[1:] > places[:-1]).all()):
                every = torch.arange(last + 1, device=thresholds.device, dtype=torch.int32)
                before = torch.searchsorted(places, every, out_int32=True)
                ahead = torch.cat([thresholds, thresholds.new_full((1,), torch.inf)])[before]
                return Bins(low, bins.scale, last, before, ahead)
            last *= 2
        raise Refused(f"{len(thresholds)} thresholds in [{low}, {high}], two of them in one of {MAX_BINS} bins")

    def place(self, x: Tensor) -> Tensor:
        """Return the bin of every entry, int32."""
        shifted = x - self.low if self.low != 0 else x
        return shifted.mul(self.scale).add_(0.5).clamp_(0, self.last).to(torch.int32)

    def count(self, x: Tensor) -> Tensor:
        """Return the number of thresholds <= x, int32."""
        place = self.place(x)
        count = gather(self.before, place)
        count += (x >= gather(self.ahead, place)).view(torch.int8)  # int8: adding a bool casts through a slower path
        return count


@dataclass(frozen=True, eq=False)
class Quantised:
    """A staircase of one token coordinate; a column None stands for the count itself."""

    source: str
    bins: Bins
    columns: Mapping[str, Tensor | None]

    def write(self, known: dict[str, Tensor]) -> None:
        """Add the channels read off the count of thresholds."""
        count = self.bins.count(known[self.source])
        known |= {channel: count if column is None else gather(column, count) for channel, column in self.columns.items()}


@dataclass(frozen=True, eq=False)
class Linear:
    """An integer combination of channels minus an offset, in a type that holds every partial sum."""

    reads: tuple[tuple[str, int], ...]
    offset: int
    kind: torch.dtype

    def __call__(self, known: Mapping[str, Tensor]) -> Tensor:
        """Return sum of coefficient * channel - offset."""
        (first, factor), *rest = self.reads
        total = known[first].to(self.kind)
        total = total if factor == 1 else total * factor
        for channel, factor in rest:
            total = torch.add(total, known[channel].to(self.kind), alpha=factor)
        return total - self.offset if self.offset else total


@dataclass(frozen=True, eq=False)
class Gathered:
    """A staircase of an integer of small range: one table entry for every integer."""

    argument: Linear
    columns: Columns

    def write(self, known: dict[str, Tensor]) -> None:
        """Add the channels gathered at the argument."""
        index = self.argument(known)
        known |= {channel: gather(column, index) for channel, column in self.columns.items()}


@dataclass(frozen=True, eq=False)
class Ranked:
    """A staircase of an integer of large range: binary search among integer thresholds."""

    argument: Linear
    thresholds: Tensor
    columns: Columns

    def write(self, known: dict[str, Tensor]) -> None:
        """Add the channels gathered at the argument's rank."""
        rank = torch.bucketize(self.argument(known), self.thresholds, right=True, out_int32=True)
        known |= {channel: gather(column, rank) for channel, column in self.columns.items()}


def integer_step(reads: tuple[tuple[str, int], ...], thresholds: np.ndarray, columns: Columns, low: int, high: int,
                 magnitude: int) -> Step:
    """Return the fastest look-up of a staircase whose argument is an integer in low..high.

    Args:
        reads: channels and integer coefficients of the argument.
        thresholds: (m,) increasing float64.
        columns: m + 1 values for each written channel, on the device.
        low, high: the argument's range.
        magnitude: bound on the absolute value of every partial sum of the argument.
    """
    device = next(iter(columns.values())).device
    # t an integer: threshold <= t iff ceil(threshold) <= t, and the ceiling of a float64 is one.
    steps = np.ceil(thresholds).astype(np.int64)
    offset = low if low < 0 or low > high - low else 0
    if high - offset < max(MAX_GATHER, 4 * len(steps)):
        ranks = torch.from_numpy(np.searchsorted(steps, np.arange(offset, high + 1), side="right")).to(device)
        return Gathered(Linear(reads, offset, integer_type(magnitude + abs(offset))),
                        {channel: column[ranks] for channel, column in columns.items()})
    kind = integer_type(max(magnitude, int(np.abs(steps).max(initial=0))))
    return Ranked(Linear(reads, 0, kind), torch.from_numpy(steps).to(device, kind), columns)


def gather(table: Tensor, index: Tensor) -> Tensor:
    """Return table[index]; ``index_select`` prefetches and reads int32 indices, several times faster than indexing."""
    return table.index_select(0, index.reshape(-1)).view(index.shape)


def integer_type(magnitude: int) -> torch.dtype:
    """Return int32 where it holds -magnitude..magnitude, else int64.

    Raises:
        Refused: neither does.
    """
    if magnitude >= 2**62:
        raise Refused(f"integers of {magnitude.bit_length()} bits do not fit into int64; sum exact integers instead")
    return torch.int32 if magnitude < 2**31 else torch.int64
