"""Bound ||f - S|| for a stored ReLU Sumformer from its weights and the expression of f: one quantity after the other.

    read phi -> pool -> read psi; as soon as the channels of a quantity are complete: its rule; at the end: the algebra
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets import expression as ex
from constructions.targets.target import Target
from proofs_check.channels import ambiguity
from proofs_check.decimals import counted
from proofs_check.enclosures.interval import Interval
from proofs_check.kernel import Claim
from proofs_check.structure.content import Content, affine, dyadic
from proofs_check.structure.derivation import Derivation, Entry, Form
from proofs_check.structure.identity import Algebra
from proofs_check.structure.layers import through
from proofs_check.structure.local_roundings import Roundings
from proofs_check.structure.polynomial import CONSTANT, Polynomial
from proofs_check.structure.premises import enclosed
from proofs_check.structure.quantity import Part, Quantity, around, combination, magnitude, merged
from proofs_check.structure.ranges import Range
from proofs_check.structure.reading import TOKEN, NotUnderstood, Number, Reading
from proofs_check.structure.rules import Rules
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable
from proofs_check.structure.wide_expansion import MOST_DIRECT, through_polynomials

ANCHORED = ("function", "product", "quotient", "kernel", "interpolated-kernel", "rectified", "order-statistic", "soft-extremum",
            "exponential-average")
EXACT = 2.0**-44  # part of what a unit reads that rounding its bias may make it bend by


@dataclass(frozen=True, eq=False)
class Proved:
    """The result: |h - S| <= bound over the reals, about how it divides, and whether h is f.

    ``definitions`` are h, the expressions that the network was held against; with ``identities`` they are f by algebra, or, if
    this was left to the caller, at least well defined.
    """

    bound: float
    parts: Mapping[Part, float]
    identities: bool
    quantities: Mapping[str, Quantity]
    reading: Reading
    squares: int
    folds: int
    definitions: tuple[ex.Expression, ...]
    entries: tuple[Entry, ...]

    def told(self, name: str, what: str) -> str:
        """Say what a part of the error is about."""
        if name != "square-sawtooth":
            return what
        if not self.squares:
            return "no folds: what straight lines in place of squares, and rounding outward, leave"
        return f"{counted(self.squares, 'square')} by {counted(self.folds, 'fold')}"


def prove(network: MeanSumformer, hint: Mapping[str, Any], target: Target, claim: Claim, *, elsewhere: bool = False,
          steep: float = 1.0, roundings: Roundings | None = None) -> Proved:
    """Return the bound of ||f - S|| over the reals; with ``elsewhere`` of ||p - S||, p the expressions that the network is about.

    With ``roundings`` the bound is that of the computed values: every layer is read with what rounding adds to it.

    What is called f here is the target that is given, whatever the claim is about. ``steep`` says how many times larger an error
    may become in it: what is much smaller than the bound over that is not looked at closely.

    Raises:
        NotUnderstood: the network or its hint is outside what is proved here; nothing is claimed.
    """
    if network.d_out != target.d_out or network.tokens != tuple(f"x.{c}" for c in range(target.d)):
        raise NotUnderstood("the network has other inputs or outputs than the target")
    try:
        derivation = Derivation.read(hint, target.d)
        n, fine = None if claim.every_n else target.n, max(float(claim.bound), 1e-300) / 1000 / steep
        structure = Structure(network, derivation, target.box.sides, n, fine, roundings)
        return structure.prove(None if elsewhere else target.symbolic if claim.every_n else target.outputs)
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError, AttributeError, RecursionError) as error:
        raise NotUnderstood(f"{type(error).__name__}: {error}") from None


@dataclass
class Structure:
    """One proof on its way; n is None for a claim about every n, and then no step may use it."""

    network: MeanSumformer
    derivation: Derivation
    sides: Sequence[tuple[Fraction, Fraction]]
    n: int | None
    fine: float
    roundings: Roundings | None = None
    known: dict[str, Quantity] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)

    def prove(self, outputs: Sequence[ex.Expression] | None) -> Proved:
        """Return the bound.

        Args:
            outputs: the target, one tree an output; ``n`` a symbol where the claim is for every n; None to leave it open.

        Raises:
            NotUnderstood: the network or its hint is outside what is proved here; nothing is claimed.
        """
        network, reading = self.network, Reading(self.sides, roundings=self.roundings)
        _check_names(network)
        for entry in self.derivation.entries:
            _refuse_wide(entry)
        reading.start(network)
        reading.hinges |= {channel for entry in self.derivation.entries if entry.kind == "rectified"
                           for channel in entry.held.channels}
        if any(entry.kind == "exponential-average" for entry in self.derivation.entries):
            reading.almost = EXACT
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
        if not all(bound < math.inf for bound, _ in bounds):
            raise NotUnderstood("no finite bound")
        definitions = tuple(combination(form, self.known, reading).definition for form in self.derivation.outputs)
        identities = self._identities(definitions if outputs is None else outputs, definitions)
        return Proved(*bounds[worst], identities, self.known, reading, len(reading.folds), sum(reading.folds),
                      definitions, tuple(self.derivation.entries))

    def _resolve(self, reading: Reading, *, anchored: bool) -> None:
        rules = Rules(reading, self.known, self.n, self.fine)
        for entry in self.derivation.entries:
            if entry.name in self.known or not set(entry.held.channels) <= self.complete or not self._ready(entry):
                continue
            held = reading.held(entry.held)
            if entry.kind == "token":
                self.known[entry.name] = self._token(reading, entry, held)
                continue
            try:
                found = rules.prove(entry, held)
            except NotUnderstood as reason:
                what = entry.kind if entry.tree is None else f"{entry.kind} {entry.tree}"
                raise NotUnderstood(f"{entry.name} ({what}): {reason}") from None
            self.known[entry.name] = found
            _anchor(reading, entry, found, anchored)
            self._know_products(reading, rules)

    def _know_products(self, reading: Reading, rules: Rules) -> None:
        """As soon as p, q and a reciprocal r of q are known: q' r' is close to 1, and p' r' to p/q."""
        for entry in self.derivation.entries:
            if entry.kind != "quotient" or entry.name in self.known or not entry.refined or not self._ready(entry):
                continue
            q, r = (number_of(reading, self.known, form) for form in (entry.of[1], Form({entry.reciprocal: Fraction(1)})))
            if q is None or r is None or r.rest.variables or (q.name, r.name) in reading.products:
                continue
            p = number_of(reading, self.known, entry.of[0], {q.name, r.name})
            ratio = rules.ratios(entry)
            one = Interval.of(1.0) + ratio.off
            for number, values in ((q, one), (p, (ratio.exact + ratio.passed) * one)):
                if number is not None and (number.name, r.name) not in reading.products:
                    reading.know_product(number, r, float(values.lower.min()), float(values.upper.max()))

    def _ready(self, entry: Entry) -> bool:
        used = {name for form in entry.of for name in form.terms} | set(entry.tokens)
        return used | ({entry.reciprocal} if entry.reciprocal else set()) <= self.known.keys()

    def _token(self, reading: Reading, entry: Entry, held: Content) -> Quantity:
        name = TOKEN + str(entry.detail)
        if not 0 <= entry.detail < len(self.sides) or _differs(held, reading.variables[name].content(name)):
            raise NotUnderstood(f"{entry.name} is not coordinate {entry.detail} of the token")
        return Quantity(reading.variables[name].interval(), around(0.0), ex.Own(entry.detail), entry.held)

    def _output(self, reading: Reading, k: int) -> tuple[float, dict[Part, float]]:
        """Bound |network - f| for one output: the readout against the form of quantities, and its error."""
        network = self.network
        column = zip(network.readout, network.W_out[:, k], strict=True)
        known = ((channel, weight) for channel, weight in column if weight and channel in reading.contents)
        parts = [(reading.contents[channel], dyadic(weight)) for channel, weight in known]
        form = combination(self.derivation.outputs[k], self.known, reading)
        gap = affine([*parts, (form.content, fmpq(-1))], dyadic(network.b_out[k]))
        own = enclosed(reading.whole(gap))
        if reading.roundings is not None:
            own = own + around(reading.roundings.of_outputs[k])
        return magnitude(own + form.error), merged({("square-sawtooth", "squares by folds"): magnitude(own)}, form.parts)

    def _identities(self, outputs: Sequence[ex.Expression], definitions: Sequence[ex.Expression]) -> bool:
        """Say whether algebra shows that the quantities make up the target, and that renamed ones are what they are called."""
        algebra = Algebra(self.n, len(self.sides), self.sides)
        renamed = [(entry.tree, self.known[entry.name].definition) for entry in self.derivation.entries
                   if entry.kind == "renamed" and entry.tree is not None]
        return all(a == b or algebra.same(a, b) for a, b in [*zip(outputs, definitions, strict=True), *renamed])


def number_of(reading: Reading, known: Mapping[str, Quantity], form: Form, taken: Container[str] = ()) -> Number | None:
    """Return a form as an affine function of variables, one that is not taken apart, None where it is anything else."""
    content = combination(form, known, reading).content
    main = content.main
    name = min((one for one in main.variables if one not in taken), default=None)
    if content.noise or content.rest or name is None or any(len(m) != 1 or m[0][1] != 1 for m in main.terms if m != CONSTANT):
        return None
    own = ((name, 1),)
    return Number(name, main.terms[own], Polynomial({m: c for m, c in main.terms.items() if m != own}))


def _refuse_wide(entry: Entry) -> None:
    """Say at once that a kernel has too many variables, which would be found out after the network was read."""
    count = len(entry.of) + len(entry.tokens)
    if entry.kind == "kernel" and count > MOST_DIRECT and entry.tree is not None:
        box = [Variable(Fraction(0), Fraction(1))] * count
        if not through_polynomials(entry.tree, [f"{v}" for v in range(count)], box):
            raise NotUnderstood(f"{entry.name} (kernel): {entry.tree} has {count} variables and cannot be taken apart")


def _check_names(network: MeanSumformer) -> None:
    """Refuse weights that are no numbers, names with two meanings, and channels that are added to after they were used.

    What was proved of a channel of the token, of phi or of a mean is about its value before psi.
    """
    layers = (*network.phi, *network.psi)
    arrays = [array for layer in layers for array in (layer.W_1, layer.bias, layer.W_2)]
    if network.monomials:
        raise NotUnderstood("there are monomials of the token before phi")
    if not all(np.isfinite(array).all() for array in (*arrays, network.W_out, network.b_out)):
        raise NotUnderstood("a weight is no number")
    if problem := ambiguity(network):
        raise NotUnderstood(problem)
    tokens, means = set(network.tokens), set(map(mean_of, network.pooled))
    before = tokens.union(*(layer.writes for layer in network.phi))
    changed = _added_to(network.phi) & tokens | _added_to(network.psi) & (before | means)
    if changed:
        raise NotUnderstood(f"{min(changed)} is changed after it was read")


def _added_to(layers: Sequence[ReluLayer]) -> set[str]:
    return {layer.writes[k] for layer in layers for k in np.flatnonzero(np.any(layer.W_2, axis=0))}


def _differs(a: Content, b: Content) -> bool:
    gap = a - b
    return bool(gap.main.terms or gap.noise or gap.rest)


def _wider(shown: Range, low: float, high: float) -> bool:
    """Say whether a mean has a range that its channels do not show: most have not, and looking facts up takes time."""
    return shown[1] - shown[0] > 1.1 * (high - low)


def _anchor(reading: Reading, entry: Entry, found: Quantity, one_name: bool) -> None:
    """Call the number that the network holds by one name from here on, or remember its range, which its channels do not show."""
    low, high = float(found.actual.lower), float(found.actual.upper)
    held = reading.held(entry.held)
    if not one_name or len(entry.held.channels) != 1 or entry.kind not in ANCHORED:
        if len(held.main.terms) > 1 and (entry.kind != "mean" or _wider(reading.range(held), low, high)):
            reading.facts.append((entry.held, low, high))
        return
    name = f"quantity.{entry.name}"
    variable = reading.variables[name] = Variable.of(low, high)
    ((channel, weight),) = entry.held.channels.items()
    if not weight:
        raise NotUnderstood(f"{entry.name} is held with weight 0")
    reading.contents[channel] = affine([(variable.content(name), 1 / rational(weight))], -rational(entry.held.constant / weight))
