"""What a level does to the stream in torch: (channels, columns), channels as rows, two small matrix products and few passes.

All operations of a level compute their hidden rows first, then add them, so that none reads what another wrote. The columns are
tokens, (positions, sequences) with the sequences innermost; what is the same for all tokens of a sequence is a row of a second
stream with one column a sequence, and reaches a unit through its bias.

An operation is bound to the streams it works on once, and gives the torch calls to make for every batch of that size: taking
views and new memory again for each batch costs as much as arithmetic on ten thousand tokens (measured).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from constructions.adapters.matrix import Call, Matrix, ToTensor


@dataclass(eq=False)
class Scratch:
    """Rows of working memory, taken one after the other and given back together."""

    memory: Tensor
    taken: int = 0

    def take(self, rows: int) -> Tensor:
        """Return the next rows."""
        self.taken += rows
        if self.taken > len(self.memory):
            raise ValueError(f"{self.taken} rows of working memory wanted, {len(self.memory)} there")
        return self.memory[self.taken - rows:self.taken]

    def clear(self) -> None:
        """Take all rows back."""
        self.taken = 0


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

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return 0 if isinstance(self.where, slice) else self.count

    def bound(self, stream: Tensor, scratch: Scratch) -> tuple[list[Call], Tensor]:
        """Return a view of the rows, or a copy with the call that makes it."""
        if isinstance(self.where, slice):
            return [], stream[self.where]
        copy = scratch.take(self.count)[:, :stream.shape[1]]
        return [partial(torch.index_select, stream, 0, self.where, out=copy)], copy


@dataclass(frozen=True, eq=False)
class Affine:
    """W stream + V constant + bias, for rows of both streams."""

    reads: Rows
    W: Matrix
    constants: Rows
    V: Matrix
    bias: Tensor

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return self.reads.size + (self.constants.size + self.W.rows if self.constants.count else 0)

    def bound(self, stream: Tensor, constant: Tensor, scratch: Scratch) -> tuple[list[Call], Callable[[Tensor], list[Call]]]:
        """Return the calls to make first, and then those that write (rows of W, columns) values to a given tensor.

        ``constant`` has a column for each of the innermost sequences.
        """
        first, reads = self.reads.bound(stream, scratch)
        if not self.constants.count:
            return first, lambda out: [self.W.into(reads, out, self.bias)]
        second, means = self.constants.bound(constant, scratch)
        sequences = constant.shape[1]
        shared = scratch.take(self.W.rows)[:, :sequences]
        calls = [*first, *second, self.V.into(means, shared, self.bias)]
        if sequences == 1:
            return calls, lambda out: [self.W.into(reads, out, shared)]
        return calls, lambda out: [partial(out.view(len(out), -1, sequences).copy_, shared[:, None]), self.W.onto(reads, out)]


@dataclass(frozen=True, eq=False)
class Write:
    """W_2 hidden for some rows, added to what is there or put in its place."""

    rows: Rows
    W_2: Matrix
    filled: bool

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return self.rows.size

    def bound(self, stream: Tensor, hidden: Tensor, scratch: Scratch) -> list[Call]:
        """Return the calls."""
        where = self.rows.where
        if isinstance(where, slice):
            rows = stream[where]
            return [self.W_2.onto(hidden, rows) if self.filled else self.W_2.into(hidden, rows)]
        product = scratch.take(self.W_2.rows)
        put = stream.index_add_ if self.filled else stream.index_copy_
        return [self.W_2.into(hidden, product), partial(put, 0, where, product)]


def _written(writes: Sequence[Write], stream: Tensor, hidden: Tensor, scratch: Scratch) -> list[Call]:
    return [call for one in writes for call in one.bound(stream, hidden, scratch)]


@dataclass(frozen=True, eq=False)
class Units:
    """Plain units and chains together: y = relu(affine), below it -k (2 y - k - 1) of the chains, which are the last of y.

    Attributes:
        last: (chains, 1) last pieces.
    """

    affine: Affine
    last: Tensor
    writes: Sequence[Write]

    @property
    def size(self) -> int:
        """Rows of working memory."""
        return self.affine.size + self.affine.W.rows + 2 * len(self.last) + sum(one.size for one in self.writes)

    def bound(self, stream: Tensor, constant: Tensor, scratch: Scratch) -> tuple[list[Call], list[Call]]:
        """Return the calls that compute the hidden rows, and those that add them to the stream."""
        units, chains = self.affine.W.rows, len(self.last)
        calls, into = self.affine.bound(stream, constant, scratch)
        hidden = scratch.take(units + chains)
        calls += [*into(hidden[:units]), hidden[:units].relu_]
        if chains:
            y, below, k = hidden[units - chains:units], hidden[units:], scratch.take(chains)
            calls += [partial(torch.floor, y, out=k), partial(torch.minimum, k, self.last, out=k),
                      partial(torch.sub, k, y, alpha=2, out=below), partial(torch.addcmul, k, k, below, out=below)]
        return calls, _written(self.writes, stream, hidden, scratch)


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
    writes: Sequence[Write]

    @property
    def size(self) -> int:
        """Rows of working memory, those that a look-up takes for itself included."""
        return self.affine.size + 6 * len(self.last) + sum(one.size for one in self.writes)

    def bound(self, stream: Tensor, constant: Tensor, scratch: Scratch) -> tuple[list[Call], list[Call]]:
        """Return the calls that compute the hidden rows, and those that add them to the stream."""
        calls, into = self.affine.bound(stream, constant, scratch)
        hidden = scratch.take(len(self.last))
        return [*calls, *into(hidden), partial(self._look_up, hidden)], _written(self.writes, stream, hidden, scratch)

    def _look_up(self, y: Tensor) -> None:
        k = torch.minimum(y.relu_().floor().nan_to_num_(), self.last)
        place = k.to(torch.int64).add_(self.first)
        torch.addcmul(torch.take(self.values, place), torch.take(self.slopes, place), y.sub_(k), out=y)


@dataclass(frozen=True, eq=False)
class Table:
    """Many units of one channel: value + slope (t - start) on each piece between knots, ``starts`` being one of them."""

    read: int
    knots: Tensor
    starts: Tensor
    values: Tensor
    slopes: Tensor
    writes: Tensor
    filled: bool

    @property
    def size(self) -> int:
        """Rows of working memory, those that a look-up takes for itself included."""
        return 4 + 3 * len(self.slopes)

    def bound(self, stream: Tensor, constant: Tensor, scratch: Scratch) -> tuple[list[Call], list[Call]]:
        """Return the calls that compute the rows to add, and those that add them to the stream."""
        rows = scratch.take(len(self.slopes))
        put = stream.index_add_ if self.filled else stream.index_copy_
        return [partial(self._look_up, stream[self.read], rows)], [partial(put, 0, self.writes, rows)]

    def _look_up(self, argument: Tensor, rows: Tensor) -> None:
        place = torch.bucketize(argument, self.knots, out_int32=True)
        beyond = argument - self.starts.index_select(0, place)
        torch.addcmul(self.values.index_select(1, place), self.slopes.index_select(1, place), beyond, out=rows)


Operation = Units | Pieces | Table
