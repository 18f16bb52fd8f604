"""How far a function can rise over a box, from its slopes at the centre and the signs of its curvature.

    e(X) = e(m) + g . (X - m) + 1/2 (X - m)^T H (X - m),   H that of a place between m and X (Taylor, Lagrange).

The square of a coordinate is not negative: where it is concave in one, e(X) - e(m) is at most the largest of g t + h t^2 / 2,
|t| <= r, with h the upper end of H_vv. Only mixed terms count with their sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from proofs_check.enclosures.arrays import as_array
from proofs_check.enclosures.interval import Booleans, Floats, Interval, down, quiet, up
from proofs_check.enclosures.sums import ABOVE


@dataclass(frozen=True, eq=False)
class Curvature:
    """The second derivatives of e over boxes.

    Attributes:
        radii: (boxes, variables).
        least, most: (boxes, variables) ends of H_vv.
        mixed: (boxes, variables) at least the mixed terms, half of |H_vw| r_v r_w with v and half with w.
    """

    radii: Floats
    least: Floats
    most: Floats
    mixed: Floats

    @staticmethod
    @quiet
    def of(hessian: Mapping[tuple[int, int], Interval], radii: Floats, unknown: Booleans) -> Curvature:
        """Read the entries, one for each unordered pair of variables; they are left out where ``unknown``, (boxes,)."""
        least, most, mixed = np.zeros_like(radii), np.zeros_like(radii), np.zeros_like(radii)
        for (v, w), entry in hessian.items():
            if v == w:
                least[:, v], most[:, v] = np.where(unknown, 0.0, entry.lower), np.where(unknown, 0.0, entry.upper)
            else:
                half = np.where(unknown, 0.0, up(up(entry.magnitude() * radii[:, v]) * radii[:, w]) / 2)
                mixed[:, v] += half
                mixed[:, w] += half
        return Curvature(radii, least, most, mixed * ABOVE)

    def take(self, rows: np.ndarray) -> Curvature:
        """Return some of the boxes."""
        return Curvature(self.radii[rows], self.least[rows], self.most[rows], self.mixed[rows])

    def rise(self, slopes: Sequence[Interval]) -> Floats:
        """Return, (boxes, variables), what each variable adds at most to e(m), for slopes g_v at the centre."""
        return self._most([slope.magnitude() for slope in slopes], self.most)

    def fall(self, slopes: Sequence[Interval]) -> Floats:
        """Return what each variable takes at most from e(m)."""
        return self._most([slope.magnitude() for slope in slopes], -self.least)

    @quiet
    def _most(self, sizes: Sequence[Floats], bend: Floats) -> Floats:
        """Bound g t + h t^2 / 2 for |g| <= size, h <= bend, |t| <= r: at t = r, or for h < 0 where g + h t = 0 before that."""
        g, r = np.stack(sizes, axis=1), self.radii
        straight = up(g * r)
        square = np.where(bend < 0, np.maximum(down(r * r), 0.0), up(r * r))
        at_end = up(straight + np.where(bend == 0, 0.0, up(bend * square) / 2))
        inside = (bend < 0) & (g <= up(-bend * r))
        return as_array(np.where(inside, np.minimum(up(up(g * g) / (-2 * bend)), straight), at_end) + self.mixed) * ABOVE
