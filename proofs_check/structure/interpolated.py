"""Means of a kernel between straight lines: held against mean over y of K(u, y) for every n (mathematics: interpolated-kernel).

Read from the weights alone. A unit sees alpha(u) + mean over y of gamma(y), both piecewise linear. On a cell of u, between two
cuts, alpha is linear and gamma's mean lies where gamma does: most units never bend there, and two do,

    w relu(z_1) - w relu(z_2),   with  A = (z_1 + z_2 + W)/2 a mean,  B = (z_1 - z_2 + W)/2 linear in u,  A, B in [0, W]:

that is w (2 A B/W - A), up to w W/8. So the network is within that of the mean over y of a function that is linear in u on each
cell and piecewise linear in y, and a mean of differences from K is at most the largest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, quiet
from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content, expanded
from proofs_check.structure.derivation import Entry
from proofs_check.structure.hinge_sums import ULP, HingeSum, Values, breakpoints
from proofs_check.structure.matching import compared
from proofs_check.structure.polynomial import CONSTANT
from proofs_check.structure.premises import Premises, ends, substituted, tree_of
from proofs_check.structure.quantity import Combination, Quantity, around, joined, magnitude, merged, scaled
from proofs_check.structure.reading import OTHER, TOKEN, NotUnderstood, Reading
from proofs_check.structure.straight_lines import Lines, kernel_range, largest_gap

ID = "interpolated-kernel"
NEARLY = 2.0**-30  # of what a unit sees: a unit that bends by less is taken as straight, and what that misses is counted


@dataclass(eq=False)
class Seen:
    """What a unit sees, or what is held without one: a function of u and a mean over y."""

    weight: Fraction
    of_u: HingeSum = field(default_factory=HingeSum)
    of_y: HingeSum = field(default_factory=HingeSum)


def interpolated_kernel(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Lines against K at the u that is held, and the slope of K in u."""
    (u,), K = of, tree_of(entry)
    y = _coordinate(given, entry)
    sides = given.reading.variables[OTHER + str(y)].interval()
    straight, units = _Reader(given.reading, u.content, y).read(held)
    own = _error(K, straight, units, ends(u.actual), ends(sides), given.fine)
    values, _ = kernel_range(K, u.exact, sides)
    _, slope = kernel_range(K, joined(u.exact, u.actual), sides)
    passed = slope * u.error if magnitude(u.error) else around(0.0)
    definition = ex.Reduction("mean", substituted(K, [u.definition, ex.Other(y)]))
    parts = {(ID, f"{K} between straight lines on {len(units) // 2} cells"): own}
    return Quantity(values, around(own) + passed, definition, entry.held, around(own), None,
                    merged(parts, scaled(u.parts, magnitude(slope)) if magnitude(u.error) else {}))


def _coordinate(given: Premises, entry: Entry) -> int:
    definitions = [given.known[token].definition for token in entry.tokens]
    if len(definitions) != 1 or not isinstance(definitions[0], ex.Own):
        raise NotUnderstood("a kernel between straight lines is of one coordinate of a token")
    return definitions[0].coordinate


class _Reader:
    """Tells what is a function of u from what is a mean of a function of y."""

    def __init__(self, reading: Reading, u: Content, y: int) -> None:
        self.reading, self.u = reading, expanded(u, reading.definitions)
        self.token, self.other = f"{TOKEN}{y}", f"{OTHER}{y}"
        self.means: dict[str, HingeSum] = {}
        self.tables: dict[str, HingeSum | None] = {}

    def read(self, held: Content) -> tuple[Seen, list[Seen]]:
        """Split what is held into what is straight in the means, and units that bend."""
        straight, units = Seen(Fraction(1)), list[Seen]()
        for name, c in self._linear(expanded(held, self.reading.definitions), straight.of_y).items():
            bend = self.reading.bends.get(name)
            if bend is None:
                self._mean(straight, name, c)
            elif (table := self._of_u(name)) is not None:
                self._add(straight.of_u, name, c, table)
            else:
                if len(bend.table.knots) != 1:
                    raise NotUnderstood("a unit between straight lines is no single hinge")
                variable = self.reading.variables[name]
                weight = c / variable.half
                straight.of_y.constant -= weight * variable.centre
                units.append(self._unit(bend.argument, weight * bend.table.slopes[0], bend.table.knots[0]))
        return straight, units

    def _unit(self, argument: Content, weight: Fraction, knot: Fraction) -> Seen:
        seen = Seen(weight)
        seen.of_y.constant -= knot
        for name, c in self._linear(expanded(argument, self.reading.definitions), seen.of_y).items():
            if name not in self.reading.bends:
                self._mean(seen, name, c)
                continue
            if (table := self._of_u(name)) is None:
                raise NotUnderstood("a unit between straight lines reads a table of something else")
            self._add(seen.of_u, name, c, table)
        return seen

    def _linear(self, content: Content, to: HingeSum) -> Mapping[str, Fraction]:
        """Return the coefficients; the constant and the noise go to a sum."""
        found = {}
        to.blur += Fraction(content.sharp_spread())
        for monomial, c in content.main.terms.items():
            if monomial == CONSTANT:
                to.constant += from_rational(c)
                continue
            ((name, exponent), *more) = monomial
            if more or exponent != 1:
                raise NotUnderstood("a unit between straight lines reads a product")
            found[name] = from_rational(c)
        return found

    def _of_u(self, name: str) -> HingeSum | None:
        """Return a table as a function of u, None where it is one of something else: several units read the same one."""
        if name not in self.tables:
            self.tables[name] = self._tabulated(name, self.u)
        return self.tables[name]

    def _tabulated(self, name: str, of: Content) -> HingeSum | None:
        bend = self.reading.bends[name]
        place = compared(expanded(bend.argument, self.reading.definitions), of)
        return HingeSum.of(bend.table, place) if place is not None and place.scale else None

    def _add(self, to: HingeSum, name: str, c: Fraction, table: HingeSum) -> None:
        """Add the variable of a table, scaled to [-1, 1]."""
        variable = self.reading.variables[name]
        to.constant -= c * variable.centre / variable.half
        to.add(table, c / variable.half)

    def _mean(self, seen: Seen, name: str, c: Fraction) -> None:
        if name not in self.reading.pooled:
            raise NotUnderstood(f"a unit between straight lines reads {name}, which is no mean")
        if name not in self.means:
            self.means[name] = self._averaged(name)
        self._add(seen.of_y, name, c, self.means[name])

    def _averaged(self, name: str) -> HingeSum:
        """Return the function of y whose mean a channel holds."""
        found = HingeSum()
        for variable, c in self._linear(self.reading.pooled[name], found).items():
            own = variable.removeprefix(OTHER)
            if variable == self.other:
                self._add(found, variable, c, HingeSum(slope=Fraction(1)))
                continue
            if own not in self.reading.bends:
                raise NotUnderstood(f"{name} is no mean of hinges of one coordinate")
            table = self._tabulated(own, self.reading.variables[self.token].content(self.token))
            if table is None:
                raise NotUnderstood(f"{name} is the mean of a table of something else than one coordinate")
            self._add(found, own, c, table)
        return found


@quiet
def _error(K: ex.Expression, straight: Seen, units: Sequence[Seen], u: tuple[float, float], y: tuple[float, float],
           fine: float) -> float:
    """Bound |held - mean over y of K(u, y)|."""
    seen = [straight, *units]
    cuts, knots = breakpoints((one.of_u for one in seen), *u), breakpoints((one.of_y for one in seen), *y)
    alpha, gamma = Values.of([one.of_u for one in seen], cuts), Values.of([one.of_y for one in seen], knots)
    low, high = (np.minimum(alpha.at[1:, :-1], alpha.at[1:, 1:]), np.maximum(alpha.at[1:, :-1], alpha.at[1:, 1:]))
    off = (np.maximum(alpha.off[1:, :-1], alpha.off[1:, 1:]) + gamma.off[1:].max(axis=1, keepdims=True))
    low, high = low + gamma.at[1:].min(axis=1, keepdims=True) - off, high + gamma.at[1:].max(axis=1, keepdims=True) + off
    weight = np.array([float(one.weight) for one in units]).reshape(-1, 1)
    nearly = NEARLY * np.maximum(np.abs(low), np.abs(high)).max(axis=1, keepdims=True, initial=0.0) + 4 * off
    bends = (low < -nearly) & (high > nearly)
    active = ~bends & (low + high > 0)
    missed = np.where(bends, 0.0, np.abs(weight) * np.where(active, np.maximum(-low, 0.0), np.maximum(high, 0.0)))
    pairs = _pairs(bends, weight[:, 0], alpha, gamma)
    on = (active * weight).T  # (cells, units)
    means = gamma.at[0] + on @ gamma.at[1:]
    left, right = (means + alpha.at[0, at, None] + np.sum(on * alpha.at[1:, at].T, axis=1, keepdims=True) + pair
                   for at, pair in ((slice(-1), pairs.left), (slice(1, None), pairs.right)))
    sizes = np.abs(on) @ (np.abs(gamma.at[1:]).max(axis=1) + np.abs(alpha.at[1:]).max(axis=1))
    lost = ((len(units) + 24) * ULP * (sizes + np.abs(alpha.at[0]).max() + np.abs(gamma.at[0]).max() + pairs.size)
            + np.abs(on) @ (gamma.off[1:].max(axis=1) + alpha.off[1:].max(axis=1)) + alpha.off[0].max() + gamma.off[0].max())
    lines = Lines(cuts, knots, left, right)
    apart = missed.sum(axis=0) + pairs.error + lost + _moved(lines)
    own = (largest_gap(K, lines, fine) + float(apart.max())) * (1 + 2.0**-40)
    if not own < math.inf:
        raise NotUnderstood(f"{K}: no bound of how far it is from straight lines was found")
    return own


def _moved(lines: Lines) -> float:
    """Bound what rounding the cuts and knots does: as much as the slopes pass on."""
    h, g = np.diff(lines.cuts), np.diff(lines.knots)
    in_u = np.abs(lines.right - lines.left).max(axis=1) / h
    in_y = max(float((np.abs(np.diff(side, axis=1)) / g).max()) for side in (lines.left, lines.right))
    return 4 * ULP * (float(in_u.max()) * float(np.abs(lines.cuts).max()) + in_y * float(np.abs(lines.knots).max()))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """What the two units that bend on each cell stand for: (cells, knots) values at both ends, bounds of the error, sizes."""

    left: Floats
    right: Floats
    error: Floats
    size: Floats


def _pairs(bends: np.ndarray, weight: Floats, alpha: Values, gamma: Values) -> _Pairs:
    """Put w (2 A B/W - A) in the place of two units.

    Raises:
        NotUnderstood: on some cell one unit bends alone, or more than two do, or they do not belong together.
    """
    cells, shape = bends.shape[1], (bends.shape[1], gamma.at.shape[1])
    left, right, error, sizes = np.zeros(shape), np.zeros(shape), np.zeros(cells), np.zeros(cells)
    for i in np.flatnonzero(bends.any(axis=0)):
        found = np.flatnonzero(bends[:, i])
        if len(found) != 2 or weight[found[0]] != -weight[found[1]]:
            raise NotUnderstood(f"{len(found)} units bend on one cell of a kernel between straight lines")
        first, second = found + 1
        w = weight[found[0]]
        off = 2 * sum(float(values.off[row].max()) for values in (alpha, gamma) for row in (first, second))
        apart = gamma.at[first] - gamma.at[second]
        beside, delta = (apart.max() + apart.min()) / 2, (apart.max() - apart.min()) / 2
        difference = alpha.at[first, i:i + 2] - alpha.at[second, i:i + 2] + beside
        total = alpha.at[first, i:i + 2] + alpha.at[second, i:i + 2]
        W = float(np.abs(difference).max())
        if not W > 0:
            raise NotUnderstood("two units that do not follow u")
        A = (gamma.at[first] + gamma.at[second] + total.mean() + W) / 2
        delta += abs(total[1] - total[0]) / 2 + off
        outside = max(0.0, float(-A.min()), float(A.max()) - W)
        B = (difference + W) / 2
        left[i], right[i] = (w * (2 * A * (b / W) - A) for b in B)
        error[i] = abs(w) * (W / 8 + 16 * delta + 4 * outside) * (1 + 2.0**-40)
        sizes[i] = abs(w) * 4 * (W + float(np.abs(A).max()) + float(np.abs(gamma.at[[first, second]]).max())
                                 + float(np.abs(alpha.at[[first, second]]).max()))
    return _Pairs(left, right, error, sizes)
