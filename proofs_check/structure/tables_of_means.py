"""Tables of one mean of a histogram, held against log(m + d) for some d between 0 and a delta."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from proofs_check.exact_values import from_rational
from proofs_check.structure.broken_lines import Broken
from proofs_check.structure.curve_gaps import Ends, gap, least_gap, logarithm
from proofs_check.structure.differences import Placed
from proofs_check.structure.polynomial import CONSTANT
from proofs_check.structure.reading import Bend, NotUnderstood, Reading

MORE = 2  # times the width of a table's errors: its delta is taken larger by this factor's logarithm


@dataclass(frozen=True)
class Logarithm:
    """A table is log(m + d) for some d between 0 and delta, up to [low, high]; log(m + d) is at least ``least``."""

    low: Fraction
    high: Fraction
    delta: Fraction
    least: Fraction


def logarithms(reading: Reading, leaves: Mapping[str, str], largest: Fraction) -> dict[str, Logarithm]:
    """Compare each table with the logarithm of its mean, at most ``largest``; equal tables once."""
    known, found = dict[Hashable, tuple[Logarithm, Fraction]](), dict[str, Logarithm]()
    for name, mean in leaves.items():
        bend = reading.bends[name]
        scale, shift, missed = _of_mean(reading, bend, mean)
        key = bend.table.knots, bend.table.slopes, scale, shift
        if key not in known:
            compared = _compared(Placed(bend.table, scale, shift), largest, *means_off(reading))
            known[key] = compared, max(map(abs, bend.table.slopes))
        of_table, steepest = known[key]
        off = missed * steepest
        found[name] = Logarithm(of_table.low - off, of_table.high + off, of_table.delta, of_table.least - 2 * off)
    return found


def means_off(reading: Reading) -> Ends:
    """Return which part of itself a mean of numbers >= 0 may be off by, and by how much again."""
    local = reading.roundings
    part, least = (0.0, 0.0) if local is None else (local.relative_of_means, local.least_of_means)
    if not (part < 2.0**-10 and least < math.inf):
        raise NotUnderstood("means whose rounding is not known")
    return Fraction(part), Fraction(least)


def _of_mean(reading: Reading, bend: Bend, mean: str) -> tuple[Fraction, Fraction, Fraction]:
    """Write what a table reads as scale * mean + shift, up to the third number."""
    argument, variable = reading.whole(bend.argument), reading.variables[mean]
    if any(monomial not in (CONSTANT, ((mean, 1),)) for monomial in argument.main.terms):
        raise NotUnderstood("a table of a histogram reads no multiple of a mean")
    scale = from_rational(argument.main.terms[((mean, 1),)]) / variable.half
    return scale, from_rational(argument.main.at_zero) - scale * variable.centre, Fraction(argument.sharp_spread())


def _compared(placed: Placed, largest: Fraction, part: Fraction, least: Fraction) -> Logarithm:
    """Find a delta that makes log(m + delta) about right at m = 0.

    What the table reads is m (1 + e) up to ``least``, |e| <= ``part``; then log(1 + e) and as much of d count as errors.
    """
    line = placed.of(Broken.line(-least, largest * (1 + part) + least, Fraction(1), Fraction(0)))
    pieces = list(line.pieces())
    low = least_gap(pieces, logarithm(least)) - 2 * part
    rise = float(pieces[0][0][1] - pieces[-1][1][1])
    first = gap(pieces, logarithm(Fraction(math.exp(rise))))[1]
    delta = Fraction(math.exp(rise + MORE * max(0.0, float(first - low)))) + 2 * least
    high = gap(pieces, logarithm(delta - least))[1] + 2 * part
    if low > high:  # then any number between them will do for all m
        low = high = (low + high) / 2
    return Logarithm(low, high, delta * (1 + 2 * part), min(value for _, value in line.points) - high)
