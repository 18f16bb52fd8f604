"""Where to look: plain places, both sides of every kind of threshold, and a small search that climbs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from tests.clean_room.float_network import FloatNetwork
from tests.clean_room.stored_files import Stored
from tests.clean_room.target_value import Target

Sequence = list[list[Fraction]]
TINY = Fraction(1, 2**70)  # far below what float64 sees


class Places:
    """Sequences of n exact tokens in the domain of a run.

    A position, where there is one, is i/n, or with ``anywhere`` any number from [0, 1], about which the claim is as well.
    """

    def __init__(self, stored: Stored, n: int, seed: int, *, anywhere: bool = False) -> None:
        self.stored, self.n, self.rng = stored, n, random.Random(seed)
        self.positional = stored.plan["positional"] and not anywhere
        self.sides = stored.sides[:-1] if self.positional else stored.sides
        self.network, self.target = FloatNetwork(stored), Target(stored.plan["expression"])

    def plain(self, count: int) -> Iterator[Sequence]:
        """Ends of the domain, all tokens equal, two values, random rationals and random floats."""
        corners = list(itertools.product(*self.sides))
        yield from (self._placed([corner] * self.n) for corner in corners)
        yield from (self._placed([a] + [b] * (self.n - 1)) for a, b in itertools.permutations(corners, 2))
        for _ in range(count):
            a, b = self._random(), self._random()
            yield self._placed([a] * self.n)
            yield self._placed([self.rng.choice((a, b)) for _ in range(self.n)])
            yield self._placed([self.rng.choice(corners) for _ in range(self.n)])
            yield self._placed([self._random() for _ in range(self.n)])
            yield self._exact(self._float_batch(1)[0])

    def thresholds(self, count: int) -> Iterator[Sequence]:
        """Step networks: a token at a stored threshold of its coordinate, and just beside it on both sides."""
        if not self.network.steps:
            return
        found = [(int(node["reads"][0][0].removeprefix("x.")), Fraction(threshold))
                 for i, node in enumerate(self.stored.network["nodes"]) if node["reads"][0][0].startswith("x.")
                 for threshold in self.stored.arrays[f"nodes.{i}.thresholds"].tolist()]
        found = [(coordinate, threshold) for coordinate, threshold in found if coordinate < len(self.sides)]
        for coordinate, threshold in self.rng.sample(found, min(count, len(found))):
            others = [self._random() for _ in range(self.n)]
            for place in (threshold - TINY, threshold, threshold + TINY):
                at = [*others[0][:coordinate], place, *others[0][coordinate + 1:]]
                yield self._placed([at, *others[1:]])
                yield self._placed([at] * self.n)

    def kinks(self, count: int) -> Iterator[Sequence]:
        """ReLU networks: where units bend on the way from one sequence to another, by bisection, from both sides."""
        if self.network.steps:
            return
        start, end = self._float_batch(2)
        grid = np.linspace(0, 1, 65)
        signs = self.network.bends(_between(start, end, grid), 0) > 0
        crossings = list(zip(*np.nonzero(signs[1:] != signs[:-1]), strict=True))
        chosen = self.rng.sample(crossings, min(count, len(crossings)))
        lower, upper = (np.array([grid[k + shift] for k, _ in chosen]) for shift in (0, 1))
        for _ in range(60 if chosen else 0):
            middle = (lower + upper) / 2
            bends = self.network.bends(_between(start, end, middle), 0) > 0
            same = np.array([bends[row, unit] == signs[k, unit] for row, (k, unit) in enumerate(chosen)])
            lower, upper = np.where(same, middle, lower), np.where(same, upper, middle)
        for along in (lower, upper):
            yield from (self._exact(tokens) for tokens in _between(start, end, along))

    def climbed(self, count: int, rounds: int = 12) -> Iterator[tuple[Sequence, int]]:
        """The worst sequences that a local search finds in float64, each with the own token's number."""
        own = self.rng.randrange(self.n)
        best = self._float_batch(512)
        scale = 0.25
        for _ in range(rounds):
            gaps = self.gaps(best, own)
            best = best[np.argsort(-gaps)[:8]]
            moved = np.repeat(best, 24, axis=0)
            noise = np.random.default_rng(self.rng.getrandbits(32)).standard_normal(moved.shape)
            noise *= np.random.default_rng(self.rng.getrandbits(32)).random(moved.shape) < 0.5  # some coordinates stay
            best = np.concatenate([best, self._inside(moved + scale * noise * self._widths())])
            scale /= 2
        for tokens in best[np.argsort(-self.gaps(best, own))[:count]]:
            yield self._exact(tokens), own

    def gaps(self, tokens: np.ndarray, own: int) -> np.ndarray:
        """|f - T| in float64, the largest output of each sequence; -1 where it is not a number."""
        with np.errstate(all="ignore"):
            gaps = np.abs(self.target.floats(tokens, own) - self.network(tokens, own)).max(axis=1)
        return np.where(np.isfinite(gaps), gaps, -1)

    def _random(self) -> tuple[Fraction, ...]:
        return tuple(a + (b - a) * Fraction(self.rng.randrange(998), 997) for a, b in self.sides)

    def _widths(self) -> np.ndarray:
        return np.array([float(b - a) for a, b in self.stored.sides])

    def _float_batch(self, count: int) -> np.ndarray:
        drawn = np.random.default_rng(self.rng.getrandbits(32)).random((count, self.n, len(self.stored.sides)))
        return self._inside(np.array([float(a) for a, _ in self.stored.sides]) + drawn * self._widths())

    def _inside(self, tokens: np.ndarray) -> np.ndarray:
        lower, upper = (np.array([float(side[k]) for side in self.stored.sides]) for k in (0, 1))
        tokens = np.clip(tokens, lower, upper)
        if self.positional:
            tokens[..., -1] = np.arange(1, self.n + 1) / self.n
        return tokens

    def _exact(self, tokens: np.ndarray) -> Sequence:
        clipped = [[min(max(Fraction(value), a), b) for value, (a, b) in zip(token, self.sides, strict=False)]
                   for token in tokens.tolist()]
        return self._placed(clipped)

    def _placed(self, tokens: list) -> Sequence:
        if not self.positional:
            return [list(token) for token in tokens]
        return [[*token, Fraction(i, self.n)] for i, token in enumerate(tokens, start=1)]


def _between(start: np.ndarray, end: np.ndarray, along: np.ndarray) -> np.ndarray:
    return start + (end - start) * along[:, None, None]
