"""The four architectures as trainable stacks of about the same number of parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from uat.experiments.mixers import Head, Linformer, Performer, Softmax
from uat.experiments.stacked import InTargetUnits, StackedLayers, StackedLinear, generators
from uat.experiments.sumformers import Member, StackedSumformer

ARCHITECTURES = ("transformer", "linformer", "performer", "sumformer")
WIDTH, BLOCKS, PROJECTIONS, FEATURES = 24, 2, 8, 32
SUMFORMER_HIDDEN, SUMFORMER_LATENT = (32,) * 4, 16  # as many parameters as two blocks of width 24, within a tenth


class StackedBlocks(InTargetUnits):
    """Affine embedding, blocks X + FC(X + Att(X)) without layer norm as in the paper, linear readout."""


    def __init__(self, architecture: str, members: Sequence[str], d: int, d_out: int, n: int, seed: int) -> None:
        super().__init__()
        random = generators(seed, [f"{architecture} {name}" for name in members])
        count = len(members)
        self.embed = StackedLinear([d] * count, [WIDTH] * count, random)
        self.heads = nn.ModuleList(_head(architecture, random, n) for _ in range(BLOCKS))
        widths = [[width] * count for width in (WIDTH, 2 * WIDTH, WIDTH)]
        self.layers = nn.ModuleList(StackedLayers(widths, random) for _ in range(BLOCKS))
        self.readout = StackedLinear([WIDTH] * count, [d_out] * count, random)
        self.start_in_own_units(count, d_out)

    def prepared(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Return the input: all of it depends on weights."""
        return (tokens,)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (batch, n, d) to (members, batch, n, d_out)."""
        x = self.embed.shared(tokens)
        for head, layers in zip(self.heads, self.layers, strict=True):
            x = x + layers(x + head(x))
        return self.shift + self.scale * self.readout(x)

    def parameters_of(self, e: int) -> int:
        """Return the number of trained parameters of one member."""
        heads = sum(head.parameters_of(e) for head in self.heads if isinstance(head, Head))
        layers = sum(part.parameters_of(e) for part in self.layers if isinstance(part, StackedLayers))
        return self.embed.parameters_of(e) + heads + layers + self.readout.parameters_of(e)


def sequence_model(architecture: str, members: Sequence[str], d: int, d_out: int, n: int,
                   seed: int) -> StackedBlocks | StackedSumformer:
    """Return a stack of one architecture for tokens of d coordinates; n is the length that a Linformer is made for."""
    if architecture == "sumformer":
        return StackedSumformer("mlp", [Member(name, SUMFORMER_LATENT) for name in members], d, d_out, seed, SUMFORMER_HIDDEN)
    return StackedBlocks(architecture, members, d, d_out, n, seed)


def _head(architecture: str, random: Sequence[torch.Generator], n: int) -> Head:
    if architecture == "linformer":
        return Linformer(WIDTH, random, n, PROJECTIONS)
    return Performer(WIDTH, random, FEATURES) if architecture == "performer" else Softmax(WIDTH, random)
