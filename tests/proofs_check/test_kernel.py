"""The kernel: certificates come from complete, strong, non-negative shares that add up to the claim, and from nowhere else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proofs_check.kernel import (
    Certificate,
    Claim,
    Refuted,
    SampledEstimate,
    Status,
    Step,
    Undecided,
    conclude,
    decimal_above,
)

CLAIM = Claim("t", "x*mean(y)", 3, 1, 1, ((Fraction(0), Fraction(1, 3)),), ("sumformer", "linformer"), Fraction(1, 2))
PROVED = Step("a", "first", Status.PROVED, Fraction(1, 3))
CERTIFIED = Step("b", "second", Status.CERTIFIED, Fraction(1, 6))
FRACTIONS = st.fractions(min_value=0, max_value=10**6, max_denominator=10**9)
WIDE = st.builds(lambda m, e: Fraction(m) * Fraction(10) ** e, st.integers(1, 10**12), st.integers(-330, 320))


def test_shares_that_add_up_exactly_to_the_claim_are_certified() -> None:
    verdict = conclude(CLAIM, [PROVED, CERTIFIED], ("a", "b"), ("arithmetic",))
    assert isinstance(verdict, Certificate)
    assert verdict.proved_bound == Fraction(1, 2)
    assert verdict.status is Status.CERTIFIED
    assert verdict.assumptions == ("arithmetic",)


def test_shares_above_the_claim_by_the_least_amount_are_undecided_with_the_best_bound() -> None:
    more = replace(CERTIFIED, bound=CERTIFIED.bound + Fraction(1, 10**400))
    verdict = conclude(CLAIM, [PROVED, more], (), ())
    assert isinstance(verdict, Undecided)
    assert verdict.best_bound == Fraction(1, 2) + Fraction(1, 10**400)


@given(st.lists(FRACTIONS, max_size=5), FRACTIONS)
def test_a_certificate_is_made_exactly_when_the_shares_do_not_exceed_the_claim(shares: list[Fraction], bound: Fraction) -> None:
    steps = [Step("a", "", Status.PROVED, share) for share in shares] or [Step("a", "", Status.PROVED)]
    verdict = conclude(replace(CLAIM, bound=bound), steps, (), ())
    assert isinstance(verdict, Certificate) == (sum(shares) <= bound)


def test_a_missing_step_is_never_certified() -> None:
    verdict = conclude(CLAIM, [PROVED], ("a", "b"), ())
    assert isinstance(verdict, Undecided)
    assert verdict.reason == "step b is missing"
    assert verdict.best_bound is None


@pytest.mark.parametrize("status", [Status.SAMPLED, Status.UNDECIDED])
def test_a_step_that_is_only_sampled_or_undecided_is_never_certified(status: Status) -> None:
    verdict = conclude(CLAIM, [PROVED, replace(CERTIFIED, status=status, bound=Fraction(0))], ("a", "b"), ())
    assert isinstance(verdict, Undecided)
    assert verdict.best_bound is None


def test_a_sampled_twin_of_a_proved_step_still_counts_as_sampled() -> None:
    twin = replace(PROVED, status=Status.SAMPLED, bound=Fraction(0))
    assert isinstance(conclude(CLAIM, [PROVED, twin], ("a",), ()), Undecided)


def test_a_negative_share_never_pays_for_another() -> None:
    verdict = conclude(CLAIM, [replace(PROVED, bound=Fraction(1)), replace(CERTIFIED, bound=Fraction(-3, 4))], (), ())
    assert isinstance(verdict, Undecided)
    assert "negative" in verdict.reason


@pytest.mark.parametrize("others", [[], [PROVED], [replace(PROVED, status=Status.UNDECIDED)],
                                    [replace(PROVED, bound=Fraction(9))]])
def test_a_refuted_step_wins_over_everything_else(others: list[Step]) -> None:
    false = replace(CERTIFIED, status=Status.REFUTED)
    verdict = conclude(CLAIM, [*others, false], ("missing",), ())
    assert isinstance(verdict, Refuted)
    assert verdict.reason == "b: second"


def test_an_assumed_step_makes_the_certificate_assumed_and_is_named() -> None:
    assumed = Step("c", "declared", Status.ASSUMED, assumption="L is 2")
    verdict = conclude(CLAIM, [PROVED, assumed, CERTIFIED], (), ("arithmetic",))
    assert isinstance(verdict, Certificate)
    assert verdict.status is Status.ASSUMED
    assert verdict.assumptions == ("L is 2", "arithmetic")


@pytest.mark.parametrize("token", [None, object(), "kernel", True])
def test_a_certificate_cannot_be_constructed(token: object) -> None:
    with pytest.raises(TypeError, match="concluded by the kernel"):
        Certificate(CLAIM, Fraction(0), Status.PROVED, (), (), token)


def test_an_estimate_is_no_certificate() -> None:
    assert not isinstance(SampledEstimate(0.1, ((0.0,),), 5), Certificate)


@pytest.mark.parametrize("maximum", [math.nan, -1e-300, -math.inf])
def test_an_estimate_refuses_what_is_no_error(maximum: float) -> None:
    with pytest.raises(ValueError, match="number >= 0"):
        SampledEstimate(maximum, (), 1)


def test_statuses_are_ordered_from_proved_to_refuted() -> None:
    assert [status.rank for status in Status] == [0, 1, 2, 3, 4, 5]
    assert Status.CERTIFIED.rank < Status.ASSUMED.rank < Status.SAMPLED.rank


@given(st.one_of(FRACTIONS, WIDE), st.integers(2, 9))
@example(Fraction(999_999_999, 10**9), 3)
@example(Fraction(10**6), 6)
@example(Fraction(1, 10**5), 4)
def test_a_printed_bound_is_a_bound_and_within_one_unit_in_the_last_digit(value: Fraction, digits: int) -> None:
    text = decimal_above(value, digits)
    shown = Fraction(text)
    assert value <= shown
    if value:
        unit = Fraction(10) ** (Decimal(text).adjusted() - digits + 1)
        assert shown - value < unit
        assert shown % unit == 0


@given(st.one_of(FRACTIONS, WIDE))
def test_a_printed_negative_bound_is_above_it_too(value: Fraction) -> None:
    assert Fraction(decimal_above(-value)) >= -value


@pytest.mark.parametrize(("value", "text"), [(Fraction(0), "0"), (Fraction(1, 3), "0.333334"), (Fraction(1), "1.00000"),
                                             (Fraction(2, 3) * 10**7, "6.66667e6"), (Fraction(10) ** -9, "1.00000e-9")])
def test_bounds_are_printed_as_people_write_them(value: Fraction, text: str) -> None:
    assert decimal_above(value) == text


@given(st.builds(Claim, st.text(), st.text(), st.integers(2, 99), st.integers(1, 9), st.integers(1, 9),
                 st.lists(st.tuples(FRACTIONS, FRACTIONS), max_size=3).map(tuple), st.lists(st.text(), max_size=3).map(tuple),
                 st.one_of(FRACTIONS, WIDE)))
def test_claims_survive_a_round_trip_through_json(claim: Claim) -> None:
    assert Claim.from_json(json.loads(json.dumps(claim.to_json()))) == claim


@pytest.mark.parametrize("damage", [{"bound": "nan"}, {"bound": None}, {"domain": [["0"]]}, {"domain": 3}, {"n": "three"}])
def test_a_malformed_claim_is_an_error(damage: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Claim.from_json({**CLAIM.to_json(), **damage})


def test_a_step_is_written_with_its_exact_bound() -> None:
    assert PROVED.to_json() == {"step": "a", "statement": "first", "status": "proved", "bound": "1/3"}


def test_a_step_that_rests_on_a_later_or_missing_step_proves_nothing() -> None:
    resting = Step("c", "rests on a", Status.PROVED, needs=("a",))
    assert isinstance(conclude(replace(CLAIM, bound=Fraction(1)), [PROVED, resting], ["c"], []), Certificate)
    for steps in ([resting, PROVED], [resting], [replace(resting, needs=("c",))]):
        verdict = conclude(replace(CLAIM, bound=Fraction(1)), steps, ["c"], [])
        assert isinstance(verdict, Undecided)
        assert "is missing" in verdict.reason


def test_the_tree_holds_every_step_and_its_shares_add_up_to_the_bound() -> None:
    resting = Step("c", "rests on a and b", Status.PROVED, Fraction(1, 4), needs=("a", "b"))
    verdict = conclude(replace(CLAIM, bound=Fraction(1)), [PROVED, CERTIFIED, resting], ["c"], [])
    assert isinstance(verdict, Certificate)
    tree = verdict.tree()
    assert [branch["step"] for branch in tree["from"]] == ["c"]
    assert [branch["step"] for branch in tree["from"][0]["from"]] == ["a", "b"]
    assert Fraction(tree["bound"]) == Fraction(1, 3) + Fraction(1, 6) + Fraction(1, 4)
