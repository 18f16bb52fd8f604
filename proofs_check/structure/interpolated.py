"""Means of a kernel between straight lines: held against mean over y of w K(u, v) for every n (mathematics: interpolated-kernel).

Read from the weights alone. Units of psi see a function of u and means of features of y; units of phi that make a feature see
functions of v and w. Both are put between straight lines (``straightening.py``): then what is held is the mean over y of a
function that is linear in u on each cell, in v on each piece, and in w; a mean of differences from w K is at most the largest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval, quiet
from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content, affine, expanded
from proofs_check.structure.derivation import Entry
from proofs_check.structure.hinge_sums import ULP, HingeSum, breakpoints
from proofs_check.structure.matching import NEGLIGIBLE, compared
from proofs_check.structure.polynomial import CONSTANT, Monomial, Polynomial, leading_monomial
from proofs_check.structure.premises import Premises, ends, substituted, tree_of, with_other
from proofs_check.structure.quantity import Combination, Part, Quantity, around, joined, magnitude, merged, scaled
from proofs_check.structure.ranges import polynomial_size
from proofs_check.structure.reading import NotUnderstood, Reading
from proofs_check.structure.straight_lines import Lines, kernel_range, largest_gap
from proofs_check.structure.straightening import ABOVE, Features, Seen, Straight, straightened

ID = "interpolated-kernel"
WEIGHT = "w"
ONE = Interval.of(1.0)
Side = tuple[float, float]
_Split = Callable[[Content, Seen], dict[str, Fraction]]
_Pooled = Mapping[str, tuple[Seen, Sequence[Seen]]]


def interpolated_kernel(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Lines against w K at the u, v and w that are held, and how far that follows each of them."""
    if not 2 <= len(of) <= 3:
        raise NotUnderstood("a kernel between straight lines is of u, v, and a weight if there is one")
    (u, v, *weight), K = of, tree_of(entry)
    w = weight[0] if weight else None
    for one in of[1:]:
        if any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in one.definition.walk()):
            raise NotUnderstood("a kernel between straight lines of what is no function of one token")
    reader = _Reader(given.reading, u.content, v.content, None if w is None else w.content)
    straight, units = reader.read(held)
    own = _error(K, straight, units, reader.features, ends(u.actual), ends(v.actual), None if w is None else ends(w.actual),
                 given.fine)
    values, _ = kernel_range(K, u.exact, v.exact)
    _, slopes = kernel_range(K, joined(u.exact, u.actual), joined(v.exact, v.actual))
    size = ONE if w is None else w.actual
    follows = [(one, slope) for one, slope in zip(of, [*(slope * size for slope in slopes), values], strict=False)
               if magnitude(one.error)]
    tree = K if w is None else ex.Binary("*", ex.Own(2), K)
    definition = ex.Reduction("mean", substituted(tree, [u.definition, *(with_other(one.definition) for one in of[1:])]))
    part: dict[Part, float] = {(ID, f"{tree} between straight lines on {len(units) // 2} cells"): own}
    return Quantity(values if w is None else values * w.exact,
                    sum((slope * one.error for one, slope in follows), around(own)), definition, entry.held, around(own), None,
                    merged(part, *(scaled(one.parts, magnitude(slope)) for one, slope in follows)))


class _Reader:
    """Tells functions of u, v and w from each other in what channels hold."""

    def __init__(self, reading: Reading, u: Content, v: Content, w: Content | None) -> None:
        self.reading = reading
        self.u, self.v = expanded(u, reading.definitions), expanded(v, reading.definitions)
        self.w = None if w is None else expanded(w, reading.definitions)
        self.features: dict[str, tuple[Seen, list[Seen]]] = {}
        self.tables: dict[tuple[str, int], HingeSum | None] = {}

    def read(self, held: Content) -> tuple[Seen, list[Seen]]:
        """Split what is held into what is straight in the means, and units that bend: the variable of these is u."""
        return self._split(held, self._of_u)

    def _split(self, held: Content, into: _Split) -> tuple[Seen, list[Seen]]:
        straight, units = Seen(), list[Seen]()
        single = {}
        for name, c in into(held, straight).items():
            bend, variable = self.reading.bends[name], self.reading.variables[name]
            if len(bend.table.knots) != 1:
                raise NotUnderstood("a unit between straight lines is no single hinge")
            weight = c / variable.half
            straight.of_t.constant -= weight * variable.centre
            single[name] = Seen(weight * bend.table.slopes[0], (id(bend.argument), bend.table.knots[0]))
            single[name].of_t.constant -= bend.table.knots[0]
            if into(bend.argument, single[name]):
                raise NotUnderstood("a unit between straight lines reads a table of something else")
            units.append(single[name])
        return straight, units

    def _of_u(self, content: Content, to: Seen) -> dict[str, Fraction]:
        """Add tables of u, means, and what is linear in u; return the coefficients of other tables."""
        content = expanded(content, self.reading.definitions)
        left, rest = self._tables(content, to, self.u, self.reading.pooled.keys())
        for name in sorted({monomial[0][0] for monomial in rest if monomial != CONSTANT} & self.reading.pooled.keys()):
            if ((name, 1),) in rest:
                variable, c = self.reading.variables[name], from_rational(rest.pop(((name, 1),)))
                if name not in self.features:
                    self.features[name] = self._split(self.reading.before[name], self._of_v)
                to.of_t.constant -= c * variable.centre / variable.half
                to.add_feature(name, c / variable.half)
        self._line(Content(Polynomial(rest), content.noise, content.rest), to, self.u, fmpq(0))
        return left

    def _of_v(self, content: Content, to: Seen) -> dict[str, Fraction]:
        """Add tables of v, and what is linear in v and w; return the coefficients of other tables."""
        content = expanded(content, self.reading.definitions)
        left, rest = self._tables(content, to, self.v, self.v.variables | (self.w.variables if self.w is not None else set()))
        line = Content(Polynomial(rest), content.noise, content.rest)
        self._line(line, to, self.v, self._weight_in(line))
        return left

    def _tables(self, content: Content, to: Seen, t: Content, arguments: Container[str]
                ) -> tuple[dict[str, Fraction], dict[Monomial, fmpq]]:
        """Add tables of t; return the coefficients of other ones, and all terms that are no tables or one of these arguments."""
        left, rest = dict[str, Fraction](), dict[Monomial, fmpq]()
        for monomial, c in content.main.terms.items():
            name = monomial[0][0] if monomial != CONSTANT and len(monomial) == monomial[0][1] == 1 else ""
            if name not in self.reading.bends or name in arguments:
                rest[monomial] = c
            elif (table := self._table(name, t)) is not None:
                variable = self.reading.variables[name]
                to.of_t.constant -= from_rational(c) * variable.centre / variable.half
                to.of_t.add(table, from_rational(c) / variable.half)
            else:
                left[name] = from_rational(c)
        return left, rest

    def _line(self, content: Content, to: Seen, t: Content, b: fmpq) -> None:
        """Add a t + b w + constant."""
        rest = content if self.w is None or not b else affine([(content, fmpq(1)), (self.w, -b)])
        leading = leading_monomial(t.main)
        if leading is not None and leading in rest.main.terms:
            a = rest.main.terms[leading] / t.main.terms[leading]
            to.of_t.slope += from_rational(a)
            rest = affine([(rest, fmpq(1)), (t, -a)])
        left = Polynomial({m: c for m, c in rest.main.terms.items() if m != CONSTANT})
        if left.l1() > NEGLIGIBLE * content.main.l1():
            raise NotUnderstood("a unit between straight lines reads what is no argument of the kernel")
        to.of_t.constant += from_rational(rest.main.at_zero)
        to.of_t.blur += Fraction((polynomial_size(left) + rest.sharp_spread()) * ABOVE)
        if b:
            to.add_feature(WEIGHT, from_rational(b))

    def _weight_in(self, content: Content) -> fmpq:
        """Return the coefficient of w where content = a v + b w + constant: read where w has what v has not."""
        v, w = self.v.main, self.w
        if w is None:
            return fmpq(0)
        first = leading_monomial(v)
        share = w.main.terms.get(first, fmpq(0)) / v.terms[first] if first is not None else fmpq(0)
        other = affine([(w, fmpq(1)), (self.v, -share)])
        second = leading_monomial(other.main)
        if second is None:
            raise NotUnderstood("a weight that is a function of the argument of its kernel")
        a = content.main.terms.get(first, fmpq(0)) / v.terms[first] if first is not None else fmpq(0)
        without = content.main.terms.get(second, fmpq(0)) - a * v.terms.get(second, fmpq(0))
        return without / other.main.terms[second]

    def _table(self, name: str, t: Content) -> HingeSum | None:
        """Return a table as a function of t, None where it is one of something else: several units read the same one."""
        if (name, id(t)) not in self.tables:
            bend = self.reading.bends[name]
            place = compared(expanded(bend.argument, self.reading.definitions), t)
            self.tables[name, id(t)] = HingeSum.of(bend.table, place) if place is not None and place.scale else None
        return self.tables[name, id(t)]


@quiet
def _error(K: ex.Expression, straight: Seen, units: Sequence[Seen], pooled: _Pooled, u: Side, v: Side, w: Side | None,
           fine: float) -> float:
    """Bound |held - mean over y of w K(u, v)|."""
    cuts, knots = breakpoints((one.of_t for one in (straight, *units)), *u), _knots(pooled, v)
    held = straightened(straight, units, cuts, _features(pooled, knots, w))
    shape = (len(cuts) - 1, len(knots), -1)
    left, right = held.left.reshape(shape), held.right.reshape(shape)
    own = 0.0
    for at, end in enumerate(w or (1.0,)):
        lines = Lines(cuts, knots, left[..., at], right[..., at])
        tree = K if w is None else ex.Binary("*", ex.Number(Fraction(end)), K)
        own = max(own, largest_gap(tree, lines, fine) + _moved(lines))
    own = (own + float(held.apart.max())) * (1 + 2.0**-40)
    if not own < math.inf:
        raise NotUnderstood(f"{K}: no bound of how far it is from straight lines was found")
    return own


def _knots(pooled: _Pooled, v: Side) -> Floats:
    return breakpoints((one.of_t for straight, units in pooled.values() for one in (straight, *units)), *v)


def _features(pooled: _Pooled, knots: Floats, w: Side | None) -> Features:
    """Put what is pooled between straight lines: its corners are the knots of v with the ends of w."""
    nothing, nowhere = np.zeros((0, 1)), np.zeros((1, 1), dtype=np.intp)
    ends_of_w = Features({}, nothing, nothing, nothing, nowhere)
    if w is not None:
        ends_of_w = Features({WEIGHT: 0}, np.array([w]), np.zeros((1, 1)), np.zeros((1, 1)), np.arange(2)[None])
    found = [straightened(straight, units, knots, ends_of_w) for straight, units in pooled.values()]
    at = [np.concatenate([one.left, one.right[-1:]]) for one in found]
    off = [one.off + np.abs(one.right - values[1:]).max(axis=1) for one, values in zip(found, at, strict=True)]
    corners = 1 if w is None else 2
    pieces, shape = np.arange(len(knots) - 1)[:, None] * corners + np.arange(2 * corners), (len(pooled), len(knots) - 1)
    bent, others = _alike(found, shape)
    return Features({name: row for row, name in enumerate(pooled)}, np.array([values.ravel() for values in at]).reshape(
        len(pooled), len(knots) * corners), bent, np.array(off).reshape(shape) + others, pieces)


def _alike(found: Sequence[Straight], shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Tell what the pair of units that most sums have on a piece adds to each, (sums, pieces), from what other pairs may add."""
    bent, others = np.zeros((2, *shape))
    for piece in range(shape[1]):
        counted = Counter(frozenset(one.units[piece]) for one in found if one.weight[piece])
        most = counted.most_common(1)[0][0] if counted else frozenset()
        alike = [row for row, one in enumerate(found) if one.weight[piece] and frozenset(one.units[piece]) == most]
        bound = max((found[row].bound[piece] for row in alike), default=0.0)
        for row in alike:
            turned = found[row].units[piece] != found[alike[0]].units[piece]  # the same function, its sign changed
            bent[row, piece] = (-1 if turned else 1) * found[row].weight[piece] * bound
        for row in set(range(shape[0])) - set(alike):
            others[row, piece] = abs(found[row].weight[piece]) * found[row].bound[piece]
    return bent, others


def _moved(lines: Lines) -> float:
    """Bound what rounding the cuts and knots does: as much as the slopes pass on."""
    h, g = np.diff(lines.cuts), np.diff(lines.knots)
    in_u = np.abs(lines.right - lines.left).max(axis=1) / h
    in_y = max(float((np.abs(np.diff(side, axis=1)) / g).max()) for side in (lines.left, lines.right))
    return 4 * ULP * (float(in_u.max()) * float(np.abs(lines.cuts).max()) + in_y * float(np.abs(lines.knots).max()))
