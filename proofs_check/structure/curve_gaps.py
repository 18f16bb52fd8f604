"""How far a piecewise-linear function is from log, softplus or the logistic function, without a mesh.

On a piece of slope m the difference from a smooth f is largest and smallest at the ends or where f' = m. For these three f that
is a closed form: f is evaluated there in balls, where the ends are rational numbers.

    log(t + d):  1/m - d;     softplus = log(1 + e^t):  log(m/(1 - m));     sigma = 1/(1 + e^-t), sigma' = sigma (1 - sigma):
    sigma = (1 -+ root)/2 with root = sqrt(1 - 4 m), and t = -+ log((1 - q)/q) of the smaller of the two, q = 2 m/(1 + root)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, ctx, fmpq

from proofs_check.exact_values import from_end
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational

BITS = 128
QUARTER = fmpq(1, 4)
Point = tuple[Fraction, Fraction]
Pieces = Sequence[tuple[Point, Point]]  # (t, value) at both ends, the smaller t first
Ends = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Curve:
    """A smooth function: its values, and all t at which it has a slope."""

    value: Callable[[arb], arb]
    where: Callable[[fmpq], list[arb]]


def ball(value: Fraction) -> arb:
    """Enclose a rational number."""
    return arb(rational(value))


def logarithm(offset: Fraction) -> Curve:
    """Return log(t + offset)."""
    d = rational(offset)

    def where(slope: fmpq) -> list[arb]:
        return [arb(1 / slope - d)] if slope > 0 else []

    return Curve(lambda t: (t + arb(d)).log(), where)


def softplus(shift: Fraction, sign: int) -> Curve:
    """Return log(1 + e^(sign (t - shift)))."""
    start = rational(shift)

    def value(t: arb) -> arb:
        s = sign * (t - arb(start))
        return s + (-s).exp().log1p() if s.mid() > 0 else s.exp().log1p()

    def where(slope: fmpq) -> list[arb]:
        m = sign * slope
        return [arb(start) + sign * arb(m / (1 - m)).log()] if 0 < m < 1 else []

    return Curve(value, where)


def logistic(height: Fraction, shift: Fraction, sign: int) -> Curve:
    """Return height / (1 + e^(-sign (t - shift)))."""
    start, whole = rational(shift), rational(height)

    def value(t: arb) -> arb:
        return arb(whole) / (1 + (-sign * (t - arb(start))).exp())

    def where(slope: fmpq) -> list[arb]:
        m = sign * slope / whole
        if not 0 < m <= QUARTER:
            return []
        q = arb(2 * m) / (1 + arb(1 - 4 * m).sqrt())
        s = ((1 - q) / q).log()
        return [arb(start) - s, arb(start) + s]

    return Curve(value, where)


def gap(pieces: Pieces, curve: Curve) -> Ends:
    """Enclose pieces - curve; raises NotUnderstood where no finite bound is found."""
    return _hull(_extremes(pieces, curve, singular=False))


def least_gap(pieces: Pieces, curve: Curve) -> Fraction:
    """Bound pieces - curve from below, for a curve that may come from -infinity at the first point."""
    return _hull(_extremes(pieces, curve, singular=True))[0]


def _extremes(pieces: Pieces, curve: Curve, *, singular: bool) -> Iterable[arb]:
    points = [(rational(t), rational(value)) for t, value in (pieces[0][0], *(end for _, end in pieces))]
    with ctx.workprec(BITS):
        for t, value in points[singular:]:
            yield arb(value) - curve.value(arb(t))
        for (s, low), (t, high) in itertools.pairwise(points):
            if s < t:
                slope = (high - low) / (t - s)
                for at in curve.where(slope):
                    if not (at < arb(s) or at > arb(t)):
                        yield arb(low) + arb(slope) * (at - arb(s)) - curve.value(at)


def _hull(values: Iterable[arb]) -> Ends:
    with ctx.workprec(BITS):
        found = list(values)
        if not found or not all(one.is_finite() for one in found):
            raise NotUnderstood("a table without a finite distance from its curve")
        return from_end(min(one.lower() for one in found)), from_end(max(one.upper() for one in found))
