"""The stored architectures around a ReLU Sumformer: each is the Sumformer, with attention in the place of the mean.

A block is X + FC(X + Att(X)), its FC one layer of phi or psi, stored once; what differs is embedding, head and readout. The head
is reduced to one factor exactly (architecture_check); it must carry every pooled channel into the channel of its mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.network.relu import MeanSumformer, mean_of
from proofs_check.architecture_check import ENDS, LARGEST_WEIGHT, check_exponents, pooling_factor, pooling_step
from proofs_check.companions import SUMFORMER
from proofs_check.kernel import Claim, Status, Step
from proofs_check.propositions import Near
from proofs_check.run_files import RunFiles
from proofs_check.step_network import Rejected

# 1/n and its product with another weight are rounded once each; the evaluation step allows for four roundings
LARGEST_DEFECT = {"float64": Fraction(4, 2**53), "float32": Fraction(4, 2**24)}


def architecture_steps(run: RunFiles, network: MeanSumformer, claim: Claim, number_format: str, largest: float) -> list[Step]:
    """Return one pooling step for each architecture, refuted with the first thing that is wrong.

    Args:
        claim: its n is the length that the stored heads are made for, its scope the sequences the steps are about.
        largest: bound of the size of a number in the stream, for exponents of the Performer.
    """
    known = {f"{part}.{i}.{array}" for part, layers in (("phi", network.phi), ("psi", network.psi))
             for i in range(len(layers)) for array in ("W_1", "bias", "W_2")} | {"readout.W_out", "readout.b_out"}
    descriptions = run.network["architectures"]
    steps = [_step(run, name, description, network, claim, number_format, largest) for name, description in descriptions.items()]
    extra = sorted(key for key in run.arrays if key not in known and key.split(".")[0] not in descriptions)
    if extra or run.exact:
        steps.append(Step("network", f"the array {(extra or sorted(run.exact))[0]} belongs to nothing", Status.REFUTED))
    return steps


def slots(run: RunFiles) -> int:
    """Return the largest number of slots or features of a head, which enters the rounding of a mean."""
    return max((len(array) for key, array in run.arrays.items() if key.endswith((".attention.F", ".attention.w"))), default=0)


def _step(run: RunFiles, name: str, description: Mapping[str, Any], network: MeanSumformer, claim: Claim,
          number_format: str, largest: float) -> Step:
    step = pooling_step(name)
    mine = {key.removeprefix(f"{name}."): array for key, array in run.arrays.items() if key.startswith(f"{name}.")}
    try:
        defect = _checked(name, mine, list(description["channels"]), int(description["pooling_block"]), network, claim.n,
                          number_format, largest)
    except Rejected as rejected:
        return Step(step, str(rejected), Status.REFUTED)
    exactly = "exactly the mean" if not defect else "the mean, its weights rounded"
    return Step(step, f"{name}: attention is {exactly}, blocks hold phi and psi", Status.PROVED,
                says=Near(SUMFORMER, name, Fraction(0), claim.scope))


def _checked(name: str, mine: Mapping[str, np.ndarray], channels: list[str], pooling_block: int, network: MeanSumformer, n: int,
             number_format: str, largest: float) -> Fraction:
    """Return how far the head's factor is from that of a mean; raises Rejected where something is wrong."""
    if channels != ["1", *network.channels] or len(set(channels)) < len(channels):
        raise Rejected(f"{name}: the stream is not [1 | x | phi | means | psi]")
    if network.monomials:
        raise Rejected(f"{name}: no block makes the monomials that are there before phi")
    if pooling_block != len(network.phi):
        raise Rejected(f"{name}: block {pooling_block} pools, phi has {len(network.phi)} layers")
    place = {channel: k for k, channel in enumerate(channels)}
    embed, bias = np.zeros((len(network.tokens), len(channels))), np.zeros(len(channels))
    readout = np.zeros((len(channels), network.d_out))
    bias[place["1"]] = 1.0
    for c, channel in enumerate(network.tokens):
        embed[c, place[channel]] = 1.0
    for channel, row in zip(network.readout, network.W_out, strict=True):
        readout[place[channel]] += row
    readout[place["1"]] += network.b_out
    for key, expected in (("embed.weight", embed), ("embed.bias", bias), ("readout.weight", readout)):
        if not np.array_equal(mine[key], expected):
            raise Rejected(f"{name}: {key} is not that of the Sumformer")
    prefix = f"blocks.{pooling_block}.attention."
    head = {key.removeprefix(prefix): array for key, array in mine.items() if key.startswith(prefix)}
    others = [key for key in mine if not key.startswith(prefix) and key not in ENDS]
    if others:
        raise Rejected(f"{name}: array {others[0]} belongs to no block")
    if any(not np.all(np.abs(array) <= LARGEST_WEIGHT[number_format]) for array in head.values()):
        raise Rejected(f"{name}: a weight is not finite, or so large that scores could overflow")
    return _routed(name, head, {(place[c], place[mean_of(c)]) for c in network.pooled}, channels, n, number_format, largest)


def _routed(name: str, head: Mapping[str, np.ndarray], expected: set[tuple[int, int]], channels: list[str], n: int,
            number_format: str, largest: float) -> Fraction:
    factor = pooling_factor(name, head, n)
    if head["W_V"].shape != (len(channels), len(channels)):
        raise Rejected(f"{name}: W_V has shape {head['W_V'].shape}, the stream is {len(channels)} wide")
    wrong = {(int(i), int(j)) for i, j in np.argwhere(head["W_V"])} ^ expected
    if wrong:
        i, j = min(wrong)
        raise Rejected(f"{name}: W_V[{channels[i]}, {channels[j]}] = {head['W_V'][i, j]}")
    check_exponents(name, head, largest)
    defect = max((abs(n * factor * Fraction(float(head["W_V"][i, j])) - 1) for i, j in expected), default=Fraction(0))
    if defect > LARGEST_DEFECT[number_format]:
        raise Rejected(f"{name}: pooling gives {float(1 + defect)} times the mean")
    return defect
