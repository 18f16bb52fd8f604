"""A chain of folds is a square: exact, whatever its weights are (mathematics: square-sawtooth).

A unit W_0 = relu(p) and folds r_s = relu(W_s - 2^-s), W_{s+1} = W_s - 2 r_s, s < m, add to a channel

    F(p) = a W_0 + sum_s b_s r_s.

With G_s = (W_s - 2^-s)^2 one has G_s = G_{s+1} - 2^-s W_{s+1} + (3/4) 4^-s and 0 <= G_m <= 4^-m on 0 <= p <= 2, hence for any g

    g (p - 1)^2 = g G_m - g (2 - 2^{1-m}) W_0 + sum_s 4 g (2^-s - 2^-m) r_s + g (1 - 4^-m).

So F(p) = g (p - 1)^2 + (a + g (2 - 2^{1-m})) p - g (1 - 4^-m) - g G_m + sum_s (b_s - 4 g (2^-s - 2^-m)) r_s, 0 <= r_s <= 2^-s:
a quadratic, up to |g| 4^-m / 2 and the last sum. g is read off the first fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq


@dataclass(frozen=True)
class Quadratic:
    """F(p) = g (p - 1)^2 + slope p + constant + amplitude * eps + e on [0, 2], |eps| <= 1, |e| <= missed; all exact.

    Attributes:
        beyond: bound of |F'| outside [0, 2].
    """

    g: Fraction
    slope: Fraction
    constant: Fraction
    amplitude: Fraction
    missed: Fraction
    beyond: Fraction

    def outside(self, excess: Fraction) -> Fraction:
        """Bound what more F may differ from the quadratic where p is outside [0, 2] by at most the excess."""
        if not excess:
            return Fraction(0)
        return excess * (self.beyond + 2 * abs(self.g) * (1 + excess) + abs(self.slope))


def quadratic(weights: Sequence[float]) -> Quadratic:
    """Return the quadratic of a chain with weights a, b_0, b_1, .., b_{m-1}, m >= 1, towards one channel.

    >>> quadratic([-1.0, 2.0]).g, quadratic([-1.0, 2.0]).amplitude
    (Fraction(1, 1), Fraction(1, 8))
    """
    a, *b = (Fraction(weight) for weight in weights)
    m = len(b)
    end = Fraction(1, 2**m)
    g = b[0] / (4 * (1 - end))
    missed = sum((abs(weight - 4 * g * (Fraction(1, 2**s) - end)) / 2**s for s, weight in enumerate(b)), Fraction(0))
    amplitude = abs(g) * end * end / 2
    # G_m is its middle 4^-m / 2 up to as much
    constant = -g * (1 - end * end) - g * end * end / 2
    return Quadratic(g, a + g * (2 - 2 * end), constant, amplitude, missed, abs(a) + abs(b[0]))


def rational(value: Fraction) -> fmpq:
    """Return the same number for python-flint."""
    return fmpq(value.numerator, value.denominator)
