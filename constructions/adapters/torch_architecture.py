"""An assembled architecture as a torch module: dense named weights, and the formulas of a Transformer, nothing looked up."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from constructions.adapters.attention import Attention
from constructions.architectures import Architecture, Block, FeedForward, Layout, ReluFeedForward
from constructions.errors import BadInput, Refused

# Hidden numbers held at once, and units of one matrix product: a hidden layer can have 2^20 units, times tokens of a batch.
# The pieces that fit a processor's cache are three times as fast as the large ones a GPU wants (measured).
PIECES = {"cpu": (2**18, 2**12)}
LARGE_PIECES = (2**24, 2**16)


class TorchArchitecture(nn.Module):
    """Affine embedding, blocks X + FC(X + Att(X)), linear readout, evaluated as written.

    Parameters (none of them trainable): ``embed.weight`` (d_model, d), ``embed.bias``, ``readout.weight`` (d_out, d_model) as
    in ``nn.Linear``; ``blocks.{i}.attention.W_Q``, ``W_K``, ``W_V`` and ``E``, ``F``, ``w`` where the head has them, and
    ``blocks.{i}.fc.W_1`` (d_model, d_ff), ``W_2`` (d_ff, d_model), which act on rows from the right. The buffer
    ``blocks.{i}.fc.relu`` marks the ReLU units among the Heaviside units.

    All sums a hidden layer makes are exact by construction, in any order, and Sigma comes back within the margin of its
    thresholds; so the output is the Sumformer's, bit for bit.

    ``n`` is the only length that the weights are for, None where that is not known or where they are for every one.
    """

    def __init__(self, embed: nn.Linear, blocks: list[TorchBlock], readout: nn.Linear, name: str, n: int | None = None) -> None:
        super().__init__()
        self.embed, self.blocks, self.readout, self.name, self.n = embed, nn.ModuleList(blocks), readout, name, n

    @staticmethod
    def of(architecture: Architecture, dtype: torch.dtype = torch.float64, *, fused: bool = False,
           n: int | None = None) -> TorchArchitecture:
        """Build the module in a dtype that holds every weight; ``fused`` evaluates softmax attention by torch's own kernel.

        Args:
            n: the only length that the module will take, where its weights are for one.

        Raises:
            Refused: a weight is an integer beyond machine arithmetic, rounding to the dtype would change it, or the head has no
                fused kernel.
        """
        embed = _linear(architecture.W_embed, architecture.b_embed, dtype)
        blocks = [_block(architecture, i, block, dtype, fused) for i, block in enumerate(architecture.blocks)]
        return TorchArchitecture(embed, blocks, _linear(architecture.W_out, None, dtype), architecture.name, n)

    def forward(self, tokens: Tensor) -> Tensor:
        """Evaluate (*batch, n, d) tokens; returns (*batch, n, d_out).

        Raises:
            BadInput: tokens of another shape, or sequences of a length that the weights are not for.
        """
        if tokens.ndim < 2 or tokens.shape[-1] != self.embed.in_features:
            raise BadInput(f"tokens of shape {tuple(tokens.shape)}: expected (*batch, n, {self.embed.in_features})")
        if self.n is not None and tokens.shape[-2] != self.n:
            raise BadInput(f"{tokens.shape[-2]} tokens: expected {self.n}, the length that this {self.name}'s weights are for")
        stream = self.embed(tokens)
        for block in self.blocks:
            stream = block(stream)
        return torch.as_tensor(self.readout(stream))


class TorchBlock(nn.Module):
    """X + FC(X + Att(X)); without attention, X + FC(X)."""

    def __init__(self, attention: Attention | None, fc: TorchFeedForward) -> None:
        super().__init__()
        self.attention, self.fc = attention, fc

    def forward(self, X: Tensor) -> Tensor:
        """Map a (*batch, n, d_model) stream."""
        mixed = X if self.attention is None else X + self.attention(X)
        return X + torch.as_tensor(self.fc(mixed))


class TorchFeedForward(nn.Module):
    """act(X W_1) W_2 with act = H, H(0) = 1, or ReLU by unit; the hidden layer is evaluated piece by piece."""

    W_1: Tensor
    W_2: Tensor
    relu: Tensor

    def __init__(self, W_1: Tensor, W_2: Tensor, relu: Tensor) -> None:
        super().__init__()
        self.W_1, self.W_2 = nn.Parameter(W_1, requires_grad=False), nn.Parameter(W_2, requires_grad=False)
        self.register_buffer("relu", relu)

    def forward(self, X: Tensor) -> Tensor:
        """Map each token by itself; holds a piece of the hidden layer at a time."""
        numbers, units = PIECES.get(X.device.type, LARGE_PIECES)
        units = max(1, min(units, len(self.relu)))  # a block without units has one empty piece
        pieces = [self._tokens(rows, units) for rows in torch.split(X.reshape(-1, X.shape[-1]), numbers // units)]
        return torch.cat(pieces).reshape(X.shape)

    def _tokens(self, rows: Tensor, units: int) -> Tensor:
        total = torch.zeros_like(rows)
        layers = (torch.split(self.W_1, units, dim=1), torch.split(self.W_2, units), torch.split(self.relu, units))
        for W_1, W_2, relu in zip(*layers, strict=True):
            hidden = rows @ W_1
            active = (hidden >= 0).to(hidden.dtype)
            if bool(relu.any()):
                active = torch.where(relu, hidden.clamp(min=0), active)
            total.addmm_(active, W_2)
        return total


def _block(architecture: Architecture, i: int, block: Block, dtype: torch.dtype, fused: bool) -> TorchBlock:
    attention = None
    if block.attention is not None:
        weights = {name: _weight(array, dtype, f"blocks.{i}.attention.{name}") for name, array in block.attention.items()}
        attention = Attention(architecture.head, weights, fused=fused)
    return TorchBlock(attention, _feed_forward(block.feed_forward, architecture.layout, dtype, f"blocks.{i}.fc"))


def _feed_forward(feed_forward: FeedForward | ReluFeedForward, layout: Layout, dtype: torch.dtype,
                  place: str) -> TorchFeedForward:
    # Before the dense arrays are made: in exact integers they would be large and slow, only to be refused.
    if isinstance(feed_forward, FeedForward) and any(
            array.dtype == object for node in feed_forward.steps for array in (node.table.thresholds, node.table.values)):
        raise Refused(f"{place}.W_1 holds integers beyond float64; no torch module has such weights "
                      f"(use a packed or Bose-Chowla code)")
    first, second, relu = feed_forward.dense(layout)
    return TorchFeedForward(_weight(first, dtype, f"{place}.W_1"), _weight(second, dtype, f"{place}.W_2"), torch.from_numpy(relu))


def _linear(matrix: np.ndarray, bias: np.ndarray | None, dtype: torch.dtype) -> nn.Linear:
    """x @ matrix + bias as an ``nn.Linear``, whose weight is the transpose."""
    layer = nn.Linear(matrix.shape[0], matrix.shape[1], bias=bias is not None, dtype=dtype).requires_grad_(False)
    layer.weight.copy_(_weight(matrix.T, dtype, "embed or readout weight"))
    if bias is not None:
        layer.bias.copy_(_weight(bias, dtype, "embed.bias"))
    return layer


def _weight(array: np.ndarray, dtype: torch.dtype, name: str) -> Tensor:
    """Store a weight in the dtype; refuse to round it."""
    if array.dtype == object:
        raise Refused(f"{name} holds integers beyond float64; no torch module has such weights")
    tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64)).to(dtype)
    changed = tensor.to(torch.float64).numpy() != array
    if changed.any():
        raise Refused(f"{int(changed.sum())} of {array.size} weights in {name} are not {dtype} numbers: rounding them would "
                      f"change the network")
    return tensor.clone()
