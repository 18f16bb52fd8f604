"""Products through two deep squares (mathematics: product).

With p = p_c + A a, q = q_c + B b, |a|, |b| <= 1 and u_1 = (a + b)/2, u_2 = (a - b)/2 in [-1, 1],

    p q = p_c q_c + q_c A a + p_c B b + A B (u_1^2 - u_2^2),    a = u_1 + u_2,  b = u_1 - u_2,

so the linear part rides on the units that make u_1 and u_2, and only A B (4^-m_1 + 4^-m_2)/2 is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, ends, size, upward
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.square import Square


class TwoSquares:
    """The pair of squares of one product."""

    def __init__(self) -> None:
        self.squares = (Square(), Square())
        for square in self.squares:
            square.product = self

    def weigh(self, p: arb, q: arb, sensitivity: float) -> None:
        """Set how much the target depends on each square."""
        scale = half_width(p) * half_width(q)
        for square in self.squares:
            square.weight = sensitivity * scale

    def emit(self, sweep: Sweep, p: Placed, q: Placed, p_values: arb, q_values: arb,
             target: str) -> tuple[Fraction, float, Fraction]:
        """Add p q - constant to the target channel.

        Args:
            p, q: affine forms of channels.
            p_values, q_values: enclosures of the values that the network holds there.
            target: a channel.

        Returns:
            the constant, a bound of the error in reproducing the product of the values held, and a bound of the mass added.
        """
        rounding_p, rounding_q = sweep.rounding(p), sweep.rounding(q)
        (p_c, A), (q_c, B) = _centred(p_values, rounding_p), _centred(q_values, rounding_q)
        constant = p_c * q_c - 2 * q_c * A
        for square, sign in zip(self.squares, (1, -1), strict=True):
            u = p if sweep.wiring.dry else _combined(p, p_c, A, q, q_c, B, sign)
            linear = q_c * A + sign * p_c * B
            square.half = 1.0
            constant += sign * A * B * square.emit_with_linear(sweep.wiring, u, {target: sign * A * B}, {target: linear})
        scale, slopes = float(A * B), float(abs(q_c) * A + abs(p_c) * B)
        lost = scale * sum(square.error for square in self.squares)
        folds = sum(square.folds for square in self.squares)
        rounded = scale * sum(square.rounding(sweep.unit) for square in self.squares) + 8 * slopes * (folds + 8) * sweep.unit
        # u is off by the rounding of its coefficients; |d(u^2)/du| <= 2 and the linear part
        off = (rounding_p / float(A) + rounding_q / float(B)) * (4 * scale + 2 * slopes)
        mass = Fraction(upward(10 * scale + 4 * slopes))
        return constant, upward(lost + rounded + off), mass


def emit_product(sweep: Sweep, pair: TwoSquares, p: Form, q: Form, output: Quantity) -> float:
    """Put p q into a new channel; returns the bound of the local error and sets the place of the output."""
    target = sweep.wiring.channel()
    constant, lost, mass = pair.emit(sweep, sweep.places.form(p), sweep.places.form(q), sweep.actual(p), sweep.actual(q), target)
    sweep.places[output] = Placed({target: Fraction(1)}, constant, mass + abs(constant))
    return lost


class Product(Node):
    """output = p q."""

    def __init__(self, name: str, p: Form, q: Form, values: arb) -> None:
        self.inputs, self.pair = (p, q), TwoSquares()
        self.outputs = (Quantity(name, values, p.token and q.token),)

    @property
    def squares(self) -> Sequence[Square]:
        """The two squares."""
        return self.pair.squares

    def realise(self, sweep: Sweep) -> None:
        """|p' q' - p q| with p' = p + e_p, q' = q + e_q is |p e_q + q e_p + e_p e_q|."""
        p, q = self.inputs
        lost = emit_product(sweep, self.pair, p, q, self.outputs[0])
        e_p, e_q = sweep.error(p), sweep.error(q)
        sweep.errors[self.outputs[0]] = p.range() * e_q + q.range() * e_p + e_p * e_q + arb(0, lost)

    def backward(self, sensitivities: Sensitivities) -> None:
        """d(p q) = q dp + p dq."""
        s, (p, q) = sensitivities.get(self.outputs[0], 0.0), self.inputs
        self.pair.weigh(p.range(), q.range(), s)
        pass_back(sensitivities, p, s * size(q.range()))
        pass_back(sensitivities, q, s * size(p.range()))


def half_width(values: arb) -> float:
    """Return half the width of a ball, and a little more."""
    low, high = ends(values)
    return upward((high - low) / 2)


def least_size(values: arb) -> float:
    """Return a lower bound of |t| on a ball that does not contain 0 (0 otherwise)."""
    low, high = ends(values)
    return max(0.0, low, -high) * (1 - 2.0**-30)


def _centred(values: arb, rounding: float) -> tuple[Fraction, Fraction]:
    low, high = ends(values)
    middle = (low + high) / 2
    return Fraction(middle), Fraction(upward(max(high - middle, middle - low) + 2 * rounding)) + Fraction(1, 2**60)


def _combined(p: Placed, p_c: Fraction, A: Fraction, q: Placed, q_c: Fraction, B: Fraction, sign: int) -> Placed:
    """Return ((p - p_c)/A + sign (q - q_c)/B)/2."""
    channels = {channel: weight / (2 * A) for channel, weight in p.channels.items()}
    for channel, weight in q.channels.items():
        channels[channel] = channels.get(channel, Fraction(0)) + sign * weight / (2 * B)
    constant = (p.constant - p_c) / (2 * A) + sign * (q.constant - q_c) / (2 * B)
    return Placed({c: w for c, w in channels.items() if w}, constant, p.mass / (2 * A) + q.mass / (2 * B))
