"""Quotients of means: p'/q' - p/q for p = mean K_p(z, y), q = mean K_q(z, y), from what the two have in common.

With F = p/q, p'/q' - F = ((p' - p) - F (q' - q))/q'. For fixed F the bracket is a mean over y of
D_F(z, y) = (Q_p - K_p) - F (Q_q - K_q), and |mean D| <= sup |D/K_q| mean K_q: so it is bounded relative to q, cell by cell;
pooled polynomials that enter both cancel as far as they do, and D being affine in F, the ends of F's range suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Floats, Interval, hull
from proofs_check.structure.content import Content, affine, dyadic
from proofs_check.structure.deviation import over_weight, sum_over_weight
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import chebyshev, polynomial_size
from proofs_check.structure.variable import Variable

_UP = 1 + 2.0**-40


@dataclass(frozen=True, eq=False)
class MeanOfKernel:
    """The network's value is mean over y of (main + noise + rest), the exact one mean over y of K; z exact.

    Attributes:
        content: a function of the variables in ``names``; z and y.
        expansion, beyond: main - K is within ``beyond`` of this Chebyshev expansion.
        box: scales of the variables.
    """

    content: Content
    expansion: Floats
    beyond: float
    names: tuple[str, ...]
    box: tuple[Variable, ...]
    K: ex.Expression

    def beside(self, other: MeanOfKernel) -> bool:
        """Whether two depend on the same variables in the same way."""
        return self.names == other.names and self.box == other.box


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


def joint_error(p: MeanOfKernel, q: MeanOfKernel, F: Interval) -> Joint:
    """Enclose (p' - p) - F (q' - q) for F in an interval.

    Raises:
        NotAnalytic: the kernel of q is not positive.
    """
    ends = [_joint_at(p, q, float(end)) for end in (F.lower, F.upper)]
    return Joint(hull(ends[0].relative, ends[1].relative), max(ends[0].absolute, ends[1].absolute))


def _joint_at(p: MeanOfKernel, q: MeanOfKernel, F: float) -> Joint:
    shape = tuple(map(max, p.expansion.shape, q.expansion.shape))
    above, below = (np.pad(e, [(0, n - m) for n, m in zip(shape, e.shape, strict=True)]) for e in (p.expansion, q.expansion))
    rounding = 4 * 2.0**-52 * float(np.abs(above).sum() + abs(F) * np.abs(below).sum())
    beyond = (p.beyond + abs(F) * q.beyond + rounding) * _UP
    main = Interval.of(*over_weight(above - F * below, beyond, q.K, q.box))
    size, absolute = _noise(affine([(p.content, fmpq(1)), (q.content, -dyadic(F))]), q)
    return Joint(main + Interval.of(-size, size), absolute)


def _noise(content: Content, q: MeanOfKernel) -> tuple[float, float]:
    """Bound the noise: what follows the token y or z, over K_q and cell by cell; and what is a number, as it is."""
    following, absolute = list[Polynomial](), content.rest
    for one in content.noise.values():
        if one.polynomial.variables and one.polynomial.variables <= set(q.names):
            following.append(one.polynomial)
        else:
            absolute += polynomial_size(one.polynomial)
    relative = sum_over_weight([chebyshev(polynomial, q.names) for polynomial in following], q.K, q.box) if following else 0.0
    return relative * _UP, absolute * _UP


def _inverse(q: MeanOfKernel) -> float:
    """Bound 1 / K_q."""
    return over_weight(np.ones((1,) * len(q.names)), 0.0, q.K, q.box)[1]
