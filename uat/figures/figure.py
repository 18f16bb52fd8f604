"""What a figure is: where its record comes from, and how it is drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib.figure

from constructions.progress import Report
from uat.sampling import Sampled
from uat.stored_run import StoredRun

Record = Mapping[str, Any]
FIGURE = "figure"  # the kind of record that a figure gathers itself
TOKENS = 8  # a bound for every n is pictured at a short length: over a map of long sequences f would take minutes
LOOKS = {False: 20_000, True: 1_000_000}  # sequences that are searched for the place a figure looks at


@dataclass(frozen=True, eq=False)
class Gathering:
    """What a figure may use to gather its data.

    Attributes:
        run: the run directory it is about, if one was named.
        found: the worst sequence of that run, where it was searched already.
        full: whether to try hard.
    """

    seed: int
    full: bool
    report: Report
    run: StoredRun | None = None
    found: Sampled | None = None

    def opened(self) -> StoredRun:
        """Return the run, at a short length if it is about every n; a figure about one is never asked without."""
        if self.run is None:
            raise ValueError("this figure is about a run")
        return self.run.at(TOKENS) if self.shortened else self.run

    def worst(self) -> Sampled:
        """Return the worst sequence of the run."""
        found = None if self.shortened else self.found
        return found or self.opened().sample(LOOKS[self.full], self.seed, self.report)

    @property
    def shortened(self) -> bool:
        """Whether the run is pictured at a shorter length than its own."""
        return self.run is not None and self.run.claim.every_n and self.run.claim.n > TOKENS


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure.

    Attributes:
        draw: from record to picture.
        caption: from record to a sentence that says what is seen, also to those who cannot see it.
        gather: makes the content of the record; None where only another command does.
        about_run: whether gathering needs a run directory.
        kind, title: format of the record, and its ``name`` where several records share a format.
        made_with: the command that makes the record, or the run.
    """

    name: str
    draw: Callable[[Record], matplotlib.figure.Figure]
    caption: Callable[[Record], str]
    gather: Callable[[Gathering], dict[str, Any]] | None = None
    about_run: bool = False
    kind: str = FIGURE
    title: str = ""
    made_with: str = ""
