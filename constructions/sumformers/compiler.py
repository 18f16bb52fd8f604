"""The certified network compiler: a decomposition and a tolerance in, a ReLU Sumformer and its error budget out.

    decompose -> ranges and sensitivities -> tolerance to each node -> tables, polynomials, kernels -> folds -> sweep

The sweep bounds every error it makes with enclosures, so whatever the first steps chose by estimates, the result is proved.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from constructions.errors import Refused
from constructions.network.relu import MeanSumformer, mean_of
from constructions.network.wiring import Wiring
from constructions.pieces.extremum import EXPONENTS, Exponential, Logarithm, Softening, SoftExtremum, sign_of, softening
from constructions.pieces.forms import Form, Placed, Quantity, ends, size, upward
from constructions.pieces.interpolation import interpolate
from constructions.pieces.kernel import Bilinear, Kernels, Means
from constructions.pieces.mean import Mean
from constructions.pieces.node import Node, Sensitivities, Sweep, pass_back
from constructions.pieces.order import OrderStatistic, Sorted, Thermometer
from constructions.pieces.product import half_width
from constructions.pieces.quotient import Quotient, RefinedQuotient
from constructions.pieces.square import Square
from constructions.pieces.univariate import Bases, Hinges, Polynomial, TooWide, Univariate
from constructions.sumformers.derivation import derivation
from constructions.sumformers.sum_decomposition import Decomposition

# Shares of the tolerance tried for expansions and tables, the rest going to the folds of squares. The errors of many squares
# rarely meet in one place, those of an expansion do: with a larger share the bound is tighter, for which a tenth more
# parameters are spent.
SHARES = (0.6, 0.9)
TIGHTER_IS_WORTH = 1.1
# Expansions whose proved error is below this part of their share are made again, coarser.
WORTH_COARSER = 0.8
# A divisor may be off by more than its sensitivity says, since where it is large its error counts less.
DIVISOR_MARGIN = 3.0
# Kernels of more than two variables take seconds to separate: one share, the tighter one.
WIDE_SHARES = (0.95,)



@dataclass(frozen=True)
class Limits:
    """What may be built: pooled channels, degree of expansions, terms of a separation, exponents of e the format holds."""

    max_latent: int = 1024
    max_degree: int = 64
    max_rank: int = 128
    exponents: float = EXPONENTS[53]


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
DEFAULT_LIMITS = Limits()
APPROXIMATIONS = (Hinges, Polynomial, Bilinear, Sorted, Logarithm, SoftExtremum, RefinedQuotient)


@dataclass(frozen=True)
class Share:
    """A term of the error budget: the statement it comes from (mathematics id), what was done, and its part of the bound."""

    id: str
    what: str
    bound: Fraction


@dataclass(frozen=True, eq=False)
class Compiled:
    """A Sumformer, the proved bound of ||f - T||, the shares that add up to it exactly, and where it holds which quantity."""

    sumformer: MeanSumformer
    bound: Fraction
    shares: tuple[Share, ...]
    derivation: Mapping[str, Any] = field(default_factory=dict)

    def beyond(self, what: str, missed: Fraction) -> Compiled:
        """Add how far the decomposition itself is from the target."""
        if not missed:
            return self
        return replace(self, bound=self.bound + missed, shares=(Share("polynomial-density", what, missed), *self.shares))

    def rounded(self, kind: type[np.float32]) -> Compiled:
        """Round the weights; the bound must have been proved for weights of that format."""
        return replace(self, sumformer=self.sumformer.rounded(kind))


def compile_decomposition(decomposition: Decomposition, tolerance: float, *, limits: Limits = DEFAULT_LIMITS, bits: int = 53,
                          roundings: int = 8192) -> Compiled:
    """Return the smallest network found whose proved error is at most the tolerance.

    Args:
        decomposition: what the target was rewritten into.
        tolerance: sup-norm error, same unit as the target.
        limits: what may be built.
        bits: of the format of weights and evaluation (53: float64, 24: float32).
        roundings: rounded operations that separate a token's value from the mean; they grow with the length of sequences, and
            nothing else in the bound does unless the decomposition is for one n.

    Raises:
        Refused: no tolerance of the parts reaches it, with the term that stands in the way, or a limit is exceeded.
    """
    best: Swept | None = None
    reason: Refused | None = None
    shares = _shares(_abstract(decomposition))
    arithmetic, limits = Arithmetic.evaluated(bits, roundings), replace(limits, exponents=EXPONENTS[bits])
    for share in shares:
        try:
            found = _with_share(decomposition, tolerance, share, limits, arithmetic)
        except Refused as refused:
            reason = refused
            continue
        best = found if best is None else _preferred(best, found)
        if not _abstract(decomposition):
            break
    if best is None:
        raise _below_rounding(decomposition, tolerance, limits, arithmetic) or reason or Refused("nothing to build")
    return _with_budget(best, bits)


def _preferred(a: Swept, b: Swept) -> Swept:
    """Return the smaller one, or one that is hardly larger and more of whose bound comes from expansions."""
    small, large = (a, b) if a.sumformer.n_nonzero <= b.sumformer.n_nonzero else (b, a)
    near = large.sumformer.n_nonzero <= TIGHTER_IS_WORTH * small.sumformer.n_nonzero
    return large if near and large.floor / large.bound > small.floor / small.bound else small


def _shares(nodes: Sequence[Node]) -> tuple[float, ...]:
    if all(isinstance(node, OrderStatistic) for node in nodes):
        return (1.0,)
    return WIDE_SHARES if any(isinstance(node, Kernels) and len(node.box) > 2 for node in nodes) else SHARES


def _below_rounding(decomposition: Decomposition, tolerance: float, limits: Limits, arithmetic: Arithmetic) -> Refused | None:
    """Say so where rounding alone exceeds the tolerance: build for a larger one and look at what rounding adds."""
    largest = max(size(form.range()) for form in decomposition.outputs)
    larger = max(1e-5 * largest, 4 * tolerance)
    if not tolerance < 1e-7 * largest < math.inf:
        return None
    try:
        swept = _with_share(decomposition, larger, SHARES[0], limits, arithmetic)
    except Refused:
        return None
    exact = swept.program.swept(EXACT, swept.folds).bound
    rounding = swept.bound - exact
    if rounding < tolerance:
        return None
    return Refused(f"eps = {tolerance:g} is below what these weights can certify: rounding weights and operations alone adds "
                   f"{rounding:.3g} to the bound")


def _with_budget(swept: Swept, bits: int) -> Compiled:
    """Switch the sources of error on one after the other: what each adds to the bound is its share."""
    program, folds = swept.program, swept.folds
    exact = program.swept(EXACT, _finest(program))
    bounds = [Fraction(exact.bound)]
    for kind in (EXACT, Arithmetic.stored(bits)):
        bounds.append(max(bounds[-1], Fraction(program.swept(kind, folds).bound)))
    bounds.append(max(bounds[-1], Fraction(swept.bound)))  # it was swept with this arithmetic
    rises = [after - before for before, after in itertools.pairwise(bounds)]
    folded = sum(square.folds for square in program.squares)
    stored = f"float{32 if bits == 24 else 64}"
    shares = [*_approximations(exact, bounds[0]),
              Share("square-sawtooth", f"{len(folds)} squares by {folded} folds", rises[0]),
              Share("weight-rounding", f"weights are {stored} numbers", rises[1]),
              Share("evaluation", f"evaluated in {stored}, any order of summation", rises[2])]
    kept = tuple(share for share in shares if share.bound or share.id == "evaluation")
    return Compiled(swept.sumformer, bounds[-1], kept, derivation(program.decomposition, program.nodes, swept.sweep.places))


def _approximations(swept: Swept, bound: Fraction) -> list[Share]:
    """Divide the bound of expansions and tables among the nodes, in proportion to error times sensitivity."""
    program, weights = swept.program, dict[Node, Fraction]()
    for output in program.decomposition.outputs:
        sensitivities = _seeded(output)
        for node in reversed(program.nodes):
            node.backward(sensitivities)
        for node in program.nodes:
            if isinstance(node, APPROXIMATIONS):
                part = max(sensitivities.get(q, 0.0) * size(swept.sweep.local[q]) for q in node.outputs)
                weights[node] = max(weights.get(node, Fraction(0)), Fraction(part))
    whole = sum(weights.values(), Fraction(0))
    if not whole:
        return [Share("rational-constants", "constants rounded to rational numbers", bound)] if bound else []
    return [Share(*_named(node), bound * weight / whole) for node, weight in weights.items() if weight]


def _named(node: Node) -> tuple[str, str]:
    if isinstance(node, Hinges):
        return "interpolation-error", f"{node.exact.g.tree} by {node.table.units} hinges"
    if isinstance(node, Polynomial):
        degree = len(node.expansion.coefficients) - 1
        return "chebyshev-expansion", f"{node.exact.g.tree} by a polynomial of degree {degree}"
    if isinstance(node, Bilinear):
        kernels = ", ".join(str(K.tree) for K in node.exact.kernels)
        return "separable-kernel", f"{kernels} by {len(node.U)} products"
    if isinstance(node, Logarithm):
        return "interpolation-error", f"exp and log of a soft extremum by {node.units} hinges"
    if isinstance(node, RefinedQuotient):
        return "product", f"{node.outputs[0].name} by one correction, its reciprocal right to {node.loose:.2g}"
    if isinstance(node, SoftExtremum):
        return "soft-extremum", f"{node.outputs[0].name} as a log of a mean of exponentials, beta = {node.beta:.6g}"
    return "order-statistics", f"{node.outputs[0].name} by a thermometer of {len(node.inputs)} channels"


def _abstract(decomposition: Decomposition) -> list[Node]:
    return [node for node in decomposition.nodes if isinstance(node, Univariate | Kernels | OrderStatistic)]


def _with_share(decomposition: Decomposition, tolerance: float, share: float, limits: Limits, arithmetic: Arithmetic) -> Swept:
    scale, widen = share, 1.0
    for _ in range(24):
        program = Program.of(decomposition, scale * tolerance, tolerance, widen, limits)
        try:
            floor = program.swept(arithmetic, folds=_finest(program))
        except TooWide:
            widen *= 4
            continue
        if floor.bound > tolerance:
            scale *= max(0.25, min(0.9, 0.9 * tolerance / floor.bound)) if floor.bound < np.inf else 0.25
            if scale < 1e-7:
                raise Refused(_floor_reason(program, tolerance, floor))
            continue
        if not program.squares:
            return _tightened(decomposition, tolerance, scale, widen, limits, arithmetic, floor)
        found = replace(_fewest_folds(program, tolerance, arithmetic, floor), floor=floor.bound)
        return _coarser(decomposition, tolerance, share, scale, widen, limits, arithmetic, floor, found)
    raise Refused(f"eps = {tolerance:g}: arguments leave the intervals their functions were approximated on")


def _coarser(decomposition: Decomposition, tolerance: float, share: float, scale: float, widen: float, limits: Limits,
             arithmetic: Arithmetic, floor: Swept, found: Swept) -> Swept:
    """Make expansions coarser while their proved error is far below their share: the sweep is sharper than sensitivities."""
    for _ in range(2):
        if not floor.bound < WORTH_COARSER * share * tolerance:
            break
        scale *= min(4.0, share * tolerance / floor.bound)
        program = Program.of(decomposition, scale * tolerance, tolerance, widen, limits)
        try:
            floor = program.swept(arithmetic, folds=_finest(program))
            if not floor.bound <= tolerance or not program.squares:
                break
            trial = replace(_fewest_folds(program, tolerance, arithmetic, floor), floor=floor.bound)
        except TooWide:
            break
        found = trial if trial.sumformer.n_nonzero < found.sumformer.n_nonzero else found
    return found


def _floor_reason(program: Program, tolerance: float, floor: Swept) -> str:
    exact = program.swept(EXACT, _finest(program)).bound
    term = "the rounding of weights and sums" if exact <= tolerance else floor.worst
    return (f"eps = {tolerance:g} is below what these weights can certify: {term} alone contributes "
            f"{floor.bound if exact > tolerance else floor.bound - exact:.3g}")


def _finest(program: Program) -> np.ndarray:
    return np.full(len(program.squares), 26)


def _tightened(decomposition: Decomposition, tolerance: float, scale: float, widen: float, limits: Limits,
               arithmetic: Arithmetic, found: Swept) -> Swept:
    """Without squares the tables get the whole tolerance: the scale is raised until the bound passes it, then lowered."""
    trial_scale = scale * min(4.0, 0.999 * tolerance / max(found.bound, 1e-300))
    for _ in range(8):
        if trial_scale < 1.002 * scale:
            break
        program = Program.of(decomposition, trial_scale * tolerance, tolerance, widen, limits)
        try:
            trial = program.swept(arithmetic, folds=_finest(program))
        except TooWide:
            break
        if program.squares:
            break
        if trial.bound > tolerance:
            trial_scale = min(trial_scale * 0.999 * tolerance / trial.bound, 0.995 * trial_scale)
            continue
        scale, found = trial_scale, trial
        trial_scale = scale * min(4.0, 0.999 * tolerance / max(found.bound, 1e-300))
    return found


def _fewest_folds(program: Program, tolerance: float, arithmetic: Arithmetic, floor: Swept) -> Swept:
    """Give every square the same share of what is left, as large as the bound allows; then take folds away one by one.

    The bound is close to floor + rise * sum(weight * error of the square); every sweep corrects the rise.
    """
    weights, best, rise = program.square_weights(), floor, 1.0
    room, tried = tolerance - floor.bound, set[bytes]()
    for _ in range(8):
        folds = _equal_errors(weights, room / rise)
        if folds.tobytes() in tried:
            break
        tried.add(folds.tobytes())
        try:
            swept = program.swept(arithmetic, folds=folds)
        except TooWide:
            rise *= 4
            continue
        if swept.bound <= tolerance and folds.sum() < best.folds.sum():
            best = swept
        risen = max(swept.bound - floor.bound, 0.0) / _lost(weights, folds)
        rise = max(1.01 * risen, rise / 8) if swept.bound <= tolerance else max(1.02 * rise, 1.01 * risen)
        if swept.bound <= tolerance and swept.bound > tolerance - 0.1 * room:
            break
    return _without_slack(program, best, weights, tolerance, arithmetic)


def _lost(weights: np.ndarray, folds: np.ndarray) -> float:
    return float(weights @ (0.5 * 0.25 ** folds.astype(float))) + 1e-300


def _equal_errors(weights: np.ndarray, room: float) -> np.ndarray:
    """Return the fewest folds of equal weighted errors that add up to at most ``room``."""
    low, high = -400.0, 400.0  # powers of 4

    def folds(exponent: float) -> np.ndarray:
        with np.errstate(divide="ignore"):
            needed = np.ceil(np.log2(weights / 2) / 2 - exponent)
        return np.clip(np.where(weights > 0, needed, 0.0), 0, 200).astype(int)

    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _lost(weights, folds(middle)) <= room else (low, middle)
    return folds(low)


def _without_slack(program: Program, swept: Swept, weights: np.ndarray, tolerance: float, arithmetic: Arithmetic) -> Swept:
    for _ in range(3):
        gain = weights * 1.5 * 0.25 ** swept.folds.astype(float)  # what one fold less adds
        order = np.argsort(gain)
        room, folds = tolerance - swept.bound, swept.folds.copy()
        for i in order:
            if gain[i] < 0.999 * room and folds[i] > 0:
                folds[i] -= 1
                room -= gain[i]
        if np.array_equal(folds, swept.folds):
            break
        try:
            trial = program.swept(arithmetic, folds=folds)
        except TooWide:
            break
        if trial.bound > tolerance:
            break
        swept = trial
    return swept


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
        _settled(decomposition, tolerance)
        tolerances, margins = _distributed(decomposition, approximation, tolerance, widen)
        bases, extra = Bases(), dict[Quantity, Node]()
        made: dict[Quantity, Quantity] = {}
        existing = {next(iter(node.inputs[0].terms)): node for node in decomposition.nodes if isinstance(node, Mean)}

        def mean(quantity: Quantity) -> Quantity:
            if quantity in existing:
                return existing[quantity].outputs[0]
            if quantity not in made:
                node = Mean(quantity)
                extra[node.outputs[0]] = node
                made[quantity] = node.outputs[0]
            return made[quantity]

        abstract: dict[Quantity, Node] = {q: node for node in decomposition.nodes for q in node.outputs}
        producer = dict(abstract)
        extrema = _extrema(decomposition, tolerances, margins, limits)
        for node in decomposition.nodes:
            for new in _concrete(node, tolerances, margins, bases, mean, limits, extrema, abstract):
                producer |= dict.fromkeys(new.outputs, new)
        for basis in bases.known.values():
            producer |= dict.fromkeys(basis.outputs, basis)
        for product in bases.products.values():
            producer |= dict.fromkeys(product.outputs, product)
        producer |= extra
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
            sensitivities = _seeded(output)
            for node in reversed(self.nodes):
                node.backward(sensitivities)
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
            sweep.errors[q] = arb(0)
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
        sensitivities = _seeded(output)
        for node in reversed(program.nodes):
            node.backward(sensitivities)
        for quantity, local in sweep.local.items():
            share = sensitivities.get(quantity, 0.0) * size(local)
            if share > best:
                best, name = share, quantity.name
    return name


def _seeded(output: Form) -> Sensitivities:
    sensitivities = Sensitivities()
    pass_back(sensitivities, output, 1.0)
    return sensitivities


def _distributed(decomposition: Decomposition, approximation: float, tolerance: float,
                 widen: float) -> tuple[dict[Node, float], dict[Node, float]]:
    """Split a share of the tolerance over the nodes that approximate, in proportion to what accuracy costs them."""
    nodes = _abstract(decomposition)
    weight = dict.fromkeys(nodes, 0.0)
    argument: dict[Quantity, float] = {}
    relative: dict[Node, float | None] = {}
    logarithms: dict[Quantity, float | None] = {}
    for output in decomposition.outputs:
        sensitivities = _seeded(output)
        for node in reversed(decomposition.nodes):
            node.backward(sensitivities)
        for node in nodes:
            weight[node] = max([weight[node], *(sensitivities.get(q, 0.0) for q in node.outputs)])
            logarithmic = sensitivities.of_logarithm(node.outputs[0])
            earlier = relative.get(node, 0.0)
            relative[node] = None if logarithmic is None or earlier is None else max(earlier, logarithmic)
        for q, s in sensitivities.items():
            argument[q] = max(argument.get(q, 0.0), s)
            log_slope = sensitivities.of_logarithm(q)
            known = logarithms.get(q, 0.0)
            logarithms[q] = None if log_slope is None or known is None else max(known, log_slope)
    divisors = {node.reciprocal for node in decomposition.nodes if isinstance(node, Quotient)}
    margins = {node: _margin(node, argument, tolerance, DIVISOR_MARGIN * widen if divisors & {*node.outputs} else widen)
               for node in nodes}
    for node in nodes:
        if isinstance(node, Univariate):
            node.relative_margin = _relative_margin(node, logarithms, tolerance, widen)
    used = [node for node in nodes if weight[node] > 0]
    elastic = dict.fromkeys(used, 1.0)
    tolerances: dict[Node, float] = {}
    for _ in range(3):
        whole = sum(elastic.values())
        tolerances = {node: approximation * elastic[node] / whole / weight[node] for node in used}
        for node in used:
            if isinstance(node, Univariate):
                log_slope = relative[node]
                node.relative_tolerance = min(0.3, tolerances[node] * weight[node] / log_slope) if log_slope else None
        elastic = {node: _elasticity(node, tolerances[node], margins[node]) for node in used}
    return tolerances | {node: approximation for node in nodes if node not in tolerances}, margins


def _elasticity(node: Node, tolerance: float, margin: float) -> float:
    """Parameters for one e-fold of accuracy."""
    if isinstance(node, Univariate):
        return node.elasticity(tolerance, margin)
    if isinstance(node, OrderStatistic):
        return 11.0 * node.cells(tolerance)
    return 60.0


def _margin(node: Node, sensitivities: Mapping[Quantity, float], tolerance: float, widen: float) -> float:
    """How far the network's argument may be from the exact one, when the whole tolerance were spent there."""
    margin = 0.0
    for form in node.inputs:
        inexact = [q for q in form.terms if not q.name.startswith(("x.", "mean(x."))]
        for q in inexact:
            s = sensitivities.get(q, 0.0)
            width = 2 * half_width(form.range())
            margin = max(margin, widen * min(0.05 * width, abs(float(form.terms[q])) * tolerance / s if s else math.inf))
    return margin


def _relative_margin(node: Univariate, logarithms: Mapping[Quantity, float | None], tolerance: float,
                     widen: float) -> float | None:
    """The same as a factor, where the argument is one positive quantity all of whose users look at its logarithm."""
    form = node.inputs[0]
    (quantity, *others) = form.terms
    log_slope = logarithms.get(quantity)
    if others or form.constant or not log_slope or quantity.name.startswith(("x.", "mean(x.")):
        return None
    if widen > 16:  # it was not the relative error that mattered
        return None
    return min(0.5, max(1.5 * widen * tolerance / log_slope, 2.0**-26))


def _concrete(node: Node, tolerances: Mapping[Node, float], margins: Mapping[Node, float], bases: Bases, mean: Means,
              limits: Limits, extrema: Mapping[Node, Thermometer | Softening],
              producer: Mapping[Quantity, Node]) -> Iterable[Node]:
    if isinstance(node, Univariate):
        return node.concrete(tolerances[node], margins[node], bases)
    if isinstance(node, Kernels):
        return node.concrete(tolerances[node], margins[node], bases, mean, limits.max_degree, limits.max_rank)
    if isinstance(node, OrderStatistic):
        chosen = extrema[node]
        if isinstance(chosen, Softening):
            return _softened(node, chosen, margins[node], mean)
        return [chosen, Sorted(node, chosen, tuple(mean(q) for q in chosen.outputs))]
    if isinstance(node, Quotient) and node.loose is not None:
        return _refined(node, node.loose, producer[node.reciprocal], margins)
    return [node]


def _refined(node: Quotient, loose: float, reciprocal: Node, margins: Mapping[Node, float]) -> list[Node]:
    if not isinstance(reciprocal, Univariate):
        raise TypeError("a reciprocal is a function of one form")  # pragma: no cover
    coarse = Univariate(reciprocal.g, reciprocal.inputs[0])
    interval = coarse.widened(margins[reciprocal])
    table = interpolate(coarse.g, float(interval[0]), float(interval[1]), loose, weight=coarse.g)
    return [Hinges(coarse, table, interval, True), RefinedQuotient(node, coarse.outputs[0], loose)]


def _settled(decomposition: Decomposition, tolerance: float) -> None:
    """Let every quotient decide how its reciprocal is formed."""
    found = [node for node in decomposition.nodes if isinstance(node, Quotient)]
    for quotient in found:
        quotient.loose = None
    for output in decomposition.outputs if found else ():
        sensitivities = _seeded(output)
        for node in reversed(decomposition.nodes):
            node.backward(sensitivities)
        for quotient in found:
            if quotient.loose is None:
                quotient.settle(tolerance, sensitivities.get(quotient.outputs[0], 0.0))


def _softened(node: OrderStatistic, soft: Softening, margin: float, mean: Means) -> list[Node]:
    sign = sign_of(node)
    form = node.form * Fraction(sign)
    low, high = ends(form.range())
    exponential = Exponential(form, (Fraction(low - margin), Fraction(high + margin)), soft)
    logarithm = Logarithm(exponential, mean(exponential.outputs[0]), soft)
    return [exponential, logarithm, SoftExtremum(node, logarithm, sign)]


def _extrema(decomposition: Decomposition, tolerances: Mapping[Node, float], margins: Mapping[Node, float],
             limits: Limits) -> dict[Node, Thermometer | Softening]:
    """Decide how order statistics are formed: one thermometer for all of the same quantity, as fine as the most demanding
    one needs, or, where only the largest and smallest values are wanted, softly, whichever has fewer parameters."""
    wanted: dict[object, list[OrderStatistic]] = {}
    for node in decomposition.nodes:
        if isinstance(node, OrderStatistic):
            wanted.setdefault(node.form.key(), []).append(node)
    found: dict[Node, Thermometer | Softening] = {}
    for nodes in wanted.values():
        cells = max(node.cells(tolerances[node]) for node in nodes)
        soft = {node: _softening(node, tolerances[node], margins[node], limits) for node in nodes if sign_of(node)}
        cost = [design.parameters if design else math.inf for design in soft.values()]
        if cells > limits.max_latent and len(soft) == len(nodes) and max(cost) < math.inf:
            found |= {node: design for node, design in soft.items() if design}
            continue
        if cells > limits.max_latent:
            raise Refused(_too_many_cells(nodes, cells, min(tolerances[node] for node in nodes), limits))
        low, high = ends(nodes[0].form.range())
        margin = max(margins[node] for node in nodes)
        found |= dict.fromkeys(nodes, Thermometer(nodes[0].form, (Fraction(low - margin), Fraction(high + margin)), cells))
    return found


def _softening(node: OrderStatistic, tolerance: float, margin: float, limits: Limits) -> Softening | None:
    return softening(node.n, 2 * (half_width(node.form.range()) + margin), tolerance, limits.exponents)


def _too_many_cells(nodes: Sequence[OrderStatistic], cells: int, finest: float, limits: Limits) -> str:
    reason = (f"{nodes[0].outputs[0].name} to within {finest:.3g} needs a thermometer of {cells} channels, more than "
              f"--max-latent {limits.max_latent}")
    if not all(sign_of(node) for node in nodes):
        return reason
    apart = math.log(nodes[0].n) * half_width(nodes[0].form.range()) / max(finest, 1e-300)
    return (f"{reason}; as a log of a mean of exponentials it needs numbers e^{apart:.0f} apart or more, and the format's "
            f"exponents hold e^{limits.exponents:.0f}")


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
