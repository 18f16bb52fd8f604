"""The stored architectures, multiplied out: each computes the Sumformer (mathematics: residual-layout and the poolings).

Attention is reduced to one exact matrix M with Att(X)_i = sum_k X_k M for *every* X, which needs constant scores; M must carry
each phi channel to its Sigma channel with factor 1 and nothing else. The blocks are then followed channel by channel: a
channel is written once, while it is 0, by the node of that name, so by induction it holds what the Sumformer computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check.step_network import Rejected, StoredNode

Arrays = Mapping[str, np.ndarray]
# Products of three such weights and a number of the stream stay finite, and 0 times them is 0.
LARGEST_WEIGHT = {"float64": 2.0**200, "float32": 2.0**30, "exact": 2.0**200}
ENDS = ("embed.weight", "embed.bias", "readout.weight")
LARGEST_IN_STREAM = 2.0**40  # beside queries or keys that are not 0
LARGEST_EXPONENT = 60.0  # exp(+-60) is far from over- and underflow in both formats


@dataclass(frozen=True)
class HeadRule:
    """How the checker reads an architecture's attention.

    Attributes:
        step: id of the statement that says why it pools.
        arrays: its arrays beside W_Q, W_K and W_V.
        factor: from its arrays and n to c with head = c * sum_k X_k W_V in every row, for every X; raises Rejected.
    """

    step: str
    arrays: frozenset[str]
    factor: Callable[[Arrays, int], Fraction]


def pooling_step(architecture: str) -> str:
    """Return the id of the statement that says why an architecture's head pools."""
    return RULES[architecture].step if architecture in RULES else f"{architecture}-pooling"


def pooling_factor(architecture: str, weights: Arrays, n: int) -> Fraction:
    """Return c such that the head gives c * sum_k X_k W_V in every row, for every X, in real arithmetic.

    Raises:
        Rejected: the scores depend on X, the slots weigh tokens differently, or an array has the wrong shape.
    """
    require(architecture in RULES, f"unknown architecture {architecture!r}")
    expected = {"W_Q", "W_K", "W_V", *RULES[architecture].arrays}
    require(set(weights) == expected, f"{architecture}: attention stores {sorted(weights)}, expected {sorted(expected)}")
    d_model = len(weights["W_V"])
    if any(weights[name].ndim != 2 or len(weights[name]) != d_model for name in ("W_Q", "W_K")):
        raise Rejected(f"{architecture}: W_Q and W_K must have {d_model} rows")
    if weights["W_Q"].shape != weights["W_K"].shape or not weights["W_Q"].shape[1]:
        raise Rejected(f"{architecture}: W_Q and W_K must have the same number of columns, at least one")
    return RULES[architecture].factor(weights, n)


def zero(weights: Arrays, name: str) -> bool:
    """Return whether an array has no other entry than 0."""
    return not np.any(weights[name])


def scored(weights: Arrays) -> bool:
    """Say whether queries or keys are not zero, so that the size of the stream matters to a head."""
    return any(np.any(array) for key, array in weights.items() if key.endswith(("W_Q", "W_K")))


def require(condition: bool, reason: str) -> None:
    """Reject where a condition does not hold."""
    if not condition:
        raise Rejected(reason)


def _softmax_factor(weights: Arrays, n: int) -> Fraction:
    require(zero(weights, "W_Q") or zero(weights, "W_K"), "transformer: attention weights are uniform only if W_Q = 0 or W_K = 0")
    return Fraction(1, n)


def _linformer_factor(weights: Arrays, n: int) -> Fraction:
    require(zero(weights, "W_Q") or zero(weights, "W_K"), "linformer: slot weights are uniform only if W_Q = 0 or W_K = 0")
    return _slot_average(weights, n)


def _performer_factor(weights: Arrays, n: int) -> Fraction:
    both = zero(weights, "W_Q") and zero(weights, "W_K")
    require(both, "performer: the kernel is 1 for all features only if W_Q = W_K = 0")
    _check_features("performer", weights)
    return Fraction(1)


def _normalised_factor(weights: Arrays, n: int) -> Fraction:
    require(zero(weights, "W_K"), "performer-normalised: the kernel is uniform only if W_K = 0")
    _check_features("performer-normalised", weights)
    return Fraction(1, n)


def _check_features(architecture: str, weights: Arrays) -> None:
    if weights["w"].ndim != 2 or weights["w"].shape[1] != weights["W_Q"].shape[1] or not len(weights["w"]):
        raise Rejected(f"{architecture}: features w of shape {weights['w'].shape} do not fit W_Q")


def check_architecture(architecture: str, description: Mapping[str, Any], arrays: Arrays, nodes: Sequence[StoredNode],
                       network: Mapping[str, Any], n: int, number_format: str, largest: float, codes_negative: bool) -> int:
    """Check one architecture against the Sumformer's nodes.

    Args:
        number_format: the format it is claimed to run in; its weights must be numbers of that format, none too large.
        largest: the largest size of a number in the stream when attention reads it.
        codes_negative: whether some code is, so that Sigma may not survive a ReLU.

    Returns:
        The number of features or slots of its head (0 for softmax), which enters the rounding analysis.

    Raises:
        Rejected: with the first thing that is wrong.
    """
    channels = list(description["channels"])
    if len(set(channels)) != len(channels):
        raise Rejected(f"{architecture}: a channel occurs twice in the stream")
    mine = {key.removeprefix(f"{architecture}."): array for key, array in arrays.items() if key.startswith(f"{architecture}.")}
    if any(not np.all(np.abs(array) <= LARGEST_WEIGHT[number_format]) for array in mine.values()):
        raise Rejected(f"{architecture}: a weight is not finite, or so large that scores could overflow")
    if number_format == "float32" and any(not np.array_equal(a.astype(np.float32), a) for a in mine.values()):
        raise Rejected(f"{architecture}: a weight is not a float32 number")
    tokens = list(network["phi"]["inputs"])
    if not {"1", *tokens} <= set(channels):
        raise Rejected(f"{architecture}: the stream has no channel for 1, which makes the biases, or for a token coordinate")
    _check_ends(architecture, mine, channels, tokens, list(network["outputs"]))
    codes = list(network["phi"]["outputs"])
    known, sizes = {"1", *tokens}, []
    for i, block in enumerate(description["blocks"]):
        sigma: set[str] = set()
        if block["attention"]:
            head = {key.removeprefix(f"blocks.{i}.attention."): a for key, a in mine.items()
                    if key.startswith(f"blocks.{i}.attention.")}
            _check_routes(architecture, head, channels, codes, n)
            check_exponents(architecture, head, largest)
            if number_format != "exact" and scored(head) and not largest <= LARGEST_IN_STREAM:
                raise Rejected(f"{architecture}: queries or keys beside numbers up to {largest:g}, so that scores could overflow")
            if not set(codes) <= known:
                raise Rejected(f"{architecture}: block {i} pools before phi is computed")
            sigma = {code.replace("phi", "sigma") for code in codes}
            sizes.append(len(head.get("F", head.get("w", ()))))
        known = _follow_block(f"{architecture}, block {i}", block, nodes, known, sigma, channels)
    if len(sizes) != 1:
        raise Rejected(f"{architecture}: {len(sizes)} blocks have attention, expected one")
    if codes_negative and any(block["carries"] for block in description["blocks"]):
        raise Rejected(f"{architecture}: Sigma is carried through a ReLU, which needs codes that are not negative")
    missing = set(network["outputs"]) - known
    if missing:
        raise Rejected(f"{architecture}: outputs {sorted(missing)} are never written")
    used = tuple(f"blocks.{i}.attention." for i, block in enumerate(description["blocks"]) if block["attention"])
    extra = [key for key in mine if not key.startswith(used) and key not in ENDS]
    if extra:
        raise Rejected(f"{architecture}: array {extra[0]} belongs to no block")
    return int(sizes[0])


def _check_ends(architecture: str, mine: Arrays, channels: list[str], tokens: list[str], outputs: list[str]) -> None:
    embed, bias, readout = mine["embed.weight"], mine["embed.bias"], mine["readout.weight"]
    right = (np.array_equal(embed, _selection(tokens, channels)) and np.array_equal(bias, _selection(["1"], channels)[0])
             and np.array_equal(readout, _selection(outputs, channels).T))
    if not right:
        raise Rejected(f"{architecture}: the embedding must be [1 | x | 0 ..] and the readout select the outputs")


def _selection(names: list[str], channels: list[str]) -> np.ndarray:
    return np.array([[float(name == channel) for channel in channels] for name in names])


def _check_routes(architecture: str, head: Arrays, channels: list[str], codes: list[str], n: int) -> None:
    factor = pooling_factor(architecture, head, n)
    expected = {(channels.index(code), channels.index(code.replace("phi", "sigma"))) for code in codes}
    if head["W_V"].shape != (len(channels), len(channels)):
        raise Rejected(f"{architecture}: W_V has shape {head['W_V'].shape}, the stream is {len(channels)} wide")
    found = {(int(i), int(j)) for i, j in np.argwhere(head["W_V"])}
    wrong = found ^ expected
    if wrong:
        i, j = min(wrong)
        raise Rejected(f"{architecture}: W_V[{channels[i]}, {channels[j]}] = {head['W_V'][i, j]}")
    for i, j in sorted(expected):
        total = factor * Fraction(float(head["W_V"][i, j]))
        if total != 1:
            raise Rejected(f"{architecture}: pooling returns {total} times Sigma in {channels[j]}, expected 1")


def check_exponents(architecture: str, head: Arrays, largest: float) -> None:
    """Reject queries of the normalised Performer so large that its kernel, uniform over the reals, could over- or underflow."""
    if architecture != "performer-normalised":
        return
    query = np.abs(head["W_Q"]).sum(axis=0) * max(1.0, largest)
    if not float((np.abs(head["w"]) @ query).max() + query @ query / 2) <= LARGEST_EXPONENT:
        raise Rejected("performer-normalised: W_Q and w are so large that exp could over- or underflow")


def _slot_average(weights: Arrays, n: int) -> Fraction:
    E, F = weights["E"], weights["F"]
    if E.ndim != 2 or E.shape != F.shape or F.shape[1] != n or not len(F):
        raise Rejected(f"linformer: E {E.shape} and F {F.shape} must both be (k, {n})")
    if np.any(F < 0):
        raise Rejected("linformer: F has negative entries, so sums could cancel in floating point")
    others = F[:, (F[:, :1] != F).any(axis=0)]  # columns that equal the first have its mean; of millions few are left
    columns = [sum((Fraction(float(entry)) for entry in column), Fraction(0)) / len(F) for column in (F[:, 0], *others.T)]
    if len(set(columns)) != 1:
        raise Rejected("linformer: the columns of F have different means, so tokens are weighted by position")
    return columns[0]


# One entry an architecture; what is not here is never certified (docs/how-to/architecture.md).
RULES = {
    "transformer": HeadRule("softmax-pooling", frozenset(), _softmax_factor),
    "linformer": HeadRule("linformer-pooling", frozenset({"E", "F"}), _linformer_factor),
    "performer": HeadRule("performer-pooling", frozenset({"w"}), _performer_factor),
    "performer-normalised": HeadRule("performer-pooling", frozenset({"w"}), _normalised_factor),
}


def _follow_block(place: str, block: Mapping[str, Any], nodes: Sequence[StoredNode], known: set[str], sigma: set[str],
                  channels: list[str]) -> set[str]:
    """Return the channels that hold their Sumformer value after X + FC(X + Att(X)); all others are still 0."""
    if sigma & known:
        raise Rejected(f"{place}: Sigma is added to channels that are already in use")
    visible, written = known | sigma, set[str]()
    for index in block["steps"]:
        node = nodes[index]
        if not {channel for channel, _ in node.reads} <= visible:
            raise Rejected(f"{place}: node {index} reads channels that are not computed yet")
        if set(node.writes) & (visible | written) or not set(node.writes) <= set(channels):
            raise Rejected(f"{place}: node {index} writes {node.writes}, which are in use or not in the stream")
        written |= set(node.writes)
    carries = set(block["carries"])
    if not carries <= sigma:
        raise Rejected(f"{place}: carries {sorted(carries - sigma)}, which attention did not write")
    return known | written | carries

