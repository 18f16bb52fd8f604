"""The stored step-network, evaluated exactly on every input it can meet (mathematics: quantiser-covers, decode-left-inverse).

Tokens reach the network only through the quantiser staircases, so it has finitely many inputs: an own cell and a multiset of
cells of the others. All of them are enumerated and followed through the stored thresholds and values in exact arithmetic;
how the builder chose codes or sorted sums plays no part.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.number_formats import exact_number


class Rejected(Exception):
    """A stored object is not what its claim needs; the message is the reason."""


@dataclass(frozen=True, eq=False)
class StoredNode:
    """One staircase of one linear form, as stored: the format is docs/formats.md."""

    reads: tuple[tuple[str, int], ...]
    thresholds: np.ndarray
    values: np.ndarray
    writes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """Cells of one coordinate: exact edges and, for each cell, the float64 number nearest to its middle."""

    edges: list[Fraction]
    middles: np.ndarray

    @property
    def radius(self) -> Fraction:
        """Largest distance of a point of a cell from the cell's middle number."""
        middles = [Fraction(float(m)) for m in self.middles]
        return max(max(m - a, b - m) for a, b, m in zip(self.edges, self.edges[1:], middles, strict=False))


def stored_nodes(network: Mapping[str, Any], arrays: Mapping[str, np.ndarray], exact: Mapping[str, Any]) -> list[StoredNode]:
    """Read the nodes and reject malformed ones: non-finite numbers, unsorted thresholds, wrong shapes, unknown channels."""
    nodes, known = [], set(network["inputs"])
    for i, entry in enumerate(network["nodes"]):
        reads = tuple((str(channel), coefficient) for channel, coefficient in entry["reads"])
        node = StoredNode(reads, _numbers(f"nodes.{i}.thresholds", arrays, exact), _numbers(f"nodes.{i}.values", arrays, exact),
                          tuple(entry["writes"]))
        if not all(type(coefficient) is int for _, coefficient in reads) or not {channel for channel, _ in reads} <= known:
            raise Rejected(f"node {i} reads {reads}: expected integer multiples of channels written before")
        if len({channel for channel, _ in reads}) < len(reads):
            raise Rejected(f"node {i} reads {reads}: a channel occurs twice, a weight matrix has one entry for it")
        if node.thresholds.ndim != 1 or node.values.shape != (len(node.thresholds) + 1, len(node.writes)):
            raise Rejected(f"node {i}: {node.values.shape} values do not fit {node.thresholds.shape} thresholds")
        if not bool(np.all(node.thresholds[:-1] < node.thresholds[1:])):
            raise Rejected(f"node {i}: thresholds are not increasing")
        if known & set(node.writes) or len(set(node.writes)) < len(node.writes):
            raise Rejected(f"node {i} writes {node.writes}: written before")
        known |= set(node.writes)
        nodes.append(node)
    return nodes


def quantisers(nodes: Sequence[StoredNode], domain: Sequence[tuple[Fraction, Fraction]]) -> tuple[list[Axis], list[StoredNode]]:
    """Return the axes cut by the nodes that read tokens, and the remaining nodes.

    A token coordinate must be read by one staircase with values 0, 1, .., N - 1 and thresholds inside the domain: then every
    point of the closed box is in exactly one cell, H(0) = 1 putting a threshold into the cell above it.
    """
    axes, rest = [], [node for node in nodes if not any(channel.startswith("x.") for channel, _ in node.reads)]
    for c, (a, b) in enumerate(domain):
        readers = [node for node in nodes if (f"x.{c}", 1) in node.reads]
        if len(readers) != 1 or readers[0].reads != ((f"x.{c}", 1),) or readers[0].writes != (f"cell.{c}",):
            raise Rejected(f"coordinate {c} must be read by one quantiser node cell.{c} = H(x.{c} - t_1) + ..")
        thresholds = [Fraction(value) for value in readers[0].thresholds.tolist()]
        if not np.array_equal(readers[0].values[:, 0], np.arange(len(thresholds) + 1)):
            raise Rejected(f"the quantiser of coordinate {c} does not count its thresholds")
        if thresholds and not a < thresholds[0] <= thresholds[-1] < b:
            raise Rejected(f"the quantiser of coordinate {c} has thresholds outside ({a}, {b})")
        edges = [a, *thresholds, b]
        middles = [float((p + q) / 2) for p, q in itertools.pairwise(edges)]
        if not all(p <= Fraction(m) <= q for m, (p, q) in zip(middles, itertools.pairwise(edges), strict=True)):
            raise Rejected(f"a cell of coordinate {c} contains no float64 number, so f cannot be enclosed in it")
        axes.append(Axis(edges, np.array(middles)))
    if len(rest) + len(axes) != len(nodes):
        raise Rejected("a node reads tokens but is not a quantiser")
    return axes, rest


@dataclass(frozen=True, eq=False)
class Enumeration:
    """Every input of psi and what comes out.

    ``cells[row]`` are the n cells of a sequence, own token first; ``outputs`` (rows, d_out) float64, exact; ``margin`` is the
    least distance of any pooled argument from a threshold, in units of an error of Sigma; ``smallest_code`` and
    ``largest_code`` bound phi and |phi|, ``largest_integer`` all arguments and the partial sums that lead to them.
    """

    cells: np.ndarray
    outputs: np.ndarray
    margin: Fraction
    smallest_code: int
    largest_code: int
    largest_integer: int


def enumerate_network(axes: Sequence[Axis], nodes: Sequence[StoredNode], network: Mapping[str, Any], n: int) -> Enumeration:
    """Follow all K binom(K + n - 2, n - 1) inputs through the nodes, exactly."""
    counts = [len(axis.middles) for axis in axes]
    index = np.indices(counts).reshape(len(axes), -1)
    channels: dict[str, np.ndarray] = {f"cell.{c}": index[c] for c in range(len(axes))}
    tracker = _Tracker()
    pooled = [node for node in nodes if _sees_sigma(node, nodes)]
    for node in nodes:
        if node not in pooled:
            channels |= tracker.apply(node, channels)
    codes = _codes(network, nodes, len(axes))
    cells = _sequences(math.prod(counts), n)
    rows = {name: values[cells[:, 0]] for name, values in channels.items()}
    for code in codes:
        rows[code.replace("phi", "sigma")] = np.add.reduce(_summable(_integers(channels[code]), n)[cells], axis=1)
    for node in pooled:
        rows |= tracker.apply(node, rows)
    outputs = np.stack([_floats(rows[name]) for name in network["outputs"]], axis=-1)
    smallest = min(int(channels[code].min()) for code in codes)
    largest = max(int(np.abs(channels[code]).max()) for code in codes)
    return Enumeration(cells, outputs, tracker.margin, smallest, largest, tracker.largest)


def _codes(network: Mapping[str, Any], nodes: Sequence[StoredNode], d: int) -> list[str]:
    """Return the channels of phi, after comparing the description of phi and psi with what the nodes do."""
    phi = network["phi"]
    codes, tokens = list(phi["outputs"]), [f"x.{c}" for c in range(d)]
    if list(phi["inputs"]) != tokens or list(network["inputs"]) != [*tokens, *(code.replace("phi", "sigma") for code in codes)]:
        raise Rejected(f"expected phi to read {tokens} and psi the same and a channel of Sigma for each of phi's")
    before = {name for entry in network["nodes"][: phi["nodes"]] for name in entry["writes"]}
    pooled = {name for node in nodes if _sees_sigma(node, nodes) for name in node.writes}
    if not set(codes) <= before or before & pooled:
        raise Rejected(f"the first {phi['nodes']} nodes are not a network that computes phi")
    return codes


class _Tracker:
    """Applies nodes to exact integer channels and records how close pooled arguments come to thresholds."""

    def __init__(self) -> None:
        self.margin, self.largest = Fraction(10**6), 0

    def apply(self, node: StoredNode, channels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        parts = [(_integers(channels[channel]), coefficient) for channel, coefficient in node.reads]
        size = sum(abs(coefficient) * max(1, int(np.abs(values).max(initial=0))) for values, coefficient in parts)
        self.largest = max(self.largest, size)
        argument = np.zeros((), dtype=np.int64 if size < 2**52 else object)
        for values, coefficient in parts:
            argument = argument + values.astype(argument.dtype) * coefficient
        thresholds, position = _search(node.thresholds, argument)
        amplified = sum(abs(coefficient) for channel, coefficient in node.reads if channel.startswith("sigma."))
        if amplified and len(thresholds):
            below = argument - thresholds[np.maximum(position - 1, 0)]
            above = thresholds[np.minimum(position, len(thresholds) - 1)] - argument
            nearest = np.minimum(np.abs(below), np.abs(above)).min()
            self.margin = min(self.margin, Fraction(nearest) / amplified)
        return {channel: node.values[position, k] for k, channel in enumerate(node.writes)}


def _search(thresholds: np.ndarray, argument: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count thresholds <= argument; int64 arguments are below 2^52, so float64 compares and subtracts them exactly."""
    if argument.dtype == object or thresholds.dtype == object:
        exact = np.frompyfunc(Fraction, 1, 1)(thresholds) if thresholds.size else thresholds.astype(object)
        return exact, np.searchsorted(exact, argument.astype(object), side="right")
    return thresholds, np.searchsorted(thresholds, argument.astype(np.float64), side="right")


def _sees_sigma(node: StoredNode, nodes: Sequence[StoredNode]) -> bool:
    """Say whether a node depends on Sigma, directly or through earlier nodes."""
    writers = {channel: other for other in nodes for channel in other.writes}
    waiting, seen = [channel for channel, _ in node.reads], set[str]()
    while waiting:
        channel = waiting.pop()
        if channel.startswith("sigma."):
            return True
        if channel in writers and channel not in seen:
            waiting += [read for read, _ in writers[channel].reads]
        seen.add(channel)
    return False


def _integers(values: np.ndarray) -> np.ndarray:
    """Return a channel as exact integers; reject a channel that is read again but is not integer-valued."""
    if values.dtype == object:
        if not all(Fraction(value).denominator == 1 for value in values.ravel()):
            raise Rejected("a channel that is read again holds numbers that are not integers")
        return np.frompyfunc(int, 1, 1)(values)
    if np.issubdtype(values.dtype, np.integer):
        return values
    if not np.all(np.abs(values) < 2**53) or not np.all(values == np.floor(values)):
        raise Rejected("a channel that is read again holds numbers that are not integers")
    return values.astype(np.int64)


def _summable(values: np.ndarray, terms: int) -> np.ndarray:
    """Return integers of which so many can be added without overflow."""
    return values if values.dtype == object or int(np.abs(values).max(initial=0)) * terms < 2**62 else values.astype(object)


def _floats(values: np.ndarray) -> np.ndarray:
    """Return output values as float64 when that is what they are; rounding them would be a change of the network."""
    try:
        floats = np.asarray(values, dtype=np.float64)
    except OverflowError:
        raise Rejected("an output is a number beyond float64") from None
    if values.dtype == object and not all(Fraction(a) == Fraction(b) for a, b in zip(values, floats.tolist(), strict=True)):
        raise Rejected("an output is a number that float64 would round")
    return floats


def _sequences(cells: int, n: int) -> np.ndarray:
    """Every own cell beside every multiset of n - 1 cells, as rows of n cells."""
    flat = itertools.chain.from_iterable(itertools.combinations_with_replacement(range(cells), n - 1))
    others = np.fromiter(flat, dtype=np.int64).reshape(-1, n - 1)
    own = np.repeat(np.arange(cells), len(others))
    return np.concatenate([own[:, None], np.tile(others, (cells, 1))], axis=1)


def _numbers(name: str, arrays: Mapping[str, np.ndarray], exact: Mapping[str, Any]) -> np.ndarray:
    if name in arrays:
        if name in exact:
            raise Rejected(f"{name} is stored twice, as floats and exactly")
        if not np.all(np.isfinite(arrays[name])):
            raise Rejected(f"{name} holds numbers that are not finite")
        return arrays[name]
    if name not in exact:
        raise Rejected(f"{name} is missing")
    numbers = np.empty(len(exact[name]["values"]), dtype=object)
    numbers[:] = [exact_number(text) for text in exact[name]["values"]]
    return numbers.reshape(exact[name]["shape"])
