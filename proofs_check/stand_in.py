"""Prove by subdivision what a fitted polynomial misses of the target: the builder only claims it.

The claim |f - p| <= missed is about expressions alone, so it needs neither the weights nor how p was found.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction

from constructions.progress import Report
from constructions.targets import expression as ex
from constructions.targets.target import Target
from proofs_check.covering import covering_steps, unfinished
from proofs_check.deviation import Deviation
from proofs_check.kernel import Status, Step, decimal_above
from proofs_check.propositions import TARGET, Scope
from proofs_check.sup_norm import Search

POLYNOMIAL = "p"
CLAIMED = "polynomial-density"  # the builder's share that this proof takes the place of
SECONDS = 300.0
MOST_WAITING = 2_000_000  # boxes; more of them would not end in the time either, and fill the memory


def polynomial_steps(target: Target, p: Sequence[ex.Expression], missed: Fraction, report: Report,
                     seconds: float = SECONDS) -> list[Step]:
    """Return the steps that bound |f - p| over all sequences of the target's n, the last one saying so; or undecided ones.

    Args:
        target: f.
        p: one expression an output, what the network was held against.
        missed: the claim.
        report: progress.
        seconds: time to spend.
    """
    search = Search.begin(Deviation.of(target.outputs, p, target.n, target.box.sides), missed)
    until = time.monotonic() + seconds
    while not search.finished and time.monotonic() < until and search.waiting.bound.size <= MOST_WAITING:
        search.run(min(5.0, until - time.monotonic()), lambda state: _told(state, report))
    what = f"f against the polynomial that the network is built for; {search.judged:,} boxes"
    if search.witness is not None:
        at = ", ".join(str(tuple(map(float, token))) for token in search.witness.tokens)
        return unfinished(search, f"the polynomial misses {float(search.witness.error_at_least):.6g} of f at X = [{at}], "
                                  f"claimed {decimal_above(missed)}", Status.REFUTED)
    if not search.finished:
        return unfinished(search, f"|f - p| <= {decimal_above(missed)} is not proved: {what}, {search.waiting.bound.size:,} of "
                                  f"them wait", Status.UNDECIDED)
    return covering_steps(search, Scope(target.box.sides, target.n), (TARGET, POLYNOMIAL), what)


def _told(state: Search, report: Report) -> None:
    waiting = int(state.waiting.bound.size)
    report("polynomial against target", state.judged - waiting, state.judged)
