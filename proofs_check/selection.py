"""Which branch of ``abs relu maximum minimum max min`` a walk over the tree takes, where the argument's sign is open.

Every such kink is "u >= 0 or u <= 0" for some u. A *selection* fixes the answer for every kink; the selected function is smooth,
and f is one of finitely many selected functions on the closed set where its answers are right. So a bound on the gradients of
all selections, each on its own set, bounds the Lipschitz constant (mathematics: modulus).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Protocol

import numpy as np

from proofs_check.enclosures.arrays import as_array
from proofs_check.enclosures.interval import Booleans, Interval

Key = Hashable


class Selector(Protocol):
    """Answers kinks; ``both`` marks boxes where neither branch may be dropped."""

    def choose(self, key: Key, argument: Interval) -> tuple[Booleans, Booleans]:
        """Return (u >= 0 taken, both branches needed) for the kink ``key`` with argument u."""
        ...

    def blur(self, boxes: Booleans) -> None:
        """Mark boxes where the selected function is only described where it is selected: no mean-value form holds there."""
        ...


class Forking:
    """Takes the given decision where a sign is open; opens a new decision (True first) or, past the cap, asks for both."""

    def __init__(self, decisions: Mapping[Key, bool], boxes: int, max_open: int) -> None:
        self.decisions, self.max_open = dict(decisions), max_open
        self.opened: list[tuple[Key, Booleans]] = []
        self.rough: Booleans = np.zeros(boxes, dtype=bool)
        self.taken: dict[Key, tuple[Booleans, Booleans]] = {}

    def choose(self, key: Key, argument: Interval) -> tuple[Booleans, Booleans]:
        """Return the branches; see :class:`Selector`."""
        positive = as_array(argument.lower >= 0)
        open_ = ~positive & ~as_array(argument.upper <= 0)
        both = np.zeros_like(open_)
        if open_.any():
            if key not in self.decisions and len(self.decisions) < self.max_open:
                self.decisions[key] = True
                self.opened.append((key, np.broadcast_to(open_, self.rough.shape)))
            if key in self.decisions:
                positive = positive | (open_ & self.decisions[key])
            else:
                both = open_
                self.rough = self.rough | open_
        self.taken[key] = positive, both
        return positive, both

    def blur(self, boxes: Booleans) -> None:
        """Mark boxes; see :class:`Selector`."""
        self.rough = self.rough | boxes


class Replay:
    """Repeats the branches of an earlier walk, so that the same selected function is evaluated at other points."""

    def __init__(self, taken: Mapping[Key, tuple[Booleans, Booleans]]) -> None:
        self.taken = taken

    def choose(self, key: Key, argument: Interval) -> tuple[Booleans, Booleans]:
        """Return the branches; see :class:`Selector`."""
        return self.taken[key]

    def blur(self, boxes: Booleans) -> None:
        """Do nothing: the earlier walk has marked them."""


class Strict:
    """Takes only branches whose argument is certainly not 0 and marks the other points: there nothing is claimed."""

    def __init__(self, points: int) -> None:
        self.rough: Booleans = np.zeros(points, dtype=bool)

    def choose(self, key: Key, argument: Interval) -> tuple[Booleans, Booleans]:
        """Return the branches; see :class:`Selector`."""
        positive = as_array(argument.lower > 0)
        self.rough = self.rough | (~positive & ~as_array(argument.upper < 0))
        return positive, np.zeros_like(positive)

    def blur(self, boxes: Booleans) -> None:
        """Do nothing: at a point a branch is certain, or the point is marked."""
