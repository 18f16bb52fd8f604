"""How fast subdivision proves |f - p| <= bound for fitted polynomials, beside the mean-value form a first prototype used.

Run ``python -m tests.benchmarks.subdivision``. Both sides judge the same boxes in the same search and stop after a minute.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.sumformers.fitted import polynomial
from constructions.targets import expression as ex
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.deviation import Deviation
from proofs_check.enclosures.interval import Interval, quiet, up
from proofs_check.executors import executor
from proofs_check.selection import Forking
from proofs_check.sup_norm import Search
from proofs_check.walker import Walker

# tokens, degree, bound, and the seconds asked for on two cores
ASKED = ((3, 8, "1/100", 5.0), (3, 8, "1/1000", 60.0), (3, 8, "3/20000", None), (4, 6, "1/100", 120.0), (4, 8, "1/1000", None),
         (5, 6, "1/100", None))
SECONDS = 30.0  # for the mean-value form, which does not end otherwise


@dataclass(frozen=True, eq=False)
class MeanValue(Comparison):
    """|e| <= |e(m)| + sum of |slope over the box| radius, e = f - p term by term: what there was before."""

    outputs: tuple[ex.Expression, ...]
    others: tuple[ex.Expression, ...]
    n: int
    sides: tuple[tuple[Fraction, Fraction], ...]

    @property
    def digest(self) -> str:
        """Identify it."""
        return repr((self.outputs, self.others, self.n, self.sides))

    @quiet
    def judge(self, batch: Boxes) -> Judged:
        """Bound f - p on boxes of one case."""
        centre, chamber = batch.centre, self.region(int(batch.case[0])).chamber
        gap = ex.Binary("-", self.outputs[0], self.others[0])
        wide, narrow = (Walker([Interval(a, b) for a, b in zip(low.T.copy(), high.T.copy(), strict=True)], chamber,
                               Forking({}, len(centre), 0), second=False).jet(gap)
                        for low, high in ((batch.lower, batch.upper), (centre, centre)))
        radii = up(np.maximum(batch.upper - centre, centre - batch.lower))
        parts = np.stack([wide.gradient[v].magnitude() * radii[:, v] for v in range(radii.shape[1])], axis=1)
        return Judged(up(narrow.value.magnitude() + parts.sum(axis=1) * (1 + 2.0**-40)), parts, narrow.value.mignitude())


def timed(comparison: Comparison, bound: Fraction, pool: Executor | None, repetitions: int = 1) -> tuple[Search, float]:
    """Search with a fresh state; the shortest of the times."""
    seen = []
    for _ in range(repetitions):
        search, start = Search.begin(comparison, bound), time.perf_counter()
        search.run(SECONDS, executor=pool)
        seen.append(time.perf_counter() - start)
    return search, min(seen)


def line(n: int, degree: int, text: str, asked: float | None, pool: Executor) -> str:
    """Measure one problem: here, on two processes, and the mean-value form on two processes."""
    target, bound = resolve("f", n=n, d=None, domain="0,1"), Fraction(text)
    assert isinstance(target, Target)
    start = time.perf_counter()
    p, reached = polynomial(target, degree, bound)
    fitted = time.perf_counter() - start
    new, old = Deviation.of(target.outputs, p, n, target.box.sides), MeanValue(target.outputs, p, n, target.box.sides)
    (search, here), (_, there) = timed(new, bound, None, 3), timed(new, bound, pool, 3)
    if asked is None:
        before, reached_then = "", ""
    else:
        old_search, earlier = timed(old, bound, pool)
        before = f"{old_search.judged:,d}"
        reached_then = f"{earlier:.2f} s" if old_search.finished else f"> {SECONDS:.0f} s, {old_search.bound:.2g}"
    return (f"{n:2d} {degree:6d} {float(bound):9.1e} {reached:11.2e} {fitted:6.2f} s {search.judged:9,d} {here:8.2f} s "
            f"{there:8.2f} s {'-' if asked is None else f'{asked:.0f} s':>6} {before:>12} {reached_then:>16}"
            f"{'' if search.finished and search.witness is None else '   NOT PROVED'}")


def main() -> None:
    """Print the table."""
    print(" n degree     bound estimated      fit     boxes     here   2 processes asked   mean-value     2 processes")
    with executor("processes:2") as pool:
        assert pool is not None
        list(pool.map(time.sleep, [0.1, 0.1]))  # started, with the modules imported on first use
        for n, degree, bound, asked in ASKED:
            print(line(n, degree, bound, asked, pool), flush=True)


if __name__ == "__main__":
    main()
