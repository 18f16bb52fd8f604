"""Kernels between straight lines, the builder's side: cells, their proved error, and what is made of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target
from constructions.domains import Box as Domain
from constructions.errors import Refused
from constructions.number_formats import FLOAT32, FLOAT64
from constructions.pieces.kernel_cells import Box, Cells, Wanted, designed, values
from constructions.pieces.kernel_gaps import steepest, value_hull
from constructions.sumformers.error_budget import Compiled
from constructions.targets.target import Target
from tests.kernels import kernel

UNIT = (0.0, 1.0)
KERNELS = ("abs(x[0]-x[1])", "exp(-abs(x[0]-x[1]))*x[1]", "maximum(x[0]**2,x[1])", "relu(2*x[0]-x[1]-1/3)", "abs(x[0]/10-x[1])",
           "exp(-4*(x[0]-x[1])**2)*abs(x[0]-x[1])", "sqrt(maximum(abs(x[0]-x[1]),1/400))", "minimum(sin(5*x[0]),x[1])")


SQUARE = Box(UNIT, UNIT)


def cells_of(text: str, tolerance: float, box: Box = SQUARE, most: int = 4096, weight: tuple[float, float] = (1.0, 1.0)) -> Cells:
    return designed((Wanted(kernel(text), tolerance, weight),), box, most)[0]


def held(cells: Cells, u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Evaluate the lines from their hinges, one cell and hinge after the other."""
    total = np.zeros(np.broadcast_shapes(u.shape, y.shape)) + cells.shift
    q = [np.clip((u - a) / (b - a), 0, 1) for a, b in zip(cells.cuts, cells.cuts[1:], strict=False)]
    for weight, row in ((1.0, cells.base), *zip(q, cells.rises, strict=True)):
        line = row[0] + row[1] * y
        for jump, t in zip(row[2:], cells.knots[1:-1], strict=True):
            line = line + jump * np.maximum(y - t, 0)
        total = total + weight * line
    return total


@pytest.mark.parametrize("text", KERNELS)
@pytest.mark.parametrize("tolerance", [0.1, 0.04])
def test_the_gap_is_bounded_closely_and_within_the_tolerance(text: str, tolerance: float) -> None:
    cells = cells_of(text, tolerance)
    u, y = np.meshgrid(np.linspace(0, 1, 701), np.linspace(0, 1, 701), indexing="ij")
    met = float(np.abs(held(cells, u, y) - values(kernel(text), u, y)).max())
    assert met <= cells.gap * (1 + 1e-12)
    assert cells.gap <= 1.11 * met
    assert Wanted(kernel(text), tolerance).error(cells) <= 1
    assert cells.gap + cells.width.max() / 16 <= tolerance


@pytest.mark.parametrize("text", KERNELS)
def test_rises_lie_in_their_ranges(text: str) -> None:
    cells = cells_of(text, 0.05)
    rises = np.diff([held(cells, np.array(c), cells.knots) for c in cells.cuts], axis=0)
    assert (cells.low[:, None] <= rises + 1e-12).all()
    assert (rises - 1e-12 <= (cells.low + cells.width)[:, None]).all()


def test_cells_are_in_proportion_to_the_accuracy_and_their_hinges_few() -> None:
    for text in ("abs(x[0]-x[1])", "exp(-abs(x[0]-x[1]))"):
        coarse, fine = (cells_of(text, tolerance) for tolerance in (1e-2, 1e-3))
        assert 8 <= len(fine.rises) / len(coarse.rises) <= 12
        assert fine.parameters <= 32 * len(fine.rises)


def test_the_outermost_cells_reach_beyond_by_the_margin() -> None:
    cells = cells_of("abs(x[0]-x[1])", 0.05, Box((0.25, 0.75), UNIT, 0.01))
    assert (cells.cuts[0], cells.cuts[-1]) == (0.24, 0.76)
    assert ((cells.cuts[1:-1] > 0.25) & (cells.cuts[1:-1] < 0.75)).all()


@given(st.sampled_from(KERNELS), st.integers(0, 2**32))
@settings(deadline=None)
def test_values_and_slopes_are_enclosed(text: str, seed: int) -> None:
    rng, K = np.random.default_rng(seed), kernel(text)
    (a, b), (c, e) = (tuple(np.sort(rng.random(2)).tolist()) for _ in range(2))
    u, y = a + (b - a) * rng.random(80), c + (e - c) * rng.random(80)
    low, high = value_hull(K, (a, b), (c, e))
    met = values(K, u, y)
    assert low <= met.min()
    assert met.max() <= high
    other_u, other_y = a + (b - a) * rng.random(80), c + (e - c) * rng.random(80)
    in_u, in_y = steepest(K, (a, b), (c, e))
    assert (np.abs(values(K, other_u, y) - met) <= in_u * np.abs(u - other_u) * (1 + 1e-9) + 1e-14).all()
    assert (np.abs(values(K, u, other_y) - met) <= in_y * np.abs(y - other_y) * (1 + 1e-9) + 1e-14).all()


def test_a_kernel_that_is_not_finite_is_refused_and_one_without_a_bound_too() -> None:
    with pytest.raises(Refused, match=r"not finite for all u in \[0, 1\] and y in \[0, 1\]"):
        cells_of("abs(x[0]-x[1])/x[0]", 0.1)
    with pytest.raises(Refused, match="needs more than 64 cells"):
        cells_of("abs(x[0]-x[1])", 1e-4, most=64)
    with pytest.raises(Refused, match="could not be bounded somewhere"):
        cells_of("sqrt(abs(x[0]-x[1]))", 0.1)


def test_cells_are_where_the_kernel_bends() -> None:
    """A root at one corner takes a hundredth of the cells of equal length that it would take."""
    cells = cells_of("sqrt(maximum(x[0]+x[1],1/40000))", 1e-2)
    assert len(cells.rises) <= 30
    assert np.diff(cells.cuts)[0] <= np.diff(cells.cuts)[-1] / 50


@pytest.mark.parametrize("text", ["mean(tanh(100*(x-y)))", "mean(1/(1+2000*(x-y)**2))"])
def test_a_smooth_kernel_that_is_too_sharp_for_products_is_put_between_lines(text: str) -> None:
    _, found = compiled(text, "1/10")
    assert "interpolated-kernel" in {share.id for share in found.shares}


def compiled(text: str, eps: str, d: int = 1, n: int = 3) -> tuple[Target, Compiled]:
    target = Target.from_text(text, n=n, box=Domain((Fraction(0),) * d, (Fraction(1),) * d))
    decomposition, found = compile_target(target, Fraction(eps), "sum-decomposition")
    assert decomposition.every_n
    return target, found


@pytest.mark.parametrize(("text", "eps", "d"), [
    ("mean(abs(x-y))", "1/100", 1), ("mean(abs(y-mean(y)))", "1/20", 1), ("x*mean(y*abs(x-y))", "1/20", 1),
    ("mean(abs(x[0]-y[0]))+mean(abs(x[1]-y[1]))", "1/10", 2), ("mean(abs(x[0]-y[0])*y[1])", "1/50", 2),
    ("mean(abs(x[0]+x[1]-2*y[0]-y[1]+1/3)*(y[1]-y[0]))", "1/10", 2), ("mean(abs(x[0]*x[1]-y[0]*y[1]))", "1/10", 2),
    ("sum(exp(-abs(x[0]-y[0])/2)*y[1])/sum(exp(-abs(x[0]-y[0])/2))", "1/20", 2), ("mean(abs(y[0]-mean(y[0]))*y[1])", "1/20", 2),
    ("x[1]*mean(exp(x[1]-y[1]-abs(x[0]-y[0]))/(1+y[2])),mean(relu(x[0]-y[0])*y[1])", "1/5", 3),
    ("mean(abs(x[0]-relu(y[0]-y[1]))*abs(y[0]+y[1]-1))", "1/10", 2), ("mean(maximum(x[0]*x[1],y[1]))", "1/10", 2),
    ("relu(mean(relu(x-y))-1/10)", "1/20", 1), ("mean(sqrt(abs(x-y)))", "1/5", 1),
    ("sum(exp(-abs(x-y)/2)*y)/sum(exp(-abs(x-y)/2))", "1/10", 1)])
def test_one_network_serves_every_length(text: str, eps: str, d: int) -> None:
    target, found = compiled(text, eps, d)
    rng, worst = np.random.default_rng(0), 0.0
    for n in (2, 3, 50, 400):
        tokens = rng.random((40, n, d)).round(2)
        at_n = Target.from_text(target.text, n=n, box=target.box)
        worst = max(worst, float(np.abs(found.sumformer(tokens) - at_n.numpy(tokens)).max()))
    assert worst <= float(found.bound) <= Fraction(eps)


def test_kernels_of_the_same_arguments_share_their_hinges() -> None:
    _, two = compiled("mean(abs(x-y)*y)*mean(exp(-abs(x-y)))", "1/10")
    _, one = compiled("mean(exp(-abs(x-y)))", "1/100")
    assert "interpolated-kernel" in {share.id for share in two.shares}
    assert len([share for share in two.shares if share.id == "interpolated-kernel"]) == 2
    assert two.sumformer.d_latent <= one.sumformer.d_latent


def test_attention_is_formed_around_the_middle_of_its_values() -> None:
    """An error of the weights counts half as much, so half the cells do; values around 0 are left as they are."""
    sizes = [compiled(f"sum(exp(-abs(x-y)/2)*(y{shift}))/sum(exp(-abs(x-y)/2))", "1/40")[1].sumformer.n_nonzero
             for shift in ("", "-1/2", "+7")]
    assert max(sizes) <= 1.1 * min(sizes)
    assert max(sizes) <= 900


def test_float32_and_domains_elsewhere() -> None:
    target = Target.from_text("mean(abs(x-y))", n=3, box=Domain((Fraction(-2),), (Fraction(1, 3),)))
    for number_format in (FLOAT64, FLOAT32):
        _, found = compile_target(target, Fraction(1, 10), "sum-decomposition", number_format=number_format)
        tokens = np.random.default_rng(1).uniform(-2, 1 / 3, (200, 3, 1))
        assert float(np.abs(found.sumformer(tokens) - target.numpy(tokens)).max()) <= float(found.bound) <= 0.1


@pytest.mark.parametrize("text", ["mean(abs(x[0]*y[0]-x[1]*y[1]))", "mean(exp(-abs(x[0]-y[0])-abs(x[1]-y[1])))"])
def test_a_kernel_of_two_arguments_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(Refused, match="more than one argument of either side"):
        compiled(text, "1/10", 2)


def test_a_kernel_that_is_zero_and_one_without_a_range() -> None:
    """relu(..) may never be positive; and sqrt(abs(..)) has no range in balls before it is lifted."""
    _, nothing = compiled("mean(relu((x-2)-exp(-y)))*exp(-x)", "1/10")
    assert float(nothing.bound) < 1e-12
    _, lifted = compiled("mean(sqrt(abs(x-y)))/(2+mean(y))", "1/5")
    assert {"lifted-root", "interpolated-kernel"} <= {share.id for share in lifted.shares}
