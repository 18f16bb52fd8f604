"""Averages over two coordinates: what a histogram of their plane misses, hats on triangles, networks within their bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.adapters import CompiledMeanSumformer
from constructions.domains import Box
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.histograms import Histogram
from constructions.sumformers.compiler import compile_decomposition
from constructions.sumformers.error_budget import Compiled
from constructions.sumformers.sum_decomposition import decompose
from constructions.targets.target import Target

DOT = "x[0]*y[0]+x[1]*y[1]"
GAUSSIAN = "-4*((x[0]-y[0])**2+(x[1]-y[1])**2)"
EXPONENTS = (f"3*({DOT})", GAUSSIAN, "2*x[0]*y[0]-3*x[1]*y[1]**3+y[1]", "4*x[1]*y[0]-x[0]*y[1]", "2*x[0]*y[0]**2+5*x[0]*y[1]")


def quotient(k: str, s: str) -> str:
    return f"sum(exp({k})*({s}))/sum(exp({k}))"


def average(k: str, s: str, low: Fraction = Fraction(-1), high: Fraction = Fraction(2)) -> ExponentialAverage:
    target = Target.from_text(quotient(k, s), n=3, box=Box((low,) * 2, (high,) * 2))
    (node,) = [node for node in decompose(target.symbolic, target.box.sides, 3, logarithms=True).nodes
               if isinstance(node, ExponentialAverage)]
    return node


def compiled(text: str, eps: float, domain: tuple[int, int]) -> tuple[Target, Compiled]:
    target = Target.from_text(text, n=3, box=Box((Fraction(domain[0]),) * 2, (Fraction(domain[1]),) * 2))
    found = decompose(target.symbolic, target.box.sides, 3, logarithms=True)
    assert found.every_n
    return target, compile_decomposition(found, eps)


def hats(found: Histogram, tokens: np.ndarray) -> np.ndarray:
    """Interpolate on triangles: one, less the largest plus the least of 0 and both distances in cells; (tokens, knots)."""
    (s, t), o = found.grid, found.diagonal
    x = (tokens[:, :1] - s) / (s[1] - s[0])
    y = o * (tokens[:, 1:] - t) / (t[1] - t[0])
    both = np.broadcast_arrays(np.zeros(1), x[:, :, None], y[:, None, :])
    return np.asarray(np.maximum(0, 1 - np.maximum.reduce(both) + np.minimum.reduce(both))).reshape(len(tokens), -1)


@pytest.mark.parametrize(("text", "tree", "met"), [
    (quotient(f"2*({DOT})", "y[0]"), "(((2 * x[0]) * x[1]) + ((2 * x[2]) * x[3]))", ["x.0", "x.1"]),
    (quotient("x[1]*y[0]+3*x[0]*y[1]**2", "y[1]"), None, ["x.1", "x.0"]),
    (quotient("x[0]*(y[0]+y[1])", "y[0]+y[1]**2"), "((x[0] * x[1]) + (x[2] * x[3]))", ["x.0", "x.0"]),
    (quotient("x[0]*y[0]-y[1]**2", "y[0]"), None, ["x.0", "x.0"]),
    (quotient("mean(y[1])*y[0]+x[1]*y[1]", "y[0]"), None, ["mean(x.1)", "x.1"])])
def test_averages_over_the_plane_are_found(text: str, tree: str | None, met: list[str]) -> None:
    target = Target.from_text(text, n=3, box=Box((Fraction(0),) * 2, (Fraction(1),) * 2))
    (node,) = [node for node in decompose(target.symbolic, target.box.sides, 3, logarithms=True).nodes
               if isinstance(node, ExponentialAverage)]
    assert tree in (None, str(node.exponent))
    assert [axis.v.name for axis in node.axes] == ["x.0", "x.1"]
    assert [q.name for axis in node.axes for q in axis.u.terms] == met


@pytest.mark.parametrize(("k", "s"), [
    ("x[0]*y[0]*y[1]", "y[0]"), (DOT, "y[0]*y[1]"), ("(x[0]+x[1]*y[1])*y[0]", "y[0]"),
    ("x[0]*y[0]+x[1]*y[0]+y[1]", "y[0]"), (DOT, "sin(y[0])")])
def test_other_averages_over_the_plane_are_not(k: str, s: str) -> None:
    target = Target.from_text(quotient(k, s), n=3, box=Box((Fraction(0),) * 2, (Fraction(1),) * 2))
    found = decompose(target.symbolic, target.box.sides, 3, logarithms=True)
    assert not any(isinstance(node, ExponentialAverage) for node in found.nodes)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(EXPONENTS), st.sampled_from(["y[0]", "y[0]-y[1]", "y[0]**2+3*y[1]"]), st.integers(1, 12),
       st.integers(0, 2**32 - 1))
def test_no_sequence_misses_more_by_a_histogram_than_is_said(k: str, s: str, cells: int, seed: int) -> None:
    node, rng = average(k, s), np.random.default_rng(seed)
    found = node.histogram(cells, [(-1.0, 2.0)] * 2)
    at_knots = np.stack([rng.choice(knots, 3) for knots in found.grid], axis=1)
    tokens = rng.choice(np.concatenate([rng.uniform(-1, 2, (4, 2)), at_knots]), rng.integers(1, 6))
    often = np.exp(rng.uniform(0, 12, len(tokens)))
    u = rng.choice([-1.0, 2.0, rng.uniform(-1, 2)], 2)
    if node.axes[0].u.key() == node.axes[1].u.key():
        u[1] = u[0]
    L = [axis.k.at(u[c:c + 1], knots)[0][0] for c, (axis, knots) in enumerate(zip(node.axes, found.grid, strict=True))]
    exact = sum(axis.k.at(u[c:c + 1], tokens[:, c])[0][0] for c, axis in enumerate(node.axes))
    values = tokens[:, 0] * (tokens[:, 0] if "**2" in s else 1) + tokens[:, 1] * {"y[0]": 0, "y[0]-y[1]": -1}.get(s, 3)
    weights = often * np.exp(exact - exact.max())
    pooled = often @ hats(found, tokens) * np.exp(np.add.outer(*L).ravel() - exact.max())
    assert found.mixture is not None
    z = np.array([*map(float, found.mixture)])
    held = float(found.lowest) + float(found.height) * (pooled * z).sum() / pooled.sum()
    assert abs(held - (weights * values).sum() / weights.sum()) <= found.missed * (1 + 1e-9) + 1e-12


def test_cells_are_cut_where_weights_differ_less() -> None:
    """With u, v >= 0 a score grows along both coordinates: across, its differences do not add up."""
    same, opposite = (average(f"8*x[0]*y[0]{sign}8*x[1]*y[1]", "y[0]", Fraction(0), Fraction(1)).histogram(8, [(0.0, 1.0)] * 2)
                      for sign in "+-")
    assert (same.diagonal, opposite.diagonal) == (-1, 1)
    assert same.missed == pytest.approx(opposite.missed, rel=0.01)


@pytest.mark.parametrize("k", [f"2*({DOT})", "4*x[0]*y[0]-2*x[1]*y[1]"])
def test_hats_add_up_to_one_and_are_exactly_zero_elsewhere(k: str) -> None:
    _, found = compiled(quotient(k, "y[0]"), 0.9, (-1, 2))
    node, rng = average(k, "y[0]"), np.random.default_rng(0)
    held = _pooled(found.sumformer, tokens := rng.uniform(-1, 2, (4000, 2)))
    histogram = next(one for cells in range(1, 40) if (one := node.histogram(cells, [(-1.0, 2.0)] * 2)).count == held.shape[1])
    wanted = hats(histogram, tokens)
    assert np.allclose(held, wanted, atol=1e-12)
    assert np.allclose(held.sum(axis=1), 1, atol=1e-12)
    assert ((held > 0).sum(axis=1) <= 3).all()


def _pooled(sumformer: MeanSumformer, tokens: np.ndarray) -> np.ndarray:
    stream = dict(zip(sumformer.tokens, tokens.T, strict=True))
    for layer in sumformer.phi:
        reads = np.stack([stream.get(c, np.zeros(len(tokens))) for c in layer.reads], axis=1)
        added = np.maximum(reads @ layer.W_1 + layer.bias, 0) @ layer.W_2
        for c, column in zip(layer.writes, added.T, strict=True):
            stream[c] = stream.get(c, 0) + column
    return np.stack([stream[c] for c in sumformer.pooled], axis=1)


@pytest.mark.parametrize(("k", "s", "eps", "domain"), [
    (f"8*({DOT})", "y[0]", 2e-1, (0, 1)), (f"2*({DOT})", "y[0]-y[1]", 3e-1, (-1, 1)), (GAUSSIAN, "y[0]**2", 3e-1, (0, 1)),
    ("6*x[1]*y[0]-3*x[0]*y[1]", "y[1]", 2e-1, (0, 1)), ("6*mean(y[1])*y[0]+x[0]*y[1]", "y[0]", 1e-1, (0, 1)),
    ("5*x[0]*y[0]+3*x[0]*y[1]", "y[0]", 1e-1, (0, 1))])
def test_networks_are_within_their_bounds_for_every_n(k: str, s: str, eps: float, domain: tuple[int, int]) -> None:
    target, found = compiled(text := quotient(k, s), eps, domain)
    assert found.bound <= eps
    network, rng = CompiledMeanSumformer(found.sumformer), np.random.default_rng(0)
    for n in (2, 5, 40):
        tokens = rng.uniform(*domain, (200, n, 2))
        tokens[:80] = rng.choice(domain, (80, n, 2))
        tokens[80:140, 1:] = tokens[80:140, 1:2]
        X = torch.from_numpy(tokens)
        assert float((network(X) - Target.from_text(text, n=n, box=target.box).torch(X)).abs().max()) <= found.bound


def test_averages_under_the_same_weights_share_histogram_and_logarithms() -> None:
    """Attention with its vector of values: each hat and its logarithm once."""
    alone, other = (quotient(f"8*({DOT})", s) for s in ("y[0]", "y[1]"))
    one = compiled(alone, 0.1, (0, 1))[1].sumformer
    target, found = compiled(f"({alone}, {other})", 0.1, (0, 1))
    both = found.sumformer
    assert len(both.pooled) == len(one.pooled)
    assert both.n_nonzero < 0.8 * 2 * one.n_nonzero
    X = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (300, 4, 2)))
    f = Target.from_text(target.text, n=4, box=target.box)
    assert float((CompiledMeanSumformer(both)(X) - f.torch(X)).abs().max()) <= 0.1


def test_a_plane_of_too_many_knots_is_refused() -> None:
    with pytest.raises(Refused, match="more than 1024 hats"):
        compiled(quotient(f"64*({DOT})", "y[0]"), 1e-2, (0, 1))
