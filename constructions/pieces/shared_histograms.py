"""Averages under the same weights, as those of the coordinates of y are in attention: one histogram, one set of logarithms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.hats import Hats, Mixed
from constructions.pieces.histograms import Design
from constructions.pieces.kernel import Means
from constructions.pieces.log_means import LogMeans
from constructions.pieces.log_sums import LogSums
from constructions.pieces.node import Node
from constructions.pieces.planar_hats import PlanarHats
from constructions.pieces.polynomials import fraction


def over_shared_histograms(averages: Iterable[ExponentialAverage], tolerances: Mapping[Node, float],
                           margins: Mapping[Node, float], mean: Means, most: int) -> dict[Node, list[Node]]:
    """Return the nodes that are built for each average, of at most so many hats."""
    groups: dict[object, list[ExponentialAverage]] = {}
    for node in averages:
        groups.setdefault(node.weights, []).append(node)
    found: dict[Node, list[Node]] = {}
    for group in groups.values():
        designs = _common([(node, tolerances[node], margins[node]) for node in group], most)
        histogram = designs[0].histogram
        hats = _hats(group[0], designs[0])
        parts: Hats | PlanarHats | Mixed = hats
        if group[0].w is not None and isinstance(hats, Hats):
            parts = Mixed(hats, group[0].w, *map(fraction, (histogram.lowest, histogram.height)))
        logs = LogMeans(parts.outputs, mean, designs[0].floor, designs[0].logarithm)
        for node, design in zip(group, designs, strict=True):
            found[node] = [*dict.fromkeys((hats, parts)), logs, LogSums(node, design, parts, logs)]
    return found


def _common(group: list[tuple[ExponentialAverage, float, float]], most: int) -> list[Design]:
    """Return designs with the cells of the finest, the lowest floor and the best logarithm."""
    designs = [node.designed(tolerance, margin, most) for node, tolerance, margin in group]
    while len({design.histogram.cells for design in designs}) > 1:  # more cells need not miss less
        cells = max(design.histogram.cells for design in designs)
        designs = [node.designed(tolerance, margin, most, cells) for node, tolerance, margin in group]
    floor, logarithm = (min(numbers) for numbers in ([one.floor for one in designs], [one.logarithm for one in designs]))
    return [replace(design, floor=floor, logarithm=logarithm) for design in designs]


def _hats(node: ExponentialAverage, design: Design) -> Hats | PlanarHats:
    v, histogram = [axis.v for axis in node.axes], design.histogram
    return Hats(v[0], histogram.grid[0]) if len(v) == 1 else PlanarHats(v, histogram.grid, histogram.diagonal)
