"""A stored ReLU Sumformer as maps between the channels that matter: what substitution from the end to the beginning goes through.

A channel that nothing reads any more is left out, so is a unit whose pair makes it straight (``folds.py``). Nothing is multiplied
or added to describe them: every weight stays the number that is stored.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from constructions.network.relu import MeanSumformer, mean_of
from proofs_check.enclosures.interval import Booleans, Floats
from proofs_check.folds import Layer
from proofs_check.propagate import Balls, Parts

MOST_TERMS = 2**9  # of a sum; four such sums and a few more roundings stay below 2^11
Places = tuple[list[int], list[int]]


@dataclass(frozen=True, eq=False)
class Stage:
    """A layer as a map between the channels that something reads, before it and after it: rows of W_1, columns of W_2.

    Attributes:
        straight: (units,) which units do not bend.
        copies: the channel that each unit is, where units are channels, one each.
        carried: places before and after of the channels that the layer keeps.
    """

    W_1: Floats
    bias: Floats
    W_2: Floats
    straight: Booleans
    copies: list[int] | None
    carried: Places

    def arguments(self, channels: Balls) -> Balls:
        """Enclose what the units take, for channels (points, channels)."""
        return channels.times(self.W_1).plus(Balls.exact(np.broadcast_to(self.bias, (len(channels.mid), len(self.bias)))))

    def after(self, channels: Balls, arguments: Balls) -> Balls:
        """Enclose the channels after the layer from those before it and what its units take."""
        rectified = np.where(self.straight, arguments.mid, np.maximum(arguments.mid, 0.0))
        added, (here, there) = Balls(rectified, arguments.rad).times(self.W_2), self.carried
        kept = Balls.exact(np.zeros_like(added.mid))
        kept.mid[:, there], kept.rad[:, there] = channels.mid[:, here], channels.rad[:, here]
        return added.plus(kept)


@dataclass(frozen=True, eq=False)
class Stages:
    """phi and psi, and where psi's first channels come from.

    Attributes:
        tokens: the token coordinate that each channel before phi is.
        own, means: places before psi and after phi of the own token's channels, and of means and what they are means of.
        readout: (channels after psi, d_out).
    """

    tokens: tuple[int, ...]
    phi: tuple[Stage, ...]
    own: Places
    means: Places
    after_phi: int
    after_pooling: int
    psi: tuple[Stage, ...]
    readout: Floats

    @staticmethod
    @functools.lru_cache(maxsize=4)
    def of(network: MeanSumformer) -> Stages | None:
        """Describe a network once; None where there are monomials, a channel is listed twice or a sum has too many terms."""
        if network.monomials:
            return None  # not affine between bends, which is what lines and vertices rest on
        layers = (*network.phi, *network.psi)
        lists = [network.tokens, network.pooled, network.readout, *(part for one in layers for part in (one.reads, one.writes))]
        if any(len(set(names)) < len(names) for names in lists):
            return None
        parts, pooled = Parts.unit_by_unit(network), {mean_of(channel): channel for channel in network.pooled}
        after_phi = [*network.tokens, *(name for layer in network.phi for name in layer.writes)]
        psi, start = _staged(parts.psi, [*after_phi, *pooled], network.readout)
        own, means = [name for name in start if name not in pooled], [name for name in start if name in pooled]
        ends = list(dict.fromkeys([*own, *(pooled[name] for name in means)]))
        phi, first = _staged(parts.phi, network.tokens, ends)
        if any(size > MOST_TERMS for stage in (*phi, *psi) for size in (*stage.W_1.shape, *stage.W_2.shape)):
            return None
        return Stages(tuple(network.tokens.index(name) for name in first), phi,
                      ([start.index(name) for name in own], [ends.index(name) for name in own]),
                      ([start.index(name) for name in means], [ends.index(pooled[name]) for name in means]),
                      len(ends), len(start), psi, network.W_out)


def _staged(layers: Sequence[Layer], known: Sequence[str], ends: Sequence[str]) -> tuple[tuple[Stage, ...], list[str]]:
    """Describe layers by the channels that are read after them, the last of which are given; returns the first ones too."""
    there, new = set(known), []
    for layer in layers:
        new.append(set(layer.weights.writes) - there)
        there |= new[-1]
    stages, after = [], list(ends)
    for layer, fresh in zip(reversed(layers), reversed(new), strict=True):
        kept = [name for name in after if name not in fresh]
        before = list(dict.fromkeys([*layer.weights.reads, *kept]))
        stages.append(_stage(layer, before, after, kept))
        after = before
    return tuple(reversed(stages)), after


def _stage(layer: Layer, before: list[str], after: list[str], kept: list[str]) -> Stage:
    weights, units = layer.weights, np.union1d(layer.plain, layer.straight).astype(int)
    W_1, W_2 = np.zeros((len(before), len(units))), np.zeros((len(units), len(after)))
    W_1[[before.index(name) for name in weights.reads]] = weights.W_1[:, units]
    columns = [k for k, name in enumerate(weights.writes) if name in after]
    W_2[:, [after.index(weights.writes[k]) for k in columns]] = weights.W_2[units][:, columns]
    single = bool(len(units) and ((W_2 != 0).sum(axis=1) == 1).all() and (W_2.max(axis=1) == 1.0).all())
    copies = W_2.argmax(axis=1).tolist() if single else None
    return Stage(W_1, weights.bias[units], W_2, np.isin(units, layer.straight), copies,
                 ([before.index(name) for name in kept], [after.index(name) for name in kept]))
