"""The part of psi that is the same for all tokens of a sequence, because it reads means alone: evaluated once a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from constructions.adapters.fold_chains import Node


def split(nodes: Sequence[Node], means: Iterable[str], known: Iterable[str]) -> tuple[list[Node], list[Node], set[str]]:
    """Return the nodes of the constant part, all others, and the constant channels: means and what they alone decide.

    The largest set of channels such that every node that writes one reads no other and writes no other, and that every other
    node that reads one finds it complete.

    Args:
        nodes: of psi, in the order of their layers.
        means: the channels that hold means.
        known: the channels of single tokens: their coordinates and what phi wrote.

    >>> square = Node(0, {"mean.a": 1.0}, 0.0, {"b": 1.0}, {})
    >>> own = Node(1, {"b": -1.0, "x": 1.0}, 0.0, {"c": 1.0}, {})
    >>> constant, others, channels = split([square, own], ["mean.a"], ["x"])
    >>> constant == [square], others == [own], sorted(channels)
    (True, True, ['b', 'mean.a'])
    """
    channels = set(means) | {channel for node in nodes for channel in _written(node)} - set(known)
    last: dict[str, int] = {}
    for node in nodes:
        for channel in _written(node):
            last[channel] = max(last.get(channel, -1), node.layer)
    while True:
        others = [node for node in nodes if not set(node.reads) | _written(node) <= channels]
        lost = {channel for node in others for channel in _written(node)}
        lost |= {channel for node in others for channel in node.reads if last.get(channel, -1) >= node.layer}
        if not lost & channels:
            inside = [node for node in nodes if set(node.reads) | _written(node) <= channels]
            return inside, others, channels
        channels -= lost


def _written(node: Node) -> set[str]:
    return {*node.writes, *node.squares}
