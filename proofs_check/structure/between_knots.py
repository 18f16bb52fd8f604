"""How far an average over a histogram is from the average itself, with exponential weights (mathematics: exponential-average).

With w = sum of hats times e^(L_i) and c their average of the s_i at a token, E the mean with weights e^k, E' that with weights w,

    G - F = E'[c - s] + (E'[s] - E[s])  up to d_i,   |E'[s] - E[s]| <= S tanh(log(q_1/q_0)/4)  for  q_0 <= w / e^(k - a) <= q_1,

as no token's share of the weights changes by more. On cell i the ratio is between e^(-M_i) and e^(theta_i^2/8 - m_i), and |c - s|
at most |s_i+1 - s_i| tanh(theta_i/4) beside the error of the chord; hats that are off change both by a part of w. All of it is
rational numbers and balls.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction

from flint import arb, ctx, fmpq_poly

from proofs_check.exact_values import from_end, from_rational
from proofs_check.structure.curve_gaps import BITS, ball
from proofs_check.structure.exponents import Exponent, beside_chords, range_between
from proofs_check.structure.hats import Histogram
from proofs_check.structure.mixed_hats import Mixture
from proofs_check.structure.quantity import above
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.squares import rational

LARGEST_PART = Fraction(1, 2)  # of w that hats may be off by
ZERO = Fraction(0)


def shares_between_knots(exponent: Exponent, values: fmpq_poly, used: Sequence[Fraction], histogram: Histogram,
                         delta: Mapping[int, Fraction]) -> dict[str, Fraction]:
    """Bound |sum s_i W_i / sum W_i - F| in shares, for ``used`` values s_i."""
    low, high = range_between(values, exponent.knots[0], exponent.knots[-1])
    S = max(Fraction(high), *used) - min(Fraction(low), *used)
    thetas, stretch = _weights(exponent)
    beside = _beside_used(exponent, values, used)
    with ctx.workprec(BITS):
        tilt = max(e + abs(b - a) * _up((ball(t) / 4).tanh())
                   for e, (a, b), t in zip(beside, itertools.pairwise(used), thetas, strict=True))
    lines = exponent.lines.values()
    return added_up(S, tilt, stretch, max(_largest_part(histogram, L) for L in lines), max(_lift(delta, L) for L in lines))


def shares_of_parts(exponent: Exponent, mixture: Mixture, histogram: Histogram, delta: Sequence[Mapping[int, Fraction]]
                    ) -> dict[str, Fraction]:
    """Bound |lo + H sigma(A - B) - F| in shares, A and B of parts of hats.

    g_i - z h_i and g_i+1 - z h_i+1 cancel but for weights, so c - w is at most H/2 tanh(log((1 + e^theta)/2)/4); what is added to
    A and to B works against each other; what parts are off by counts like what hats are off by, for both parts of each.
    """
    thetas, stretch = _weights(exponent)
    with ctx.workprec(BITS):
        tilt = mixture.height / 2 * _up((((1 + ball(max(thetas)).exp()) / 2).log() / 4).tanh())
        lines = exponent.lines.values()
        most = max(len(L) * _up(ball(max(L) - min(L)).exp()) for L in lines)
    hats = max(_largest_part(histogram, L) for L in lines)
    part = 2 * hats + 2 * mixture.off * (1 + hats) + 2 * mixture.beside * most
    return added_up(mixture.height, tilt, stretch, part, max(_lift(one, L) for one in delta for L in lines))


def added_up(S: Fraction, tilt: Fraction, stretch: Fraction, part: Fraction, lift: Fraction) -> dict[str, Fraction]:
    """Add up: values in an interval of length S, |c - s|, log(q_1/q_0), and parts of w that hats are off by or that is added."""
    if not part < LARGEST_PART:
        raise NotUnderstood("a histogram whose hats are too far from those of linear interpolation")
    with ctx.workprec(BITS):
        moved, stretched = (S * _up((ball(one) / 4).tanh()) for one in (stretch, stretch + 2 * part / (1 - part)))
    return {"values between knots": tilt, "weights between knots": moved, "hats": stretched - moved + S * part / (1 - part),
            "what is added before logarithms": S * lift / (1 - part)}


def _lift(delta: Mapping[int, Fraction], L: Sequence[Fraction]) -> Fraction:
    """Bound what is added before logarithms, relative to the least weight."""
    least = min(L)
    with ctx.workprec(BITS):
        return sum((delta[i] * _up(ball(one - least).exp()) for i, one in enumerate(L)), ZERO)


def _weights(exponent: Exponent) -> tuple[list[Fraction], Fraction]:
    """Return the largest theta of each cell, and a bound of log(q_1/q_0)."""
    at_ends = exponent.beside_chords()
    thetas, stretch = [ZERO] * (len(exponent.knots) - 1), ZERO
    for u, L in exponent.lines.items():
        steps = [abs(b - a) for a, b in itertools.pairwise(L)]
        thetas = [max(one, other) for one, other in zip(thetas, steps, strict=True)]
        chords = [at_ends[exponent.u.index(u)]] if u in exponent.u else at_ends
        bent = (max(t * t / 8 - min(Fraction(one[i][0]) for one in chords) for i, t in enumerate(steps))
                + max(Fraction(high) for one in chords for _, high in one))
        stretch = max(stretch, bent)
    return thetas, stretch


def _beside_used(exponent: Exponent, values: fmpq_poly, used: Sequence[Fraction]) -> list[Fraction]:
    """Bound |s - the chord of the used values| on each cell."""
    chords = [max(abs(Fraction(end)) for end in pair) for pair in beside_chords(values, exponent.knots)]
    off = [abs(from_rational(values(rational(t))) - one) for t, one in zip(exponent.knots, used, strict=True)]
    return [chord + max(pair) for chord, pair in zip(chords, itertools.pairwise(off), strict=True)]


def _largest_part(histogram: Histogram, L: Sequence[Fraction]) -> Fraction:
    """Bound sum |hat - its hat| e^(L_j) over sum of hats e^(L_j), which is at least the least of both e^(L_i) of the cell."""
    on_cells: dict[int, Fraction] = {}
    for (cell, j), off in histogram.off.items():
        with ctx.workprec(BITS):
            part = off * _up(ball(L[j] - min(L[cell], L[cell + 1])).exp())
        on_cells[cell] = on_cells.get(cell, ZERO) + part
    return max(on_cells.values(), default=ZERO)


def _up(value: arb) -> Fraction:
    if not value.is_finite():
        raise NotUnderstood("an average with exponential weights without a finite bound")
    return from_end(value.upper())


def upper(value: Fraction) -> float:
    """Return a float above."""
    return above(ball(value))
