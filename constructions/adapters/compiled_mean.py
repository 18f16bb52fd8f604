"""A continuous Sumformer in torch, token by token: time linear in n, working memory a chunk of tokens.

Channels are rows and tokens columns, so a level of units is two matrix products on the rows it touches, entry by entry where
most entries are zero (``matrix.py``). Monomials come first (``products.py``). A chain of folds is evaluated at once
(``fold_chains.py``), what depends on means alone once a sequence (``constant_part.py``), the rest level by level. Long sequences
take two passes: phi for the means, then phi and psi for the outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from constructions.adapters.constant_part import split
from constructions.adapters.fold_chains import nodes
from constructions.adapters.products import Products
from constructions.adapters.program import Program
from constructions.adapters.stream_operations import Scratch
from constructions.adapters.workspace import LINE, Memory, Workspace, run
from constructions.network.relu import MeanSumformer, mean_of

# Numbers of the stream and the largest hidden layer held at once: a processor's cache, or what fills a GPU (measured).
STREAM_NUMBERS = {"cpu": 2**20}
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
        known = {*sumformer.given, *(channel for layer in sumformer.phi for channel in layer.writes)}
        later = {*sumformer.pooled, *sumformer.readout, *(channel for layer in sumformer.psi for channel in layer.reads)}
        constant, own, shared = split(nodes(sumformer.psi, known | set(means), sumformer.readout, precision), means, known)

        rows = {channel: row for row, channel in enumerate(sumformer.given)}
        self._products = Products.of(list(sumformer.monomials.values()), self.d)
        self._phi = Program(nodes(sumformer.phi, sumformer.given, later, precision), rows, {}, self._tensor)
        self._pooled = self._phi.rows_of(sumformer.pooled)
        columns = {channel: row for row, channel in enumerate(means)}
        self._constant = Program(constant, columns, {}, self._tensor)
        changed = [row for row, channel in enumerate(means) if channel not in shared]  # psi adds something of the token to them
        self._changed = [(row, rows.setdefault(means[row], len(rows))) for row in changed]
        self._psi = Program(own, rows, {channel: columns[channel] for channel in shared if channel in columns}, self._tensor)
        outputs = [{c: float(w) for c, w in zip(sumformer.readout, column, strict=True)} for column in sumformer.W_out.T]
        self._readout = self._psi.affine(outputs, sumformer.b_out)
        self._height, self._constant_height = len(rows), len(columns)
        self._scratch = max(self._phi.size, self._pooled.size, self._psi.size, self._readout.size)
        self.width = self._height + self._scratch
        self._memory = Memory(torch.empty(0, dtype=dtype, device=self.device))

    @torch.no_grad()
    def __call__(self, tokens: Tensor, counts: Sequence[int] | Tensor | None = None) -> Tensor:
        """Evaluate; returns (*batch, n, d_out) in the same dtype.

        ``counts`` says how often each of the n tokens occurs, as a tensor one row for each of (batch, n, d) sequences.
        """
        if tokens.dtype != self.dtype or tokens.ndim < 2 or tokens.shape[-1] != self.d or not tokens.shape[-2]:
            raise TypeError(f"tokens {tokens.dtype} {tuple(tokens.shape)}: expected {self.dtype} (*batch, n, {self.d}), n >= 1")
        batch, n = tokens.shape[:-2], tokens.shape[-2]
        if not batch.numel():
            return tokens.new_empty(*batch, n, self.d_out)
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
            together = -(-len(sequences) // -(-len(sequences) * n // room))  # parts of equal size,
            together = -(-together // LINE) * LINE if together > LINE else together  # whose rows start at a cache line
            often = counts if counts is None or isinstance(counts, Tensor) else torch.tensor(counts).expand(len(sequences), -1)
            parts = [None] * -(-len(sequences) // together) if often is None else torch.split(often, together)
            for part, out, times in zip(torch.split(sequences, together), torch.split(values, together), parts, strict=True):
                self._short(part, times, out)
        return values.reshape(*batch, n, self.d_out)

    def _short(self, sequences: Tensor, counts: Tensor | None, out: Tensor) -> None:
        """Whole sequences at once: phi is evaluated once."""
        at = self._after_phi(sequences)
        if counts is None:
            torch.mean(at.pooled, dim=1, out=at.means)
        else:
            torch.sum(at.pooled * counts.to(at.pooled).T, dim=1, out=at.means).div_(int(counts[0].sum()))
        run(at.constant_part)
        self._after_psi(at, out)

    @torch.no_grad()
    def constants(self, chunks: Iterable[Tensor], n: int) -> Tensor:
        """Return what all tokens of one sequence share, from its (tokens, d) chunks, n tokens together."""
        means = torch.zeros(self._pooled.count, 1, dtype=self.dtype, device=self.device)
        if self._pooled.count:
            for chunk in chunks:
                means += self._after_phi(chunk[None]).pooled.sum(dim=1)
        at = self._workspace(1, 1)
        at.means.copy_(means.div_(n))
        run(at.constant_part)
        return at.constant.clone()

    @torch.no_grad()
    def outputs(self, tokens: Tensor, constant: Tensor) -> Tensor:
        """Return (tokens, d_out) values for some (tokens, d) of a sequence."""
        at = self._after_phi(tokens[None])
        at.constant.copy_(constant)
        out = tokens.new_empty(self.d_out, len(tokens), 1)
        self._after_psi(at, out.permute(2, 1, 0))
        return out[..., 0].T

    def _after_phi(self, sequences: Tensor) -> Workspace:
        """Evaluate phi at (batch, n, d) tokens."""
        at = self._workspace(sequences.shape[1], len(sequences))
        at.tokens.copy_(sequences.permute(2, 1, 0))
        run(at.phi)
        return at

    def _after_psi(self, at: Workspace, out: Tensor) -> None:
        """Write (batch, n, d_out) values to ``out``."""
        run(at.psi)
        by_memory = out.permute(2, 1, 0)
        rows = by_memory if by_memory.is_contiguous() else torch.empty_like(by_memory, memory_format=torch.contiguous_format)
        run(at.readout(rows.flatten(1)))
        if rows is not by_memory:
            by_memory.copy_(rows)

    def _workspace(self, n: int, sequences: int) -> Workspace:
        columns = n * sequences
        numbers = self.width * columns + (self._constant_height + self._constant.size) * sequences
        return self._memory.workspace(n, sequences, numbers, self._bound)

    def _bound(self, memory: Tensor, n: int, sequences: int) -> Workspace:
        """Lay out the memory and bind what is to be done to it."""
        columns, rows, shared = n * sequences, self.width, self._constant_height + self._constant.size
        of_tokens, of_sequences = memory[:rows * columns].view(rows, columns), memory[rows * columns:].view(shared, sequences)
        stream, scratch = of_tokens[:self._height], Scratch(of_tokens[self._height:])
        constant = of_sequences[:self._constant_height]
        phi = [*self._products.bound(stream), *self._phi.bound(stream, constant, scratch)]
        scratch.clear()
        gathered, pooled = self._pooled.bound(stream, scratch)
        constant_part = self._constant.bound(constant, constant, Scratch(of_sequences[self._constant_height:]))
        means = [partial(stream[row].view(n, sequences).copy_, constant[mean]) for mean, row in self._changed]
        psi = self._psi.bound(stream, constant, scratch)
        scratch.clear()
        before, readout = self._readout.bound(stream, constant, scratch)
        return Workspace(stream[:self.d].view(self.d, n, sequences), pooled.view(len(pooled), n, sequences),
                         constant[:self._pooled.count], constant, [*phi, *gathered], constant_part, [*means, *psi, *before],
                         readout)

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
        return tensor if array.dtype == np.int64 else tensor.to(self.dtype)
