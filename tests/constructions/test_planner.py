"""A plan predicts exactly what will be built, and refuses with advice that works."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.errors import BadInput, Refused
from constructions.moduli import Modulus, declared
from constructions.number_formats import FLOAT32, FLOAT64
from constructions.planner import GridPlan, choose_code, code_comparison, plan_grid
from tests.cases import BY_NAME, CASES, Case, count_multisets

UNIT = Box.parse("0,1", 1)


def plan_of(case: Case, eps: Fraction | None = None, **options: object) -> GridPlan:
    return plan_grid(case.box, case.n, case.d_out, eps or case.eps, Modulus(case.lipschitz), **{"roundings": 16, **options})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_plan_has_the_sizes_worked_out_by_hand(case: Case) -> None:
    plan = plan_of(case)
    assert tuple(axis.cells for axis in plan.grid.axes) == case.cells
    assert (plan.cells, plan.multisets, plan.table_entries) == (case.k, case.multisets, case.k * case.multisets)
    assert plan.multisets == count_multisets(case.k, case.n - 1)
    assert plan.table_bytes == 8 * case.k * case.multisets * case.d_out
    assert plan.code.cells == case.k
    assert plan.code.survives(FLOAT64, 16)
    assert plan.information_bits <= plan.code.bits
    assert plan.seconds >= 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_modulus_term_leaves_room_below_the_tolerance(case: Case) -> None:
    plan = plan_of(case)
    assert plan.modulus_term == case.lipschitz * plan.grid.radius
    assert plan.modulus_term <= case.eps * Fraction(1023, 1024)


@given(case=st.sampled_from(CASES), share=st.fractions(min_value=Fraction(1, 3), max_value=1, max_denominator=60))
@settings(max_examples=40, deadline=None)
def test_a_smaller_tolerance_never_needs_fewer_cells(case: Case, share: Fraction) -> None:
    plan, finer = plan_of(case), plan_of(case, case.eps * share, max_table=10**9)
    assert finer.cells >= plan.cells
    assert finer.table_entries >= plan.table_entries
    assert finer.modulus_term <= case.eps * share


def test_a_constant_target_needs_one_cell() -> None:
    plan = plan_grid(Box.parse("-1,2", 2), 3, 1, Fraction(1, 10**6), Modulus(Fraction(0)), roundings=16)
    assert (plan.cells, plan.table_entries, plan.modulus_term) == (1, 1, 0)


def test_a_table_that_is_too_large_is_refused_with_sizes_and_advice() -> None:
    with pytest.raises(Refused) as caught:
        plan_grid(Box.parse("0,1;-1,2", 2), 3, 1, Fraction(1, 100), declared(Fraction(2), "f"), roundings=16)
    assert re.fullmatch(r"eps = 0\.01 with Lipschitz constant 2 needs 101 x 301 cells and 1\.40\d*e\+?13 table entries for "
                        r"n = 3, more than --max-table 16777216; eps = 0\.\d+( or n = 2)? fits, or raise --max-table",
                        str(caught.value))


@given(lipschitz=st.fractions(min_value=Fraction(1, 2), max_value=40, max_denominator=10), n=st.integers(2, 5),
       eps=st.fractions(min_value=Fraction(1, 500), max_value=Fraction(1, 20)), budget=st.integers(50, 20_000))
@settings(max_examples=40, deadline=None)
def test_the_advised_tolerance_and_length_do_fit(lipschitz: Fraction, n: int, eps: Fraction, budget: int) -> None:
    def plan(tolerance: Fraction, length: int) -> GridPlan:
        return plan_grid(UNIT, length, 1, tolerance, Modulus(lipschitz), roundings=16, max_table=budget)
    try:
        assert plan(eps, n).table_entries <= budget
    except Refused as refusal:
        advice = re.search(r"; eps = (\S+?)(?: or n = (\d+))? fits", str(refusal))
        assert advice is not None
        assert plan(Fraction(advice[1]), n).table_entries <= budget
        if advice[2]:
            assert plan(eps, int(advice[2])).table_entries <= budget


@given(eps=st.fractions(min_value=Fraction(1, 100), max_value=1), domain=st.sampled_from(["0,1", "-1,2", "1/3,2/3"]),
       n=st.integers(2, 4), budget=st.integers(10, 3000))
@settings(max_examples=80, deadline=None)
def test_a_plan_that_is_accepted_keeps_the_table_budget(eps: Fraction, domain: str, n: int, budget: int) -> None:
    try:
        plan = plan_grid(Box.parse(domain, 1), n, 1, eps, Modulus(Fraction(3)), roundings=16, max_table=budget)
    except Refused:
        return
    assert plan.table_entries <= budget


def test_the_table_budget_is_exact() -> None:
    case = BY_NAME["own-times-mean"]
    assert plan_of(case, max_table=75).table_entries == 75
    with pytest.raises(Refused, match="more than --max-table 74"):
        plan_of(case, max_table=74)


def test_a_code_that_floats_cannot_pool_is_refused_unless_exact_integers_are_summed() -> None:
    case = BY_NAME["own-times-mean"]
    eps = Fraction(1, 70)
    with pytest.raises(Refused, match="code of K = 71 cells for n = 3 sums to 113 bits, which float64 cannot pool"):
        plan_of(case, eps, code="positional")
    exact = plan_of(case, eps, code="positional", pooled_in_floats=False)
    assert exact.code.largest_sigma == 3 * 3**70
    assert plan_of(case, eps, code="packed").code.d_latent > 1


def test_more_keys_than_the_format_can_tell_apart_are_refused() -> None:
    with pytest.raises(Refused, match=r"table keys are more than float32 can tell apart"):
        plan_grid(UNIT, 3, 1, Fraction(1, 420), Modulus(Fraction(1)), number_format=FLOAT32, roundings=16, max_table=2**28)
    plan_grid(UNIT, 3, 1, Fraction(1, 100), Modulus(Fraction(1)), number_format=FLOAT32, roundings=16, max_table=2**28)


def test_an_unknown_code_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(BadInput, match="unknown code 'positionall': did you mean positional"):
        plan_of(BY_NAME["range"], code="positionall")


@given(cells=st.integers(1, 40), n=st.integers(2, 5), number_format=st.sampled_from([FLOAT64, FLOAT32]))
@settings(max_examples=40, deadline=None)
def test_auto_takes_the_fewest_channels_then_the_fewest_bits_of_the_codes_that_survive(cells: int, n: int, number_format) -> None:
    chosen = choose_code("auto", cells, n, number_format, 16, True)
    assert chosen.survives(number_format, 16)
    for name in ("positional", "packed", "bose-chowla"):
        if name == "bose-chowla" and cells ** (n - 1) > 2**18:
            continue
        other = choose_code(name, cells, n, number_format, 16, False)
        if other.survives(number_format, 16):
            assert (chosen.d_latent, chosen.bits) <= (other.d_latent, other.bits)


def test_all_codes_are_compared_and_an_untabulated_one_has_no_numbers() -> None:
    rows = {name: rest for name, *rest in code_comparison(plan_of(BY_NAME["own-times-mean"]), 16)}
    assert set(rows) == {"positional", "bose-chowla", "packed"}
    assert rows["positional"] == [1, (3 * 3**4).bit_length(), True]
    large = plan_grid(UNIT, 5, 1, Fraction(1, 33), Modulus(Fraction(5, 2)), roundings=16, max_table=10**9)
    rows = {name: rest for name, *rest in code_comparison(large, 16)}
    assert large.cells > 40
    assert rows["bose-chowla"] == ([1, None, None] if large.cells > 64 else rows["bose-chowla"])
    assert rows["positional"][2] is False
