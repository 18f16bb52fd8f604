"""Shares of the bound of one kind, where there are many: shown as one, their exact sum with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

MANY = 4  # more of one kind are shown as one
Row = TypeVar("Row")


def grouped(rows: Sequence[Row], kind: Callable[[Row], Hashable | None]) -> list[list[Row]]:
    """Put rows of one kind together, at the place of the first, where there are more than a few; None is no kind.

    Every row is in exactly one group, so that sums over groups add up to the sum over all rows.

    >>> grouped("abaaaab", lambda letter: letter)
    [['a', 'a', 'a', 'a', 'a'], ['b'], ['b']]
    """
    numbers = Counter(map(kind, rows))
    groups: list[list[Row]] = []
    together: dict[Hashable, list[Row]] = {}
    for row in rows:
        name = kind(row)
        if name is None or numbers[name] <= MANY:
            groups.append([row])
        elif name in together:
            together[name].append(row)
        else:
            groups.append(together.setdefault(name, [row]))
    return groups
