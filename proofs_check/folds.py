"""Chains of folds in a stored network, found in the weights, and the slopes of what they add to other channels.

A chain is a unit relu(p) that starts a channel t, and units relu(t - 2^-s), s = 0, 1, .., m - 1, each of which takes twice its
value from t (mathematics: square-sawtooth). Everything it adds to a channel c is one piecewise-linear function F of p, with 2^m
pieces of equal length on [0, 2]. Its slopes are tabulated, whatever the weights towards c are, and enclosed by a line:
|F'(p) - (A + B p)| <= eta on [0, 2]; F' = 0 below and ``beyond`` above. Bounding the units one by one would forget that their
kinks belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from constructions.network.relu import ReluLayer
from proofs_check.enclosures.interval import Floats
from proofs_check.enclosures.sums import ABOVE

TABULATED = 12  # further folds are bounded by the size of their weights


@dataclass(frozen=True, eq=False)
class Chains:
    """All chains that start in one layer: pair k says that the chain of unit head[k] adds F_k to the channel target[k].

    Attributes:
        slopes: the slopes of all F_k, piece by piece, one after the other, each right to ``slack``; those of F_k start at
            ``offset[k]`` and belong to ``pieces[k]`` pieces (a power of two) of [0, 2].
    """

    head: np.ndarray
    target: tuple[str, ...]
    A: Floats
    B: Floats
    eta: Floats
    beyond: Floats
    slopes: Floats
    slack: Floats
    offset: np.ndarray
    pieces: np.ndarray


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer whose units are its own, ``plain``, or ``straight``, or part of a chain that starts here or earlier.

    A straight unit stands for two, w relu(p) - w relu(-p) = w p, which do not bend: so linear maps without ReLU are stored.
    ``folded`` are the channels that a chain folds here. In float64 that is exact: t - 2^-s for 2^-s <= t <= 2^(1-s), twice that,
    and t less it are numbers of the format. So a folded channel is off by no more than it was: |t| moves no faster than p.
    """

    weights: ReluLayer
    plain: np.ndarray
    straight: np.ndarray
    chains: Chains
    folded: tuple[str, ...]


@dataclass(frozen=True)
class Chain:
    """A chain: the channel that is folded, its units as (layer, unit), the first of which starts it, and what they write to."""

    channel: str
    members: tuple[tuple[int, int], ...]
    targets: tuple[str, ...]

    def weights(self, layers: Sequence[ReluLayer], target: str) -> list[float]:
        """Return what each unit adds to a target for each unit of its value."""
        return [_weight(layers[at], unit, target) for at, unit in self.members]


def chains(layers: Sequence[ReluLayer], known: Iterable[str], read_later: Iterable[str]) -> list[Chain]:
    """Find the chains, by the layer in which they start.

    Args:
        layers: of phi or psi.
        known: channels that are there before the first layer, so that no chain can start them.
        read_later: channels that something reads after the last layer, so that no chain may fold them.
    """
    later, written, found, taken = set(read_later), set(known), list[Chain](), set[tuple[int, int]]()
    for at, layer in enumerate(layers):
        for column, channel in enumerate(layer.writes):
            units = np.flatnonzero(layer.W_2[:, column])
            if channel in written or channel in later or len(units) != 1 or layer.W_2[units[0], column] != 1.0:
                continue
            chain = _followed(layers, at, channel)
            if not chain:
                continue
            members = ((at, int(units[0])), *chain)
            targets = _targets(layers, members, channel)
            if taken.isdisjoint(members) and not any(_read_between(layers, members, target) for target in targets):
                found.append(Chain(channel, members, tuple(targets)))
                taken.update(members)  # what a unit adds counts once
        written |= set(layer.writes)
    return found


def analysed(layers: Sequence[ReluLayer], known: Iterable[str], read_later: Iterable[str]) -> tuple[Layer, ...]:
    """Describe each layer by its units and the chains that start in it; arguments as in :func:`chains`."""
    return _described(layers, chains(layers, known, read_later))


def unit_by_unit(layers: Sequence[ReluLayer]) -> tuple[Layer, ...]:
    """Describe each layer by its units alone, those of chains among them."""
    return _described(layers, [])


def _described(layers: Sequence[ReluLayer], found: Iterable[Chain]) -> tuple[Layer, ...]:
    plain = [np.ones(layer.units, dtype=bool) for layer in layers]
    pairs: list[list[tuple[int, str, Line]]] = [[] for _ in layers]
    folded: list[list[str]] = [[] for _ in layers]
    for chain in found:
        at, head = chain.members[0]
        for place, unit in chain.members:
            plain[place][unit] = False
            folded[place] += [chain.channel] if place > at else []
        pairs[at] += [(head, target, _line(chain.weights(layers, target))) for target in chain.targets]
    straight = [_straight(layer, own) for layer, own in zip(layers, plain, strict=True)]
    return tuple(Layer(layer, np.flatnonzero(own), kept, _chains(lines), tuple(name for name in names if name in layer.writes))
                 for layer, own, kept, lines, names in zip(layers, plain, straight, pairs, folded, strict=True))


def _straight(layer: ReluLayer, plain: np.ndarray) -> np.ndarray:
    """Find pairs of units with opposite arguments and opposite weights, and strike them off the plain ones; keeps the first."""
    waiting: dict[bytes, list[int]] = {}
    kept: list[int] = []
    for unit in np.flatnonzero(plain).tolist():
        numbers = np.concatenate([layer.W_1[:, unit], layer.bias[unit: unit + 1], layer.W_2[unit]]) + 0.0  # -0 is 0
        others = waiting.get((0.0 - numbers).tobytes())
        if others:
            other = others.pop()
            plain[[unit, other]] = False
            kept.append(other)
        else:
            waiting.setdefault(numbers.tobytes(), []).append(unit)
    return np.array(sorted(kept), dtype=int)


def _chains(pairs: Sequence[tuple[int, str, Line]]) -> Chains:
    lines = [line for _, _, line in pairs]
    A, B, eta, beyond, slack = np.array([(line.A, line.B, line.eta, line.beyond, line.slack)
                                         for line in lines]).reshape(len(lines), 5).T
    pieces = np.array([line.slopes.size for line in lines], dtype=int)
    slopes = np.concatenate([np.zeros(0), *(line.slopes for line in lines)])
    return Chains(np.array([head for head, _, _ in pairs], dtype=int), tuple(target for _, target, _ in pairs), A, B, eta, beyond,
                  slopes, slack, np.cumsum(pieces) - pieces, pieces)


def _followed(layers: Sequence[ReluLayer], start: int, channel: str) -> list[tuple[int, int]]:
    """Return (layer, unit) of the folds of a channel in order; empty unless all that reads or writes it is a fold."""
    found: list[tuple[int, int]] = []
    last = False
    for at in range(start + 1, len(layers)):
        layer = layers[at]
        readers = np.flatnonzero(layer.W_1[layer.reads.index(channel)]) if channel in layer.reads else np.array([], dtype=int)
        writers = np.flatnonzero(layer.W_2[:, layer.writes.index(channel)]) if channel in layer.writes else readers[:0]
        if not len(readers) and not len(writers):
            continue
        if len(readers) != 1 or last:
            return []
        unit, s, last = int(readers[0]), len(found), not len(writers)  # what nobody reads need not be folded
        fold = (np.count_nonzero(layer.W_1[:, unit]) == 1 and layer.W_1[layer.reads.index(channel), unit] == 1.0
                and layer.bias[unit] == -(0.5**s) < 0)  # not where 2^-s is no number
        if not fold or not (last or (np.array_equal(readers, writers) and _weight(layer, unit, channel) == -2.0)):
            return []
        found.append((at, unit))
    return found


def _targets(layers: Sequence[ReluLayer], members: Sequence[tuple[int, int]], fold: str) -> list[str]:
    written = [layers[at].writes[k] for at, unit in members for k in np.flatnonzero(layers[at].W_2[unit])]
    return [channel for channel in dict.fromkeys(written) if channel != fold]


def _weight(layer: ReluLayer, unit: int, channel: str) -> float:
    return float(layer.W_2[unit, layer.writes.index(channel)]) if channel in layer.writes else 0.0


def _read_between(layers: Sequence[ReluLayer], members: Sequence[tuple[int, int]], channel: str) -> bool:
    """Say whether something reads the channel after the chain began to write to it and before it is done."""
    first, last = members[0][0], max(at for at, unit in members if _weight(layers[at], unit, channel))
    between = [layer for layer in layers[first + 1: last + 1] if channel in layer.reads]
    return any(np.any(layer.W_1[layer.reads.index(channel)]) for layer in between)


@dataclass(frozen=True, eq=False)
class Line:
    """The slopes of one F and the line around them."""

    A: float
    B: float
    eta: float
    beyond: float
    slopes: Floats
    slack: float


def _line(weights: Sequence[float]) -> Line:
    """Tabulate one target; all numbers in the tabulation are dyadic, only the sums of weights round."""
    head, folds, rest = weights[0], weights[1: TABULATED + 1], weights[TABULATED + 1:]
    m = len(folds)
    width = 2.0 ** (1 - m)
    t = (np.arange(2**m) + 0.5) * width
    ends = np.arange(2**m) * width
    sign, slopes = np.ones(2**m), np.full(2**m, head)
    for s, weight in enumerate(folds):
        over = t > 0.5**s
        slopes = slopes + weight * sign * over
        sign, t = np.where(over, -sign, sign), np.where(over, 2 * 0.5**s - t, t)
    B = float(slopes[-1] - slopes[0]) / (2.0 - width)
    A = float(slopes[0]) - B * width / 2
    off = max(float(np.abs(slopes - (A + B * ends)).max()), float(np.abs(slopes - (A + B * (ends + width))).max()))
    size = sum(map(abs, weights)) + abs(A) + 2 * abs(B)
    slack = sum(map(abs, rest)) * ABOVE + 2.0**-40 * size
    return Line(A, B, off * ABOVE + slack, sum(map(abs, weights)) * ABOVE, slopes, slack)
