"""Contents as functions of what is held in the places of u1 and u2.

Both may be one form, or be made of the same numbers: then there are many ways to write a content as c1 u1 + c2 u2 + rest. So
no slopes are looked for. What a content is compared with says them: the difference is formed, in which everything that should
cancels, noise as well, and enclosed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq

from proofs_check.exact_values import from_rational
from proofs_check.structure.content import Content, affine
from proofs_check.structure.curve_gaps import Ends
from proofs_check.structure.planar_exponents import PlanarExponent
from proofs_check.structure.premises import enclosed, ends
from proofs_check.structure.reading import NotUnderstood, Reading


@dataclass(frozen=True, eq=False)
class OfForms:
    """Two forms, with all names expanded."""

    reading: Reading
    forms: tuple[Content, Content]

    def other_tables(self, content: Content) -> frozenset[str]:
        """Return the tables in a content that are no part of either form."""
        return (content.main.variables & self.reading.bends.keys()) - self.forms[0].main.variables - self.forms[1].main.variables


@dataclass(frozen=True, eq=False)
class LinesOfForms:
    """All L as functions of two forms."""

    of: OfForms
    exponent: PlanarExponent

    def at_bends(self) -> Sequence[Sequence[Fraction]]:
        """See ``Lines``."""
        return list(self.exponent.lines.values())

    def beside(self, content: Content, i: int, j: int) -> Ends:
        """See ``Lines``."""
        *slopes, constant = (a - b for a, b in zip(self.exponent.coefficients(i), self.exponent.coefficients(j), strict=True))
        parts = [(form, -slope) for form, slope in zip(self.of.forms, slopes, strict=True)]
        left = affine([(content, fmpq(1)), *parts], -constant)
        apart = left.main.at_zero
        low, high = ends(enclosed(affine([(left, fmpq(1))], -apart)))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise NotUnderstood("something without bounds is read beside u")
        return from_rational(apart) + Fraction(low), from_rational(apart) + Fraction(high)
