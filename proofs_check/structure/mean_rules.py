"""Means over the tokens: of what is known of one token, and of a kernel K(z, y) of the own token and another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from flint import fmpq

from constructions.network.relu import mean_of
from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.enclosures.sums import ABOVE
from proofs_check.structure.content import Content, Definitions, expanded
from proofs_check.structure.derivation import Entry, Form, Held
from proofs_check.structure.deviation import difference
from proofs_check.structure.functions import PIECES, cut, on_either_side, value_range
from proofs_check.structure.matching import argument_variable
from proofs_check.structure.polynomial import Polynomial, combined
from proofs_check.structure.premises import FOLDS, Premises, ends, in_scale, substituted, tree_of, with_other
from proofs_check.structure.quantity import (
    Combination,
    Part,
    Quantity,
    around,
    combination,
    joined,
    magnitude,
    merged,
    scaled,
)
from proofs_check.structure.ranges import polynomial_size, series_range, total_size, widened
from proofs_check.structure.ratio import MeanOfKernel, relative_error
from proofs_check.structure.reading import OTHER, TOKEN, NotUnderstood
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable
from proofs_check.structure.wide_kernel import wide_kernel

NARROW = 3  # variables of a kernel that is compared on one grid


def mean(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """A mean of errors lies in their range, of relative errors of positive numbers likewise; its own rounding is added."""
    name = entry.of[0].alone
    if name is None:
        raise NotUnderstood("a mean of a form")
    q = given.known[name]
    if any(isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in q.definition.walk()):
        raise NotUnderstood("a mean of what is no function of one token")
    means = _averaged(q.held)
    if means != entry.held or not means.channels.keys() <= given.reading.pooled.keys():  # psi may call a channel of its own so
        raise NotUnderstood("a mean is not held in the means of the channels of what is averaged")
    rounded = around(given.reading.rounding_of_means(entry.held))
    relative = None if q.relative is None else q.relative + rounded / q.exact  # known of positive numbers only
    definition = ex.Reduction("mean", with_other(q.definition))
    return Quantity(q.exact, q.error + rounded, definition, entry.held, None, relative, q.parts)


def _averaged(held: Held) -> Held:
    return Held({mean_of(channel): weight for channel, weight in held.channels.items()}, held.constant)


def kernel(given: Premises, entry: Entry, held: Content, of: list[Combination]) -> Quantity:
    """mean over y of Q(z', y) against mean over y of K(z, y), in the arguments z or, if that fails, in coordinates."""
    if len(of) + len(entry.tokens) > NARROW:
        return _wide_kernel(given, entry, tree_of(entry), held, of)
    try:
        return _narrow_kernel(given, entry, tree_of(entry), held, of)
    except NotUnderstood:
        inner = _in_coordinates(given, entry, of)
        if inner is None:
            raise
        return kernel(given, inner, held, [combination(form, given.known, given.reading) for form in inner.of])


def _narrow_kernel(given: Premises, entry: Entry, K: ex.Expression, held: Content, of: list[Combination]) -> Quantity:
    """Q - K on the box of all variables, and the slope of K in z."""
    held = expanded(held, given.reading.definitions)
    arguments = _arguments(given, K, held, of)
    names = [argument.name for argument in arguments]
    whole, beyond = _at_other(given, held, names)
    coordinates = [_coordinate(given, name) for name in entry.tokens]
    others = [OTHER + str(c) for c in coordinates]
    if len(set(others)) < len(others):
        raise NotUnderstood(f"{K} names a coordinate of y twice")
    extra = whole.variables - {*names, *others}
    if extra:
        raise NotUnderstood(f"{K}: its channels depend on {', '.join(sorted(extra)[:3])} too")
    main = whole.main.substituted({argument.name: argument.in_scale for argument in arguments})
    scales = [*(argument.scale for argument in arguments), *(given.reading.variables[v] for v in others)]
    expansion, off = difference(main, [*names, *others], K, scales, given.fine)
    low, high = series_range(expansion, 0.0)
    low, high = widened(low - off, high + off)
    noise = total_size([one.polynomial for one in whole.noise.values()])
    own = Interval.of(low, high) + around(noise + whole.rest + beyond)
    sides = [*(ends(joined(argument.exact, argument.actual)) for argument in of),
             *(ends(given.reading.variables[v].interval()) for v in others)]
    approximation: Part = ("separable-kernel", f"{K} by products")
    error, parts = own, {approximation: max(abs(low), abs(high)), FOLDS: noise + whole.rest + beyond}
    for v, argument in enumerate(of):
        if magnitude(argument.error):
            slope = Interval.of(*partial_range(K, sides, v))
            error = error + slope * argument.error
            parts = merged(parts, scaled(argument.parts, magnitude(slope)))
    exact_sides = [*(ends(argument.exact) for argument in of), *sides[len(of):]]
    exact = Interval.of(*value_range(K, exact_sides))
    leaves = [argument.definition for argument in of] + [ex.Other(c) for c in coordinates]
    relative, averaged = None, None
    # z is exact: what is called a coordinate is read from that coordinate, as it is and not turned around
    if all(argument.itself for argument in arguments) and [TOKEN + str(c) for c in map(_own_coordinate, of)] == names:
        content = Content(whole.main, whole.noise, whole.rest + beyond)
        averaged = MeanOfKernel(content, expansion, off, (*names, *others), tuple(scales), K, len(names))
    if averaged is not None and float(exact.lower) > 0:
        relative = relative_error(averaged)
    definition = ex.Reduction("mean", substituted(K, leaves))
    return Quantity(exact, error, definition, entry.held, own, relative, parts, kernel=averaged)


@dataclass(frozen=True)
class _Argument:
    """A variable of the kernel's channels, the box it is compared on, and what it is in the scale of that box.

    ``itself`` says that the argument is the variable's number, not another affine function of it.
    """

    name: str
    scale: Variable
    in_scale: Polynomial
    itself: bool


def _arguments(given: Premises, K: ex.Expression, held: Content, of: list[Combination]) -> list[_Argument]:
    """Return the variable of the channels for each argument of a kernel."""
    found = list[_Argument]()
    for argument in of:
        place = argument_variable(given.reading, argument.content, held.variables)
        if place is None or not place[1].scale or place[1].missed or place[0] in [other.name for other in found]:
            raise NotUnderstood(f"{K}: an argument is no variable of its channels")
        name, affine = place
        whole_range = given.reading.variables[name]
        itself = (affine.scale, affine.shift) == (rational(whole_range.half), rational(whole_range.centre))
        scale = whole_range if itself else Variable.of(*ends(argument.actual))
        found.append(_Argument(name, scale, in_scale(name, affine, scale), itself))
    return found


def _at_other(given: Premises, held: Content, names: list[str]) -> tuple[Content, float]:
    """Return the function of the own token and y whose mean over y the channels hold, and what it leaves out."""
    copies = Definitions({v: c for v, c in given.reading.copies.items() if v not in names})
    linear, beyond = _linear_in_means(given, expanded(expanded(held, copies), given.reading.definitions))
    return expanded(linear, given.reading.averaged), beyond


def _linear_in_means(given: Premises, held: Content) -> tuple[Content, float]:
    """Split off what is not linear in the means, bounded term by term: residues of products whose squares cancel."""
    means = {name for name in held.variables if name in given.reading.pooled}
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
    return Content(combined(kept), noise, held.rest), lost * ABOVE


def _in_coordinates(given: Premises, entry: Entry, of: list[Combination]) -> Entry | None:
    """Write a kernel of functions of the own token as one of its coordinates, None where it is one, or depends on more."""
    defined = [argument.definition for argument in of]
    nodes = [node for tree in defined for node in tree.walk()]
    if all(isinstance(tree, ex.Own) for tree in defined) or any(
            isinstance(node, ex.Reduction | ex.OrderStatistic | ex.Length) for node in nodes):
        return None
    own = sorted({node.coordinate for node in nodes if isinstance(node, ex.Own)})
    token = {q.definition.coordinate: name for name, q in given.known.items() if isinstance(q.definition, ex.Own)}
    if not own or not set(own) <= token.keys():
        return None
    leaves: list[ex.Expression] = [ex.Own(own.index(c)) if c in own else ex.Own(c) for c in range(max(own) + 1)]
    arguments = [substituted(tree, leaves) for tree in defined]
    tree = substituted(tree_of(entry), [*arguments, *(ex.Own(len(own) + k) for k in range(len(entry.tokens)))])
    return replace(entry, tree=tree, of=tuple(Form({token[c]: Fraction(1)}) for c in own))


def _coordinate(given: Premises, token: str) -> int:
    definition = given.known[token].definition
    if not isinstance(definition, ex.Own):
        raise NotUnderstood(f"{token} is no coordinate of a token")
    return definition.coordinate


def _own_coordinate(argument: Combination) -> int | None:
    return argument.definition.coordinate if isinstance(argument.definition, ex.Own) else None


def partial_range(K: ex.Expression, sides: list[tuple[float, float]], variable: int) -> tuple[float, float]:
    """Enclose one partial derivative on a box."""
    slope = on_either_side(K, cut(sides, PIECES.get(len(sides), 6)))[1][variable]
    return float(slope.lower.min()), float(slope.upper.max())


def _wide_kernel(given: Premises, entry: Entry, K: ex.Expression, held: Content, of: list[Combination]) -> Quantity:
    """The same for more variables, all of them coordinates: then no error of an argument passes through K."""
    names = [name for argument in of if (name := argument.form.alone) is not None]
    if len(names) < len(of):
        raise NotUnderstood(f"{K}: an argument is no coordinate of the token")
    own = [_coordinate(given, name) for name in names]
    others = [_coordinate(given, name) for name in entry.tokens]
    if len({*own}) < len(own) or len({*others}) < len(others):
        raise NotUnderstood(f"{K} names a coordinate twice")
    exact, error, noise = wide_kernel(given.reading, held, K, own, others, given.fine)
    approximation: Part = ("separable-kernel", f"{K} by products")
    definition = ex.Reduction("mean", substituted(K, [*map(ex.Own, own), *map(ex.Other, others)]))
    total = error + around(noise)
    return Quantity(exact, total, definition, entry.held, total, None, {approximation: magnitude(error), FOLDS: noise})
