"""Each rule of the kernel gives what its premises carry, and refuses where a side condition fails."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.kernel import Status, Step, Unsound, derive
from proofs_check.propositions import Defined, Evaluated, Lipschitz, Near, Proposition, Scope, Symmetric, Whole

UNIT = ((Fraction(0), Fraction(1)),)
SCOPE = Scope(UNIT, 3)
SHARES = st.fractions(min_value=0, max_value=9, max_denominator=99)


def checked(says: Proposition | None) -> Step:
    return Step("s", "", Status.PROVED, says=says)


def near(first: str, second: str, bound: Fraction | int = 1, scope: Scope = SCOPE) -> Step:
    return checked(Near(first, second, Fraction(bound), scope))


@given(st.lists(SHARES, min_size=1, max_size=6))
def test_the_triangle_inequality_adds(bounds: list[Fraction]) -> None:
    links = [near(str(k), str(k + 1), bound) for k, bound in enumerate(bounds)]
    assert derive("triangle inequality", links).says == Near("0", str(len(bounds)), sum(bounds, Fraction(0)), SCOPE)


@pytest.mark.parametrize("links", [[], [near("f", "g"), near("h", "T")], [near("f", "g"), checked(None)],
                                   [near("f", "g"), near("g", "T", scope=replace(SCOPE, n=4))],
                                   [near("f", "g"), checked(Symmetric("g"))]])
def test_a_chain_with_a_gap_is_refused(links: list[Step]) -> None:
    with pytest.raises(Unsound):
        derive("triangle inequality", links)


@given(SHARES, SHARES)
def test_a_composition_multiplies(radius: Fraction, constant: Fraction) -> None:
    step = derive("composition", [near("X", "q", radius), checked(Lipschitz("f", constant, SCOPE))], id="moved")
    assert step.says == Near("f", "f(q)", radius * constant, SCOPE)
    assert step.bound == radius * constant  # its share of the whole


@pytest.mark.parametrize("premises", [
    [near("Y", "q"), checked(Lipschitz("f", Fraction(1), SCOPE))], [near("X", "q"), checked(Symmetric("f"))],
    [near("X", "q"), checked(Lipschitz("f", Fraction(-1), SCOPE))],
    [near("X", "q"), checked(Lipschitz("f", Fraction(1), replace(SCOPE, box=((Fraction(0), Fraction(1, 2)),))))]])
def test_a_composition_without_its_lipschitz_constant_is_refused(premises: list[Step]) -> None:
    with pytest.raises(Unsound):
        derive("composition", premises)


def test_a_mean_of_bounded_terms_is_bounded_by_the_same() -> None:
    tokens = replace(SCOPE, part="tokens")
    assert derive("mean of bounded terms", [near("a", "b", 2, tokens)]).says == Near("mean of a", "mean of b", Fraction(2), SCOPE)
    with pytest.raises(Unsound, match="functions of tokens"):
        derive("mean of bounded terms", [near("a", "b", 2)])


@st.composite
def bisections(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Leaves of a few boxes that were bisected at random."""
    leaves: list[tuple[int, int, int]] = []
    for case in range(2):
        waiting, steps = [0], draw(st.lists(st.integers(0, 10**6), max_size=12))
        for choice in steps:
            level = waiting.pop(choice % len(waiting))
            waiting += [level + 1, level + 1]
        leaves += [(case, level, 1) for level in waiting]
    return leaves


@given(bisections(), st.data())
def test_a_cover_is_whole_exactly_if_no_box_is_lost_or_added(leaves: list[tuple[int, int, int]], data: st.DataObject) -> None:
    boxes = near("f", "T", 1, replace(SCOPE, part="boxes"))
    assert derive("subdivision cover", [boxes], 2, tuple(leaves)).says == Near("f", "T", Fraction(1), SCOPE)
    k = data.draw(st.integers(0, len(leaves) - 1))
    case, level, count = leaves[k]
    others = [*leaves[:k], *leaves[k + 1:]]
    for damaged in (others, [*leaves, leaves[k]], [*others, (case, level + 1, count)], [*others, (2, level, count)]):
        with pytest.raises(Unsound):
            derive("subdivision cover", [boxes], 2, tuple(damaged))
    with pytest.raises(Unsound):
        derive("subdivision cover", [boxes], 3, tuple(leaves))


def test_only_bounds_on_boxes_are_covered() -> None:
    with pytest.raises(Unsound, match="made of boxes"):
        derive("subdivision cover", [near("f", "T")], 1, ((0, 0, 1),))


def test_sorted_sequences_stand_for_all_only_where_both_functions_are_symmetric() -> None:
    sorted_ = near("f", "T", 1, replace(SCOPE, descending=True))
    f, T = checked(Symmetric("f")), checked(Symmetric("T"))
    assert derive("symmetry reduction", [sorted_, f, T]).says == Near("f", "T", Fraction(1), SCOPE)
    for premises in ([sorted_, f], [sorted_, T, T], [near("f", "T"), f, T], [sorted_, f, near("T", "T")]):
        with pytest.raises(Unsound):
            derive("symmetry reduction", premises)


def test_floating_point_is_added_for_the_networks_and_lengths_it_is_about() -> None:
    rounding = checked(Evaluated(("T",), Fraction(1, 8), 64))
    every = replace(SCOPE, n=None)
    found = derive("evaluation", [near("f", "T", 1, every), rounding]).says
    assert found == Near("f", "T evaluated", Fraction(9, 8), replace(every, longest=64))
    for premises in ([near("f", "S"), rounding], [near("f", "T"), near("T", "T")]):
        with pytest.raises(Unsound):
            derive("evaluation", premises)


def test_a_sum_holds_for_the_lengths_of_all_its_terms() -> None:
    every = replace(SCOPE, n=None)
    links = [near("f", "h", 1, every), near("h", "T", 2, replace(every, longest=64)),
             near("T", "T evaluated", 3, replace(every, longest=9))]
    assert derive("triangle inequality", links).says == Near("f", "T evaluated", Fraction(6), replace(every, longest=9))
    assert derive("triangle inequality", links[:2]).says == Near("f", "T", Fraction(3), replace(every, longest=64))
    for other in (replace(every, n=5), replace(every, descending=True), replace(every, part="tokens"), replace(every, box=())):
        with pytest.raises(Unsound, match="different scopes"):
            derive("triangle inequality", [links[0], near("h", "T", 2, other)])


@given(SHARES, SHARES)
def test_a_bound_may_only_grow(bound: Fraction, other: Fraction) -> None:
    if other >= bound:
        step = derive("monotonicity", [near("f", "T", bound)], other)
        assert step.says == Near("f", "T", other, SCOPE)
        assert step.bound == other - bound
    else:
        with pytest.raises(Unsound, match="smaller"):
            derive("monotonicity", [near("f", "T", bound)], other)


def test_all_networks_together_are_bounded_by_the_largest() -> None:
    goals = [checked(Defined("f", SCOPE)), near("f", "S", 1), near("f", "T", 2), near("f", "S evaluated", 3),
             near("f", "T evaluated", 2)]
    assert derive("conjunction", goals, ("S", "T"), True).says == Whole(("S", "T"), Fraction(3), SCOPE)
    assert derive("conjunction", goals[:3], ("S", "T"), False).says == Whole(("S", "T"), Fraction(2), SCOPE)
    defined, first, *others = goals
    damaged = (goals[:4], [*goals[:4], near("f", "T evaluated", 2, replace(SCOPE, n=4))], [defined, near("g", "S"), *others],
               [defined, near("f", "S", 1, replace(SCOPE, longest=9)), *others], [],
               [first, *others], [checked(Defined("S", SCOPE)), first, *others],
               [checked(Defined("f", replace(SCOPE, n=4))), first, *others])
    for premises in damaged:
        with pytest.raises(Unsound):
            derive("conjunction", premises, ("S", "T"), True)
