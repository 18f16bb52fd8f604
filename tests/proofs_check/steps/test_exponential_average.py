"""exponential-average: its experiments look at G and F as they are stated."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest

from proofs_check.average_instances import Case, Token, claimed, constructed, gap, hinges, too_far, two_hinges, wanted
from proofs_check.steps.exponential_average import STEP

ZERO, QUARTER, HALF, ONE = Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(1)


def softmax(*pairs: tuple[float, float]) -> float:
    """Return sum e^K s / sum e^K of pairs (K, s)."""
    return sum(math.exp(K) * s for K, s in pairs) / sum(math.exp(K) for K, _ in pairs)


def one_cell(*tokens: Token, eta: Fraction = ZERO) -> Case:
    """Return K = v, s = 2 v on one cell [0, 1]."""
    return Case((ZERO, ONE), (ZERO, Fraction(2)), (ZERO,), (ZERO,), tokens, eta=eta)


def owned(*tokens: Token, eta: Fraction = ZERO) -> Case:
    """Return K = v on one cell [0, 1], with values of the tokens' own."""
    return replace(one_cell(*tokens, eta=eta), s=())


def test_the_average_is_that_of_the_tokens_one_by_one() -> None:
    tokens = Token(0, ZERO, HALF), Token(0, QUARTER, ONE), Token(0, ONE, QUARTER)
    assert float(wanted(one_cell(*tokens))) == pytest.approx(softmax((0, 0), (0.25, 0.5), (1, 2)), rel=1e-12)
    assert float(wanted(owned(*tokens))) == pytest.approx(softmax((0, 0.5), (0.25, 1), (1, 0.25)), rel=1e-12)


def test_at_the_knots_the_construction_is_exact_up_to_delta() -> None:
    tokens = Token(0, ZERO, HALF), Token(0, ZERO, ONE), Token(0, ONE, QUARTER)
    for case in (one_cell(*tokens), owned(*tokens)):
        assert float(gap(case)) < 1e-14
    added = replace(one_cell(*tokens), delta=Fraction(1, 64))
    assert float(constructed(added)) == pytest.approx(softmax((math.log(2 / 3 + 1 / 64), 0), (1 + math.log(1 / 3 + 1 / 64), 2)))


def test_delta_is_added_to_both_parts_of_a_value_of_its_own() -> None:
    added = replace(owned(Token(0, ZERO, QUARTER)), delta=Fraction(1, 64))
    extra = (1 + math.e) / 64
    assert float(constructed(added)) == pytest.approx((1 / 4 + extra) / (1 + 2 * extra), rel=1e-12)


def test_between_knots_the_construction_averages_hats_and_not_tokens() -> None:
    case = one_cell(Token(0, HALF))
    assert float(wanted(case)) == 1
    assert float(constructed(case)) == pytest.approx(softmax((0, 0), (1, 2)), rel=1e-12)


def test_between_knots_two_hinges_share_out_a_value_of_its_own() -> None:
    assert [hinges(Fraction(h, 4), QUARTER) for h in range(5)] == [0, Fraction(1, 8), Fraction(1, 8), Fraction(1, 8), QUARTER]
    case = owned(Token(0, QUARTER, QUARTER))  # hats 3/4 and 1/4
    assert float(constructed(case)) == pytest.approx((1 + math.e) / 8 / (3 / 4 + math.e / 4), rel=1e-12)


def test_knots_of_the_least_value_alone_have_nothing_of_the_largest() -> None:
    assert float(constructed(replace(one_cell(Token(0, HALF)), s=(ONE, ONE)))) == 1


def test_features_are_off_only_where_they_may_be() -> None:
    eta, off = Fraction(1, 100), (1, 1, 1, 1)
    right, wrong = (owned(Token(0, q, ZERO, off), eta=eta) for q in (HALF, ZERO))
    moved = (1 + math.e) / 100
    assert float(constructed(right)) == pytest.approx(moved / ((1 + math.e) / 2 + moved), rel=1e-12)
    assert float(constructed(wrong)) == pytest.approx(moved / (1 + moved), rel=1e-12)
    far = Case((ZERO,) * 4, (ZERO, ZERO, ONE, ONE), (ZERO,) * 3, (ZERO,) * 3, (Token(0, ZERO, ZERO, off, off),), eta=eta)
    assert float(constructed(far)) == pytest.approx(0.02 / 1.04, rel=1e-12)  # those of knots 2 and 3 stay 0 at v = t_0


def test_a_smaller_bound_is_exceeded_and_the_line_says_where() -> None:
    case, constants = one_cell(Token(0, HALF)), STEP.constants
    assert too_far(case, constants) == ""
    assert float(claimed(case, constants)) == pytest.approx(2 * math.tanh(1 / 4) + 2 * math.tanh(1 / 32), rel=1e-12)
    found = too_far(case, {**constants, "quarter": Fraction(1, 8), "share": ZERO})
    assert "cell 0, q = 1/2" in found
    assert "|G - F| = [0.462" in found


def test_a_value_of_its_own_reaches_its_bound() -> None:
    root = math.sqrt((1 + math.e) / 2)
    place = Fraction(1 / (2 + 2 * root))
    case = owned(Token(0, place, place))
    most = (root - 1) / (2 * (root + 1))
    assert float(two_hinges(ONE, HALF)) == pytest.approx(most, rel=1e-12)
    assert float(gap(case)) == pytest.approx(most, rel=1e-12)
    assert float(claimed(case, STEP.constants)) == pytest.approx(most, rel=1e-12)  # one token has no other weight
    assert float(claimed(replace(case, eta=QUARTER), STEP.constants)) == pytest.approx(most + (1 + math.e) ** 2 / 4, rel=1e-12)
