"""Long sequences as few different tokens with multiplicities: memory and time do not depend on n.

f and T are equivariant, so a sequence is a multiset of tokens, and means over it are weighted means. Means of a long sequence of
random tokens hardly vary; those of few tokens in any proportion do, so these are the better adversary as well. What an error is
linear in are means: with the own token and one mean held fixed it is largest for two other tokens (a linear program).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Counts = tuple[int, ...]
DIFFERENT = 4  # tokens


@dataclass(frozen=True)
class Repeated:
    """Sequences of ``n`` tokens, at most ``different`` of them different."""

    n: int
    different: int = DIFFERENT

    def __post_init__(self) -> None:
        if self.n < self.different:
            raise ValueError(f"{self.n} tokens cannot be {self.different} different ones")

    def draw(self, generator: torch.Generator, number: int) -> Tensor:
        """Return how often each token occurs in so many sequences, from nearly equal shares to one that is nearly everything.

        >>> counts = Repeated(10**6).draw(torch.Generator().manual_seed(0), 1000)
        >>> set(counts.sum(dim=1).tolist()), int(counts.min()), int(counts.max()) > 900_000
        ({1000000}, 1, True)
        """
        spread = 8.0 * torch.rand(number, 1, generator=generator, dtype=torch.float64)
        return self._of(spread * torch.randn(number, self.different, generator=generator, dtype=torch.float64))

    def near(self, generator: torch.Generator, counts: Tensor, trials: int, scale: float | Tensor) -> Tensor:
        """Change half of the multiplicities of (candidates, different) by factors of about e^(4 scale); ``trials`` each.

        The moves are the same for all candidates; ``scale`` is one for all trials or one for each.
        """
        moves = torch.randn(trials, self.different, generator=generator, dtype=torch.float64)
        moves *= torch.rand(trials, self.different, generator=generator) < 0.5
        moves *= 4 * torch.as_tensor(scale, dtype=torch.float64).cpu().view(-1, 1)
        return self._of((counts.cpu().double().log()[:, None] + moves).flatten(0, 1)).to(counts.device)

    def _of(self, logarithms: Tensor) -> Tensor:
        """Round shares to whole numbers from 1 on, whose sum is n; the largest takes what is left."""
        shares = torch.softmax(logarithms, dim=1)
        counts = 1 + (shares * (self.n - self.different)).floor().long()
        left = self.n - counts.sum(dim=1, keepdim=True)
        return counts.scatter_add(1, counts.argmax(dim=1, keepdim=True), left)
