"""How long work says how far it is: a function of (stage, done, total), total 0 while the end is not known."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def counting(report: Report, stage: str, total: int) -> Callable[[int], None]:
    """Return a function that is told how much more is done and reports the sum."""
    done = 0

    def more(amount: int) -> None:
        nonlocal done
        done += amount
        report(stage, done, total)

    return more
