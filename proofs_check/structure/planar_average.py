"""Averages with exponential weights over two coordinates v1, v2 of y (mathematics: planar-average).

    k = a(u1, u2) + u1 p1(v1) + r1(v1) + u2 p2(v2) + r2(v2),     s = s1(v1) + s2(v2).
"""

from __future__ import annotations

from fractions import Fraction

from constructions.targets import expression as ex
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content
from proofs_check.structure.held_average import Average, HeldAverage
from proofs_check.structure.of_forms import LinesOfForms, OfForms
from proofs_check.structure.on_triangles import ranges, shares_on_triangles
from proofs_check.structure.planar_exponents import PlanarExponent, PlanarValues
from proofs_check.structure.planar_hats import PlanarHistogram
from proofs_check.structure.premises import Premises, ends
from proofs_check.structure.quantity import Combination
from proofs_check.structure.reading import NotUnderstood

ID = "planar-average"


def planar_average(given: Premises, k: ex.Expression, s: ex.Expression, held: Content,
                   of: list[tuple[Combination, int]]) -> Average:
    """Bound what is held less F, for the u1 and u2 that are held; each comes with the coordinate that it meets."""
    reading = given.reading
    (u1, first), (u2, second) = of
    if first == second:
        raise NotUnderstood("a histogram of two coordinates that are one")
    form = OfForms(reading, (reading.whole(u1.content), reading.whole(u2.content)))
    read, values = HeldAverage.of(form, reading.whole(held)), PlanarValues.of(s)
    read.refuse_shared_means()
    histogram = PlanarHistogram.of(reading, (first, second), read.means.values())
    grid = histogram.grid
    of_u = [(Fraction(low), Fraction(high)) for low, high in (ends(u.actual) for u in (u1, u2))]
    exponent = PlanarExponent.of(k, grid.knots, of_u)
    by_tables, shares = read.of_hats(LinesOfForms(form, exponent), histogram.place, histogram.total, 1 + histogram.off,
                                     values.at(grid.knots),
                                     lambda used, deltas: shares_on_triangles(exponent, values, used, histogram, deltas))
    one, other = (Interval.of(*side) for side in ranges(values, grid))
    return Average(ID, one + other, by_tables, shares, tuple(axis.spread_of_slopes() for axis in exponent.axes),
                   len(histogram.place), frozenset(read.means.values()))
