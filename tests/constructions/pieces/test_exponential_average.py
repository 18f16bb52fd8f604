"""Averages with exponential weights: what a histogram misses, tables that hold everywhere, networks within their bounds."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import arb, fmpq, fmpq_poly
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from constructions.adapters import CompiledMeanSumformer
from constructions.domains import Box
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer
from constructions.pieces.axes import Axis
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.exponents import Exponent
from constructions.pieces.forms import Form, Quantity, ends
from constructions.pieces.hats import Hats
from constructions.pieces.polynomials import polynomial_of
from constructions.pieces.sigmoids import sigmoid, softplus
from constructions.sumformers.compiler import compile_decomposition
from constructions.sumformers.error_budget import Compiled
from constructions.sumformers.sum_decomposition import decompose
from constructions.targets.evaluation import evaluate, numpy_algebra
from constructions.targets.language import parse
from constructions.targets.target import Target

SIDES = (-2.0, 2.0)


def average(exponent: str, values: str, u: tuple[float, float] = SIDES, v: tuple[float, float] = SIDES,
            w: tuple[float, float] | None = None) -> ExponentialAverage:
    x, y, other = (Quantity(f"x.{c}", arb(side[0]).union(arb(side[1])), True) for c, side in enumerate((u, v, w or SIDES)))
    k, s = Exponent.of(parse(exponent, 2)[0]), parse(values, 1)[0]
    assert k is not None
    axis = Axis(Form.of(x), y, k, polynomial_of(s, 16) or fmpq_poly())
    return ExponentialAverage(parse(exponent, 2)[0], s, [axis], None if w is None else Form.of(other))


def compiled(text: str, eps: float, domain: tuple[int, int] = (0, 1), d: int = 1) -> tuple[Target, Compiled]:
    target = Target.from_text(text, n=3, box=Box((Fraction(domain[0]),) * d, (Fraction(domain[1]),) * d))
    found = decompose(target.symbolic, target.box.sides, 3, logarithms=True)
    assert found.every_n
    return target, compile_decomposition(found, eps)


@pytest.mark.parametrize(("text", "p", "r"), [
    ("4*x[0]*x[1]", [0, 4], [0]), ("-(x[0]-x[1])**2", [0, 2], [0, 0, -1]), ("x[0]**3+x[1]", [0], [0, 1]),
    ("(x[0]+1)*(x[1]**2-x[1])/2", [0, Fraction(-1, 2), Fraction(1, 2)], [0, Fraction(-1, 2), Fraction(1, 2)]),
    ("x[0]*(x[1]-1/2)", [0, 1], [0])])
def test_an_exponent_is_read_without_what_cancels(text: str, p: list[Fraction], r: list[Fraction]) -> None:
    found = Exponent.of(parse(text, 2)[0])
    assert found is not None
    for polynomial, wanted in ((found.p, p), (found.r, r)):
        assert [Fraction(int(c.p), int(c.q)) for c in polynomial.coeffs()] == [Fraction(c) for c in wanted if any(wanted)]


@pytest.mark.parametrize("text", ["x[0]**2*x[1]", "exp(x[1])*x[0]", "x[0]/x[1]", "abs(x[1]**2-x[0])", "abs(x[1])",
                                  "x[0]*x[1]**17", "x[0]*abs(x[0]-x[1])"])
def test_other_exponents_are_not(text: str) -> None:
    assert Exponent.of(parse(text, 2)[0]) is None


@pytest.mark.parametrize("text", ["abs(x[0]-x[1])", "relu(2*x[0]-x[1]+1)/3+x[1]**2", "-minimum(x[0],x[1]-1/2)*4+abs(x[0])",
                                  "x[0]*x[1]-maximum(x[1],x[0])"])
def test_kinks_of_both_are_read(text: str) -> None:
    tree, rng = parse(text, 2)[0], np.random.default_rng(0)
    found = Exponent.of(tree)
    assert found is not None
    assert len(found.kinks) == 1
    u, v = rng.uniform(-2, 2, (2, 20))
    held = found.at(u, v)[0]
    pairs = np.stack(np.broadcast_arrays(u[:, None], v), axis=-1)
    wanted = np.asarray(evaluate([tree], pairs.reshape(-1, 1, 2), numpy_algebra())).reshape(20, 20)
    assert np.allclose(np.diff(held - wanted, axis=1), 0, atol=1e-12)  # a function of u alone cancels


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["4*x[0]*x[1]", "-3*(x[0]-x[1])**2", "x[0]*x[1]**3-x[1]**2", "x[1]", "-3*abs(x[0]-x[1])",
                        "maximum(x[0],2*x[1])-relu(x[1]+x[0]/3-1/2)"]),
       st.sampled_from(["x[0]", "x[0]**2-x[0]", "3-x[0]**3/2"]), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_no_sequence_misses_more_by_a_histogram_than_is_said(exponent: str, values: str, cells: int, seed: int) -> None:
    node, rng = average(exponent, values), np.random.default_rng(seed)
    found = node.histogram(cells, [SIDES])
    tokens = rng.choice(np.concatenate([rng.uniform(*SIDES, 4), found.grid[0]]), rng.integers(1, 6))
    u = float(rng.choice([*SIDES, rng.uniform(*SIDES)]))
    k = node.axes[0].k.at(np.array([u]), tokens)[0][0]
    s = np.array([float(node.axes[0].s(_exact(t))) for t in tokens])
    exact = (np.exp(k - k.max()) * s).sum() / np.exp(k - k.max()).sum()
    hats = np.array([np.interp(tokens, found.grid[0], row).mean() for row in np.eye(cells + 1)])
    L = node.axes[0].k.at(np.array([u]), found.grid[0])[0][0]
    weights = hats * np.exp(L - L[hats > 0].max())
    assert found.mixture is not None
    held = float(found.lowest) + float(found.height) * (weights * np.array([*map(float, found.mixture)])).sum() / weights.sum()
    assert abs(held - exact) <= found.missed * (1 + 1e-9) + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["4*x[0]*x[1]", "-3*(x[0]-x[1])**2", "-3*abs(x[0]-x[1])"]), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_no_values_of_another_coordinate_miss_more_than_is_said(exponent: str, cells: int, seed: int) -> None:
    node, rng = average(exponent, "x[0]", w=(0.0, 1.0)), np.random.default_rng(seed)
    found = node.histogram(cells, [SIDES])
    tokens = rng.choice(np.concatenate([rng.uniform(*SIDES, 4), found.grid[0]]), count := int(rng.integers(1, 6)))
    w, u = rng.choice([0.0, 0.25, 0.75, 1.0, rng.random()], count), float(rng.choice([*SIDES, rng.uniform(*SIDES)]))
    k = node.axes[0].k.at(np.array([u]), tokens)[0][0]
    exact = (np.exp(k - k.max()) * w).sum() / np.exp(k - k.max()).sum()
    h = np.array([np.interp(tokens, found.grid[0], row) for row in np.eye(cells + 1)])
    z = (w - float(found.lowest)) / float(found.height)
    most = (np.maximum(h + z - 1, 0) + h - np.maximum(h - z, 0)) / 2
    assert np.all(np.abs(most - z * h) <= 1 / 16)
    L = node.axes[0].k.at(np.array([u]), found.grid[0])[0][0]
    scale = np.exp(L - L[h.max(axis=1) > 0].max())
    held = float(found.lowest) + float(found.height) * (scale @ most).sum() / (scale @ h).sum()
    assert abs(held - exact) <= found.missed * (1 + 1e-9) + 1e-12


def _exact(t: float) -> fmpq:
    return fmpq(*float(t).as_integer_ratio())


def test_far_tokens_reach_what_is_said_under_a_gaussian_if_they_are_many_enough() -> None:
    """u = 0, one token there and e^32 times as many in the middle of a cell near 1, where the exponent is steepest: no bound that
    leaves steep cells out, as cells of little weight, would hold for every n."""
    node = average("-32*(x[0]-x[1])**2", "x[0]", u=(0.0, 1.0), v=(0.0, 1.0))
    found = node.histogram(172, [(0.0, 1.0)])
    knots, v = found.grid[0], np.array([0.0, (found.grid[0][-2] + found.grid[0][-1]) / 2])
    hats = np.stack([np.interp(v, knots, row) for row in np.eye(len(knots))], axis=1)
    missed = []
    for more in np.linspace(-1, 1, 21):
        often = np.exp(32 * v**2 + more * (v > 0))  # so that both weigh alike, or nearly
        exact = (often * np.exp(-32 * v**2) @ v) / (often @ np.exp(-32 * v**2))
        pooled = often @ hats * np.exp(-32 * knots**2)
        missed.append(abs(pooled @ knots / pooled.sum() - exact))
    assert 0.7 * found.missed <= max(missed) <= found.missed


def test_a_histogram_misses_a_fourth_with_twice_as_many_cells() -> None:
    node = average("4*x[0]*x[1]", "x[0]")
    assert node.histogram(400, [SIDES]).missed == pytest.approx(node.histogram(200, [SIDES]).missed / 4, rel=0.01)


@pytest.mark.parametrize("tolerance", [0.09, 1e-3, 1e-6])
@pytest.mark.parametrize("reach", [0.5, 30.0, 1500.0])
def test_tables_hold_however_large_the_argument_is(tolerance: float, reach: float) -> None:
    t = np.concatenate([np.linspace(-reach, reach, 2001), np.linspace(-20, 20, 2001) * min(1.0, reach / 20)])
    for table, exact in ((softplus(tolerance, reach), np.logaddexp(0, t)), (sigmoid(tolerance, reach), expit(t))):
        low, high = ends(table.error)
        held = table.table.base + np.maximum(t[:, None] - table.table.knots, 0) @ table.table.weights
        assert reach < 1 or max(-low, high) <= 1.01 * tolerance
        assert np.all(held - exact >= low - 1e-12 * reach)
        assert np.all(held - exact <= high + 1e-12 * reach)


def test_hats_add_up_to_one_and_are_exactly_zero_elsewhere() -> None:
    _, found = compiled("sum(exp(4*x*y)*y)/sum(exp(4*x*y))", 0.05, (-1, 2))
    knots = Hats(Quantity("x.0", arb(0), True), np.linspace(-1, 2, len(found.sumformer.pooled))).knots
    v = np.linspace(-1, 2, 1000)
    hats = _pooled(found.sumformer, v)
    assert np.allclose(hats, np.stack([np.interp(v, knots, row) for row in np.eye(len(knots))], axis=1), atol=1e-6)
    assert np.allclose(hats.sum(axis=1), 1, atol=1e-13)
    assert np.all(hats[np.abs(v[:, None] - knots) > np.diff(knots).max() * (1 + 1e-6)] == 0)


def _pooled(sumformer: MeanSumformer, v: np.ndarray) -> np.ndarray:
    stream = {sumformer.tokens[0]: v}
    for layer in sumformer.phi:
        reads = np.stack([stream.get(c, np.zeros_like(v)) for c in layer.reads], axis=1)
        added = np.maximum(reads @ layer.W_1 + layer.bias, 0) @ layer.W_2
        for c, column in zip(layer.writes, added.T, strict=True):
            stream[c] = stream.get(c, 0) + column
    return np.stack([stream[c] for c in sumformer.pooled], axis=1)


@pytest.mark.parametrize(("text", "eps", "domain"), [
    ("sum(exp(4*x[0]*y[0])*y[1])/sum(exp(4*x[0]*y[0]))", 1e-1, (-1, 1)),
    ("sum(exp(9*x[1]*y[0])*exp(y[1]-1))/sum(exp(9*x[1]*y[0]))", 1e-1, (0, 1)),
    ("sum(exp(16*x*y)*(y-1000/3))/sum(exp(16*x*y))", 3e-2, (0, 1)), ("sum(exp(4*x*y)*y)/sum(exp(4*x*y))", 1e-1, (-2, 2)),
    ("sum(exp(-64*(x-y)**2)*(1-y**2))/sum(exp(-64*(x-y)**2))", 5e-2, (0, 1)),
    ("sum(exp(6*mean(y)*y)*y)/sum(exp(6*mean(y)*y))", 5e-2, (-1, 1)),
    ("x*mean(exp(20*x*y)*y)/mean(exp(20*x*y))", 5e-2, (0, 1)),
    ("sum(exp(-9*abs(x-y))*y)/sum(exp(-9*abs(x-y)))", 5e-2, (0, 1)),
    ("sum(exp(-9*maximum(2*x,y+1/3))*y)/sum(exp(-9*maximum(2*x,y+1/3)))", 0.1, (0, 1))])
def test_networks_are_within_their_bounds_for_every_n(text: str, eps: float, domain: tuple[int, int]) -> None:
    d = 2 if "[" in text else 1
    target, found = compiled(text, eps, domain, d)
    assert found.bound <= eps
    network, rng = CompiledMeanSumformer(found.sumformer), np.random.default_rng(0)
    for n in (2, 5, 40):
        at_n = Target.from_text(text, n=n, box=target.box)
        tokens = rng.uniform(*domain, (200, n, d))
        tokens[:80] = rng.choice(domain, (80, n, d))
        tokens[80:140, 1:] = tokens[80:140, 1:2]
        X = torch.from_numpy(tokens)
        assert float((network(X) - at_n.torch(X)).abs().max()) <= found.bound


def test_the_range_of_the_weights_costs_a_logarithm_only() -> None:
    """Weights e^8 and e^64 apart: of both sizes, the number of hats and the hinges of a logarithm grow by less than 8 times."""
    narrow, wide = (compiled(f"sum(exp({beta}*x*y)*y)/sum(exp({beta}*x*y))", 0.1)[1].sumformer for beta in (8, 64))
    assert len(wide.pooled) <= 8 * len(narrow.pooled)
    assert wide.n_nonzero <= 64 * narrow.n_nonzero


def test_weights_that_float64_cannot_hold_are_refused() -> None:
    with pytest.raises(Refused, match="e\\^1000 apart"):
        compiled("sum(exp(-1000*(x-y)**2)*y)/sum(exp(-1000*(x-y)**2))", 1e-1)
    with pytest.raises(Refused, match="more than 1024 hats"):
        compiled("sum(exp(64*x*y)*y)/sum(exp(64*x*y))", 1e-5)


def test_the_slope_is_a_bound_of_differences() -> None:
    node, rng = average("4*x[0]*x[1]-x[1]**2", "x[0]**2"), np.random.default_rng(1)
    tokens = rng.uniform(*SIDES, (500, 3))

    def F(u: float) -> np.ndarray:
        k = 4 * u * tokens - tokens**2
        w = np.exp(k - k.max(axis=1, keepdims=True))
        return np.asarray((w * tokens**2).sum(axis=1) / w.sum(axis=1))

    found = max(float(np.abs(F(b) - F(a)).max() / (b - a)) for a, b in itertools.pairwise(np.linspace(*SIDES, 41)))
    assert found <= node.slope(node.axes[0])


def test_tanh_of_a_quarter_is_attained() -> None:
    """Two knots, one token between them: no smaller tilt is possible."""
    node = average("x[0]*x[1]", "x[0]", u=(2.0, 2.0), v=(0.0, 1.0))
    found = node.histogram(1, [(2.0, 2.0)])
    q = 1 / (1 + math.e)
    tilted = q * math.e**2 / (1 - q + q * math.e**2)
    assert tilted - q == pytest.approx(math.tanh(0.5), abs=1e-12)
    assert found.missed >= tilted - q
