"""What tables of continuous constructions say of one target: sizes, both bounds, the largest errors found, seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import torch

from constructions.continuous import compile_target
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.sampling import sample
from proofs_check.witness import evaluator, repetition, thresholds_of
from tests.benchmarks.continuous import quoted_bound

LENGTHS = 3, 1000


@dataclass(frozen=True)
class Measured:
    """A network for every n.

    Attributes:
        n_nonzero, d_latent, depth: of the network; parameters, pooled channels, layers.
        built, quoted: the bound of the builder and of the checker, unit of f.
        found: the largest errors found with as many tokens as ``LENGTHS`` says.
        building, proving: seconds of the processor.
    """

    n_nonzero: int
    d_latent: int
    depth: int
    built: Fraction
    quoted: Fraction
    found: tuple[float, ...]
    building: float
    proving: float


def measured(text: str, eps: str, domain: str, samples: int) -> Measured:
    """Build, prove and search; raises Refused where nothing is built."""
    target = resolve(text, n=3, d=None, domain=domain)
    assert isinstance(target, Target)
    start = time.process_time()
    decomposition, compiled = compile_target(target, Fraction(eps), "sum-decomposition")
    built = time.process_time()
    quoted = quoted_bound(compiled.sumformer, compiled.derivation, target, compiled.bound, decomposition.every_n)
    proved = time.process_time()
    network, found = compiled.sumformer, list[float]()
    for n in LENGTHS:
        at_n = Target.from_text(text, n=n, box=target.box)
        repeated = repetition(at_n, network)
        found.append(sample(at_n, evaluator(network, at_n, torch.device("cpu")), target.box,
                            n if repeated is None else repeated.different, thresholds_of(network, at_n), samples, "cpu", 0,
                            repeated=repeated).maximum)
    return Measured(network.n_nonzero, network.d_latent, len(network.phi) + len(network.psi), compiled.bound, quoted,
                    tuple(found), built - start, proved - built)
