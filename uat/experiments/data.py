"""Examples: uniform sequences of the domain with their targets, for training and unseen ones for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from constructions.targets.target import Target
from uat.experiments.stacked import derived_seed


@dataclass(frozen=True, eq=False)
class Examples:
    """Training examples and unseen ones.

    Attributes:
        tokens, unseen_tokens: (N, n, d), the same for all members.
        wanted, unseen_wanted: (members or 1, N, n, d_out).
        digest: SHA-256 of all of them.
    """

    tokens: Tensor
    wanted: Tensor
    unseen_tokens: Tensor
    unseen_wanted: Tensor
    digest: str

    @staticmethod
    def of(tokens: Tensor, wanted: Tensor, training: int, device: torch.device) -> Examples:
        """Split (N, n, d) tokens and (members or 1, N, n, d_out) targets after so many sequences."""
        digest = hashlib.sha256(tokens.contiguous().numpy().tobytes() + wanted.contiguous().numpy().tobytes()).hexdigest()
        tokens, wanted = (part.float().to(device) if part.is_floating_point() else part.to(device) for part in (tokens, wanted))
        return Examples(tokens[:training], wanted[:, :training], tokens[training:], wanted[:, training:], digest)

    def spread(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each output, shape (members or 1, 1, 1, d_out)."""
        axes = (1, 2)
        return self.wanted.mean(axes, keepdim=True), self.wanted.std(axes, keepdim=True).clamp(min=1e-6)


def sequences(target: Target, count: int, seed: int, purpose: str) -> Tensor:
    """Draw (count, n, d) uniform tokens of the target's domain in float64, the same on every device."""
    generator = torch.Generator().manual_seed(derived_seed(seed, f"{purpose} {target.n} {target.d}"))
    low, high = (torch.from_numpy(np.array([float(side) for side in ends])) for ends in (target.box.lower, target.box.upper))
    return low + (high - low) * torch.rand(count, target.n, target.d, generator=generator, dtype=torch.float64)


def examples(targets: Sequence[Target], training: int, validation: int, seed: int, device: torch.device,
             members: Sequence[int] | None = None) -> Examples:
    """Return uniform sequences with the values of one target a member.

    Args:
        targets: of one n, d and domain.
        training, validation: number of sequences.
        seed: decides them.
        device: where they go.
        members: which target each member learns; one member a target unless told.
    """
    tokens = sequences(targets[0], training + validation, seed, "examples")
    values = torch.stack([target.torch(tokens) for target in targets])
    return Examples.of(tokens, values if members is None else values[torch.tensor(members)], training, device)
