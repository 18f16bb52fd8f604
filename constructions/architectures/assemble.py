"""A Sumformer and a pooling head become a network of blocks (paper, theorems 4.3 to 4.5; mathematics: residual-layout)."""

from __future__ import annotations

import numpy as np

from constructions.architectures.blocks import Architecture, Block, FeedForward, ReluFeedForward
from constructions.architectures.layout import Layout
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.number_formats import FLOAT64, NumberFormat
from constructions.pooling import Arrays, PoolingHead
from constructions.sumformers import Sumformer


def assemble(sumformer: Sumformer, head: PoolingHead) -> Architecture:
    """Return the architecture that computes the Sumformer: phi's layers, one pooling block, psi's remaining layers."""
    layout = Layout.of(sumformer)
    before = [Block(None, FeedForward(tuple(level))) for level in sumformer.phi.levels()]
    written = {channel for node in sumformer.phi.nodes for channel in node.writes}
    decoding = [tuple(node for node in level if not written & set(node.writes)) for level in sumformer.psi.levels()]
    first, *rest = [level for level in decoding if level]
    sigma = tuple(channel for channel in layout.channels if channel.startswith("sigma."))
    pooling = Block(_pool(head, layout, sumformer.n), FeedForward(first, carries=sigma))
    after = [Block(None, FeedForward(level)) for level in rest]
    return Architecture(head, layout, (*before, pooling, *after), *_ends(sumformer, layout))


def assemble_mean(sumformer: MeanSumformer, head: PoolingHead, n: int, number_format: NumberFormat = FLOAT64) -> Architecture:
    """Return the architecture that computes a continuous Sumformer on n tokens: one block a layer, one pooling block.

    Attention writes the means into channels that are still 0; the pooling block's FC carries them over by
    t = relu(t) - relu(-t), since the skip connection carries X and not X + Att(X) (mathematics: identity-channel). n enters
    through the head's weights alone, which are rounded to the format.

    Raises:
        Refused: there are monomials, which no block of ReLU units makes.
    """
    if sumformer.monomials:
        raise Refused("monomials of the token are made by no block of ReLU units: this Sumformer is no Transformer")
    layout = Layout(("1", *sumformer.channels))
    means = tuple(mean_of(channel) for channel in sumformer.pooled)
    routes = [(layout[channel], layout[mean_of(channel)]) for channel in sumformer.pooled]
    kind = np.float32 if number_format.bits == 24 else np.float64
    exact = head.weights(layout.d_model, routes, n, mean=True)
    weights = {name: array.astype(kind).astype(np.float64) for name, array in exact.items()}
    pooling = Block(weights, ReluFeedForward(_carried(means)))
    phi, psi = ([Block(None, ReluFeedForward(layer)) for layer in layers] for layers in (sumformer.phi, sumformer.psi))
    W_embed, b_embed = np.zeros((len(sumformer.tokens), layout.d_model)), np.zeros(layout.d_model)
    W_out = np.zeros((layout.d_model, sumformer.d_out))
    b_embed[layout["1"]] = 1
    for c, channel in enumerate(sumformer.tokens):
        W_embed[c, layout[channel]] = 1
    for row, channel in zip(sumformer.W_out, sumformer.readout, strict=True):
        W_out[layout[channel]] += row
    W_out[layout["1"]] += sumformer.b_out
    return Architecture(head, layout, (*phi, pooling, *psi), W_embed, b_embed, W_out)


def _carried(channels: tuple[str, ...]) -> ReluLayer:
    """Write channels back as they are."""
    one = np.eye(len(channels))
    return ReluLayer(channels, np.concatenate([one, -one], axis=1), np.zeros(2 * len(channels)), channels,
                     np.concatenate([one, -one], axis=0))


def _pool(head: PoolingHead, layout: Layout, n: int) -> Arrays:
    routes = [(layout[channel], layout[channel.replace("phi", "sigma")])
              for channel in layout.channels if channel.startswith("phi.")]
    return head.weights(layout.d_model, routes, n)


def _ends(sumformer: Sumformer, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the affine embedding (its bias makes the channel 1) and the linear readout."""
    tokens = [channel for channel in sumformer.phi.inputs if channel.startswith("x.")]
    W_embed, b_embed = np.zeros((len(tokens), layout.d_model)), np.zeros(layout.d_model)
    W_out = np.zeros((layout.d_model, len(sumformer.psi.outputs)))
    b_embed[layout["1"]] = 1
    for c, channel in enumerate(tokens):
        W_embed[c, layout[channel]] = 1
    for k, channel in enumerate(sumformer.psi.outputs):
        W_out[layout[channel], k] = 1
    return W_embed, b_embed, W_out
