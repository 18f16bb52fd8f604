"""The certified network compiler: a decomposition and a tolerance in, a ReLU Sumformer and its error budget out.

    decompose -> ranges and sensitivities -> tolerance to each node -> tables, polynomials, kernels -> folds -> sweep

The sweep bounds every error it makes with enclosures, so whatever the first steps chose by estimates, the result is proved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from constructions.errors import Refused
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.extremum import EXPONENTS
from constructions.pieces.forms import size
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.pieces.kernel import Kernels
from constructions.pieces.node import Node
from constructions.pieces.order import OrderStatistic
from constructions.pieces.quotient import Quotient
from constructions.pieces.square import COST_PER_FOLD
from constructions.pieces.univariate import TooWide
from constructions.sumformers.error_budget import Compiled, with_budget
from constructions.sumformers.folds import fewest_folds, finest, with_more_folds
from constructions.sumformers.limits import DEFAULT_LIMITS, Limits
from constructions.sumformers.program import EXACT, Arithmetic, Program, Swept
from constructions.sumformers.sum_decomposition import Decomposition
from constructions.sumformers.tolerances import abstract_nodes

# Shares of the tolerance tried for expansions and tables, the rest going to the folds of squares. The errors of many squares
# rarely meet in one place, those of an expansion do: with a larger share the bound is tighter, for which a tenth more
# parameters are spent.
SHARES = (0.8, 0.9)
TIGHTER_IS_WORTH = 1.1
# So many squares rarely err by the most in one place; then more folds than the tolerance needs make the bound tighter.
MANY_SQUARES = 5
FOLDS_ARE_WORTH = 1.06
SPARE_FOLDS = 6  # that are worth it anyway
# Expansions whose proved error is below this part of their share are made again, coarser.
WORTH_COARSER = 0.8
# Kernels of more than two variables take seconds to separate, those between straight lines to cut: one share, the tighter one.
WIDE_SHARES = (0.95,)


def compile_decomposition(decomposition: Decomposition, tolerance: float, *, limits: Limits = DEFAULT_LIMITS, bits: int = 53,
                          roundings: int = 8192) -> Compiled:
    """Return the smallest network found whose proved error is at most the tolerance.

    Args:
        decomposition: what the target was rewritten into.
        tolerance: sup-norm error, same unit as the target.
        limits: what may be built.
        bits: of the format of weights and evaluation (53: float64, 24: float32).
        roundings: rounded operations that separate a token's value from the mean; they grow with the length of sequences, and
            nothing else in the bound does unless the decomposition is for one n.

    Raises:
        Refused: no tolerance of the parts reaches it, with the term that stands in the way, or a limit is exceeded.
    """
    best: Swept | None = None
    reason: Refused | None = None
    shares = _shares(abstract_nodes(decomposition))
    arithmetic, limits = Arithmetic.evaluated(bits, roundings), replace(limits, exponents=EXPONENTS[bits])
    for share in shares:
        try:
            found = _with_share(decomposition, tolerance, share, limits, arithmetic)
        except Refused as refused:
            reason = refused
            continue
        best = found if best is None else _preferred(best, found)
        if not abstract_nodes(decomposition):
            break
    if best is None:
        raise _below_rounding(decomposition, tolerance, limits, arithmetic) or reason or Refused("nothing to build")
    return with_budget(_finer(best), bits)


def _finer(found: Swept) -> Swept:
    """Spend a few parameters more on folds, where much of the bound comes from many squares."""
    if len(found.folds) < MANY_SQUARES:
        return found
    spare = int((FOLDS_ARE_WORTH - 1) * found.sumformer.n_nonzero) // COST_PER_FOLD
    finer = found.program.swept(found.arithmetic, with_more_folds(found, max(spare, SPARE_FOLDS)))
    return replace(finer, floor=found.floor) if finer.bound < found.bound else found  # close to rounding folds cost more


def _preferred(a: Swept, b: Swept) -> Swept:
    """Return the smaller one, or one that is hardly larger and more of whose bound comes from expansions."""
    small, large = (a, b) if a.sumformer.n_nonzero <= b.sumformer.n_nonzero else (b, a)
    near = large.sumformer.n_nonzero <= TIGHTER_IS_WORTH * small.sumformer.n_nonzero
    return large if near and large.floor / large.bound > small.floor / small.bound else small


def _shares(nodes: Sequence[Node]) -> tuple[float, ...]:
    if all(isinstance(node, OrderStatistic | BentKernel | ExponentialAverage) for node in nodes):
        return (1.0,)
    slow = any(isinstance(node, BentKernel) or (isinstance(node, Kernels) and len(node.box) > 2) for node in nodes)
    return WIDE_SHARES if slow else SHARES


def _below_rounding(decomposition: Decomposition, tolerance: float, limits: Limits, arithmetic: Arithmetic) -> Refused | None:
    """Say so where rounding alone exceeds the tolerance: build for a larger one and look at what rounding adds."""
    largest = max(size(form.range()) for form in decomposition.outputs)
    larger = max(1e-5 * largest, 4 * tolerance)
    straight = any(isinstance(node, BentKernel) for node in decomposition.nodes)  # cells end long before rounding matters
    if straight or not tolerance < 1e-4 * largest < math.inf:
        return None
    try:
        swept = _with_share(decomposition, larger, SHARES[0], limits, arithmetic)
    except Refused:
        return None
    exact = swept.program.swept(EXACT, swept.folds).bound
    rounding = swept.bound - exact
    if rounding < tolerance:
        return None
    return Refused(f"eps = {tolerance:g} is below what these weights can certify: rounding weights and operations alone adds "
                   f"{rounding:.3g} to the bound")


def _with_share(decomposition: Decomposition, tolerance: float, share: float, limits: Limits, arithmetic: Arithmetic) -> Swept:
    scale, widen = share, 1.0
    reason: Refused | None = None
    for _ in range(24):
        try:
            program = Program.of(decomposition, scale * tolerance, tolerance, widen, limits)
            floor = program.swept(arithmetic, folds=finest(program))
        except TooWide:
            widen *= 4
            continue
        except Refused as refused:
            reason, scale = reason or refused, 2 * scale
            if scale > 4 * share or not _of_bent_quotients(decomposition):
                raise reason from None
            continue
        if floor.bound > tolerance and reason is not None:
            raise reason
        if floor.bound > tolerance:
            scale *= max(0.25, min(0.9, 0.9 * tolerance / floor.bound)) if floor.bound < np.inf else 0.25
            if scale < 1e-7:
                raise Refused(_floor_reason(program, tolerance, floor))
            continue
        if not program.squares:
            return _tightened(decomposition, tolerance, scale, widen, limits, arithmetic, floor)
        found = replace(fewest_folds(program, tolerance, arithmetic, floor), floor=floor.bound)
        return _coarser(decomposition, tolerance, share, scale, widen, limits, arithmetic, floor, found)
    raise Refused(f"eps = {tolerance:g}: arguments leave the intervals their functions were approximated on")


def _of_bent_quotients(decomposition: Decomposition) -> bool:
    """Say whether kernels between straight lines are divided: what accuracy that takes is overestimated, up to four times."""
    return all(any(isinstance(node, kind) for node in decomposition.nodes) for kind in (BentKernel, Quotient))


def _floor_reason(program: Program, tolerance: float, floor: Swept) -> str:
    exact = program.swept(EXACT, finest(program)).bound
    term = "the rounding of weights and sums" if exact <= tolerance else floor.worst
    return (f"eps = {tolerance:g} is below what these weights can certify: {term} alone contributes "
            f"{floor.bound if exact > tolerance else floor.bound - exact:.3g}")


def _coarser(decomposition: Decomposition, tolerance: float, share: float, scale: float, widen: float, limits: Limits,
             arithmetic: Arithmetic, floor: Swept, found: Swept) -> Swept:
    """Make expansions coarser while their proved error is far below their share: the sweep is sharper than sensitivities."""
    for _ in range(2):
        if not floor.bound < WORTH_COARSER * share * tolerance:
            break
        scale *= min(4.0, share * tolerance / floor.bound)
        program = Program.of(decomposition, scale * tolerance, tolerance, widen, limits)
        try:
            floor = program.swept(arithmetic, folds=finest(program))
            if not floor.bound <= tolerance or not program.squares:
                break
            trial = replace(fewest_folds(program, tolerance, arithmetic, floor), floor=floor.bound)
        except TooWide:
            break
        found = trial if trial.sumformer.n_nonzero < found.sumformer.n_nonzero else found
    return found


def _tightened(decomposition: Decomposition, tolerance: float, scale: float, widen: float, limits: Limits,
               arithmetic: Arithmetic, found: Swept) -> Swept:
    """Without squares the tables get the whole tolerance: the scale is raised until the bound passes it, then lowered."""
    trial_scale = scale * min(4.0, 0.999 * tolerance / max(found.bound, 1e-300))
    for _ in range(8):
        if trial_scale < 1.002 * scale:
            break
        program = Program.of(decomposition, trial_scale * tolerance, tolerance, widen, limits)
        try:
            trial = program.swept(arithmetic, folds=finest(program))
        except TooWide:
            break
        if program.squares:
            break
        if trial.bound > tolerance:
            trial_scale = min(trial_scale * 0.999 * tolerance / trial.bound, 0.995 * trial_scale)
            continue
        scale, found = trial_scale, trial
        trial_scale = scale * min(4.0, 0.999 * tolerance / max(found.bound, 1e-300))
    return found
