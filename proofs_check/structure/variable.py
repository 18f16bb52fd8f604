"""The scale of a variable: polynomials see numbers in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content, affine
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.squares import rational


@dataclass(frozen=True)
class Variable:
    """The number centre + half * v, v in [-1, 1]."""

    centre: Fraction
    half: Fraction

    @staticmethod
    def of(low: float | Fraction, high: float | Fraction) -> Variable:
        """Cover an interval."""
        a, b = Fraction(low), Fraction(high)
        return Variable((a + b) / 2, (b - a) / 2)

    def content(self, name: str) -> Content:
        """Return the number as a polynomial in its variable."""
        return Content(Polynomial.variable(name).times(rational(self.half)) + Polynomial.constant(rational(self.centre)))

    def scaled(self, content: Content) -> Content:
        """Return the variable as a polynomial, given that of the number."""
        if not self.half:
            return Content(Polynomial({}))
        return affine([(content, 1 / rational(self.half))], -rational(self.centre / self.half))

    def interval(self) -> Interval:
        """Enclose all its values."""
        return Interval.of(Interval.constant(self.centre - self.half).lower, Interval.constant(self.centre + self.half).upper)
