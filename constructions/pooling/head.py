"""What every pooling head provides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
Route = tuple[int, int]  # read channel phi.r, write channel sigma.r


class NotExact(ArithmeticError):
    """The head's weights do not make its scores constant, so its output is not rational."""


class PoolingHead(Protocol):
    """One attention head, X in R^{n x d_model} -> R^{n x d_model}; the FC that follows sees X + Att(X)."""

    @property
    def name(self) -> str:
        """The architecture's name on the command line."""

    def weights(self, d_model: int, routes: Sequence[Route], n: int, *, mean: bool = False) -> dict[str, np.ndarray]:
        """Return named float64 arrays that write sum_k X[k, i], or its n-th part, to channel j for each route.

        For the sum all are exact; for the mean a factor 1/n is rounded once where the head needs one.
        """

    def reference(self, stream: np.ndarray, weights: Arrays) -> np.ndarray:
        """Evaluate the head exactly on an (n, d_model) object array of ``Fraction``.

        Raises:
            NotExact: the scores are not all zero (exp of another rational is irrational).
        """

    def roundings(self, n: int) -> int:
        """Return how many rounded operations, in any order, separate a code from Sigma - phi in floating point."""


def as_fractions(array: np.ndarray) -> np.ndarray:
    """Return the object array of the exact rational values of floats or integers."""
    return np.frompyfunc(lambda value: value if isinstance(value, Fraction) else Fraction(value), 1, 1)(array)


def require_zero(scores: np.ndarray, what: str) -> None:
    """Raise ``NotExact`` unless every score is 0."""
    if np.any(scores != 0):
        raise NotExact(f"{what} are not all 0: exp of another rational number is irrational")


def routing(d_model: int, routes: Sequence[Route], factor: float) -> np.ndarray:
    """Return W_V: ``factor`` from each read channel to its write channel."""
    matrix = np.zeros((d_model, d_model))
    for read, write in routes:
        matrix[read, write] = factor
    return matrix
