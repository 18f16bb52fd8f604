"""Prove ||f - S|| for a stored ReLU Sumformer from its weights and the expression of f: quantity by quantity, for every n at once.

    read phi -> pool -> read psi; as soon as the channels of a quantity are complete: its rule; at the end: the algebra
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from flint import fmpq

from constructions.network.relu import MeanSumformer, mean_of
from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content, affine, expanded, tidy
from proofs_check.structure.derivation import Derivation, Entry
from proofs_check.structure.identity import Algebra
from proofs_check.structure.quantity import Part, Quantity, around, combination, magnitude, merged
from proofs_check.structure.ranges import polynomial_range
from proofs_check.structure.reading import TOKEN, NotUnderstood, Reading, exact, through
from proofs_check.structure.rules import Rules
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable

ANCHORED = ("function", "product", "quotient", "kernel", "rectified", "order-statistic")


@dataclass(frozen=True, eq=False)
class Proved:
    """The result: |f - S| <= bound over the reals, about how it divides, and whether algebra showed every identity."""

    bound: float
    parts: Mapping[Part, float]
    identities: bool
    quantities: Mapping[str, Quantity]
    reading: Reading


@dataclass
class Structure:
    """One proof on its way."""

    network: MeanSumformer
    derivation: Derivation
    sides: Sequence[tuple[Fraction, Fraction]]
    n: int
    fine: float
    known: dict[str, Quantity] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)

    def prove(self, outputs: Sequence[ex.Expression], every_n: bool) -> Proved:
        """Return the bound.

        Args:
            outputs: the target, one tree an output; ``n`` a symbol where the claim is for every n.
            every_n: whether it is.

        Raises:
            NotUnderstood: the network or its hint is outside what is proved here; nothing is claimed.
        """
        network, reading = self.network, Reading(self.sides)
        reading.start(network)
        self.complete |= set(network.tokens)
        in_psi = [channel for layer in network.psi for channel in layer.reads]
        self._resolve(reading, anchored=False)
        for done in through(reading, network.phi, [*network.pooled, *in_psi, *network.readout], "phi"):
            self.complete |= done
            self._resolve(reading, anchored=False)
        reading.pool(network.pooled)
        self.complete |= {mean_of(channel) for channel in network.pooled}
        self._resolve(reading, anchored=False)
        for done in through(reading, network.psi, network.readout, "psi"):
            self.complete |= done
            self._resolve(reading, anchored=True)
        missing = [entry.name for entry in self.derivation.entries if entry.name not in self.known]
        if missing:
            raise NotUnderstood(f"{missing[0]} is held in channels that do not exist")
        bounds = [self._output(reading, k) for k in range(network.d_out)]
        worst = max(range(len(bounds)), key=lambda k: bounds[k][0])
        return Proved(bounds[worst][0], bounds[worst][1], self._identities(outputs, None if every_n else self.n), self.known, reading)

    def _resolve(self, reading: Reading, *, anchored: bool) -> None:
        rules = Rules(reading, self.known, self.n, self.fine)
        for entry in self.derivation.entries:
            if entry.name in self.known or not set(entry.held.channels) <= self.complete or not self._ready(entry):
                continue
            parts = [(reading.contents[channel], rational(weight)) for channel, weight in entry.held.channels.items()
                     if channel in reading.contents]
            held = tidy(affine(parts, rational(entry.held.constant)))
            if entry.kind == "token":
                self.known[entry.name] = self._token(reading, entry, held)
                continue
            try:
                found = rules.prove(entry, held)
            except NotUnderstood as reason:
                raise NotUnderstood(f"{entry.name} ({entry.kind}): {reason}") from None
            self.known[entry.name] = _anchor(reading, entry, found) if anchored else found

    def _ready(self, entry: Entry) -> bool:
        used = {name for form in entry.of for name in form.terms} | set(entry.tokens)
        return used | ({entry.reciprocal} if entry.reciprocal else set()) <= self.known.keys()

    def _token(self, reading: Reading, entry: Entry, held: Content) -> Quantity:
        name = TOKEN + str(entry.detail)
        if not 0 <= entry.detail < len(self.sides) or (held - reading.variables[name].content(name)).main.terms:
            raise NotUnderstood(f"{entry.name} is not coordinate {entry.detail} of the token")
        return Quantity(held, reading.variables[name].interval(), around(0.0), ex.Own(entry.detail))

    def _output(self, reading: Reading, k: int) -> tuple[float, dict[Part, float]]:
        """Bound |network - f| for one output: the readout against the form of quantities, and its error."""
        network = self.network
        parts = [(reading.contents[channel], exact(weight)) for channel, weight in zip(network.readout, network.W_out[:, k], strict=True)
                 if weight and channel in reading.contents]
        form = combination(self.derivation.outputs[k], self.known)
        gap = affine([*parts, (form.content, fmpq(-1))], exact(network.b_out[k]))
        gap = expanded(gap, reading.definitions)
        low, high = polynomial_range(gap.main)
        own = Interval.of(low, high) + around(gap.sharp_spread())
        return magnitude(own + form.error), merged({("square-sawtooth", "squares by folds"): magnitude(own)}, form.parts)

    def _identities(self, outputs: Sequence[ex.Expression], n: int | None) -> bool:
        """Prove by algebra that the quantities make up the target, and that renamed ones are what they are called."""
        algebra = Algebra(n)
        pairs = [(outputs[k], combination(form, self.known).definition) for k, form in enumerate(self.derivation.outputs)]
        pairs += [(entry.tree, self.known[entry.name].definition) for entry in self.derivation.entries
                  if entry.kind == "renamed" and entry.tree is not None]
        slack = any(form.slack for entry in self.derivation.entries for form in entry.of)
        return not slack and all(a == b or algebra.same(a, b) for a, b in pairs)


def _anchor(reading: Reading, entry: Entry, found: Quantity) -> Quantity:
    """Call the number that the network holds by one name from here on, now that its range is known."""
    low, high = float(found.actual.lower), float(found.actual.upper)
    if len(entry.held.channels) != 1 or entry.kind not in ANCHORED:
        if len(found.content.main.terms) > 1 and entry.kind != "mean":
            reading.facts.append((expanded(found.content, reading.definitions), low, high))
        return found
    name = f"quantity.{entry.name}"
    variable = reading.variables[name] = Variable.of(low, high)
    content = variable.content(name)
    ((channel, weight),) = entry.held.channels.items()
    if not weight:
        raise NotUnderstood(f"{entry.name} is held with weight 0")
    reading.contents[channel] = affine([(content, 1 / rational(weight))], -rational(entry.held.constant / weight))
    return Quantity(content, found.exact, found.error, found.definition, found.local, found.relative, found.parts)


