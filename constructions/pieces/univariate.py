"""A smooth function of one affine form: as a table of hinges or as a Chebyshev polynomial, whichever is cheaper."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.errors import Refused
from constructions.pieces.basis import ChebyshevBasis, Interval
from constructions.pieces.enclosure import slope_range, value_range
from constructions.pieces.expansion import Expansion, expand
from constructions.pieces.forms import Form, Placed, Quantity, ball, between, ends, size, upward
from constructions.pieces.interpolation import Table, conditioned, interpolate, predicted_units
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.product import Product, least_size
from constructions.pieces.smooth import Smooth
from constructions.pieces.square import folds_for

MAX_DEGREE = 128
TABLE_UNIT = 3  # parameters of a hinge: read, bias, write
SHORTEST = 2.0**-160  # of an interval from 0: where slopes are largest


@dataclass(eq=False)
class Bases:
    """The Chebyshev bases in use, one for each affine form and interval."""

    known: dict[tuple[object, Interval], ChebyshevBasis] = field(default_factory=dict)
    products: dict[tuple[Quantity, Quantity], Product] = field(default_factory=dict)

    def of(self, form: Form, interval: Interval) -> ChebyshevBasis:
        """Return the basis of a form on an interval, making it if needed."""
        key = (form.key(), interval)
        if key not in self.known:
            name = next(iter(form.terms)).name if len(form.terms) == 1 else f"u{len(self.known)}"
            self.known[key] = ChebyshevBasis(form, interval, name)
        return self.known[key]


class Univariate(Node):
    """output = g(form), g smooth. What stands in for it is decided by :meth:`concrete` once a tolerance is known."""

    def __init__(self, g: Smooth, form: Form, values: arb | None = None) -> None:
        self.g, self.inputs = g, (form,)
        # set where every user of the output, or of the argument, asks for its logarithm
        self.relative_tolerance: float | None = None
        self.relative_margin: float | None = None
        self.known: dict[tuple[float, float], arb] = {}
        exact = value_range(g, [self.inside(form.range())])
        self.outputs = (Quantity(f"{g.tree}", exact if values is None else exact.intersection(values), form.token),)

    def inside(self, argument: arb) -> tuple[float, float]:
        """Return the ends of a ball of arguments, from 0 on where none is below: a ball of [0, b] reaches further."""
        low, high = ends(argument)
        return (max(low, 0.0) if self.inputs[0].positive_part else low), high

    def slope(self, argument: arb) -> arb:
        """Enclose g' on a ball.

        Raises:
            Refused: it has no bound; the reason names the range, which errors may have made larger than that of the target.
        """
        low, high = self.inside(argument)
        try:
            return slope_range(self.g, (low, high))
        except Refused as refused:
            raise Refused(f"{refused}, and what a network holds of it may be from {low:.3g} to {high:.3g}") from None

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("a univariate node is replaced by a table or a polynomial before it is realised")

    def logarithmic_slope(self, argument: arb) -> arb:
        """Enclose t g'(t), on positive numbers the slope against log t, in pieces that are as short as they are near to 0."""
        low, high = self.inside(argument)
        if (low, high) not in self.known:
            values = [self._logarithmic(a, b) for a, b in itertools.pairwise(_cuts(low, high))]
            self.known[low, high] = functools.reduce(lambda a, b: a.union(b), values)
        return self.known[low, high]

    def _logarithmic(self, a: float, b: float) -> arb:
        """The same on [a, b]: by its value in the middle and its slope g' + t g'', where that is sharper than as it stands."""
        piece, middle = between(a, b), ball((a + b) / 2)
        _, first, second = self.g.series(piece, 2)
        plain = piece * first
        sharper = middle * self.g.series(middle, 1)[1] + (first + 2 * piece * second) * (piece - middle)
        return sharper if sharper.is_finite() and sharper.rad() < plain.rad() else plain

    def backward(self, sensitivities: Sensitivities) -> None:
        """Pass back through sup |g'|, and through sup |t g'(t)| where the argument is one positive quantity."""
        s, form = sensitivities.get(self.outputs[0], 0.0), self.inputs[0]
        (quantity, *others), slope = form.terms, size(self.slope(form.range()))
        if not others and not form.constant and least_size(quantity.range) > 0:
            sensitivities.add(quantity, s * slope * abs(float(form.terms[quantity])),
                              s * size(self.logarithmic_slope(form.range())))
        else:
            pass_back(sensitivities, form, s * slope)

    def passed(self, sweep: Sweep) -> arb:
        """Enclose g(value held) - g(exact): by the slope times the error, or by t g'(t) times the relative error."""
        form = self.inputs[0]
        both = sweep.actual(form).union(form.range())
        (quantity, *others) = form.terms
        if not others and not form.constant and quantity in sweep.relative and both > 0:
            relative = self.logarithmic_slope(both) * (1 + sweep.relative[quantity]).log()
            if size(relative) <= size(sweep.error(form)) * 1e-3:
                return relative
            absolute = self.slope(both) * sweep.error(form)
            return relative if size(relative) < size(absolute) else absolute
        absolute = self.slope(both) * sweep.error(form)
        if not others and not form.constant and quantity in sweep.proportional and self.inside(both)[1] > 0:
            (A, G), factor = sweep.proportional[quantity], abs(float(form.terms[quantity]))
            most = 1.01 * (factor * A * size(self.slope(both)) + G * size(self.logarithmic_slope(both)))
            return arb(0, upward(most)) if most < size(absolute) else absolute
        return absolute

    def widened(self, margin: float) -> Interval:
        """Return the argument's range, wider by the margin on both sides."""
        low, high = self.inside(self.inputs[0].range())
        if self.relative_margin is not None and low > 0:
            return Fraction(low * (1 - self.relative_margin)), Fraction(high * (1 + self.relative_margin))
        margin = max(margin, 2.0**-26 * (abs(low) + abs(high) + (high - low)))
        return Fraction(0 if self.inputs[0].positive_part else low - margin), Fraction(high + margin)

    def hinges(self, tolerance: float, margin: float) -> tuple[float, Smooth | None, float]:
        """Predict the parameters of a table, absolute or relative; returns also the weight and the tolerance it is for."""
        a, b = (float(end) for end in self.widened(margin))
        plain = TABLE_UNIT * predicted_units(self.g, a, b, tolerance) + 2
        choices: list[tuple[float, Smooth | None, float]] = [(plain, None, tolerance)]
        if self.relative_tolerance is not None and least_size(self.outputs[0].range) > 0:
            weighted = predicted_units(self.g, a, b, self.relative_tolerance, self.g)
            choices.append((TABLE_UNIT * weighted + 2, self.g, self.relative_tolerance))
        return min(choices, key=lambda choice: choice[0])

    def elasticity(self, tolerance: float, margin: float) -> float:
        """Parameters for one e-fold of accuracy: half a table, or a degree of a polynomial."""
        table = self.hinges(tolerance, margin)[0]
        polynomial = _expansion(self.g, self.widened(margin), tolerance)
        if polynomial is None or _polynomial_cost(polynomial, tolerance) > table:
            return max(4.0, table / 2)
        return 30.0

    def concrete(self, tolerance: float, margin: float, bases: Bases) -> list[Node]:
        """Return the nodes that stand in for it, the last of which has this node's output.

        Args:
            tolerance: of the approximation error; a polynomial leaves some of it to its squares.
            margin: how far the argument held by the network may lie outside its exact range.
            bases: where Chebyshev polynomials are shared.
        """
        interval = self.widened(margin)
        polynomial, (cost, weight, bound) = _expansion(self.g, interval, tolerance), self.hinges(tolerance, margin)
        if polynomial is not None and _polynomial_cost(polynomial, tolerance) < cost:
            basis = bases.of(self.inputs[0], interval)
            return [basis, Polynomial(self, polynomial, basis)]
        table = interpolate(self.g, float(interval[0]), float(interval[1]), bound, weight=weight)
        return [Hinges(self, table, interval, weight is not None)]


class Hinges(Node):
    """The table of a univariate function: one hidden layer (mathematics: interpolation-error)."""

    def __init__(self, exact: Univariate, table: Table, interval: Interval, relative: bool) -> None:
        self.relative = relative
        self.table, self.sign = (table, 1) if relative else conditioned(table, float(interval[1]))
        self.exact, self.interval, self.inputs, self.outputs = exact, interval, exact.inputs, exact.outputs

    def realise(self, sweep: Sweep) -> None:
        """Error: that of the table at the value held, and the slope of g times the error of the argument."""
        form, output, table = self.inputs[0], self.outputs[0], self.table
        argument = sweep.actual(form)
        placed, extra = sweep.bottleneck(form) if table.units > 3 else (sweep.places.form(form), 0.0)
        channel = sweep.wiring.channel()
        biases = sweep.hinges(placed, table, channel, self.sign)
        lost = self._lost(sweep, placed, argument, extra, np.array(biases))
        base = Fraction(float(table.base))
        own, passed = between(table.lower, table.upper), self.exact.passed(sweep)
        if self.relative:
            sweep.local_relative[output] = self._relative_to_held(sweep, own, lost)
            around = arb(0, upward((size(passed) + lost) / least_size(output.range)))
            sweep.relative[output] = own + around + own * around
            own = own * (output.range + passed)
        sweep.local[output] = own + arb(0, lost)
        sweep.errors[output] = sweep.local[output] + passed
        largest = Fraction(upward(size(output.range + sweep.errors[output]) + 2 * abs(table.base)))
        sweep.places[output] = Placed({channel: Fraction(1)}, base, largest)
        _require_inside(argument, *self.interval, self.exact)

    def _lost(self, sweep: Sweep, placed: Placed, argument: arb, extra: float, biases: np.ndarray) -> float:
        """Bound what rounding does to the sum of hinges: to the form, to each hinge by itself, and to the sum.

        Where a hinge is not 0 a form of one channel is no larger than its bias and what the hinge may be: for hinges that end
        near 0 that is much less than elsewhere. A channel read as it is, plus a bias, is rounded once.
        """
        table, last = self.table, ends(self.sign * argument)[1]
        steep = float(np.abs(np.cumsum(table.weights)).max(initial=0.0))
        reach = np.maximum(last - table.knots, 0.0)
        if placed.unscaled:
            own = 2 * sweep.unit * (reach + (np.abs(biases) if placed.constant else 0.0))
        else:
            read = reach + np.abs(biases) if len(placed.channels) == 1 else float(placed.mass)
            own = (len(placed.channels) + 4) * sweep.unit * (read + np.abs(biases))
        summed = (table.units + 4) * sweep.unit * table.mass(last)
        return upward(1.001 * (steep * extra + float(np.abs(table.weights) @ own) + summed))

    def _relative_to_held(self, sweep: Sweep, own: arb, lost: float) -> arb:
        """Enclose table / g - 1 at the value held: the table's own relative error, and rounding over the least of g."""
        values = value_range(self.exact.g, [self.exact.inside(sweep.actual(self.inputs[0]))])
        return own + arb(0, upward(lost / least_size(values))) if least_size(values) > 0 else arb("nan")

    def backward(self, sensitivities: Sensitivities) -> None:
        """As the exact function."""
        self.exact.backward(sensitivities)


class Polynomial(Node):
    """output = g(form) as a combination of Chebyshev polynomials; no units of its own."""

    def __init__(self, exact: Univariate, expansion: Expansion, basis: ChebyshevBasis) -> None:
        self.exact, self.expansion, self.basis, self.outputs = exact, expansion, basis, exact.outputs
        coefficients = [Fraction(float(c)) for c in expansion.coefficients]
        terms = {basis.polynomial(j): c for j, c in enumerate(coefficients) if j and c}
        self.combination = Form(terms, coefficients[0])
        self.inputs = (self.combination, exact.inputs[0])

    def realise(self, sweep: Sweep) -> None:
        """Error: that of the polynomials at the value held, of the expansion there, and slope times the argument's error."""
        output, form = self.outputs[0], self.exact.inputs[0]
        argument = sweep.actual(form)
        _require_inside(argument, *self.basis.interval, self.exact)
        sweep.places[output] = sweep.places.form(self.combination)
        sweep.local[output] = sweep.error(self.combination) + arb(0, self.expansion.error)
        sweep.errors[output] = sweep.local[output] + self.exact.passed(sweep)

    def backward(self, sensitivities: Sensitivities) -> None:
        """Each T_j by its coefficient, the argument by the slope."""
        s = sensitivities.get(self.outputs[0], 0.0)
        pass_back(sensitivities, self.combination, s)
        self.exact.backward(sensitivities)


def _cuts(low: float, high: float) -> list[float]:
    if low > 0:
        inner = np.geomspace(low, high, 129)[1:-1]
    elif high > 0:
        inner = np.geomspace(high * SHORTEST, high, 257)[:-1]
    else:
        inner = np.linspace(low, high, 129)[1:-1]
    return [low, *map(float, inner), high]


def _expansion(g: Smooth, interval: Interval, tolerance: float) -> Expansion | None:
    try:
        return expand(g, (interval,), tolerance / 2, MAX_DEGREE)
    except Refused:
        return None


def _polynomial_cost(expansion: Expansion, tolerance: float) -> float:
    """Predict the parameters of a polynomial whose squares share half the tolerance; its terms read once each."""
    degree = len(expansion.coefficients) - 1
    if degree < 1:
        return 1.0
    share = tolerance / 2 / max(1, degree)
    weights = np.abs(expansion.coefficients)
    tail = np.cumsum(weights[::-1])[::-1]  # T_j also feeds higher degrees
    return float(sum(4 * folds_for(4 * tail[j], share) + 5 for j in range(2, degree + 1)) + degree)


def _require_inside(argument: arb, low: Fraction, high: Fraction, exact: Univariate) -> None:
    least, largest = exact.inside(argument)
    if not low <= least <= largest <= high:
        raise TooWide(f"{exact.g.tree} is approximated on [{float(low):.6g}, {float(high):.6g}], but its argument may be in "
                      f"[{least:.6g}, {largest:.6g}]")


class TooWide(ArithmeticError):
    """An argument may leave the interval on which its function was approximated: plan with a larger margin."""
