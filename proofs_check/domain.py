"""The region that a modulus check has to cover: sorted tokens, and translations divided out.

*Translation*: if f(X + t e_c) = f(X) + r t for all t, then the gradient at X is the gradient at X - x_own[c] e_c. So coordinate
c of the own token may be put to 0 and the others range over differences, [lower - upper, upper - lower]; a tuple of
differences is realised in the domain exactly when its spread is at most upper - lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Booleans, Floats, Interval, down
from proofs_check.walker import Chamber

Tokens = tuple[tuple[Fraction, ...], ...]


def translation_rate(node: ex.Expression, coordinate: int, n: int) -> Fraction | None:
    """Return r such that moving coordinate c of all n tokens by t adds r t to the node's value; None if no r is evident.

    >>> from constructions.targets.language import parse
    >>> translation_rate(parse("x + exp(mean(y - x))", 1)[0], 0, 3)
    Fraction(1, 1)
    """
    rates = [translation_rate(child, coordinate, n) for child in node.children()]
    match node, rates:
        case (ex.Own(coordinate=c), _) | (ex.Other(coordinate=c), _):
            return Fraction(c == coordinate)
        case ex.OrderStatistic(), _:
            return Fraction(coordinate == 0)
        case _, rates if not any(rate != 0 for rate in rates):
            return Fraction(0)
        case ex.Reduction(kind=kind), [Fraction() as rate]:
            return rate * n if kind == "sum" else rate
        case ex.Apply(function="neg"), [Fraction() as rate]:
            return -rate
        case ex.Binary(operator="+" | "-" as operator), [Fraction() as left, Fraction() as right]:
            return left + right if operator == "+" else left - right
        case ex.Binary(operator="maximum" | "minimum"), [Fraction() as left, Fraction() as right] if left == right:
            return left
        case ex.Binary(operator="*" | "/" as operator, left=left_node, right=right_node), [left_rate, right_rate]:
            return _scaled_rate(operator, left_node, right_node, left_rate, right_rate)
    return None


def _scaled_rate(operator: str, left: ex.Expression, right: ex.Expression, left_rate: Fraction | None,
                 right_rate: Fraction | None) -> Fraction | None:
    factor = ex.rational_value(right)
    if factor is not None and left_rate is not None:
        return left_rate * factor if operator == "*" else left_rate / factor if factor else None
    factor = ex.rational_value(left)
    return right_rate * factor if operator == "*" and factor is not None and right_rate is not None else None


@dataclass(frozen=True)
class Region:
    """A chamber of the domain box [lower, upper]^n; ``translated[c]`` says that coordinate c is measured from the own token."""

    chamber: Chamber
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    translated: tuple[bool, ...]

    @staticmethod
    def of(output: ex.Expression, chamber: Chamber, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Region:
        """Build the smallest region that covers every gradient of the output at the chamber's own token."""
        translated = tuple(translation_rate(output, c, chamber.n) is not None for c in range(chamber.d))
        return Region(chamber, tuple(lower), tuple(upper), translated)

    def start(self) -> tuple[Floats, Floats]:
        """Return lower and upper ends, shape (1, n * d), of one box that contains the region."""
        ends = [[self._end(token, c, side) for token in range(self.chamber.n) for c in range(self.chamber.d)]
                for side in ("lower", "upper")]
        return np.array([ends[0]]), np.array([ends[1]])

    def _end(self, token: int, c: int, side: str) -> float:
        value = getattr(self, side)[c]
        if self.translated[c]:
            width = self.upper[c] - self.lower[c]
            value = Fraction(0) if token == self.chamber.own else width if side == "upper" else -width
        return float(getattr(Interval.constant(value), side))

    def restrict(self, lower: Floats, upper: Floats) -> tuple[Floats, Floats, Booleans]:
        """Shrink boxes to the hull of their part of the chamber; the mask drops boxes that do not meet the region."""
        d, lower, upper = self.chamber.d, lower.copy(), upper.copy()
        upper[:, ::d] = np.minimum.accumulate(upper[:, ::d], axis=1)
        lower[:, ::d] = np.maximum.accumulate(lower[:, ::d][:, ::-1], axis=1)[:, ::-1]
        meets = (lower <= upper).all(axis=1)
        for c in (c for c in range(d) if self.translated[c]):
            width = float(Interval.constant(self.upper[c] - self.lower[c]).upper)
            meets &= ~(down(lower[:, c::d].max(axis=1) - upper[:, c::d].min(axis=1)) > width)
        return lower, upper, np.asarray(meets)

    def tokens(self, point: Floats) -> Tokens | None:
        """Return sorted tokens of the domain where the gradient is that at the point; None when the point is outside."""
        n, d = self.chamber.n, self.chamber.d
        rows = [[Fraction(float(value)) for value in token] for token in point.reshape(n, d)]
        for c in range(d):
            values = [row[c] for row in rows]
            shift = self.lower[c] - min(values) if self.translated[c] else Fraction(0)
            if min(values) + shift < self.lower[c] or max(values) + shift > self.upper[c]:
                return None
            for row in rows:
                row[c] += shift
        return tuple(tuple(row) for row in rows)
