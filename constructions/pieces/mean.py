"""The only node that sees more than one token: the mean over the sequence, computed by the attention head."""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from constructions.network.relu import mean_of
from constructions.pieces.forms import Form, Placed, Quantity, ends, upward
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.product import least_size


class Mean(Node):
    """output = mean over tokens of a token quantity; an error of every token's value is averaged, so it does not grow."""

    def __init__(self, quantity: Quantity) -> None:
        self.inputs = (Form.of(quantity),)
        self.outputs = (Quantity(f"mean({quantity.name})", quantity.range, False),)

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Pool every channel the quantity is held in; equal channels are pooled once."""
        (quantity,) = self.inputs[0].terms
        placed = sweep.places[quantity]
        for channel in placed.channels:
            if channel not in sweep.pooled and channel in sweep.wiring.written:
                sweep.pooled.append(channel)
        held = Placed({mean_of(c): w for c, w in placed.channels.items()}, placed.constant, placed.mass)
        sweep.places[self.outputs[0]] = held
        rounding = upward(sweep.pooling * (float(placed.mass) - abs(float(placed.constant))))  # a constant is not averaged
        sweep.errors[self.outputs[0]] = sweep.errors[quantity] + arb(0, rounding)
        if quantity in sweep.proportional and placed.unscaled and not placed.constant:
            (A, G), below = sweep.proportional[quantity], max(0.0, -ends(quantity.range)[0])  # mean |v| <= mean v + 2 below
            G = upward(G + sweep.pooling * (1 + G))
            sweep.proportional[self.outputs[0]] = upward(A * (1 + sweep.pooling) + 2 * G * below), G
        if quantity in sweep.relative:
            least = least_size(quantity.range)
            sweep.relative[self.outputs[0]] = sweep.relative[quantity] + arb(0, upward(rounding / least))

    def backward(self, sensitivities: Sensitivities) -> None:
        """Pass on, relative errors as well: a mean of positive numbers is off by no more than the worst of them."""
        (quantity,), output = self.inputs[0].terms, self.outputs[0]
        sensitivities.add(quantity, sensitivities.get(output, 0.0), sensitivities.of_logarithm(output))


class Renamed(Node):
    """output = form, with a range that is sharper than the form shows (mathematics: range lemmas of the target's expression)."""

    def __init__(self, name: str, form: Form, values: arb) -> None:
        self.inputs = (form,)
        self.outputs = (Quantity(name, values, form.token),)

    def realise(self, sweep: Sweep) -> None:
        """No units."""
        sweep.places[self.outputs[0]] = sweep.places.form(self.inputs[0])
        sweep.errors[self.outputs[0]] = sweep.error(self.inputs[0])

    def backward(self, sensitivities: Sensitivities) -> None:
        """Pass on."""
        pass_back(sensitivities, self.inputs[0], sensitivities.get(self.outputs[0], 0.0))


class Rectified(Node):
    """output = relu(form): one unit, exact (mathematics: kinks are exact)."""

    def __init__(self, name: str, form: Form, values: arb) -> None:
        self.inputs = (form,)
        self.outputs = (Quantity(name, values, form.token, positive_part=True),)

    def realise(self, sweep: Sweep) -> None:
        """|relu(a) - relu(b)| <= |a - b|, with the sign kept: the slope is between 0 and 1."""
        form, output = self.inputs[0], self.outputs[0]
        placed, channel = sweep.places.form(form), sweep.wiring.channel()
        sweep.wiring.unit({c: float(w) for c, w in placed.channels.items()}, float(placed.constant), {channel: 1.0})
        rounding = sweep.rounding(placed)
        mass = Fraction(upward(float(sweep.actual(form).abs_upper()) * 1.001 + rounding))
        sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(0), mass)
        sweep.errors[output] = (sweep.error(form) + arb(0, rounding)).union(arb(0))
        (quantity, *others) = form.terms
        if not others and quantity in sweep.proportional and placed.unscaled:
            (A, G), shift = sweep.proportional[quantity], abs(float(form.constant))  # |quantity| is at most the output + shift
            sweep.proportional[output] = upward(A + (G + 2 * sweep.unit) * shift), upward(G + 2 * sweep.unit)

    def backward(self, sensitivities: Sensitivities) -> None:
        """Slope at most 1."""
        pass_back(sensitivities, self.inputs[0], sensitivities.get(self.outputs[0], 0.0))
