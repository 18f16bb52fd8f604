"""Trainable token mixing, stacked: softmax attention, Linformer's projections, Performer's positive random features.

Each maps (members, batch, n, width) to the same shape, for any n. One head, as in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from uat.experiments.stacked import StackedLinear


class Head(nn.Module):
    """Queries, keys and values of one head, without biases."""

    def __init__(self, width: int, random: Sequence[torch.Generator]) -> None:
        super().__init__()
        widths = [width] * len(random)
        self.W_Q, self.W_K, self.W_V = (StackedLinear(widths, widths, random, bias=False) for _ in range(3))

    def parameters_of(self, e: int) -> int:
        """Return the number of parameters of one member."""
        return sum(part.parameters_of(e) for part in (self.W_Q, self.W_K, self.W_V))


class Softmax(Head):
    """softmax(Q K^T / sqrt(width)) V."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens."""
        return F.scaled_dot_product_attention(self.W_Q(x), self.W_K(x), self.W_V(x))


class Linformer(Head):
    """softmax(Q (E K)^T / sqrt(width)) F V with trained E, F in R^{k x n}.

    E and F belong to one length. At another they are resampled linearly along the tokens and scaled so that their rows sum up to
    about the same, which is the least that can be done; a Linformer as defined has no meaning there.
    """

    def __init__(self, width: int, random: Sequence[torch.Generator], n: int, k: int) -> None:
        super().__init__(width, random)
        self.E, self.F = (nn.Parameter(torch.stack([torch.randn(k, n, generator=own) for own in random]) / n) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens."""
        E, last = (_at_length(projection, x.shape[2])[:, None] for projection in (self.E, self.F))
        return F.scaled_dot_product_attention(self.W_Q(x), E @ self.W_K(x), last @ self.W_V(x))

    def parameters_of(self, e: int) -> int:
        """Return the number of parameters of one member."""
        return super().parameters_of(e) + self.E[e].numel() + self.F[e].numel()


class Performer(Head):
    """a(Q) (a(K)^T V) / (a(Q) a(K)^T 1) with a(x) = exp(w.x - |x|^2/2) for fixed Gaussian w: linear in n."""

    w: Tensor

    def __init__(self, width: int, random: Sequence[torch.Generator], features: int) -> None:
        super().__init__(width, random)
        self.register_buffer("w", torch.stack([torch.randn(width, features, generator=own) for own in random]))

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens."""
        scale = math.sqrt(math.sqrt(x.shape[-1]))
        queries, keys = (self._exponents(part(x) / scale) for part in (self.W_Q, self.W_K))
        q = torch.exp(queries - queries.amax(-1, keepdim=True))  # factors that cancel in the quotient
        k = torch.exp(keys - keys.amax((-2, -1), keepdim=True))
        return (q @ (k.transpose(-1, -2) @ self.W_V(x))) / (q @ k.sum(-2).unsqueeze(-1)).clamp(min=1e-30)

    def _exponents(self, x: Tensor) -> Tensor:
        return x @ self.w[:, None] - x.square().sum(-1, keepdim=True) / 2


def _at_length(projection: Tensor, n: int) -> Tensor:
    trained = projection.shape[-1]
    if n == trained:
        return projection
    return F.interpolate(projection, size=n, mode="linear", align_corners=False) * (trained / n)
