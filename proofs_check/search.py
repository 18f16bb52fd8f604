"""The worst sequences of a search: where |f - T| is evaluated, and what is remembered of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from constructions.errors import Refused
from proofs_check.draws import Space
from proofs_check.repeated import Counts, Repeated

# In this order: it decides between equal errors and seeds the draws.
PHASES = ("uniform", "domain corners", "cell boundaries", "equal tokens", "ascent", "two values", "Sobol", "partly equal",
          "refinement")
# Pairs of tokens in one chunk: f may need an array of them, which should fit a processor's cache (measured) or fill a GPU.
CHUNK_PAIRS = {"cpu": 2**18}
LARGE_CHUNK_PAIRS = 2**24
CANDIDATES = 64
ROUNDING = 1e-9  # among equal tokens with errors as equal as that, rounding chose one: the first is reported
Evaluate = Callable[..., Tensor]  # tokens, and how often each occurs where that is not once


class SampledTarget(Protocol):
    """What is needed of f."""

    @property
    def torch(self) -> Callable[..., Any]:
        """Evaluate on (batch, n, d) tokens, ``counts`` of each where asked; returns (batch, n, d_out)."""


@dataclass(frozen=True)
class SampleResult:
    """The largest |f - T| found: both sides rounded, so a lower bound on the supremum up to that rounding.

    Attributes:
        maximum: |target_value - network_value|, same unit as f.
        witness: the sequence, n tokens of d coordinates, inside the exact rational box.
        counts: how often each token of the witness occurs; None for once.
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
    counts: Counts | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """A sequence with its largest difference, at one token and output."""

    maximum: float
    tokens: Tensor
    own: int
    output: int
    target_value: float
    network_value: float
    phase: str
    order: tuple[float, ...]
    counts: Counts | None


@dataclass(eq=False)
class Search:
    """Evaluates chunks of sequences and keeps the worst sequence of each of the worst chunks, in any order of the chunks."""

    target: SampledTarget
    evaluate: Evaluate
    space: Space
    seed: int
    repeated: Repeated | None = None
    found: list[Found] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def generator(self, phase: str, number: int) -> torch.Generator:
        """Return the random numbers of one job, independent of which other jobs ran before."""
        entropy = np.random.SeedSequence((self.seed % 2**64, PHASES.index(phase), number)).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(entropy[0]))

    def observe(self, tokens: Tensor, phase: str, number: int, step: int = 0, counts: Tensor | None = None) -> Tensor:
        """Return |f - T| at all tokens and outputs, shape (batch, n, d_out); ``counts`` (batch, n) where tokens are repeated.

        Raises:
            Refused: one of them is not finite.
        """
        if counts is None:
            wanted, values = self.target.torch(tokens), self.evaluate(tokens)
        else:
            wanted, values = self.target.torch(tokens, counts=counts), self.evaluate(tokens, counts)
        if values.shape != wanted.shape:
            raise ValueError(f"the network returned shape {tuple(values.shape)}, f {tuple(wanted.shape)}")
        error = (values - wanted).abs_()
        largest = float(error.amax())  # NaN if any entry is
        if len(self.found) < CANDIDATES or not largest < self.found[-1].maximum:
            worst = _found(tokens, wanted, values, _largest_place(error), phase, (number, step), counts)
            with self.lock:
                self.found = sorted([*self.found, worst], key=lambda one: one.order)[:CANDIDATES]
        return error

    @property
    def chunk(self) -> int:
        """Sequences to evaluate at once."""
        return max(1, CHUNK_PAIRS.get(self.space.points.device.type, LARGE_CHUNK_PAIRS) // self.space.n**2)

    def result(self, samples: int, seconds: float) -> SampleResult:
        """Report the worst sequence."""
        best = self.found[0]
        return SampleResult(best.maximum, best.tokens.tolist(), best.own, best.output, best.target_value, best.network_value,
                            samples, seconds, samples / seconds, best.phase, best.counts)


def _largest_place(error: Tensor) -> tuple[Any, ...]:
    """Return where the largest error is, or a NaN if there is one, as an index of (batch, n, d_out)."""
    by_memory = error.permute(2, 1, 0)  # sequences innermost: nothing is copied
    if error.device.type == "cpu":
        return np.unravel_index(int(by_memory.numpy().argmax()), by_memory.shape)[::-1]  # several times faster than torch's
    return np.unravel_index(int(torch.argmax(by_memory.reshape(-1))), by_memory.shape)[::-1]


def _found(tokens: Tensor, wanted: Tensor, values: Tensor, place: tuple[Any, ...], phase: str, job: tuple[int, int],
           counts: Tensor | None) -> Found:
    sequence, own, output = (int(i) for i in place)
    row = tokens[sequence]
    place_of, f_of, T_of = (part.cpu().numpy() for part in (row, wanted[sequence, :, output], values[sequence, :, output]))
    with np.errstate(all="ignore"):
        errors = np.abs(T_of - f_of)
        alike = (place_of == place_of[own]).all(axis=-1) & (errors >= (1 - ROUNDING) * errors[own])
    own = int(alike.argmax()) if alike.any() else own
    f, T = float(f_of[own]), float(T_of[own])
    if not math.isfinite(f - T):
        raise Refused(f"f = {f} and the network = {T} at token {own}, output {output} of X = {place_of.tolist()}: "
                      f"their difference is not finite")
    return Found(abs(f - T), row.clone(), own, output, f, T, phase, (-abs(f - T), PHASES.index(phase), *job),
                  None if counts is None else tuple(counts[sequence].tolist()))
