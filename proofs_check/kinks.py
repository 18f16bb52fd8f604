"""Where a network bends in one coordinate of the token: places for a search to look at, trusted by nobody.

A hidden unit that reads a token coordinate alone, relu(w x + b), bends at -b / w; a chain of folds that starts there bends at all
its pieces. A continuous network errs most between its bends as often as at them, so the middles belong to the list, and the bends
of deeper units, which no such list can hold, are left to an even grid.
"""

from __future__ import annotations

import numpy as np

from constructions.adapters.fold_chains import Node, nodes
from constructions.domains import Box
from constructions.network.relu import MeanSumformer, mean_of
from proofs_check.enclosures.interval import quiet

GRID = 510
BENDS = 512  # of one coordinate, middles included


@quiet
def bends(network: MeanSumformer, box: Box) -> list[np.ndarray]:
    """Return the places of every token coordinate: bends and middles, evenly thinned, and the grid."""
    found = _nodes(network)
    return [_places(np.concatenate([_of_node(node, channel) for node in found if set(node.reads) == {channel}] or [np.zeros(0)]),
                    float(low), float(high)) for channel, (low, high) in zip(network.tokens, box.sides, strict=True)]


def _nodes(network: MeanSumformer) -> list[Node]:
    means = {mean_of(channel) for channel in network.pooled}
    known = {*network.given, *(channel for layer in network.phi for channel in layer.writes)}
    later = {*network.pooled, *network.readout, *(channel for layer in network.psi for channel in layer.reads)}
    precision = float(np.finfo(np.float64).eps)
    return [*nodes(network.phi, network.given, later, precision), *nodes(network.psi, known | means, network.readout, precision)]


def _of_node(node: Node, channel: str) -> np.ndarray:
    """Return where y = w x + b is 0 or, for a chain, a whole number up to its last piece; thinned where these are very many."""
    pieces = np.unique(np.linspace(0.0, node.last, int(min(node.last, 2 * BENDS)) + 1).round())
    return np.asarray((pieces - node.bias) / node.reads[channel])


def _places(places: np.ndarray, low: float, high: float) -> np.ndarray:
    inside = np.unique(places[(places > low) & (places < high)])
    inside = _thinned(inside, BENDS // 2)
    ends = np.concatenate([[low], inside, [high]])
    middles = (ends[1:] + ends[:-1]) / 2 if inside.size else inside
    grid = np.linspace(low, high, GRID + 2)[1:-1]
    return np.unique(np.concatenate([inside, middles, grid]))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    if values.size <= most:
        return values
    return values[np.unique(np.linspace(0, values.size - 1, most).round().astype(int))]
