"""Logarithms of the means of a histogram, shared by all averages under the same weights (mathematics: exponential-average)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, between, upward
from constructions.pieces.kernel import Means
from constructions.pieces.logarithms import LogarithmTable
from constructions.pieces.node import Node, Sensitivities, Sweep

ABOVE = 2.0**-10  # 1 that a mean of hats may be held at


class LogMeans(Node):
    """log(mu + floor) to within a tolerance for the mean mu of each hat, or of each part of one."""

    def __init__(self, hats: Sequence[Quantity], mean: Means, floor: float, tolerance: float) -> None:
        self.means = [mean(q) for q in hats]
        self.inputs = tuple(map(Form.of, self.means))
        low, high = floor, 1 + ABOVE + floor
        pieces = math.ceil(math.log(high / low) / (4 * math.sqrt(tolerance)))
        self.logarithm = LogarithmTable.of(low, high, pieces, shift=low)
        within = between(arb(low).log(), arb(high).log())
        self.outputs = tuple(Quantity(f"log({q.name})", within, False) for q in self.means)
        self.of = dict(zip(hats, self.outputs, strict=True))

    def realise(self, sweep: Sweep) -> None:
        """One table a mean."""
        base, lost = self.logarithm.table.base, self.logarithm.lost(sweep.unit) + sweep.pooling
        for mean, output in zip(self.means, self.outputs, strict=True):
            channel = sweep.wiring.channel()
            sweep.hinges(sweep.places[mean], self.logarithm.table, channel, -1)
            sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(base), upward(self.logarithm.drop + abs(base)))
            sweep.errors[output] = self.logarithm.error + arb(0, upward(lost * 1.01))

    def backward(self, sensitivities: Sensitivities) -> None:
        """The means that are read are exact."""
