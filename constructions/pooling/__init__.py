"""Pooling heads: one architecture's attention a file, with its exact reference forward and the weights that pool.

Every head returns Sigma = sum_k phi(x_k) in the channels it is routed to, whatever its free parameters are.
"""

from __future__ import annotations

from collections.abc import Callable

from constructions.pooling.head import Arrays, PoolingHead, Route
from constructions.pooling.linformer import LinformerHead
from constructions.pooling.performer import NormalisedPerformerHead, PerformerHead
from constructions.pooling.softmax import SoftmaxHead

__all__ = ["ARCHITECTURES", "HEADS", "Arrays", "LinformerHead", "NormalisedPerformerHead", "PerformerHead", "PoolingHead",
           "Route", "SoftmaxHead", "pooling_head"]

HEADS: dict[str, Callable[[int, int, int], PoolingHead]] = {
    "transformer": lambda k, features, seed: SoftmaxHead(),
    "linformer": lambda k, features, seed: LinformerHead(k),
    "performer": lambda k, features, seed: PerformerHead(features, seed),
    "performer-normalised": lambda k, features, seed: NormalisedPerformerHead(features, seed),
}
ARCHITECTURES = tuple(HEADS)  # those of the project; HEADS may grow (docs/how-to/architecture.md)


def pooling_head(architecture: str, *, linformer_k: int = 1, performer_features: int = 4, seed: int = 0) -> PoolingHead:
    """Return the head of a named architecture, with its free parameters."""
    return HEADS[architecture](linformer_k, performer_features, seed)
