"""Lay hidden units out in layers: a unit sits in the first layer in which everything it reads is final."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from constructions.network.relu import ReluLayer


@dataclass(frozen=True)
class Unit:
    """One hidden unit: relu(sum of weight * channel + bias), added to channels with weights."""

    reads: Mapping[str, float]
    bias: float
    writes: Mapping[str, float]


@dataclass
class Wiring:
    """Collects units; ``ready[c]`` is the first layer that may read the channel ``c``, ``written`` those that are not 0.

    Where only error bounds are wanted a ``dry`` wiring keeps the names and no units.
    """

    ready: dict[str, int]
    written: set[str] = field(default_factory=set)
    layers: list[list[Unit]] = field(default_factory=list)
    prefix: str = ""
    names: int = 0
    dry: bool = False

    @staticmethod
    def of(inputs: Iterable[str], prefix: str, dry: bool = False) -> Wiring:
        """Start with channels that exist before the first layer; new channels are called ``prefix.0``, ``prefix.1``, .."""
        ready = dict.fromkeys(inputs, 0)
        return Wiring(ready, set(ready), prefix=prefix, dry=dry)

    def channel(self) -> str:
        """Return the name of a new channel, 0 until it is written."""
        name = f"{self.prefix}.{self.names}"
        self.names += 1
        self.ready[name] = 0
        return name

    def earliest(self, channels: Iterable[str]) -> int:
        """Return the first layer that may read all the channels."""
        return max((self.ready[channel] for channel in channels), default=0)

    def unit(self, reads: Mapping[str, float], bias: float, writes: Mapping[str, float], layer: int | None = None) -> int:
        """Add a unit; returns its layer. A layer given by the caller may read channels that are still being written."""
        if self.dry:
            self.written.update(channel for channel, weight in writes.items() if weight)
            return 0
        reads = {c: w for c, w in reads.items() if w and c in self.written}
        layer = self.earliest(reads) if layer is None else layer
        while len(self.layers) <= layer:
            self.layers.append([])
        writes = {c: w for c, w in writes.items() if w}
        self.layers[layer].append(Unit(reads, bias, writes))
        for channel in writes:
            self.ready[channel] = max(self.ready[channel], layer + 1)
            self.written.add(channel)
        return layer

    def built(self, needed: Iterable[str]) -> tuple[tuple[ReluLayer, ...], set[str]]:
        """Return the layers without units and writes that no needed channel depends on, and all channels that are needed."""
        alive, kept = set(needed), list[ReluLayer]()
        for units in reversed(self.layers):
            useful = [Unit(u.reads, u.bias, {c: w for c, w in u.writes.items() if c in alive}) for u in units]
            useful = [u for u in useful if u.writes]
            alive |= {c for u in useful for c in u.reads}
            if useful:
                kept.append(_layer(useful))
        return tuple(reversed(kept)), alive


def _layer(units: list[Unit]) -> ReluLayer:
    reads = tuple(dict.fromkeys(c for u in units for c in u.reads))
    writes = tuple(dict.fromkeys(c for u in units for c in u.writes))
    row, column = {c: i for i, c in enumerate(reads)}, {c: i for i, c in enumerate(writes)}
    W_1, W_2 = np.zeros((len(reads), len(units))), np.zeros((len(units), len(writes)))
    for k, u in enumerate(units):
        for c, weight in u.reads.items():
            W_1[row[c], k] = weight
        for c, weight in u.writes.items():
            W_2[k, column[c]] = weight
    return ReluLayer(reads, W_1, np.array([u.bias for u in units]), writes, W_2)
