"""The scale of a variable: polynomials see numbers in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq

from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content, affine
from proofs_check.structure.polynomial import CONSTANT, Polynomial
from proofs_check.structure.ranges import Range, rational_down, rational_up
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


def of_one(content: Content) -> Range | None:
    """Enclose a content that is affine in one variable, and exact; its least values may be 10^-500 of its largest."""
    main = content.main
    if content.noise or content.rest or len(main.variables) != 1 or any(m != CONSTANT and m[0][1] > 1 for m in main.terms):
        return None
    reach = sum((abs(c) for m, c in main.terms.items() if m != CONSTANT), fmpq(0))
    return rational_down(main.at_zero - reach), rational_up(main.at_zero + reach)
