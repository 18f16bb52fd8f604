"""The order of evaluation: every node on the first level at which all that it reads is complete.

Nodes of one level read the stream before any of them writes. A channel that is read in one layer and written in a later one,
or in the same, keeps its reader at or below the level of its writer, so in-place updates of the stream stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from constructions.adapters.fold_chains import Node


def levels(nodes: Sequence[Node]) -> list[list[Node]]:
    """Group nodes, given in the order of their layers, by level.

    >>> first, second = Node(0, {"x": 1.0}, 0.0, {"a": 1.0}, {}), Node(7, {"a": 1.0}, 0.0, {"b": 1.0}, {})
    >>> other = Node(7, {"x": 1.0}, 0.0, {"b": 1.0}, {})
    >>> [len(level) for level in levels([first, second, other])]
    [2, 1]
    """
    complete: dict[str, int] = {}  # first level that may read a channel as it is now
    seen: dict[str, int] = {}  # last level that reads a channel
    placed: list[tuple[int, Node]] = []
    for _, together in groupby(nodes, key=lambda node: node.layer):
        layer = list(together)
        at = _settled(layer, [max((complete.get(c, 0) for c in node.reads), default=0) for node in layer], seen)
        for level, node in zip(at, layer, strict=True):
            for channel in node.reads:
                seen[channel] = max(seen.get(channel, 0), level)
        for level, node in zip(at, layer, strict=True):
            for channel in (*node.writes, *node.squares):
                complete[channel] = max(complete.get(channel, 0), level + 1)
        placed += zip(at, layer, strict=True)
    found: list[list[Node]] = [[] for _ in range(max((level for level, _ in placed), default=-1) + 1)]
    for level, node in placed:
        found[level].append(node)
    return found


def _settled(layer: Sequence[Node], at: list[int], seen: dict[str, int]) -> list[int]:
    """Raise levels until every writer is at or above the readers of its channels, those of its own layer included."""
    while True:
        reading = dict(seen)
        for level, node in zip(at, layer, strict=True):
            for channel in node.reads:
                reading[channel] = max(reading.get(channel, 0), level)
        raised = [max(level, *(reading.get(c, 0) for c in (*node.writes, *node.squares)), 0)
                  for level, node in zip(at, layer, strict=True)]
        if raised == at:
            return at
        at = raised
