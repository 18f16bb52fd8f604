"""A continuous Sumformer in torch, token by token: time linear in n, working memory a chunk of tokens.

Channels are rows and tokens columns, so a level of units is two small matrix products on the rows it touches. A chain of folds
is evaluated at once (``fold_chains.py``), what depends on means alone once a sequence (``constant_part.py``), the rest level by
level. Long sequences take two passes: phi for the means, then phi and psi for the outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from constructions.adapters.constant_part import split
from constructions.adapters.fold_chains import nodes
from constructions.adapters.program import Program
from constructions.network.relu import MeanSumformer, mean_of

# Numbers of the stream and the largest hidden layer held at once: a processor's cache, or what fills a GPU (measured).
STREAM_NUMBERS = {"cpu": 2**19}
LARGE_STREAM = 2**27


class CompiledMeanSumformer:
    """S(X)_i = psi(x_i, mean_k phi(x_k)) for (*batch, n, d) tensors of any n, on one device, in one dtype.

    Raises (on call):
        TypeError: the tokens have another dtype or token dimension.
    """

    def __init__(self, sumformer: MeanSumformer, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float64) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self.d, self.d_out = len(sumformer.tokens), sumformer.d_out
        precision = torch.finfo(dtype).eps / 2
        means = [mean_of(channel) for channel in sumformer.pooled]
        known = {*sumformer.tokens, *(channel for layer in sumformer.phi for channel in layer.writes)}
        later = {*sumformer.pooled, *sumformer.readout, *(channel for layer in sumformer.psi for channel in layer.reads)}
        constant, own, shared = split(nodes(sumformer.psi, known | set(means), sumformer.readout, precision), means, known)

        rows = {channel: row for row, channel in enumerate(sumformer.tokens)}
        self._phi = Program(nodes(sumformer.phi, sumformer.tokens, later, precision), rows, {}, self._tensor)
        self._pooled = self._phi.rows_of(sumformer.pooled)
        columns = {channel: row for row, channel in enumerate(means)}
        self._constant = Program(constant, columns, {}, self._tensor)
        changed = [row for row, channel in enumerate(means) if channel not in shared]  # psi adds something of the token to them
        self._changed = [(row, rows.setdefault(means[row], len(rows))) for row in changed]
        self._psi = Program(own, rows, {channel: columns[channel] for channel in shared if channel in columns}, self._tensor)
        outputs = [{c: float(w) for c, w in zip(sumformer.readout, column, strict=True)} for column in sumformer.W_out.T]
        self._readout = self._psi.affine(outputs, sumformer.b_out)
        self._height, self._constant_height = len(rows), len(columns)
        self.width = self._height + max(self._phi.hidden, self._psi.hidden)

    @torch.no_grad()
    def __call__(self, tokens: Tensor, counts: Sequence[int] | Tensor | None = None) -> Tensor:
        """Evaluate; returns (*batch, n, d_out) in the same dtype.

        ``counts`` says how often each of the n tokens occurs, as a tensor one row for each of (batch, n, d) sequences.
        """
        if tokens.dtype != self.dtype or tokens.shape[-1] != self.d:
            raise TypeError(f"tokens {tokens.dtype} {tuple(tokens.shape)}: expected {self.dtype} (*batch, n, {self.d})")
        batch, n = tokens.shape[:-2], tokens.shape[-2]
        sequences = tokens.reshape(-1, n, self.d)
        values = tokens.new_empty(self.d_out, n, len(sequences)).permute(2, 1, 0)  # sequences innermost, as they are computed
        room = max(1, STREAM_NUMBERS.get(tokens.device.type, LARGE_STREAM) // self.width)
        if n > room and counts is None:
            for sequence, out in zip(sequences, values, strict=True):
                chunks = torch.split(sequence, room)
                constant = self.constants(chunks, n)
                for chunk, part in zip(chunks, torch.split(out, room), strict=True):
                    part.copy_(self.outputs(chunk, constant))
        else:
            together = max(1, -(-len(sequences) // -(-len(sequences) * n // room)))  # parts of equal size
            often = counts if counts is None or isinstance(counts, Tensor) else torch.tensor(counts).expand(len(sequences), -1)
            parts = [None] * -(-len(sequences) // together) if often is None else torch.split(often, together)
            for part, out, times in zip(torch.split(sequences, together), torch.split(values, together), parts, strict=True):
                self._short(part, times, out)
        return values.reshape(*batch, n, self.d_out)

    def _short(self, sequences: Tensor, counts: Tensor | None, out: Tensor) -> None:
        """Whole sequences at once: phi is evaluated once."""
        stream = self._after_phi(sequences)
        values = self._pooled.of_stream(stream).view(-1, sequences.shape[1], len(sequences))
        means = values.mean(dim=1) if counts is None else (values * counts.to(values).T).sum(dim=1) / int(counts[0].sum())
        self._after_psi(stream, self._after_constant(means), len(sequences), out)

    def constants(self, chunks: Iterable[Tensor], n: int) -> Tensor:
        """Return what all tokens of one sequence share, from its (tokens, d) chunks, n tokens together."""
        means = torch.zeros(self._pooled.count, 1, dtype=self.dtype, device=self.device)
        if self._pooled.count:
            for chunk in chunks:
                means += self._pooled.of_stream(self._after_phi(chunk[None])).sum(dim=1, keepdim=True)
        return self._after_constant(means / n)

    def outputs(self, tokens: Tensor, constant: Tensor) -> Tensor:
        """Return (tokens, d_out) values for some (tokens, d) of a sequence."""
        return self._after_psi(self._after_phi(tokens[None]), constant, 1)[0]

    def _after_phi(self, sequences: Tensor) -> Tensor:
        """Return a stream with the columns (n, batch)."""
        batch, n, d = sequences.shape
        stream = torch.empty(self._height, n * batch, dtype=self.dtype, device=sequences.device)
        stream[:d].view(d, n, batch).copy_(sequences.permute(2, 1, 0))
        self._phi(stream, stream)
        return stream

    def _after_constant(self, means: Tensor) -> Tensor:
        constant = torch.empty(self._constant_height, means.shape[1], dtype=self.dtype, device=means.device)
        constant[:len(means)] = means
        self._constant(constant, constant)
        return constant

    def _after_psi(self, stream: Tensor, constant: Tensor, batch: int, out: Tensor | None = None) -> Tensor:
        """Return (batch, n, d_out) values, in ``out`` where there is one."""
        for mean, row in self._changed:
            stream[row].view(-1, batch).copy_(constant[mean])
        self._psi(stream, constant)
        rows = stream.new_empty(self.d_out, stream.shape[1]) if out is None else out.permute(2, 1, 0).reshape(self.d_out, -1)
        values = self._readout.into(rows, stream, constant).view(self.d_out, -1, batch).permute(2, 1, 0)
        return values if out is None or rows.data_ptr() == out.data_ptr() else out.copy_(values)

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
        return tensor if array.dtype == np.int64 else tensor.to(self.dtype)
