"""Monomials of a token as rows of the stream, each made of one that is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from constructions.adapters.matrix import Call


@dataclass(frozen=True)
class Products:
    """The rows after the d of the token: row d + k is ``source`` of step k times the rows in ``factors`` of it."""

    d: int
    steps: tuple[tuple[int, tuple[int, ...]], ...]

    @staticmethod
    def of(monomials: Sequence[tuple[int, ...]], d: int) -> Products:
        """Begin each monomial, given as the coordinates whose product it is, with the longest one that was made before."""
        there: dict[tuple[int, ...], int] = {(c,): c for c in range(d)}
        steps: list[tuple[int, tuple[int, ...]]] = []
        for row, own in enumerate(monomials, d):
            known = next(size for size in range(len(own), 0, -1) if own[:size] in there)
            steps.append((there[own[:known]], own[known:]))
            there.setdefault(own, row)
        return Products(d, tuple(steps))

    def bound(self, stream: Tensor) -> list[Call]:
        """Return the calls that fill the rows."""
        calls: list[Call] = []
        for k, (source, factors) in enumerate(self.steps):
            row, so_far = stream[self.d + k], stream[source]
            if not factors:
                calls.append(partial(row.copy_, so_far))
            for c in factors:
                calls.append(partial(torch.mul, so_far, stream[c], out=row))
                so_far = row
        return calls
