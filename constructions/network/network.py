"""A step-network: nodes on named channels, each a staircase of one linear form in earlier channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from constructions.network.staircase import Staircase

Channels = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Node:
    """``writes = table(sum of coefficient * channel)``: one read row, one hidden layer, one write row for each channel.

    Coefficients are integers or floats that are used exactly as they are.
    """

    reads: tuple[tuple[str, int], ...]
    table: Staircase
    writes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.writes) != self.table.width:
            raise ValueError(f"node writes {self.writes}, but its table has {self.table.width} outputs")

    def argument(self, channels: Channels) -> Any:
        """Return the number the staircase reads, for numpy or torch channels alike."""
        total: Any = 0
        for channel, coefficient in self.reads:
            value = channels[channel]
            total = total + (value if coefficient == 1 else value * coefficient)
        return total


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes in an order in which every channel is written once, before it is read.

    Raises (at birth):
        ValueError: a channel is read before it exists or written twice.
    """

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        known = set(self.inputs)
        for node in self.nodes:
            missing = [channel for channel, _ in node.reads if channel not in known]
            again = known & set(node.writes)
            if missing or again:
                raise ValueError(f"channels read before they exist: {missing}, written twice: {sorted(again)}")
            known |= set(node.writes)
        if not set(self.outputs) <= known:
            raise ValueError(f"outputs {self.outputs} are not all among the channels")

    def __call__(self, channels: Channels) -> dict[str, Any]:
        """Evaluate by look-up on numpy arrays (float64 or exact objects) of one shape; returns all channels."""
        known = dict(channels)
        for node in self.nodes:
            values = node.table(node.argument(known))
            known |= {channel: values[..., k] for k, channel in enumerate(node.writes)}
        return known

    def output(self, channels: Channels) -> np.ndarray:
        """Evaluate and stack the output channels along a new last axis."""
        known = self(channels)
        return np.stack([known[channel] for channel in self.outputs], axis=-1)

    def levels(self) -> list[list[Node]]:
        """Group the nodes into hidden layers: a node sits one level above the deepest channel it reads."""
        height = dict.fromkeys(self.inputs, 0)
        levels: list[list[Node]] = []
        for node in self.nodes:
            level = max(height[channel] for channel, _ in node.reads)
            height |= dict.fromkeys(node.writes, level + 1)
            levels.extend([] for _ in range(level + 1 - len(levels)))
            levels[level].append(node)
        return levels

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.levels())

    @property
    def width(self) -> int:
        """Largest number of hidden units in one layer."""
        return max((sum(node.table.units for node in level) for level in self.levels()), default=0)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of the units as written: reads, threshold, jumps, and base values."""
        return sum(node.table.units * (len(node.reads) + 1 + node.table.width) + node.table.width for node in self.nodes)

    @property
    def n_nonzero(self) -> int:
        """Number of non-zero weights and biases: reads of every unit, biases, jumps and base values."""
        return sum(node.table.units * len(node.reads) + int(np.count_nonzero(node.table.thresholds))
                   + int(np.count_nonzero(node.table.jumps)) + int(np.count_nonzero(node.table.values[0]))
                   for node in self.nodes)
