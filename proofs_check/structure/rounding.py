"""What floating point does to a network that was read: a running bound of |computed - real| in every channel.

    a dot product of m terms, in any order:   gamma_{m+1} sum |w| |x|                     (Higham 2002, section 3.5)
    what a layer adds to a channel:           such a product over all its units that write there, and one more addition
    units that read one form:                 slope of their sum * error of the form + their own roundings
    a chain of folds:                         |W - real W| grows by the roundings alone, each fold being 1-Lipschitz
    a mean in a head:                         errors are averaged; its roundings and its defect are relative
    what is proportional to the value:        A + G |value|, kept for tokens, their means, one unit; a steep table near 0 then
                                              passes on the largest of slope times value, not the largest slope
    a product that is subnormal:              one more ``tiny``, whatever its size
    a soft extremum:                          hinges of one sign, so all is relative to values that span hundreds of orders

An error of one channel passes through slopes of single units and chains, not through the slopes of whole quantities: coarse, but
a few thousand roundings are 10^-12, far below what is being certified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.enclosures.interval import Floats, quiet
from proofs_check.folds import Chain, chains
from proofs_check.structure.computed_ranges import WHOLE, ComputedRanges, dot, of_hinges
from proofs_check.structure.local_roundings import Roundings
from proofs_check.structure.reading import Reading
from proofs_check.structure.squares import quadratic
from proofs_check.structure.tables import Soft
from proofs_check.structure.variable import Variable

_UP = 1 + 2.0**-30
UNKNOWN = (np.inf, np.inf, np.inf)
LARGEST_SUM = 0.01  # gamma_k <= 1.02 k u as long as k u stays below it
SMALL = 0.002  # relative errors, so that 1.01 is above 1 + 2 G and the like
_SECOND_ORDER = 1.01


@dataclass(frozen=True)
class Arithmetic:
    """A number format with gradual underflow, and how means are taken in it.

    Attributes:
        unit: unit roundoff, 2^-53 or 2^-24.
        tiny: the least positive number.
        largest: the largest one.
        roundings: operations on the way to a mean over tokens.
        factor: the largest weight of a head, which numbers meet on this way.
    """

    unit: float
    tiny: float
    largest: float
    roundings: int
    factor: float

    @staticmethod
    def of(number_format: str, roundings: int, factor: float) -> Arithmetic:
        """Look up an IEEE 754 format."""
        limits = np.finfo(number_format)
        return Arithmetic(float(limits.epsneg), float(limits.smallest_subnormal), float(limits.max), roundings, factor)

    def gamma(self, terms: int) -> float:
        """Bound the relative error of so many roundings."""
        return 1.02 * terms * self.unit if terms * self.unit <= LARGEST_SUM else np.inf

    def mean(self, size: float) -> float:
        """Bound the error of a mean of exact numbers of at most that size."""
        return self.gamma(self.roundings) * size + self.roundings * self.factor * self.tiny


Span = tuple[float, float, bool]  # between which numbers what a layer adds is, as computed, and whether it is a sum of such >= 0
NOWHERE: Span = (*WHOLE, False)
Added = tuple[float, float, float]  # error of what a layer adds, that of it which is not passed on from before, sum of the sizes


@dataclass
class Running:
    """Bounds of the error and of the size of every channel; no intermediate number is larger than ``greatest``.

    Attributes:
        proportional: where it is known, A and G: the error is at most A + G |value|.
        hinges: of sums of hinges of one sign, see ``_one_sided``.
        computed: where the numbers are that are computed.
    """

    reading: Reading
    arithmetic: Arithmetic
    error: dict[str, float] = field(default_factory=dict)
    size: dict[str, float] = field(default_factory=dict)
    greatest: float = 0.0
    proportional: dict[str, tuple[float, float]] = field(default_factory=dict)
    roundings: Roundings = field(default_factory=Roundings)
    hinges: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    computed: ComputedRanges = field(default_factory=ComputedRanges)

    @quiet
    def output_error(self, network: MeanSumformer) -> float:
        """Bound the error of the computed outputs; infinite where the analysis does not apply, or a number may overflow."""
        for channel, (low, high) in zip(network.tokens, self.reading.sides, strict=True):
            self.error[channel], self.size[channel] = 0.0, float(max(abs(low), abs(high))) * _UP
            self.proportional[channel] = 0.0, 0.0
            self.computed.add(channel, np.nextafter(float(low), -np.inf), np.nextafter(float(high), np.inf))
        in_psi = [channel for layer in network.psi for channel in layer.reads]
        self.roundings.relative_of_means = self.arithmetic.gamma(self.arithmetic.roundings) * _UP
        self.roundings.least_of_means = self.arithmetic.mean(0.0) * _UP
        self._through("phi", network.phi, list(network.tokens), [*network.pooled, *in_psi, *network.readout])
        for channel in network.pooled:
            mean = mean_of(channel)
            values = self.reading.variables[mean]
            self.size[mean] = min(self.size.get(channel, 0.0), float(abs(values.centre) + values.half) * _UP)
            before = self.error.get(channel, 0.0)
            own = self.arithmetic.mean(self.size[mean] + before)
            self._average(channel, mean, (before + own) * _UP)
            self.error[mean], self.roundings.of_means[mean] = (before + own) * _UP, own * _UP
            self._meets((self.size[mean] + before) * self.arithmetic.roundings * self.arithmetic.factor)
            if channel in self.proportional:
                self.proportional[mean] = self._averaged(*self.proportional[channel], values)
            moved, relative, lost = self.hinges.get(channel, UNKNOWN)
            underflow = self.arithmetic.mean(0.0)
            self.hinges[mean] = moved, relative + self.arithmetic.gamma(self.arithmetic.roundings), lost + underflow
        self._through("psi", network.psi, [*self.size], network.readout)
        weights = np.abs(network.W_out)
        read = np.array([self.error.get(channel, 0.0) for channel in network.readout])
        sizes = np.array([self._magnitude(channel) for channel in network.readout])
        products = weights.T @ sizes * _UP + np.abs(network.b_out)
        self._meets(float(products.max()))
        own = self._dot(len(network.readout) + 2, products)
        total, self.roundings.of_outputs = weights.T @ read + own, [float(one) * _UP for one in own]
        return float(total.max()) * _UP if self.greatest * _UP <= self.arithmetic.largest else np.inf

    def _range(self, channel: str) -> tuple[float, float]:
        """Enclose the numbers that are computed in a channel, by the real ones and the error, and by what they are made of."""
        return self.computed.within(channel, (self.size.get(channel, 0.0) + self.error.get(channel, 0.0)) * _UP)

    def _magnitude(self, channel: str) -> float:
        low, high = self._range(channel)
        return max(-low, high)

    def _average(self, channel: str, mean: str, error: float) -> None:
        """Find the range of a computed mean: its rounding is relative to numbers of one sign."""
        low, high = self._range(channel)
        part, least = self.roundings.relative_of_means, self.roundings.least_of_means
        if low >= 0:
            self.computed.add(mean, -least, high * (1 + part) + least)
        else:
            off = part * max(-low, high) + least
            self.computed.add(mean, max(low - off, self.reading.at_least.get(mean, -np.inf) - error), high + off)

    def _averaged(self, A: float, G: float, values: Variable) -> tuple[float, float]:
        """Bound the error of a mean of numbers v >= -b, mean |v| <= mean v + 2 b, by A' + G' |mean v|."""
        below = float(max(Fraction(0), values.half - values.centre)) * _UP
        gamma = self.arithmetic.gamma(self.arithmetic.roundings)
        G = (G + gamma) * _SECOND_ORDER
        return A * _SECOND_ORDER + 2 * G * below + self.arithmetic.mean(0.0), G

    def _dot(self, terms: int, products: Any) -> Any:
        """Bound the error of a sum of so many products, which add up to at most ``products`` in size."""
        return self.arithmetic.gamma(terms) * products + 2 * terms * self.arithmetic.tiny

    def _meets(self, size: float) -> None:
        self.greatest = max(self.greatest, 2 * size)  # what was rounded on the way is no larger than twice that

    def _through(self, part: str, layers: Sequence[ReluLayer], known: Sequence[str], read_later: Sequence[str]) -> None:
        found = chains(layers, known, read_later)
        member = {place for chain in found for place in chain.members}
        added: list[dict[str, Added]] = [{} for _ in layers]
        begun: dict[str, int] = {}  # the layer from which on a channel holds what chains add to it later
        for at, layer in enumerate(layers):
            for chain in found:
                if chain.members[0][0] == at:
                    self._chain(layers, chain, added)
                    begun |= dict.fromkeys(chain.targets, at)
            spans: dict[str, Span] = {}
            alone: dict[str, tuple[float, float]] = {}  # of the one unit that writes to a channel: see ``proportional``
            groups: dict[bytes, list[int]] = {}
            plain = [unit for unit in range(layer.units) if (at, unit) not in member]
            begun |= {layer.writes[k]: at for k in np.flatnonzero(np.any(layer.W_2[plain], axis=0))}
            for unit in plain:
                groups.setdefault(layer.W_1[:, unit].tobytes(), []).append(unit)
            for units in groups.values():
                self._group(layer, units, added[at], alone, spans)
            summands = dict(zip(layer.writes, np.count_nonzero(layer.W_2, axis=0).tolist(), strict=True))
            for channel, (error, own, size) in added[at].items():
                self.proportional.pop(channel, None)
                if channel in alone and summands[channel] == 1 and channel not in self.size:
                    self.proportional[channel] = alone[channel]
                self.size[channel] = (self.size.get(channel, 0.0) + size) * _UP
                total = self.error.get(channel, 0.0) + error
                summed = self._dot(summands.get(channel, 0) + 1, size)
                # the addition to the stream rounds once more, in every layer that writes to the channel
                summed += 2 * self.arithmetic.unit * (min(self.size[channel] + total, self._span(channel, spans)) + summed)
                self.error[channel] = (total + summed) * _UP
                low, high, positive = spans.get(channel, NOWHERE)
                self.computed.add(channel, max(low - summed, 0.0) if positive else low - summed, high + summed)
                self.roundings.add(part, begun[channel], channel, (own + summed) * _UP)
                self._meets(self.size[channel] + self.error[channel])

    def _read(self, layer: ReluLayer, unit: int) -> tuple[float, float]:
        """Return the error that a unit takes over from its channels, and the size of the products it adds up."""
        used = np.flatnonzero(layer.W_1[:, unit])
        weights = np.abs(layer.W_1[used, unit])
        errors = np.array([self.error.get(layer.reads[j], 0.0) for j in used])
        sizes = np.array([self._magnitude(layer.reads[j]) for j in used])
        return float(weights @ errors) * _UP, float(weights @ sizes) * _UP

    def _span(self, channel: str, spans: dict[str, Span]) -> float:
        """Bound what a channel holds as computed, after a layer, without the roundings of its last sum."""
        low, high, _ = spans.get(channel, NOWHERE)
        return (self.computed.size(channel) + max(abs(low), abs(high))) * _UP

    def _group(self, layer: ReluLayer, units: Sequence[int], added: dict[str, Added], alone: dict[str, tuple[float, float]],
               spans: dict[str, Span]) -> None:
        common, products = self._read(layer, units[0])
        self._meets(products + float(np.abs(layer.bias[units]).max()))
        high = np.array([max(0.0, self.reading.seen[layer, unit][1]) for unit in units])
        A, G = self._proportional(layer, units[0])
        first, last = dot((layer.W_1[j, units[0]], self._range(layer.reads[j])) for j in np.flatnonzero(layer.W_1[:, units[0]]))
        highest = np.minimum(high + common, np.maximum(0.0, last + layer.bias[units]) * _UP)
        own = self._own(layer.W_1[:, units[0]], np.abs(layer.bias[units]), products, highest)
        for k in np.flatnonzero(np.any(layer.W_2[units], axis=0)):
            weights, channel = layer.W_2[units, k], layer.writes[k]
            self._one_sided(channel, weights, common + float(own.max()))
            soft = self.reading.soft.get(channel)
            if soft is not None and {layer.reads[j] for j in np.flatnonzero(layer.W_1[:, units[0]])} == {soft.mean}:
                error = self._of_logarithm(soft, np.abs(weights), np.abs(layer.bias[units]))
                _put(added, channel, error, np.inf, soft.largest + error)
                spans[channel] = NOWHERE
                continue
            order = np.argsort(-layer.bias[units])
            slopes, knots = np.abs(np.cumsum(weights[order])), -layer.bias[units][order]
            end = max(self.reading.seen[layer, unit][1] - layer.bias[unit] for unit in units)
            furthest = np.maximum(np.abs(knots), np.abs(np.append(knots[1:], end + common)))  # of each linear piece
            sizes = np.abs(weights) * (highest + own)
            passed = min(slopes.max() * common, (slopes.max() * A + G * float((slopes * furthest).max())) * _SECOND_ORDER)
            rounded = float(np.abs(weights) @ own)
            least, most = of_hinges(weights, layer.bias[units], first, last)
            low, top, positive = spans.get(channel, (0.0, 0.0, True))
            spans[channel] = low + least - rounded, top + most + rounded, positive and bool((weights >= 0).all())
            _put(added, channel, float(passed) + rounded, rounded, float(sizes.sum()))
            if len(units) == 1 and np.isfinite(A):
                # where the unit is not 0, what it reads is at most its value + |bias|
                weight, bias = abs(float(weights[0])), abs(float(layer.bias[units[0]]))
                more = (G + self.arithmetic.gamma(8)) * _SECOND_ORDER
                alone[channel] = (weight * (A * _SECOND_ORDER + 2 * more * bias) + (1 + weight) * self._dot(8, 0.0)) * _UP, more

    def _proportional(self, layer: ReluLayer, unit: int) -> tuple[float, float]:
        """Bound the error of what a unit of one channel reads by A + G |product|; infinite where that is not known."""
        used = np.flatnonzero(layer.W_1[:, unit])
        if len(used) != 1 or layer.reads[used[0]] not in self.proportional:
            return np.inf, np.inf
        A, G = self.proportional[layer.reads[used[0]]]
        return (abs(float(layer.W_1[used[0], unit])) * A * _UP, G) if G <= SMALL else (np.inf, np.inf)

    def _own(self, reads: Floats, biases: Floats, products: float, high: Floats) -> Floats:
        """Bound the rounding of what units of one form rectify, at most ``high``; each adds up in an order of its own.

        A single product t is at most high + |bias| where t + bias >= 0, and where it is less by more than three roundings of
        t and bias, what is computed is not above 0. A product with a power of two is exact: then the sum is rounded once.
        """
        weights = reads[reads != 0]
        if len(weights) > 1:
            return self._dot(len(weights) + 1, products + biases)
        if len(weights) == 1 and abs(np.frexp(weights[0])[0]) == 0.5:
            return self._dot(1, high)
        return self._dot(2, np.minimum(products, (biases + high) * _UP) + biases)

    def _one_sided(self, channel: str, weights: Floats, moved: float) -> None:
        """Remember of a sum of hinges of one sign: how far they are moved, its relative rounding, and what underflows."""
        one_sided = channel not in self.hinges and bool(np.all(weights >= 0))
        terms = len(weights) + 8
        self.hinges[channel] = (moved, self.arithmetic.gamma(terms), self._dot(terms, 0.0)) if one_sided else UNKNOWN

    def _of_logarithm(self, soft: Soft, weights: Floats, biases: Floats) -> float:
        """Bound the error of sum_j w_j relu(b_j - s m) for a mean m + base whose relative error is eta.

        A hinge's argument is off by s eta (m + base) + gamma (s m + |b_j|), where this matters, s m is at most |b_j| and as much;
        by what underflows in m, which is relative to the base, and in the product, which is relative to s times the base.
        """
        moved, relative, lost = self.hinges.get(soft.mean, UNKNOWN)
        eta = 1.02 * (soft.steepest * moved + relative) + _ratio(lost, soft.base)
        gamma = self.arithmetic.gamma(4) + _ratio(self._dot(4, 0.0), soft.scale * soft.base)
        if not max(eta, gamma) < LARGEST_SUM:
            return np.inf
        reach = (float(weights @ biases) + soft.scale * soft.base * float(weights.sum())) * _UP
        self._meets(reach)
        return ((1.05 * eta + 2.2 * gamma) * reach + self._dot(len(weights) + 2, 0.0)) * _UP

    def _chain(self, layers: Sequence[ReluLayer], chain: Chain, added: Sequence[dict[str, Added]]) -> None:
        at, head = chain.members[0]
        taken, products = self._read(layers[at], head)
        terms = int(np.count_nonzero(layers[at].W_1[:, head]))
        rounded = self._dot(terms + 1, products + abs(layers[at].bias[head]))
        start = taken + rounded
        self._meets(products + abs(layers[at].bias[head]))
        for target in chain.targets:
            self.hinges[target], self.computed.of[target] = UNKNOWN, WHOLE
            weights = np.abs(chain.weights(layers, target))
            steepest = float(quadratic(chain.weights(layers, target)).steepest) * _UP
            reach = max(abs(end) for end in self.reading.seen[layers[at], head]) + start
            sizes = weights * np.concatenate([[reach], reach * 0.5 ** np.arange(len(weights) - 1)])
            # three roundings a fold, of numbers up to 2^(1 - s)
            folding = float(weights.sum()) * 16 * self.arithmetic.unit
            _put(added[at], target, steepest * start + folding, steepest * rounded + folding, 0.0)
            for (place, _), size in zip(chain.members, sizes, strict=True):
                if size:
                    _put(added[place], target, 0.0, 0.0, float(size))


def _put(added: dict[str, Added], channel: str, error: float, own: float, size: float) -> None:
    before = added.get(channel, (0.0, 0.0, 0.0))
    added[channel] = before[0] + error * _UP, before[1] + own * _UP, before[2] + size * _UP


def _ratio(part: float, whole: float) -> float:
    return part / whole * _UP if whole > 0 else np.inf
