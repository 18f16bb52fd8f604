"""Order statistics through a thermometer (mathematics: order-statistics)."""

from __future__ import annotations

import itertools
from fractions import Fraction

from flint import arb

from constructions.pieces.forms import Form, Placed, Quantity, ball, ends, size, sum_of, total, upward
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back


class Thermometer(Node):
    """r_j = relu((u - a)/delta - j), j = 0 .. N-1, of a token quantity u in [a, a + N delta]; their means are pooled.

    s_j = n (mean r_j - mean r_{j+1}) = sum_k clamp((u_k - a)/delta - j, 0, 1). Exactly piecewise linear.
    """

    def __init__(self, form: Form, interval: tuple[Fraction, Fraction], cells: int) -> None:
        self.inputs, self.interval, self.cells = (form,), interval, cells
        self.outputs = tuple(Quantity(f"r{j}", arb(0).union(arb(cells - j)), form.token) for j in range(cells))

    def realise(self, sweep: Sweep) -> None:
        """The errors reported are those of each hinge at the value held."""
        (form,), (a, b) = self.inputs, self.interval
        placed, extra = sweep.bottleneck(form)
        delta = (b - a) / self.cells
        reads, first = {c: float(w / delta) for c, w in placed.channels.items()}, (placed.constant - a) / delta
        mass, passed = (placed.mass + abs(a)) / delta, extra / float(delta)
        for j, output in enumerate(self.outputs):
            channel = sweep.wiring.channel()
            sweep.wiring.unit(reads, float(first - j), {channel: 1.0})
            off = upward(passed + (len(placed.channels) + 4) * sweep.unit * float(mass + j))
            sweep.places[output] = Placed({channel: Fraction(1)}, Fraction(0), Fraction(self.cells - j + 1))
            sweep.errors[output] = arb(0, off)

    def backward(self, sensitivities: Sensitivities) -> None:
        """The order statistic itself passes the argument's share back."""


class OrderStatistic(Node):
    """output = the rank-th largest of the n values of a token quantity, from the means of its thermometer.

    x = a + delta sum_j clamp(s_j - rank + 1, 0, 1) lies within delta (1 - 1/n) of it; centred by the offset below, within
    delta (1 - (1/rank + 1/(n - rank + 1))/2). The n-th part of the means makes this a statement for one n.
    """

    def __init__(self, form: Form, rank: int, n: int, values: arb) -> None:
        self.form, self.rank, self.n = form, rank, n
        self.inputs = (form,)
        self.outputs = (Quantity(f"order({rank})", values, False),)

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    @property
    def factor(self) -> Fraction:
        """Error in units of delta."""
        return 1 - (Fraction(1, self.rank) + Fraction(1, self.n - self.rank + 1)) / 2

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("an order statistic is given its thermometer before it is realised")

    def backward(self, sensitivities: Sensitivities) -> None:
        """The m-th largest value is 1-Lipschitz in the largest change of a value."""
        pass_back(sensitivities, self.form, sensitivities.get(self.outputs[0], 0.0))

    def cells(self, tolerance: float) -> int:
        """Return the fewest cells that meet a tolerance."""
        low, high = ends(self.form.range())
        if not tolerance > 0:  # the target follows this value so steeply that its share of the tolerance underflows
            return 2**60
        return max(1, -(-int(Fraction(high - low) * self.factor * 2**40 / Fraction(tolerance)) // 2**40))


class Sorted(Node):
    """An order statistic decoded from a thermometer."""

    def __init__(self, exact: OrderStatistic, thermometer: Thermometer, means: tuple[Quantity, ...]) -> None:
        self.exact, self.thermometer, self.means = exact, thermometer, means
        self.inputs, self.outputs = tuple(Form.of(q) for q in means), exact.outputs

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Two units a cell: clamp(t, 0, 1) = relu(t) - relu(t - 1)."""
        n, rank, output = self.exact.n, self.exact.rank, self.outputs[0]
        a, b = self.thermometer.interval
        delta, channel, lost = (b - a) / self.thermometer.cells, sweep.wiring.channel(), 0.0
        height, dry = float(delta), sweep.wiring.dry
        for two in itertools.pairwise((*self.means, None)):  # by hand: as forms they take most of the time of compiling
            terms = [(mean, factor) for mean, factor in zip(two, (Fraction(n), Fraction(-n)), strict=True) if mean]
            placed = sum_of((sweep.places[mean], factor) for mean, factor in terms)
            reads = {} if dry else {c: float(w) for c, w in placed.channels.items()}
            for shift, weight in ((rank - 1, height), (rank, -height)):
                sweep.wiring.unit(reads, 0.0 if dry else float(placed.constant - shift), {channel: weight})
            mass = float(placed.mass) + rank
            passed = size(total(ball(factor) * sweep.errors[mean] for mean, factor in terms))
            off = (len(placed.channels) + 4) * sweep.unit * mass + passed
            lost += height * (off + 4 * sweep.unit * (mass + len(self.means)))
        offset = delta / 2 * (Fraction(1, n - rank + 1) - Fraction(1, rank))
        sweep.places[output] = Placed({channel: Fraction(1)}, a + offset, (b - a) * 2 + abs(a + offset))
        sweep.local[output] = arb(0, upward(lost)) + arb(0, ball(delta * self.exact.factor).upper())
        sweep.errors[output] = sweep.local[output] + sweep.error(self.exact.form).union(arb(0))

    def backward(self, sensitivities: Sensitivities) -> None:
        """As the exact order statistic: there are no squares before it whose share the means could change."""
        self.exact.backward(sensitivities)

