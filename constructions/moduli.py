"""Moduli of continuity: w_f(t) = L t with L declared by the user or derived from enclosures of the gradient.

L is the Lipschitz constant from the max norm over all tokens and coordinates to the max norm over outputs (mathematics:
modulus). It is at most the supremum of the l1 norm of the gradient of an output with respect to all n d coordinates, on either
side of kinks, and by symmetry only sorted sequences have to be looked at (mathematics: symmetry-reduction).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from constructions.errors import Refused
from constructions.number_formats import short_decimal_above
from constructions.targets.slopes import steepest
from constructions.targets.target import Target
from constructions.wording import some

SLACK = Fraction(1, 100)
NOTHING = 1e-60  # a constant function may seem to have a slope of this size when its gradient is a rounded 1 - 1


@dataclass(frozen=True)
class Modulus:
    """w_f(t) = lipschitz * t; ``attained`` is a slope found somewhere (0 when declared), ``assumption`` empty when derived."""

    lipschitz: Fraction
    attained: float = 0.0
    assumption: str = ""

    def __call__(self, radius: Fraction) -> Fraction:
        """Return w_f(radius), exact."""
        return self.lipschitz * radius


def declared(lipschitz: Fraction, what: str) -> Modulus:
    """Return a modulus on the user's word; every certificate that uses it lists the assumption."""
    return Modulus(lipschitz, assumption=f"{what} has Lipschitz constant at most {lipschitz} (declared, max norm to max norm)")


def derived(target: Target, *, tolerance: float = 0.02, max_boxes: int | None = None) -> Modulus:
    """Enclose the Lipschitz constant by best-first subdivision of the sorted sequences, ball gradients on every box.

    Args:
        target: symbolic target on its box.
        tolerance: stop when the proven bound is within this relative distance of a slope found.
        max_boxes: stop after so many boxes with the best bound proven so far (sound, only less tight); fewer for more
            coordinates unless told, so that the search takes seconds.

    Returns:
        L rounded up to a short decimal, 1 % above the proven bound so that an independent check can re-derive it.

    Raises:
        Refused: no finite bound was reached (a slope is unbounded or the target undefined somewhere), with the place.
    """
    if max_boxes is None:
        max_boxes = int(400_000 / max(1.0, target.n * target.d / 4) ** 3)
    bound, attained, place = steepest(target, tolerance=tolerance, max_boxes=max_boxes)
    if not bound < math.inf:
        where = some([f"[{a:.6g}, {b:.6g}]" for a, b in place])
        raise Refused(f"no Lipschitz constant of {target.name} on {target.box}: its slope could not be bounded near "
                      f"X in {where}; choose another --domain, or declare a constant with --lipschitz")
    if bound and not attained:
        bound = max(bound, NOTHING)
    return Modulus(short_decimal_above(Fraction(bound) * (1 + SLACK), 4), attained)
