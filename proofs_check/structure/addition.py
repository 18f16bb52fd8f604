"""sin and cos of sums, taken apart: polynomials in the sine and cosine of a few angles that have no common multiple.

    sin(a + b) = sin a cos b + cos a sin b,    cos(a + b) = cos a cos b - sin a sin b,    sin^2 = 1 - cos^2,

and cos(k t) = T_k(cos t), sin(k t) = sin t U_{k-1}(cos t) for whole k. They hold for all real arguments; nothing is used of sine
and cosine but these. Angles that are rational multiples of one expression are multiples of one angle, the largest that will do.
Angles without a common multiple, sin(x) and sin(x*y), stand for themselves: what is equal to 0 then is equal to 0 whatever their
sines and cosines are, as long as the squares of both add up to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

MOST_ANGLES = 6  # of a sum: taking it apart doubles the number of products with each
MOST_TURNS = 24  # k in sin(k t)
Pair = tuple[Any, Any]


class Finer(Exception):
    """An angle was seen that is no multiple of the one in use; everything has to be read again."""


@dataclass
class Angles:
    """The angle in use for each expression: a rational part of it, such that all angles seen so far are multiples."""

    parts: dict[sympy.Expr, Fraction] = field(default_factory=dict)

    def wave(self, name: str, u: sympy.Expr) -> Any:
        """Return sin(u) or cos(u) for an expanded u.

        Raises:
            Finer: a smaller angle is needed for one of its terms, and known from now on.
        """
        import sympy

        terms = sympy.Add.make_args(u)
        if len(terms) > MOST_ANGLES:
            return getattr(sympy, name)(u)
        sine, cosine = self._of(terms[0])
        for term in terms[1:]:
            s, c = self._of(term)
            sine, cosine = sine * c + cosine * s, cosine * c - sine * s
        return reduced(sine if name == "sin" else cosine)

    def _of(self, term: sympy.Expr) -> Pair:
        """Return sine and cosine of one term."""
        import sympy

        coefficient, whole = term.as_coeff_Mul(rational=True)
        if not coefficient:
            return sympy.Integer(0), sympy.Integer(1)
        turns = Fraction(int(coefficient.p), int(coefficient.q))
        before = self.parts.get(whole, abs(turns))
        part = self.parts[whole] = _common(before, turns)
        if part != before:
            raise Finer
        angle, k = sympy.Rational(part.numerator, part.denominator) * whole, turns / part
        if abs(k) > MOST_TURNS:
            return sympy.sin(term), sympy.cos(term)
        return multiple(sympy.sin(angle), sympy.cos(angle), int(k))


def _common(a: Fraction, b: Fraction) -> Fraction:
    """Return the largest number of which both are multiples."""
    return Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def multiple(sine: Any, cosine: Any, k: int) -> Pair:
    """Return sine and cosine of k times an angle, of which they are given.

    >>> multiple(0, -1, 3)
    (0, -1)
    """
    import sympy

    (s, c), (s_next, c_next) = (sympy.Integer(0), sympy.Integer(1)), (sine, cosine)
    for _ in range(abs(k)):
        after = sympy.expand(2 * cosine * s_next - s), sympy.expand(2 * cosine * c_next - c)
        (s, c), (s_next, c_next) = (s_next, c_next), after
    return (-s if k < 0 else s), c


def reduced(expression: Any) -> Any:
    """Multiply out, and write 1 - cos^2 for sin^2."""
    import sympy

    def even(base: Any, power: Any) -> Any:
        k = int(power)
        return base ** (k % 2) * (1 - sympy.cos(base.args[0]) ** 2) ** (k // 2)

    written = sympy.expand(expression)
    squares = {power for power in written.atoms(sympy.Pow)
               if isinstance(power.base, sympy.sin) and power.exp.is_Integer and power.exp > 1}
    if not squares:
        return written
    return sympy.expand(written.xreplace({power: even(power.base, power.exp) for power in squares}))
