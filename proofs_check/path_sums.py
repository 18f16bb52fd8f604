"""Lipschitz constants of phi and psi read off the stored weights: the sum over all paths of the products of |weights|.

A unit moves no faster than its argument, so the product along a path bounds what the path carries. Chains of folds are taken as
one function each: path by path, every fold would triple a slope that it only turns round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.network.relu import MeanSumformer, mean_of
from proofs_check.exact_values import from_end
from proofs_check.folds import Layer
from proofs_check.propagate import Parts


def lipschitz_of_psi(network: MeanSumformer) -> Fraction:
    """Bound Lip_mu(psi) = sup sum_j |d psi / d mu_j| over all means, the own token fixed (mathematics: error-budget)."""
    moved = _moved(Parts.of(network).psi, {mean_of(channel): arb(1) for channel in network.pooled})
    return _largest(_product(network.readout, moved, network.W_out))


def lipschitz_of_phi(network: MeanSumformer) -> Fraction:
    """Bound the Lipschitz constant of phi from max norm to max norm, its outputs being the pooled channels.

    Raises:
        ValueError: there are monomials, whose slopes depend on the domain.
    """
    if network.monomials:
        raise ValueError("monomials of the token have no Lipschitz constant on the whole line")
    moved = _moved(Parts.of(network).phi, {channel: arb(1) for channel in network.tokens})
    return _largest([moved[channel] for channel in network.pooled if channel in moved])


def _moved(layers: Sequence[Layer], sources: Mapping[str, arb]) -> dict[str, arb]:
    """Return how far each channel moves at most where the sources move by what is given and all others rest."""
    moved = dict(sources)
    for layer in layers:
        weights, chains = layer.weights, layer.chains
        before = _product(weights.reads, moved, weights.W_1)
        for unit in (*layer.plain, *layer.straight):
            for k in np.flatnonzero(weights.W_2[unit]):
                _add(moved, weights.writes[k], before[unit] * abs(arb(float(weights.W_2[unit, k]))))
        for head, target, steepest in zip(chains.head, chains.target, chains.beyond, strict=True):
            _add(moved, target, before[head] * arb(float(steepest)))
    return moved


def _product(reads: Sequence[str], moved: Mapping[str, arb], W: np.ndarray) -> list[arb]:
    totals = [arb(0)] * W.shape[1]
    for row, k in zip(*np.nonzero(W), strict=True):
        if reads[row] in moved:
            totals[k] += moved[reads[row]] * abs(arb(float(W[row, k])))
    return totals


def _add(moved: dict[str, arb], channel: str, distance: arb) -> None:
    moved[channel] = moved.get(channel, arb(0)) + distance


def _largest(bounds: Sequence[arb]) -> Fraction:
    return max((from_end(bound.upper()) for bound in bounds), default=Fraction(0))
