"""How far a trained network is from its target at worst: a sampled lower bound of the sup norm, its witness enclosed by balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from constructions.progress import Report, counting, silent
from constructions.targets.target import Target
from proofs_check.sampling import sample
from uat.experiments.extracted import Extracted


@dataclass(frozen=True)
class Worst:
    """A certain lower bound on ||f - T||: the error at the witness, rounded down.

    Attributes:
        error: same unit as f.
        witness: n tokens.
        own: the token where it occurs.
        found_by: phase of the search.
    """

    error: float
    witness: Sequence[Sequence[float]]
    own: int
    found_by: str


def worst_error(target: Target, network: Extracted, *, samples: int, seed: int, device: torch.device,
                report: Report = silent) -> Worst:
    """Search like ``uat sample`` does (uniform, Sobol, corners, ties, ascent, refinement) and enclose what was found."""
    found = sample(target, network.to(device), target.box, target.n, [np.zeros(0)] * target.d, samples, device, seed,
                   counting(report, "searching for the worst error", samples))
    return Worst(_enclosed(target, network, np.array(found.witness), found.own, found.output), found.witness, found.own,
                 found.found_by)


def _enclosed(target: Target, network: Extracted, tokens: np.ndarray, own: int, output: int) -> float:
    from flint import arb, ctx

    with ctx.workprec(128):
        exact = np.frompyfunc(lambda value: arb(float(value)), 1, 1)
        gap = abs(target.balls(exact(tokens))[own, output] - network.balls(tokens)[own, output])
        return max(0.0, float(np.nextafter(float(gap.abs_lower()), 0.0)))
