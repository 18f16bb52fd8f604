"""Tables of softplus are compared once: what is said holds at every point, and a constant of the network's is found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from proofs_check.structure.content import Content
from proofs_check.structure.differences import Difference, Placed
from proofs_check.structure.fitted_tables import REACH, Fits, Fitted
from proofs_check.structure.tables import Table

ZERO = Fraction(0)


def read(start: float, factor: float = 1.0) -> Difference:
    """Return a difference that a table of softplus(t - start) reads, t rounded to nothing."""
    knots = np.arange(-16.0, 16.25, 0.25) + start
    slopes = np.diff(np.logaddexp(0.0, knots - start)) / 0.25
    table = Table.of(-knots[:-1], factor * np.diff(slopes, prepend=0.0))
    return Difference(frozenset("a"), frozenset("b"), Content.constant(fmpq(0)), [Placed(table, Fraction(1), ZERO)], ZERO,
                      (Fraction(-99), Fraction(99)))


@dataclass(frozen=True)
class Known:
    low: Fraction
    high: Fraction


@pytest.mark.parametrize("start", [0.0, 3.5, -20.0])
def test_no_point_is_further_from_softplus_than_what_is_said(start: float) -> None:
    difference = read(start)
    found = Fits().of(difference, 1, Fraction(30))
    assert found is not None
    assert abs(float(found.shift) - start) < 0.01
    low, high = map(float, found.missed)
    assert high - low < 0.01
    (placed,) = difference.tables
    for t in np.linspace(-32, 32, 500):
        gap = float(placed.table(Fraction(float(t)))) - math.log1p(math.exp(t - float(found.shift)))
        assert low - 1e-12 <= gap <= high + 1e-12


def test_equal_tables_are_compared_once_and_others_again() -> None:
    fits = Fits()
    first = fits.of(read(0.0), 1, Fraction(20))
    assert fits.of(read(0.0), 1, Fraction(2 * REACH)) is first
    assert len(fits.known) == 1
    for other, sign, furthest in ((read(0.0, 1.0625), 1, 20), (read(0.0), -1, 20), (read(0.0), 1, 40)):
        assert fits.of(other, sign, Fraction(furthest)) is not first
    assert len(fits.known) == 4


def test_a_table_that_is_too_steep_misses_more_the_further_it_reaches() -> None:
    near, far = (Fits().of(read(0.0, 1.0625), 1, Fraction(furthest)) for furthest in (16, 64))
    assert near is not None
    assert far is not None
    assert far.missed[1] - far.missed[0] > near.missed[1] - near.missed[0] + 1


def test_errors_that_another_shift_would_bring_together_are_not_accepted() -> None:
    fitted, small = Fitted(Fraction(2), (-Fraction(1, 100), Fraction(1, 100))), Fraction(1, 50)
    kept = Known(-small, small)
    assert not fitted.loses(kept, (2 - small, 2 + small), 1)
    assert fitted.hull(kept, (2 - small, 2 + small), 1) == (-small - Fraction(1, 100), small + Fraction(1, 100))
    assert fitted.loses(kept, (ZERO, small), 1)
