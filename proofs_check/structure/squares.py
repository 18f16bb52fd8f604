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

    eps = 1 - 2 4^m G_m is the same for everything that a chain of m folds adds to; the amplitude has a sign.

    Attributes:
        below, above: |F' - quadratic'| at the ends 0 and 2, outside [0, 2]; F' is constant there.
        wobble: |F' - quadratic'| on [0, 2].
    """

    g: Fraction
    slope: Fraction
    constant: Fraction
    amplitude: Fraction
    missed: Fraction
    below: Fraction
    above: Fraction
    wobble: Fraction

    @property
    def steepest(self) -> Fraction:
        """Bound |F'|: on a piece of length 2^{1-m} within |g| 2^{1-m} of the quadratic's, up to what the weights are off."""
        return max(abs(self.slope - 2 * self.g), abs(self.slope + 2 * self.g)) + self.wobble

    def outside(self, under: Fraction, over: Fraction) -> Fraction:
        """Bound what more F may differ from the quadratic where p is down to -under, or up to 2 + over."""
        return max(under * (self.below + abs(self.g) * under), over * (self.above + abs(self.g) * over))


def quadratic(weights: Sequence[float]) -> Quadratic:
    """Return the quadratic of a chain with weights a, b_0, b_1, .., b_{m-1}, m >= 1, towards one channel.

    >>> quadratic([-1.0, 2.0]).g, quadratic([-1.0, 2.0]).amplitude
    (Fraction(1, 1), Fraction(1, 8))
    """
    a, *b = (Fraction(weight) for weight in weights)
    m = len(b)
    end = Fraction(1, 2**m)
    g = b[0] / (4 * (1 - end))
    off = [abs(weight - 4 * g * (Fraction(1, 2**s) - end)) for s, weight in enumerate(b)]
    missed = sum((weight / 2**s for s, weight in enumerate(off)), Fraction(0))
    amplitude = g * end * end / 2
    # G_m is its middle 4^-m / 2 up to as much
    constant = -g * (1 - end * end) - g * end * end / 2
    slope = a + g * (2 - 2 * end)
    # below 0 F is constant; above 2 only W_0 and r_0 move
    return Quadratic(g, slope, constant, amplitude, missed, abs(slope - 2 * g), abs(a + b[0] - 2 * g - slope),
                     abs(g) * 2 * end + sum(off, Fraction(0)))


def rational(value: Fraction) -> fmpq:
    """Return the same number for python-flint."""
    return fmpq(value.numerator, value.denominator)
