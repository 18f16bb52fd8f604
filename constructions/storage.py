"""A construction as plain data, and back: named arrays, exact numbers as strings, a description of the network.

The layout is documented in docs/formats.md. Nothing here is trusted by the checker, which reads the same files by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from constructions.architectures import Architecture, FeedForward
from constructions.errors import Refused
from constructions.network import Network, Node, Staircase
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.number_formats import exact_number
from constructions.sumformers import Sumformer

NETWORK_FORMAT = "uat-network/1"
MEAN_FORMAT = "uat-relu-network/1"


@dataclass(frozen=True, eq=False)
class Stored:
    """``arrays`` are float64; ``exact`` holds arrays that float64 cannot, as {name: {shape, values as strings}}."""

    arrays: dict[str, np.ndarray]
    exact: dict[str, Any]
    network: dict[str, Any]


def store(sumformer: Sumformer, architectures: Sequence[Architecture]) -> Stored:
    """Describe a Sumformer and the architectures that reproduce it; their feed-forward layers refer to the same nodes."""
    psi = sumformer.psi
    stored = Stored({}, {}, {
        "format": NETWORK_FORMAT, "n": sumformer.n, "inputs": list(psi.inputs), "outputs": list(psi.outputs),
        "phi": {"inputs": list(sumformer.phi.inputs), "nodes": len(sumformer.phi.nodes), "outputs": list(sumformer.phi.outputs)},
        "nodes": [{"reads": [list(read) for read in node.reads], "writes": list(node.writes)} for node in psi.nodes],
        "architectures": {a.name: _describe(a, psi.nodes) for a in architectures}})
    for i, node in enumerate(psi.nodes):
        _put(stored, f"nodes.{i}.thresholds", node.table.thresholds)
        _put(stored, f"nodes.{i}.values", node.table.values)
    for architecture in architectures:
        _put_architecture(stored, architecture)
    return stored


def load_sumformer(arrays: Mapping[str, np.ndarray], exact: Mapping[str, Any], network: Mapping[str, Any]) -> Sumformer:
    """Rebuild the Sumformer; raises KeyError, TypeError or ValueError when the description does not fit the arrays."""
    nodes = tuple(
        Node(tuple((str(channel), int(coefficient)) for channel, coefficient in node["reads"]),
             Staircase(_get(arrays, exact, f"nodes.{i}.thresholds"), _get(arrays, exact, f"nodes.{i}.values")),
             tuple(node["writes"]))
        for i, node in enumerate(network["nodes"]))
    phi = network["phi"]
    return Sumformer(Network(tuple(phi["inputs"]), nodes[: phi["nodes"]], tuple(phi["outputs"])),
                     Network(tuple(network["inputs"]), nodes, tuple(network["outputs"])), int(network["n"]))


def store_mean(sumformer: MeanSumformer, architectures: Sequence[Architecture], derivation: Mapping[str, Any]) -> Stored:
    """Describe a continuous Sumformer and the architectures around it; their FC layers are phi's and psi's, stored once.

    ``derivation`` says which quantity of the target is held where (constructions.sumformers.derivation).

    Raises:
        Refused: there are monomials, for which the format has no place.
    """
    if sumformer.monomials:
        raise Refused("a run directory holds ReLU layers alone: it has no place for monomials of the token")
    stored = Stored({}, {}, {
        "format": MEAN_FORMAT, "tokens": list(sumformer.tokens), "pooled": list(sumformer.pooled),
        "readout": list(sumformer.readout), "derivation": dict(derivation),
        **{part: [{"reads": list(layer.reads), "writes": list(layer.writes)} for layer in layers]
           for part, layers in (("phi", sumformer.phi), ("psi", sumformer.psi))},
        "architectures": {a.name: {"channels": list(a.layout.channels), "pooling_block": len(sumformer.phi)}
                          for a in architectures}})
    for part, layers in (("phi", sumformer.phi), ("psi", sumformer.psi)):
        for i, layer in enumerate(layers):
            for name in ("W_1", "bias", "W_2"):
                _put(stored, f"{part}.{i}.{name}", getattr(layer, name))
    _put(stored, "readout.W_out", sumformer.W_out)
    _put(stored, "readout.b_out", sumformer.b_out)
    for architecture in architectures:
        _put_architecture(stored, architecture)
    return stored


def load(arrays: Mapping[str, np.ndarray], exact: Mapping[str, Any], network: Mapping[str, Any]) -> Sumformer | MeanSumformer:
    """Rebuild a Sumformer of either kind; raises KeyError, TypeError or ValueError like :func:`load_sumformer`."""
    if network.get("format") == MEAN_FORMAT:
        return load_mean_sumformer(arrays, network)
    return load_sumformer(arrays, exact, network)


def load_mean_sumformer(arrays: Mapping[str, np.ndarray], network: Mapping[str, Any]) -> MeanSumformer:
    """Rebuild a continuous Sumformer; raises KeyError, TypeError or ValueError when the description does not fit the arrays."""
    def layers(part: str) -> tuple[ReluLayer, ...]:
        return tuple(ReluLayer(tuple(layer["reads"]), arrays[f"{part}.{i}.W_1"], arrays[f"{part}.{i}.bias"],
                               tuple(layer["writes"]), arrays[f"{part}.{i}.W_2"]) for i, layer in enumerate(network[part]))

    return MeanSumformer(tuple(network["tokens"]), layers("phi"), tuple(network["pooled"]), layers("psi"),
                         tuple(network["readout"]), arrays["readout.W_out"], arrays["readout.b_out"])


def _describe(architecture: Architecture, nodes: Sequence[Node]) -> dict[str, Any]:
    number = {id(node): i for i, node in enumerate(nodes)}
    blocks = [{"attention": block.attention is not None, "steps": [number[id(node)] for node in block.feed_forward.steps],
               "carries": list(block.feed_forward.carries)}
              for block in architecture.blocks if isinstance(block.feed_forward, FeedForward)]
    return {"channels": list(architecture.layout.channels), "blocks": blocks}


def _put_architecture(stored: Stored, architecture: Architecture) -> None:
    name = architecture.name
    stored.arrays[f"{name}.embed.weight"] = architecture.W_embed
    stored.arrays[f"{name}.embed.bias"] = architecture.b_embed
    stored.arrays[f"{name}.readout.weight"] = architecture.W_out
    for i, block in enumerate(architecture.blocks):
        for key, array in (block.attention or {}).items():
            stored.arrays[f"{name}.blocks.{i}.attention.{key}"] = array


def _put(stored: Stored, name: str, array: np.ndarray) -> None:
    if array.dtype == object:
        stored.exact[name] = {"shape": list(array.shape), "values": [str(value) for value in array.ravel()]}
    else:
        stored.arrays[name] = np.ascontiguousarray(array, dtype=np.float64)


def _get(arrays: Mapping[str, np.ndarray], exact: Mapping[str, Any], name: str) -> np.ndarray:
    if name in arrays:
        return arrays[name]
    entry = exact[name]
    flat = np.empty(len(entry["values"]), dtype=object)
    for i, text in enumerate(entry["values"]):
        number = exact_number(text)
        flat[i] = int(number) if number.denominator == 1 else number
    return flat.reshape(entry["shape"])
