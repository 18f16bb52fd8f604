"""The ruler: largest error found <= true largest error <= proved bound <= tolerance, as places on one line."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matplotlib.ticker import MaxNLocator

BEYOND = 1.06  # the ruler is a little longer than its largest number


def ruler(found: Fraction | None, bound: Fraction | None, eps: Fraction) -> dict[str, Any]:
    """Return places in percent of the ruler's length, and its ticks; None where a number is not known."""
    length = float(max(number for number in (found, bound, eps) if number is not None)) * BEYOND

    def place(number: Fraction | None) -> float | None:
        return None if number is None else round(100 * float(number) / length, 3)

    ticks = [tick for tick in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, length) if 0 <= tick <= length]
    return {"found": place(found), "bound": place(bound), "eps": place(eps),
            "ticks": [{"at": round(100 * tick / length, 3), "text": f"{tick:g}"} for tick in ticks]}
