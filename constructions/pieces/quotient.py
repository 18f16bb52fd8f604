"""Quotients through products with a reciprocal (mathematics: product)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, ball, between, ends, hull, size, sum_of, upward
from constructions.pieces.node import Joint, Node, Sensitivities, Sweep, pass_back
from constructions.pieces.product import TwoSquares, emit_product, least_size
from constructions.pieces.square import Square

PIECES = 24  # of the range of a divisor
QUOTIENT_PARTS = 12
NOTHING = arb(0)
REFINED_UNITS = 40  # parameters of the two further products besides their folds


class Quotient(Node):
    """output = p / q through p times r with r close to 1/q, r a quantity of its own.

    p' r' - p/q = p' (r' - 1/q') + (e_p - (p/q) e_q)/q': the quotient itself, often known to be small (an average lies between
    extremes), takes the place of the largest p over the smallest q.
    """

    def __init__(self, name: str, p: Form, q: Form, reciprocal: Quantity, values: arb) -> None:
        self.p, self.q, self.reciprocal, self.pair = p, q, reciprocal, TwoSquares()
        self.inputs = (p, q, Form.of(reciprocal))
        self.outputs = (Quantity(name, values, all(form.token for form in self.inputs)),)
        self.loose: float | None = None

    @property
    def squares(self) -> Sequence[Square]:
        """The two squares."""
        return self.pair.squares

    def realise(self, sweep: Sweep) -> None:
        """See the class."""
        r, output = Form.of(self.reciprocal), self.outputs[0]
        lost = emit_product(sweep, self.pair, self.p, r, output)
        local, relative = sweep.local[self.reciprocal], sweep.local_relative.get(self.reciprocal)
        errors = [_over(sweep, self.p, self.q, F, passed, local, relative)
                  for F, passed in _parts(sweep, self.p, self.q, output.range)]
        sweep.errors[output] = hull(errors) + arb(0, lost)

    def backward(self, sensitivities: Sensitivities) -> None:
        """The reciprocal is weighted by p; p and q by 1/q and (p/q)/q, not through the reciprocal's slope."""
        s, least = sensitivities.get(self.outputs[0], 0.0), least_size(self.q.range())
        if self.loose is None:
            self.pair.weigh(self.p.range(), self.reciprocal.range, s)
            pass_back(sensitivities, Form.of(self.reciprocal), s * size(self.p.range()))
        pass_back(sensitivities, self.p, s / least)
        pass_back(sensitivities, self.q, s * size(self.outputs[0].range) / least)

    def settle(self, tolerance: float, sensitivity: float) -> None:
        """Set the relative error ``loose`` of a reciprocal to be refined, None where a fine one is cheaper (by estimate).

        Args:
            tolerance: of the target.
            sensitivity: of the target to this quotient.
        """
        self.loose = None
        low, high = ends(self.q.range())
        if not (low > 0 and high > 1.5 * low and sensitivity > 0 and tolerance > 0):
            return
        each = tolerance / sensitivity / 4
        F, p, ratio = size(self.outputs[0].range), size(self.p.range()), high / low
        loose = math.sqrt(min(0.01, each / F))
        table, coarse = _hinges(ratio, low, each / p), _hinges(ratio, low, loose, relative=True)
        degree = math.log(4 * p / low / each) / math.log((math.sqrt(ratio) + 1) / (math.sqrt(ratio) - 1))
        polynomial = degree * (2 * math.log(max(degree * p / low / each, 4.0), 4) + 6)
        folds = [math.log(max(scale / each, 1.0), 4) for scale in (each / loose * F * ratio, loose * F * ratio)]
        if coarse + 8 * sum(folds) + REFINED_UNITS < min(table, polynomial):
            self.loose = loose


def _hinges(ratio: float, low: float, tolerance: float, relative: bool = False) -> float:
    """Parameters of a table of 1/q on [low, ratio low]."""
    bend = math.log(ratio) if relative else 2 * (1 - ratio**-0.5) / math.sqrt(low)
    return 3 * bend / math.sqrt(8 * tolerance)


class RefinedQuotient(Node):
    """output = p / q from a reciprocal r that is only about right, (1 + lambda)/q, and one correction:

        F_0 = p r + l_1,   R = p - (q F_0 + l_2),   F = F_0 + R r + l_3,

    l_i the errors of three products. Then F - p/q = -(p/q) lambda^2 - lambda l_1 - (1 + lambda) l_2/q + l_3: the error of r
    counts squared, that of the first product only with lambda. Two coarse products and one fine one replace a fine reciprocal.
    All is scaled by 1 + sup lambda^2 / 2, which halves the first term.
    """

    def __init__(self, exact: Quotient, reciprocal: Quantity, loose: float) -> None:
        self.exact, self.p, self.q, self.r, self.loose = exact, exact.p, exact.q, reciprocal, loose
        self.inputs = (self.p, self.q, Form.of(reciprocal))
        self.outputs, self.middle = exact.outputs, Fraction(loose) ** 2 / 2
        self.first, self.second, self.third = TwoSquares(), TwoSquares(), TwoSquares()

    @property
    def squares(self) -> Sequence[Square]:
        """Of the three products."""
        return (*self.first.squares, *self.second.squares, *self.third.squares)

    def realise(self, sweep: Sweep) -> None:
        """See the class; every value held is enclosed from the one before it."""
        p, q, r, output = self.p, self.q, Form.of(self.r), self.outputs[0]
        numerator, denominator, quotient = sweep.actual(p), sweep.actual(q), output.range
        off = sweep.local_relative[self.r]
        parts = _parts(sweep, p, q, quotient)
        exact_parts = [F + _over(sweep, p, q, F, passed) for F, passed in parts]  # p'/q'
        exact = hull(exact_parts)
        approximate, inverse = exact * (1 + off), sweep.actual(r)
        placed_p, placed_q, placed_r = (sweep.places.form(form) for form in (p, q, r))
        start, l_1 = _multiplied(sweep, self.first, placed_p, placed_r, numerator, inverse)
        start_values = approximate + l_1
        back, l_2 = _multiplied(sweep, self.second, placed_q, start, denominator, start_values)
        rest = sum_of([(placed_p, Fraction(1)), (back, Fraction(-1))])
        values = arb(0, size(numerator * off) + size(denominator * l_1) + size(l_2))
        change, l_3 = _multiplied(sweep, self.third, rest, placed_r, values, inverse)
        sweep.places[output] = sum_of([(start, 1 + self.middle), (change, 1 + self.middle)])
        scale, inner = 1 + ball(self.middle), -l_2 * (1 + off) * (1 + ball(self.middle))
        squared = between(0, upward(size(off) ** 2))
        fixed, rough = (l_3 - l_1 * off) * scale, ball(self.middle) - squared * scale
        sweep.local[output] = fixed + exact * rough + inner / denominator
        errors = [_over(sweep, p, q, F, replace(passed, whole=passed.whole + inner, rest=passed.rest + inner)) + ratio * rough
                  for (F, passed), ratio in zip(parts, exact_parts, strict=True)]
        sweep.errors[output] = hull(errors) + fixed

    def backward(self, sensitivities: Sensitivities) -> None:
        """The reciprocal has its own tolerance already; p and q as for the exact quotient."""
        s, p, q, r = sensitivities.get(self.outputs[0], 0.0), self.p.range(), self.q.range(), self.r.range
        self.first.weigh(p, r, s * self.loose)
        self.second.weigh(q, self.outputs[0].range, s / least_size(q))
        self.third.weigh(arb(0, 3 * self.loose * size(p)), r, s)
        self.exact.backward(sensitivities)


def _multiplied(sweep: Sweep, pair: TwoSquares, p: Placed, q: Placed, p_values: arb, q_values: arb) -> tuple[Placed, arb]:
    """Put p q into a new channel; returns the place and the error."""
    target = sweep.wiring.channel()
    constant, lost, mass = pair.emit(sweep, p, q, p_values, q_values, target)
    return Placed({target: Fraction(1)}, constant, mass + abs(constant)), arb(0, lost)


def _parts(sweep: Sweep, p: Form, q: Form, quotient: arb) -> list[tuple[arb, Joint]]:
    """Cut the range of the quotient where what is known of both errors depends on it."""
    low, high = ends(quotient)
    cuts = [low + (high - low) * k / QUOTIENT_PARTS for k in range(QUOTIENT_PARTS)] + [high]
    first = sweep.error_beside(p, q, between(cuts[0], cuts[1]))
    if not 0 < first.relative < math.inf:
        return [(quotient, sweep.error_beside(p, q, quotient))]
    several = [between(a, b) for a, b in itertools.pairwise(cuts)]
    return list(zip(several, [first, *(sweep.error_beside(p, q, F) for F in several[1:])], strict=True))


def _over(sweep: Sweep, p: Form, q: Form, quotient: arb, passed: Joint, local: arb = NOTHING, relative: arb | None = None) -> arb:
    """Enclose p' local + (e_p - (p/q) e_q)/q', q' being cut into pieces; ``relative`` encloses q' local where it is known.

    p' = (p/q) q' + (e_p - (p/q) e_q) is small where q' is, the rest of it over q' where q' is not, and what is relative to q is
    so to q' = q + e_q up to the factor 1 + |e_q|/q'.
    """
    numerator, denominator = sweep.actual(p), sweep.actual(q)
    low, high = ends(denominator)
    if not low > 0:
        return numerator * local + passed.whole / denominator
    cuts = [low, *(low * (high / low) ** (k / PIECES) for k in range(1, PIECES)), high]
    off = size(sweep.error(q))
    total: arb | None = None
    for s, t in itertools.pairwise(cuts):
        piece = between(s, t)
        through, over = quotient * piece + passed.whole, passed.whole / piece
        if passed.relative < math.inf:
            apart = passed.rest / piece + arb(0, upward(passed.relative * (1 + off / s) * (1 + 2.0**-40)))
            over = apart if size(apart) < size(over) else over
        own = (through if through.rad() < numerator.rad() else numerator) * local
        if relative is not None:
            own = min(own, (quotient + over) * relative, key=size)
        value = own + over
        total = value if total is None else total.union(value)
    return total if total is not None else passed.whole / denominator
