"""A mean of a kernel of four variables or more: what the network averages against K, as tensors in all of them.

The grid of ``deviation.py`` would have too many points. Instead K is expanded as a tensor (``wide_expansion.py``); p is read as
a sum of products (``separated.py``); the difference of the two tensors is bounded on a grid of its low degrees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval, quiet
from proofs_check.enclosures.sums import ABOVE
from proofs_check.structure.content import Content
from proofs_check.structure.reading import OTHER, TOKEN, Reading
from proofs_check.structure.separated import separated, tensor_range
from proofs_check.structure.wide_expansion import expanded


@quiet
def wide_kernel(reading: Reading, held: Content, K: ex.Expression, own: Sequence[int], others: Sequence[int], fine: float
                ) -> tuple[Interval, Interval, float]:
    """Return enclosures of (mean of K) and of held - (mean of K) without noise, and a bound of the noise.

    Args:
        reading: what is known of the channels.
        held: what the network holds.
        K: tree in x[0], x[1], ..: first coordinates of the own token, then of the token y.
        own, others: these coordinates, each at most once.
        fine: errors of this size do not matter.

    Raises:
        NotAnalytic: K has no expansion.
        NotUnderstood: the content is no sum of functions of the token times means.
    """
    x, y = (tuple(prefix + str(c) for c in coordinates) for prefix, coordinates in ((TOKEN, own), (OTHER, others)))
    names = (*x, *y)
    read = separated(reading, held, x, y, fine)
    whole = expanded(K, names, [reading.variables[name] for name in names], fine)
    wanted, missed = whole.tensor, whole.missed
    shape = tuple(map(max, read.tensor.shape, wanted.shape))
    difference = np.zeros(shape)
    difference[tuple(map(slice, read.tensor.shape))] = read.tensor
    difference[tuple(map(slice, wanted.shape))] -= wanted
    # one more rounding each, of coefficients whose l1 norm is at most that of the two
    missed += read.missed + float(np.abs(difference).sum()) * 2.0**-52
    low, high = tensor_range(difference)
    return whole.values, Interval.of(low - missed, high + missed), read.noise * ABOVE

