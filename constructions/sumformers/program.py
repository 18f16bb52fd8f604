"""Concrete nodes in order, and the sweep over them that bounds every error with enclosures and writes the units."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.errors import Refused
from constructions.network.relu import MeanSumformer, mean_of
from constructions.network.wiring import Wiring
from constructions.pieces.forms import Form, Placed, Quantity, size, upward
from constructions.pieces.mean import Mean
from constructions.pieces.node import Node, Sweep
from constructions.pieces.square import Square
from constructions.sumformers.concrete import concrete_nodes
from constructions.sumformers.limits import Limits
from constructions.sumformers.sum_decomposition import Decomposition
from constructions.sumformers.tolerances import sensitivities_of


@dataclass(frozen=True)
class Arithmetic:
    """Relative errors that are added up: of each stored weight and operation, and of a mean over tokens."""

    unit: float
    pooling: float

    @staticmethod
    def stored(bits: int) -> Arithmetic:
        """Real arithmetic on weights rounded to a format; a head's mean is off by the rounding of its own weights."""
        return Arithmetic(2.0**-bits, 4 * 2.0**-bits)

    @staticmethod
    def evaluated(bits: int, roundings: int) -> Arithmetic:
        """Floating-point evaluation; a mean passes so many rounded operations, in any order (Higham 2002, lemma 3.1)."""
        return Arithmetic(2.0 ** (1 - bits), roundings * 2.0**-bits * 1.01)


EXACT = Arithmetic(0.0, 0.0)


@dataclass(eq=False)
class Program:
    """Concrete nodes in an order in which they can be computed: phi's, the means, psi's."""

    decomposition: Decomposition
    before: list[Node]
    means: list[Node]
    after: list[Node]

    @staticmethod
    def of(decomposition: Decomposition, approximation: float, tolerance: float, widen: float, limits: Limits) -> Program:
        """Decide tables, polynomials and kernels so that together they take ``approximation`` of the error.

        Their intervals allow for arguments that are off by what the whole tolerance permits, times ``widen``.
        """
        producer = concrete_nodes(decomposition, approximation, tolerance, widen, limits)
        order = _sorted_from(decomposition.outputs, producer)
        means = [node for node in order if isinstance(node, Mean)]
        if len(means) > limits.max_latent:
            raise Refused(f"{len(means)} pooled channels are more than --max-latent {limits.max_latent}")
        inner = _needed([next(iter(node.inputs[0].terms)) for node in means], producer)
        before = [node for node in order if node in inner]
        after = [node for node in order if node not in inner and not isinstance(node, Mean)]
        return Program(decomposition, before, list(means), after)

    @property
    def nodes(self) -> list[Node]:
        """All nodes in order."""
        return [*self.before, *self.means, *self.after]

    @property
    def squares(self) -> list[Square]:
        """All squares, in a fixed order."""
        return [square for node in self.nodes for square in node.squares]

    def square_weights(self) -> np.ndarray:
        """Return for each square the largest sensitivity of an output."""
        worst = np.zeros(len(self.squares))
        for output in self.decomposition.outputs:
            sensitivities_of(output, self.nodes)  # leaves its weight at each square
            worst = np.maximum(worst, [square.weight for square in self.squares])
        return worst

    def swept(self, arithmetic: Arithmetic, folds: np.ndarray) -> Swept:
        """Bound the error of every output with the given folds, without writing units.

        Raises:
            TooWide: an argument may leave the interval of its approximation.
        """
        sweep, _ = self._sweep(arithmetic, folds, dry=True)
        outputs = self.decomposition.outputs
        bounds = [upward(size(sweep.error(form)) + sweep.rounding(sweep.places.form(form))) for form in outputs]
        bounds = [b if math.isfinite(b) else math.inf for b in bounds]
        return Swept(self, arithmetic, max(bounds), np.array(folds), sweep)

    def written(self, arithmetic: Arithmetic, folds: np.ndarray) -> MeanSumformer:
        """Write the units, read the outputs, and drop what they do not need."""
        sweep, phi = self._sweep(arithmetic, folds, dry=False)
        placed = [sweep.places.form(form) for form in self.decomposition.outputs]
        readout = tuple(dict.fromkeys(c for place in placed for c in place.channels if c in sweep.wiring.written))
        W_out = np.array([[float(place.channels.get(channel, 0)) for place in placed] for channel in readout])
        psi_layers, alive = sweep.wiring.built(readout)
        phi_layers, _ = phi.built({*sweep.pooled, *alive} - {mean_of(c) for c in sweep.pooled})
        pooled = tuple(channel for channel in sweep.pooled if mean_of(channel) in alive)
        return MeanSumformer(tuple(q.name for q in self.decomposition.tokens), phi_layers, pooled, psi_layers, readout,
                             W_out.reshape(len(readout), len(placed)), np.array([float(place.constant) for place in placed]))

    def _sweep(self, arithmetic: Arithmetic, folds: np.ndarray, dry: bool) -> tuple[Sweep, Wiring]:
        """Pass over all nodes; returns also the wiring of phi."""
        for square, count in zip(self.squares, folds, strict=True):
            square.folds = int(count)
        tokens = self.decomposition.tokens
        sweep = Sweep(arithmetic.unit, arithmetic.pooling, Wiring.of([q.name for q in tokens], "phi", dry))
        for q in tokens:
            sweep.places[q] = Placed({q.name: Fraction(1)}, Fraction(0), Fraction(size(q.range)))
            sweep.errors[q], sweep.proportional[q] = arb(0), (0.0, 0.0)
        for node in (*self.before, *self.means):
            node.realise(sweep)
        phi = sweep.wiring
        sweep.wiring = Wiring.of([*phi.written, *map(mean_of, sweep.pooled)], "psi", dry)
        for node in self.after:
            node.realise(sweep)
        return sweep, phi


@dataclass(frozen=True, eq=False)
class Swept:
    """A finished sweep and its bound; ``floor`` is what the bound would be with squares that err by nothing."""

    program: Program
    arithmetic: Arithmetic
    bound: float
    folds: np.ndarray
    sweep: Sweep
    floor: float = 0.0

    @functools.cached_property
    def sumformer(self) -> MeanSumformer:
        """The network, written when it is asked for: a sweep is often only looked at for its bound."""
        return self.program.written(self.arithmetic, self.folds)

    @property
    def worst(self) -> str:
        """Name the node with the largest share of the error."""
        return _worst(self.program, self.sweep)


def _worst(program: Program, sweep: Sweep) -> str:
    """Name the node with the largest share of the error, by sensitivity."""
    best, name = -1.0, "the readout"
    for output in program.decomposition.outputs:
        sensitivities = sensitivities_of(output, program.nodes)
        for quantity, local in sweep.local.items():
            share = sensitivities.get(quantity, 0.0) * size(local)
            if share > best:
                best, name = share, quantity.name
    return name


def _sorted_from(outputs: Sequence[Form], producer: Mapping[Quantity, Node]) -> list[Node]:
    """Return all nodes that the outputs need, inputs first."""
    order: dict[Node, None] = {}

    def visit(quantity: Quantity) -> None:
        node = producer.get(quantity)
        if node is None or node in order:
            return
        for form in node.inputs:
            for q in form.terms:
                visit(q)
        order[node] = None

    for form in outputs:
        for quantity in form.terms:
            visit(quantity)
    return list(order)


def _needed(roots: Sequence[Quantity], producer: Mapping[Quantity, Node]) -> set[Node]:
    return set(_sorted_from([Form({q: Fraction(1) for q in roots})], producer))
