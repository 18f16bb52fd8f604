"""T(X)_i in fractions, from the stored arrays: step networks and ReLU networks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

from tests.clean_room.stored_files import Stored, fractions

Token = Sequence[Fraction]
Channels = dict[str, Fraction]


class ExactNetwork(Protocol):
    """The function that a run's weights are, over the reals."""

    def __call__(self, tokens: Sequence[Token], own: int) -> list[Fraction]:
        """Outputs of token number `own`, counted from 0."""
        ...


def exact_network(stored: Stored) -> ExactNetwork:
    """The reading that belongs to the format that network.json names."""
    return {"uat-network/1": StepNetwork, "uat-relu-network/1": ReluNetwork}[stored.network["format"]](stored)


class StepNetwork:
    """Nodes: an integer combination of channels, then a sum of jumps."""

    def __init__(self, stored: Stored) -> None:
        self.network = stored.network
        self.nodes = [(node["reads"], node["writes"], fractions(stored.arrays[f"nodes.{i}.thresholds"]),
                       fractions(stored.arrays[f"nodes.{i}.values"])) for i, node in enumerate(self.network["nodes"])]
        if any(a >= b for _, _, thresholds, _ in self.nodes for a, b in pairwise(thresholds)):
            raise ValueError("thresholds do not increase")

    def __call__(self, tokens: Sequence[Token], own: int) -> list[Fraction]:
        phi = self.network["phi"]
        features = [self._run(self.nodes[:phi["nodes"]], dict(zip(phi["inputs"], token, strict=True))) for token in tokens]
        sums = {f"sigma.{r}": sum((token[name] for token in features), Fraction(0)) for r, name in enumerate(phi["outputs"])}
        result = self._run(self.nodes[phi["nodes"]:], features[own] | sums)
        return [result[name] for name in self.network["outputs"]]

    @staticmethod
    def _run(nodes: Sequence[Any], channels: Channels) -> Channels:
        channels = dict(channels)
        for reads, writes, thresholds, values in nodes:
            t = sum((coefficient * channels[name] for name, coefficient in reads), Fraction(0))
            # The jumps at thresholds <= t (H(0) = 1) add up to one row of values, since thresholds increase.
            channels |= zip(writes, values[bisect_right(thresholds, t)], strict=True)
        return channels


class ReluNetwork:
    """Layers that add to named channels, a mean over the tokens between those of phi and of psi."""

    def __init__(self, stored: Stored) -> None:
        self.network = stored.network
        self.phi, self.psi = ([Layer(stored, f"{part}.{i}", layer) for i, layer in enumerate(self.network[part])]
                              for part in ("phi", "psi"))
        self.W_out, self.b_out = fractions(stored.arrays["readout.W_out"]), fractions(stored.arrays["readout.b_out"])
        self._features: dict[tuple[Fraction, ...], Channels] = {}

    def __call__(self, tokens: Sequence[Token], own: int) -> list[Fraction]:
        features = [self._phi(tuple(token)) for token in tokens]
        stream = dict(features[own])
        for name in self.network["pooled"]:
            stream[f"mean.{name}"] = sum((token.get(name, Fraction(0)) for token in features), Fraction(0)) / len(tokens)
        for layer in self.psi:
            layer.add_to(stream)
        read = [stream.get(name, Fraction(0)) for name in self.network["readout"]]
        return [sum((value * row[k] for value, row in zip(read, self.W_out, strict=True)), bias)
                for k, bias in enumerate(self.b_out)]

    def _phi(self, token: tuple[Fraction, ...]) -> Channels:
        if token not in self._features:
            stream = dict(zip(self.network["tokens"], token, strict=True))
            for layer in self.phi:
                layer.add_to(stream)
            self._features[token] = stream
        return self._features[token]


class Layer:
    """stream[writes] += relu(stream[reads] W_1 + bias) W_2, zeros left out."""

    def __init__(self, stored: Stored, name: str, entry: dict[str, Any]) -> None:
        W_1, bias, W_2 = (fractions(stored.arrays[f"{name}.{part}"]) for part in ("W_1", "bias", "W_2"))
        reads, writes = entry["reads"], entry["writes"]
        self.units = [(constant, [(name, row[u]) for name, row in zip(reads, W_1, strict=True) if row[u]],
                       [(name, weight) for name, weight in zip(writes, W_2[u], strict=True) if weight])
                      for u, constant in enumerate(bias)]

    def add_to(self, stream: Channels) -> None:
        """In place; a channel is 0 before it is first written, and what is added depends on the stream before."""
        change: Channels = {}
        for constant, incoming, outgoing in self.units:
            t = sum((stream.get(name, Fraction(0)) * weight for name, weight in incoming), constant)
            if t > 0:
                for name, weight in outgoing:
                    change[name] = change.get(name, Fraction(0)) + t * weight
        for name, value in change.items():
            stream[name] = stream.get(name, Fraction(0)) + value
