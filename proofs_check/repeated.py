"""Long sequences as few different tokens with multiplicities: memory and time do not depend on n.

f and T are equivariant, so a sequence is a multiset of tokens, and means over it are weighted means. Means of a long sequence of
random tokens hardly vary; those of few tokens in any proportion do, so these are the better adversary as well. What an error is
linear in are means: with the own token and one mean held fixed it is largest for two other tokens (a linear program).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce

import torch
from torch import Tensor

from proofs_check.draws import Space, cloud

Counts = tuple[int, ...]
DIFFERENT = 4  # tokens
KINDS = 6  # of shares: like 1 + u, u, u^2, u^4, u^8, u^16, with u uniform
LEAST = 2.0**-60  # of u: no power underflows


@dataclass(frozen=True)
class Repeated:
    """Sequences of ``n`` tokens, at most ``different`` of them different.

    Multiplicities come from sums, products and quotients, which every device rounds alike.
    """

    n: int
    different: int = DIFFERENT

    def __post_init__(self) -> None:
        if self.n < self.different:
            raise ValueError(f"{self.n} tokens cannot be {self.different} different ones")

    def draw(self, space: Space, generator: torch.Generator, number: int) -> Tensor:
        """Return how often each token occurs in so many sequences, from nearly equal shares to one that is nearly everything.

        The largest share is the first token's. Returns (number, different) integers on the space's device.
        """
        half = -(-number // 2)  # all kinds in both halves, for those of the tokens may be drawn in different ways
        drawn = space.unit(generator, self.different, 2 * half, partial(cloud, number=1))  # tokens are drawn from number 0
        weights = drawn.double().clamp_(min=LEAST).view(self.different, 2, half)
        weights[..., :half // KINDS].add_(1)
        for k in range(2, KINDS):
            weights[..., k * half // KINDS:].square_()
        largest = weights[0].clone()
        for weight in weights[1:]:  # it takes what rounding leaves over: that should matter little
            larger = torch.maximum(largest, weight)
            torch.minimum(largest, weight, out=weight)
            largest = larger
        weights[0] = largest
        return self._of(weights.view(self.different, -1)[:, :number])

    def near(self, space: Space, generator: torch.Generator, counts: Tensor, trials: int, scale: float | Tensor) -> Tensor:
        """Change half of the multiplicities of (candidates, different), by factors of about 1 + 4 scale or less; ``trials`` each.

        The moves are the same for all candidates; ``scale`` is one for all trials or one for each.
        """
        moves = space.moves_of(generator, self.different, trials, scale).double().mul_(4)
        factors = moves.clamp(min=0).add_(1).div_(moves.clamp(max=0).neg_().add_(1))
        return self._of((counts.T.double()[:, :, None] * factors[:, None]).flatten(1))

    def _of(self, weights: Tensor) -> Tensor:
        """Round the shares of (different, number) weights down to whole numbers, from 1 on; the first takes the few left of n."""
        counts = weights.mul(self.n - self.different).div_(_sum(weights)).floor_().long().add_(1)
        counts[0] += self.n - _sum(counts)
        return counts.T


def _sum(rows: Tensor) -> Tensor:
    """Add rows one by one: the order of a sum over a dimension is the device's."""
    return reduce(torch.add, rows.unbind(0))
