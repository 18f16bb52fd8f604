"""Linformer attention as the sum over tokens (mathematics: linformer-pooling)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.errors import BadInput, Refused
from constructions.pooling.head import Arrays, Route, as_fractions, require_zero, routing

LARGEST = 2**24  # entries of E and of F: a quarter of a gigabyte together


@dataclass(frozen=True)
class LinformerHead:
    """softmax(X W_Q (E X W_K)^T / sqrt(d_head)) F X W_V, E and F of shape (k, n), with W_Q = W_K = 0.

    The printed F = (1/k) 1 with a factor n in W_V gives (n/k) Sigma. F = (1/n) 1 with that factor gives Sigma; so does
    F = 1 with no factor, which is the same product without the division: all k slots hold Sigma and are averaged.
    """

    k: int = 1
    name: str = "linformer"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInput(f"linformer k = {self.k}: expected k >= 1")

    def weights(self, d_model: int, routes: Sequence[Route], n: int, *, mean: bool = False) -> dict[str, np.ndarray]:
        """Return W_Q, W_K (d_model, 1), W_V (d_model, d_model), E and F (k, n)."""
        if self.k > 1 and self.k * n > LARGEST:
            raise Refused(f"linformer k = {self.k} and n = {n}: E and F with {self.k * n} entries each are more than {LARGEST}; "
                          f"k = 1 is enough")
        zero = np.zeros((d_model, 1))
        ones = np.ones((self.k, n))
        F = ones / n if mean else ones.copy()
        return {"W_Q": zero, "W_K": zero.copy(), "W_V": routing(d_model, routes, 1), "E": ones, "F": F}

    def reference(self, stream: np.ndarray, weights: Arrays) -> np.ndarray:
        """Evaluate exactly; equal scores make the weight of every slot 1/k."""
        exact = {name: as_fractions(array) for name, array in weights.items()}
        require_zero((stream @ exact["W_Q"]) @ (exact["E"] @ (stream @ exact["W_K"])).T, "attention scores")
        slots = len(exact["F"])
        attention = np.full((len(stream), slots), Fraction(1, slots), dtype=object)
        return np.asarray(attention @ (exact["F"] @ (stream @ exact["W_V"])))

    def roundings(self, n: int) -> int:
        """n products and sums for F, 1/k, k products and sums for the average, and the subtraction of phi."""
        return 2 * n + 2 * self.k + 4
