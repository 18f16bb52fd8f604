"""Blocks of a Transformer in the paper's form, X + FC(X + Att(X)), with their exact reference forward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constructions.architectures.layout import Layout
from constructions.network import Node
from constructions.network.relu import ReluLayer
from constructions.pooling import Arrays, PoolingHead
from constructions.pooling.head import as_fractions


@dataclass(frozen=True, eq=False)
class FeedForward:
    """FC(X) = act(X W_1) W_2, act = H or ReLU by hidden unit; the channel 1 of the stream makes the biases.

    Attributes:
        steps: staircases; each unit reads the node's linear form minus its threshold, each writes the node's jumps.
        carries: non-negative channels written back as they are, c = relu(c): what attention wrote would be lost otherwise,
            since the skip connection carries X and not X + Att(X).
    """

    steps: tuple[Node, ...]
    carries: tuple[str, ...] = ()

    @property
    def d_ff(self) -> int:
        """Number of hidden units: thresholds, one unit H(1) a staircase for its base value, one a carried channel."""
        return sum(node.table.units + 1 for node in self.steps) + len(self.carries)

    def dense(self, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return W_1 (d_model, d_ff), W_2 (d_ff, d_model) and the mask of ReLU units (d_ff,)."""
        exact = any(node.table.thresholds.dtype == object or node.table.values.dtype == object for node in self.steps)
        dtype = object if exact else np.float64
        first, second = np.zeros((layout.d_model, self.d_ff), dtype=dtype), np.zeros((self.d_ff, layout.d_model), dtype=dtype)
        unit = 0
        for node in self.steps:
            last = unit + node.table.units
            for channel, coefficient in node.reads:
                first[layout[channel], unit:last] = coefficient
            first[layout["1"], unit:last] = -node.table.thresholds
            first[layout["1"], last] = 1
            for column, channel in enumerate(node.writes):
                second[unit:last, layout[channel]] = node.table.jumps[:, column]
                second[last, layout[channel]] = node.table.values[0, column]
            unit = last + 1
        for channel in self.carries:
            first[layout[channel], unit] = second[unit, layout[channel]] = 1
            unit += 1
        relu = np.arange(self.d_ff) >= self.d_ff - len(self.carries)
        return first, second, relu

    def nonzero(self) -> int:
        """Number of non-zero entries of W_1 and W_2, without building them."""
        steps = sum(node.table.units * len(node.reads) + int(np.count_nonzero(node.table.thresholds)) + 1
                    + int(np.count_nonzero(node.table.jumps)) + int(np.count_nonzero(node.table.values[0]))
                    for node in self.steps)
        return steps + 2 * len(self.carries)


@dataclass(frozen=True, eq=False)
class ReluFeedForward:
    """FC(X) = relu(X W_1) W_2 for a layer of a continuous Sumformer; biases sit in the row of the channel 1."""

    layer: ReluLayer

    @property
    def d_ff(self) -> int:
        """Number of hidden units."""
        return self.layer.units

    def dense(self, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return W_1 (d_model, d_ff), W_2 (d_ff, d_model) and the mask of ReLU units, all true."""
        layer = self.layer
        first, second = np.zeros((layout.d_model, self.d_ff)), np.zeros((self.d_ff, layout.d_model))
        first[[layout[channel] for channel in layer.reads]] = layer.W_1
        first[layout["1"]] = layer.bias
        second[:, [layout[channel] for channel in layer.writes]] = layer.W_2
        return first, second, np.ones(self.d_ff, dtype=bool)

    def nonzero(self) -> int:
        """Number of non-zero entries of W_1 and W_2."""
        return self.layer.n_nonzero


@dataclass(frozen=True, eq=False)
class Block:
    """One block; ``attention`` None is the zero head."""

    attention: Arrays | None
    feed_forward: FeedForward | ReluFeedForward


@dataclass(frozen=True, eq=False)
class Architecture:
    """Affine embedding, blocks, linear readout. One block has a non-zero attention layer, with one head."""

    head: PoolingHead
    layout: Layout
    blocks: tuple[Block, ...]
    W_embed: np.ndarray
    b_embed: np.ndarray
    W_out: np.ndarray

    @property
    def name(self) -> str:
        """The architecture's name."""
        return self.head.name

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def width(self) -> int:
        """Width of the stream, d_model."""
        return self.layout.d_model

    @property
    def n_parameters(self) -> int:
        """Entries of all dense weight arrays, zeros included."""
        d = self.layout.d_model
        attention = sum(array.size for block in self.blocks for array in (block.attention or {}).values())
        return attention + sum(2 * d * block.feed_forward.d_ff for block in self.blocks) + self._ends().size

    @property
    def n_nonzero(self) -> int:
        """Non-zero entries among them."""
        attention = sum(int(np.count_nonzero(array)) for block in self.blocks for array in (block.attention or {}).values())
        return attention + sum(block.feed_forward.nonzero() for block in self.blocks) + int(np.count_nonzero(self._ends()))

    def _ends(self) -> np.ndarray:
        return np.concatenate([self.W_embed.ravel(), self.b_embed.ravel(), self.W_out.ravel()])

    def reference(self, tokens: np.ndarray) -> np.ndarray:
        """Evaluate over ``Fraction`` on one (n, d) sequence by dense matrix products; for small networks."""
        stream = as_fractions(tokens) @ as_fractions(self.W_embed) + as_fractions(self.b_embed)
        for block in self.blocks:
            mixed = stream if block.attention is None else stream + self.head.reference(stream, block.attention)
            first, second, relu = block.feed_forward.dense(self.layout)
            hidden = mixed @ as_fractions(first)
            one, zero = as_fractions(np.array(1)), as_fractions(np.array(0))
            active = np.where(relu, np.maximum(hidden, zero), np.where(hidden >= 0, one, zero))
            stream = stream + active @ as_fractions(second)
        return np.asarray(stream @ as_fractions(self.W_out))
