"""How cost grows with n: fitted exponents, what a longer sequence would cost, and where two costs cross."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import linregress

UPPER_RANGE = 8  # an exponent is fitted to the lengths within this factor of the longest one
FEWEST = 3  # lengths that an exponent with an error needs
FIRST_SEEN = 64  # tokens: nothing longer is called before its cost is predicted


@dataclass(frozen=True)
class Exponent:
    """cost ~ n^value over the upper range, with the standard error of the least-squares slope."""

    value: float
    error: float
    shortest: int
    longest: int


def exponent(costs: Mapping[int, float]) -> Exponent | None:
    """Fit log cost against log n over the upper range; None for too few lengths, or where nothing was used."""
    lengths = [n for n in sorted(costs) if n * UPPER_RANGE >= max(costs)]
    if len(lengths) < FEWEST or any(costs[n] <= 0 for n in lengths):
        return None
    fit = linregress(np.log(lengths), np.log([costs[n] for n in lengths]))
    return Exponent(float(fit.slope), float(fit.stderr), lengths[0], lengths[-1])


def predicted(costs: Mapping[int, float], n: int) -> float:
    """Return what a length beyond those seen will cost: the growth between the last two goes on, between linear and quadratic.

    After one length alone quadratic growth is taken for granted, and nothing is known before the first.
    """
    if not costs:
        return 0.0
    *earlier, last = sorted(costs)
    power = 2.0
    if earlier and min(costs[earlier[-1]], costs[last]) > 0:
        power = math.log(costs[last] / costs[earlier[-1]]) / math.log(last / earlier[-1])
    return costs[last] * (n / last) ** min(max(power, 1.0), 2.0)


def between(lengths: Iterable[int], n: int) -> int | None:
    """Return the length to look at before what ``n`` costs is predicted, twice the longest one seen; None where n is no further.

    At short lengths a call costs what starting its layers costs, whatever n is: over many doublings neither growth that is taken
    for granted nor growth that was seen there says anything.
    """
    step = max(2 * max(lengths, default=0), FIRST_SEEN)
    return step if step < n else None


@dataclass(frozen=True)
class BreakEven:
    """The length from which on the first cost is the smaller one; ``at_most`` where it is so at the shortest length already.

    ``up_to`` is the longest length at which both costs are known, None where there is none.
    """

    n: int | None
    at_most: bool = False
    up_to: int | None = None


def break_even(mine: Mapping[int, float], peer: Mapping[int, float]) -> BreakEven:
    """Interpolate the last crossing on a log-log scale over the lengths both have; no n where ``mine`` is more at the longest."""
    lengths = sorted(set(mine) & set(peer))
    gaps = [math.log(mine[n] / peer[n]) for n in lengths]
    if not lengths or gaps[-1] > 0:
        return BreakEven(None, up_to=max(lengths, default=None))
    worse = [k for k, gap in enumerate(gaps) if gap > 0]
    if not worse:
        return BreakEven(lengths[0], at_most=True, up_to=lengths[-1])
    return BreakEven(_crossing(lengths, gaps, worse[-1]), up_to=lengths[-1])


def _crossing(lengths: Sequence[int], gaps: Sequence[float], k: int) -> int:
    share = gaps[k] / (gaps[k] - gaps[k + 1])
    return math.ceil(lengths[k] * (lengths[k + 1] / lengths[k]) ** share)
