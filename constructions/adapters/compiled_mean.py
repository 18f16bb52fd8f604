"""A continuous Sumformer in torch, token by token: time linear in n, working memory a chunk of tokens.

Channels are rows and tokens columns, so a layer is two small matrix products on the rows it touches. Two passes: phi for the
means, then phi and psi for the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of

# Numbers of the stream held at once: a processor's cache, or what fills a GPU (measured).
STREAM_NUMBERS = {"cpu": 2**19}
LARGE_STREAM = 2**27


Rows = slice | Tensor  # a slice where rows are adjacent, which is a view and not a copy


@dataclass(frozen=True, eq=False)
class _Layer:
    reads: Rows
    W_1: Tensor
    bias: Tensor
    writes: Rows
    W_2: Tensor

    def __call__(self, stream: Tensor) -> None:
        """Add the layer's output to the (channels, tokens) stream, in place."""
        hidden = torch.addmm(self.bias, self.W_1, _take(stream, self.reads)).relu_()
        _add(stream, self.writes, self.W_2, hidden)


@dataclass(frozen=True, eq=False)
class _Folds:
    """A layer whose units read one channel each, with weight 1: no product is needed to form them.

    ``folded`` are the channels that get -2 times their unit, unit by unit; ``rest`` all other writes.
    """

    reads: Rows
    bias: Tensor
    folded: Rows | None
    by: Rows
    rest: Rows | None
    W_2: Tensor

    def __call__(self, stream: Tensor) -> None:
        """Add the layer's output to the stream, in place."""
        hidden = _take(stream, self.reads).add(self.bias).relu_()
        if self.rest is not None:
            _add(stream, self.rest, self.W_2, hidden)
        if isinstance(self.folded, slice):
            stream[self.folded].add_(_take(hidden, self.by), alpha=-2)
        elif self.folded is not None:
            stream.index_add_(0, self.folded, _take(hidden, self.by), alpha=-2)


def _take(stream: Tensor, rows: Rows) -> Tensor:
    return stream[rows] if isinstance(rows, slice) else stream.index_select(0, rows)


def _add(stream: Tensor, rows: Rows, W: Tensor, hidden: Tensor) -> None:
    if isinstance(rows, slice):
        stream[rows].addmm_(W, hidden)
    else:
        stream.index_add_(0, rows, W @ hidden)


@dataclass(frozen=True, eq=False)
class _Table:
    """A wide layer whose units all read one channel with the same weight: a look-up of slope and intercept by bin."""

    read: int
    weight: float
    knots: Tensor
    slopes: Tensor
    intercepts: Tensor
    writes: Tensor

    def __call__(self, stream: Tensor) -> None:
        argument = stream[self.read] * self.weight
        place = torch.bucketize(argument, self.knots)
        stream.index_add_(0, self.writes, self.slopes[:, place] * argument + self.intercepts[:, place])


class CompiledMeanSumformer:
    """S(X)_i = psi(x_i, mean_k phi(x_k)) for (*batch, n, d) tensors of any n, on one device, in one dtype.

    Raises (on call):
        TypeError: the tokens have another dtype or token dimension.
    """

    def __init__(self, sumformer: MeanSumformer, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float64) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self.d, self.d_out = len(sumformer.tokens), sumformer.d_out
        rows = {channel: row for row, channel in enumerate(_ordered(sumformer))}
        self.width = len(rows)
        self._phi, self._psi = ([self._layer(layer, rows) for layer in layers] for layers in (sumformer.phi, sumformer.psi))
        self._pooled = self._index([rows[channel] for channel in sumformer.pooled])
        self._means = self._index([rows[mean_of(channel)] for channel in sumformer.pooled])
        self._readout = self._index([rows[channel] for channel in sumformer.readout])
        self._W_out, self._b_out = self._tensor(sumformer.W_out.T), self._tensor(sumformer.b_out[:, None])
        self._needs_phi = bool(sumformer.pooled)

    @torch.no_grad()
    def __call__(self, tokens: Tensor) -> Tensor:
        """Evaluate; returns (*batch, n, d_out) in the same dtype."""
        if tokens.dtype != self.dtype or tokens.shape[-1] != self.d:
            raise TypeError(f"tokens {tokens.dtype} {tuple(tokens.shape)}: expected {self.dtype} (*batch, n, {self.d})")
        batch, n = tokens.shape[:-2], tokens.shape[-2]
        sequences = tokens.reshape(-1, n, self.d)
        numbers = STREAM_NUMBERS.get(tokens.device.type, LARGE_STREAM)
        room = max(1, numbers // self.width)
        if n > room:
            parts = [self._long(sequence, room) for sequence in sequences]
        else:
            parts = [self._short(part) for part in torch.split(sequences, max(1, room // n))]
        return torch.cat(parts).reshape(*batch, n, self.d_out)

    def _short(self, sequences: Tensor) -> Tensor:
        """Whole sequences at once: phi is evaluated once."""
        batch, n, _ = sequences.shape
        stream = self._after_phi(sequences.reshape(-1, self.d))
        if self._needs_phi:
            means = stream.index_select(0, self._pooled).view(-1, batch, n).mean(dim=2, keepdim=True)
            stream.index_copy_(0, self._means, means.expand(-1, -1, n).reshape(len(means), -1))
        return self._after_psi(stream).view(batch, n, self.d_out)

    def _long(self, sequence: Tensor, room: int) -> Tensor:
        """One sequence in chunks of tokens."""
        chunks = torch.split(sequence, room)
        means = torch.zeros(len(self._pooled), 1, dtype=self.dtype, device=sequence.device)
        if self._needs_phi:
            for chunk in chunks:
                means += self._after_phi(chunk).index_select(0, self._pooled).sum(dim=1, keepdim=True)
            means /= len(sequence)
        parts = []
        for chunk in chunks:
            stream = self._after_phi(chunk)
            stream.index_copy_(0, self._means, means.expand(-1, len(chunk)))
            parts.append(self._after_psi(stream))
        return torch.cat(parts)[None]

    def _after_phi(self, tokens: Tensor) -> Tensor:
        stream = torch.zeros(self.width, len(tokens), dtype=self.dtype, device=tokens.device)
        stream[: self.d] = tokens.T
        for layer in self._phi:
            layer(stream)
        return stream

    def _after_psi(self, stream: Tensor) -> Tensor:
        for layer in self._psi:
            layer(stream)
        return torch.addmm(self._b_out, self._W_out, stream.index_select(0, self._readout)).T

    def _layer(self, layer: ReluLayer, rows: dict[str, int]) -> _Layer | _Folds | _Table:
        if layer.units >= 64 and len(layer.reads) == 1 and np.all(layer.W_1[0, 0] == layer.W_1) and layer.W_1[0, 0]:
            return self._table(layer, rows)
        if np.all(np.count_nonzero(layer.W_1, axis=0) == 1) and np.all(layer.W_1.max(axis=0) == 1):
            return self._folds(layer, rows)
        reads, writes = (np.argsort([rows[c] for c in names]) for names in (layer.reads, layer.writes))
        return _Layer(self._rows([rows[layer.reads[k]] for k in reads]), self._tensor(layer.W_1[reads].T),
                      self._tensor(layer.bias[:, None]), self._rows([rows[layer.writes[k]] for k in writes]),
                      self._tensor(layer.W_2[:, writes].T))

    def _folds(self, layer: ReluLayer, rows: dict[str, int]) -> _Folds:
        read = np.array([rows[layer.reads[i]] for i in np.argmax(layer.W_1, axis=0)])
        units = np.argsort(read, kind="stable")
        W_2 = layer.W_2[units]
        write = np.array([rows[c] for c in layer.writes])
        single = (np.count_nonzero(W_2, axis=0) == 1) & (W_2.min(axis=0) == -2)
        folded = np.flatnonzero(single)
        folded, rest = folded[np.argsort(write[folded])], np.flatnonzero(~single)
        rest = rest[np.argsort(write[rest])]
        reads = read[units] if len(set(read)) > 1 else read[:1]  # one row broadcasts over all units
        return _Folds(self._rows(reads), self._tensor(layer.bias[units][:, None]),
                      self._rows(write[folded]) if len(folded) else None, self._rows(np.argmin(W_2[:, folded], axis=0)),
                      self._rows(write[rest]) if len(rest) else None, self._tensor(W_2[:, rest].T))

    def _rows(self, rows: Sequence[int] | np.ndarray) -> Rows:
        found = [int(row) for row in rows]
        if found and found == list(range(found[0], found[0] + len(found))):
            return slice(found[0], found[0] + len(found))
        return self._index(found)

    def _table(self, layer: ReluLayer, rows: dict[str, int]) -> _Table:
        """relu(w t + b_j) = w t + b_j beyond the knot -b_j: running sums of slopes and intercepts, in order of the knots."""
        order = np.argsort(-layer.bias, kind="stable")
        W_2 = layer.W_2[order]
        zero = np.zeros((1, W_2.shape[1]))
        slopes = np.concatenate([zero, np.cumsum(W_2, axis=0)])
        intercepts = np.concatenate([zero, np.cumsum(W_2 * layer.bias[order][:, None], axis=0)])
        return _Table(rows[layer.reads[0]], float(layer.W_1[0, 0]), self._tensor(-layer.bias[order]), self._tensor(slopes.T),
                      self._tensor(intercepts.T), self._index([rows[c] for c in layer.writes]))

    def _index(self, rows: Sequence[int]) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64, device=self.device)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, self.dtype)


def _ordered(sumformer: MeanSumformer) -> list[str]:
    """Order channels so that those a layer reads or writes together are adjacent: tokens, then by first and last use.

    Channels that are folded are read one by one in every layer, the others are mostly written.
    """
    reads: dict[str, list[int]] = {}
    writes: dict[str, list[int]] = {}
    for k, layer in enumerate((*sumformer.phi, *sumformer.psi)):
        for uses, channels in ((reads, layer.reads), (writes, layer.writes)):
            for channel in channels:
                uses.setdefault(channel, []).append(k)

    def key(channel: str) -> tuple[int, bool, int]:
        written, read = writes.get(channel, [0]), reads.get(channel, [0])
        folds = len(set(written) & set(read)) > 0
        return min(written), not folds, -max(read if folds else written)

    others = [channel for channel in sumformer.channels if channel not in sumformer.tokens]
    return [*sumformer.tokens, *sorted(others, key=key)]
