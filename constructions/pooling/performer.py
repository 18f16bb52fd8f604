"""Performer attention as the sum over tokens, unnormalised as printed and normalised as in practice
(mathematics: performer-pooling)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.errors import BadInput
from constructions.pooling.head import Arrays, Route, as_fractions, require_zero, routing

LARGEST = 2**16  # features: any number of them pools alike


@dataclass(frozen=True)
class PerformerHead:
    """a(X W_Q) (a(X W_K)^T X W_V) with a(x) = k^{-1/2} exp(-|x|^2/2) [exp(w_1.x), .., exp(w_k.x)] and W_Q = W_K = 0.

    Then a = k^{-1/2} [1, .., 1] for *every* draw of the features w, the kernel is 1, and the unnormalised head is the sum.
    """

    features: int = 4
    seed: int = 0
    name: str = "performer"

    def __post_init__(self) -> None:
        _require_features(self.features)

    def weights(self, d_model: int, routes: Sequence[Route], n: int, *, mean: bool = False) -> dict[str, np.ndarray]:
        """Return W_Q, W_K (d_model, 1), W_V (d_model, d_model) and the random features w (k, 1)."""
        return _performer_weights(d_model, routes, 1 / n if mean else 1, self.features, self.seed)

    def reference(self, stream: np.ndarray, weights: Arrays) -> np.ndarray:
        """Evaluate exactly; zero queries and keys make every kernel value (1/k) sum_j 1 = 1."""
        return _kernel(stream, weights) @ (stream @ as_fractions(weights["W_V"]))

    def roundings(self, n: int) -> int:
        """k^{-1/2} twice, n products and sums over tokens, k over features, and the subtraction of phi."""
        return 2 * n + 2 * self.features + 8


@dataclass(frozen=True)
class NormalisedPerformerHead:
    """The Performer of practice: the same head divided by a(X W_Q) (a(X W_K)^T 1), so a mean; W_V carries the factor n."""

    features: int = 4
    seed: int = 0
    name: str = "performer-normalised"

    def __post_init__(self) -> None:
        _require_features(self.features)

    def weights(self, d_model: int, routes: Sequence[Route], n: int, *, mean: bool = False) -> dict[str, np.ndarray]:
        """Return W_Q, W_K (d_model, 1), W_V (d_model, d_model) and the random features w (k, 1)."""
        return _performer_weights(d_model, routes, 1 if mean else n, self.features, self.seed)

    def reference(self, stream: np.ndarray, weights: Arrays) -> np.ndarray:
        """Evaluate exactly: the rows of the kernel are divided by their sums."""
        kernel = _kernel(stream, weights)
        return np.asarray(kernel @ (stream @ as_fractions(weights["W_V"])) / kernel.sum(axis=1, keepdims=True))

    def roundings(self, n: int) -> int:
        """Numerator and denominator each like the unnormalised head, one division, and the subtraction of phi."""
        return 4 * n + 4 * self.features + 18


def _require_features(features: int) -> None:
    if features < 1:
        raise BadInput(f"performer features = {features}: expected at least 1")
    if features > LARGEST:
        raise BadInput(f"performer features = {features}: expected at most {LARGEST}; 1 is enough")


def _performer_weights(d_model: int, routes: Sequence[Route], factor: float, features: int, seed: int) -> dict[str, np.ndarray]:
    zero = np.zeros((d_model, 1))
    # drawn in float32, so that both formats hold the same features
    w = np.random.default_rng(seed).standard_normal((features, 1), dtype=np.float32).astype(np.float64)
    return {"W_Q": zero, "W_K": zero.copy(), "W_V": routing(d_model, routes, factor), "w": w}


def _kernel(stream: np.ndarray, weights: Arrays) -> np.ndarray:
    for name in ("W_Q", "W_K"):
        require_zero(stream @ as_fractions(weights[name]), f"features {name}")
    features = len(weights["w"])
    # k^{-1/2} is irrational in general, its square is not: a(q).a(k) = sum over k features of 1/k.
    value = sum((Fraction(1, features) for _ in range(features)), Fraction(0))
    return np.full((len(stream), len(stream)), value, dtype=object)
