"""Sampling: a lower bound on ||f - T|| with a witness, never an upper one (mathematics: section 6).

T is constant on the cells of a grid and f is smooth, so the worst points sit at cell corners: after a uniform search the
corners are looked at from both sides, and then climbed. The same code runs on every device.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from constructions.domains import Box
from constructions.errors import BadInput, Refused
from proofs_check.draws import Space
from proofs_check.workers import in_threads

# Shares of the samples; uniform takes what the others leave.
SHARES = {"domain corners": 0.02, "cell boundaries": 0.16, "equal tokens": 0.02, "ascent": 0.1, "two values": 0.1}
# Means of long random sequences hardly vary; of sequences of two values in any proportion they do.
LONG = 8
PHASES = ("uniform", *SHARES)
# Pairs of tokens in one chunk: f may need an array of them, which should fit a processor's cache (measured) or fill a GPU.
CHUNK_PAIRS = {"cpu": 2**18}
LARGE_CHUNK_PAIRS = 2**24
CANDIDATES = 64
CLIMBERS = 8
TRIALS = 2**15
Evaluate = Callable[[Tensor], Tensor]
Progress = Callable[[int], None]
Job = Callable[[], int]


class SampledTarget(Protocol):
    """What is needed of f."""

    def torch(self, tokens: Any) -> Any:
        """Evaluate on (batch, n, d) tokens; returns (batch, n, d_out)."""


@dataclass(frozen=True)
class SampleResult:
    """The largest |f - T| found: both sides rounded, so a lower bound on the supremum up to that rounding.

    Attributes:
        maximum: |target_value - network_value|, same unit as f.
        witness: the sequence, n tokens of d coordinates, inside the exact rational box.
        own, output: token and output feature where it occurs.
        samples: sequences evaluated, each at all its n tokens.
        seconds, throughput: wall time of the search, and sequences a second.
        found_by: the phase of the search.
    """

    maximum: float
    witness: list[list[float]]
    own: int
    output: int
    target_value: float
    network_value: float
    samples: int
    seconds: float
    throughput: float
    found_by: str


def sample(target: SampledTarget, evaluate: Evaluate, box: Box, n: int, thresholds: Sequence[np.ndarray], samples: int,
           device: torch.device | str, seed: int, progress: Progress | None = None, *, dtype: torch.dtype = torch.float64,
           shares: Mapping[str, float] = SHARES) -> SampleResult:
    """Search the sequences of n tokens in the box for the largest |f - T|.

    Args:
        target, evaluate: f and T, on (batch, n, d) tensors of the device and dtype; called from several threads.
        thresholds: the cell boundaries of each token coordinate, increasing; empty arrays where T has none.
        samples: sequences to evaluate at most, all phases together.
        seed: decides the result, whatever the number of threads, on one kind of device and library version.
        progress: called with the number of sequences since the last call.
        shares: part of the samples of each phase; {} is a uniform search.

    Raises:
        Refused: f or T is not finite somewhere, with the place.
        BadInput: no samples, or the box holds no number of the dtype.
    """
    if samples < 1:
        raise BadInput(f"samples = {samples}: expected at least 1")
    start = time.perf_counter()
    space = Space.of(box, n, thresholds, device, dtype)
    search = Search(target, evaluate, space, seed)
    counts = {phase: int(samples * share) for phase, share in shares.items()}
    counts["domain corners"] = min(counts.get("domain corners", 0), 2 ** min(n * space.d, 62))
    if n < LONG:
        counts.pop("two values", None)
    counts["uniform"] = samples - sum(counts.values())
    done = 0
    for jobs in (_looks(search, counts), _climbers(search, counts.get("ascent", 0))):
        for count in in_threads(jobs, space.points.device):
            done += count
            if progress is not None:
                progress(count)
    return search.result(done, time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class _Found:
    """A sequence with its largest difference, at one token and output."""

    maximum: float
    tokens: Tensor
    own: int
    output: int
    target_value: float
    network_value: float
    phase: str
    order: tuple[float, ...]


@dataclass(eq=False)
class Search:
    """Evaluates chunks of sequences and keeps the worst sequence of each of the worst chunks, in any order of the chunks."""

    target: SampledTarget
    evaluate: Evaluate
    space: Space
    seed: int
    found: list[_Found] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def generator(self, phase: str, number: int) -> torch.Generator:
        """Return the random numbers of one job, independent of which other jobs ran before."""
        entropy = np.random.SeedSequence((self.seed % 2**64, PHASES.index(phase), number)).generate_state(1, np.uint64)
        return torch.Generator(self.space.points.device).manual_seed(int(entropy[0]))

    def observe(self, tokens: Tensor, phase: str, number: int, step: int = 0) -> Tensor:
        """Return |f - T| at all tokens and outputs, shape (batch, n, d_out).

        Raises:
            Refused: one of them is not finite.
        """
        wanted, values = self.target.torch(tokens), self.evaluate(tokens)
        if values.shape != wanted.shape:
            raise ValueError(f"the network returned shape {tuple(values.shape)}, f {tuple(wanted.shape)}")
        error = (values - wanted).abs_()
        largest = float(error.amax())  # NaN if any entry is
        if len(self.found) < CANDIDATES or not largest < self.found[-1].maximum:
            place = int(torch.argmax(error.reshape(-1)))  # the first NaN if there is one
            worst = _found(tokens, wanted, values, np.unravel_index(place, error.shape), phase, (number, step))
            with self.lock:
                self.found = sorted([*self.found, worst], key=lambda one: one.order)[:CANDIDATES]
        return error

    def result(self, samples: int, seconds: float) -> SampleResult:
        """Report the worst sequence."""
        best = self.found[0]
        return SampleResult(best.maximum, best.tokens.tolist(), best.own, best.output, best.target_value, best.network_value,
                            samples, seconds, samples / seconds, best.phase)


def _found(tokens: Tensor, wanted: Tensor, values: Tensor, place: tuple[Any, ...], phase: str, job: tuple[int, int]) -> _Found:
    sequence, own, output = (int(i) for i in place)
    f, T = float(wanted[sequence, own, output]), float(values[sequence, own, output])
    if not math.isfinite(f - T):
        raise Refused(f"f = {f} and the network = {T} at token {own}, output {output} of X = {tokens[sequence].tolist()}: "
                      f"their difference is not finite")
    return _Found(abs(f - T), tokens[sequence].clone(), own, output, f, T, phase, (-abs(f - T), PHASES.index(phase), *job))


def _looks(search: Search, counts: Mapping[str, int]) -> Iterator[Job]:
    """One job for each chunk of every phase but the last."""
    space = search.space
    chunk = max(1, CHUNK_PAIRS.get(space.points.device.type, LARGE_CHUNK_PAIRS) // space.n**2)
    draws: dict[str, Callable[[torch.Generator, int, int], Tensor]] = {
        "uniform": lambda generator, first, count: space.uniform(generator, count), "domain corners": space.corners,
        "cell boundaries": lambda generator, first, count: space.boundaries(generator, count),
        "equal tokens": lambda generator, first, count: space.equal(generator, count),
        "two values": lambda generator, first, count: space.two_values(generator, count)}
    for phase, draw in draws.items():
        for number, first in enumerate(range(0, counts.get(phase, 0), chunk)):
            yield partial(_look, search, draw, phase, number, first, min(chunk, counts[phase] - first))


@torch.no_grad()
def _look(search: Search, draw: Callable[[torch.Generator, int, int], Tensor], phase: str, number: int, first: int,
          count: int) -> int:
    search.observe(draw(search.generator(phase, number), first, count), phase, number)
    return count


def _climbers(search: Search, budget: int) -> Iterator[Job]:
    """Share the worst sequences found and the budget among independent ascents."""
    space = search.space
    climbers = max(1, min(CLIMBERS, budget // (16 * CANDIDATES * space.n_moves)))
    starts = space.nearest_ends(torch.stack([one.tokens for one in search.found]))
    for number in range(climbers):
        yield partial(_ascend, search, starts[number::climbers], budget // climbers, number)


@torch.no_grad()
def _ascend(search: Search, ends: Tensor, budget: int, number: int) -> int:
    """Make the best move of one coordinate for every candidate until none helps, then start again from random corners.

    The candidates are the given ones and random corners; their number shrinks when the budget runs out.
    """
    space, generator, spent, step = search.space, search.generator("ascent", number), 0, 0
    width = min(CANDIDATES, max(1, TRIALS // space.n_moves))
    chunk = max(1, CHUNK_PAIRS["cpu"] // space.n**2)
    ends, height = torch.cat([ends, space.random_ends(generator, width, space.n)]), torch.full((), -1.0)
    while budget - spent >= space.n_moves:
        ends = ends[: min(width, (budget - spent) // space.n_moves)]
        trials = space.moves(generator, ends)
        parts = torch.split(space.at(trials.flatten(0, 1)), chunk)
        errors = [search.observe(part, "ascent", number, step + i).amax((1, 2)) for i, part in enumerate(parts)]
        spent, step = spent + len(ends) * space.n_moves, step + len(parts)
        gain, move = torch.cat(errors).view(len(ends), -1).max(dim=1)
        height = height[: len(ends)] if height.ndim else torch.full_like(gain, -1.0)
        better = gain > height
        if not bool(better.any()):
            ends, height = space.random_ends(generator, width, space.n), torch.full((), -1.0)
            continue
        ends = torch.where(better[:, None, None], trials[torch.arange(len(ends), device=ends.device), move], ends)
        height = torch.maximum(height, gain)
    return spent
