"""W times the rows of a stream: one dense product, or entry by entry where most entries are zero.

A network between straight lines has a unit for each of its knots that reads two or three of some hundred channels; an entry of a
sparse product takes as long as ten of a dense one (measured), so that such a level takes a tenth to a fiftieth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

DENSE = 10  # entries of a dense product in the time of one of a sparse product (measured)
SMALL = 2**10  # entries of which a dense product is always faster (measured)
ToTensor = Callable[[np.ndarray], Tensor]
Call = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights of some rows, (rows, columns).

    Attributes:
        rows, columns: the shape.
        dense: all entries; None where they are sparse.
        sparse: the entries that are not zero, as a scipy CSR array; None where they are dense.
    """

    rows: int
    columns: int
    dense: Tensor | None
    sparse: Any = None

    @staticmethod
    def of(weights: Sequence[Mapping[Any, float]], names: Sequence[Any], tensor: ToTensor) -> Matrix:
        """Return the weights of each row by name as a matrix whose columns have these names."""
        column = {name: k for k, name in enumerate(names)}
        places = [(row, column[name], weight) for row, one in enumerate(weights) for name, weight in one.items()
                  if name in column and weight]
        shape = len(weights), len(names)
        rows, columns, values = (np.array(side) for side in zip(*places, strict=True)) if places else (np.zeros(0, int),) * 3
        if shape[0] * shape[1] > max(SMALL, DENSE * len(places)) and _on_processor(tensor):
            import scipy.sparse  # a tenth of a second to import, and few networks need it

            entries = tensor(values.astype(np.float64)).numpy()
            return Matrix(*shape, None, scipy.sparse.csr_array((entries, (rows, columns)), shape=shape))
        array = np.zeros(shape)
        array[rows, columns] = values
        return Matrix(*shape, tensor(array))

    def into(self, x: Tensor, out: Tensor, plus: Tensor | None = None) -> Call:
        """Return the call that puts W x + plus in the place of ``out``; ``plus`` has one column or as many as ``out``."""
        if self.dense is None:
            if plus is None:
                return partial(_into, self.sparse, x.numpy(), out.numpy())
            return partial(_added, self.sparse, x.numpy(), plus.numpy(), out.numpy())
        return partial(torch.mm, self.dense, x, out=out) if plus is None else partial(torch.addmm, plus, self.dense, x, out=out)

    def onto(self, x: Tensor, out: Tensor) -> Call:
        """Return the call that adds W x to ``out``."""
        if self.dense is None:
            return partial(_added, self.sparse, x.numpy(), out.numpy(), out.numpy())
        return partial(out.addmm_, self.dense, x)


def _into(sparse: Any, x: np.ndarray, out: np.ndarray) -> None:
    out[:] = sparse @ x


def _added(sparse: Any, x: np.ndarray, plus: np.ndarray, out: np.ndarray) -> None:
    np.add(sparse @ x, plus, out=out)


def _on_processor(tensor: ToTensor) -> bool:
    return tensor(np.zeros(0)).device.type == "cpu"
