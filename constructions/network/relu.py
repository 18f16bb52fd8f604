"""Residual ReLU layers on named channels: stream <- stream + relu(stream W_1 + b) W_2, the FC of a Transformer block.

What is not written stays in the stream, so carrying a channel past a layer costs nothing (mathematics: residual-layout).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

Channels = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ReluLayer:
    """One hidden layer; a channel that it writes for the first time was 0 before.

    Attributes:
        reads: channels it reads, the rows of ``W_1``.
        W_1: (len(reads), units) float64.
        bias: (units,) float64.
        writes: channels it adds to, the columns of ``W_2``.
        W_2: (units, len(writes)) float64.
    """

    reads: tuple[str, ...]
    W_1: np.ndarray
    bias: np.ndarray
    writes: tuple[str, ...]
    W_2: np.ndarray

    def __post_init__(self) -> None:
        expected = (len(self.reads), self.units), (self.units, len(self.writes))
        if (self.W_1.shape, self.W_2.shape) != expected or self.bias.shape != (self.units,):
            raise ValueError(f"layer shapes {self.W_1.shape}, {self.bias.shape}, {self.W_2.shape} do not fit "
                             f"{len(self.reads)} reads and {len(self.writes)} writes")

    @property
    def units(self) -> int:
        """Number of hidden units."""
        return int(self.W_1.shape[1])

    @property
    def n_nonzero(self) -> int:
        """Number of non-zero weights and biases."""
        return sum(int(np.count_nonzero(array)) for array in (self.W_1, self.bias, self.W_2))

    def __call__(self, known: Channels) -> dict[str, Any]:
        """Return the channels after the layer; float64 arrays or object arrays of exact numbers, all of one shape."""
        some = np.asarray(next(iter(known.values())))
        columns = [known[channel] for channel in self.reads]
        stream = np.stack(columns, axis=-1) if columns else np.zeros((*some.shape, 0), some.dtype)
        exact = stream.dtype == object
        W_1, bias, W_2 = (_exact(array) if exact else array for array in (self.W_1, self.bias, self.W_2))
        hidden = np.maximum(stream @ W_1 + bias, _exact(np.zeros(())) if exact else 0.0)
        added = hidden @ W_2
        return {**known, **{channel: known.get(channel, 0) + added[..., k] for k, channel in enumerate(self.writes)}}


def run(layers: Iterable[ReluLayer], known: Channels) -> dict[str, Any]:
    """Apply layers in order; returns all channels."""
    known = dict(known)
    for layer in layers:
        known = layer(known)
    return known


@dataclass(frozen=True, eq=False)
class MeanSumformer:
    """S(X)_i = psi(x_i, mean_k phi(x_k)): the paper's Sumformer in the mean convention, for every n at once.

    psi reads the own token, every channel phi's layers left in the stream, and the means; n does not occur. Products of the
    token's coordinates may be there before phi, as in the paper's continuous proof. No ReLU layer makes these exactly: such a
    network is evaluated and certified by subdivision, and neither stored nor made a Transformer.

    Attributes:
        tokens: input channels x.0, .., x.{d-1} (and ``position`` where the token carries its index).
        phi: layers before pooling.
        pooled: channels whose means are taken, d' of them; the mean of ``c`` is the channel ``mean.c``.
        psi: layers after pooling.
        readout: channels the output reads, the rows of ``W_out``.
        W_out, b_out: (len(readout), d_out) and (d_out,) float64.
        monomials: channels that are products before phi, each of the coordinates whose numbers it has.
    """

    tokens: tuple[str, ...]
    phi: tuple[ReluLayer, ...]
    pooled: tuple[str, ...]
    psi: tuple[ReluLayer, ...]
    readout: tuple[str, ...]
    W_out: np.ndarray
    b_out: np.ndarray
    monomials: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for channel, own in self.monomials.items():
            if channel in self.tokens or not own or not set(own) <= set(range(len(self.tokens))):
                raise ValueError(f"the monomial {channel} of the coordinates {own} does not fit {len(self.tokens)} of a token")
        known = set(self.given)
        for layer in self.phi:
            known |= _checked(layer, known)
        missing = set(self.pooled) - known
        known |= {mean_of(channel) for channel in self.pooled}
        for layer in self.psi:
            known |= _checked(layer, known)
        missing |= set(self.readout) - known
        if missing or self.W_out.shape != (len(self.readout), len(self.b_out)):
            raise ValueError(f"channels read before they exist: {sorted(missing)}, or W_out {self.W_out.shape} does not fit")

    @property
    def d_latent(self) -> int:
        """d', the number of pooled channels."""
        return len(self.pooled)

    @property
    def d_out(self) -> int:
        """Number of output features."""
        return len(self.b_out)

    @property
    def given(self) -> tuple[str, ...]:
        """The channels that are there before phi: coordinates of the token, and monomials."""
        return (*self.tokens, *self.monomials)

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels of the stream in the order of their first appearance: tokens, monomials, phi's, means, psi's."""
        written = [channel for layer in self.phi for channel in layer.writes]
        after = [channel for layer in self.psi for channel in layer.writes]
        return tuple(dict.fromkeys([*self.given, *written, *map(mean_of, self.pooled), *after]))

    @property
    def depth(self) -> int:
        """Number of hidden layers of phi and psi."""
        return len(self.phi) + len(self.psi)

    @property
    def width(self) -> int:
        """Largest number of hidden units in one layer."""
        return max((layer.units for layer in (*self.phi, *self.psi)), default=0)

    @property
    def n_nonzero(self) -> int:
        """Non-zero weights and biases of phi and psi, the readout included."""
        layers = sum(layer.n_nonzero for layer in (*self.phi, *self.psi))
        return layers + int(np.count_nonzero(self.W_out)) + int(np.count_nonzero(self.b_out))

    @property
    def n_parameters(self) -> int:
        """Entries of all weight arrays as stored, zeros included."""
        arrays = [array for layer in (*self.phi, *self.psi) for array in (layer.W_1, layer.bias, layer.W_2)]
        return sum(array.size for array in (*arrays, self.W_out, self.b_out))

    def rounded(self, kind: type[np.float32]) -> MeanSumformer:
        """Round every weight to another format; stored as float64 all the same."""
        def to(array: np.ndarray) -> np.ndarray:
            return array.astype(kind).astype(np.float64)

        def layers(before: Iterable[ReluLayer]) -> tuple[ReluLayer, ...]:
            return tuple(ReluLayer(one.reads, to(one.W_1), to(one.bias), one.writes, to(one.W_2)) for one in before)

        return replace(self, phi=layers(self.phi), psi=layers(self.psi), W_out=to(self.W_out), b_out=to(self.b_out))

    def start(self, token: Sequence[Any]) -> dict[str, Any]:
        """Return the channels before phi from the coordinates of a token, numbers or arrays of any kind."""
        products = {channel: functools.reduce(operator.mul, [token[c] for c in own]) for channel, own in self.monomials.items()}
        return dict(zip(self.tokens, token, strict=True)) | products

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Evaluate on a (*batch, n, d) array, float64 or exact objects; returns (*batch, n, d_out)."""
        known = run(self.phi, self.start([tokens[..., c] for c in range(len(self.tokens))]))
        n = tokens.shape[-2]
        means = {mean_of(channel): np.broadcast_to(np.add.reduce(known[channel], axis=-1, keepdims=True) / n, tokens.shape[:-1])
                 for channel in self.pooled}
        known = run(self.psi, known | means)
        return self.read(known, tokens.shape[:-1])

    def read(self, known: Channels, shape: Sequence[int]) -> np.ndarray:
        """Return W_out^T stream + b_out, shape (*shape, d_out)."""
        exact = any(np.asarray(known[channel]).dtype == object for channel in self.readout)
        total = np.zeros((*shape, self.d_out)) + self.b_out
        total = _exact(total) if exact else total
        for row, channel in zip(self.W_out, self.readout, strict=True):
            total = total + known[channel][..., None] * (_exact(row) if exact else row)
        return total


def mean_of(channel: str) -> str:
    """Return the name of the channel that holds the mean of another over all tokens."""
    return f"mean.{channel}"


def _checked(layer: ReluLayer, known: set[str]) -> set[str]:
    missing = set(layer.reads) - known
    if missing:
        raise ValueError(f"channels read before they exist: {sorted(missing)}")
    return set(layer.writes)


def _exact(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.frompyfunc(Fraction, 1, 1)(array), dtype=object)
