"""The Sumformer of the paper (definition 2.2): a pair of networks around a sum over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from constructions.network import Network


def token_channels(tokens: Any) -> dict[str, Any]:
    """Name the coordinates of a (*batch, n, d) token array: channels x.0, .., x.{d-1} of shape (*batch, n)."""
    return {f"x.{c}": tokens[..., c] for c in range(tokens.shape[-1])}


@dataclass(frozen=True, eq=False)
class Sumformer:
    """S(X)_i = psi(x_i, Sigma) with Sigma = sum_k phi(x_k).

    ``phi`` reads x.* and writes phi.*, ``psi`` reads x.* and sigma.* and writes y.*. psi starts with the nodes of phi, so that
    it can subtract phi(x_i); an architecture that keeps phi in its stream does not compute them twice.
    """

    phi: Network
    psi: Network
    n: int

    @property
    def d_latent(self) -> int:
        """d', the number of channels of Sigma."""
        return len(self.phi.outputs)

    @property
    def n_parameters(self) -> int:
        """Weights and biases; psi starts with the nodes of phi."""
        return self.psi.n_parameters

    @property
    def n_nonzero(self) -> int:
        """Non-zero ones among them."""
        return self.psi.n_nonzero

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return self.psi.depth

    @property
    def width(self) -> int:
        """Largest number of hidden units in one layer."""
        return self.psi.width

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Evaluate on a (*batch, n, d) array, float64 or exact objects; returns (*batch, n, d_out)."""
        inside = self.phi(token_channels(tokens))
        sigma = {channel.replace("phi", "sigma"): np.broadcast_to(np.add.reduce(inside[channel], axis=-1, keepdims=True),
                                                                  tokens.shape[:-1]) for channel in self.phi.outputs}
        return self.psi.output(token_channels(tokens) | sigma)
