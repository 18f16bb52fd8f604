"""The value table against Python loops over multisets, in one run: hand-written for ``f``, and through the target itself."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from constructions.encodings.multisets import multisets
from constructions.moduli import derived
from constructions.planner import plan_grid
from constructions.sumformers.grid import value_table
from constructions.targets.library import resolve
from constructions.targets.target import Target

SOME_ROWS = 2000


def hand_written(centres: list[float]) -> list[float]:
    """Evaluate the softmax head at every own cell and pair of others with ``math.exp``."""
    values = []
    for own in centres:
        for others in itertools.combinations_with_replacement(centres, 2):
            tokens = (own, *others)
            weights = [math.exp(2 * own * y) for y in tokens]
            values.append(sum(w * y for w, y in zip(weights, tokens, strict=True)) / sum(weights))
    return values


def main() -> None:
    """Print both ratios; the three sides are measured in turn."""
    target = resolve("f", n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
    plan = plan_grid(target.box, 3, 1, Fraction(1, 100), derived(target), roundings=100)
    centres, others = plan.grid.centres(), multisets(plan.cells, 2)
    rows = np.random.default_rng(0).integers(0, plan.cells, (SOME_ROWS, 3))

    def through_the_target() -> None:
        for row in rows:
            target.numpy(centres[row], slice(0, 1))

    ours, by_hand, one_by_one = [], [], []
    for _ in range(5):
        ours.append(_seconds(lambda: value_table(target, plan.grid, others, plan.number_format)))
        by_hand.append(_seconds(lambda: hand_written(centres[:, 0].tolist())))
        one_by_one.append(_seconds(through_the_target) * plan.table_entries / SOME_ROWS)
    table, loop, generic = (statistics.median(side) for side in (ours, by_hand, one_by_one))
    print(f"value table of {plan.table_entries} entries: {table * 1e3:.1f} ms; hand-written Python loop {loop / table:.0f} times "
          f"slower; loop that calls the target once a multiset {generic / table:.0f} times slower (from {SOME_ROWS} calls)")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
