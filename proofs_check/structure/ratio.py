"""Quotients of means: p'/q' - p/q for p = mean K_p(z, y), q = mean K_q(z, y), from what the two have in common.

With F = p/q, p'/q' - F = ((p' - p) - F (q' - q))/q'. For fixed F the bracket is a mean over y of
D_F(z, y) = (Q_p - K_p) - F (Q_q - K_q), and |mean D| <= sup |D/K_q| mean K_q: so it is bounded relative to q, cell by cell;
pooled polynomials that enter both cancel as far as they do, and D being affine in F, the ends of F's range suffice.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval, hull
from proofs_check.structure.content import Content, affine
from proofs_check.structure.deviation import NotAnalytic, over_weight, weighted_deviation
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import chebyshev, polynomial_size
from proofs_check.structure.squares import rational
from proofs_check.structure.variable import Variable

_UP = 1 + 2.0**-40


@dataclass(frozen=True, eq=False)
class MeanOfKernel:
    """The network's value is mean over y of (main + noise + rest), the exact one mean over y of K; z exact.

    Attributes:
        content: a function of the variables in ``names``; z and y.
        main: its main part in variables that have the scales ``box``.
    """

    content: Content
    main: Polynomial
    names: tuple[str, ...]
    box: tuple[Variable, ...]
    K: ex.Expression

    def beside(self, other: MeanOfKernel) -> bool:
        """Whether two depend on the same variables in the same way."""
        return self.names == other.names and self.box == other.box


def relative_error(q: MeanOfKernel, fine: float) -> Interval:
    """Enclose q'/q - 1.

    Raises:
        NotAnalytic: the kernel is not positive.
    """
    main = Interval.of(*weighted_deviation(q.main, q.names, q.K, q.K, q.box, fine))
    apart, absolute = _noise(q.content, q)
    size = apart + absolute * _inverse(q)
    return main + Interval.of(-size, size)


@dataclass(frozen=True)
class Joint:
    """(p' - p) - F (q' - q) is q times something in ``relative`` plus something of size at most ``absolute``."""

    relative: Interval
    absolute: float


def joint_error(p: MeanOfKernel, q: MeanOfKernel, F: Interval, fine: float) -> Joint:
    """Enclose (p' - p) - F (q' - q) for F in an interval.

    Raises:
        NotAnalytic: the kernel of q is not positive.
    """
    found: Joint | None = None
    for end in (F.lower, F.upper):
        factor = Fraction(float(end))
        main = p.main - q.main.times(rational(factor))
        kernel = ex.Binary("-", p.K, ex.Binary("*", ex.Number(factor), q.K))
        value = Interval.of(*weighted_deviation(main, q.names, kernel, q.K, q.box, fine))
        size, absolute = _noise(affine([(p.content, rational(Fraction(1))), (q.content, -rational(factor))]), q)
        value = value + Interval.of(-size, size)
        found = Joint(value, absolute) if found is None else Joint(hull(found.relative, value), max(found.absolute, absolute))
    if found is None:
        raise NotAnalytic("no range")  # pragma: no cover
    return found


def _noise(content: Content, q: MeanOfKernel) -> tuple[float, float]:
    """Bound the noise: what follows the token y or z, over K_q and cell by cell; and what is a number, as it is."""
    relative, absolute = 0.0, content.rest
    for one in content.noise.values():
        if one.polynomial.variables and one.polynomial.variables <= set(q.names):
            coefficients, slack = chebyshev(one.polynomial, q.names)
            low, high = over_weight(coefficients, slack, q.K, q.box)
            relative += max(abs(low), abs(high))
        else:
            absolute += polynomial_size(one.polynomial)
    return relative * _UP, absolute * _UP


def _inverse(q: MeanOfKernel) -> float:
    """Bound 1 / K_q."""
    return over_weight(np.ones((1,) * len(q.names)), 0.0, q.K, q.box)[1]
