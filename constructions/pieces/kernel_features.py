"""What is pooled for a kernel between straight lines: hinges of a token's v, and what makes these hinges times a weight w of it.

For v between the knots t_j and t_{j+1}, r = (v - t_j)/(t_{j+1} - t_j), and s = (w - w_0)/(w_1 - w_0), two hinges stand for the
product (mathematics: interpolated-kernel): r s is (relu(r + s - 1) + s - relu(s - r))/2 up to 1/16, and exactly that at knots. So
a function beta of v, linear between knots, times w costs two units a piece and errs by the largest difference of neighbouring
values of beta, times (w_1 - w_0)/16.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, between, ends, size, sum_of, upward
from constructions.pieces.kernel_cells import Cells, Wanted
from constructions.pieces.kernel_gaps import basis
from constructions.pieces.node import Node, Sensitivities, Sweep
from constructions.pieces.univariate import TooWide

Row = Mapping[Quantity | None, Fraction]  # coefficients of quantities of the token, None for 1
NOTHING = Fraction(1, 2**24)  # of w_1: a w_0 below that is taken as 0 where it would multiply hinges
FLAT = 2.0**-44  # of the jumps: a slope below that is what rounding left of 0
STEPS = 2.0**-10  # of the largest W: as in kernel_cells


class Hinged(Node):
    """outputs: v itself, where it is no coordinate of the token, and relu(v - t) for knots t, of the v that is held."""

    def __init__(self, v: Form, knots: Iterable[float]) -> None:
        self.inputs, high = (v,), ends(v.range())[1]
        self.line = _itself(v) or Quantity(f"line {v.range()}", v.range(), True)
        self.hinges = {t: Quantity(f"relu({self.line.name}-{t:.6g})", arb(0).union(arb(high) - arb(t)), True, True)
                       for t in sorted(set(knots))}
        self.outputs = (*(() if _itself(v) else (self.line,)), *self.hinges.values())

    def realise(self, sweep: Sweep) -> None:
        """One unit each."""
        placed = _own_channel(sweep, self.inputs[0], self.line)
        for t, output in self.hinges.items():
            channel = sweep.wiring.channel()
            sweep.wiring.unit({c: float(w) for c, w in placed.channels.items()}, float(placed.constant - Fraction(t)),
                              {channel: 1.0})
            lost = sweep.rounding(placed) + 4 * sweep.unit * abs(t)
            sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(0), upward(size(output.range) + lost))
            sweep.errors[output] = arb(0, upward(lost))

    def backward(self, sensitivities: Sensitivities) -> None:
        """The kernel passes on what follows from v."""

    def row(self, hinges: np.ndarray, cells: Cells, shift: float = 0.0) -> dict[Quantity | None, Fraction]:
        """Return b + s v + sum of jump relu(v - knot), and a shift."""
        jumps = {self.hinges[float(cells.knots[k - 1])]: Fraction(float(hinges[k])) for k in np.flatnonzero(hinges[2:]) + 2}
        line = {None: Fraction(float(hinges[0])) + Fraction(shift), self.line: Fraction(float(hinges[1]))}
        return {q: c for q, c in line.items() if c} | jumps


class Weighted(Node):
    """outputs: w itself, where it is no coordinate, and z_j = (w_1 - w_0)/2 (relu(r_j + s - 1) - relu(s - r_j)) of each piece.

    r_j = clamp((v - t_j)/(t_{j+1} - t_j), 0, 1), so w_0 r_j + z_j + (w - w_0)/2 stands for r_j w. Sums of (t_{j+1} - t_j) z_j
    over blocks of pieces are outputs too: beta has one slope on most blocks, and needs them once.
    """

    def __init__(self, hinges: Hinged, w: Form, sides: tuple[Fraction, Fraction], knots: Sequence[float]) -> None:
        self.hinges, self.w, self.sides, self.knots = hinges, w, sides, knots
        self.inputs = (Form.of(hinges.line), *(Form.of(hinges.hinges[t]) for t in knots[1:-1]), w)
        self.line = _itself(w) or Quantity(f"weight {w.range()}", w.range(), True)
        self.least = sides[0] if abs(sides[0]) > NOTHING * sides[1] else Fraction(0)
        half = float(sides[1] - sides[0]) / 2
        self.parts = [Quantity(f"{self.line.name} on piece {j} of {hinges.line.name}", between(-half, half), True)
                      for j in range(len(knots) - 1)]
        self.blocks = {block: Quantity(f"{self.line.name} on pieces {block.start} to {block.stop - 1} of {hinges.line.name}",
                                       between(-half, half) * arb(knots[block.stop] - knots[block.start]), True)
                       for block in _blocks(len(self.parts))}
        self.place = {t: j for j, t in enumerate(knots)}
        self.outputs = (*(() if _itself(w) else (self.line,)), *self.parts, *self.blocks.values())

    def realise(self, sweep: Sweep) -> None:
        """Two units a piece."""
        low, high = ends(sweep.actual(self.w))
        if not self.sides[0] <= low <= high <= self.sides[1]:
            raise TooWide(f"a weight was to be in [{float(self.sides[0]):.6g}, {float(self.sides[1]):.6g}], but may be in "
                          f"[{low:.6g}, {high:.6g}]")
        w, wide = _own_channel(sweep, self.w, self.line), self.sides[1] - self.sides[0]
        off_w = 0.0 if self.line is _itself(self.w) else size(sweep.errors[self.line])
        for block, total in self.blocks.items():
            whole, off = sweep.wiring.channel(), 0.0
            for j in block:
                g = Fraction(self.knots[j + 1]) - Fraction(self.knots[j])
                lost = self._piece(sweep, j, g, w, whole) + off_w
                sweep.errors[self.parts[j]] = arb(0, upward(lost))
                off += float(g) * (lost + 8 * sweep.unit * float(wide))
            mass = 2 * float(wide) * (self.knots[block.stop] - self.knots[block.start])
            sweep.places[total] = Placed({whole: Fraction(1)}, Fraction(0), upward(mass + off))
            sweep.errors[total] = arb(0, upward(off))

    def _piece(self, sweep: Sweep, j: int, g: Fraction, w: Placed, whole: str) -> float:
        """Write the two units of a piece, g times them to ``whole`` as well; returns a bound of what rounding and hinges add."""
        wide, rounded = self.sides[1] - self.sides[0], 0.0
        bends = [(self._hinge(k), sign / g) for k, sign in ((j, 1), (j + 1, -1)) if k < len(self.parts)]
        r = sum_of((sweep.places[q], slope) for q, slope in bends)
        channel, shift = sweep.wiring.channel(), Fraction(0) if j else -Fraction(self.knots[0]) / g
        for sign, constant in ((1, shift - self.sides[0] / wide - 1), (-1, -shift - self.sides[0] / wide)):
            place = sum_of([(r, Fraction(sign)), (w, 1 / wide)])
            rounded += sweep.rectified(place, constant, {channel: sign * float(wide) / 2, whole: sign * float(g * wide) / 2})
        rounded += sum(2 * size(sweep.errors[q]) for q, _ in bends) / float(g)
        lost = float(wide) / 2 * rounded + 8 * sweep.unit * float(wide)
        sweep.places[self.parts[j]] = Placed({channel: Fraction(1)}, Fraction(0), upward(2 * float(wide) + lost))
        return lost

    def _hinge(self, j: int) -> Quantity:
        """Return relu(v - t_j), v itself for the first knot."""
        return self.hinges.hinges[self.knots[j]] if j else self.hinges.line

    def backward(self, sensitivities: Sensitivities) -> None:
        """The kernel passes on what follows from v and w."""

    def row(self, hinges: np.ndarray, cells: Cells, shift: float = 0.0) -> dict[Quantity | None, Fraction]:
        """Return what stands for w beta(v), beta = b + s v + sum of jump relu(v - knot), and a shift."""
        jumps, lengths, first = np.zeros(len(self.knots)), np.diff(self.knots), self.knots[0]
        for k in np.flatnonzero(hinges[2:]) + 2:
            jumps[self.place[float(cells.knots[k - 1])]] = hinges[k]
        slopes = hinges[1] + np.cumsum(jumps)[:-1]
        slopes[np.abs(slopes) <= FLAT * (abs(hinges[1]) + np.abs(jumps).sum())] = 0.0
        at_first = float(hinges[0]) + shift + float(hinges[1]) * first
        middle = Fraction(at_first + float(slopes @ lengths) / 2)
        row: dict[Quantity | None, Fraction] = {}
        if self.least:
            row = {q: self.least * c for q, c in self.hinges.row(hinges, cells, shift).items()}
        for block, total in self.blocks.items():
            own = slopes[block.start:block.stop]
            if len(block) > 1 and (own == own[0]).all():
                row |= {total: Fraction(float(own[0]))} if own[0] else {}
            else:
                row |= {self.parts[j]: Fraction(float(slopes[j] * lengths[j])) for j in block if slopes[j]}
        row[None] = row.get(None, Fraction(0)) - self.least * middle
        row[self.line] = row.get(self.line, Fraction(0)) + middle
        return {q: c for q, c in row.items() if c}


@dataclass(frozen=True, eq=False)
class Lines:
    """What is pooled, in the terms of features: beta_0 and the differences D_k, each in [L_k, L_k + W_k].

    Attributes:
        gap: bound of how far lines between the beta_k are from the kernel.
    """

    base: Row
    rises: Sequence[Row]
    low: Sequence[Fraction]
    width: Sequence[Fraction]
    gap: float

    @property
    def product_error(self) -> float:
        """Bound what two hinges in the place of a product of u and a mean leave."""
        return upward(float(max(self.width, default=Fraction(0)))) / 16


def plain(cells: Cells, hinges: Hinged) -> Lines:
    """Return the lines of a kernel without a weight."""
    low, width = ([Fraction(float(value)) for value in values] for values in (cells.low, cells.width))
    rises = [hinges.row(row, cells) for row in cells.rises]
    return Lines(hinges.row(cells.base, cells, cells.shift), rises, low, width, cells.gap)


def weighted(cells: Cells, weights: Weighted) -> Lines:
    """Return the lines of a kernel times its weight."""
    sides, missed = weights.sides, abs(weights.sides[0] - weights.least)
    share = (sides[1] - sides[0]) / 16
    flat = [Fraction(one) * max(map(abs, sides)) for one in _rounded_off(cells, weights.knots)]
    off = [share * Fraction(float(step)) + missed * Fraction(float(whole)) + e
           for (step, whole), e in zip(_steps(cells, weights.knots)[1:], flat[1:], strict=True)]
    corners = [[w * end for w in sides for end in (Fraction(float(low)), Fraction(float(low)) + Fraction(float(width)))]
               for low, width in zip(cells.low, cells.width, strict=True)]
    low, high = ([end(corner) + sign * e for corner, e in zip(corners, off, strict=True)] for end, sign in ((min, -1), (max, 1)))
    largest = float(max((b - a for a, b in zip(low, high, strict=True)), default=Fraction(0)))
    grid = Fraction(2) ** math.ceil(math.log2(largest * STEPS)) if largest else Fraction(1)
    low, high = [grid * math.floor(a / grid) for a in low], [grid * math.ceil(b / grid) for b in high]
    step, whole = _steps(cells, weights.knots, held=True).max(axis=0)
    gap = float(max(map(abs, sides))) * cells.gap + float(share) * step + float(missed) * whole + 2 * float(sum(flat))
    return Lines(weights.row(cells.base, cells, cells.shift), [weights.row(row, cells) for row in cells.rises], low,
                 [b - a for a, b in zip(low, high, strict=True)], upward(gap))


def pieces_of(cells: Cells, wanted: Wanted) -> list[float]:
    """Return knots of v, those of the cells among them, between which products with the weight are near enough."""
    knots = [*cells.knots[[0, *(1 + k for k in sorted(cells.used)), -1]]]
    steps = np.abs(np.diff(_held(cells, knots), axis=1)).max(axis=0)
    parts = np.ceil(steps * (wanted.weight[1] - wanted.weight[0]) / (16 * wanted.pieces * wanted.tolerance)).astype(int)
    found = [float(t) for (a, b), count in zip(itertools.pairwise(knots), parts, strict=True)
             for t in np.linspace(a, b, max(count, 1), endpoint=False)]
    return [*found, float(knots[-1])]


def _rounded_off(cells: Cells, knots: Sequence[float]) -> list[float]:
    """Bound what rounding slopes and sums, and leaving out slopes that rounding left of 0, does to beta_0 and every D_k."""
    rows, reach = np.abs(np.vstack([cells.base, cells.rises])), 3 * max(abs(knots[0]), abs(knots[-1]))
    rows[0, 0] += abs(cells.shift)
    found: list[float] = ((len(knots) + 64) * 2.0**-48 * (rows[:, 0] + reach * rows[:, 1:].sum(axis=1))).tolist()
    return found


def _held(cells: Cells, knots: Sequence[float]) -> np.ndarray:
    """Return all beta_k at knots, rounded."""
    rows = np.cumsum(np.vstack([cells.base, cells.rises]), axis=0) @ basis(cells.knots)
    return np.array([np.interp(knots, cells.knots, row) for row in rows])


def _steps(cells: Cells, knots: Sequence[float], *, held: bool = False) -> np.ndarray:
    """Bound how much beta_0 and every D_k (every beta_k, if ``held``) change from knot to knot, and in all: (m + 1, 2)."""
    values = _held(cells, knots)
    rows = values if held else np.diff(values, axis=0, prepend=0.0)
    slack = 2.0**-44 * len(rows) * float(np.abs(np.vstack([cells.base, cells.rises])).sum(axis=0)
                                         @ np.abs(basis(cells.knots)).max(axis=1))
    found: np.ndarray = np.stack([np.abs(np.diff(rows, axis=1)).max(axis=1), np.ptp(rows, axis=1)], axis=1) + slack
    return found


def _blocks(pieces: int) -> list[range]:
    """Return blocks of about as many pieces as there are blocks."""
    length = max(1, math.isqrt(pieces))
    return [range(j, min(j + length, pieces)) for j in range(0, pieces, length)]


def _itself(form: Form) -> Quantity | None:
    """Return the coordinate of the token that a form is, None if it is anything else."""
    if len(form.terms) != 1 or form.constant or form.irrational:
        return None
    ((quantity, coefficient),) = form.terms.items()
    return quantity if coefficient == 1 and form.of_coordinates else None


def _own_channel(sweep: Sweep, form: Form, line: Quantity) -> Placed:
    """Put a form into a channel of its own, where it is no coordinate; from there on it is taken as it is held."""
    if line is _itself(form):
        return sweep.places[line]
    if line not in sweep.places:
        sweep.places[line], lost = sweep.copied(sweep.places.form(form), form)
        sweep.errors[line] = arb(0, upward(lost))
    return sweep.places[line]
