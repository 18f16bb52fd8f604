"""A histogram of two coordinates: hats of linear interpolation on triangles, exact in ReLU (mathematics: planar-average)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, upward
from constructions.pieces.node import Node, Sensitivities, Sweep


class PlanarHats(Node):
    """hat = relu(1 - relu(-x) - relu(y) - relu(x - y)), x = (v - s)/h and y = diagonal (w - t)/h' at each knot (s, t) of a grid.

    Of three numbers the largest less the least is relu(a - b) + relu(b - c) + relu(c - a), here of 0, x and y. Cells are equal,
    so that knots share their hinges: one for each line of the triangulation. A hat is one unit of three of these, hence exactly
    0 away from its knot, also in floating point: weights may differ by any factor.
    """

    def __init__(self, v: Sequence[Quantity], grid: Sequence[np.ndarray], diagonal: int) -> None:
        self.inputs, self.grid, self.diagonal = tuple(map(Form.of, v)), tuple(grid), diagonal
        self.outputs = tuple(Quantity(f"hat({float(s):.6g}, {float(t):.6g})", arb(0).union(arb(1)), True, positive_part=True)
                             for s in grid[0] for t in grid[1])
        self.steep = tuple((len(knots) - 1) / float(knots[-1] - knots[0]) for knots in grid)

    def realise(self, sweep: Sweep) -> None:
        """Write the units; all hats are off by no more than :meth:`off`."""
        last, o, hats = [len(knots) - 1 for knots in self.grid], self.diagonal, iter(self.outputs)
        left = [self._hinge(sweep, (-1, 0), self._at(0, i)) if i else None for i in range(last[0] + 1)]
        beyond = last[1] if o > 0 else 0
        above = [self._hinge(sweep, (0, o), -o * self._at(1, j)) if j != beyond else None for j in range(last[1] + 1)]
        start = -self._at(0, 0) + o * self._at(1, 0)
        across = {m: self._hinge(sweep, (1, -o), start - m) for m in sorted({i - o * j for i in range(last[0] + 1)
                                                                            for j in range(last[1] + 1)})[:-1]}
        for i, x in enumerate(left):
            for j, y in enumerate(above):
                reads = [hinge for hinge in (x, y, across.get(i - o * j)) if hinge is not None]
                channel, output = sweep.wiring.channel(), next(hats)
                sweep.wiring.unit(dict.fromkeys(reads, -1.0), 1.0, {channel: 1.0})
                sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(0), Fraction(2))
                sweep.errors[output] = arb(0, self.off(sweep.unit))

    def _at(self, c: int, k: int) -> float:
        """Return a knot in units of cells."""
        return float(self.grid[c][k]) * self.steep[c]

    def _hinge(self, sweep: Sweep, signs: tuple[int, int], bias: float) -> str:
        """Write a hinge of both coordinates in units of cells; returns its channel."""
        channel = sweep.wiring.channel()
        reads = {c: float(weight) * sign * steep for form, sign, steep in zip(self.inputs, signs, self.steep, strict=True) if sign
                 for v in form.terms for c, weight in sweep.places[v].channels.items()}
        sweep.wiring.unit(reads, bias, {channel: 1.0})
        return channel

    def off(self, unit: float) -> float:
        """Bound what rounding weights and operations does to a hat: to three hinges, each of numbers this large."""
        largest = sum(float(np.abs(knots).max()) * steep for knots, steep in zip(self.grid, self.steep, strict=True))
        cells = sum(len(knots) for knots in self.grid)
        return upward(unit * (48 * (largest + cells) + 32) * (1 + 2.0**-20))

    def backward(self, sensitivities: Sensitivities) -> None:
        """A coordinate needs nothing."""
