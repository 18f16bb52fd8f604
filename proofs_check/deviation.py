"""||f - p|| for two expressions by subdivision: Taylor models of f and p on each box, and the sizes of their difference's terms.

    |f - p| <= |e_0| + sum over a of |e_a| + error     on a box, e_a the terms of the difference (proofs_check/taylor.py).

What f and p have in common up to the order cancels, so boxes need not be small against f, only against what p misses of it.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.targets import expression as ex
from proofs_check import taylor
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.enclosures.arrays import as_array, is_numpy
from proofs_check.enclosures.interval import Floats, Interval, quiet, up
from proofs_check.programs import Compiled, Program
from proofs_check.taylor import Model

MOST_TERMS = 250  # of a model: the order is as high as that allows
HIGHEST_ORDER = 6
TOGETHER = 1024  # boxes that are worked on at once, so that a model stays in the cache


@dataclass(frozen=True, eq=False)
class Deviation(Comparison):
    """Two families of expressions, compared at one length and on one domain."""

    outputs: tuple[ex.Expression, ...]
    others: tuple[ex.Expression, ...]
    n: int
    sides: tuple[tuple[Fraction, Fraction], ...]

    @staticmethod
    def of(outputs: Sequence[ex.Expression], others: Sequence[ex.Expression], n: int,
           sides: Sequence[tuple[Fraction, Fraction]]) -> Deviation:
        """Specialise the expressions to n.

        Raises:
            ValueError: the two have different numbers of outputs, or n < 1.
        """
        if n < 1 or len(outputs) != len(others):
            raise ValueError(f"{len(outputs)} and {len(others)} outputs at n = {n} cannot be compared")
        first, second = (tuple(ex.specialise(part, n) for part in parts) for parts in (outputs, others))
        return Deviation(first, second, n, tuple(sides))

    @property
    def order(self) -> int:
        """Degree of the Taylor models."""
        return max(2, *(k for k in range(1, HIGHEST_ORDER + 1) if math.comb(self.n * self.d + k, k) <= MOST_TERMS))

    @functools.cached_property
    def digest(self) -> str:
        """Identify the comparison: SHA-256 of expressions, length and domain."""
        return hashlib.sha256(repr((self.outputs, self.others, self.n, self.sides)).encode()).hexdigest()

    @functools.cached_property
    def _programs(self) -> dict[int, Compiled]:
        return {}

    def _program(self, case: int) -> Compiled:
        if case not in self._programs:
            program = Program(self.region(case % self.n).chamber)
            f, p = (program.form(part[case // self.n]) for part in (self.outputs, self.others))
            self._programs[case] = Compiled(program, (f.plus(p, Fraction(-1)), f))
        return self._programs[case]

    def judge(self, batch: Boxes) -> Judged:
        """Bound |f - p| on boxes of one case."""
        together = TOGETHER if is_numpy(batch.lower) else max(1, batch.bound.size)  # a GPU has no such cache
        pieces = [_judged(self._program(int(batch.case[0])), batch.take(slice(k, k + together)), self.order)
                  for k in range(0, max(1, batch.bound.size), together)]
        return Judged(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("upper", "parts", "occurs")))


@quiet
def _judged(compiled: Compiled, boxes: Boxes, order: int) -> Judged:
    centre = boxes.centre
    radii = up(np.maximum(boxes.upper - centre, centre - boxes.lower))
    variables = [taylor.variable(v, centre[:, v].copy(), radii[:, v].copy(), Interval(boxes.lower[:, v], boxes.upper[:, v]))
                 for v in range(centre.shape[1])]
    (gap, f), undefined = compiled.models(variables, order)
    unknown = undefined | ~np.isfinite(gap.error)
    occurs = np.where(unknown, 0.0, np.maximum(np.abs(gap.terms[0]) - gap.error * (1 + 2.0**-40), 0.0) * (1 - 2.0**-50))
    return Judged(np.where(unknown, np.inf, gap.range.magnitude()), _shares(gap, f, radii), occurs)


def _shares(gap: Model, f: Model, radii: Floats) -> Floats:
    """Say how much each variable adds to the bound: its share of the terms, and of the error what the highest terms suggest."""
    parts, suggested = np.zeros_like(radii), radii / (radii.sum(axis=1, keepdims=True) + 1e-300)
    for model in (gap, f):
        powers = np.array(taylor.exponents(len(model.support), model.degree), dtype=np.float64)
        totals = powers.sum(axis=1, keepdims=True)
        sizes, shares = np.abs(model.terms).T, powers / np.maximum(totals, 1.0)
        if model is gap:
            parts[:, model.support] += sizes @ shares
        highest = sizes @ np.where(totals == model.degree, shares, 0.0)
        suggested[:, model.support] += highest / (highest.sum(axis=1, keepdims=True) + 1e-300)
    return as_array(np.nan_to_num(parts + suggested * gap.error[:, None] / 3, nan=np.inf, posinf=np.inf))
