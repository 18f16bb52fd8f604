"""Chebyshev polynomials of one affine form, each from one deep square.

    T_2k = 2 T_k^2 - 1,      T_2k+1 = (T_k + T_k+1)^2 - T_k^2 - T_k+1^2 - T_1,

so a polynomial of degree D costs D - 1 squares, and the squares of high degrees, which enter with small coefficients, need few
folds. Every T_j gets a channel of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, sum_of, upward
from constructions.pieces.node import Node, Sensitivities, Sweep
from constructions.pieces.square import Square

Interval = tuple[Fraction, Fraction]


class ChebyshevBasis(Node):
    """outputs T_1(u), .., T_D(u) with u the affine map of an interval to [-1, 1].

    The errors it reports are those against T_j *of the value held*; who uses the polynomials accounts for the error of the
    argument through the slope of what they approximate.
    """

    def __init__(self, form: Form, interval: Interval, name: str) -> None:
        self.inputs, self.interval, self.name = (form,), interval, name
        self.outputs: tuple[Quantity, ...] = ()
        self.needed: set[int] = {1}
        self.even: dict[int, Square] = {}  # T_k^2 by k
        self.odd: dict[int, Square] = {}  # (T_k + T_k+1)^2 by k
        self.quantity: dict[int, Quantity] = {}

    def polynomial(self, j: int) -> Quantity:
        """Return T_j, j >= 1, and plan for what it needs."""
        if j not in self.quantity:
            self.quantity[j] = Quantity(f"T{j}({self.name})", arb(0, 1), self.inputs[0].token)
            self.outputs = tuple(self.quantity[k] for k in sorted(self.quantity))
            k = j // 2
            if j > 1:
                self.polynomial(k)
                self.even.setdefault(k, Square())
            if j > 1 and j % 2:
                self.polynomial(k + 1)
                self.even.setdefault(k + 1, Square())
                self.odd.setdefault(k, Square())
        return self.quantity[j]

    @property
    def squares(self) -> Sequence[Square]:
        """All squares, lowest degrees first."""
        return (*self.even.values(), *self.odd.values())

    def realise(self, sweep: Sweep) -> None:
        """Write T_1, T_2, .. in order of their degree; off[j] bounds |T_j' - T_j| for the value held."""
        form, (a, b) = self.inputs[0], self.interval
        placed = sweep.places.form(form)
        scale = 2 / (b - a)
        unit_form = Placed({c: w * scale for c, w in placed.channels.items()}, (placed.constant - a) * scale - 1,
                           placed.mass * scale + abs(a) * scale + 1)
        off = {1: sweep.rounding(unit_form)}
        held = {1: unit_form}
        if len(unit_form.channels) > 1 and len(self.quantity) > 1:
            held[1], _ = sweep.materialise(unit_form, arb(0, 1))
        square_of: dict[int, tuple[Placed, float]] = {}
        for j in sorted({*self.quantity, *(2 * k for k in self.even)}):
            k = j // 2
            if j > 1 and j % 2 == 0:
                if k not in square_of:  # T_j-1 may have needed it already
                    square_of[k] = self._square(sweep, self.even[k], held[k], 1 + off[k])
                off[j] = upward(2 * (off[k] * (2 + off[k]) + square_of[k][1]))
                place, _ = square_of[k]
                held[j] = Placed({c: 2 * w for c, w in place.channels.items()}, 2 * place.constant - 1, 2 * place.mass + 1)
            elif j > 1:
                if k + 1 not in square_of:
                    square_of[k + 1] = self._square(sweep, self.even[k + 1], held[k + 1], 1 + off[k + 1])
                held[j], off[j] = self._odd(sweep, k, held, off, square_of)
        for j, quantity in self.quantity.items():
            sweep.places[quantity], sweep.errors[quantity] = held[j], arb(0, off[j])

    def _square(self, sweep: Sweep, square: Square, form: Placed, half: float) -> tuple[Placed, float]:
        square.half = upward(half + sweep.rounding(form))
        channel, scale = sweep.wiring.channel(), Fraction(square.half) ** 2
        constant = scale * square.emit(sweep.wiring, form, {channel: scale})
        lost = float(scale) * (square.error + square.rounding(sweep.unit)) + 4 * square.half * sweep.rounding(form)
        largest = max(abs(constant), scale - constant) + Fraction(upward(lost))  # the square lies in [0, scale]
        return Placed({channel: Fraction(1)}, constant, largest + abs(constant)), upward(lost)

    def _odd(self, sweep: Sweep, k: int, held: dict[int, Placed], off: dict[int, float],
             square_of: dict[int, tuple[Placed, float]]) -> tuple[Placed, float]:
        both = sum_of([(held[k], Fraction(1)), (held[k + 1], Fraction(1))])
        cross, lost = self._square(sweep, self.odd[k], both, 2 + off[k] + off[k + 1])
        form = sum_of([(cross, Fraction(1)), (square_of[k][0], Fraction(-1)), (square_of[k + 1][0], Fraction(-1)),
                     (held[1], Fraction(-1))])
        error = upward(2 * (off[k] + off[k + 1] + off[k] * off[k + 1]) + lost + square_of[k][1] + square_of[k + 1][1] + off[1])
        place, rounding = sweep.materialise(form, arb(0, 1 + error))
        return place, upward(error + rounding)

    def backward(self, sensitivities: Sensitivities) -> None:
        """Follow the recursion from the highest degree down; the argument gets its share from the users of the basis."""
        weight = {j: sensitivities.get(quantity, 0.0) for j, quantity in self.quantity.items()}
        for square in self.squares:
            square.weight = 0.0
        for j in sorted(self.quantity, reverse=True):
            k, w = j // 2, weight[j]
            if j > 1 and j % 2 == 0:
                weight[k] = weight.get(k, 0.0) + 4 * w
                self.even[k].weight += 2 * w
            elif j > 1:
                for part in (k, k + 1):
                    weight[part] = weight.get(part, 0.0) + 2 * w
                    self.even[part].weight += w
                self.odd[k].weight += 4 * w
