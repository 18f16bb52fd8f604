"""planar-average: its experiments look at G and F as they are stated."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import pytest

from proofs_check.plane_instances import (
    Case,
    Token,
    added,
    claimed,
    constructed,
    filled,
    flat,
    gap,
    groups,
    held,
    rises,
    tilts,
    too_far,
    wanted,
)
from proofs_check.steps.planar_average import STEP
from proofs_check.triangulation import around, barycentric, edges, hat, neighbours, offsets, triangles

ZERO, QUARTER, HALF, ONE = Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(1)
BOTH = pytest.mark.parametrize("orientation", [1, -1])


def softmax(*pairs: tuple[float, float]) -> float:
    """Return sum e^K s / sum e^K of pairs (K, s)."""
    return sum(math.exp(K) * s for K, s in pairs) / sum(math.exp(K) for K, _ in pairs)


def one_cell(*tokens: Token, orientation: int = 1, eta: Fraction = ZERO) -> Case:
    """Return K = v_1 + 2 v_2, s = v_1 - v_2 on one cell [0, 1]^2."""
    return Case(added((0, 1), (0, 2)), added((0, 1), (0, -1)), flat(1, 1), flat(1, 1), orientation, tokens, eta=eta)


def at(p: Fraction, q: Fraction, times: int = 1) -> Token:
    """Return a token at (p, q)."""
    return Token((0, 0), p, q, times)


@BOTH
def test_hats_are_barycentric_coordinates_in_the_box_and_add_up_to_1_on_its_border(orientation: int) -> None:
    for a, b in itertools.product(range(9), range(13)):
        place = Fraction(a, 4), Fraction(b, 4)
        hats = {knot: hat(*offsets(place, knot, orientation)) for knot in itertools.product(range(3), range(4))}
        assert {knot: size for knot, size in hats.items() if size} == {
            knot: size for knot, size in barycentric(place, orientation).items() if size}
        assert sum(hats.values()) == 1


def test_two_hinges_are_not_enough_for_a_hat() -> None:
    x, y = HALF, ZERO
    assert hat(x, y) == HALF
    assert max(1 - max(-x, ZERO) - max(y, ZERO), ZERO) == 1  # and so it would be 1 as far as the grid goes


@BOTH
def test_the_places_where_a_hat_may_be_off_are_those_of_its_neighbours(orientation: int) -> None:
    grid = list(itertools.product(range(5), range(5)))
    for a, b in itertools.product(range(17), range(17)):
        place = Fraction(a, 4), Fraction(b, 4)
        x, y = offsets(place, (2, 2), orientation)
        vanish = not any(hat(*offsets(place, knot, orientation)) for knot in {(2, 2), *neighbours((2, 2), orientation)} & {*grid})
        assert vanish == (max(ZERO, x, y) - min(ZERO, x, y) >= 2)


@BOTH
def test_a_triangle_has_twelve_knots_around_it(orientation: int) -> None:
    for triangle in triangles((3, 4), orientation):
        ring = around(triangle, orientation)
        assert len(ring) == 12
        for knot in triangle:
            counts = [edges(knot, orientation)[other] for other in ring]
            assert [counts.count(k) for k in range(3)] == [1, 6, 5]


@BOTH
def test_sides_of_triangles_say_how_far_apart_their_vertices_are(orientation: int) -> None:
    L = ((ZERO, ONE, Fraction(5)), (Fraction(-2), Fraction(3), ONE))
    for triangle in (one for j in (0, 1) for one in triangles((0, j), orientation)):
        row = [L[i][j] for i, j in triangle]
        assert max(rises(L, triangle, orientation)) == max(row) - min(row)
    rising, (first, _) = added((0, 1), (0, 1)), triangles((0, 0), orientation)
    assert max(rises(rising, first, orientation)) == (2 if orientation > 0 else 1)


@BOTH
def test_the_average_is_that_of_the_tokens_one_by_one(orientation: int) -> None:
    case = one_cell(at(ZERO, HALF), at(QUARTER, ONE, times=3), orientation=orientation)
    assert float(wanted(case)) == pytest.approx(softmax((1, -0.5), *[(2.25, -0.75)] * 3), rel=1e-12)
    bent = replace(case, bulges=((ONE,), (ZERO,)), bends=((ZERO,), (HALF,)))
    assert float(wanted(bent)) == pytest.approx(softmax((1, 0), *[(3, -0.75)] * 3), rel=1e-12)


@BOTH
def test_at_the_knots_the_construction_is_exact_up_to_delta(orientation: int) -> None:
    case = one_cell(at(ZERO, ZERO), at(ONE, ZERO, times=10**9), at(ZERO, ONE), orientation=orientation)
    assert float(gap(case)) < 1e-14
    lifted = replace(one_cell(at(ZERO, ZERO), orientation=orientation), delta=Fraction(1, 64))
    pairs = [(math.log(65 / 64), 0), (1 + math.log(1 / 64), 1), (2 + math.log(1 / 64), -1), (3 + math.log(1 / 64), 0)]
    assert float(constructed(lifted)) == pytest.approx(softmax(*pairs), rel=1e-12)


def test_between_knots_the_construction_averages_over_one_triangle() -> None:
    middle = at(HALF, HALF)
    along, across = (float(constructed(one_cell(middle, orientation=o))) for o in (1, -1))
    assert along == pytest.approx(0, abs=1e-14)  # between (0, 0) and (1, 1), where s is 0
    assert across == pytest.approx(softmax((1, 1), (2, -1)), rel=1e-12)


def test_features_are_off_only_where_they_may_be() -> None:
    far = Case(flat(*(5,) * 5), flat(*(5,) * 5), flat(4, 4), flat(4, 4), 1, (), eta=Fraction(1, 100))
    inside, at_knot, in_a_corner = (replace(far, tokens=(Token((i, j), p, q, most=1),)) for i, j, p, q in (
        (1, 1, HALF, QUARTER), (2, 2, ZERO, ZERO), (0, 0, ZERO, ZERO)))
    for case, count in ((inside, 12), (at_knot, 7), (in_a_corner, 4)):
        assert float(constructed(case)) == pytest.approx(count / (100 + count), rel=1e-12)
    turned = replace(in_a_corner, orientation=-1)
    assert float(constructed(turned)) == pytest.approx(3 / 103, rel=1e-12)


def test_a_smaller_bound_is_exceeded_and_the_line_says_where() -> None:
    case, constants = one_cell(at(HALF, HALF), orientation=-1), STEP.constants
    assert too_far(case, constants) == ""
    assert float(claimed(case, constants)) == pytest.approx(2 * math.tanh(1 / 2), rel=1e-12)
    found = too_far(case, {**constants, "quarter": Fraction(1, 16)})
    assert "cell (0, 0), p = 1/2, q = 1/2" in found
    assert "|G - F| = [0.462" in found


def test_each_term_of_the_bound_is_what_is_stated() -> None:
    case = one_cell(at(ZERO, ZERO), at(ONE, ZERO))
    first, second = math.tanh(3 / 4), math.tanh(9 / 32)  # theta = |1 + 2|; s goes from 0 to 1 or from -1 to 0 on a triangle
    assert float(claimed(case, STEP.constants)) == pytest.approx(first + second, rel=1e-12)
    g = math.exp(3)
    off = replace(case, eta=QUARTER, delta=Fraction(1, 64))
    assert float(claimed(off, STEP.constants)) == pytest.approx(
        first + second + 2 * ((1 + g) * (1 + 5 * g) / 4 + 4 * g / 64), rel=1e-12)
    bent = replace(case, bulges=((Fraction(-1, 8),), (QUARTER,)), bends=((QUARTER,), (Fraction(-1, 2),)))
    assert float(claimed(bent, STEP.constants)) == pytest.approx(first + math.tanh((9 / 8 + 3 / 8) / 4) + 3 / 4, rel=1e-12)


@pytest.mark.parametrize(("case", "changes"), [
    (tilts()[0], {"diagonal": 0}), (tilts()[1], {"diagonal": 0}), (tilts()[1], {"diagonal": -1}), (groups(), {"two": False}),
    (groups(), {"both": 0}), (held(), {"ring": (1, 2, 0)}), (held(), {"ring": (1, 6, 0)}), (filled(), {"spread": 0})])
def test_what_is_near_the_bound_is_beyond_that_of_a_false_variant(case: Case, changes: dict[str, object]) -> None:
    assert too_far(case, STEP.constants) == ""
    assert too_far(case, {**STEP.constants, **changes})
