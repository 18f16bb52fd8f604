"""One trained Sumformer out of a stack, in float64: searched for its worst error, enclosed there by balls, and stored.

The scale of the outputs is folded into the last layer, so the network that is judged is the network that is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from constructions.network.monomials import factors
from uat.experiments.monomials import monomials
from uat.experiments.sumformers import StackedSumformer

Layers = tuple[tuple[Tensor, Tensor], ...]  # (in, out) weights and biases, ReLU between them
NUMBERS = 2**21  # of the largest intermediate held at once: a processor's cache


@dataclass(frozen=True, eq=False)
class Extracted:
    """psi(x_i, mean_k phi(x_k)); ``phi`` is empty where it is the first ``d_latent`` monomials."""

    phi: Layers
    psi: Layers
    d: int
    d_latent: int

    @staticmethod
    def of(stack: StackedSumformer, e: int) -> Extracted:
        """Take member e out of a stack."""
        phi: Layers = ()
        if stack.kind == "mlp":
            phi = tuple(layer.arrays_of(e) for layer in (*stack.phi.linears(), stack.phi_last))
        own, (mean, bias) = stack.psi_own.arrays_of(e)[0], stack.psi_mean.arrays_of(e)
        *inner, (weight, last) = (layer.arrays_of(e) for layer in stack.psi.linears())
        shift, scale = (part[e, 0, 0].detach().cpu().double() for part in (stack.shift, stack.scale))
        psi = ((torch.cat([own, mean]), bias), *inner, (weight * scale, shift + last * scale))
        return Extracted(phi, psi, stack.d, stack.members[e].d_latent)

    def to(self, device: torch.device) -> Extracted:
        """Return it on a device."""
        phi, psi = (tuple((W.to(device), b.to(device)) for W, b in part) for part in (self.phi, self.psi))
        return Extracted(phi, psi, self.d, self.d_latent)

    @torch.no_grad()
    def __call__(self, tokens: Tensor, counts: Sequence[int] | None = None) -> Tensor:
        """Map (batch, n, d) float64 tokens to (batch, n, d_out); ``counts`` says how often each of the n tokens occurs."""
        width = max(self.d_latent, *(W.shape[1] for W, _ in self.psi))
        together = max(1, NUMBERS // (tokens.shape[-2] * width))
        return torch.cat([self._some(part, counts) for part in torch.split(tokens.contiguous(), together)])

    def _some(self, tokens: Tensor, counts: Sequence[int] | None) -> Tensor:
        (first, bias), *inner = self.psi
        if self.phi:
            weight, last = self.phi[-1]
            mu = _mean(torch.relu(_through(self.phi[:-1], tokens)), counts) @ weight + last
        else:
            mu = _mean(monomials(tokens, self.d_latent), counts)
        own = tokens @ first[: self.d] + (mu @ first[self.d :] + bias).unsqueeze(-2)
        return _through(tuple(inner), torch.relu(own))

    def balls(self, tokens: np.ndarray) -> np.ndarray:
        """Enclose the outputs at an (n, d) array of float64 tokens, shape (n, d_out); the weights are the numbers they are."""
        from flint import arb, arb_mat

        def through(layers: Layers, values: Any) -> Any:
            for k, (W, b) in enumerate(layers):
                if k:
                    values = arb_mat(values.nrows(), values.ncols(), [entry.max(arb(0)) for entry in values.entries()])
                bias = arb_mat([b.tolist()] * values.nrows())
                values = values * arb_mat(W.tolist()) + bias
            return values

        rows = [[arb(float(x)) for x in token] for token in tokens]
        if self.phi:
            features = through(self.phi, arb_mat(rows)).tolist()
        else:
            features = [[_product(token, own) for own in factors(self.d, self.d_latent)] for token in rows]
        mu = [sum(column, arb(0)) / len(rows) for column in zip(*features, strict=True)]
        values = through(self.psi, arb_mat([[*token, *mu] for token in rows])).tolist()
        out = np.empty((len(values), len(values[0])), dtype=object)
        for i, row in enumerate(values):
            out[i, :] = row
        return out

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state dict that ``uat certify --network`` reads; without phi where it is monomials."""
        return {f"{part}.{2 * k}.{name}": value for part, layers in (("phi", self.phi), ("psi", self.psi))
                for k, (W, b) in enumerate(layers)
                for name, value in (("weight", np.ascontiguousarray(W.cpu().numpy().T)), ("bias", b.cpu().numpy().copy()))}


def _through(layers: Layers, values: Tensor) -> Tensor:
    for k, (W, b) in enumerate(layers):
        values = (torch.relu(values) if k else values) @ W + b
    return values


def _mean(values: Tensor, counts: Sequence[int] | None) -> Tensor:
    if counts is None:
        return values.mean(-2)
    return (values * values.new_tensor(counts)[:, None]).sum(-2) / sum(counts)


def _product(token: Sequence[Any], own: Sequence[int]) -> Any:
    value = token[own[0]]
    for c in own[1:]:
        value = value * token[c]
    return value
