"""Long sequences as few different tokens with multiplicities: memory and time do not depend on n.

f and T are equivariant, so a sequence is a multiset of tokens, and means over it are weighted means. Means of a long sequence of
random tokens hardly vary; those of few tokens in any proportion do, so these are the better adversary as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Counts = tuple[int, ...]
DIFFERENT = 16  # tokens


@dataclass(frozen=True)
class Repeated:
    """Sequences of ``n`` tokens, at most ``different`` of them different."""

    n: int
    seed: int
    different: int = DIFFERENT

    def __post_init__(self) -> None:
        if self.n < self.different:
            raise ValueError(f"{self.n} tokens cannot be {self.different} different ones")

    def counts(self, number: int) -> Counts:
        """Return how often each token occurs, from nearly equal shares to one token that is nearly all of the sequence.

        >>> several = [Repeated(10**6, 0).counts(number) for number in range(100)]
        >>> {sum(counts) for counts in several}, min(map(min, several)), max(map(max, several)) > 900_000
        ({1000000}, 1, True)
        """
        rng = np.random.default_rng((self.seed % 2**64, number))
        shares = rng.dirichlet(np.full(self.different, 2.0 ** rng.uniform(-5, 5)))
        counts = 1 + np.floor(np.nan_to_num(shares) * (self.n - self.different)).astype(np.int64)
        counts[rng.integers(self.different)] += self.n - int(counts.sum())
        return tuple(int(count) for count in counts)
