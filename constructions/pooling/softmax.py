"""Softmax attention as the sum over tokens (mathematics: softmax-pooling)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.pooling.head import Arrays, Route, as_fractions, require_zero, routing


@dataclass(frozen=True)
class SoftmaxHead:
    """softmax(X W_Q (X W_K)^T / sqrt(d_head)) X W_V with W_Q = W_K = 0: every weight is 1/n, W_V carries the factor n."""

    name: str = "transformer"

    def weights(self, d_model: int, routes: Sequence[Route], n: int, *, mean: bool = False) -> dict[str, np.ndarray]:
        """Return W_Q, W_K (d_model, 1) and W_V (d_model, d_model)."""
        zero = np.zeros((d_model, 1))
        return {"W_Q": zero, "W_K": zero.copy(), "W_V": routing(d_model, routes, 1 if mean else n)}

    def reference(self, stream: np.ndarray, weights: Arrays) -> np.ndarray:
        """Evaluate exactly; equal scores make every attention weight 1/n."""
        exact = {name: as_fractions(array) for name, array in weights.items()}
        require_zero((stream @ exact["W_Q"]) @ (stream @ exact["W_K"]).T, "attention scores")
        n = len(stream)
        attention = np.full((n, n), Fraction(1, n), dtype=object)
        return np.asarray(attention @ (stream @ exact["W_V"]))

    def roundings(self, n: int) -> int:
        """1/n, n products, n - 1 sums, and the subtraction of phi."""
        return n + 4
