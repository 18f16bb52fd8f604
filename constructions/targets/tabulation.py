"""A target on all sequences of cells at once: what depends on two tokens is evaluated once a pair of cells.

With K cells and R multisets of the others a table has K R entries but only K^2 different pairs, so for sum(k(x, y)) the function
k is called K^2 times and the rest is adding rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from constructions.targets import expression as ex
from constructions.targets.evaluation import Walker, numpy_algebra


def separates(outputs: Sequence[ex.Expression]) -> bool:
    """Say whether every reduction runs over a function of two tokens alone, without another reduction or sorting inside."""
    for output in outputs:
        for node in output.walk():
            inside = list(node.walk())[1:] if isinstance(node, ex.Reduction) else []
            if isinstance(node, ex.OrderStatistic) or any(isinstance(part, ex.Reduction) for part in inside):
                return False
    return True


def tabulate(outputs: Sequence[ex.Expression], centres: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Evaluate all outputs for some own cells beside every multiset of the others, in float64.

    Args:
        outputs: expressions for which :func:`separates` holds, specialised to n.
        centres: (K, d) cell centres.
        own: (rows,) cells of the own token.
        others: (R, n - 1) multisets of cells.

    Returns:
        (rows, R, d_out).
    """
    with np.errstate(all="ignore"):
        walker = _TableWalker(centres, own, others)
        shape = (len(own), len(others))
        return np.stack([np.broadcast_to(walker.value(output)[..., 0], shape) for output in outputs], axis=-1)


class _TableWalker(Walker):
    """Axes (own cell, multiset, cell that y stands for), each of length 1 where a node does not depend on it."""

    def __init__(self, centres: np.ndarray, own: np.ndarray, others: np.ndarray) -> None:
        super().__init__(np.zeros((1, others.shape[1] + 1, 1)), numpy_algebra(), slice(None))
        self.centres, self.own_cells, self.others = centres, own, others

    def _compute(self, node: ex.Expression) -> np.ndarray:
        match node:
            case ex.Own(coordinate=c):
                return self.centres[self.own_cells, c][:, None, None]
            case ex.Other(coordinate=c):
                return self.centres[None, None, :, c]
        return np.asarray(super()._compute(node))

    def _reduce(self, kind: str, body: np.ndarray) -> np.ndarray:
        if body.shape[-1] == 1:
            return np.asarray(super()._reduce(kind, body))
        pairs = np.broadcast_to(body[:, 0], (len(self.own_cells), len(self.centres)))
        total = np.repeat(pairs[np.arange(len(pairs)), self.own_cells][:, None], len(self.others), axis=1)
        combine = {"max": np.maximum, "min": np.minimum}.get(kind, np.add)
        for cells in self.others.T:
            combine(total, np.take(pairs, cells, axis=1), out=total)
        return (total / self.n if kind == "mean" else total)[..., None]
