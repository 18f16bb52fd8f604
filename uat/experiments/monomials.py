"""The monomials x^a, |a| >= 1, in graded order: phi of the paper's continuous proof."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement, islice

import torch
from torch import Tensor


def printed_latent_dimension(n: int, d: int) -> int:
    """Return binom(n+d, d) - 1, the number of monomials with 1 <= |a| <= n.

    >>> printed_latent_dimension(5, 4), printed_latent_dimension(3, 1)
    (125, 3)
    """
    return math.comb(n + d, d) - 1


@lru_cache(maxsize=64)
def factors(d: int, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the first ``count`` monomials in graded order, each as the coordinates whose product it is.

    >>> factors(2, 5)
    ((0,), (1,), (0, 0), (0, 1), (1, 1))
    """
    degree, found = 1, list[tuple[int, ...]]()
    while len(found) < count:
        found.extend(islice(combinations_with_replacement(range(d), degree), count - len(found)))
        degree += 1
    return tuple(found)


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
