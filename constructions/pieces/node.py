"""What every node of a decomposition does, and the sweep that turns nodes into units while their errors are bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from flint import arb

from constructions.network.wiring import Wiring
from constructions.pieces.forms import Form, Placed, Places, Quantity, ball, ends, size, total, upward
from constructions.pieces.interpolation import Table
from constructions.pieces.square import Square

ROOM = 1 / 32  # of the size of a form


@dataclass(eq=False)
class Sensitivities(dict[Quantity, float]):
    """Bounds of |d target / d quantity|; ``relative`` those of |d target / d log quantity| where every user knows one.

    log(mean(exp(u))) depends on exp(u) with slope up to 1 over its least value, but on its logarithm with slope 1 only.
    """

    relative: dict[Quantity, float] = field(default_factory=dict)
    plain: set[Quantity] = field(default_factory=set)

    def add(self, quantity: Quantity, absolute: float, relative: float | None = None) -> None:
        """Add what one user contributes; a user that names no relative slope needs the absolute one."""
        self[quantity] = self.get(quantity, 0.0) + absolute
        if relative is None:
            self.plain.add(quantity)
        else:
            self.relative[quantity] = self.relative.get(quantity, 0.0) + relative

    def of_logarithm(self, quantity: Quantity) -> float | None:
        """Return the relative sensitivity, None where some user has none."""
        return None if quantity in self.plain else self.relative.get(quantity)


@dataclass(frozen=True)
class Joint:
    """error(p) - F error(q) lies in ``whole``, and is also the sum of something in ``rest`` and at most ``relative`` |q|."""

    whole: arb
    rest: arb
    relative: float


@dataclass(eq=False)
class Sweep:
    """One pass over all nodes in order: writes units and bounds errors as it goes.

    Attributes:
        unit: relative error taken for each weight (rounded when it is stored) and, where the floating-point evaluation is
            bounded as well, each operation.
        pooling: relative error of a mean over tokens.
        wiring: of phi until the means are taken, of psi afterwards.
        places, errors: where the network holds each quantity, and an enclosure of the network's value minus the exact one.
        local: for nodes that approximate a function of an inexact argument, the part of the error made by the node itself.
        local_relative: the same for a reciprocal with relative error: held * argument held - 1.
        relative: where it is known, an enclosure of network/exact - 1, for positive quantities.
        proportional: where they are known, A and G: the error is at most A + G times the size of the value held.
        joint: for two quantities made together, what is known of error(first) - F error(second) for F in a ball.
        pooled: channels whose means are taken.
    """

    unit: float
    pooling: float
    wiring: Wiring
    places: Places = field(default_factory=Places)
    errors: dict[Quantity, arb] = field(default_factory=dict)
    local: dict[Quantity, arb] = field(default_factory=dict)
    local_relative: dict[Quantity, arb] = field(default_factory=dict)
    relative: dict[Quantity, arb] = field(default_factory=dict)
    proportional: dict[Quantity, tuple[float, float]] = field(default_factory=dict)
    joint: dict[tuple[Quantity, Quantity], Callable[[arb], Joint]] = field(default_factory=dict)
    pooled: list[str] = field(default_factory=list)

    def error_beside(self, p: Form, q: Form, F: arb) -> Joint:
        """Enclose error(p) - F error(q)."""
        if all(len(form.terms) == 1 and not form.slack for form in (p, q)):
            ((a, first),), ((b, second),) = p.terms.items(), q.terms.items()
            if (a, b) in self.joint:
                known = self.joint[a, b](F * ball(second) / ball(first))
                return Joint(ball(first) * known.whole, ball(first) * known.rest,
                             upward(abs(float(first / second)) * known.relative))
        whole = self.error(p) - F * self.error(q)
        return Joint(whole, whole, 0.0)

    def error(self, form: Form) -> arb:
        """Enclose the error of a form, the rounding of its coefficients not included."""
        return total(ball(c) * self.errors[q] for q, c in form.terms.items()) + form.slack_ball

    def actual(self, form: Form) -> arb:
        """Enclose the values that the network holds in place of a form."""
        values = form.range() + self.error(form)
        if len(form.terms) == 1 and not form.constant and not form.slack:
            (quantity,) = form.terms
            if quantity in self.relative:
                low, high = ends(form.range())  # a ball around both would lose the lower end of a wide range
                factor = 1 + self.relative[quantity]
                sharper = (arb(low) * factor).union(arb(high) * factor)
                values = sharper if sharper.rad() < values.rad() else values
        return values

    def rounding(self, placed: Placed) -> float:
        """Bound what rounding does to an affine form of channels when a unit reads it."""
        return upward((len(placed.channels) + 4) * self.unit * float(placed.mass))

    def rectified(self, place: Placed, shift: Fraction, writes: Mapping[str, float]) -> float:
        """Write the unit relu(place + shift); returns a bound of what rounding does to it."""
        reads = {} if self.wiring.dry else {c: float(w) for c, w in place.channels.items()}
        self.wiring.unit(reads, float(place.constant + shift), writes)
        return self.rounding(place) + 4 * self.unit * (float(place.mass) + abs(float(shift)))

    def hinges(self, place: Placed, table: Table, channel: str, sign: int = 1, factor: float = 1.0) -> list[float]:
        """Write factor times a table of sign times what is held; returns the biases of its units."""
        reads = {c: sign * float(w) for c, w in place.channels.items()}
        biases = [float(sign * place.constant - Fraction(float(knot))) for knot in table.knots]
        for bias, weight in zip(biases, table.weights, strict=True):
            self.wiring.unit(reads, bias, {channel: factor * float(weight)})
        return biases

    def bottleneck(self, form: Form) -> tuple[Placed, float]:
        """Return the form as few channels: through one identity unit when it has several and many units will read it.

        relu(form - low) = form - low (mathematics: identity-channel). Returns the place and a bound of the rounding added.
        """
        placed = self.places.form(form)
        if len(placed.channels) <= 1:
            return placed, 0.0
        return self.copied(placed, form)

    def copied(self, placed: Placed, form: Form) -> tuple[Placed, float]:
        """Put a form into a channel of its own, so far above 0 that nobody who bounds its values takes the copy for a bend."""
        return self.materialise(placed, self.actual(form) + arb(0, ROOM * size(form.range())))

    def materialise(self, placed: Placed, values: arb) -> tuple[Placed, float]:
        """Put an affine form with the given values into a channel of its own."""
        rounding = self.rounding(placed)
        low = Fraction(ends(values)[0] - upward(2 * rounding) - 2.0**-40)
        channel = self.wiring.channel()
        reads = {} if self.wiring.dry else {c: float(w) for c, w in placed.channels.items()}
        self.wiring.unit(reads, float(placed.constant - low), {channel: 1.0})
        mass = Fraction(upward(2 * size(values) + 2 * abs(float(low)) + rounding))
        return Placed({channel: Fraction(1)}, low, mass), rounding


class Node:
    """A node: exact functions ``outputs`` of affine forms ``inputs``, and how the network approximates them.

    Subclasses realise themselves in a sweep, pass sensitivities back to their inputs, and say what they would cost.
    """

    inputs: tuple[Form, ...] = ()
    outputs: tuple[Quantity, ...] = ()

    @property
    def token(self) -> bool:
        """Whether the outputs are functions of the own token alone."""
        return all(form.token for form in self.inputs)

    @property
    def squares(self) -> Sequence[Square]:
        """The deep squares inside, whose folds are to be chosen."""
        return ()

    def realise(self, sweep: Sweep) -> None:
        """Write units and set places and errors of the outputs."""
        raise NotImplementedError

    def backward(self, sensitivities: Sensitivities) -> None:
        """Add bounds of |d target / d input| to the inputs, and set the weights of the squares."""
        raise NotImplementedError


def pass_back(sensitivities: Sensitivities, form: Form, factor: float) -> None:
    """Add factor |coefficient| to the sensitivity of every quantity of a form."""
    for quantity, coefficient in form.terms.items():
        sensitivities.add(quantity, factor * abs(float(coefficient)))


def quantities(forms: Iterable[Form]) -> set[Quantity]:
    """Return all quantities that occur in some forms."""
    return {quantity for form in forms for quantity in form.terms}
