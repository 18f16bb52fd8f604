"""The attention heads of mathematics, section 0, in torch: batched, any device, from named weights and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from constructions.errors import BadInput, Refused
from constructions.pooling import PoolingHead


def softmax_attention(X: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Return softmax(X W_Q (X W_K)^T / sqrt(d_head)) X W_V."""
    scores = (X @ w["W_Q"]) @ (X @ w["W_K"]).mT / math.sqrt(w["W_Q"].shape[1])
    return torch.softmax(scores, dim=-1) @ (X @ w["W_V"])


def fused_softmax_attention(X: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """The same, by torch's fused kernel, which never holds the n x n scores: queries and keys are padded to the values' width."""
    values = X @ w["W_V"]
    Q, K, V = (_one_head(part, values.shape[-1]) for part in (X @ w["W_Q"], X @ w["W_K"], values))
    mixed = nn.functional.scaled_dot_product_attention(Q, K, V, scale=1 / math.sqrt(w["W_Q"].shape[1]))
    return mixed.reshape(values.shape)


def _one_head(part: Tensor, width: int) -> Tensor:
    """(*batch, n, d) to (batch, 1, n, width), zeros appended."""
    return nn.functional.pad(part, (0, width - part.shape[-1])).reshape(-1, 1, part.shape[-2], width)


def linformer_attention(X: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Return softmax(X W_Q (E X W_K)^T / sqrt(d_head)) F X W_V.

    Raises:
        BadInput: as many tokens as E and F have no columns for.
    """
    if X.shape[-2] != w["E"].shape[1]:
        raise BadInput(f"{X.shape[-2]} tokens: expected {w['E'].shape[1]}, the columns of this Linformer's E and F")
    scores = (X @ w["W_Q"]) @ (w["E"] @ (X @ w["W_K"])).mT / math.sqrt(w["W_Q"].shape[1])
    return torch.softmax(scores, dim=-1) @ (w["F"] @ (X @ w["W_V"]))


def performer_attention(X: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Return a(X W_Q) (a(X W_K)^T X W_V), no normaliser."""
    return _features(X @ w["W_Q"], w["w"]) @ (_features(X @ w["W_K"], w["w"]).mT @ (X @ w["W_V"]))


def normalised_performer_attention(X: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Return a(X W_Q) (a(X W_K)^T X W_V) divided by a(X W_Q) (a(X W_K)^T 1)."""
    queries, keys = _features(X @ w["W_Q"], w["w"]), _features(X @ w["W_K"], w["w"])
    return queries @ (keys.mT @ (X @ w["W_V"])) / (queries @ keys.sum(-2, keepdim=True).mT)


def _features(x: Tensor, w: Tensor) -> Tensor:
    """a(x) = k^{-1/2} exp(-|x|^2 / 2) [exp(w_1.x), .., exp(w_k.x)], the two exponentials in one."""
    return torch.exp(x @ w.mT - x.square().sum(-1, keepdim=True) / 2) / math.sqrt(len(w))


# What a head computes, by name; an architecture more is an entry more.
FORMULAS: dict[str, Callable[[Tensor, Mapping[str, Tensor]], Tensor]] = {
    "transformer": softmax_attention,
    "linformer": linformer_attention,
    "performer": performer_attention,
    "performer-normalised": normalised_performer_attention,
}
_FUSED = {"transformer": fused_softmax_attention}


class Attention(nn.Module):
    """One attention head with its weights under their own names; ``fused`` takes torch's own kernel for the same formula.

    Raises (at birth):
        Refused: the head has no formula here, or no fused one.
    """

    def __init__(self, head: PoolingHead, weights: Mapping[str, Tensor], *, fused: bool = False) -> None:
        super().__init__()
        known = _FUSED if fused else FORMULAS
        if head.name not in known:
            raise Refused(f"no {'fused ' if fused else ''}torch form of the {head.name} head; known: {', '.join(known)}")
        self._formula = known[head.name]
        for name, weight in weights.items():
            self.register_parameter(name, nn.Parameter(weight, requires_grad=False))

    def forward(self, X: Tensor) -> Tensor:
        """Mix the tokens of (*batch, n, d_model); the same shape."""
        return self._formula(X, dict(self.named_parameters()))
