"""Damage that only floating point would notice, and numbers that are not finite."""

from __future__ import annotations

import itertools

import numpy as np

from proofs_check.run_files import RunFiles
from tests.proofs_check.damage.registry import damaged, harmless, reads, thresholds, values
from tests.proofs_check.runs import built


@damaged("product")
def a_margin_is_stretched_by_the_coefficients_that_read_sigma(run: RunFiles) -> None:
    """Codes near 2^44 cannot be pooled safely; 32 times the reads and thresholds do not change that."""
    codes = values(run, "phi.0")
    old = codes[:, 0].copy()
    codes[:, 0] = old + 2**44
    scaled = 32 * (thresholds(run, "rank.0") + 2 * 2**44)
    thresholds(run, "rank.0")[:] = scaled
    for entry in reads(run, "rank.0"):
        entry[1] *= 32


@damaged("product")
def a_threshold_lies_so_close_to_an_integer_that_sums_in_another_order_miss_it(run: RunFiles) -> None:
    """Keys 15 cell - rank over the reals; in floats (15 - (1 + 2^-52)) - 14 is 0, not below it."""
    entry = reads(run, "y.0")
    assert [coefficient for _, coefficient in entry] == [15, 1]
    entry[1][1] = -1
    table, cuts = values(run, "y.0"), thresholds(run, "y.0")
    table[:, 0] = table.reshape(5, 15)[:, ::-1].ravel()
    cuts[:] = np.arange(-13.5, 60)
    cuts[15] = 1 + 2.0**-52


@harmless("product")
def ranks_are_subtracted_in_the_key_and_the_table_follows(run: RunFiles) -> None:
    """The damage just above, without its threshold."""
    reads(run, "y.0")[1][1] = -1
    table, cuts = values(run, "y.0"), thresholds(run, "y.0")
    table[:, 0] = table.reshape(5, 15)[:, ::-1].ravel()
    cuts[:] = np.arange(-13.5, 60)


def _not_finite(key: str, value: float) -> None:
    @damaged("product", f"{key} contains {value}")
    def not_finite(run: RunFiles) -> None:
        run.arrays[key].reshape(-1)[-1] = value


for _key, _number in itertools.product(built("product")[2].arrays, (float("nan"), float("inf"))):
    _not_finite(_key, _number)
