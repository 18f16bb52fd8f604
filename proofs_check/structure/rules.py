"""One rule for each kind of quantity: from what its channels hold, and what is known of its arguments, to its range and error."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.network.relu import mean_of
from constructions.targets import expression as ex
from proofs_check.enclosures import functions as on_intervals
from proofs_check.enclosures.interval import Interval
from proofs_check.exact_values import from_rational
from proofs_check.structure.averages import natural_range, quotient_range
from proofs_check.structure.content import Content, Definitions, affine, expanded
from proofs_check.structure.derivation import Entry, Form, Held
from proofs_check.structure.deviation import NotAnalytic, Placed, difference, polynomial_deviation, slope_range, table_deviation
from proofs_check.structure.functions import value_range
from proofs_check.structure.matching import Affine, argument_variable, compared
from proofs_check.structure.order import order_statistic_error
from proofs_check.structure.polynomial import Polynomial, combined
from proofs_check.structure.quantity import (
    ZERO,
    Combination,
    Part,
    Quantity,
    around,
    combination,
    common,
    joined,
    magnitude,
    merged,
    scaled,
    shared,
)
from proofs_check.structure.ranges import polynomial_range, polynomial_size, series_range, total_size, widened
from proofs_check.structure.ratio import Joint, MeanOfKernel, joint_errors, relative_error
from proofs_check.structure.reading import OTHER, NotUnderstood, Reading
from proofs_check.structure.squares import rational
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable
from proofs_check.structure.wide_kernel import wide_kernel

FOLDS: Part = ("square-sawtooth", "squares by folds")
ONE = Interval.of(1.0)
PARTS = 24  # of the range of a divisor
QUOTIENT_PARTS = 16  # of the range of a quotient of means of kernels
NARROW = 3  # variables of a kernel that is compared on one grid


@dataclass(frozen=True)
class Ratio:
    """p/q, p'/q' - p/q, r' q' - 1 and r' - 1/q' for the reciprocal r' that the network holds."""

    exact: Interval
    passed: Interval
    off: Interval
    local: Interval

    def plain(self, p: Interval) -> Interval:
        """Enclose p' r' - p/q."""
        return shared(p * self.local, (self.exact + self.passed) * self.off) + self.passed

    def refined(self, c: Fraction) -> Interval:
        """Enclose c p' r' (2 - q' r') - p/q = c (p'/q') (1 - off^2) - p/q."""
        kept = Interval.constant(c) * (ONE - self.off**2)
        return self.passed * kept + self.exact * (kept - ONE)


class Rules:
    """The rules, with what they look at."""

    def __init__(self, reading: Reading, known: Mapping[str, Quantity], n: int | None, fine: float) -> None:
        self.reading, self.known, self.n, self.fine = reading, known, n, fine
        self.joints: dict[str, tuple[list[tuple[Interval, Joint | None]], Interval | None]] = {}

    def prove(self, entry: Entry, held: Content) -> Quantity:
        """Return what holds for a quantity whose channels hold the given content.

        Raises:
            NotUnderstood: the content is not what the entry says, or is outside what is compared here.
        """
        of = [combination(form, self.known, self.reading) for form in entry.of]
        rule = {"function": self._function, "product": self._product, "quotient": self._quotient, "kernel": self._kernel,
                "mean": self._mean, "rectified": self._rectified, "renamed": self._renamed,
                "order-statistic": self._order_statistic}.get(entry.kind)
        if rule is None:
            raise NotUnderstood(f"quantities of kind {entry.kind}")
        try:
            return rule(entry, held, of)
        except NotAnalytic as reason:
            raise NotUnderstood(str(reason)) from None

    # -- functions of one form ---------------------------------------------------------------------------------------

    def _function(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        g, (argument,) = _tree(entry), of
        exact = Interval.of(*value_range(g, [_ends(argument.exact)]))
        own, relative, parts = self._approximation(g, held, argument)
        at_held = relative
        at = functools.partial(self._on_part, g, held, argument) if held.main.variables & self.reading.bends.keys() else None
        values = joined(argument.actual, argument.exact)
        slope = Interval.of(*slope_range(g, *_ends(values)))
        passed, factor = slope * argument.error, magnitude(slope)
        if argument.relative is not None and float(values.lower) > 0:
            steep = Interval.of(*slope_range(g, *_ends(values), logarithmic=True))
            through = steep * on_intervals.log(ONE + argument.relative)
            if magnitude(through) < magnitude(passed):
                factor *= magnitude(through) / max(magnitude(passed), 1e-300)
            passed = common(passed, through)
        error = own + passed
        known_relative = None
        if float(exact.lower) > 0 and relative is not None and float(exact.lower) < float(exact.upper):
            by_argument = passed / exact
            known_relative = relative + by_argument + relative * by_argument
            known_relative = common(known_relative, error / exact)
        definition = substituted(g, [argument.definition])
        return Quantity(exact, error, definition, entry.held, own, known_relative, merged(parts, scaled(argument.parts, factor)),
                        entry.of[0], at_held, at)

    def _approximation(self, g: ex.Expression, held: Content, argument: Combination
                       ) -> tuple[Interval, Interval | None, dict[Part, float]]:
        """Enclose held - g(argument that the network holds), that over g, and say what it comes from."""
        tables = [name for name in held.main.variables if name in self.reading.bends]
        if tables:
            return self._by_table(g, held, argument, tables)
        exactly = self._by_algebra(g, held, argument)
        if exactly is not None:
            return exactly, None, {FOLDS: magnitude(exactly)}
        found = argument_variable(self.reading, argument.content, expanded(held, self.reading.definitions).variables)
        if found is None:
            raise NotUnderstood(f"{g} reads a form that its channels do not show")
        name, place = found
        held = expanded(held, self.reading.definitions)
        if held.main.variables - {name} or not place.scale:
            raise NotUnderstood(f"{g}: its channels depend on {', '.join(sorted(held.main.variables - {name}))} too")
        scale = Variable.of(*_ends(argument.actual))
        rescaled = _in_scale(name, place, scale)
        main = held.main.substituted({name: rescaled})
        low, high = polynomial_deviation(main, [name], g, [scale], self.fine)
        noise = total_size([one.polynomial for one in held.noise.values()])
        if place.missed * max(1, main.degree(name)) ** 2 > 0.01 * float(scale.half):
            raise NotUnderstood(f"{g} is computed of something else than its argument")
        missed = self._lipschitz(main, name, scale) * place.missed
        own = Interval.of(low, high) + around(noise + held.rest + missed)
        degree = main.degree(name)
        parts = {("chebyshev-expansion", f"{g} by a polynomial of degree {degree}"): max(abs(low), abs(high)), FOLDS: noise}
        return own, self._over(own, g, argument), parts

    def _by_table(self, g: ex.Expression, held: Content, argument: Combination, tables: list[str]
                  ) -> tuple[Interval, Interval | None, dict[Part, float]]:
        if len(tables) > 1 or len(held.main.variables) > 1 or held.main.degree(tables[0]) > 1 or held.noise:
            raise NotUnderstood(f"{g}: its channels hold a table and something else")
        name, bend = tables[0], self.reading.bends[tables[0]]
        place = compared(self.reading.whole(bend.argument), self.reading.whole(argument.content))
        if place is None:
            raise NotUnderstood(f"{g}: its table reads another form than its argument")
        variable = self.reading.variables[name]
        weight = from_rational(held.main.terms.get(((name, 1),), fmpq(0))) / variable.half if variable.half else Fraction(0)
        constant = from_rational(held.main.at_zero) - weight * variable.centre
        missed = held.rest + place.missed * float(abs(weight)) * max((abs(float(s)) for s in bend.table.slopes), default=0.0)
        missed *= 1 + 2.0**-40
        placed = Placed(bend.table, from_rational(place.scale), from_rational(place.shift), weight, constant)
        own = Interval.of(*table_deviation(placed, g, *_ends(argument.actual))) + around(missed)
        relative, values = None, Interval.of(*value_range(g, [_ends(argument.actual)]))
        if float(values.lower) > 0:
            relative = Interval.of(*table_deviation(placed, g, *_ends(argument.actual), relative=True)) + around(missed) / values
        what = f"{g} by {len(bend.table.knots)} hinges"
        return own, relative, {("interpolation-error", what): magnitude(own)}

    def _on_part(self, g: ex.Expression, held: Content, argument: Combination, low: float, high: float) -> Interval:
        """Enclose table - g for arguments in a part of the range."""
        return self._approximation(g, held, replace(argument, actual=Interval.of(low, high)))[0]

    def _by_algebra(self, g: ex.Expression, held: Content, argument: Combination) -> Interval | None:
        """Compare exactly where g is a square."""
        match g:
            case ex.Power(base=ex.Own(), exponent=ex.Number(value=k)) if k == 2:
                content = self.reading.whole(argument.content)
                return self._gap(held, content * content)
        return None

    def _gap(self, held: Content, wanted: Content) -> Interval:
        """Enclose the difference of two contents."""
        difference = expanded(affine([(held, fmpq(1)), (wanted, fmpq(-1))]), self.reading.definitions)
        gap = enclosed(difference)
        for other in self.reading.with_products(self.reading.whole(difference)) if self.reading.products else ():
            gap = min(gap, enclosed(other), key=magnitude)
        if difference.variables & self.reading.copies.keys():  # one side may have copied what the other reads
            gap = min(gap, enclosed(self.reading.whole(difference)), key=magnitude)
        return gap

    def _lipschitz(self, main: Polynomial, name: str, scale: Variable) -> float:
        """Bound the slope of a polynomial in one variable: Markov's inequality, degree^2 times its size.

        With d^2 delta < 1/100 it grows by less than a fifth up to a distance delta outside the interval.
        """
        return 1.2 * polynomial_size(main) * max(1, main.degree(name)) ** 2 / max(float(scale.half), 1e-300)

    def _over(self, own: Interval, g: ex.Expression, argument: Combination) -> Interval | None:
        values = value_range(g, [_ends(argument.actual)])
        return own / Interval.of(*values) if values[0] > 0 else None

    def _rectified(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        (argument,) = of
        tables = [name for name in held.main.variables if name in self.reading.bends]
        if len(tables) != 1 or len(held.main.variables) > 1 or held.main.degree(tables[0]) > 1 or held.noise:
            raise NotUnderstood("a rectified form is not one hinge")
        bend, variable = self.reading.bends[tables[0]], self.reading.variables[tables[0]]
        place = compared(self.reading.whole(bend.argument), self.reading.whole(argument.content))
        if place is None or not variable.half:
            raise NotUnderstood("a rectified form reads another form")
        weight = from_rational(held.main.terms[((tables[0], 1),)]) / variable.half
        constant = from_rational(held.main.at_zero) - weight * variable.centre
        low, high = (Fraction(end) for end in _ends(argument.actual))
        scale, shift = from_rational(place.scale), from_rational(place.shift)
        ends = sorted((scale * low + shift, scale * high + shift))
        gaps = [weight * value + constant - max((t - shift) / scale, Fraction(0))
                for t, value in _corners(bend.table, ends[0], ends[1], shift)]
        missed = held.rest + place.missed * float(abs(weight)) * max(abs(float(s)) for s in bend.table.slopes)
        own = Interval.of(Interval.constant(min(gaps)).lower, Interval.constant(max(gaps)).upper)
        own = own + around(missed * (1 + 2.0**-40))
        exact = on_intervals.relu(argument.exact)
        error = own + joined(argument.error, ZERO)
        return Quantity(exact, error, ex.Apply("relu", argument.definition), entry.held, own, None, argument.parts)

    # -- products ----------------------------------------------------------------------------------------------------

    def _product(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """|p' q' - p q| with p' = p + e_p, q' = q + e_q is |p e_q + q e_p + e_p e_q|."""
        p, q = of
        own = self._gap(held, self._times(p, q))
        passed = p.exact * q.error + q.exact * p.error + p.error * q.error
        parts = merged({FOLDS: magnitude(own)}, scaled(p.parts, magnitude(q.exact)), scaled(q.parts, magnitude(p.exact)))
        return Quantity(p.exact * q.exact, own + passed, ex.Binary("*", p.definition, q.definition), entry.held, own, None, parts)

    def _single(self, name: str) -> Combination:
        return combination(Form({name: Fraction(1)}, Fraction(0), Fraction(0)), self.known, self.reading)

    def _times(self, p: Combination, q: Combination) -> Content:
        return p.content * q.content  # not expanded: what the product and its factors share cancels

    def _quotient(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """F = p/q and F' = p'/q'; with r' = (1 + lambda)/q' the network forms F' (1 + lambda), or c F' (1 - lambda^2)."""
        (p, q), r = of, self.known[entry.reciprocal]
        ratios, single = self.ratios(entry), self._single(entry.reciprocal)
        wanted = self._times(p, single)
        if entry.refined:
            twice = affine([(Content.constant(fmpq(2)), fmpq(1)), (q.content * single.content, fmpq(-1))])
            wanted = Content.constant(rational(entry.refined)) * wanted * twice
        own, exact = self._gap(held, wanted), functools.reduce(joined, (ratio.exact for ratio in ratios))
        errors = [ratio.refined(entry.refined) if entry.refined else ratio.plain(p.actual) for ratio in ratios]
        error = own + functools.reduce(joined, errors)
        least = 1 / max(float(q.actual.mignitude()), 1e-300)
        local = {key: value for key, value in r.parts.items() if key not in q.parts}
        rough = max(magnitude(ratio.off) for ratio in ratios) if entry.refined else 1.0  # it counts squared
        parts = merged({FOLDS: magnitude(own)}, scaled(local, magnitude(p.actual) * rough), scaled(p.parts, least),
                       scaled(q.parts, magnitude(exact) * least))
        return Quantity(exact, error, ex.Binary("/", p.definition, q.definition), entry.held, None, None, parts)

    def ratios(self, entry: Entry) -> list[Ratio]:
        """Return what is known of p/q, of p'/q' - p/q and of r' q' - 1, for parts of the ranges of p/q and q' that cover them."""
        p, q = (combination(form, self.known, self.reading) for form in entry.of)
        r = self.known[entry.reciprocal]
        inverse = substituted(ex.Power(ex.Own(0), ex.Number(Fraction(-1))), [q.definition])
        if r.local is None or r.form != entry.of[1] or r.definition != inverse:
            raise NotUnderstood(f"{entry.reciprocal} is not the reciprocal of the denominator")
        exact = common(p.exact / q.exact, Interval.of(*quotient_range(p.definition, q.definition, self.reading.sides)))
        low, high = _ends(q.actual)
        if not low > 0:
            return [Ratio(exact, (p.error - exact * q.error) / q.actual, q.actual * r.local, r.local)]
        joints, below = self._joint(entry, exact)
        cuts = [low, *(float(cut) for cut in np.geomspace(low, high, PARTS + 1)[1:-1]), high]
        found = []
        for part in (Interval.of(a, max(a, b)) for a, b in itertools.pairwise(cuts)):
            local = r.local if r.local_at is None else common(r.local, r.local_at(*_ends(part)))
            off = part * local if r.local_relative is None else common(part * local, r.local_relative)
            for value, joint in joints:
                passed = (p.error - value * q.error) / part
                if joint is not None and below is not None:
                    passed = shared(passed, joint.relative / (ONE + below) + around(joint.absolute) / part)
                found.append(Ratio(value, passed, off, local))
        return found

    def _joint(self, entry: Entry, exact: Interval) -> tuple[list[tuple[Interval, Joint | None]], Interval | None]:
        """Return parts of the quotient's range, what is known of the errors of both means in each, and of the divisor's."""
        p, q = (self._mean_of_kernel(form) for form in entry.of)
        if p is None or q is None or not p.beside(q):
            return [(exact, None)], None
        if entry.name not in self.joints:
            cuts = np.linspace(*_ends(exact), QUOTIENT_PARTS + 1)
            parts = [(float(a), float(b)) for a, b in itertools.pairwise(cuts)]
            joints = zip(parts, joint_errors(p, q, parts), strict=True)
            self.joints[entry.name] = [(Interval.of(*part), one) for part, one in joints], relative_error(q)
        return self.joints[entry.name]

    def _mean_of_kernel(self, form: Form) -> MeanOfKernel | None:
        """Return the kernel where a form is one mean of a kernel, itself."""
        if list(form.terms.values()) != [Fraction(1)] or form.constant or form.slack:
            return None
        return self.known[next(iter(form.terms))].kernel

    # -- means -------------------------------------------------------------------------------------------------------

    def _mean(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """A mean of errors lies in their range; relative errors of positive numbers likewise."""
        if list(entry.of[0].terms.values()) != [Fraction(1)] or entry.of[0].constant or entry.of[0].slack:
            raise NotUnderstood("a mean of a form")
        (name,) = entry.of[0].terms
        q = self.known[name]
        if any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in q.definition.walk()):
            raise NotUnderstood("a mean of what is no function of one token")
        if _averaged(q.held) != entry.held:
            raise NotUnderstood("a mean is not held in the means of the channels of what is averaged")
        return Quantity(q.exact, q.error, ex.Reduction("mean", with_other(q.definition)), entry.held, None, q.relative, q.parts)

    def _kernel(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """mean over y of Q(z', y) against mean over y of K(z, y): Q - K on the box, and the slope of K in z."""
        K = _tree(entry)
        if len(of) + len(entry.tokens) > NARROW:
            return self._wide_kernel(entry, K, held, of)
        names, box, changes, ranges = [], list[Variable](), dict[str, Polynomial](), []
        held = expanded(held, self.reading.definitions)
        for argument in of:
            found = argument_variable(self.reading, argument.content, held.variables)
            if found is None or not found[1].scale or found[1].missed or found[0] in names:
                raise NotUnderstood(f"{K}: an argument is no variable of its channels")
            name, place = found
            whole_range = self.reading.variables[name]
            itself = (place.scale, place.shift) == (rational(whole_range.half), rational(whole_range.centre))
            scale = whole_range if itself else Variable.of(*_ends(argument.actual))
            names.append(name)
            box.append(scale)
            changes[name] = _in_scale(name, place, scale)
            ranges.append(_ends(joined(argument.exact, argument.actual)))
        copies = Definitions({v: c for v, c in self.reading.copies.items() if v not in names})
        linear, beyond = self._linear_in_means(expanded(expanded(held, copies), self.reading.definitions))
        whole = expanded(linear, self.reading.averaged)
        coordinates = [self._coordinate(name) for name in entry.tokens]
        others = [OTHER + str(c) for c in coordinates]
        if len(set(others)) < len(others):
            raise NotUnderstood(f"{K} names a coordinate of y twice")
        extra = whole.variables - {*names, *others}
        if extra:
            raise NotUnderstood(f"{K}: its channels depend on {', '.join(sorted(extra)[:3])} too")
        main = whole.main.substituted(changes)
        scales = [*box, *(self.reading.variables[v] for v in others)]
        expansion, off = difference(main, [*names, *others], K, scales, self.fine)
        low, high = series_range(expansion, 0.0)
        low, high = widened(low - off, high + off)
        noise = total_size([one.polynomial for one in whole.noise.values()])
        own = Interval.of(low, high) + around(noise + whole.rest + beyond)
        sides = [*ranges, *(_ends(self.reading.variables[v].interval()) for v in others)]
        approximation: Part = ("separable-kernel", f"{K} by products")
        error, parts = own, {approximation: max(abs(low), abs(high)), FOLDS: noise + whole.rest + beyond}
        for v, argument in enumerate(of):
            if magnitude(argument.error):
                slope = Interval.of(*partial_range(K, sides, v))
                error = error + slope * argument.error
                parts = merged(parts, scaled(argument.parts, magnitude(slope)))
        exact_sides = [*(_ends(argument.exact) for argument in of), *sides[len(of):]]
        exact = Interval.of(*value_range(K, exact_sides))
        leaves = [argument.definition for argument in of] + [ex.Other(c) for c in coordinates]
        relative, kernel = None, None
        own_scales = scales == [self.reading.variables[name] for name in (*names, *others)]
        if own_scales and all(isinstance(argument.definition, ex.Own) for argument in of):  # z is exact
            content = Content(whole.main, whole.noise, whole.rest + beyond)
            kernel = MeanOfKernel(content, expansion, off, (*names, *others), tuple(scales), K, len(names))
        if kernel is not None and float(exact.lower) > 0:
            relative = relative_error(kernel)
        definition = ex.Reduction("mean", substituted(K, leaves))
        return Quantity(exact, error, definition, entry.held, own, relative, parts, kernel=kernel)

    def _wide_kernel(self, entry: Entry, K: ex.Expression, held: Content, of: list[Combination]) -> Quantity:
        """The same for more variables, all of them coordinates: then no error of an argument passes through K."""
        forms = [argument.form for argument in of]
        if not all(list(form.terms.values()) == [1] and not form.constant and not form.slack for form in forms):
            raise NotUnderstood(f"{K}: an argument is no coordinate of the token")
        own = [self._coordinate(next(iter(form.terms))) for form in forms]
        others = [self._coordinate(name) for name in entry.tokens]
        if len({*own}) < len(own) or len({*others}) < len(others):
            raise NotUnderstood(f"{K} names a coordinate twice")
        exact, error, noise = wide_kernel(self.reading, held, K, own, others, self.fine)
        approximation: Part = ("separable-kernel", f"{K} by products")
        definition = ex.Reduction("mean", substituted(K, [*map(ex.Own, own), *map(ex.Other, others)]))
        total = error + around(noise)
        return Quantity(exact, total, definition, entry.held, total, None, {approximation: magnitude(error), FOLDS: noise})

    def _coordinate(self, token: str) -> int:
        definition = self.known[token].definition
        if not isinstance(definition, ex.Own):
            raise NotUnderstood(f"{token} is no coordinate of a token")
        return definition.coordinate

    def _linear_in_means(self, held: Content) -> tuple[Content, float]:
        """Split off what is not linear in the means, bounded term by term: residues of products whose squares cancel."""
        means = {name for name in held.variables if name in self.reading.pooled}
        kept, lost = [], 0.0
        for outer, inner in held.main.by(means).items():
            if sum(e for _, e in outer) > 1:
                lost += polynomial_size(inner)
            else:
                kept.append((inner * Polynomial({outer: fmpq(1)}), fmpq(1)))
        noise = {}
        for name, one in held.noise.items():
            if any(sum(e for _, e in outer) > 1 for outer in one.polynomial.by(means)):
                lost += one.bound
            else:
                noise[name] = one
        return Content(combined(kept), noise, held.rest), lost * (1 + 2.0**-40)

    def _order_statistic(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """The m-th largest of values that are off by e_k is off by a number between the least and the largest e_k."""
        (u,), rank = of, entry.detail
        if self.n is None or not 1 <= rank <= self.n:
            raise NotUnderstood("an order statistic needs the number of tokens")
        own = order_statistic_error(self.reading, held, u.content, rank, self.n, *_ends(u.actual))
        token = u.definition == ex.Own(0)
        definition = ex.OrderStatistic(ex.Number(Fraction(rank))) if token else ranked(rank, self.n, u.definition)
        parts = {("order-statistics", f"order({rank}) by a thermometer"): magnitude(own)}
        return Quantity(u.exact, own + u.error, definition, entry.held, own, None, merged(parts, u.parts))

    def _renamed(self, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
        """The same number; where an expression for it is named, its range as well (the identity is proved at the end)."""
        (argument,) = of
        gap = self._gap(held, argument.content)
        exact = argument.exact
        if entry.tree is not None:
            exact = common(exact, Interval.of(*natural_range(entry.tree, self.reading.sides, self.n)))
        return Quantity(exact, argument.error + gap, argument.definition, entry.held, None,
                        argument.relative if not magnitude(gap) else None, argument.parts)


def substituted(tree: ex.Expression, leaves: list[ex.Expression]) -> ex.Expression:
    """Put expressions in the place of the variables of a tree."""
    if isinstance(tree, ex.Own):
        return leaves[tree.coordinate]
    return ex.mapped(tree, lambda child: substituted(child, leaves))


def with_other(node: ex.Expression) -> ex.Expression:
    """Write y for the own token, outside reductions."""
    if isinstance(node, ex.Own):
        return ex.Other(node.coordinate)
    return node if isinstance(node, ex.Reduction) else ex.mapped(node, with_other)


def ranked(rank: int, n: int, u: ex.Expression) -> ex.Expression:
    """Return the largest or the smallest value of a token function as an expression; the language has no word for the others."""
    if any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in u.walk()) or rank not in (1, n):
        raise NotUnderstood("an order statistic of what is no coordinate of a token")
    return ex.Reduction("max" if rank == 1 else "min", with_other(u))


def partial_range(K: ex.Expression, sides: list[tuple[float, float]], variable: int) -> tuple[float, float]:
    """Enclose one partial derivative on a box."""
    from proofs_check.selection import Forking
    from proofs_check.structure.functions import PIECES, cut
    from proofs_check.walker import Chamber, Walker

    cells = cut(sides, PIECES.get(len(sides), 6))
    walker = Walker(cells, Chamber(1, len(sides), 0), Forking({}, cells[0].lower.size, 0), second=False)
    slope = walker.jet(K).gradient.get(variable, ZERO)
    if walker.undefined.any():
        return -math.inf, math.inf
    return float(slope.lower.min()), float(slope.upper.max())


def enclosed(content: Content) -> Interval:
    """Enclose the values of a content."""
    return Interval.of(*polynomial_range(content.main)) + around(content.sharp_spread())


def _averaged(held: Held) -> Held:
    return Held({mean_of(channel): weight for channel, weight in held.channels.items()}, held.constant)


def _tree(entry: Entry) -> ex.Expression:
    if entry.tree is None:
        raise NotUnderstood(f"{entry.name} has no function")
    return entry.tree


def _ends(values: Interval) -> tuple[float, float]:
    return float(values.lower), float(values.upper)


def _in_scale(name: str, place: Affine, scale: Variable) -> Polynomial:
    """Return the variable v of an argument u = scale_v v + shift as a polynomial in s, u = centre + half s (also called v)."""
    slope = rational(scale.half) / place.scale
    return combined([(Polynomial.variable(name), slope),
                     (Polynomial.constant(fmpq(1)), (rational(scale.centre) - place.shift) / place.scale)])


def _corners(table: Table, low: Fraction, high: Fraction, kink: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Return (t, value) at the ends of all pieces and at the kink."""
    found = []
    for a, b, value, slope in table.pieces(low, high):
        found += [(a, value), (b, value + slope * (b - a))]
        if a <= kink <= b:
            found.append((kink, value + slope * (kink - a)))
    return found
