"""Sampling: a lower bound on ||f - T|| with a witness, never an upper one (mathematics: section 6).

T is constant on the cells of a grid and f is smooth, so the worst points sit at cell corners: after a uniform search the
corners are looked at from both sides, and then climbed. The same code runs on every device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from constructions.domains import Box
from constructions.errors import BadInput, Refused
from proofs_check.draws import Space, pieces

# Shares of the samples; uniform takes what the others leave.
SHARES = {"domain corners": 0.02, "cell boundaries": 0.16, "equal tokens": 0.02, "ascent": 0.1}
# Pairs of tokens in one chunk: f may need an array of them, which should fit a processor's cache (measured) or fill a GPU.
CHUNK_PAIRS = {"cpu": 2**18}
LARGE_CHUNK_PAIRS = 2**24
CANDIDATES = 64
TRIALS = 2**15
Evaluate = Callable[[Tensor], Tensor]
Progress = Callable[[int], None]


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


@torch.no_grad()
def sample(target: SampledTarget, evaluate: Evaluate, box: Box, n: int, thresholds: Sequence[np.ndarray], samples: int,
           device: torch.device | str, seed: int, progress: Progress | None = None, *, dtype: torch.dtype = torch.float64,
           shares: Mapping[str, float] = SHARES) -> SampleResult:
    """Search the sequences of n tokens in the box for the largest |f - T|.

    Args:
        target, evaluate: f and T, on (batch, n, d) tensors of the device and dtype.
        thresholds: the cell boundaries of each token coordinate, increasing; empty arrays where T has none.
        samples: sequences to evaluate at most, all phases together.
        seed: decides the result, on one device and library version.
        progress: called with the number of sequences since the last call.
        shares: part of the samples of each phase; {} is a uniform search.

    Raises:
        Refused: f or T is not finite somewhere, with the place.
        BadInput: no samples, or the box holds no number of the dtype.
    """
    if samples < 1:
        raise BadInput(f"samples = {samples}: expected at least 1")
    start = time.perf_counter()
    space = Space.of(box, n, thresholds, torch.Generator(device).manual_seed(seed), dtype)
    search = Search(target, evaluate, progress or (lambda done: None))
    chunk = max(1, CHUNK_PAIRS.get(space.points.device.type, LARGE_CHUNK_PAIRS) // n**2)
    counts = {phase: int(samples * share) for phase, share in shares.items()}
    counts["domain corners"] = min(counts.get("domain corners", 0), 2 ** min(n * space.d, 62))
    for _, count in pieces(samples - sum(counts.values()), chunk):
        search.observe(space.uniform(count), "uniform")
    for first, count in pieces(counts["domain corners"], chunk):
        search.observe(space.corners(first, count), "domain corners")
    for _, count in pieces(counts.get("cell boundaries", 0), chunk):
        search.observe(space.boundaries(count), "cell boundaries")
    for _, count in pieces(counts.get("equal tokens", 0), chunk):
        search.observe(space.equal(count), "equal tokens")
    _ascend(space, search, counts.get("ascent", 0), chunk)
    return search.result(time.perf_counter() - start)


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


@dataclass
class Search:
    """Evaluates chunks of sequences, counts them and keeps the worst sequence of each of the worst chunks."""

    target: SampledTarget
    evaluate: Evaluate
    progress: Progress
    samples: int = 0
    found: list[_Found] = field(default_factory=list)

    def observe(self, tokens: Tensor, phase: str) -> Tensor:
        """Return |f - T| at all tokens and outputs, shape (batch, n, d_out).

        Raises:
            Refused: one of them is not finite.
        """
        wanted, values = self.target.torch(tokens), self.evaluate(tokens)
        if values.shape != wanted.shape:
            raise ValueError(f"the network returned shape {tuple(values.shape)}, f {tuple(wanted.shape)}")
        error = (values - wanted).abs_()
        largest = float(error.amax())  # NaN if any entry is
        if len(self.found) < CANDIDATES or not largest <= self.found[-1].maximum:
            self._keep(tokens, wanted, values, error, phase)
        self.samples += len(tokens)
        self.progress(len(tokens))
        return error

    def _keep(self, tokens: Tensor, wanted: Tensor, values: Tensor, error: Tensor, phase: str) -> None:
        place = int(torch.argmax(error.reshape(-1)))  # the first NaN if there is one
        sequence, own, output = (int(i) for i in np.unravel_index(place, error.shape))
        f, T = (float(array[sequence, own, output]) for array in (wanted, values))
        if not math.isfinite(f - T):
            raise Refused(f"f = {f} and the network = {T} at token {own}, output {output} of X = {tokens[sequence].tolist()}: "
                          f"their difference is not finite")
        self.found.append(_Found(abs(f - T), tokens[sequence].clone(), own, output, f, T, phase))
        self.found.sort(key=lambda one: -one.maximum)  # stable: the first of equals stays first
        del self.found[CANDIDATES:]

    def result(self, seconds: float) -> SampleResult:
        """Report the worst sequence."""
        best = self.found[0]
        return SampleResult(best.maximum, best.tokens.tolist(), best.own, best.output, best.target_value, best.network_value,
                            self.samples, seconds, self.samples / seconds, best.phase)


def _ascend(space: Space, search: Search, budget: int, chunk: int) -> None:
    """Climb from the worst sequences found, then from random cell corners, while the budget lasts."""
    limit = search.samples + budget
    width = min(CANDIDATES, max(1, TRIALS // space.n_moves))
    ends = space.nearest_ends(torch.stack([one.tokens for one in search.found[:width]]))
    while _climb(space, search, ends, limit, chunk):
        ends = space.random_ends(width, space.n)


def _climb(space: Space, search: Search, ends: Tensor, limit: int, chunk: int) -> bool:
    """Make the best move of one coordinate for every candidate until none helps; say whether the budget is left."""
    height = torch.full((len(ends),), -1.0, dtype=space.points.dtype, device=ends.device)
    while True:
        afforded = (limit - search.samples) // space.n_moves
        ends, height = ends[:afforded], height[:afforded]
        if len(ends) == 0:
            return False
        trials = space.moves(ends)
        tokens = space.at(trials.reshape(-1, space.n, space.d))
        error = torch.cat([search.observe(part, "ascent").amax((1, 2)) for part in tokens.split(chunk)])
        gain, move = error.view(len(ends), -1).max(dim=1)
        better = gain > height
        if not bool(better.any()):
            return True
        ends = torch.where(better[:, None, None], trials[torch.arange(len(ends), device=ends.device), move], ends)
        height = torch.maximum(height, gain)

