"""A histogram of a coordinate: hats of linear interpolation between knots, exact in ReLU (mathematics: exponential-average)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, ball, upward
from constructions.pieces.node import Node, Sensitivities, Sweep
from constructions.pieces.univariate import TooWide


class Hats(Node):
    """hat_j = relu(1 - relu((v - t_j)/(t_{j+1} - t_j)) - relu((t_j - v)/(t_j - t_{j-1}))), v a coordinate of the token.

    Two layers, so that a hat is exactly 0 away from its knot, also in floating point: weights may differ by any factor.
    """

    def __init__(self, v: Quantity, knots: np.ndarray) -> None:
        self.inputs, self.knots = (Form.of(v),), knots
        self.outputs = tuple(Quantity(f"hat({float(t):.6g})", arb(0).union(arb(1)), True, positive_part=True) for t in knots)

    def realise(self, sweep: Sweep) -> None:
        """Write the units; all hats are off by no more than :meth:`off`."""
        (v,) = self.inputs[0].terms
        places = sweep.places[v].channels
        for j, output in enumerate(self.outputs):
            slopes = {}
            for neighbour in (j - 1, j + 1):
                if 0 <= neighbour < len(self.knots):
                    slopes[side := sweep.wiring.channel()] = -1.0
                    steep = 1 / float(self.knots[neighbour] - self.knots[j])
                    reads = {c: float(w) * steep for c, w in places.items()}
                    sweep.wiring.unit(reads, -float(self.knots[j]) * steep, {side: 1.0})
            channel = sweep.wiring.channel()
            sweep.wiring.unit(slopes, 1.0, {channel: 1.0})
            sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(0), Fraction(2))
            sweep.errors[output] = arb(0, self.off(sweep.unit))

    def off(self, unit: float) -> float:
        """Bound what rounding weights and operations does to a hat."""
        steepest, largest = 1 / float(np.diff(self.knots).min()), float(np.abs(self.knots).max())
        return upward(unit * (16 * steepest * largest + 16) * (1 + 2.0**-20))

    def backward(self, sensitivities: Sensitivities) -> None:
        """A coordinate needs nothing."""


class Mixed(Node):
    """For each hat h the part of it on the largest value, (relu(h + z - 1) + h - relu(h - z))/2, and the rest; 0 < z < 1.

    z = (w - lowest)/height. With those of the next hat they add up to z and 1 - z, and each is within 1/16 of z h and (1 - z) h
    (mathematics: exponential-average). They are exactly 0 where h is.
    """

    def __init__(self, hats: Hats, w: Form, lowest: Fraction, height: Fraction) -> None:
        self.hats, self.w, self.lowest, self.height = hats, w, lowest, height
        self.inputs = (w, *map(Form.of, hats.outputs))
        names = [q.name for q in hats.outputs]
        self.most, self.least = ([Quantity(f"{part} of {name}", arb(0).union(arb(1)), True) for name in names]
                                 for part in ("most", "least"))
        self.outputs = (*self.most, *self.least)

    def realise(self, sweep: Sweep) -> None:
        """Three units a hat: it itself and both bends."""
        w, extra = sweep.bottleneck(self.w)
        values = sweep.actual(self.w)
        if not (values > ball(self.lowest) and values < ball(self.lowest + self.height)):
            raise TooWide(f"values are mixed of {float(self.lowest):.6g} and {float(self.lowest + self.height):.6g}, "
                          f"but they may be in {values}")
        for hat, most, least in zip(self.hats.outputs, self.most, self.least, strict=True):
            h, channels = sweep.places[hat], (sweep.wiring.channel(), sweep.wiring.channel())
            reads = {c: float(weight) for c, weight in h.channels.items()}
            sweep.wiring.unit(reads, float(h.constant), dict.fromkeys(channels, 0.5))
            for sign in (1, -1):
                z = {c: float(sign * weight / self.height) for c, weight in w.channels.items()}
                shift = float(sign * (w.constant - self.lowest) / self.height - (1 if sign > 0 else 0))
                sweep.wiring.unit({**reads, **z}, shift, {channels[0]: sign / 2, channels[1]: -sign / 2})
            for quantity, channel in zip((most, least), channels, strict=True):
                sweep.places[quantity] = Placed({channel: Fraction(1)}, Fraction(0), Fraction(2))
                sweep.errors[quantity] = arb(0, self.off(sweep, w, extra))

    def off(self, sweep: Sweep, w: Placed, extra: float) -> float:
        """Bound what rounding weights and operations does to a part."""
        rounded = (extra + (len(w.channels) + 8) * sweep.unit * float(w.mass + abs(self.lowest))) / float(self.height)
        return upward(self.hats.off(sweep.unit) + rounded + 16 * sweep.unit)

    def backward(self, sensitivities: Sensitivities) -> None:
        """The average passes the share of w back."""
