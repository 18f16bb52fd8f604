"""Memory and calls of a compiled Sumformer for batches of one size, kept from one batch to the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from constructions.adapters.matrix import Call

KEPT = 16  # sizes of batches
LINE = 8  # numbers of a cache line: a tenth less time than with rows that start anywhere (measured)


@dataclass(frozen=True, eq=False)
class Workspace:
    """Where a batch of ``sequences`` sequences of n tokens is computed.

    Attributes:
        tokens: (d, n, sequences), to be filled first.
        pooled: (channels, n, sequences) what is averaged, after ``phi``.
        means: (channels, sequences), to be filled with the averages.
        constant: (rows, sequences) all that depends on means alone, after ``constant_part``; begins with ``means``.
        phi, constant_part, psi: calls to make in this order.
        readout: the calls that write the (d_out, n * sequences) values to a tensor, after ``psi``.
    """

    tokens: Tensor
    pooled: Tensor
    means: Tensor
    constant: Tensor
    phi: Sequence[Call]
    constant_part: Sequence[Call]
    psi: Sequence[Call]
    readout: Callable[[Tensor], Sequence[Call]]


def run(calls: Iterable[Call]) -> None:
    """Make the calls."""
    for call in calls:
        call()


class Memory(threading.local):
    """The workspaces of one thread, all in one piece of memory, as large as the largest needs."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._numbers = like.new_empty(0)
        self._workspaces: dict[tuple[int, int], Workspace] = {}

    def __reduce__(self) -> tuple[type[Memory], tuple[Tensor]]:
        return Memory, (self._like,)  # a copy, or another process, begins with none

    def workspace(self, n: int, sequences: int, numbers: int, make: Callable[[Tensor, int, int], Workspace]) -> Workspace:
        """Return the workspace of this size, made from ``numbers`` numbers of memory where there is none yet."""
        known = self._workspaces.get((n, sequences))
        if known is None:
            if numbers > len(self._numbers):
                self._workspaces.clear()
                with torch.inference_mode(False):  # the memory of a call in inference mode could be written to in no other one
                    self._numbers = self._like.new_empty(numbers)
            elif len(self._workspaces) >= KEPT:
                del self._workspaces[next(iter(self._workspaces))]
            known = self._workspaces[n, sequences] = make(self._numbers[:numbers], n, sequences)
        return known
