"""A sequence of n different tokens, drawn, read and forgotten chunk by chunk: constant memory, and the speed of plain reading.

What it finds is a float64 value at a few of its tokens, confirmed by no enclosure: a second opinion beside the search.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from constructions.adapters import CompiledMeanSumformer
from constructions.targets.evaluation import torch_algebra
from constructions.targets.streaming import evaluate_in_chunks
from constructions.targets.target import Target
from proofs_check.draws import Space

CHUNK = 2**14
LOOKED_AT = 64


@dataclass(frozen=True)
class Streamed:
    """The largest |f - T| at some tokens of one long sequence, and how fast its tokens were read."""

    maximum: float
    looked_at: int
    tokens_per_second: float


@torch.no_grad()
def stream(target: Target, network: CompiledMeanSumformer, space: Space, n: int, seed: int) -> Streamed:
    """Evaluate f and T at the first tokens of one sequence of n uniform tokens; means run over all of it, in chunks."""
    def chunks() -> Iterator[Tensor]:
        for number, first in enumerate(range(0, n, CHUNK)):
            entropy = np.random.SeedSequence((seed % 2**64, number)).generate_state(1, np.uint64)
            generator = torch.Generator().manual_seed(int(entropy[0]))
            yield space.uniform(generator, min(CHUNK, n - first), 1)[:, 0]

    start = time.perf_counter()
    own = next(chunks())[:LOOKED_AT]
    algebra = torch_algebra(own.device, own.dtype)
    wanted = evaluate_in_chunks(target.outputs, own, chunks, n, algebra)
    values = network.outputs(own, network.constants(chunks(), n))
    error = float((values - wanted).abs().amax())
    return Streamed(error, len(own), n / (time.perf_counter() - start))
