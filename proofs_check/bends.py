"""Where the features of a token with one coordinate bend: the ends of phi's linear pieces, places to cut boxes at.

On a box whose tokens lie between two neighbouring ends phi is one affine map, so nothing that its units could do is lost there.
A place is a float64 number near an end and trusted by nobody: what a unit does on a box is read off its argument there.
"""

from __future__ import annotations

import numpy as np

from constructions.network.relu import MeanSumformer, run
from proofs_check.enclosures.interval import Floats, quiet

MOST = 4096  # places; where there are more, boxes are small before they lie between two of them
_KNEE = 1e-9  # a change of slope, relative to the largest, below which nothing bends


@quiet
def token_bends(network: MeanSumformer, low: float, high: float) -> Floats:
    """Return the places in ascending order, none if there are more than ``MOST``, several coordinates, or monomials.

    Layer by layer: between neighbouring places all units of the layer are affine, so each has at most one zero there.
    """
    places = np.array([low, high])
    if len(network.given) != 1:
        return places[:0]
    for depth, layer in enumerate(network.phi):
        known = run(network.phi[:depth], {network.tokens[0]: places})
        if not layer.reads:
            continue  # units of a constant
        before = np.stack([known[channel] for channel in layer.reads], axis=-1) @ layer.W_1 + layer.bias
        left, right = before[:-1], before[1:]
        piece, unit = np.nonzero((left < 0) & (right > 0) | (left > 0) & (right < 0))
        share = left[piece, unit] / (left[piece, unit] - right[piece, unit])
        found = places[piece] + share * (places[piece + 1] - places[piece])
        places = np.unique(np.concatenate([places, found[np.isfinite(found)]]))
        if len(places) > MOST:
            return places[:0]
    return _knees(places, network)


def _knees(places: Floats, network: MeanSumformer) -> Floats:
    """Keep the places inside where a feature that psi can see bends."""
    known = run(network.phi, {network.tokens[0]: places})
    seen = {*network.pooled, *network.readout, *(channel for layer in network.psi for channel in layer.reads)}
    if not seen & set(known):
        return places[:0]
    features = np.stack([known[channel] for channel in known if channel in seen], axis=-1)
    slopes = np.diff(features, axis=0) / np.diff(places)[:, None]
    bent = (np.abs(np.diff(slopes, axis=0)) > _KNEE * np.abs(slopes).max(axis=0, initial=0.0)).any(axis=1)
    return np.asarray(places[1:-1][bent])


def nearest(places: Floats, middle: Floats, reach: Floats) -> Floats:
    """Return for each number the nearest place closer than ``reach``, itself where there is none."""
    if not places.size:
        return middle
    after = np.searchsorted(places, middle)
    left, right = places[np.maximum(after - 1, 0)], places[np.minimum(after, len(places) - 1)]
    place = np.where(np.abs(left - middle) <= np.abs(right - middle), left, right)
    return np.where(np.abs(place - middle) < reach, place, middle)
