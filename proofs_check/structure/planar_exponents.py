"""Exponents k = a(u1, u2) + k1(u1, v1) + k2(u2, v2), and values s = s1(v1) + s2(v2): one of each coordinate, added up.

The L of a knot (t_i, s_j) is affine in (u1, u2): A_i(u1) + B_j(u2). All that is asked of it is convex in u1 and in u2, hence
largest at a corner of the box of both. Knots are numbered row by row, t_i by rows.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq, fmpq_poly

from constructions.targets import expression as ex
from proofs_check.exact_values import from_rational
from proofs_check.structure.composition import as_polynomial
from proofs_check.structure.exponents import HIGHEST, Exponent
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational

FORMS, COORDINATES = ("u1", "u2"), ("v1", "v2")
VARIABLES = tuple(Polynomial.variable(name) for pair in zip(FORMS, COORDINATES, strict=True) for name in pair)
ZERO = Fraction(0)
Corner = tuple[Fraction, Fraction]


@dataclass(frozen=True, eq=False)
class PlanarExponent:
    """The exponent less a(u1, u2), by coordinates of y."""

    axes: tuple[Exponent, Exponent]

    @staticmethod
    def of(tree: ex.Expression, knots: Sequence[Sequence[Fraction]], u: Sequence[tuple[Fraction, Fraction]]) -> PlanarExponent:
        """Take a tree apart; raises NotUnderstood where it is no such sum."""
        k = as_polynomial(tree, VARIABLES, HIGHEST)
        if k is None:
            raise NotUnderstood(f"an exponent of two coordinates that is no polynomial: {tree}")
        parts = [[[fmpq(0)] * (k.degree(v) + 1) for _ in range(2)] for v in COORDINATES]
        for monomial, c in k.terms.items():
            powers = dict(monomial)
            met = [axis for axis, v in enumerate(COORDINATES) if v in powers]
            if not met:  # the same for all tokens: it cancels
                continue
            if len(met) > 1:
                raise NotUnderstood("an exponent that is no sum over two coordinates")
            (axis,), of_u = met, powers.get(FORMS[met[0]], 0)
            if of_u > 1 or FORMS[1 - axis] in powers:
                raise NotUnderstood("an exponent of a coordinate that is not linear in the number that this coordinate meets")
            parts[axis][of_u][powers[COORDINATES[axis]]] = c
        one, other = (Exponent(fmpq_poly(slope), fmpq_poly(offset), (), tuple(t), ends)
                      for (offset, slope), t, ends in zip(parts, knots, u, strict=True))
        return PlanarExponent((one, other))

    @property
    def corners(self) -> list[Corner]:
        """Of the box of (u1, u2)."""
        one, other = (sorted(set(axis.u)) for axis in self.axes)
        return list(itertools.product(one, other))

    @functools.cached_property
    def lines(self) -> dict[Corner, list[Fraction]]:
        """All L at the corners."""
        return {(u1, u2): [a + b for a in self.axes[0].lines[u1] for b in self.axes[1].lines[u2]] for u1, u2 in self.corners}

    def coefficients(self, k: int) -> tuple[fmpq, fmpq, fmpq]:
        """Return the slopes of L_k by u1 and u2, and its constant."""
        (p, r), (q, s) = (table[at] for table, at in zip(self._tables, divmod(k, len(self.axes[1].knots)), strict=True))
        return p, q, r + s

    @functools.cached_property
    def _tables(self) -> list[list[tuple[fmpq, fmpq]]]:
        return [[(axis.slope(rational(t)), axis.offset(rational(t))) for t in axis.knots] for axis in self.axes]


@dataclass(frozen=True, eq=False)
class PlanarValues:
    """s1(v1) + s2(v2)."""

    axes: tuple[fmpq_poly, fmpq_poly]

    @staticmethod
    def of(tree: ex.Expression) -> PlanarValues:
        """Take a function of x[0] = v1, x[1] = v2 apart; raises NotUnderstood where it is no such sum."""
        s = as_polynomial(tree, VARIABLES[1::2], HIGHEST)
        if s is None or any(len(monomial) > 1 for monomial in s.terms):
            raise NotUnderstood(f"{tree} is averaged, and no polynomial of one coordinate plus one of the other")
        one, other = (Polynomial({m: c for m, c in s.terms.items() if (m[0][0] if m else COORDINATES[0]) == v}).dense(v)
                      for v in COORDINATES)
        return PlanarValues((one, other))

    def at(self, knots: Sequence[Sequence[Fraction]]) -> list[Fraction]:
        """Return the value at each knot."""
        one, other = ([from_rational(s(rational(t))) for t in at] for s, at in zip(self.axes, knots, strict=True))
        return [a + b for a in one for b in other]
