"""Damage to embedding, readout, channels and blocks."""

from __future__ import annotations

import numpy as np

from proofs_check.run_files import RunFiles
from tests.proofs_check.damage.pooling import _keys
from tests.proofs_check.damage.registry import ALL, POOL, blocks, damaged, thresholds, values


def _block_damage(architecture: str) -> None:
    @damaged("product", f"{architecture} the embedding bias is changed")
    def bias(run: RunFiles) -> None:
        run.arrays[f"{architecture}.embed.bias"][3] = 1e-9

    @damaged("product", f"{architecture} the channel 1 holds 2")
    def one(run: RunFiles) -> None:
        run.arrays[f"{architecture}.embed.bias"][0] = 2

    @damaged("product", f"{architecture} the embedding scales the token")
    def embedding(run: RunFiles) -> None:
        run.arrays[f"{architecture}.embed.weight"][0, 1] = 1 + 2.0**-52

    @damaged("product", f"{architecture} the readout selects another channel")
    def selects(run: RunFiles) -> None:
        readout = run.arrays[f"{architecture}.readout.weight"]
        readout[:] = np.roll(readout, 1, axis=0)

    @damaged("product", f"{architecture} the readout has a bias")
    def biased(run: RunFiles) -> None:
        run.arrays[f"{architecture}.readout.bias"] = np.ones(1)  # type: ignore[index]

    @damaged("two outputs", f"{architecture} the readout exchanges the outputs")
    def exchanged(run: RunFiles) -> None:
        readout = run.arrays[f"{architecture}.readout.weight"]
        readout[:] = readout[:, ::-1].copy()

    @damaged("product", f"{architecture} the readout scales the output")
    def scaled(run: RunFiles) -> None:
        run.arrays[f"{architecture}.readout.weight"][:] *= 1 + 2.0**-52

    for i in range(4):
        @damaged("product", f"{architecture} block {i} is dropped")
        def dropped(run: RunFiles, i: int = i) -> None:
            _renumbered(run, architecture, [j for j in range(4) if j != i])

        @damaged("product", f"{architecture} block {i} is doubled")
        def doubled(run: RunFiles, i: int = i) -> None:
            _renumbered(run, architecture, sorted([*range(4), i]))

        if i < 3:
            @damaged("product", f"{architecture} blocks {i} and {i + 1} are exchanged")
            def reordered(run: RunFiles, i: int = i) -> None:
                order = [0, 1, 2, 3]
                order[i], order[i + 1] = i + 1, i
                _renumbered(run, architecture, order)

    @damaged("product", f"{architecture} attention happens in two blocks")
    def twice(run: RunFiles) -> None:
        blocks(run, architecture)[3]["attention"] = True
        for key in _keys(run, architecture):
            run.arrays[f"{architecture}.blocks.3.attention.{key}"] = run.arrays[f"{architecture}.{POOL}.{key}"]  # type: ignore[index]

    @damaged("product", f"{architecture} attention happens in no block")
    def never(run: RunFiles) -> None:
        blocks(run, architecture)[2]["attention"] = False

    @damaged("product", f"{architecture} a block carries a channel that attention did not write")
    def carries(run: RunFiles) -> None:
        blocks(run, architecture)[2]["carries"].append("phi.0")

    @damaged("product", f"{architecture} a channel occurs twice in the stream")
    def channels(run: RunFiles) -> None:
        names = run.network["architectures"][architecture]["channels"]
        names[names.index("cell.0")] = names[-1]

    @damaged("product", f"{architecture} Sigma is needed one block later but not carried")
    def not_carried(run: RunFiles) -> None:
        _rank_one_block_later(run, architecture)
        blocks(run, architecture)[2]["carries"] = []

    for channel in ("1", "x.0", "sigma.0", "rank.0", "y.0"):
        @damaged("product", f"{architecture} the stream has no channel {channel}")
        def without(run: RunFiles, channel: str = channel) -> None:
            _without_channel(run, architecture, channel)

    @damaged("product", f"{architecture} carries negative sums through a ReLU")
    def negative(run: RunFiles) -> None:
        values(run, "phi.0")[:] -= 1000
        thresholds(run, "rank.0")[:] -= 2000
        _rank_one_block_later(run, architecture)

    @damaged("plane", f"{architecture} the two coordinates are exchanged on the way in")
    def coordinates(run: RunFiles) -> None:
        run.network["phi"]["inputs"].reverse()
        for name in ALL:
            weight = run.arrays[f"{name}.embed.weight"]
            weight[:] = weight[::-1].copy()

    @damaged("product", f"{architecture} is stored but not claimed")
    def unclaimed(run: RunFiles) -> None:
        run.certificate["claim"]["networks"].remove(architecture)

    @damaged("product", f"{architecture} is claimed but not stored")
    def unstored(run: RunFiles) -> None:
        del run.network["architectures"][architecture]


def _renumbered(run: RunFiles, architecture: str, order: list[int]) -> None:
    """Rebuild an architecture from the given blocks, each with its attention weights."""
    old, arrays = blocks(run, architecture), dict(run.arrays)
    prefix = f"{architecture}.blocks."
    for key in arrays:
        if key.startswith(prefix):
            del run.arrays[key]  # type: ignore[attr-defined]
    for new, i in enumerate(order):
        for key, array in arrays.items():
            if key.startswith(f"{prefix}{i}."):
                run.arrays[key.replace(f"{prefix}{i}.", f"{prefix}{new}.")] = array  # type: ignore[index]
    run.network["architectures"][architecture]["blocks"] = [dict(old[i]) for i in order]


def _rank_one_block_later(run: RunFiles, architecture: str) -> None:
    pooling = blocks(run, architecture)[2]
    blocks(run, architecture).insert(3, {"attention": False, "steps": pooling["steps"], "carries": []})
    pooling["steps"] = []


def _without_channel(run: RunFiles, architecture: str, channel: str) -> None:
    names = run.network["architectures"][architecture]["channels"]
    place = names.index(channel)
    names.remove(channel)
    axes = {"embed.weight": (1,), "embed.bias": (0,), "readout.weight": (0,), f"{POOL}.W_Q": (0,), f"{POOL}.W_K": (0,),
            f"{POOL}.W_V": (0, 1)}
    for key, along in axes.items():
        for axis in along:
            run.arrays[f"{architecture}.{key}"] = np.delete(run.arrays[f"{architecture}.{key}"], place, axis)  # type: ignore[index]


for _architecture in ALL:
    _block_damage(_architecture)
