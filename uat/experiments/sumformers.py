"""The two trained Sumformers of the paper's experiments, stacked: phi the proof's monomials or an MLP, psi an MLP.

S(X)_i = psi(x_i, mu), mu = mean_k phi(x_k): means instead of the paper's sums, which is the same set of functions at one n. The
last layer of phi is linear, so it is applied to the mean of what comes before; the part of psi's first layer that reads mu is
applied once a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from uat.experiments.monomials import monomials
from uat.experiments.stacked import HIDDEN, InTargetUnits, StackedLayers, StackedLinear, generators

KINDS = ("polynomial", "mlp")


@dataclass(frozen=True)
class Member:
    """One network of a stack: its name (which seeds its weights) and latent dimension."""

    name: str
    d_latent: int


class StackedSumformer(InTargetUnits):
    """Sumformers of one kind on the same tokens, (batch, n, d) to (members, batch, n, d_out)."""


    def __init__(self, kind: str, members: Sequence[Member], d: int, d_out: int, seed: int,
                 hidden: Sequence[int] = HIDDEN) -> None:
        super().__init__()
        self.kind, self.members, self.d, self.d_out = kind, tuple(members), d, d_out
        random = generators(seed, [f"{kind} {one.name}" for one in members])
        count, latent = len(members), [one.d_latent for one in members]
        self.count = max(latent)
        if kind == "mlp":
            self.phi = StackedLayers([[width] * count for width in (d, *hidden)], random)
            self.phi_last = StackedLinear([hidden[-1]] * count, latent, random)
        first, fan = [hidden[0]] * count, [d + k for k in latent]
        self.psi_own = StackedLinear([d] * count, first, random, bias=False, fan_in=fan)
        self.psi_mean = StackedLinear(latent, first, random, fan_in=fan)
        self.psi = StackedLayers([[width] * count for width in (*hidden, d_out)], random)
        self.start_in_own_units(count, d_out)

    def prepared(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Return what of the input does not depend on weights: the tokens, and the means of the monomials."""
        return (tokens, monomials(tokens, self.count).mean(-2)) if self.kind == "polynomial" else (tokens,)

    def forward(self, tokens: Tensor, means: Tensor | None = None) -> Tensor:
        """Evaluate on what :meth:`prepared` returned, or a batch of it."""
        if means is not None:
            mu = means.expand(len(self.members), *means.shape)
        else:
            mu = self.phi_last(torch.relu(self.phi(tokens.expand(len(self.members), *tokens.shape))).mean(-2))
        first = self.psi_own.shared(tokens) + self.psi_mean(mu).unsqueeze(-2)
        return self.shift + self.scale * self.psi(torch.relu(first))

    def parameters_of(self, e: int) -> int:
        """Return the number of trained parameters of one member."""
        parts: list[StackedLinear | StackedLayers] = [self.psi_own, self.psi_mean, self.psi]
        if self.kind == "mlp":
            parts += [self.phi, self.phi_last]
        return sum(part.parameters_of(e) for part in parts)
