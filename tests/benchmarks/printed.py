"""How bounds are printed: rounded up, so that what is printed is a bound."""

from __future__ import annotations

import math
from fractions import Fraction

from proofs_check.kernel import decimal_above


def above(bound: Fraction | float) -> str:
    """Return a bound with four digits at or above it, a dash for none."""
    return decimal_above(Fraction(bound), 4) if math.isfinite(bound) else "-"
