"""Sequences of symbolically many tokens: what is no sequence, or has its m-th largest token elsewhere, is not taken for one."""

from __future__ import annotations

import pytest
import sympy

from proofs_check.thermometer import Group, at_least_0, holds_rank

m, k = sympy.symbols("m k", integer=True, positive=True)
LOW = [Group(m, 0, 1 - 1 / m), Group(k - 1, 0, 0)]


def test_the_worst_sequence_of_order_statistics_is_one() -> None:
    assert set(holds_rank(LOW, 0, m, m + k - 1, 1).values()) == {True}


@pytest.mark.parametrize(("groups", "own", "wrong"), [
    ([LOW[0], Group(k, 0, 0)], 0, "n tokens"), (LOW, 1, "fewer than m before"),
    ([Group(m - 1, 0, 1 - 1 / m), Group(k, 0, 0)], 0, "m with its group"), (LOW[::-1], 1, "order 1"),
    ([Group(m, 1, 1 / m), LOW[1]], 0, "order 0"), ([LOW[0], Group(k - 1, -1, 0)], 0, "order 2"),
    ([LOW[0], Group(k - 2, 0, 0)], 0, "count 1"), ([Group(m, 1, -1 / m), LOW[1]], 0, "part 0"),
])
def test_what_is_wrong_is_named(groups: list[Group], own: int, wrong: str) -> None:
    assert holds_rank(groups, own, m, m + k - 1, 1)[wrong] is not True


def test_signs_that_are_not_seen_are_not_decided() -> None:
    assert at_least_0(m + k - 2) is True
    assert at_least_0(1 / k - 2) is False
    assert at_least_0(m - k) is None
