"""Read a stored ReLU Sumformer layer by layer: what its units add to channels.

    chains of folds -> quadratics;  units that never bend -> affine maps;  units that bend on one form -> one table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.network.relu import ReluLayer
from proofs_check.folds import Chain, chains
from proofs_check.structure.content import Content, affine, dyadic, squared, tidy
from proofs_check.structure.ranges import Range
from proofs_check.structure.reading import ONE, Bend, NotUnderstood, Reading
from proofs_check.structure.squares import quadratic, rational
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable


def through(reading: Reading, layers: Sequence[ReluLayer], read_later: Iterable[str], part: str) -> Iterator[set[str]]:
    """Read the layers in order; after each, yields the channels to which nothing is added any more.

    Raises:
        NotUnderstood: a unit bends and fits neither a chain nor a table.
    """
    found = chains(layers, list(reading.contents), read_later)
    reading.folds += [len(chain.members) - 1 for chain in found]
    member = {place for chain in found for place in chain.members}
    complete = _complete(layers, found)
    for at, layer in enumerate(layers):
        written: list[tuple[str, Content]] = []  # a layer reads all its channels before it adds to any
        for number, chain in enumerate(found):
            if chain.members[0][0] == at:
                written += _fold(reading, layers, chain, f"{part}{at}.{number}")
        written += _plain(reading, layer, [unit for unit in range(layer.units) if (at, unit) not in member], f"{part}{at}")
        for channel, content in written:
            reading.add(channel, content)
        reading.round(part, at)
        yield complete[at]


def _complete(layers: Sequence[ReluLayer], found: Sequence[Chain]) -> list[set[str]]:
    """Say after which layer nothing is added to a channel any more; what a chain adds counts from its first layer."""
    last: dict[str, int] = {}
    member = {place for chain in found for place in chain.members}
    for at, layer in enumerate(layers):
        for unit in range(layer.units):
            if (at, unit) not in member:
                for k in np.flatnonzero(layer.W_2[unit]):
                    last[layer.writes[k]] = at
    for chain in found:
        for target in chain.targets:
            last[target] = max(last.get(target, 0), chain.members[0][0])
    return [{channel for channel, place in last.items() if place == at} for at in range(len(layers))]


def _fold(reading: Reading, layers: Sequence[ReluLayer], chain: Chain, name: str) -> list[tuple[str, Content]]:
    at, head = chain.members[0]
    for channel, weight in zip(layers[at].reads, layers[at].W_1[:, head], strict=True):
        if weight and channel in reading.contents:
            reading.name(channel)
    p = reading.read(layers[at], head, bias=True)
    low, high = reading.range(p)
    reading.seen[layers[at], head] = low, high
    under, over = (Fraction(max(0.0, excess)) for excess in (-low, high - 2.0))
    if max(under, over) > Fraction(1, 2):
        raise NotUnderstood(f"the folds that start in {chain.channel} may see {low:.3g} to {high:.3g}, outside [0, 2]")
    p = Content(p.main, p.noise).with_noise(f"rest {name}", dyadic(p.rest))
    square = squared(affine([(p, ONE)], fmpq(-1)), f"square {name}")
    written = []
    for target in chain.targets:
        q = quadratic(chain.weights(layers, target))
        held = affine([(square, rational(q.g)), (p, rational(q.slope))], rational(q.constant))
        held = held.with_noise(f"fold {name}", rational(q.amplitude))
        held = held.with_noise(f"fold {name} to {target}", rational(q.missed + q.outside(under, over)))
        written.append((target, tidy(held)))
    return written


def _plain(reading: Reading, layer: ReluLayer, units: Sequence[int], name: str) -> list[tuple[str, Content]]:
    groups: dict[bytes, list[int]] = {}
    for unit in units:
        groups.setdefault(layer.W_1[:, unit].tobytes(), []).append(unit)
    written: list[tuple[str, Content]] = []
    for members in groups.values():
        written += _group(reading, layer, members, name)
    return written


def _group(reading: Reading, layer: ReluLayer, units: Sequence[int], name: str) -> list[tuple[str, Content]]:
    """Return what units that read the same form add to channels."""
    argument = reading.read(layer, units[0], bias=False)
    bounds = reading.bounds(argument)
    low, high = bounds.ends
    if len(units) == 1 and low + layer.bias[units[0]] < 0:
        low = max(low, reading.lower_end(argument))
    reading.seen |= {(layer, unit): (low + layer.bias[unit], high + layer.bias[unit]) for unit in units}
    # relu(z) = z + relu(-z): a copy that is negative by a little, or by as much as its noise may be, is off by as little
    least = float(low + layer.bias[units[0]])
    below = math.nextafter(-least, math.inf) if len(units) == 1 and least < 0 else 0.0
    copies = below <= max(reading.almost * (high - low), bounds.spread) and reading.hinges.isdisjoint(_written(layer, units[0]))
    below = below if copies else 0.0
    active = [unit for unit in units if low + layer.bias[unit] >= -below]
    bent = [unit for unit in units if unit not in active and high + layer.bias[unit] > 0]
    written: list[tuple[str, Content]] = []
    for k in np.flatnonzero(np.any(layer.W_2[[*active, *bent]], axis=0)):
        channel = layer.writes[k]
        if any(layer.W_2[unit, k] for unit in bent):
            members = [unit for unit in [*active, *bent] if layer.W_2[unit, k]]
            table = Table.of(layer.bias[members], layer.W_2[members, k])
            written.append((channel, _tabulated(reading, argument, table, (low, high), f"table.{name}.{channel}")))
            continue
        slope = sum((dyadic(layer.W_2[unit, k]) for unit in active), fmpq(0))
        constant = sum((dyadic(layer.W_2[unit, k]) * dyadic(layer.bias[unit]) for unit in active), fmpq(0))
        middle, off = constant + slope * dyadic(below / 2), slope * dyadic(below / 2)
        held = affine([(argument, slope)], middle).with_noise(f"copy {name}.{units[0]}", off)
        reading.copied[held] = bounds.of_copy(slope, middle, off)
        written.append((channel, held))
    return written


def _written(layer: ReluLayer, unit: int) -> list[str]:
    return [layer.writes[k] for k in np.flatnonzero(layer.W_2[unit])]


def _tabulated(reading: Reading, argument: Content, table: Table, ends: Range, name: str) -> Content:
    """Give the output of a table a name."""
    while name in reading.variables:
        name += "'"
    reading.variables[name] = Variable.of(*table.range(*ends))
    reading.bends[name] = Bend(argument, table)
    return reading.variables[name].content(name)
