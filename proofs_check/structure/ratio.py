"""Quotients of means: p'/q' - p/q for p = mean K_p(z, y), q = mean K_q(z, y), from what the two have in common.

With F = p/q, p'/q' - F = ((p' - p) - F (q' - q))/q'. For fixed F the bracket is a mean over y of
D_F(z, y) = (Q_p - K_p) - F (Q_q - K_q), and |mean D| <= sup |D/K_q| mean K_q: so it is bounded relative to q, cell by cell;
pooled polynomials that enter both cancel as far as they do. The range of F is cut: which D_F can be met depends on F, as the
kernels' own means show (``duality.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval
from proofs_check.enclosures.sums import ABOVE
from proofs_check.structure.content import Content, affine, dyadic
from proofs_check.structure.deviation import over_weight, sum_over_weight
from proofs_check.structure.duality import Series, average_over_weight
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import chebyshev, padded, polynomial_size
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable

NOISE_KNOTS = 5  # of F


@dataclass(frozen=True, eq=False)
class MeanOfKernel:
    """The network's value is mean over y of (main + noise + rest), the exact one mean over y of K; z exact.

    Attributes:
        content: a function of the variables in ``names``; z and y.
        expansion, beyond: main - K is within ``beyond`` of this Chebyshev expansion.
        box: scales of the variables.
        outer: how many of them are z.
    """

    content: Content
    expansion: Floats
    beyond: float
    names: tuple[str, ...]
    box: tuple[Variable, ...]
    K: ex.Expression
    outer: int

    def followed(self, c: Fraction, constant: Fraction) -> MeanOfKernel:
        """Return what is known of c times the mean, plus a number."""
        if c == 1 and not constant:
            return self
        K = ex.Binary("+", ex.Binary("*", ex.Number(c), self.K), ex.Number(constant))
        size, l1 = abs(float(c)), float(np.abs(self.expansion).sum())
        beyond = size * (self.beyond + l1 * 2.0**-50) * ABOVE
        return replace(self, content=affine([(self.content, rational(c))], rational(constant)), K=K,
                       expansion=float(c) * self.expansion, beyond=beyond)

    def beside(self, other: MeanOfKernel) -> bool:
        """Whether two depend on the same variables in the same way."""
        return (self.names, self.box, self.outer) == (other.names, other.box, other.outer)


def relative_error(q: MeanOfKernel) -> Interval:
    """Enclose q'/q - 1.

    Raises:
        NotAnalytic: the kernel is not positive.
    """
    main = Interval.of(*over_weight(q.expansion, q.beyond, q.K, q.box))
    apart, absolute = _noise(q.content, q)
    size = apart + absolute * _inverse(q)
    return main + Interval.of(-size, size)


@dataclass(frozen=True)
class Joint:
    """(p' - p) - F (q' - q) is q times something in ``relative`` plus something of size at most ``absolute``."""

    relative: Interval
    absolute: float


def joint_errors(p: MeanOfKernel, q: MeanOfKernel, parts: Sequence[tuple[float, float]]) -> list[Joint]:
    """Enclose (p' - p) - F (q' - q) for F in each of several adjacent intervals.

    The noise is convex in F, so between the ends of all parts it is at most what interpolates its bounds there.

    Raises:
        NotAnalytic: the kernel of q is not positive.
    """
    averaged = average_over_weight(_differences(p, q), (_kernel(p), _kernel(q)), parts, q.K, q.box, q.outer)
    first, last = parts[0][0], parts[-1][1]
    knots = np.linspace(first, last, NOISE_KNOTS) if last > first else np.array([first])
    noise = [_noise(affine([(p.content, fmpq(1)), (q.content, -dyadic(float(F)))]), q) for F in knots]
    found = []
    for part, main in zip(parts, averaged, strict=True):
        size, absolute = (max(float(np.interp(F, knots, [one[k] for one in noise])) for F in part) * ABOVE for k in (0, 1))
        found.append(Joint(Interval.of(*main) + Interval.of(-size, size), absolute))
    return found


def _differences(p: MeanOfKernel, q: MeanOfKernel) -> tuple[Series, Series]:
    above, below = padded([p.expansion, q.expansion])
    return Series(above, p.beyond), Series(below, q.beyond)


def _kernel(one: MeanOfKernel) -> Series:
    """Return a series near K: that of the network's polynomial less that of their difference."""
    coefficients, slack = chebyshev(one.content.main, one.names)
    main, apart = padded([coefficients, one.expansion])
    rounding = 2.0**-51 * float(np.abs(main).sum() + np.abs(apart).sum())
    return Series(main - apart, (one.beyond + slack + rounding) * ABOVE)


def _noise(content: Content, q: MeanOfKernel) -> tuple[float, float]:
    """Bound the noise: what follows the token y or z, over K_q and cell by cell; and what is a number, as it is."""
    following, absolute = list[Polynomial](), content.rest
    for one in content.noise.values():
        if one.polynomial.variables and one.polynomial.variables <= set(q.names):
            following.append(one.polynomial)
        else:
            absolute += polynomial_size(one.polynomial)
    relative = sum_over_weight([chebyshev(polynomial, q.names) for polynomial in following], q.K, q.box) if following else 0.0
    return relative * ABOVE, absolute * ABOVE


def _inverse(q: MeanOfKernel) -> float:
    """Bound 1 / K_q."""
    return over_weight(np.ones((1,) * len(q.names)), 0.0, q.K, q.box)[1]
