"""Means of kernels: mean_k K(z, x_k) with K(z, y) ~ sum_r alpha_r(z) beta_r(y) (mathematics: separable-kernel).

z are exact quantities of the own token and the sequence (coordinates, means), y the token the mean runs over. Chebyshev
products of y are pooled; psi forms alpha_r, beta_r and their products. The kernel is a node of its own, because the error of a
pooled polynomial enters through sum_r alpha_r V_r, which is far smaller than the sum of absolute values.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.pieces.basis import Interval
from constructions.pieces.enclosure import value_range
from constructions.pieces.envelope import Envelope
from constructions.pieces.forms import Form, Placed, Quantity, ball, ends, size, upward
from constructions.pieces.node import Joint, Node, Sensitivities, Sweep, pass_back
from constructions.pieces.product import Product, TwoSquares
from constructions.pieces.ratio import Averages
from constructions.pieces.separation import Separation, separate_many
from constructions.pieces.smooth import Smooth
from constructions.pieces.square import Square
from constructions.pieces.univariate import Bases

Index = tuple[int, ...]
Means = Callable[[Quantity], Quantity]


class Kernels(Node):
    """outputs_o = mean over y of K_o(z, y) for several kernels with the same z."""

    def __init__(self, kernels: Sequence[Smooth], outer: Sequence[Form], tokens: Sequence[Quantity]) -> None:
        self.kernels, self.outer, self.tokens = list(kernels), tuple(outer), tuple(tokens)
        self.inputs = (*self.outer, *(Form.of(q) for q in tokens))
        self.box = [*(ends(form.range()) for form in outer), *(ends(q.range) for q in tokens)]
        self.outputs = tuple(Quantity(f"mean({K.tree})", value_range(K, self.box), False) for K in kernels)

    @staticmethod
    def joined(group: Sequence[Kernels]) -> Kernels:
        """Return one node for several with the same arguments; it has all their outputs."""
        whole = Kernels([K for node in group for K in node.kernels], group[0].outer, group[0].tokens)
        whole.outputs = tuple(q for node in group for q in node.outputs)
        return whole

    @property
    def token(self) -> bool:
        """It depends on the sequence."""
        return False

    def realise(self, sweep: Sweep) -> None:
        """Never: a tolerance is needed first."""
        raise TypeError("a kernel is separated before it is realised")

    def slopes(self) -> list[list[float]]:
        """Bound |dK_o/dz_v| for every output and outer variable."""
        from constructions.pieces.enclosure import partial_bound

        return [[0.0 if form.of_coordinates else partial_bound(K, self.box, v)
                 for v, form in enumerate(self.outer)] for K in self.kernels]

    def backward(self, sensitivities: Sensitivities) -> None:
        """Exact coordinates need nothing; inexact outer quantities are passed their slope."""
        for output, slopes in zip(self.outputs, self.slopes(), strict=True):
            for form, slope in zip(self.outer, slopes, strict=True):
                if slope:
                    pass_back(sensitivities, form, sensitivities.get(output, 0.0) * slope)

    def concrete(self, tolerance: float, margin: float, bases: Bases, mean: Means, max_degree: int,
                 max_rank: int) -> list[Node]:
        """Separate to the tolerance and return products of Chebyshev polynomials and the bilinear node."""
        box: list[Interval] = [_widened(form.range(), 0.0 if form.of_coordinates else margin)
                               for form in self.outer]
        box += [_widened(q.range, 0.0) for q in self.tokens]
        found = separate_many(self.kernels, len(self.outer), tuple(box), tolerance, max_degree, max_rank)
        tensors = Tensors(bases)
        rows = [tensors.product(self.outer, box[:len(self.outer)], index) for index in found.x_degrees]
        columns = [tensors.product([Form.of(q) for q in self.tokens], box[len(self.outer):], index) for index in found.y_degrees]
        means = [None if q is None else mean(q) for q in columns]
        return [*tensors.nodes, Bilinear(self, found, rows, means, box)]


class Tensors:
    """Products T_i(u) T_j(v) .. of Chebyshev polynomials of several variables, each made once."""

    def __init__(self, bases: Bases) -> None:
        self.bases = bases
        self.nodes: list[Node] = []

    def product(self, forms: Sequence[Form], box: Sequence[Interval], index: Index) -> Quantity | None:
        """Return the product of T_index[c](form c), None for the constant 1."""
        factors = [self.bases.of(form, interval).polynomial(j) for form, interval, j in zip(forms, box, index, strict=True) if j]
        result: Quantity | None = None
        for factor in factors:
            result = factor if result is None else self._times(result, factor)
        return result

    def _times(self, a: Quantity, b: Quantity) -> Quantity:
        key = (a, b)
        known = self.bases.products
        if key not in known:
            known[key] = Product(f"{a.name}*{b.name}", Form.of(a), Form.of(b), arb(0, 1))
        if known[key] not in self.nodes:
            self.nodes.append(known[key])
        return known[key].outputs[0]


class Bilinear(Node):
    """outputs_o = sum_r alpha_r(z) beta_or(mean): R products for each output, all added into one channel."""

    def __init__(self, exact: Kernels, found: Separation, rows: list[Quantity | None], columns: list[Quantity | None],
                 box: Sequence[Interval]) -> None:
        self.exact, self.found, self.rows, self.columns, self.box = exact, found, rows, columns, box
        self.outputs = exact.outputs
        self.U, self.V = found.U, found.V
        self.alpha = [_combination(rows, weights) for weights in self.U]
        self.beta = [[_combination(columns, weights) for weights in matrix] for matrix in self._by_output()]
        self.inputs = (*self.alpha, *itertools.chain(*self.beta), *exact.outer)
        self.alpha_range = [_polynomial_range(w, found.x_degrees) for w in self.U]
        self.beta_range = [[_polynomial_range(w, found.y_degrees) for w in matrix] for matrix in self._by_output()]
        self.pairs = [[TwoSquares() for _ in self.U] for _ in self.outputs]
        # how far the outputs follow the pooled polynomials, and those of z: through the columns and rows of U^T V
        self.mixed = [self.U.T @ matrix for matrix in self._by_output()]
        self.slack = [2.0**-40 * (np.abs(self.U).T @ np.abs(matrix)) for matrix in self._by_output()]
        self.averages: dict[tuple[int, int], Averages | None] = {}
        self.known: dict[tuple[int, int, tuple[float, float]], float] = {}
        self.envelopes: dict[tuple[int, int, float], tuple[Envelope, Envelope]] = {}
        self.by_column = [self._envelope(o, o, 0.0)[0].each for o in range(len(self.outputs))]
        self.by_row = [self._envelope(o, o, 0.0)[1].each for o in range(len(self.outputs))]

    def _envelope(self, a: int, b: int, F: float) -> tuple[Envelope, Envelope]:
        """Return how output a minus F times output b follows the pooled polynomials and those of z."""
        if (a, b, F) not in self.envelopes:
            A, slack = self.mixed[a] - F * self.mixed[b], self.slack[a] + abs(F) * self.slack[b]
            slack = slack + 2.0**-50 * (np.abs(self.mixed[a]) + abs(F) * np.abs(self.mixed[b]))
            self.envelopes[a, b, F] = (Envelope.of(A, slack, self.found.x_degrees),
                                       Envelope.of(A.T, slack.T, self.found.y_degrees))
        return self.envelopes[a, b, F]

    def _by_output(self) -> list[np.ndarray]:
        return [self.V[:, o, :] for o in range(len(self.outputs))]

    @property
    def squares(self) -> Sequence[Square]:
        """Two for each product."""
        return tuple(square for pairs in self.pairs for pair in pairs for square in pair.squares)

    def realise(self, sweep: Sweep) -> None:
        """|sum (alpha' beta' - alpha beta)| through the mixed matrix, plus second-order terms, lost squares and the expansion."""
        rows = np.array([0.0 if q is None else size(sweep.errors[q]) for q in self.rows])
        columns = np.array([0.0 if q is None else size(sweep.errors[q]) for q in self.columns])
        off_alpha = np.abs(self.U) @ rows * (1 + 2.0**-30)
        alphas = []
        for form, values, off in zip(self.alpha, self.alpha_range, off_alpha, strict=True):
            alphas.append(self._held(sweep, form, values + arb(0, upward(float(off)))))
        products: list[float] = []
        for o, output in enumerate(self.outputs):
            target, constant, mass = sweep.wiring.channel(), Fraction(0), Fraction(0)
            off_beta = np.abs(self._by_output()[o]) @ columns * (1 + 2.0**-30)
            lost = float(off_alpha @ off_beta) * (1 + 2.0**-30)
            for r, pair in enumerate(self.pairs[o]):
                b_values = self.beta_range[o][r] + arb(0, upward(float(off_beta[r])))
                (a, a_values, a_round), (b, b_values, b_round) = alphas[r], self._held(sweep, self.beta[o][r], b_values)
                added, missed, more = pair.emit(sweep, a, b, a_values, b_values, target)
                constant, mass = constant + added, mass + more
                lost += missed + size(a_values) * b_round + size(b_values) * a_round
            products.append(upward(lost))
            by_column, by_row = self._envelope(o, o, 0.0)
            lost += by_column.total(columns) + by_row.total(rows) + self.found.errors[o]
            sweep.places[output] = Placed({target: Fraction(1)}, constant, mass + abs(constant))
            sweep.local[output] = arb(0, upward(lost))
            sweep.errors[output] = sweep.local[output] + self._outer(sweep, o)
            self._require_inside(sweep)
        for u, v in itertools.permutations(range(len(self.outputs)), 2):
            sweep.joint[self.outputs[u], self.outputs[v]] = functools.partial(self._joint, sweep, products, rows, columns, u, v)

    def _joint(self, sweep: Sweep, products: Sequence[float], rows: np.ndarray, columns: np.ndarray, a: int, b: int,
               F: arb) -> Joint:
        """Enclose error_a - F error_b: pooled polynomials enter both, with coefficients that are subtracted first.

        It is linear in F, so the ends of its range suffice.
        """
        rest = whole = 0.0
        for end in ends(F):
            by_column, by_row = self._envelope(a, b, end)
            shared = by_column.total(columns) + by_row.total(rows)
            rest = max(rest, shared + products[a] + abs(end) * products[b])
            whole = max(whole, shared + products[a] + self.found.errors[a] + abs(end) * (products[b] + self.found.errors[b]))
        outer = self._outer(sweep, a) - F * self._outer(sweep, b)
        return Joint(arb(0, upward(whole)) + outer, arb(0, upward(rest)) + outer, self._relative(a, b, ends(F)))

    def _relative(self, a: int, b: int, F: tuple[float, float]) -> float:
        """Bound the expansions' part relative to output b, inf where that is not known."""
        exact = all(form.of_coordinates for form in self.exact.outer)
        if len(self.box) != 2 or not exact:
            return math.inf
        if (a, b) not in self.averages:
            kernels, matrices = self.exact.kernels, self.mixed
            self.averages[a, b] = Averages.of((kernels[a], kernels[b]), (matrices[a], matrices[b]),
                                              (self.found.x_degrees, self.found.y_degrees), tuple(self.box), self.found.error)
        if (a, b, F) not in self.known:
            averages = self.averages[a, b]
            self.known[a, b, F] = math.inf if averages is None else averages.error(*F)
        return self.known[a, b, F]

    def _held(self, sweep: Sweep, form: Form, values: arb) -> tuple[Placed, arb, float]:
        """Put a combination into a channel of its own where reading it twice would cost more."""
        placed = sweep.places.sketched(form) if sweep.wiring.dry else sweep.places.form(form)
        if len(placed.channels) <= 2:
            return placed, values, 0.0
        rounding = sweep.rounding(placed)
        place, _ = sweep.materialise(placed, values)
        return place, values + arb(0, rounding), rounding

    def _outer(self, sweep: Sweep, o: int) -> arb:
        slopes = self.exact.slopes()[o]
        return sum((arb(0, upward(slope * size(sweep.error(form)))) for slope, form in
                    zip(slopes, self.exact.outer, strict=True)), arb(0))

    def _require_inside(self, sweep: Sweep) -> None:
        from constructions.pieces.univariate import TooWide

        for form, (low, high) in zip(self.exact.outer, self.box, strict=False):
            values = sweep.actual(form)
            if not (values >= ball(low) and values <= ball(high)):
                raise TooWide(f"a kernel is expanded on [{float(low):.6g}, {float(high):.6g}], but its argument may be {values}")

    def backward(self, sensitivities: Sensitivities) -> None:
        """Through the mixed matrix, not through single alphas and betas."""
        for o, output in enumerate(self.outputs):
            s = sensitivities.get(output, 0.0)
            for a, b, pair in zip(self.alpha_range, self.beta_range[o], self.pairs[o], strict=True):
                pair.weigh(a, b, s)
            weights = itertools.chain(self.by_column[o], self.by_row[o])
            for quantity, weight in zip(itertools.chain(self.columns, self.rows), weights, strict=True):
                if quantity is not None:
                    sensitivities.add(quantity, s * float(weight))
        self.exact.backward(sensitivities)


def _combination(polynomials: Sequence[Quantity | None], weights: np.ndarray) -> Form:
    constant = sum((Fraction(float(w)) for q, w in zip(polynomials, weights, strict=True) if q is None), Fraction(0))
    return Form({q: Fraction(float(w)) for q, w in zip(polynomials, weights, strict=True) if q is not None and w}, constant)


def _polynomial_range(weights: np.ndarray, degrees: Sequence[Index]) -> arb:
    """Enclose sum_k w_k T_k on [-1, 1]^p: values on a Chebyshev grid and the factor of Ehlich and Zeller.

    A polynomial q of degree D has |q| <= max over N Chebyshev points of |q| / cos(pi D / (2 N)) (in each variable), applied
    to q = the polynomial minus the middle of its values; rounding of the values and of the points is covered by l1 norms.
    """
    p = len(degrees[0])
    top = [max(index[c] for index in degrees) for c in range(p)]
    counts = [max(1, (16 if p == 1 else 8) * D) for D in top]
    axes = [np.cos(np.pi * (np.arange(N) + 0.5) / N) for N in counts]
    tables = [np.cos(np.outer(np.arange(D + 1), np.arccos(axis))) for D, axis in zip(top, axes, strict=True)]
    dense = np.zeros([D + 1 for D in top])
    for w, index in zip(weights, degrees, strict=True):
        dense[index] = w
    for table in tables:
        dense = np.tensordot(dense, table, axes=(0, 0))
    low, high = float(dense.min()), float(dense.max())
    factor = float(np.prod([1 / np.cos(np.pi * D / (2 * N)) for D, N in zip(top, counts, strict=True)]))
    middle, radius = (low + high) / 2, (high - low) / 2 * factor * (1 + 2.0**-20)
    scale = float(np.abs(weights).sum()) * (max(top, default=0) + 4) ** 2 * p
    return arb(middle, upward(radius + 2.0**-40 * scale))


def _widened(values: arb, margin: float) -> Interval:
    low, high = ends(values)
    margin = max(margin, 2.0**-26 * (abs(low) + abs(high) + (high - low)))
    return Fraction(low - margin), Fraction(high + margin)
