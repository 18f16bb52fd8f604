"""What a level does to the stream in torch: (channels, columns), channels as rows, two small matrix products and few passes.

All operations of a level compute their hidden rows first, then add them, so that none reads what another wrote. The columns are
tokens, (positions, sequences) with the sequences innermost; what is the same for all tokens of a sequence is a row of a second
stream with one column a sequence, and reaches a unit through its bias.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ToTensor = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a stream: a slice where they are adjacent, which is a view and not a copy."""

    where: slice | Tensor
    count: int

    @staticmethod
    def of(rows: Sequence[int], tensor: ToTensor) -> Rows:
        """Choose between the two."""
        adjacent = len(rows) > 0 and list(rows) == list(range(rows[0], rows[0] + len(rows)))
        return Rows(slice(rows[0], rows[0] + len(rows)) if adjacent else tensor(np.array(rows, dtype=np.int64)), len(rows))

    def of_stream(self, stream: Tensor) -> Tensor:
        """Return the rows."""
        return stream[self.where] if isinstance(self.where, slice) else stream.index_select(0, self.where)


@dataclass(frozen=True, eq=False)
class Affine:
    """W stream + V constant + bias, for rows of both streams."""

    reads: Rows
    W: Tensor
    constants: Rows
    V: Tensor
    bias: Tensor

    def into(self, out: Tensor, stream: Tensor, constant: Tensor) -> Tensor:
        """Write (len(W), columns) values to ``out``; ``constant`` has a column for each of the innermost sequences."""
        if not self.constants.count:
            return torch.addmm(self.bias, self.W, self.reads.of_stream(stream), out=out)
        shared = torch.addmm(self.bias, self.V, self.constants.of_stream(constant))
        if shared.shape[1] == 1:
            return torch.addmm(shared, self.W, self.reads.of_stream(stream), out=out)
        out.view(len(out), -1, shared.shape[1]).copy_(shared[:, None])
        return out.addmm_(self.W, self.reads.of_stream(stream))


Writes = Sequence[tuple[Rows, Tensor, bool]]  # rows, weights, and whether the rows hold something already


def write(stream: Tensor, writes: Writes, hidden: Tensor) -> None:
    """Add weighted hidden rows to the stream."""
    for rows, W_2, filled in writes:
        if filled and isinstance(rows.where, slice):
            stream[rows.where].addmm_(W_2, hidden)
        elif isinstance(rows.where, slice):
            torch.mm(W_2, hidden, out=stream[rows.where])
        elif filled:
            stream.index_add_(0, rows.where, W_2 @ hidden)
        else:
            stream.index_copy_(0, rows.where, W_2 @ hidden)


@dataclass(frozen=True, eq=False)
class Units:
    """Plain units and chains together: y = relu(affine), below it -k (2 y - k - 1) of the chains, which are the last of y.

    Attributes:
        last: (chains, 1) last pieces.
    """

    affine: Affine
    last: Tensor
    writes: Writes

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return len(self.affine.W) + 3 * len(self.last)

    def hidden(self, stream: Tensor, constant: Tensor) -> Tensor:
        """Return the hidden rows."""
        units, chains = len(self.affine.W), len(self.last)
        hidden = stream.new_empty(units + chains, stream.shape[1])
        y = self.affine.into(hidden[:units], stream, constant).relu_()
        if chains:
            y = y[units - chains:]
            k = y.floor()
            torch.minimum(k, self.last, out=k)
            torch.addcmul(k, k, torch.sub(k, y, alpha=2), out=hidden[units:])
        return hidden

    def add(self, stream: Tensor, hidden: Tensor) -> None:
        """Add the output to the stream."""
        write(stream, self.writes, hidden)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Chains that are looked up: y = relu(affine), value[k] + slope[k] (y - k) with k the piece of y.

    Attributes:
        last: (chains, 1) last pieces.
        first: (chains, 1) where each chain starts in ``values`` and ``slopes``.
    """

    affine: Affine
    last: Tensor
    first: Tensor
    values: Tensor
    slopes: Tensor
    writes: Writes

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return 6 * len(self.last)

    def hidden(self, stream: Tensor, constant: Tensor) -> Tensor:
        """Return the hidden rows."""
        y = self.affine.into(stream.new_empty(len(self.last), stream.shape[1]), stream, constant).relu_()
        k = torch.minimum(y.floor().nan_to_num_(), self.last)
        place = k.to(torch.int64).add_(self.first)
        return torch.addcmul(torch.take(self.values, place), torch.take(self.slopes, place), y.sub_(k))

    def add(self, stream: Tensor, hidden: Tensor) -> None:
        """Add the output to the stream."""
        write(stream, self.writes, hidden)


@dataclass(frozen=True, eq=False)
class Table:
    """Many units of one channel: a look-up of slope and intercept by piece."""

    read: int
    knots: Tensor
    slopes: Tensor
    intercepts: Tensor
    writes: Tensor
    filled: bool

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return 2 + 3 * len(self.slopes)

    def hidden(self, stream: Tensor, constant: Tensor) -> Tensor:
        """Return the rows to add."""
        argument = stream[self.read]
        place = torch.bucketize(argument, self.knots, out_int32=True)
        return torch.addcmul(self.intercepts.index_select(1, place), self.slopes.index_select(1, place), argument)

    def add(self, stream: Tensor, hidden: Tensor) -> None:
        """Add them."""
        if self.filled:
            stream.index_add_(0, self.writes, hidden)
        else:
            stream.index_copy_(0, self.writes, hidden)


Operation = Units | Pieces | Table
