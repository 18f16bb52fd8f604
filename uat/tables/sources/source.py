"""What a source of records is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from constructions.progress import Report

Record = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How much to compute, and from which seed."""

    profile: str = "fast"
    seed: int = 0
    device: str = "cpu"

    @property
    def full(self) -> bool:
        """Whether time is no matter."""
        return self.profile == "full"


def nothing_wrong(record: Record) -> list[str]:
    """Say nothing against a record."""
    return []


@dataclass(frozen=True)
class Source:
    """A kind of record and how to come by one.

    Attributes:
        name: of the record; its format is ``uat-NAME/1``.
        collect: computes the content of a record.
        command: what a user can type to have one made.
        fits: whether a record of this format is one of this kind (experiments share a format).
        problems: what a record says that is not as it should be, such as a bound that was refuted.
    """

    name: str
    collect: Callable[[Settings, Report], Record]
    command: str
    fits: Callable[[Record], bool] = lambda record: True
    problems: Callable[[Record], list[str]] = nothing_wrong
    format_name: str = ""

    @property
    def format(self) -> str:
        """The ``format`` entry of its records."""
        return f"uat-{self.format_name or self.name}/1"
