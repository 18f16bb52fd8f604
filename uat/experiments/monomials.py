"""The first monomials of tokens in graded order, as a tensor; how many the paper's proof takes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from constructions.network.monomials import factors


def printed_latent_dimension(n: int, d: int) -> int:
    """Return binom(n+d, d) - 1, the number of monomials with 1 <= |a| <= n.

    >>> printed_latent_dimension(5, 4), printed_latent_dimension(3, 1)
    (125, 3)
    """
    return math.comb(n + d, d) - 1


def monomials(tokens: Tensor, count: int) -> Tensor:
    """Return the first ``count`` monomials of (.., d) tokens, shape (.., count): each from one of a degree less."""
    wanted = factors(tokens.shape[-1], count)
    place = {(): 0} | {own: k + 1 for k, own in enumerate(wanted)}
    columns = [torch.ones_like(tokens[..., 0])]
    if tokens.shape[-1] == 1:
        return tokens.double().pow(torch.arange(1, count + 1, device=tokens.device)).to(tokens.dtype)
    columns.extend(torch.empty(0) for _ in wanted)
    for own in wanted:
        columns[place[own]] = columns[place[own[:-1]]] * tokens[..., own[-1]]
    return torch.stack(columns[1:], dim=-1)
