"""Nodes as a list of operations on a stream whose rows are chosen so that what is written together is adjacent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike
from torch import Tensor

from constructions.adapters.fold_chains import Node
from constructions.adapters.levels import levels
from constructions.adapters.matrix import Call, Matrix, ToTensor
from constructions.adapters.stream_operations import Affine, Operation, Pieces, Rows, Scratch, Table, Units, Write
from constructions.pieces.polynomials import from_float

TABLE = 40  # hidden units of one channel from which a look-up is faster (measured),
EACH = 8  # if as many of them write to each channel
Weights = Sequence[Mapping[str, float]]


class Program:
    """What nodes do to a stream, given the rows that are filled before; ``rows`` is completed by those they write."""

    def __init__(self, nodes: Sequence[Node], rows: dict[str, int], constants: Mapping[str, int], tensor: ToTensor) -> None:
        self._rows, self._constants, self._tensor = rows, constants, tensor
        self._filled = set(rows)
        self._blank: list[int] = []
        self.levels = [self._level(level) for level in levels(nodes)]
        self.size = max((sum(op.size for op in level) for level in self.levels), default=0)

    def bound(self, stream: Tensor, constant: Tensor, scratch: Scratch) -> list[Call]:
        """Return the calls that complete the stream, (rows, columns).

        Args:
            stream: where the rows are that are filled before.
            constant: what all tokens of a sequence share, one column each.
            scratch: ``size`` rows as wide as the stream.
        """
        calls: list[Call] = [stream[row].zero_ for row in self._blank]
        for level in self.levels:
            scratch.clear()
            both = [op.bound(stream, constant, scratch) for op in level]
            calls += [call for hidden, _ in both for call in hidden]
            calls += [call for _, added in both for call in added]
        return calls

    def affine(self, weights: Weights, bias: np.ndarray) -> Affine:
        """Return W stream + V constant + bias from the weights of each output by channel."""
        used = dict.fromkeys(channel for one in weights for channel in one)
        own = sorted((c for c in used if c not in self._constants), key=self._row)
        shared = sorted((c for c in used if c in self._constants), key=lambda c: self._constants[c])
        W, V = (Matrix.of(weights, names, self._tensor) for names in (own, shared))
        return Affine(self.rows_of(own), W,
                      Rows.of([self._constants[c] for c in shared], self._tensor), V, self._tensor(bias[:, None]))

    def rows_of(self, channels: Sequence[str]) -> Rows:
        """Return the rows to read."""
        return Rows.of([self._row(c) for c in channels], self._tensor)

    def _row(self, channel: str) -> int:
        """Return the row to read; a channel that nobody has written yet is 0."""
        row = self._rows.setdefault(channel, len(self._rows))
        if channel not in self._filled:
            self._filled.add(channel)
            self._blank.append(row)
        return row

    def _level(self, level: Sequence[Node]) -> list[Operation]:
        by_channel: dict[tuple[str, bool], list[Node]] = {}
        for node in level:
            if len(node.reads) == 1 and not node.last and node.reads.keys().isdisjoint(self._constants):
                ((channel, weight),) = node.reads.items()
                by_channel.setdefault((channel, weight > 0), []).append(node)
        wide = [nodes for nodes in by_channel.values()
                if len(nodes) >= TABLE and _dense(nodes) and np.isfinite(self._knots(*_reads(nodes))).all()]
        elsewhere = {id(node) for nodes in wide for node in nodes}
        rest = sorted((node for node in level if id(node) not in elsewhere), key=lambda node: bool(node.squares))
        units, looked_up = [node for node in rest if node.pieces is None], [node for node in rest if node.pieces is not None]
        # reads first: a channel that is read and written on one level is blank before, not filled by what is written
        affine = [self.affine([node.reads for node in nodes], np.array([node.bias for node in nodes]))
                  for nodes in (units, looked_up)]
        tables = [(nodes, self._row(next(iter(nodes[0].reads)))) for nodes in wide]
        found: list[Operation] = [self._units(units, affine[0])] if units else []
        found += [self._pieces(looked_up, affine[1])] if looked_up else []
        return [*found, *(self._table(nodes, row) for nodes, row in tables)]

    def _units(self, nodes: Sequence[Node], affine: Affine) -> Units:
        chains = [node for node in nodes if node.squares]
        columns = [*(node.writes for node in nodes), *({c: -w for c, w in node.squares.items()} for node in chains)]
        return Units(affine, self._tensor(np.array([[node.last] for node in chains]).reshape(-1, 1)), self._writes(columns))

    def _pieces(self, nodes: Sequence[Node], affine: Affine) -> Pieces:
        pieces = [node.pieces for node in nodes if node.pieces is not None]
        last, counts = np.array([[node.last] for node in nodes]), np.array([one.shape[1] for one in pieces])
        values, slopes = (self._tensor(side) for side in np.concatenate(pieces, axis=1))
        first = self._tensor((np.cumsum(counts) - counts)[:, None])
        return Pieces(affine, self._tensor(last), first, values, slopes, self._writes([node.writes for node in nodes]))

    def _writes(self, columns: Weights) -> list[Write]:
        """Return where the hidden rows are added, given their weights by channel."""
        into: dict[str, dict[int, float]] = {}
        for unit, column in enumerate(columns):
            for channel, weight in column.items():
                into.setdefault(channel, {})[unit] = weight
        writes = []
        for filled in (False, True):
            names = [c for c in into if (c in self._filled) == filled]
            placed = sorted((self._rows.setdefault(c, len(self._rows)), c) for c in names)
            if placed:
                W_2 = Matrix.of([into[c] for _, c in placed], range(len(columns)), self._tensor)
                writes.append(Write(Rows.of([row for row, _ in placed], self._tensor), W_2, filled))
        self._filled |= set(into)
        return writes

    def _table(self, nodes: Sequence[Node], read: int) -> Table:
        """Add up slopes of the units that are on, and their values at the knot where the last of them came on, piece by piece.

        Knots are where a unit is 0. All weights of the channel have one sign: units with positive ones are on beyond their knots,
        with negative ones before. So no number is larger than what units add up to, as an intercept far from 0 would be. Sums are
        exact and rounded once, as a sum of the units in floating point need not be.
        """
        written = sorted({c for node in nodes for c in node.writes}, key=lambda c: self._rows.setdefault(c, len(self._rows)))
        weight, bias = _reads(nodes)
        knots = self._knots(weight, bias)
        on = np.argsort(knots * np.sign(weight), kind="stable")  # the order in which they come on
        weight, bias, knots = weight[on], bias[on], knots[on]
        w, b, t = map(_exact, (weight, bias, knots))
        W_2 = _exact([[node.writes.get(c, 0.0) for c in written] for node in nodes])[on]
        slopes = np.cumsum(w[:, None] * W_2, axis=0)
        rises = np.maximum(w * t + b, _exact(0.0))[:, None] * W_2  # what a rounded knot leaves of 0
        rises[1:] += slopes[:-1] * np.diff(t)[:, None]
        before = np.zeros((1, len(written)))
        sums = (np.concatenate([before, _nearest(one)]).T for one in (np.cumsum(rises, axis=0), slopes))
        arrays = knots, np.append(knots[:1], knots), *sums
        ascending = slice(None, None, 1 if weight[0] > 0 else -1)
        at, starts, values, rates = (self._tensor(array[..., ascending]) for array in arrays)
        split = [c in self._filled for c in written]
        if any(split) and not all(split):
            for c in written:
                self._row(c)
        rows = self._tensor(np.array([self._rows[c] for c in written], dtype=np.int64))
        table = Table(read, at, starts, values, rates, rows, any(split))
        self._filled |= set(written)
        return table

    def _knots(self, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return where units are 0, rounded to the format that the network runs in."""
        with np.errstate(over="ignore"):
            return np.asarray(self._tensor(-bias / weight).cpu().numpy(), dtype=np.float64)


def _reads(nodes: Sequence[Node]) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and biases of units that read one channel each."""
    weight, bias = zip(*((w, node.bias) for node in nodes for w in node.reads.values()), strict=True)
    return np.array(weight), np.array(bias)


def _exact(numbers: ArrayLike) -> np.ndarray:
    """Return the rational numbers that floats are, as objects."""
    return np.asarray(np.frompyfunc(from_float, 1, 1)(np.asarray(numbers, dtype=np.float64)))


def _nearest(numbers: np.ndarray) -> np.ndarray:
    """Round rational numbers to float64, those beyond its range to infinity."""
    return np.asarray(np.frompyfunc(_rounded, 1, 1)(numbers), dtype=np.float64)


def _rounded(number: fmpq) -> float:
    try:
        return int(number.p) / int(number.q)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _dense(nodes: Sequence[Node]) -> bool:
    """Whether so many nodes write to each channel that adding them up takes longer than looking the channels up."""
    written = [channel for node in nodes for channel in node.writes]
    return len(written) >= EACH * len(set(written))
