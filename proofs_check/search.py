"""The worst sequences of a search: where |f - T| is evaluated, and what is remembered of it."""

from __future__ import annotations

import math
import pickle
import threading
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from constructions.adapters.workspace import LINE
from constructions.errors import Refused
from proofs_check.draws import Space
from proofs_check.packed import Packed
from proofs_check.repeated import Counts, Repeated
from proofs_check.workers import one_thread

# In this order: it decides between equal errors and seeds the draws.
PHASES = ("uniform", "domain corners", "cell boundaries", "equal tokens", "ascent", "two values", "Sobol", "partly equal",
          "refinement")
# Tokens in one chunk, and pairs of them, where f may need an array of these: they should fit a processor's cache (measured) or
# fill a GPU.
CHUNK_TOKENS, LARGE_CHUNK_TOKENS = {"cpu": 2**17}, 2**23
CHUNK_PAIRS, LARGE_CHUNK_PAIRS = {"cpu": 2**18}, 2**26
CANDIDATES = 64
ROUNDING = 1e-9  # among equal tokens with errors as equal as that, rounding chose one: the first is reported
Job = Callable[["Search"], int]  # returns the number of sequences it looked at
Evaluate = Callable[..., Tensor]  # tokens, and how often each occurs where that is not once


class SampledTarget(Protocol):
    """What is needed of f."""

    @property
    def torch(self) -> Callable[..., Any]:
        """Evaluate on (batch, n, d) tokens, ``counts`` of each where asked; returns (batch, n, d_out)."""

    @property
    def pairs(self) -> bool:
        """Whether an evaluation needs an array of all pairs of tokens."""


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
        broken: why an executor was given up.
        interrupted: whether the search was stopped before all samples were looked at.
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
    broken: str = ""
    interrupted: bool = False


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


def even(count: int) -> int:
    """Round a number of sequences down to whole cache lines, for then all rows of a batch start at one."""
    return count // LINE * LINE or count


def _mixed(word: int) -> int:
    """Scatter 64 bits (splitmix64): a tenth of the time of numpy's SeedSequence, of which a job makes one (measured).

    >>> hex(_mixed(0)), hex(_mixed(1))  # the generator's first output from the states 0 and 1
    ('0xe220a8397b1dcdaf', '0x910a2dec89025cc1')
    """
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


@dataclass(eq=False)
class Search:
    """Evaluates chunks of sequences and keeps the worst sequence of each of the worst chunks, in any order of the chunks.

    Attributes:
        found: these sequences, the worst first.
        broken: why an executor was given up, "" while none was.
        stopped: whether jobs that take long should come to an end and leave what they have.
    """

    target: SampledTarget
    evaluate: Evaluate
    space: Space
    seed: int
    repeated: Repeated | None = None
    found: list[Found] = field(default_factory=list)
    broken: str = ""
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def elsewhere(self) -> Callable[[bytes], bytes]:
        """What does jobs in another process, from bytes to bytes: torch would send each array through shared memory."""
        return partial(_done, Packed.of((self.target, self.evaluate, self.space, self.seed, self.repeated)))

    def stop(self) -> None:
        """Tell what is still running that nobody waits for it."""
        self.stopped = True

    def generator(self, phase: str, number: int) -> torch.Generator:
        """Return the random numbers of one job, independent of which other jobs ran before."""
        mixed = 0
        for word in (self.seed, PHASES.index(phase), number):
            mixed = _mixed(mixed + word)
        return torch.Generator().manual_seed(mixed)

    def observe(self, tokens: Tensor, phase: str, number: int, counts: Tensor | None = None) -> None:
        """Look at a chunk of sequences and remember the worst; ``counts`` (batch, n) where tokens are repeated.

        Raises:
            Refused: f or T is not finite somewhere.
        """
        seen = self._seen(tokens, counts)
        place = _largest_place(seen.error)
        if len(self.found) < CANDIDATES or not float(seen.error[place]) < self.found[-1].maximum:  # NaN is not
            self.remember([seen.found(place, phase, (number, 0))])

    def errors(self, tokens: Tensor, phase: str, counts: Tensor | None = None) -> Tensor:
        """Return the largest |f - T| of each sequence, chunk by chunk; raises as :meth:`observe`."""
        parts = torch.split(tokens, self.chunk)
        often = [None] * len(parts) if counts is None else torch.split(counts, self.chunk)
        found = []
        for part, times in zip(parts, often, strict=True):
            seen = self._seen(part, times)
            found.append(seen.error.amax((1, 2)))
            if not math.isfinite(float(found[-1].amax())):
                seen.found(_largest_place(seen.error), phase, (0, 0))
        return found[0] if len(found) == 1 else torch.cat(found)

    def enter(self, tokens: Tensor, phase: str, number: int, counts: Tensor | None = None) -> None:
        """Remember each of these few sequences, where it is among the worst."""
        seen = self._seen(tokens, counts)
        self.remember([seen.found((row, *_largest_place(seen.error[row:row + 1])[1:]), phase, (number, row))
                        for row in range(len(tokens))])

    def _seen(self, tokens: Tensor, counts: Tensor | None) -> Seen:
        if counts is None:  # f last: it is the smaller part, and its values are still in the cache afterwards
            values, wanted = self.evaluate(tokens), self.target.torch(tokens)
        else:
            values, wanted = self.evaluate(tokens, counts), self.target.torch(tokens, counts=counts)
        if values.shape != wanted.shape:
            raise ValueError(f"the network returned shape {tuple(values.shape)}, f {tuple(wanted.shape)}")
        return Seen(tokens, counts, wanted, values, (values - wanted).abs_())

    def remember(self, found: Sequence[Found]) -> None:
        """Keep those that are among the worst; in which order they come decides nothing."""
        with self.lock:
            for one in found:
                insort(self.found, one, key=lambda known: known.order)
            del self.found[CANDIDATES:]

    @property
    def chunk(self) -> int:
        """Sequences to evaluate at once."""
        device, n = self.space.points.device.type, self.space.n
        tokens, pairs = CHUNK_TOKENS.get(device, LARGE_CHUNK_TOKENS), CHUNK_PAIRS.get(device, LARGE_CHUNK_PAIRS)
        return max(1, even(min(tokens // n, pairs // n**2) if self.target.pairs else tokens // n))

    def result(self, samples: int, seconds: float, *, interrupted: bool = False) -> SampleResult:
        """Report the worst sequence."""
        best = self.found[0]
        return SampleResult(best.maximum, best.tokens.tolist(), best.own, best.output, best.target_value, best.network_value,
                            samples, seconds, samples / seconds, best.phase, best.counts, self.broken, interrupted)


def _done(packed: Packed, jobs: bytes) -> bytes:
    """Do jobs for a search of another process; returns how many sequences each looked at, and the worst."""
    search = Search(*packed.unpacked())
    with one_thread():
        counts = [job(search) for job in pickle.loads(jobs)]
    return pickle.dumps((counts, search.found))


@dataclass(frozen=True, eq=False)
class Seen:
    """A chunk of sequences with f, T and |f - T| at all tokens and outputs, (batch, n, d_out) each."""

    tokens: Tensor
    counts: Tensor | None
    wanted: Tensor
    values: Tensor
    error: Tensor

    def found(self, place: tuple[Any, ...], phase: str, job: tuple[int, int]) -> Found:
        """Return the sequence that has its largest error at ``place`` = (sequence, own, output)."""
        sequence, own, output = (int(i) for i in place)
        row = self.tokens[sequence]
        place_of, f_of, T_of = (part.cpu().numpy() for part in (row, self.wanted[sequence, :, output],
                                                                self.values[sequence, :, output]))
        with np.errstate(all="ignore"):
            errors = np.abs(T_of - f_of)
            alike = (place_of == place_of[own]).all(axis=-1) & (errors >= (1 - ROUNDING) * errors[own])
        own = int(alike.argmax()) if alike.any() else own
        f, T = float(f_of[own]), float(T_of[own])
        if not math.isfinite(f - T):
            raise Refused(f"f = {f} and the network = {T} at token {own}, output {output} of X = {place_of.tolist()}: "
                          f"their difference is not finite")
        return Found(abs(f - T), row.clone(), own, output, f, T, phase, (-abs(f - T), PHASES.index(phase), *job),
                     None if self.counts is None else tuple(self.counts[sequence].tolist()))


def _largest_place(error: Tensor) -> tuple[Any, ...]:
    """Return where the largest error is, or a NaN if there is one, as an index of (batch, n, d_out)."""
    by_memory = error.permute(2, 1, 0)  # sequences innermost: nothing is copied
    if error.device.type == "cpu":
        return np.unravel_index(int(by_memory.numpy().argmax()), by_memory.shape)[::-1]  # several times faster than torch's
    return np.unravel_index(int(torch.argmax(by_memory.reshape(-1))), by_memory.shape)[::-1]
