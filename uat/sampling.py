"""Run the adversarial search on a construction or a stored run, and put the result into words."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from constructions.architectures import assemble_mean
from constructions.construct import Construction
from constructions.continuous import ContinuousConstruction
from constructions.network.relu import MeanSumformer
from constructions.progress import Report, counting
from constructions.sumformers import Sumformer
from constructions.targets.target import AnyTarget, Target

EXACT_SAMPLES = 20_000  # codes beyond int64 are summed as Python integers: a hundred thousand times slower
PROBES = 24  # sequences an architecture is run on; fewer where they have more than so many tokens together
PROBED_TOKENS = 2**16
USUAL, USUAL_OF_CONSTRUCT = 10_000_000, 1_000_000
TOKENS = 30_000_000  # of a search of a continuous network, repeated ones once: hundreds of flops each
ROUNDING = Fraction(1, 10**6)  # of the bound: an error that is known in float64 alone makes it doubtful beyond this
PAIRS = 500_000_000  # of tokens, where f compares each with all others
STREAMED = 100_000_000  # tokens: a longer sequence is not read token by token, it would take as long as it is
AnySumformer = Sumformer | MeanSumformer


@dataclass(frozen=True, eq=False)
class Sampled:
    """A confirmed lower bound, whether it refutes the claim, and how fast the search was.

    What no enclosure confirms refutes nothing; beyond the bound it is a doubt.

    Attributes:
        n: length of the sequences.
        witness, counts: different tokens and how often each occurs; all n tokens where counts is None.
        tokens_read: tokens a second that were read, repeated ones once.
        bandwidth_share: bytes of tokens read a second over those that a copy on the same device reads.
        streamed: what one long sequence of different tokens showed, in float64: error, tokens looked at, tokens a second.
        doubtful: whether that error is beyond the bound.
        broken: why an executor was given up.
        interrupted: whether Ctrl-C ended the search before all samples were looked at.
    """

    n: int
    maximum: float
    witness: list[list[float]]
    counts: tuple[int, ...] | None
    own: int
    samples: int
    throughput: float
    tokens_read: float
    bandwidth_share: float
    found_by: str
    device: str
    refutes: bool
    doubtful: bool = False
    broken: str = ""
    interrupted: bool = False
    streamed: dict[str, float] | None = None
    deviations: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the entries of ``sample --json``."""
        repeated = {} if self.counts is None else {"witness_counts": list(self.counts)}
        return {"n": self.n, "sampled_max": self.maximum, "witness": self.witness, **repeated, "own_token": self.own,
                "samples": self.samples, "sequences_per_second": self.throughput, "tokens_per_second": self.tokens_read,
                "bandwidth_share": self.bandwidth_share,
                **({} if self.streamed is None else {"streamed": self.streamed}), "found_by": self.found_by,
                "device": self.device, "refutes": self.refutes, "doubtful": self.doubtful}


def sample_network(target: AnyTarget, sumformer: AnySumformer, bound: Fraction, *, samples: int | None, device: str, seed: int,
                   report: Report, usual: int = USUAL, executor: Executor | None = None, so_far: bool = False) -> Sampled:
    """Search for the worst error and confirm the witness with enclosures.

    Args:
        samples: sequences to look at; None for the usual number, or as many as take about a minute.
        usual: this number.
        executor: where sequences are looked at, on a processor; threads here if none is given.
        so_far: on Ctrl-C return what was found until then, if anything was.
    """
    import numpy as np
    import torch

    from constructions.adapters import CompiledMeanSumformer
    from proofs_check.bandwidth import copy_bandwidth
    from proofs_check.definedness import with_rounded_roots
    from proofs_check.draws import Space
    from proofs_check.sampling import sample
    from proofs_check.streamed import stream
    from proofs_check.witness import choose_device, confirmed, evaluator, is_exact, repetition, thresholds_of

    place = choose_device(device)
    target = with_rounded_roots(target) if isinstance(target, Target) else target
    evaluate, repeated = evaluator(sumformer, target, place), repetition(target, sumformer)
    length = target.n if repeated is None else repeated.different
    count = _affordable(usual, sumformer, length, is_exact(evaluate)) if samples is None else samples
    found = sample(target, evaluate, target.box, length, thresholds_of(sumformer, target), count, place, seed,
                   counting(report, "sampling", count), repeated=repeated, executor=executor if place.type == "cpu" else None,
                   so_far=so_far)
    estimate = confirmed(target, sumformer, found)
    tokens, copied = found.throughput * length, copy_bandwidth(place)
    sampled = Sampled(target.n, estimate.maximum, [list(token) for token in estimate.witness], found.counts, found.own,
                      found.samples, found.throughput, tokens, tokens * target.d * 8 / copied, found.found_by,
                      str(place), Fraction(estimate.maximum) > bound, broken=found.broken,
                      interrupted=found.interrupted)
    if found.interrupted:
        return sampled
    whole = repeated is not None and target.n <= STREAMED
    if not whole or not isinstance(target, Target) or not isinstance(evaluate, CompiledMeanSumformer):
        return sampled
    space = Space.of(target.box, 1, [np.zeros(0)] * target.d, place, torch.float64)
    long = stream(target, evaluate, space, target.n, seed)
    shown = {"error": long.maximum, "tokens_looked_at": long.looked_at, "tokens_per_second": long.tokens_per_second,
             "bandwidth_share": long.tokens_per_second * target.d * 8 / copied}
    return replace(sampled, streamed=shown, doubtful=Fraction(long.maximum) > bound * (1 + ROUNDING))


def _affordable(usual: int, sumformer: AnySumformer, length: int, exactly: bool) -> int:
    count = min(usual, EXACT_SAMPLES) if exactly else usual
    return max(1, min(count, TOKENS // length, PAIRS // length**2)) if isinstance(sumformer, MeanSumformer) else count


def sample_construction(construction: Construction | ContinuousConstruction, n: int, bound: Fraction, *, samples: int | None,
                        device: str, seed: int, report: Report, executor: Executor | None = None) -> Sampled:
    """Search at one length, and run every architecture densely on sequences that strain it, where these are short enough."""
    import torch

    from proofs_check.witness import largest_deviation, probing_sequences, runs_densely

    target, sumformer = construction.target, construction.sumformer
    if isinstance(target, Target) and n != target.n:
        target = Target.from_text(target.text, n=n, box=target.box, name=target.name, positional=target.positional)
    sampled = sample_network(target, sumformer, bound, samples=samples, device=device, seed=seed, report=report,
                             usual=USUAL_OF_CONSTRUCT, executor=executor)
    if not runs_densely(n):
        return sampled
    dtype = torch.float32 if construction.number_format.bits == 24 else torch.float64
    probes = max(1, min(PROBES, PROBED_TOKENS // n))
    for architecture in construction.architectures:
        if isinstance(sumformer, MeanSumformer) and n != construction.target.n:
            architecture = assemble_mean(sumformer, architecture.head, n, construction.number_format)
        tokens = probing_sequences(sumformer, target, probes, seed, dtype, sampled.witness if sampled.counts is None else ())
        sampled.deviations[architecture.name] = largest_deviation(architecture, sumformer, tokens, dtype)
        report("running the architectures", len(sampled.deviations), len(construction.architectures))
    return sampled
