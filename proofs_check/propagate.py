"""A stored ReLU Sumformer on boxes of sequences: its value at the centre, and its slopes over the whole box.

The network is piecewise linear, so T(X) - T(m) = sum_v s_v (X - m)_v for some slopes s between the smallest and the largest that
its units can take on the box; monomials of the token before them have such slopes too (``monomials.py``). Both are carried
through the layers as midpoints and radii; a matrix product is bounded by |fl(x W) - x W| <= gamma_k |x| |W| for k terms in any
order (Higham 2002, section 3.5). Nothing of the builder is used but the meaning of a layer, stream <- stream +
relu(stream W_1 + b) W_2, and of pooling, the mean over tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.enclosures.arrays import beside, zeros
from proofs_check.enclosures.interval import Floats, Interval, quiet, up
from proofs_check.enclosures.sums import ABOVE, MOST_TERMS
from proofs_check.folds import Chains, Layer, analysed, unit_by_unit
from proofs_check.monomials import monomials_on

_UNIT = 2.0**-53
_TINY = 2.0**-1000
_LOST = 2.0**-1069  # for each unit of weight: more than what ``rounded`` times a number loses below the normal numbers
LOOKED_UP = 4  # pieces of a chain's table whose slopes are compared one by one


@dataclass(frozen=True, eq=False)
class Balls:
    """Real numbers within ``rad`` of ``mid``; arrays of one shape."""

    mid: Floats
    rad: Floats

    @staticmethod
    def exact(values: Floats) -> Balls:
        """Wrap numbers that are known exactly."""
        return Balls(values, np.zeros_like(values))

    @staticmethod
    def around(values: Interval) -> Balls:
        """Enclose intervals; NaN or inf where an end is infinite."""
        mid = (values.lower + values.upper) / 2
        return Balls(mid, up(np.maximum(values.upper - mid, mid - values.lower)) + _TINY)

    @staticmethod
    def joined(parts: Sequence[Balls]) -> Balls:
        """Put arrays of balls one after the other."""
        return Balls(np.concatenate([one.mid for one in parts]), np.concatenate([one.rad for one in parts]))

    def magnitude(self) -> Floats:
        """Return an upper bound of the absolute values."""
        return (np.abs(self.mid) + self.rad) * ABOVE + _TINY

    def times(self, weights: Floats) -> Balls:
        """Multiply the last axis by a matrix of exact numbers; a long sum is one of shorter ones."""
        sizes, terms = np.abs(weights), weights.shape[0]
        if terms > MOST_TERMS:
            first, second = slice(terms // 2), slice(terms // 2, None)
            return Balls(self.mid[..., first], self.rad[..., first]).times(weights[first]).plus(
                Balls(self.mid[..., second], self.rad[..., second]).times(weights[second]))
        if not terms:
            return Balls.exact(zeros((*self.mid.shape[:-1], weights.shape[1]), self.mid))
        rounded = (terms + 3) * _UNIT * 1.01
        floor = max(_TINY, _LOST * float(sizes.sum(axis=0).max(initial=0.0)))
        return Balls(self.mid @ weights, ((self.rad + rounded * np.abs(self.mid)) @ sizes) * ABOVE + floor)

    def plus(self, other: Balls) -> Balls:
        """Add two arrays of balls."""
        mid = self.mid + other.mid
        return Balls(mid, (self.rad + other.rad + 2 * _UNIT * np.abs(mid)) * ABOVE + _TINY)


@dataclass(frozen=True, eq=False)
class Stream:
    """Channels at the centre of each box, shape (boxes, channels), and their slopes over it, (boxes, variables, channels)."""

    centre: Balls
    slopes: Balls


@dataclass(frozen=True, eq=False)
class Linearised:
    """T on boxes: value at the centre, (boxes, d_out), and slopes over the box, (boxes, n * d, d_out)."""

    centre: Balls
    slopes: Balls


@dataclass(frozen=True, eq=False)
class Parts:
    """phi and psi with their chains of folds found."""

    phi: tuple[Layer, ...]
    psi: tuple[Layer, ...]

    @staticmethod
    @functools.lru_cache(maxsize=4)
    def of(network: MeanSumformer) -> Parts:
        """Analyse a network once."""
        known = _index(network.given, network.phi)
        means = [mean_of(channel) for channel in network.pooled]
        in_psi = [channel for layer in network.psi for channel in layer.reads]
        return Parts(analysed(network.phi, network.given, [*network.pooled, *in_psi, *network.readout]),
                     analysed(network.psi, [*known, *means], network.readout))

    @staticmethod
    @functools.lru_cache(maxsize=4)
    def unit_by_unit(network: MeanSumformer) -> Parts:
        """Describe a network without looking for chains."""
        return Parts(unit_by_unit(network.phi), unit_by_unit(network.psi))

    @property
    def folds(self) -> bool:
        """Whether there is a chain of folds."""
        return any(layer.chains.head.size for layer in (*self.phi, *self.psi))


@dataclass(frozen=True, eq=False)
class Arguments:
    """What the units of each layer take over the box: |p - mid| <= rad; of phi (boxes * n, units), of psi (boxes, units).

    The units are those in ``plain`` and ``straight`` of the layer and the heads of its chains, in order.
    """

    phi: list[Balls] = field(default_factory=list)
    psi: list[Balls] = field(default_factory=list)


@quiet
def linearise(network: MeanSumformer, own: int, centres: Floats, radii: Floats) -> Linearised:
    """Enclose the network's output at the own token on each box of sequences.

    Args:
        network: weights, taken as exact real numbers.
        own: index of the own token.
        centres, radii: (boxes, n, d), the box is |X - centre| <= radius coordinate by coordinate.

    Returns:
        enclosures; NaN or inf where something overflowed.
    """
    return linearise_parts(network, Parts.of(network), own, centres, radii)[0]


def linearise_parts(network: MeanSumformer, parts: Parts, own: int, centres: Floats,
                    radii: Floats) -> tuple[Linearised, Arguments]:
    """Do the same with a given description of the network, and return the arguments of its units as well."""
    boxes, n, d = centres.shape
    seen = Arguments()
    index = _index(network.given, network.phi)
    tokens, around = centres.reshape(boxes * n, d), radii.reshape(boxes * n, d)
    phi = _through(parts.phi, _token_stream(network, tokens, around, len(index)), around, index, seen.phi)
    pooled = [index[channel] for channel in network.pooled]
    centre, slopes = _split(phi, boxes, n)
    means = averaged(Balls(centre.mid[..., pooled], centre.rad[..., pooled]))
    own_slopes, rows = _embedded(slopes, own, n), np.full((n, 1), 1.0 / n)
    # token k's coordinates move the mean through token k's own channels alone
    mean_slopes = Balls(slopes.mid[..., pooled].reshape(boxes, n * d, -1), slopes.rad[..., pooled].reshape(boxes, n * d, -1))
    scaled = mean_slopes.mid * rows[0, 0]
    mean_slopes = Balls(scaled, (mean_slopes.rad / n + 4 * _UNIT * np.abs(scaled)) * ABOVE + _TINY)
    after = tuple(mean_of(channel) for channel in network.pooled)
    names = (*index, *after)
    stream = Stream(_beside(Balls(centre.mid[:, own], centre.rad[:, own]), means), _beside(own_slopes, mean_slopes))
    known = _index(names, network.psi)
    stream = _through(parts.psi, _widened(stream, len(known)), radii.reshape(boxes, n * d), known, seen.psi)
    read = [known[channel] for channel in network.readout]
    out = _columns(stream.centre, read).times(network.W_out)
    bias = Balls.exact(np.broadcast_to(beside(network.b_out, centres), out.mid.shape))
    return Linearised(out.plus(bias), _columns(stream.slopes, read).times(network.W_out)), seen


def _through(layers: Sequence[Layer], stream: Stream, radii: Floats, index: dict[str, int], seen: list[Balls]) -> Stream:
    c, e = stream.centre.mid.copy(), stream.centre.rad.copy()
    g, h = stream.slopes.mid.copy(), stream.slopes.rad.copy()
    for layer in layers:
        weights, plain, chains = layer.weights, layer.plain, layer.chains
        reads, writes = [index[name] for name in weights.reads], [index[name] for name in weights.writes]
        bias = Balls.exact(np.broadcast_to(beside(weights.bias, c), (len(c), weights.units)))
        before = Balls(c[:, reads], e[:, reads]).times(weights.W_1).plus(bias)
        total = Balls(c[:, writes], e[:, writes]).plus(_rectified(before).times(weights.W_2))
        own = np.union1d(plain, layer.straight).astype(int)
        used = np.union1d(own, chains.head).astype(int)
        if used.size:
            tilt = Balls(g[..., reads], h[..., reads]).times(weights.W_1[:, used])
            before = Balls(before.mid[:, used], before.rad[:, used])
            reach = (np.einsum("bvu,bv->bu", tilt.magnitude(), radii) * ABOVE + before.rad) * ABOVE + _TINY
            seen.append(Balls(before.mid, reach))
            secants = _relu_secants(before, reach)
            secants.mid[:, np.searchsorted(used, layer.straight)] = 1.0
            secants.rad[:, np.searchsorted(used, layer.straight)] = 0.0
            kinked, columns = _times(secants, tilt), np.searchsorted(used, own)
            added = Balls(kinked.mid[..., columns], kinked.rad[..., columns]).times(weights.W_2[own])
            g[..., writes], h[..., writes] = _pair(Balls(g[..., writes], h[..., writes]).plus(added))
            if chains.head.size:
                heads = np.searchsorted(used, chains.head)
                bends = _chain_secants(chains, before.mid[:, heads], before.rad[:, heads], reach[:, heads])
                bent = _times(bends, Balls(tilt.mid[..., heads], tilt.rad[..., heads]))
                targets = [index[name] for name in chains.target]
                written = sorted(set(targets))
                gathered = bent.times((np.array(targets)[:, None] == np.array(written)).astype(np.float64))
                g[..., written], h[..., written] = _pair(Balls(g[..., written], h[..., written]).plus(gathered))
        else:
            seen.append(Balls.exact(zeros((len(c), 0), c)))
        kept = [index[name] for name in layer.folded]
        before_fold = np.where(np.abs(c[:, kept]) <= 2.0**50, e[:, kept], np.inf)
        c[:, writes], e[:, writes] = total.mid, total.rad
        e[:, kept] = before_fold
    return Stream(Balls(c, e), Balls(g, h))


def _pair(balls: Balls) -> tuple[Floats, Floats]:
    return balls.mid, balls.rad


def _rectified(values: Balls) -> Balls:
    """relu changes distances by a factor of at most 1."""
    return Balls(np.maximum(values.mid, 0.0), values.rad)


def _times(factor: Balls, slopes: Balls) -> Balls:
    """Multiply slopes of units, (boxes, variables, units), by a factor of each unit."""
    middle, half = factor.mid[:, None, :], factor.rad[:, None, :]
    mid = middle * slopes.mid
    rad = np.abs(middle) * slopes.rad + half * (np.abs(slopes.mid) + slopes.rad) + 2 * _UNIT * np.abs(mid)
    return Balls(mid, rad * ABOVE + _TINY)


def _relu_secants(before: Balls, reach: Floats) -> Balls:
    """Enclose (relu(p) - relu(m)) / (p - m) for the argument m at the centre and p on the box, |p - m| <= reach.

    It is 1 or 0 without a kink; else it lies between m / (m - a) and 1 for m >= 0, between 0 and b / (b - m) for m <= 0.
    """
    far = reach + before.rad
    active, dead = before.mid - far >= 0, before.mid + far <= 0
    share = np.clip(before.mid / far, -1.0, 1.0)  # the centre's place between the ends of [-far, far]
    slack = before.rad / far * 4 + 16 * _UNIT
    low = np.where(share > 0, np.maximum(share - slack, 0.0), 0.0)
    # for p = m + far the quotient is (m + far)/far = 1 + share, and it is smaller for smaller p
    high = np.where(share < 0, np.minimum(1 + share + slack, 1.0), 1.0)
    low, high = np.where(active, 1.0, np.where(dead, 0.0, low)), np.where(active, 1.0, np.where(dead, 0.0, high))
    return Balls((low + high) / 2, (high - low) / 2 * ABOVE + np.where(active | dead, 0.0, 4 * _UNIT))


def _chain_secants(chains: Chains, middle: Floats, rad: Floats, reach: Floats) -> Balls:
    """Enclose (F(p) - F(m)) / (p - m) for a chain: the mean of F' between the two.

    Inside [0, 2] that is A + B (m + p)/2 up to eta. Of the way from m to a p outside, at most the fraction beyond/way has other
    slopes, which are at most ``beyond``.
    """
    far = reach + rad
    largest = np.abs(chains.A) + 2 * np.abs(chains.B) + chains.eta + chains.beyond
    inside = chains.A + chains.B * middle
    half = np.abs(chains.B) * (far / 2 + rad) + chains.eta + 2.0**-45 * largest
    outside = np.maximum(np.maximum(rad + far - middle, middle + far + rad - 2.0), 0.0)
    way = np.maximum(far, 1e-300)
    half = half + 2 * largest * np.minimum(1.0, outside / way * (1 + 2.0**-40))
    lost = (middle - rad < 0) | (middle + rad > 2)
    inside, half = np.where(lost, 0.0, inside), np.where(lost, chains.beyond, half) * ABOVE + _TINY
    low, high = _tabulated(chains, middle - far - rad, middle + far + rad)
    low, high = np.maximum(low, inside - half), np.minimum(high, inside + half)
    mid = (low + high) / 2
    return Balls(mid, np.maximum((high - low) / 2, 0.0) * ABOVE + 4 * _UNIT * np.maximum(np.abs(low), np.abs(high)) + _TINY)


def _tabulated(chains: Chains, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return the smallest and largest slope between two arguments from the table, infinite where it has too many pieces there."""
    scale = chains.pieces / 2.0  # a power of two
    first, last = np.floor(np.maximum(low - 2.0**-50, -1.0) * scale), np.floor(np.minimum(high + 2.0**-50, 3.0) * scale)
    few = (low > 0) & (high < 2) & (last - first < LOOKED_UP)
    place = chains.offset + np.clip(np.where(few, first, 0), 0, chains.pieces - 1).astype(int)
    end = chains.offset + np.clip(np.where(few, last, 0), 0, chains.pieces - 1).astype(int)
    slopes = beside(chains.slopes, low)
    found = np.stack([slopes[np.minimum(place + k, end)] for k in range(LOOKED_UP)])
    return np.where(few, found.min(axis=0) - chains.slack, -np.inf), np.where(few, found.max(axis=0) + chains.slack, np.inf)


def _index(names: Sequence[str], layers: Sequence[ReluLayer]) -> dict[str, int]:
    written = [channel for layer in layers for channel in layer.writes]
    return {name: k for k, name in enumerate(dict.fromkeys([*names, *written]))}


def _token_stream(network: MeanSumformer, tokens: Floats, radii: Floats, channels: int) -> Stream:
    """Return what is there before phi; the channels that it will write are 0 so far."""
    count, d = tokens.shape
    centre = zeros((count, channels), tokens)
    centre[:, :d] = tokens
    slopes = zeros((count, d, channels), tokens)
    slopes[:, range(d), range(d)] = 1.0
    stream = Stream(Balls.exact(centre), Balls.exact(slopes))
    if network.monomials:
        values, moved = monomials_on(list(network.monomials.values()), tokens, radii)
        own = slice(d, d + len(network.monomials))
        stream.centre.mid[:, own], stream.centre.rad[:, own] = _pair(Balls.around(values))
        for c, one in enumerate(moved):
            stream.slopes.mid[:, c, own], stream.slopes.rad[:, c, own] = _pair(Balls.around(one))
    return stream


def _split(stream: Stream, boxes: int, n: int) -> tuple[Balls, Balls]:
    def by_box(array: Floats) -> Floats:
        return array.reshape(boxes, n, *array.shape[1:])

    return (Balls(by_box(stream.centre.mid), by_box(stream.centre.rad)),
            Balls(by_box(stream.slopes.mid), by_box(stream.slopes.rad)))


def averaged(values: Balls) -> Balls:
    """Enclose means over tokens, from (boxes, n, channels) to (boxes, channels)."""
    n = values.mid.shape[1]
    mid = values.mid.sum(axis=1) / n
    rounding = (n + 3) * _UNIT * 1.01 * np.abs(values.mid).sum(axis=1)
    return Balls(mid, (values.rad.sum(axis=1) + rounding) / n * ABOVE + _TINY)


def _embedded(slopes: Balls, own: int, n: int) -> Balls:
    """Place the own token's slopes among those of all tokens' coordinates."""
    def placed(array: Floats) -> Floats:
        boxes, _, d, channels = array.shape
        result = zeros((boxes, n, d, channels), array)
        result[:, own] = array[:, own]
        return result.reshape(boxes, n * d, channels)

    return Balls(placed(slopes.mid), placed(slopes.rad))


def _beside(a: Balls, b: Balls) -> Balls:
    return Balls(np.concatenate([a.mid, b.mid], axis=-1), np.concatenate([a.rad, b.rad], axis=-1))


def _widened(stream: Stream, channels: int) -> Stream:
    """Add the channels that psi will write, 0 so far."""
    def wide(array: Floats) -> Floats:
        more = [(0, 0)] * (array.ndim - 1) + [(0, channels - array.shape[-1])]
        return np.pad(array, more)

    centre, slopes = stream.centre, stream.slopes
    return Stream(Balls(wide(centre.mid), wide(centre.rad)), Balls(wide(slopes.mid), wide(slopes.rad)))


def _columns(balls: Balls, columns: Sequence[int]) -> Balls:
    return Balls(balls.mid[..., columns], balls.rad[..., columns])
