"""What a code is: d' integers for every cell, such that the sum over any n - 1 tokens determines their multiset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.number_formats import NumberFormat


@dataclass(frozen=True, eq=False)
class Code:
    """``values[z, r]`` is channel r of the code of cell z, a non-negative Python integer of any size (object array)."""

    name: str
    n: int
    values: np.ndarray

    @property
    def cells(self) -> int:
        """K."""
        return len(self.values)

    @property
    def d_latent(self) -> int:
        """d', the number of channels."""
        return int(self.values.shape[1])

    @property
    def largest_sigma(self) -> int:
        """The largest value a channel of Sigma, a sum over n tokens, can take."""
        return self.n * int(self.values.max())

    @property
    def bits(self) -> int:
        """Bits of Sigma, all channels together."""
        return sum((self.n * int(self.values[:, r].max())).bit_length() for r in range(self.d_latent))

    def survives(self, number_format: NumberFormat, roundings: int) -> bool:
        """Say whether pooled sums decode correctly: every sum of the others is recovered with error below a quarter.

        ``roundings`` is the number of rounded operations between a code and Sigma - phi (Higham 2002, lemma 3.1). Thresholds
        sit half-way between integers; a quarter leaves room for them to be rounded themselves.
        """
        if self.largest_sigma >= number_format.largest_integer // 4 or roundings * number_format.unit_roundoff >= 1:
            return False
        return number_format.sum_error(roundings) * self.largest_sigma < Fraction(1, 4)


def information_bound(cells: int, n: int) -> float:
    """Return log2 of the number of multisets of n - 1 tokens: no code of the others can use fewer bits."""
    return math.log2(math.comb(cells + n - 2, n - 1))
