"""Units of a continuous network as nodes in any order: chains of folds become one node each, every other unit its own.

A chain is a unit relu(p) that starts a channel, and units relu(t - 2^-s), s = 0, .., m - 1, each of which takes twice its value
from that channel t (mathematics: square-sawtooth). With h = 2^{1-m} and w = relu(p) all of it adds to a channel

    a w + f Q(w),   Q(w) = (interpolant of (w - 1)^2 at 0, h, 2 h, .., 2, last piece prolonged) - 1,

if its weights are those of f times the deep square; then m folds cost as much as one. With y = w / h and k the piece of y,

    Q = h^2 [k (2 y - k - 1) + (1 - 2 / h) y],   k = min(floor(y), 2^m - 1):

on [k, k + 1] the interpolant of y^2 is (2 k + 1) y - k (k + 1). Weights are compared to a few units in the last place of the
format the network runs in. Others, such as those of a float32 network that runs in float64, have no closed form: what such a
chain adds to a channel is a composition of hats, linear on the same 2^m pieces, and is looked up by piece. With more than
``TABULATED`` folds the table would be too large, and the chain stays what it is, unit by unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from constructions.network.relu import ReluLayer

ULPS = 8.0
DEEPEST = 40  # folds: k stays an integer of the format
TABULATED = 12


@dataclass(frozen=True, eq=False)
class Node:
    """relu(sum of weight * channel + bias) = y, and for a chain k (2 y - k - 1) with k its piece; both are added to channels.

    Attributes:
        layer: where it reads; every channel it writes is complete for readers of later layers.
        writes: weights of y by channel, or of the value that is looked up.
        squares: weights of k (2 y - k - 1) by channel; empty for a plain unit.
        last: 2^m - 1, the last piece of a chain; 0 for a plain unit.
        pieces: values where the pieces start and slopes, (2, 2^m): values[k] + slopes[k] (y - k) is written in place of y.
    """

    layer: int
    reads: Mapping[str, float]
    bias: float
    writes: Mapping[str, float]
    squares: Mapping[str, float]
    last: float = 0.0
    pieces: np.ndarray | None = None


Member = tuple[int, int]  # layer and unit


def nodes(layers: Sequence[ReluLayer], known: Iterable[str], read_later: Iterable[str], precision: float) -> list[Node]:
    """Return the nodes in the order of their layers.

    Args:
        layers: of phi or psi.
        known: channels that are there before the first layer, so that no chain can start them.
        read_later: channels that something reads after the last layer, so that no chain may fold them.
        precision: unit roundoff of the format the network runs in.
    """
    network = _Network(layers)
    written, later = set(known), set(read_later)
    found: list[Node] = []
    taken: set[Member] = set()
    for at, layer in enumerate(layers):
        for channel in layer.writes:
            if channel not in written and channel not in later:
                members = network.chain(at, channel)
                collapsed = network.collapsed(members, channel, precision) if len(members) > 1 else None
                if collapsed is not None:
                    found += collapsed
                    taken.update(members)
        written |= set(layer.writes)
    plain = [network.plain((at, unit)) for at, layer in enumerate(layers) for unit in range(layer.units)
             if (at, unit) not in taken]
    return sorted([*plain, *found], key=lambda node: node.layer)


class _Network:
    """The layers' weights by unit and by channel, zeros left out."""

    def __init__(self, layers: Sequence[ReluLayer]) -> None:
        self.bias = [layer.bias for layer in layers]
        self.reads = [_by_row(layer.W_1.T, layer.reads) for layer in layers]
        self.writes = [_by_row(layer.W_2, layer.writes) for layer in layers]
        self.readers: dict[str, list[Member]] = {}
        self.writers: dict[str, list[Member]] = {}
        for uses, where in ((self.reads, self.readers), (self.writes, self.writers)):
            for at, units in enumerate(uses):
                for unit, channels in enumerate(units):
                    for channel in channels:
                        where.setdefault(channel, []).append((at, unit))

    def plain(self, member: Member) -> Node:
        at, unit = member
        return Node(at, self.reads[at][unit], float(self.bias[at][unit]), self.writes[at][unit], {})

    def chain(self, start: int, channel: str) -> list[Member]:
        """Return the units of a chain in order; empty unless all that reads or writes its channel is a fold."""
        writers, folds = self.writers.get(channel, []), self.readers.get(channel, [])
        if not writers or writers[0][0] != start or self.writes[start][writers[0][1]][channel] != 1.0:
            return []
        taking = writers[1:]
        if taking not in (folds, folds[:-1]) or len(folds) > DEEPEST:  # what nobody reads need not be folded
            return []
        if len({at for at, _ in (writers[0], *folds)}) != len(folds) + 1:
            return []
        for s, (at, unit) in enumerate(folds):
            if self.reads[at][unit] != {channel: 1.0} or self.bias[at][unit] != -(0.5**s):
                return []
        return [writers[0], *folds] if all(self.writes[at][unit][channel] == -2.0 for at, unit in taking) else []

    def collapsed(self, members: Sequence[Member], fold: str, precision: float) -> list[Node] | None:
        """Return the node of a chain, or one for each channel it adds to where its weights are not those of a deep square.

        None where what it adds to is looked at half-way, or no table is small enough.
        """
        (start, head), m = members[0], len(members) - 1
        h = 2.0 ** (1 - m)
        alpha, beta = h - 2.0, 4 * (0.5 ** np.arange(m) - 0.5**m)
        writes, squares, added, close = {}, {}, {}, True
        for target in dict.fromkeys(c for at, unit in members for c in self.writes[at][unit] if c != fold):
            weights = added[target] = np.array([self.writes[at][unit].get(target, 0.0) for at, unit in members])
            f = float(weights[1] / beta[0])
            close = close and not np.any(np.abs(weights[1:] - f * beta) > ULPS * precision * np.abs(f * beta))
            end = max(at for (at, _), weight in zip(members, weights, strict=True) if weight)
            if any(start < at <= end for at, _ in self.readers.get(target, [])):
                return None
            writes[target] = h * (float(weights[0]) - alpha * f) + (h - 2.0) * h * f
            squares[target] = h * h * f
        reads = {channel: weight / h for channel, weight in self.reads[start][head].items()}
        bias, last = float(self.bias[start][head]) / h, 2.0**m - 1
        if close:
            return [Node(start, reads, bias, writes, squares, last)]
        if m > TABULATED:
            return None
        return [Node(start, reads, bias, {target: 1.0}, {}, last, _pieces(weights)) for target, weights in added.items()]


def _pieces(weights: np.ndarray) -> np.ndarray:
    """Return values at the start of each of 2^m pieces of [0, 2] and rises over a piece, for weights of W_0, r_0, .., r_{m-1}."""
    m = len(weights) - 1
    h = 2.0 ** (1 - m)
    t = h * np.arange(2**m)
    found = weights[0] * np.stack([t, np.full(2**m, h)])
    rise = np.full(2**m, h)  # of t over the piece; all these numbers are dyadic
    for s, weight in enumerate(weights[1:]):
        beyond = t + rise / 2 > 0.5**s
        r = np.where(beyond, np.stack([t - 0.5**s, rise]), 0.0)
        found = found + weight * r
        t, rise = t - 2 * r[0], rise - 2 * r[1]
    return found


def _by_row(weights: np.ndarray, names: Sequence[str]) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = [{} for _ in weights]
    for i, k in zip(*np.nonzero(weights), strict=True):
        rows[i][names[k]] = float(weights[i, k])
    return rows
