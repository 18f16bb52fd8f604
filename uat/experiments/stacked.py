"""Many small networks of one shape trained at once: one batched product a layer instead of one small product a network.

Small networks on few tokens are bound by the overhead of an operation, not by arithmetic. A stack holds the weights of all
members in one tensor with the member first; members never mix, so the sum of their losses trains each as if it were alone.
Members may differ in widths: smaller ones sit in the leading block, the rest is 0 and stays 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

HIDDEN = (50,) * 5  # the paper's: five hidden layers of 50 ReLU units


def generators(seed: int, members: Sequence[str]) -> list[torch.Generator]:
    """Return random numbers for each member by its name, so that they do not depend on what else is in the stack."""
    return [torch.Generator().manual_seed(derived_seed(seed, name)) for name in members]


def derived_seed(seed: int, name: str) -> int:
    """Return a seed for a named purpose, the same on every machine.

    >>> derived_seed(0, "training") == derived_seed(0, "training") != derived_seed(1, "training")
    True
    """
    import numpy as np

    return int(np.random.SeedSequence((seed % 2**64, *name.encode())).generate_state(1, np.uint64)[0] >> np.uint64(1))


class StackedLinear(nn.Module):
    """Member e maps (.., ins[e]) to (.., outs[e]) by a matrix and a bias of its own.

    Args:
        ins, outs: features of each member; inputs are padded to the largest.
        random: one generator a member; weights are uniform in +-1/sqrt(fan_in), as torch's own linear layers are.
        bias: whether there is one.
        fan_in: what the range of the weights is made of, ``ins`` unless told.
    """

    def __init__(self, ins: Sequence[int], outs: Sequence[int], random: Sequence[torch.Generator], *, bias: bool = True,
                 fan_in: Sequence[int] | None = None) -> None:
        super().__init__()
        self.ins, self.outs = tuple(ins), tuple(outs)
        weight = torch.zeros(len(ins), max(ins), max(outs))
        offset = torch.zeros(len(ins), 1, max(outs))
        used = torch.zeros_like(weight)
        for e, (i, o, fan, own) in enumerate(zip(ins, outs, fan_in or ins, random, strict=True)):
            bound = 1 / math.sqrt(fan)
            weight[e, :i, :o] = bound * (2 * torch.rand(i, o, generator=own) - 1)
            offset[e, 0, :o] = bound * (2 * torch.rand(o, generator=own) - 1)
            used[e, :i, :o] = 1
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(offset) if bias else None
        if not bool(used.all()):
            self.register_buffer("used", used, persistent=False)
            self.weight.register_hook(lambda gradient: gradient * self.used)  # type: ignore[no-untyped-call]

    def forward(self, values: Tensor) -> Tensor:
        """Map (members, .., in) to (members, .., out)."""
        flat = values.reshape(values.shape[0], -1, values.shape[-1])
        out = torch.bmm(flat, self.weight) if self.bias is None else torch.baddbmm(self.bias, flat, self.weight)
        return out.view(*values.shape[:-1], -1)

    def shared(self, values: Tensor) -> Tensor:
        """Map (.., in), the same for all members, to (members, .., out)."""
        return self(values.expand(len(self.ins), *values.shape))

    def parameters_of(self, e: int) -> int:
        """Return the number of parameters of one member."""
        return self.ins[e] * self.outs[e] + (0 if self.bias is None else self.outs[e])

    def arrays_of(self, e: int) -> tuple[Tensor, Tensor]:
        """Return one member's weight (in, out) and bias (out,) in float64, without padding."""
        i, o = self.ins[e], self.outs[e]
        weight = self.weight[e, :i, :o].detach().cpu().double()
        return weight, weight.new_zeros(o) if self.bias is None else self.bias[e, 0, :o].detach().cpu().double()


class StackedLayers(nn.Module):
    """Linear layers with ReLU before each but the first, all members of the same hidden widths."""

    def __init__(self, widths: Sequence[Sequence[int]], random: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(StackedLinear(i, o, random)
                                    for i, o in itertools.pairwise(widths))

    def forward(self, values: Tensor) -> Tensor:
        """Map (members, .., in) to (members, .., out)."""
        for k, layer in enumerate(self.layers):
            values = layer(torch.relu(values) if k else values)
        return values

    def parameters_of(self, e: int) -> int:
        """Return the number of parameters of one member."""
        return sum(layer.parameters_of(e) for layer in self.linears())

    def linears(self) -> list[StackedLinear]:
        """Return the layers."""
        return [layer for layer in self.layers if isinstance(layer, StackedLinear)]


class InTargetUnits(nn.Module):
    """A stack whose outputs are in units of the targets' mean and spread."""

    shift: Tensor
    scale: Tensor

    def start_in_own_units(self, count: int, d_out: int) -> None:
        """Let the outputs be as they are until the targets are known."""
        self.register_buffer("shift", torch.zeros(count, 1, 1, d_out))
        self.register_buffer("scale", torch.ones(count, 1, 1, d_out))

    def standardise(self, shift: Tensor, scale: Tensor) -> None:
        """Let the network work in units of the targets' mean and spread, (members or 1, 1, 1, d_out)."""
        self.shift.copy_(shift)
        self.scale.copy_(scale)
