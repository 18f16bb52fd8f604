"""Functions of one form: g(u) by a square, a polynomial or a table, and max(u, 0) by a hinge.

With u' the argument that the network holds, network - g(u) = [network - g(u')] + [g(u') - g(u)]: the first is a difference of
functions, the second is at most a slope of g times the error of u, or a logarithmic slope times its relative error.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from fractions import Fraction

from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures import functions as on_intervals
from proofs_check.enclosures.interval import Interval
from proofs_check.enclosures.sums import ABOVE
from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content, expanded
from proofs_check.structure.derivation import Entry
from proofs_check.structure.deviation import Placed, polynomial_deviation, slope_range, table_deviation
from proofs_check.structure.functions import value_range
from proofs_check.structure.matching import Affine, argument_variable, compared
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.premises import FOLDS, ONE, Premises, enclosed, ends, in_scale, substituted, tree_of
from proofs_check.structure.quantity import ZERO, Combination, Part, Quantity, around, common, joined, magnitude, merged, scaled
from proofs_check.structure.ranges import polynomial_size, rational_up, total_size
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.ridge import along
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable


def function(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Return what holds for g of a form: range, error, and how far the network is from g of the argument that it holds."""
    g, (argument,) = tree_of(entry), of
    exact = Interval.of(*value_range(g, [ends(argument.exact)]))
    own, relative, parts = _approximation(given, g, held, argument)
    at_held = relative
    tables = _tables(given, held, argument)
    at = functools.partial(_on_part, given, g, held, argument, tables) if tables else None
    passed, factor = _passed(g, argument)
    error = own + passed
    known_relative = None
    if float(exact.lower) > 0 and relative is not None and float(exact.lower) < float(exact.upper):
        by_argument = passed / exact
        known_relative = relative + by_argument + relative * by_argument
        known_relative = common(known_relative, error / exact)
    definition = substituted(g, [argument.definition])
    return Quantity(exact, error, definition, entry.held, own, known_relative, merged(parts, scaled(argument.parts, factor)),
                    entry.of[0], at_held, at, function=g)


def _passed(g: ex.Expression, argument: Combination) -> tuple[Interval, float]:
    """Enclose g(u') - g(u), u' the argument that the network holds; and about how much of an error of u passes."""
    values = joined(argument.actual, argument.exact)
    slope = Interval.of(*slope_range(g, *ends(values)))
    passed, factor = slope * argument.error, magnitude(slope)
    if argument.relative is not None and float(values.lower) > 0:
        steep = Interval.of(*slope_range(g, *ends(values), logarithmic=True))
        through = steep * on_intervals.log(ONE + argument.relative)
        if magnitude(through) < magnitude(passed):
            factor *= magnitude(through) / max(magnitude(passed), 1e-300)
        passed = common(passed, through)
    return passed, factor


def _approximation(given: Premises, g: ex.Expression, held: Content, argument: Combination
                   ) -> tuple[Interval, Interval | None, dict[Part, float]]:
    """Enclose held - g(argument that the network holds), that over g, and say what it comes from."""
    tables = _tables(given, held, argument)
    if tables:
        return _by_table(given, g, held, argument, tables)
    exactly = _by_algebra(given, g, held, argument)
    if exactly is not None:
        return exactly, None, {FOLDS: magnitude(exactly)}
    return _by_polynomial(given, g, held, argument)


def _tables(given: Premises, held: Content, argument: Combination) -> list[str]:
    """Return the tables in what is held; one that the argument itself is, relu(..) for one, is a variable like others."""
    own = expanded(argument.content, given.reading.definitions).main.variables
    return [name for name in held.main.variables if name in given.reading.bends and name not in own]


def _by_polynomial(given: Premises, g: ex.Expression, held: Content, argument: Combination
                   ) -> tuple[Interval, Interval | None, dict[Part, float]]:
    held = expanded(held, given.reading.definitions)
    found = argument_variable(given.reading, argument.content, held.variables) or _of_form(given, held, argument)
    if found is None:
        raise NotUnderstood(f"{g} reads a form that its channels do not show")
    name, place = found[:2]
    if len(found) == 3:
        held = found[2]
    if held.main.variables - {name} or not place.scale:
        raise NotUnderstood(f"{g}: its channels depend on {', '.join(sorted(held.main.variables - {name}))} too")
    scale = Variable.of(*ends(argument.actual))
    rescaled = in_scale(name, place, scale)
    main = held.main.substituted({name: rescaled})
    low, high = polynomial_deviation(main, [name], g, [scale], given.fine)
    noise = total_size([one.polynomial for one in held.noise.values()])
    if place.missed * max(1, main.degree(name)) ** 2 > 0.01 * float(scale.half):
        raise NotUnderstood(f"{g} is computed of something else than its argument")
    missed = _lipschitz(main, name, scale) * place.missed
    own = Interval.of(low, high) + around(noise + held.rest + missed)
    degree = main.degree(name)
    parts = {("chebyshev-expansion", f"{g} by a polynomial of degree {degree}"): max(abs(low), abs(high)), FOLDS: noise}
    return own, _over(own, g, argument), parts


def _of_form(given: Premises, held: Content, argument: Combination) -> tuple[str, Affine, Content] | None:
    """Write what is held as a polynomial of an argument that is a sum of several known numbers, in a variable for its value."""
    form = given.reading.whole(argument.content)
    found = along(held.main, form.main, "form") if len(form.main.variables) > 1 else None
    if found is None:
        return None
    q, lost = found
    return "form", Affine(fmpq(1), fmpq(0), form.sharp_spread()), Content(q, held.noise, held.rest + rational_up(lost))


def _by_table(given: Premises, g: ex.Expression, held: Content, argument: Combination, tables: list[str], *, over: bool = True
              ) -> tuple[Interval, Interval | None, dict[Part, float]]:
    if len(tables) > 1 or len(held.main.variables) > 1 or held.main.degree(tables[0]) > 1:
        raise NotUnderstood(f"{g}: its channels hold a table and something else")
    name, bend = tables[0], given.reading.bends[tables[0]]
    place = compared(given.reading.whole(bend.argument), given.reading.whole(argument.content))
    if place is None:
        raise NotUnderstood(f"{g}: its table reads another form than its argument")
    variable = given.reading.variables[name]
    weight = from_rational(held.main.terms.get(((name, 1),), fmpq(0))) / variable.half if variable.half else Fraction(0)
    constant = from_rational(held.main.at_zero) - weight * variable.centre
    missed = _missed(held, place, weight, bend.table)
    placed = Placed(bend.table, from_rational(place.scale), from_rational(place.shift), weight, constant)
    own = Interval.of(*table_deviation(placed, g, *ends(argument.actual))) + around(missed)
    relative, values = None, Interval.of(*value_range(g, [ends(argument.actual)])) if over else ZERO
    if float(values.lower) > 0:
        relative = Interval.of(*table_deviation(placed, g, *ends(argument.actual), relative=True)) + around(missed) / values
    what = f"{g} by {len(bend.table.knots)} hinges"
    return own, relative, {("interpolation-error", what): magnitude(own)}


def _on_part(given: Premises, g: ex.Expression, held: Content, argument: Combination, tables: list[str], low: float,
             high: float) -> Interval:
    """Enclose table - g for arguments in a part of the range."""
    return _by_table(given, g, held, replace(argument, actual=Interval.of(low, high)), tables, over=False)[0]


def _by_algebra(given: Premises, g: ex.Expression, held: Content, argument: Combination) -> Interval | None:
    """Compare exactly where g is a square."""
    match g:
        case ex.Power(base=ex.Own(), exponent=ex.Number(value=k)) if k == 2:
            content = given.reading.whole(argument.content)
            return given.gap(held, content * content)
    return None


def _lipschitz(main: Polynomial, name: str, scale: Variable) -> float:
    """Bound the slope of a polynomial in one variable: Markov's inequality, degree^2 times its size.

    With d^2 delta < 1/100 it grows by less than a fifth up to a distance delta outside the interval.
    """
    return 1.2 * polynomial_size(main) * max(1, main.degree(name)) ** 2 / max(float(scale.half), 1e-300)


def _over(own: Interval, g: ex.Expression, argument: Combination) -> Interval | None:
    values = value_range(g, [ends(argument.actual)])
    return own / Interval.of(*values) if values[0] > 0 else None


def rectified(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """Return what holds for max(form, 0): one hinge, or none where the sign is known; errors do not grow.

    The hinge itself is not negative, however far its argument is off: what follows may be undefined below 0.
    """
    (argument,) = of
    hinged = any(name in given.reading.bends for name in held.main.variables - argument.content.main.variables)
    own = _by_hinge(given, held, argument) if hinged else _without_hinge(given, held, argument)
    exact = on_intervals.relu(argument.exact)
    error = own + joined(argument.error, ZERO)
    return Quantity(exact, error, ex.Apply("relu", argument.definition), entry.held, own, None, argument.parts,
                    shown=Interval.of(given.reading.least(entry.held), math.inf))


def _without_hinge(given: Premises, held: Content, argument: Combination) -> Interval:
    """Enclose held - max(u', 0) through held - u' and through held alone: one of them is small where u' has a sign."""
    low, high = ends(argument.actual)
    positive = given.gap(held, argument.content) + Interval.of(-max(0.0, -low), 0.0)
    negative = enclosed(given.reading.whole(held)) + Interval.of(-max(0.0, high), 0.0)
    return min(positive, negative, key=magnitude)


def _by_hinge(given: Premises, held: Content, argument: Combination) -> Interval:
    """Enclose held - max(u', 0) for a table of one hinge, u' the argument that the network holds."""
    tables = _tables(given, held, argument)
    if len(tables) != 1 or len(held.main.variables) > 1 or held.main.degree(tables[0]) > 1:
        raise NotUnderstood("a rectified form is not one hinge")
    bend, variable = given.reading.bends[tables[0]], given.reading.variables[tables[0]]
    place = compared(given.reading.whole(bend.argument), given.reading.whole(argument.content))
    if place is None or not variable.half:
        raise NotUnderstood("a rectified form reads another form")
    weight = from_rational(held.main.terms[((tables[0], 1),)]) / variable.half
    constant = from_rational(held.main.at_zero) - weight * variable.centre
    low, high = (Fraction(end) for end in ends(argument.actual))
    scale, shift = from_rational(place.scale), from_rational(place.shift)
    first, last = sorted((scale * low + shift, scale * high + shift))
    gaps = [weight * value + constant - max((t - shift) / scale, Fraction(0))
            for t, value in _corners(bend.table, first, last, shift)]
    own = Interval.of(Interval.constant(min(gaps)).lower, Interval.constant(max(gaps)).upper)
    return own + around(_missed(held, place, weight, bend.table))


def _missed(held: Content, place: Affine, weight: Fraction, table: Table) -> float:
    """Bound what is held beside a table, and how far the table is off because its argument is."""
    steepest = max((abs(float(slope)) for slope in table.slopes), default=0.0)
    return (held.sharp_spread() + place.missed * float(abs(weight)) * steepest) * ABOVE


def _corners(table: Table, low: Fraction, high: Fraction, kink: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Return (t, value) at the ends of all pieces and at the kink."""
    found = []
    for a, b, value, slope in table.pieces(low, high):
        found += [(a, value), (b, value + slope * (b - a))]
        if a <= kink <= b:
            found.append((kink, value + slope * (kink - a)))
    return found
