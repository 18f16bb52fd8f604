"""A staircase: one hidden layer of Heaviside units that all read the same number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Staircase:
    """The step function t -> values[0] + sum_j (values[j] - values[j-1]) H(t - thresholds[j-1]), with H(0) = 1.

    As a network it is one hidden layer: unit j has weight 1, bias -thresholds[j-1] and outgoing weight ``jumps[j-1]``. Summed
    in any order that is the look-up ``values[number of thresholds <= t]`` whenever the partial sums are exact, which is how
    it is evaluated here.

    Attributes:
        thresholds: (m,) increasing; float64, or an object array of exact numbers.
        values: (m + 1, width) of the same kinds.
    """

    thresholds: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        if self.thresholds.ndim != 1 or self.values.ndim != 2 or len(self.values) != len(self.thresholds) + 1:
            raise ValueError(f"a staircase needs (m,) thresholds and (m + 1, width) values, "
                             f"got {self.thresholds.shape} and {self.values.shape}")

    @property
    def units(self) -> int:
        """m, the number of hidden units."""
        return len(self.thresholds)

    @property
    def width(self) -> int:
        """Number of outputs."""
        return int(self.values.shape[1])

    @cached_property
    def jumps(self) -> np.ndarray:
        """The outgoing weights, shape (m, width)."""
        return self.values[1:] - self.values[:-1]

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Look the values up; shape (*t.shape, width)."""
        flat = np.asarray(t).ravel()
        return self.values[np.searchsorted(self.thresholds, flat, side="right")].reshape(*np.shape(t), self.width)

    def torch(self, t: Any) -> Any:
        """Look the values up on a torch tensor's device, in its dtype; shape (*t.shape, width)."""
        import torch

        thresholds = torch.as_tensor(self.thresholds, dtype=t.dtype, device=t.device)
        values = torch.as_tensor(self.values, dtype=t.dtype, device=t.device)
        return values[torch.bucketize(t, thresholds, right=True)]
