"""A step-network Sumformer as table look-ups in torch: the same function, without a matrix product.

Token coordinates are quantised by a bin look-up and one comparison; every other channel is an integer, so a staircase of it
is a gather. All intermediate numbers are integers that their type holds, hence nothing is rounded and the values equal those
of :class:`constructions.sumformers.Sumformer` bit for bit.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from constructions.adapters.look_ups import Bins, Quantised, Step, integer_step, integer_type
from constructions.domains import Box
from constructions.errors import Refused
from constructions.network import Network, Node
from constructions.sumformers import Sumformer

Ranges = dict[str, tuple[int, int]]


class CompiledSumformer:
    """S(X)_i = psi(x_i, sum_k phi(x_k)) for (*batch, n, d) tensors of finite numbers on one device, in one dtype.

    Equal to the Sumformer everywhere, also outside the box (which only places the bins). Fastest where the batch is innermost
    in memory, as in ``torch.empty(d, n, batch).permute(2, 1, 0)``.

    Raises (at birth):
        Refused: a number is too large for machine integers or not a number of the dtype, or a node is not a staircase of one
            token coordinate or of integer channels.
    """

    def __init__(self, sumformer: Sumformer, box: Box, device: torch.device | str = "cpu",
                 dtype: torch.dtype = torch.float64) -> None:
        shared, psi = len(sumformer.phi.nodes), sumformer.psi
        if psi.nodes[:shared] != sumformer.phi.nodes:
            raise Refused("psi does not start with the nodes of phi, so the own code is not at hand")
        self.device, self.dtype, self.n = torch.device(device), dtype, sumformer.n
        self._box, self._ranges = box, _ranges(psi)
        steps = [self._step(node, psi) for node in psi.nodes]
        self._phi, self._psi = steps[:shared], steps[shared:]
        self._sigma = {channel: integer_type(self.n * _magnitude(self._ranges[channel])) for channel in sumformer.phi.outputs}
        self._outputs = psi.outputs

    def __call__(self, tokens: Tensor) -> Tensor:
        """Evaluate; returns (*batch, n, d_out) in the same dtype.

        Raises:
            TypeError: the tokens have another dtype or length.
        """
        if tokens.dtype != self.dtype or tokens.shape[-2] != self.n:
            raise TypeError(f"tokens {tokens.dtype} {tuple(tokens.shape)}: expected {self.dtype} (*batch, {self.n}, d)")
        # Tokens first, batch last: sums over tokens then run along contiguous memory.
        known = {f"x.{c}": tokens[..., c].movedim(-1, 0).contiguous() for c in range(tokens.shape[-1])}
        for step in self._phi:
            step.write(known)
        known |= {phi.replace("phi", "sigma"): known[phi].sum(0, dtype=kind) for phi, kind in self._sigma.items()}
        for step in self._psi:
            step.write(known)
        columns = [known[channel].expand(known["x.0"].shape).movedim(0, -1) for channel in self._outputs]
        return columns[0].unsqueeze(-1) if len(columns) == 1 else torch.stack(columns, dim=-1)

    def _step(self, node: Node, psi: Network) -> Step:
        _refuse_huge(node)
        columns = {channel: self._column(node.table.values[:, k], channel, channel in psi.outputs)
                   for k, channel in enumerate(node.writes)}
        if any(channel.startswith("x.") for channel, _ in node.reads):
            return self._quantised(node, columns)
        missing = [channel for channel, _ in node.reads if channel.replace("sigma", "phi") not in self._ranges]
        if missing or any(int(coefficient) != coefficient for _, coefficient in node.reads):
            raise Refused(f"node writing {node.writes}: expected integer channels with integer coefficients, got {node.reads}")
        low, high, magnitude = _argument_range(node, self._ranges, self.n)
        return integer_step(node.reads, node.table.thresholds, columns, low, high, magnitude)

    def _quantised(self, node: Node, columns: dict[str, Tensor]) -> Quantised:
        (source, coefficient), *more = node.reads
        if more or coefficient != 1:
            raise Refused(f"node writing {node.writes}: expected one token coordinate with coefficient 1, got {node.reads}")
        axis = int(source.removeprefix("x."))
        thresholds = self._representable(node.table.thresholds, self.dtype, f"thresholds of {source}")
        bins = Bins.of(thresholds, float(self._box.lower[axis]), float(self._box.upper[axis]))
        count = torch.arange(node.table.units + 1, device=self.device, dtype=torch.int32)
        return Quantised(source, bins, {channel: None if column.dtype == torch.int32 and torch.equal(column, count) else column
                                        for channel, column in columns.items()})

    def _column(self, values: np.ndarray, channel: str, output: bool) -> Tensor:
        if output:
            return self._representable(values, self.dtype, f"values of {channel}")
        return self._representable(values, integer_type(_magnitude(self._ranges[channel])), f"values of {channel}")

    def _representable(self, numbers: np.ndarray, kind: torch.dtype, what: str) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(numbers, dtype=np.float64)).to(kind)
        if not np.array_equal(tensor.to(torch.float64).numpy(), numbers):
            raise Refused(f"{what} are not all {kind} numbers: rounding them would change the network")
        return tensor.to(self.device)


def _ranges(psi: Network) -> Ranges:
    """The least and largest value of every integer channel."""
    ranges: Ranges = {}
    for node in psi.nodes:
        for k, channel in enumerate(node.writes):
            if channel not in psi.outputs:
                values = node.table.values[:, k]
                ranges[channel] = int(values.min()), int(values.max())
    return ranges


def _argument_range(node: Node, ranges: Ranges, n: int) -> tuple[int, int, int]:
    """Bound the argument below and above, and the absolute value of its partial sums.

    Sigma is the own phi plus n - 1 others: written so, Sigma - phi has the range of the others alone.
    """
    own: dict[str, int] = {}
    others: dict[str, int] = {}
    magnitude = 0
    for channel, coefficient in node.reads:
        source = channel.replace("sigma", "phi")
        own[source] = own.get(source, 0) + int(coefficient)
        if channel.startswith("sigma."):
            others[source] = others.get(source, 0) + int(coefficient) * (n - 1)
        magnitude += abs(int(coefficient)) * _magnitude(ranges[source]) * (n if channel.startswith("sigma.") else 1)
    ends = [sorted((factor * ranges[source][0], factor * ranges[source][1]))
            for part in (own, others) for source, factor in part.items()]
    return sum(low for low, _ in ends), sum(high for _, high in ends), magnitude


def _magnitude(bounds: tuple[int, int]) -> int:
    return max(abs(bounds[0]), abs(bounds[1]))


def _refuse_huge(node: Node) -> None:
    if node.table.thresholds.dtype == object or node.table.values.dtype == object:
        raise Refused(f"node writing {node.writes} holds integers beyond float64 ({node.table.units} thresholds): "
                      f"they cannot be looked up in machine arithmetic; use a packed or Bose-Chowla code")
