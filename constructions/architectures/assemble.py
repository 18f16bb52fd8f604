"""A Sumformer and a pooling head become a network of blocks (paper, theorems 4.3 to 4.5; mathematics: residual-layout)."""

from __future__ import annotations

import numpy as np

from constructions.architectures.blocks import Architecture, Block, FeedForward
from constructions.architectures.layout import Layout
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
