"""A smooth target replaced by a polynomial in the own token and power means, fitted and not derived (mathematics: section 3).

    p(X)_i = sum over (a, c) of coefficient * prod_s T_{a_s}(x_s) * prod_b T_{c_b}(m_b),    m_b = mean_k T_b(x_k),

with 0 < |b| <= n - 1 and total degree |a| + sum_b |b| c_b <= D, tokens scaled to [-1, 1]: the span of the paper's power sums in
a well conditioned form (a spanning set for d >= 2: the least squares are rank revealing). A few Lawson reweightings move the fit
towards the smallest largest error. Coefficients become dyadic rationals, so p is an exact expression of the target language;
how far it is from the target is only *estimated* here, and has to be proved by whoever uses it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.errors import Refused
from constructions.targets import expression as ex
from constructions.targets.target import Target

MOST_FUNCTIONS = 600  # of the basis
MOST_COORDINATES = 24  # n d; subdivision, which has to prove the error, covers no more
REWEIGHTINGS = 6
PENALTY = 0.01  # of a coefficient, in tolerances
REACH = 3.0  # what reweighting may gain, at most
CLIMBS = 24
MARGIN = Fraction(5, 4)  # of the claimed error over the estimated one: samples miss the largest
Exponent = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The polynomial and what it is claimed to miss.

    Attributes:
        outputs: expressions in x and means of y.
        missed: the claim ||f - p|| <= missed, to be proved.
        degree: D.
        functions: number of basis functions.
    """

    outputs: tuple[ex.Expression, ...]
    missed: Fraction
    degree: int
    functions: int


@dataclass(frozen=True)
class Basis:
    """Products of Chebyshev polynomials of the own coordinates and of the means, up to a total degree.

    Attributes:
        features: the multi-indices b of the means.
        exponents: of the means, heaviest first, then of the own coordinates; one a function.
    """

    n: int
    d: int
    degree: int
    features: tuple[Exponent, ...]
    exponents: tuple[Exponent, ...]

    @staticmethod
    def of(n: int, d: int, degree: int) -> Basis:
        """List the functions of total degree up to D.

        Raises:
            Refused: they are more than ``MOST_FUNCTIONS``.
        """
        features = sorted((b for b in itertools.product(range(n), repeat=d) if 0 < sum(b) <= min(n - 1, degree)),
                          key=lambda b: (-sum(b), b))
        weights = [*map(sum, features), *[1] * d]
        exponents = tuple(itertools.islice(_bounded(weights, degree), MOST_FUNCTIONS + 1))
        if len(exponents) > MOST_FUNCTIONS:
            raise Refused(f"polynomials of degree {degree} in the own token and means have more than {MOST_FUNCTIONS} "
                          "coefficients")
        return Basis(n, d, degree, tuple(features), exponents)

    def values(self, tokens: np.ndarray) -> np.ndarray:
        """Return the functions at the first token; ``tokens`` is (points, n, d), scaled to [-1, 1]."""
        by_token = np.polynomial.chebyshev.chebvander(tokens, max(self.degree, 1))  # (points, n, d, degree)
        arguments = [np.prod([by_token[:, :, c, k] for c, k in enumerate(b)], axis=0).mean(axis=1) for b in self.features]
        arguments += [tokens[:, 0, c] for c in range(self.d)]
        known = [np.polynomial.chebyshev.chebvander(argument, self.degree).T for argument in arguments]
        functions, before = np.empty((len(self.exponents), len(tokens))), (-1,) * len(known)
        partial = [np.ones(len(tokens))] * (len(known) + 1)  # products of the first factors, shared by neighbours in the list
        for row, exponent in enumerate(self.exponents):
            first = next((v for v, (k, old) in enumerate(zip(exponent, before, strict=True)) if k != old), len(known))
            for v in range(first, len(known)):
                partial[v + 1] = partial[v] * known[v][exponent[v]] if exponent[v] else partial[v]
            functions[row], before = partial[-1], exponent
        return functions.T


def fit(target: Target, tolerance: Fraction, largest_degree: int = 24) -> Fitted:
    """Raise the degree until the estimated error, with a margin, is within the tolerance.

    Args:
        target: f, for its n.
        tolerance: of |f - p|.
        largest_degree: where to give up.

    Raises:
        Refused: the degree would need too many coefficients, or f is not finite; with the error reached.
    """
    if target.positional:
        raise Refused("the error of a fitted polynomial is proved over sorted tokens: the target must not see positions")
    if target.n * target.d > MOST_COORDINATES:
        raise Refused(f"{target.n} tokens with {target.d} coordinates are {target.n * target.d} dimensions, more than the proof "
                      f"by subdivision can cover ({MOST_COORDINATES})")
    reached, before = math.inf, 0
    for degree in itertools.chain(range(1, 9), range(10, largest_degree + 1, 2)):
        try:
            basis = Basis.of(target.n, target.d, degree)
        except Refused as refused:
            raise Refused(f"{refused}, and of degree {before} they miss {reached:.3g} of it") from None
        coefficients, reached = _least_squares(target, basis, float(tolerance))
        before = degree
        if MARGIN * Fraction(reached) <= tolerance:
            reached = _climbed(target, basis, coefficients)
        if MARGIN * Fraction(reached) <= tolerance:
            missed = max(MARGIN * Fraction(reached), tolerance / 4)
            return Fitted(_expressions(target, basis, coefficients, missed), _short(missed), degree, len(basis.exponents))
    raise Refused(f"polynomials of degree {before} in the own token and means miss {reached:.3g} of it")


def polynomial(target: Target, degree: int, tolerance: Fraction) -> tuple[tuple[ex.Expression, ...], float]:
    """Return the fitted polynomial of one degree, its coefficients rounded below the tolerance, and its estimated error.

    Raises:
        Refused: it would need too many coefficients, or f is not finite.
    """
    basis = Basis.of(target.n, target.d, degree)
    coefficients, reached = _least_squares(target, basis, float(tolerance))
    return _expressions(target, basis, coefficients, tolerance), reached


def _bounded(weights: Sequence[int], degree: int) -> Iterator[Exponent]:
    if not weights:
        yield ()
        return
    for k in range(degree // weights[0] + 1):
        for rest in _bounded(weights[1:], degree - k * weights[0]):
            yield (k, *rest)


def _points(target: Target, count: int, seed: int) -> np.ndarray:
    """Return sequences, (points, n, d) in [-1, 1]: Sobol points of the Chebyshev density, and vertices of the domain."""
    from scipy.stats import qmc

    n, d = target.n, target.d
    spread = qmc.Sobol(n * d, seed=seed).random(count)
    inner = -np.cos(np.pi * spread).reshape(count, n, d)
    rng = np.random.default_rng(seed)
    vertices = np.unique(rng.choice([-1.0, 1.0], (min(4 ** (n * d), 512), n, d)), axis=0)
    part = count // 8
    edges = np.where(rng.random((part, n, d)) < 0.7, rng.choice([-1.0, 1.0], (part, n, d)), inner[:part])
    ties = np.take_along_axis(inner[part:2 * part], rng.integers(0, 2, (part, n, 1)), axis=1)  # two different tokens
    return np.concatenate([vertices, edges, ties, inner])


def _values(target: Target, scaled: np.ndarray) -> np.ndarray:
    low, high = (np.array([float(end) for end in ends]) for ends in (target.box.lower, target.box.upper))
    values = target.numpy(np.clip(low + (high - low) * (scaled + 1) / 2, low, high), slice(0, 1))[:, 0]
    if not np.isfinite(values).all():
        raise Refused(f"{target.name} is not finite on all of {target.box}")
    return values


def _climbed(target: Target, basis: Basis, coefficients: np.ndarray) -> float:
    """Return the largest error that climbing from samples finds: coordinates move, jump to an end or to another token."""
    rng = np.random.default_rng(2)
    points = _points(target, 1024, 3)
    for scale in 10.0 ** -np.linspace(0.5, 4, CLIMBS):
        error = np.abs(basis.values(points) @ coefficients - _values(target, points)).max(axis=1)
        best = points[np.argsort(error)[-32:]]
        moved = np.repeat(best, 32, axis=0)
        chosen = rng.random(moved.shape) < 1.5 / (target.n * target.d)
        step = np.where(chosen, scale * rng.normal(size=moved.shape), 0.0)
        jump = np.where(rng.random(moved.shape) < 0.5, np.sign(step), moved[:, rng.permutation(target.n)])
        moved = np.clip(np.where(chosen & (rng.random(moved.shape) < 0.2), jump, moved + step), -1.0, 1.0)
        points = np.concatenate([best, moved])
    return float(np.abs(basis.values(points) @ coefficients - _values(target, points)).max())


def _least_squares(target: Target, basis: Basis, tolerance: float) -> tuple[np.ndarray, float]:
    """Return coefficients, (functions, d_out), and their largest error among other samples.

    The polynomial with the smallest such error of all reweightings is kept; there are none where the tolerance is out of reach.
    """
    from scipy.linalg import lstsq

    count = 2 ** max(10, math.ceil(math.log2(8 * len(basis.exponents))))
    train, test = _points(target, count, 0), _points(target, 2 * count, 1)
    A, f = basis.values(train), _values(target, train)
    A_test, f_test = basis.values(test), _values(target, test)
    # the means of n tokens do not fill the cube: without a penalty polynomials that vanish on them get huge coefficients
    penalty = PENALTY * tolerance * math.sqrt(len(A)) * np.eye(len(basis.exponents))
    nothing = np.zeros((len(penalty), target.d_out))
    weights, best = np.ones(len(A)), (np.zeros((len(basis.exponents), target.d_out)), math.inf)
    for _ in range(1 + REWEIGHTINGS):
        root = np.sqrt(weights)[:, None]
        found = lstsq(np.vstack([A * root, penalty]), np.vstack([f * root, nothing]), cond=1e-12, lapack_driver="gelsy")[0]
        error = max(float(np.abs(part).max()) for part in (A_test @ found - f_test, A @ found - f))
        if error < best[1]:
            best = found, error
        residual = np.abs(A @ found - f).max(axis=1)
        if not residual.max() > 0 or best[1] > REACH * tolerance:
            break
        weights = weights * (residual + residual.max() / 20)
        weights /= weights.mean()
    return best


def _short(value: Fraction) -> Fraction:
    """Round up to sixteen binary digits."""
    unit = Fraction(2) ** (math.floor(math.log2(value)) - 16)
    return math.ceil(value / unit) * unit


def _expressions(target: Target, basis: Basis, coefficients: np.ndarray, missed: Fraction) -> tuple[ex.Expression, ...]:
    """Write p down; coefficients are rounded so that all of them together move it by less than missed/1000."""
    unit = Fraction(2) ** math.floor(math.log2(missed / (1000 * len(basis.exponents))))
    unit = min(unit, Fraction(1))
    own, other = ([_scaled(kind(c), *target.box.sides[c]) for c in range(target.d)] for kind in (ex.Own, ex.Other))
    means = [ex.Reduction("mean", ex.joined("*", [chebyshev(u, k) for u, k in zip(other, b, strict=True) if k]))
             for b in basis.features]
    outputs = []
    for column in coefficients.T:
        rounded = {exponent: round(Fraction(float(value)) / unit) * unit
                   for exponent, value in zip(basis.exponents, column, strict=True)}
        outputs.append(_nested({exponent: value for exponent, value in rounded.items() if value}, [*means, *own]))
    return tuple(outputs)


def _nested(terms: dict[Exponent, Fraction], arguments: Sequence[ex.Expression]) -> ex.Expression:
    """Return the sum over k of T_k(first argument) times what belongs to k: the fewest products."""
    if not arguments:
        return ex.Number(sum(terms.values(), Fraction(0)))
    parts: list[ex.Expression] = []
    for k in sorted({exponent[0] for exponent in terms}):
        inner = _nested({exponent[1:]: value for exponent, value in terms.items() if exponent[0] == k}, arguments[1:])
        parts.append(inner if k == 0 else ex.joined("*", [inner, chebyshev(arguments[0], k)]))
    return ex.joined("+", parts) if parts else ex.Number(Fraction(0))


@functools.cache
def _powers(k: int) -> tuple[int, ...]:
    """Return the coefficients of T_k, lowest first."""
    return tuple(int(value) for value in np.polynomial.chebyshev.cheb2poly([0] * k + [1]))


def chebyshev(u: ex.Expression, k: int) -> ex.Expression:
    """Return T_k(u), k >= 1, as a sum of powers."""
    parts: list[ex.Expression] = []
    for power, value in enumerate(_powers(k)):
        if value:
            factors = [ex.Number(Fraction(value))] if value != 1 or not power else []
            base = [u] if power == 1 else [ex.Power(u, ex.Number(Fraction(power)))] if power else []
            parts.append(ex.joined("*", [*factors, *base]))
    return ex.joined("+", parts)


def _scaled(token: ex.Expression, a: Fraction, b: Fraction) -> ex.Expression:
    """Return 2 (token - a)/(b - a) - 1."""
    return ex.Binary("+", ex.Binary("*", ex.Number(2 / (b - a)), token), ex.Number(-(a + b) / (b - a)))

