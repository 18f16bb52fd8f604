"""Sequences of symbolically many tokens, and what they add up to in a thermometer (order-statistics)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy


@dataclass(frozen=True)
class Group:
    """``count`` tokens at ``v = c + full + part`` for one cell c: count symbolic, full a number of cells, part in [0, 1].

    By clamp(v - j, 0, 1) each contributes 1 to the cells c .. c + full - 1, ``part`` to the next and 0 to those after it.
    """

    count: Any
    full: int
    part: Any

    @property
    def place(self) -> Any:
        """v - c."""
        return self.full + self.part


def cell_sums(groups: Sequence[Group], cells: int) -> list[Any]:
    """Return s_c, s_(c+1), ..: what the tokens contribute to each of the cells from c on.

    >>> m = sympy.Symbol("m")
    >>> cell_sums([Group(m, 1, sympy.Rational(1, 2)), Group(3, 0, 0)], 2)
    [m, m/2]
    """
    return [sympy.expand(sum(g.count * _contribution(g, j) for g in groups)) for j in range(cells)]


def _contribution(group: Group, cell: int) -> Any:
    if cell < group.full:
        return sympy.Integer(1)
    return group.part if cell == group.full else sympy.Integer(0)
