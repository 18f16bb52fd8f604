"""Sequences of symbolically many tokens, and what they add up to in a thermometer (order-statistics)."""

from __future__ import annotations

import itertools
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


def holds_rank(groups: Sequence[Group], own: int, m: Any, n: Any, cells: int) -> dict[str, bool | None]:
    """Decide whether these are n tokens of ``cells`` cells from c on, listed downwards, and the m-th largest is in group ``own``.

    Counts and ranks are integers, symbols of which are at least 1.

    >>> m, k = sympy.symbols("m k", integer=True, positive=True)
    >>> set(holds_rank([Group(m, 1, 0), Group(k, 0, 1 / k)], 0, m, m + k, 1).values())
    {True}
    """
    before = sum(group.count for group in groups[:own])
    ends = [cells, *(group.place for group in groups), 0]
    claims = {f"count {k}": at_least_0(group.count) for k, group in enumerate(groups)}
    claims |= {f"part {k}": at_least_0(group.part) and at_least_0(1 - group.part) for k, group in enumerate(groups)}
    claims |= {f"order {k}": at_least_0(above - below) for k, (above, below) in enumerate(itertools.pairwise(ends))}
    return {**claims, "n tokens": sympy.expand(sum(group.count for group in groups) - n) == 0,
            "fewer than m before": at_least_0(m - 1 - before), "m with its group": at_least_0(before + groups[own].count - m)}


def at_least_0(expression: Any) -> bool | None:
    """Decide an expression >= 0 for all values >= 1 of its symbols; None where that is not seen.

    >>> k = sympy.Symbol("k", positive=True)
    >>> at_least_0(1 - 1 / k), at_least_0(1 / k - 2), at_least_0(2 - k)
    (True, False, None)
    """
    above = {s: 1 + sympy.Symbol(f"{s}-1", nonnegative=True) for s in sympy.sympify(expression).free_symbols}
    return sympy.factor(sympy.sympify(expression).subs(above)).is_nonnegative


def _contribution(group: Group, cell: int) -> Any:
    if cell < group.full:
        return sympy.Integer(1)
    return group.part if cell == group.full else sympy.Integer(0)
