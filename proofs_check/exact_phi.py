"""A stored ReLU Sumformer over boxes of sequences of tokens with two coordinates: phi exact, psi between lines.

For given slopes g,   T(X) - g . (X - m)   is bounded from both sides. Lines in the place of psi's units (``substitution.py``)
leave a functional of the own token's channels and of means; less g it is a sum over tokens of piecewise linear functions, whose
extremes over a token's box are at corners of the cells on which they are affine (``vertices.py``). What the first units of psi
take is such a sum as it stands, so their ranges are exact; so are those of later ones but for the lines of the ones before.

The box of a token is shared by many boxes of sequences: what is known about it is looked up.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass

import numpy as np

from constructions.network.relu import MeanSumformer
from proofs_check.enclosures.interval import Booleans, Floats, down, quiet, up
from proofs_check.enclosures.sums import ABOVE
from proofs_check.propagate import Balls, Parts, averaged
from proofs_check.stages import Stages
from proofs_check.substitution import CHORD, TINY, UNIT, Lines, LowerLine, Rows, sum_of, with_lower
from proofs_check.vertices import COORDINATES, Hulls, Vertices

REMEMBERED = 2**20  # numbers about boxes of tokens; then it starts anew
AT_ONCE = 256  # boxes of tokens that are cut together
TOGETHER = 512  # boxes of sequences that are worked on at once: their rows stay in the cache
COEFFICIENT = 8 * UNIT  # a channel read directly and as a mean: what is left of a + b/n may be all rounding
LOWER_LINES: tuple[LowerLine, ...] = (None, CHORD)  # tried for the output (measured: slopes 0 and 1 for all units add little)


@dataclass(frozen=True, eq=False)
class Bounded:
    """T on boxes, one output: its value at the centres, and the ends of T(X) - g . (X - m).

    Attributes:
        centre: (boxes,)
        least, most: (boxes,) infinite where nothing is known.
        lost: (boxes, n * 2) about what the lines of psi's units lose, by the coordinate that moves these units.
    """

    centre: Balls
    least: Floats
    most: Floats
    lost: Floats


@dataclass(frozen=True, eq=False)
class Known:
    """What is known about boxes of tokens.

    Attributes:
        vertices: phi on them.
        low, high: (boxes, 2, units) ends of what a token adds to arguments of psi's first units as another one, or as the own.
        sway: (boxes, 2, coordinates, units) about how far they move as one coordinate does.
        centre: channels after phi at the centres.
    """

    vertices: Vertices
    low: Floats
    high: Floats
    sway: Floats
    centre: Balls

    @property
    def size(self) -> int:
        """How many numbers these are, about."""
        return 4 * self.low.size + self.vertices.corners.size

    @staticmethod
    def joined(parts: list[Known]) -> Known:
        """Put several together."""
        low, high, sway = (np.concatenate([getattr(part, name) for part in parts]) for name in ("low", "high", "sway"))
        return Known(Vertices.joined([part.vertices for part in parts]), low, high, sway,
                     Balls.joined([part.centre for part in parts]))


class ExactPhi:
    """A network, for sequences of n tokens; see the module. :meth:`of` keeps what is known about boxes of tokens."""

    def __init__(self, stages: Stages, n: int, bias: Floats) -> None:
        self.stages, self.n, self.bias = stages, n, bias
        self.roles = self._roles()
        self.first = stages.psi[0].W_1 if stages.psi else np.zeros((stages.after_pooling, 0))
        self.lock = threading.Lock()
        self.place: dict[bytes, int] = {}
        self.known: Known | None = None

    @staticmethod
    @functools.lru_cache(maxsize=4)
    def of(network: MeanSumformer, n: int) -> ExactPhi | None:
        """Return what this is for a network once; None where it is not for it."""
        if len(network.tokens) != COORDINATES or Parts.of(network).folds:
            return None
        stages = Stages.of(network)
        return None if stages is None else ExactPhi(stages, n, network.b_out)

    def _roles(self) -> Floats:
        """Return (2, channels at the start of psi, coordinates and channels after phi): how another token, the own one adds to
        a functional."""
        (own, own_source), (mean, mean_source) = self.stages.own, self.stages.means
        roles = np.zeros((2, self.stages.after_pooling, COORDINATES + self.stages.after_phi))
        for source, at in zip(mean, mean_source, strict=True):
            roles[:, source, COORDINATES + at] = 1.0 / self.n
        for source, at in zip(own, own_source, strict=True):
            roles[1, source, COORDINATES + at] += 1.0
        return roles

    def look_up(self, lower: Floats, upper: Floats, centre: Floats) -> tuple[Known, np.ndarray]:
        """Return what is known, and the places in it of boxes of tokens, (boxes, 2) each; from any thread."""
        rows = np.concatenate([lower, upper, centre], axis=1)
        packed, width = rows.tobytes(), 8 * rows.shape[1]
        keys = [packed[start: start + width] for start in range(0, len(packed), width)]
        with self.lock:
            if self.known is not None and self.known.size > REMEMBERED:
                self.place, self.known = {}, None
            new = {key: k for k, key in enumerate(keys) if key not in self.place}
            if new:
                first = np.array(list(new.values()), dtype=int)
                found = [self._found(lower[some], upper[some], centre[some])
                         for some in np.array_split(first, -(-len(first) // AT_ONCE))]
                start = 0 if self.known is None else len(self.known.low)
                self.known = Known.joined(found if self.known is None else [self.known, *found])
                self.place.update(zip(new, range(start, start + len(new)), strict=True))  # after it is known: also if interrupted
            assert self.known is not None
            return self.known, np.array([self.place[key] for key in keys], dtype=int)

    def _found(self, lower: Floats, upper: Floats, centre: Floats) -> Known:
        vertices, first = Vertices.of(self.stages.phi, self.stages.tokens, lower, upper), self.first
        hulls, boxes = vertices.at(np.arange(len(lower))), len(lower)
        low, high = zip(*(self._entering(hulls, role, boxes) for role in self.roles), strict=True)
        at_centre = self._after_phi(centre)
        sway = np.zeros((boxes, 2, COORDINATES, first.shape[1]))
        for c in range(COORDINATES):
            ends = [np.where(np.arange(COORDINATES) == c, end, centre) for end in (lower, upper)]
            moved = self._after_phi(ends[1]).mid - self._after_phi(ends[0]).mid
            sway[:, :, c] = np.abs(np.einsum("bx,rcx,cu->bru", moved, self.roles[:, :, COORDINATES:], first))
        return Known(vertices, np.stack(low, axis=1), np.stack(high, axis=1), sway, at_centre)

    def _entering(self, hulls: Hulls, role: Floats, boxes: int) -> tuple[Floats, Floats]:
        """Return the ends, (boxes, units), of what a token in a role adds to arguments of psi's first units."""
        functionals = (role.T @ self.first).T
        low, high = hulls.ends(np.broadcast_to(functionals, (boxes, *functionals.shape)))
        lost = COEFFICIENT * ((hulls.size @ (role.T @ np.abs(self.first))) * ABOVE + TINY)
        return down(low - lost), up(high + lost)

    def _after_phi(self, tokens: Floats) -> Balls:
        channels = Balls.exact(tokens[:, list(self.stages.tokens)])
        for stage in self.stages.phi:
            channels = stage.after(channels, stage.arguments(channels))
        return channels

    @functools.cached_property
    def weight(self) -> list[Floats]:
        """About how much the output changes with the units of each stage of psi, (units, d_out): for heuristics only."""
        found, after = [], np.abs(self.stages.readout)
        for stage in reversed(self.stages.psi):
            found.append(np.abs(stage.W_2) @ after)
            before = np.abs(stage.W_1) @ found[-1]
            here, there = stage.carried
            before[here] += after[there]
            after = before
        return found[::-1]


class Sequences:
    """Boxes of sequences on the way through psi.

    Args:
        at: (boxes, n) places of the tokens' boxes among what is known.
    """

    def __init__(self, phi: ExactPhi, known: Known, own: int, at: np.ndarray) -> None:
        self.phi, self.own, self.known, self.stages = phi, own, known, phi.stages
        self.at, (self.boxes, self.n) = at, at.shape
        self.hulls = [self.known.vertices.at(at[:, k]) for k in range(self.n)]
        self.lines: list[Lines] = []
        sizes = np.stack([hull.size[:, COORDINATES:] for hull in self.hulls], axis=1)
        self.sizes = np.zeros((self.boxes, self.stages.after_pooling))
        (own_at, own_source), (mean, mean_source) = self.stages.own, self.stages.means
        self.sizes[:, own_at] = sizes[:, own, own_source]
        self.sizes[:, mean] = sizes[:, :, mean_source].max(axis=1)
        self.pooled = self.sizes
        for k in range(len(self.stages.psi)):
            self._enter(k)

    def _role(self, k: int) -> int:
        return int(k == self.own)

    def _enter(self, k: int) -> None:
        """Choose the lines of a stage of psi."""
        stage = self.stages.psi[k]
        units = len(stage.bias)
        if k:
            nothing = np.zeros(self.boxes * units)
            rows = Rows(np.tile(stage.W_1.T, (self.boxes, 1)), np.tile(stage.bias, self.boxes), nothing,
                        np.repeat(np.arange(self.boxes), units), nothing)
            low, high = self._ends(rows.back(self.stages.psi[:k], with_lower(self.lines, CHORD)), None)
        else:
            ends = [[part[self.at[:, token], self._role(token)] for part in (self.known.low, self.known.high)]
                    for token in range(self.n)]
            low, high = self._sums([np.broadcast_to(stage.bias, (self.boxes, units)), *(low for low, _ in ends)],
                                   [np.broadcast_to(stage.bias, (self.boxes, units)), *(high for _, high in ends)])
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        self.lines.append(Lines.of(stage, low, high, self.sizes))
        self.sizes = self.lines[-1].after(stage)

    @staticmethod
    def _sums(low: list[Floats], high: list[Floats]) -> tuple[Floats, Floats]:
        """Add lower and upper ends."""
        rounding = (len(low) + 2) * UNIT * 1.01
        return (down(sum(low) - rounding * sum_of(np.abs(np.stack(low)), axis=0)),
                up(sum(high) + rounding * sum_of(np.abs(np.stack(high)), axis=0)))

    def _ends(self, rows: Rows, tilt: Floats | None) -> tuple[Floats, Floats]:
        """Return the least, and with ``spread`` the largest, values of functionals of channels at the start of psi.

        The rows are as many for each box, one box after the other; ``tilt`` (boxes, number, n, coordinates) is added.
        """
        a = rows.a.reshape(self.boxes, len(rows.a) // self.boxes, rows.a.shape[1])  # there may be no channels
        c, lost = (part.reshape(a.shape[:2]) for part in (rows.c, rows.lost))
        lost = lost + COEFFICIENT * ((np.abs(a) @ self.pooled[:, :, None])[:, :, 0] * ABOVE + TINY)
        low, high = [c, -lost], [c, lost]
        if rows.spread is not None:
            high.append(rows.spread.reshape(a.shape[:2]))
        for token, hull in enumerate(self.hulls):
            functionals = a @ self.phi.roles[self._role(token)]
            if tilt is not None:
                functionals[:, :, :COORDINATES] = tilt[:, :, token]
            ends = hull.ends(functionals)
            low.append(ends[0])
            high.append(ends[1])
        return self._sums(low, high)

    def output(self, output: int, centre: Floats, tilt: Floats) -> tuple[Floats, Floats]:
        """Return the ends of T(X) - tilt . (X - centre), for (boxes, n, 2) each."""
        read = self.stages.readout[:, output]
        both = np.tile(np.stack([read, -read]), (self.boxes, 1))
        nothing = np.zeros(2 * self.boxes)
        asked = Rows(both, nothing, nothing, np.repeat(np.arange(self.boxes), 2))
        slopes = np.stack([-tilt, tilt], axis=1)
        best = np.full((self.boxes, 2), -np.inf)
        for line in LOWER_LINES:
            best = np.fmax(best, self._ends(asked.back(self.stages.psi, with_lower(self.lines, line)), slopes)[0])
        terms = (tilt * centre).reshape(self.boxes, self.n * COORDINATES)
        at_centre = terms.sum(axis=1)
        off = (terms.shape[1] + 2) * UNIT * 1.01 * sum_of(np.abs(terms), axis=1) + TINY
        return down(down(best[:, 0] + at_centre) - off), -down(down(best[:, 1] - at_centre) - off)

    def value(self, centre: Balls, output: int, bias: float) -> Balls:
        """Enclose T at the centres, from channels after phi there, (boxes, n, channels)."""
        (own, own_source), (mean, mean_source) = self.stages.own, self.stages.means
        means = averaged(Balls(centre.mid[..., mean_source], centre.rad[..., mean_source]))
        channels = Balls.exact(np.zeros((self.boxes, self.stages.after_pooling)))
        channels.mid[:, own], channels.rad[:, own] = centre.mid[:, self.own, own_source], centre.rad[:, self.own, own_source]
        channels.mid[:, mean], channels.rad[:, mean] = means.mid, means.rad
        for stage in self.stages.psi:
            channels = stage.after(channels, stage.arguments(channels))
        out = channels.times(self.stages.readout[:, output: output + 1])
        return out.plus(Balls.exact(np.full_like(out.mid, bias)))

    def lost(self, output: int) -> Floats:
        """Return about what the lines lose, (boxes, n * 2)."""
        sway = np.stack([self.known.sway[self.at[:, k], self._role(k)] for k in range(self.n)], axis=1)
        sway = sway.reshape(self.boxes, self.n * COORDINATES, sway.shape[-1])
        lost = np.zeros(sway.shape[:2])
        for k, (stage, lines, weight) in enumerate(zip(self.stages.psi, self.lines, self.phi.weight, strict=True)):
            if k:
                sway = sway @ (np.abs(self.stages.psi[k - 1].W_2) @ np.abs(stage.W_1))
            share = sway / (sway.sum(axis=1, keepdims=True) + TINY)
            lost += np.einsum("bvu,bu->bv", share, lines.mu * weight[:, output]) / 2  # the most is lost at one point
        return lost


@quiet
def bounded(phi: ExactPhi, own: int, output: int, lower: Floats, upper: Floats, centre: Floats,
            tilt: Floats) -> tuple[Booleans, Bounded]:
    """Bound one output at the own token less a linear function, over boxes of sequences.

    Args:
        own, output: which token, which output.
        lower, upper, centre: (boxes, n, 2), finite numbers.
        tilt: (boxes, n, 2) the slopes g.

    Returns:
        which boxes, (boxes,), are cut at all kinks of phi, and the bounds of these.
    """
    flat = [part.reshape(-1, COORDINATES) for part in (lower, upper, centre)]
    known, places = phi.look_up(*flat)
    at = places.reshape(len(lower), phi.n)
    whole = known.vertices.whole[at].all(axis=1)
    rows = np.flatnonzero(whole)
    if not rows.size:
        return whole, Bounded(Balls.exact(np.zeros(0)), np.zeros(0), np.zeros(0), np.zeros((0, centre[0].size)))
    parts = [_bounded(phi, known, own, output, at[some], centre[some], tilt[some])
             for some in np.array_split(rows, -(-len(rows) // TOGETHER))]
    return whole, Bounded(Balls.joined([part.centre for part in parts]),
                          *(np.concatenate([getattr(part, name) for part in parts]) for name in ("least", "most", "lost")))


def _bounded(phi: ExactPhi, known: Known, own: int, output: int, at: np.ndarray, centre: Floats, tilt: Floats) -> Bounded:
    bias = float(phi.bias[output])
    sequences = Sequences(phi, known, own, at)
    there = known.centre
    value = sequences.value(Balls(there.mid[at], there.rad[at]), output, bias)
    least, most = sequences.output(output, centre, tilt)
    least, most = down(least + bias), up(most + bias)
    least, most = np.where(np.isnan(least), -np.inf, least), np.where(np.isnan(most), np.inf, most)
    return Bounded(Balls(value.mid[:, 0], value.rad[:, 0]), least, most, sequences.lost(output))
