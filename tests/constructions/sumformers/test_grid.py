"""The grid Sumformer is the piecewise constant function of the proof, over fractions and over float64, with every code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import encodings
from constructions.domains import Box, Grid
from constructions.encodings import Code
from constructions.encodings.multisets import multisets
from constructions.errors import Refused
from constructions.moduli import Modulus
from constructions.number_formats import FLOAT32, FLOAT64, NumberFormat
from constructions.planner import GridPlan, plan_grid
from constructions.sumformers.grid import GridConstruction, construct_grid, decoder_nodes
from constructions.targets.target import CallableTarget, Target
from tests.cases import BY_NAME, CASES, RATIONAL_CASES, Case, fractions
from tests.strategies import permutations

BUILT: dict[tuple[str, str, str], tuple[GridPlan, GridConstruction]] = {}


def built(case: Case, code: str = "auto", number_format: NumberFormat = FLOAT64) -> tuple[GridPlan, GridConstruction]:
    key = (case.name, code, number_format.name)
    if key not in BUILT:
        plan = plan_grid(case.box, case.n, case.d_out, case.eps, Modulus(case.lipschitz), code=code, roundings=16,
                         pooled_in_floats=False, number_format=number_format)
        BUILT[key] = plan, construct_grid(case.target, plan.grid, plan.code, number_format)
    return BUILT[key]


def rounded_to_centres(grid: Grid, tokens: np.ndarray) -> np.ndarray:
    """Replace every token by the centre of its cell, found by exact comparison with the boundaries."""
    result = np.empty(tokens.shape, dtype=object)
    for place, value in np.ndenumerate(tokens):
        axis = grid.axes[place[-1]]
        cell = sum(Fraction(float(t)) <= Fraction(value) for t in axis.thresholds)
        result[place] = Fraction(float(axis.centres[cell]))
    return result


def piecewise_constant(case: Case, grid: Grid, tokens: np.ndarray) -> np.ndarray:
    """f-bar by the formula of the table, at the cell centres, in fractions where the formula is rational."""
    centres = rounded_to_centres(grid, tokens)
    return np.stack([case.brute(row if case.rational else row.astype(float)) for row in centres])


def as_fractions(values: np.ndarray) -> Any:
    return np.vectorize(Fraction, otypes=[object])(values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_over_floats_the_sumformer_is_f_bar_up_to_the_claimed_value_radius(case: Case) -> None:
    plan, grid = built(case)
    tokens = case.tokens(np.random.default_rng(0), 60)
    values = grid.sumformer(tokens)
    assert values.shape == (60, case.n, case.d_out)
    gap = np.abs(as_fractions(values) - as_fractions(piecewise_constant(case, plan.grid, tokens))).max()
    assert gap <= grid.value_radius <= case.eps / 1024


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_over_fractions_the_sumformer_gives_the_same_values(case: Case) -> None:
    _, grid = built(case)
    tokens = case.tokens(np.random.default_rng(1), 20)
    exact = grid.sumformer(fractions(tokens))
    assert np.array_equal(exact.astype(float), grid.sumformer(tokens))


@pytest.mark.parametrize("case", RATIONAL_CASES, ids=lambda case: case.name)
def test_tokens_that_no_float_can_hold_are_quantised_exactly(case: Case) -> None:
    plan, grid = built(case)
    rng = np.random.default_rng(2)
    share = np.vectorize(lambda k: Fraction(int(k), 97), otypes=[object])(rng.integers(0, 98, (20, case.n, case.d)))
    lower, upper = np.array(case.box.lower, dtype=object), np.array(case.box.upper, dtype=object)
    tokens = lower + (upper - lower) * share
    gap = np.abs(as_fractions(grid.sumformer(tokens)) - piecewise_constant(case, plan.grid, tokens)).max()
    assert gap <= grid.value_radius


def test_the_comparison_with_f_bar_rejects_another_grid() -> None:
    case = BY_NAME["own-times-mean"]
    plan, grid = built(case)
    other = Grid.with_radius(case.box, plan.grid.radius / 2, FLOAT64)
    tokens = case.tokens(np.random.default_rng(0), 60)
    gap = np.abs(as_fractions(grid.sumformer(tokens)) - as_fractions(piecewise_constant(case, other, tokens))).max()
    assert gap > grid.value_radius


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_sampled_error_is_at_most_modulus_term_plus_value_radius(case: Case) -> None:
    plan, grid = built(case)
    tokens = case.tokens(np.random.default_rng(3), 4000)
    error = float(np.abs(case.target.numpy(tokens) - grid.sumformer(tokens)).max())
    bound = plan.modulus_term + grid.value_radius
    assert bound <= case.eps
    assert error <= float(bound) + 1e-12
    assert error >= 0.2 * float(bound)


def test_half_the_bound_is_refuted_by_sampling() -> None:
    plan, grid = built(BY_NAME["range"])
    tokens = BY_NAME["range"].tokens(np.random.default_rng(3), 4000)
    error = np.abs(BY_NAME["range"].target.numpy(tokens) - grid.sumformer(tokens)).max()
    assert error > 0.5 * float(plan.modulus_term + grid.value_radius)


@given(case=st.sampled_from(CASES), seed=st.integers(0, 1000), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_sumformer_is_exactly_equivariant(case: Case, seed: int, data: st.DataObject) -> None:
    _, grid = built(case)
    tokens = case.tokens(np.random.default_rng(seed), 5)
    order = data.draw(permutations(case.n))
    assert np.array_equal(grid.sumformer(tokens[:, order]), grid.sumformer(tokens)[:, order])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_prediction_is_the_size_of_the_table(case: Case) -> None:
    plan, grid = built(case)
    table = grid.sumformer.psi.nodes[-1].table
    assert len(table.values) == plan.table_entries == case.k * case.multisets
    assert table.width == case.d_out
    assert grid.sumformer.d_latent == plan.code.d_latent
    assert grid.sumformer.psi.depth >= grid.sumformer.phi.depth + 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_codes_give_the_same_function(case: Case) -> None:
    tokens = case.tokens(np.random.default_rng(4), 40)
    _, first = built(case, "positional")
    for code in ("bose-chowla", "packed"):
        _, other = built(case, code)
        assert_same(first, other, tokens)


def assert_same(one: GridConstruction, two: GridConstruction, tokens: np.ndarray) -> None:
    """Compare up to the rounding of the table values, whose unit depends on the order of the table."""
    gap = np.abs(as_fractions(one.sumformer(tokens)) - as_fractions(two.sumformer(tokens))).max()
    assert gap <= one.value_radius + two.value_radius < Fraction(1, 10**10)


def test_two_different_functions_are_not_the_same() -> None:
    tokens = BY_NAME["range"].tokens(np.random.default_rng(4), 40)
    with pytest.raises(AssertionError):
        assert_same(built(BY_NAME["range"])[1], built(BY_NAME["median"])[1], tokens)


@pytest.mark.parametrize("name", ["own-times-mean", "plane", "second-of-five"])
def test_several_packed_channels_give_the_same_function(name: str) -> None:
    case = BY_NAME[name]
    plan, grid = built(case)
    for digits in (1, 2):
        values = np.zeros((case.k, -(-case.k // digits)), dtype=object)
        for z in range(case.k):
            values[z, z // digits] = case.n ** (z % digits)
        split = construct_grid(case.target, plan.grid, Code("packed", case.n, values), FLOAT64)
        tokens = case.tokens(np.random.default_rng(5), 40)
        assert split.sumformer.d_latent == values.shape[1]
        assert_same(split, grid, tokens)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_table_values_and_their_partial_sums_are_float32_numbers_where_that_is_the_format(case: Case) -> None:
    plan, grid = built(case, "auto", FLOAT32)
    table = grid.sumformer.psi.nodes[-1].table
    running, total = table.values[0].astype(np.float32), as_fractions(table.values[0])
    assert np.array_equal(table.values.astype(np.float32).astype(float), table.values)
    for jump in table.jumps:
        running, total = running + jump.astype(np.float32), total + as_fractions(jump)
        assert np.array_equal(as_fractions(running), total)
    tokens = case.tokens(np.random.default_rng(6), 30)
    gap = np.abs(as_fractions(grid.sumformer(tokens)) - as_fractions(piecewise_constant(case, plan.grid, tokens))).max()
    assert gap <= grid.value_radius


def test_sixty_cells_with_integers_of_a_hundred_bits_are_decoded_exactly() -> None:
    target = Target.from_text("x*mean(y)", n=3, box=Box.parse("-1,2", 1))
    grid = Grid.with_radius(target.box, Fraction(1, 40), FLOAT64)
    assert grid.cells in (60, 61)
    code = encodings.positional(grid.cells, 3)
    assert code.largest_sigma > 2**90
    grid_sumformer = construct_grid(target, grid, code, FLOAT64)
    tokens = -1 + 3 * np.random.default_rng(7).random((200, 3, 1))
    centres = rounded_to_centres(grid, tokens)
    expected = centres * (centres.sum(axis=1, keepdims=True) / 3)
    assert np.abs(as_fractions(grid_sumformer.sumformer(tokens)) - expected).max() <= grid_sumformer.value_radius
    channels = grid_sumformer.sumformer.phi({"x.0": tokens[..., 0]})
    assert max(channels["phi.0"].ravel()) > 2**60


def test_a_code_that_is_not_injective_is_refused() -> None:
    code = Code("identity", 3, np.array([[z] for z in range(4)], dtype=object))
    with pytest.raises(Refused, match="not injective for K = 4, n = 3: 10 multisets have only 7 different sums"):
        decoder_nodes(code, multisets(4, 2))


@pytest.mark.parametrize("code", [encodings.positional(4, 3), encodings.bose_chowla(4, 3),
                                  encodings.packed(4, 3, FLOAT32, 10)], ids=lambda code: code.name)
def test_the_decoder_recovers_the_multiset_of_the_others(code: Code) -> None:
    others = multisets(4, 2)
    nodes, order = decoder_nodes(code, others)
    assert sorted(order.tolist()) == list(range(len(others)))
    for own in range(4):
        for row in others:
            channels: dict[str, Any] = {}
            for r in range(code.d_latent):
                phi = int(code.values[own, r])
                total = sum(int(code.values[z, r]) for z in row) + phi
                channels |= {f"sigma.{r}": np.array([total], dtype=object), f"phi.{r}": np.array([phi], dtype=object)}
            for node in nodes:
                channels[node.writes[0]] = node.table(node.argument(channels))[..., 0]
            assert others[order[int(channels[nodes[-1].writes[0]][0])]].tolist() == row.tolist()


def test_progress_counts_every_table_entry_once() -> None:
    case, counts = BY_NAME["plane"], list[int]()
    plan, _ = built(case)
    construct_grid(case.target, plan.grid, plan.code, FLOAT64, counts.append)
    assert sum(counts) == plan.table_entries


def test_a_target_that_is_not_finite_at_a_centre_is_refused() -> None:
    target = Target.from_text("1/(x-1/2)", n=2, box=Box.parse("0,1", 1))
    with pytest.raises(Refused, match="is not finite in float64 at 3 of 9 cell centres"):
        construct_grid(target, Grid.with_radius(target.box, Fraction(1, 6) + Fraction(1, 100), FLOAT64),
                       encodings.positional(3, 2), FLOAT64)


def test_an_opaque_callable_is_tabulated_like_a_formula() -> None:
    case = BY_NAME["own-times-mean-wide"]
    opaque = CallableTarget("m:f", lambda t: t * t.mean(axis=-2, keepdims=True), case.n, case.box)
    plan, grid = built(case)
    same = construct_grid(opaque, plan.grid, plan.code, FLOAT64)
    tokens = case.tokens(np.random.default_rng(8), 50)
    assert np.allclose(same.sumformer(tokens), grid.sumformer(tokens), rtol=0, atol=2 * float(grid.value_radius))
