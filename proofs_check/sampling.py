"""Sampling: a lower bound on ||f - T|| with a witness, never an upper one (mathematics: section 6).

T is constant on the cells of a grid and f is smooth, or T bends at known places: after a uniform search and one by Sobol nets
these are looked at from both sides, ties of all kinds are tried, and then the worst sequences are climbed. The same code runs on
every device, on the same sequences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from constructions.domains import Box
from constructions.errors import BadInput
from proofs_check.climbing import climbers, refiners
from proofs_check.draws import SOBOL, Space
from proofs_check.kept_memory import keep_freed_memory
from proofs_check.repeated import Repeated
from proofs_check.search import Evaluate, Job, SampledTarget, SampleResult, Search, even
from proofs_check.shared_work import shared

# Shares of the samples; uniform takes what the others leave.
SHARES = {"domain corners": 0.02, "cell boundaries": 0.16, "equal tokens": 0.02, "ascent": 0.1, "two values": 0.1,
          "Sobol": 0.1, "partly equal": 0.04, "refinement": 0.24}
# Of sequences with few different tokens, whose multiplicities and tokens are refined together: that finds most (measured).
REPEATED_SHARES = {"domain corners": 0.02, "cell boundaries": 0.1, "ascent": 0.2, "partly equal": 0.04, "refinement": 0.56}
# Every job leaves its worst sequence to the climbers, so a phase has this many at least, of tokens enough not to be slower.
JOBS, FEWEST_TOKENS = 8, 2**13
# Means of long random sequences hardly vary; of sequences of two values in any proportion they do.
LONG = 8
Progress = Callable[[int], None]
DRAWS: dict[str, Callable[[Space, torch.Generator, int, int], Tensor]] = {
    "uniform": lambda space, generator, first, count: space.uniform(generator, count),
    "domain corners": Space.corners,
    "cell boundaries": lambda space, generator, first, count: space.boundaries(generator, count),
    "equal tokens": lambda space, generator, first, count: space.equal(generator, count),
    "two values": lambda space, generator, first, count: space.two_values(generator, count),
    "Sobol": lambda space, generator, first, count: space.sobol(generator, count),
    "partly equal": lambda space, generator, first, count: space.partly_equal(generator, count)}


def sample(target: SampledTarget, evaluate: Evaluate, box: Box, n: int, thresholds: Sequence[np.ndarray], samples: int,
           device: torch.device | str, seed: int, progress: Progress | None = None, *, dtype: torch.dtype = torch.float64,
           shares: Mapping[str, float] | None = None, repeated: Repeated | None = None,
           executor: Executor | None = None, so_far: bool = False) -> SampleResult:
    """Search the sequences of n tokens in the box for the largest |f - T|.

    Args:
        target, evaluate: f and T, on (batch, n, d) tensors of the device and dtype; called from several threads.
        thresholds: the cell boundaries of each token coordinate, increasing; empty arrays where T has none.
        samples: sequences to evaluate at most, all phases together.
        seed: decides the result, whatever the number of threads and the executor, on one kind of device and library version.
        progress: called with the number of sequences since the last call.
        shares: part of the samples of each phase, usual ones unless told; {} is a uniform search.
        repeated: makes n the number of different tokens, and of their multiplicities sequences of another length.
        executor: where sequences are looked at; threads here if none is given, as for what is lost on the way.
        so_far: return what was found until Ctrl-C, if anything was, instead of raising KeyboardInterrupt.

    Raises:
        Refused: f or T is not finite somewhere, with the place.
        BadInput: no samples, or the box holds no number of the dtype.
    """
    if samples < 1:
        raise BadInput(f"samples = {samples}: expected at least 1")
    start = time.perf_counter()
    keep_freed_memory()
    space = Space.of(box, n, thresholds, device, dtype)
    search = Search(target, evaluate, space, seed, repeated)
    if shares is None:
        shares = SHARES if repeated is None else REPEATED_SHARES
    counts = {phase: int(samples * share) for phase, share in shares.items()}
    counts["domain corners"] = min(counts.get("domain corners", 0), 2 ** min(n * space.d, 62))
    if n < LONG:
        counts.pop("two values", None)
    if n * space.d > SOBOL:
        counts.pop("Sobol", None)
    counts["uniform"] = samples - sum(counts.values())
    done, interrupted = 0, False
    try:
        for jobs in (_looks(search, counts), climbers(search, counts.get("ascent", 0)),
                     refiners(search, counts.get("refinement", 0))):
            for count in shared(search, jobs, executor):
                done += count
                if progress is not None:
                    progress(count)
    except KeyboardInterrupt:
        if not so_far or not search.found:
            raise
        interrupted = True
    return search.result(done, time.perf_counter() - start, interrupted=interrupted)


def _looks(search: Search, counts: Mapping[str, int]) -> Iterator[Job]:
    """One job for each chunk of every phase but the last."""
    for phase in DRAWS:
        wanted = counts.get(phase, 0)
        chunk = min(search.chunk, max(even(wanted // JOBS), even(FEWEST_TOKENS // search.space.n), 1))
        for number, first in enumerate(range(0, wanted, chunk)):
            yield partial(_look, phase=phase, number=number, first=first, count=min(chunk, wanted - first))


@torch.no_grad()
def _look(search: Search, phase: str, number: int, first: int, count: int) -> int:
    generator = search.generator(phase, number)
    tokens = DRAWS[phase](search.space, generator, first, count)
    counts = None if search.repeated is None else search.repeated.draw(search.space, generator, count)
    search.observe(tokens, phase, number, counts)
    return count
