"""The kernel: certificates come from complete, strong, non-negative shares that add up to the claim, and from nowhere else."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proofs_check import kernel
from proofs_check.companions import for_every_network
from proofs_check.decimals import decimal_below
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
    derive,
    sharpened,
)
from proofs_check.proof_tree import proof_tree
from proofs_check.propositions import Defined, Evaluated, Near, Scope

CLAIM = Claim("t", "x*mean(y)", 3, 1, 1, ((Fraction(0), Fraction(1, 3)),), ("sumformer", "linformer"), Fraction(1, 2))
SCOPE = CLAIM.scope
ROOT = Path(__file__).parents[2]
FRACTIONS = st.fractions(min_value=0, max_value=10**6, max_denominator=10**9)
WIDE = st.builds(lambda m, e: Fraction(m) * Fraction(10) ** e, st.integers(1, 10**12), st.integers(-330, 320))


def link(first: str, second: str, bound: Fraction | int = 0, *, scope: Scope = SCOPE, status: Status = Status.PROVED,
         id: str = "a") -> Step:
    """A checked step that says ||first - second|| <= bound, its share all of it."""
    return Step(id, "first", status, Fraction(bound), says=Near(first, second, Fraction(bound), scope))


FIRST = link("f", "h", Fraction(1, 3))
SECOND = link("h", "sumformer", Fraction(1, 6), status=Status.CERTIFIED, id="b")
HEAD = link("sumformer", "linformer", 0, id="head")
ROUNDING = Step("evaluation", "bit for bit", Status.PROVED, says=Evaluated(("sumformer", "linformer"), Fraction(0), None))
DEFINED = Step("definedness", "", Status.CERTIFIED, says=Defined("f", SCOPE))


def proof(*links: Step, heads: tuple[Step, ...] = (HEAD,), rounding: Step = ROUNDING) -> list[Step]:
    return [DEFINED, *for_every_network(links[:-1], links[-1], heads, [rounding])]


def test_shares_that_add_up_exactly_to_the_claim_are_certified() -> None:
    verdict = conclude(CLAIM, proof(FIRST, SECOND), ("arithmetic",))
    assert isinstance(verdict, Certificate)
    assert verdict.proved_bound == Fraction(1, 2) == sum(step.bound for step in verdict.steps)
    assert verdict.status is Status.CERTIFIED
    assert verdict.assumptions == ("arithmetic",)
    assert [step.id for step in verdict.steps] == ["definedness", "a", "b", "head", "evaluation"]


def test_shares_above_the_claim_by_the_least_amount_are_undecided_with_the_best_bound() -> None:
    more = link("h", "sumformer", Fraction(1, 6) + Fraction(1, 10**400))
    verdict = conclude(CLAIM, proof(FIRST, more), ())
    assert isinstance(verdict, Undecided)
    assert verdict.best_bound == Fraction(1, 2) + Fraction(1, 10**400)


@given(st.lists(FRACTIONS, min_size=1, max_size=5), FRACTIONS, FRACTIONS)
def test_a_certificate_is_made_exactly_when_the_shares_do_not_exceed_the_claim(shares: list[Fraction], rounding: Fraction,
                                                                              bound: Fraction) -> None:
    names = ["f", *(f"g{k}" for k in range(1, len(shares))), "sumformer"]
    links = [link(one, other, share) for (one, other), share in zip(pairwise(names), shares, strict=True)]
    evaluated = Step("evaluation", "", Status.PROVED, rounding, says=Evaluated(("sumformer", "linformer"), rounding, 4096))
    verdict = conclude(replace(CLAIM, bound=bound), proof(*links, rounding=evaluated), ())
    assert isinstance(verdict, Certificate) == (sum(shares) + rounding <= bound)
    assert isinstance(verdict, Certificate) or verdict.best_bound == sum(shares) + rounding


@pytest.mark.parametrize("steps", [[], [FIRST], [SECOND], proof(FIRST, SECOND, heads=()), proof(FIRST, SECOND)[:2],
                                   [derive("triangle inequality", [FIRST])]])
def test_a_network_that_nothing_bounds_is_never_certified(steps: list[Step]) -> None:
    verdict = conclude(CLAIM, steps, ())
    assert isinstance(verdict, Undecided)
    assert verdict.best_bound is None


@pytest.mark.parametrize("says", [None, Defined("sumformer", SCOPE), Defined("f", replace(SCOPE, n=4)),
                                  Defined("f", replace(SCOPE, box=((Fraction(0), Fraction(1, 4)),)))])
def test_without_a_target_that_is_defined_on_the_claimed_domain_nothing_is_certified(says: Defined | None) -> None:
    _, *others = proof(FIRST, SECOND)
    verdict = conclude(CLAIM, [replace(DEFINED, says=says), *others], ())
    assert isinstance(verdict, Undecided)
    assert verdict.reason == "nothing shows that f is defined on the whole domain"


def test_over_the_reals_alone_nothing_is_asked_of_floating_point() -> None:
    alone = replace(CLAIM, networks=("sumformer",))
    of_reals = [DEFINED, derive("triangle inequality", [FIRST, SECOND])]
    assert isinstance(conclude(alone, of_reals, ()), Undecided)
    assert isinstance(conclude(alone, of_reals, (), floating_point=False), Certificate)


@pytest.mark.parametrize("scope", [replace(SCOPE, n=4), replace(SCOPE, n=None), replace(SCOPE, descending=True),
                                   replace(SCOPE, part="boxes"), replace(SCOPE, part="tokens"),
                                   replace(SCOPE, box=((Fraction(0), Fraction(1, 4)),))])
def test_a_bound_on_other_sequences_than_those_claimed_is_never_certified(scope: Scope) -> None:
    steps = proof(link("f", "h", 0, scope=scope), link("h", "sumformer", 0, scope=scope),
                  heads=(link("sumformer", "linformer", 0, scope=scope),))
    assert isinstance(conclude(CLAIM, steps, ()), Undecided)


@pytest.mark.parametrize("status", [Status.SAMPLED, Status.UNDECIDED])
def test_a_step_that_is_only_sampled_or_undecided_is_never_certified(status: Status) -> None:
    verdict = conclude(CLAIM, proof(FIRST, replace(SECOND, status=status)), ())
    assert isinstance(verdict, Undecided)
    assert verdict.best_bound is None
    beside = [*proof(FIRST, SECOND), Step("c", "beside the proof", status)]
    assert isinstance(conclude(CLAIM, beside, ()), Undecided)


def test_a_premise_that_is_only_sampled_weakens_everything_above_it() -> None:
    resting = replace(SECOND, premises=(Step("c", "", Status.SAMPLED),))
    assert isinstance(conclude(CLAIM, proof(FIRST, resting), ()), Undecided)


def test_a_negative_share_never_pays_for_another() -> None:
    verdict = conclude(CLAIM, proof(link("f", "h", 1), link("h", "sumformer", Fraction(-3, 4))), ())
    assert isinstance(verdict, Undecided)
    assert "add up" in verdict.reason


def test_a_negative_bound_never_pays_for_another_whatever_the_shares_are() -> None:
    large, negative = link("f", "h", 2), link("h", "sumformer", Fraction(-7, 4))
    steps = proof(replace(large, bound=Fraction(1, 4)), replace(negative, bound=Fraction(0)))
    assert isinstance(conclude(CLAIM, steps, ()), Undecided)


@pytest.mark.parametrize("longest", [2, 1, 0, -26])
@pytest.mark.parametrize("every_n", [True, False])
def test_floating_point_that_is_bounded_for_no_claimed_length_is_not_certified(longest: int, every_n: bool) -> None:
    claim = replace(CLAIM, every_n=every_n)
    links = [replace(one, says=replace(one.says, scope=claim.scope)) for one in (FIRST, SECOND, HEAD)]
    short = replace(ROUNDING, says=Evaluated(claim.networks, Fraction(0), longest))
    _, *bounds = proof(*links[:2], heads=(links[2],), rounding=short)
    verdict = conclude(claim, [replace(DEFINED, says=Defined("f", claim.scope)), *bounds], ())
    assert isinstance(verdict, Certificate) == (every_n and longest == 2)


def test_an_evaluation_does_not_lengthen_a_bound_that_holds_for_short_sequences_only() -> None:
    short = derive("evaluation", [link("f", "sumformer", scope=replace(SCOPE, n=None, longest=5)), ROUNDING])
    assert isinstance(short.says, Near)
    assert short.says.scope.longest == 5


def test_a_share_that_is_not_what_the_step_says_is_no_budget() -> None:
    for share in (Fraction(0), Fraction(1, 4)):
        assert isinstance(conclude(CLAIM, proof(FIRST, replace(SECOND, bound=share)), ()), Undecided)


@pytest.mark.parametrize("others", [[], [FIRST], [replace(FIRST, status=Status.UNDECIDED)], [replace(FIRST, bound=Fraction(9))]])
def test_a_refuted_step_wins_over_everything_else(others: list[Step]) -> None:
    false = replace(SECOND, status=Status.REFUTED)
    verdict = conclude(CLAIM, [*others, false], ())
    assert isinstance(verdict, Refuted)
    assert verdict.reason == "b: first"


def test_an_assumed_step_makes_the_certificate_assumed_and_is_named() -> None:
    assumed = replace(FIRST, status=Status.ASSUMED, assumption="L is 2")
    verdict = conclude(CLAIM, proof(assumed, SECOND), ("arithmetic",))
    assert isinstance(verdict, Certificate)
    assert verdict.status is Status.ASSUMED
    assert verdict.assumptions == ("L is 2", "arithmetic")


def test_a_derived_step_that_was_changed_does_not_follow() -> None:
    whole = derive("triangle inequality", [link("f", "h", 2), link("h", "sumformer", 3)])
    for says in (Near("f", "sumformer", Fraction(1, 2), SCOPE), Near("f", "linformer", Fraction(5), SCOPE)):
        forged = replace(whole, says=says, premises=tuple(replace(link, bound=Fraction(0)) for link in whole.premises))
        verdict = conclude(CLAIM, [DEFINED, *for_every_network([], forged, (HEAD,), [ROUNDING])], ())
        assert isinstance(verdict, Undecided)
        assert "does not follow by triangle inequality" in verdict.reason
    unknown = replace(whole, rule="wishful thinking")
    steps = [DEFINED, *for_every_network([], unknown, (HEAD,), [ROUNDING])]
    assert isinstance(conclude(replace(CLAIM, bound=Fraction(9)), steps, ()), Undecided)


def test_a_quoted_bound_is_above_the_proved_one_and_a_share_of_its_own() -> None:
    verdict = conclude(CLAIM, proof(link("f", "h", Fraction(1, 3)), link("h", "sumformer", 0)), ())
    assert isinstance(verdict, Certificate)
    quoted = sharpened(verdict)
    assert quoted.claim.bound == quoted.proved_bound == Fraction("0.333334") == sum(step.bound for step in quoted.steps)
    assert quoted.steps[-1].id == "quoted-bound"


@pytest.mark.parametrize("token", [None, object(), "kernel", True])
def test_a_certificate_cannot_be_constructed(token: object) -> None:
    with pytest.raises(TypeError, match="concluded by the kernel"):
        Certificate(CLAIM, Fraction(0), Status.PROVED, FIRST, (), token)


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


@given(st.one_of(FRACTIONS, WIDE), st.integers(2, 9))
def test_a_printed_error_occurs_and_is_within_one_unit_in_the_last_digit(value: Fraction, digits: int) -> None:
    shown = Fraction(decimal_below(value, digits))
    assert shown <= value
    assert not value or value < shown * (1 + Fraction(10) ** (1 - digits))


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
    assert FIRST.to_json() == {"step": "a", "statement": "first", "status": "proved", "bound": "1/3"}


def test_the_tree_holds_every_step_once_and_its_shares_add_up_to_the_bound() -> None:
    verdict = conclude(CLAIM, proof(FIRST, replace(SECOND, premises=(Step("c", "an inner step", Status.PROVED),))), ())
    assert isinstance(verdict, Certificate)
    seen: dict[int, dict[str, Any]] = {}
    again: list[int] = []

    def walk(node: dict[str, Any]) -> None:
        if "see" in node:
            again.append(node["see"])
            return
        assert node["number"] not in seen
        seen[node["number"]] = node
        for below in node.get("from", ()):
            walk(below)

    walk(json.loads(json.dumps(proof_tree(verdict).to_json())))
    assert {node.get("step") for node in seen.values()} == {"definedness", "a", "b", "c", "head", "evaluation", None}
    assert sum(Fraction(node["share"]) for node in seen.values()) == Fraction(1, 2)
    assert set(again) <= seen.keys()


def test_the_kernel_is_small_and_needs_nothing_but_fractions() -> None:
    """What must be read to trust a certificate's conclusion stays short, and no library of numbers is behind it."""
    assert len(Path(kernel.__file__).read_text(encoding="utf-8").splitlines()) < 300
    loaded = "import sys, proofs_check.kernel; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["constructions", "numpy", "torch", "scipy", "sympy", "flint"]
    done = subprocess.run([sys.executable, "-c", loaded, *heavy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
