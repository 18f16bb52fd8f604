"""Linear bounds by substitution: exact arithmetic on points of the box never leaves them, and what is wrong is noticed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check import relaxation, substitution
from proofs_check.boxes import Boxes
from proofs_check.enclosures.interval import Floats
from proofs_check.folds import unit_by_unit
from proofs_check.path_sums import lipschitz_of_phi
from proofs_check.propagate import linearise
from proofs_check.relaxation import applies, relaxed
from proofs_check.stages import Stage
from proofs_check.substitution import Lines, Rows
from proofs_check.sup_norm import Problem, judge
from proofs_check.trained import read_trained
from proofs_check.witness import in_balls
from tests.proofs_check.test_propagate import exact, random_network

WIDTHS = (((1, 6, 5, 3), (4, 6, 5, 4, 1)), ((1, 4), (5, 3, 1)), ((1, 2, 2, 2, 2, 1), (2, 1)))
Widths = tuple[tuple[int, ...], tuple[int, ...]]


class Outside(Exception):
    """A value is outside its linear bounds."""


def deep(seed: int, widths: Widths, scale: float = 1.0) -> MeanSumformer:
    """A Sumformer of dense random layers, stored as a trained one is: the last map of phi in pairs of units."""
    rng, known = np.random.default_rng(seed), ("x.0",)
    d_latent = widths[0][-1]

    def layers(sizes: tuple[int, ...], reads: tuple[str, ...], prefix: str) -> tuple[list[ReluLayer], tuple[str, ...]]:
        found = []
        for k, (before, after) in enumerate(itertools.pairwise(sizes)):
            writes = tuple(f"{prefix}.{k}.{unit}" for unit in range(after))
            W, b = rng.normal(size=(before, after)) * scale, rng.normal(size=after)
            found.append(ReluLayer(reads, W, b, writes, np.eye(after)))
            reads = writes
        return found, reads

    phi, read = layers(widths[0][:-1], known, "phi")
    pooled = tuple(f"phi.{k}" for k in range(d_latent))
    W, b, one = rng.normal(size=(len(read), d_latent)), rng.normal(size=d_latent), np.eye(d_latent)
    phi.append(ReluLayer(read, np.hstack([W, -W]), np.concatenate([b, -b]), pooled, np.vstack([one, -one])))
    psi, read = layers(widths[1][:-1], (*known, *map(mean_of, pooled)), "psi")
    return MeanSumformer(known, tuple(phi), pooled, tuple(psi), read, rng.normal(size=(len(read), 1)), rng.normal(size=1))


def assert_between(network: MeanSumformer, own: int, centre: Floats, radii: Floats, rng: np.random.Generator) -> None:
    """Compare with exact values at random points and corners of the box; centre and radii of shape (n, d)."""
    slopes, found = relaxed(network, own, centre[None], radii[None])
    parts = (found.lower, found.lower_slopes, found.upper, found.upper_slopes)
    assert all(np.isfinite(part).all() for part in parts)
    low, low_slopes, high, high_slopes = (exact(part[0]) for part in parts)
    span = found.enclosure(radii.reshape(1, -1))
    alone = linearise(network, own, centre[None], radii[None])
    np.testing.assert_allclose(slopes.centre.mid, alone.centre.mid, rtol=1e-9, atol=1e-9)
    for k in range(8):
        move = rng.uniform(-1, 1, centre.shape) if k % 2 else rng.choice([-1.0, 0.0, 1.0], centre.shape)
        point = np.clip(centre + move * radii * (1 - 2.0**-40), centre - radii, centre + radii)
        step = (exact(point) - exact(centre)).reshape(-1)
        if (abs(step) > exact(radii).reshape(-1)).any():
            continue  # rounding left the box
        value = network(exact(point)[None])[0, own]
        if not ((low + step @ low_slopes <= value).all() and (value <= high + step @ high_slopes).all()):
            raise Outside
        assert ((exact(span.lower[0]) <= value) & (value <= exact(span.upper[0]))).all()


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 2), st.integers(1, 3), st.floats(0.0, 1.0))
def test_random_networks_stay_between(seed: int, d: int, n: int, radius: float) -> None:
    """Channels that are written again, chains taken unit by unit, and boxes that are points in some coordinates."""
    rng = np.random.default_rng(seed)
    radii = radius * rng.uniform(0, 1, (n, d)) * rng.choice([0.0, 1.0, 1.0], (n, d))
    assert_between(random_network(seed, d), int(rng.integers(n)), rng.uniform(-1, 1, (n, d)), radii, rng)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(WIDTHS),
       st.sampled_from([1e-9, 1e-3, 0.1, 2.0]), st.sampled_from([1e-100, 0.3, 1.0, 10.0, 1e40]))
def test_trained_shapes_stay_between(seed: int, widths: Widths, radius: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    assert_between(deep(seed, widths, scale), int(rng.integers(2)), rng.uniform(-1, 1, (2, 1)), np.full((2, 1), radius), rng)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-4, 1.0))
def test_it_encloses_balls(seed: int, radius: float) -> None:
    """Another evaluation altogether: balls at points of the box."""
    rng, network = np.random.default_rng(seed), deep(seed, ((1, 5, 2), (3, 4, 4, 1)))
    centre, radii = rng.uniform(-1, 1, (2, 1)), np.full((2, 1), radius)
    span = relaxed(network, 1, centre[None], radii[None])[1].enclosure(radii.reshape(1, -1))
    from flint import arb
    point = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(centre + radii * rng.uniform(-1, 1, centre.shape) * 0.99)
    value = in_balls(network, point)[1, 0]
    assert arb(float(span.lower[0, 0])) <= value <= arb(float(span.upper[0, 0]))


def crown(network: MeanSumformer, own: int, centre: Floats, radii: Floats) -> tuple[float, float]:
    """CROWN with chords below and above, in plain float64: each unit's range from the chords of those before (d = 1)."""
    n, own_too = len(centre), np.eye(len(centre))[own][:, None]
    layers: list[tuple[Floats, Floats, np.ndarray]] = []
    for layer in network.phi[:-1]:
        W = np.kron(np.eye(n), layer.W_1)
        bent = np.ones(W.shape[1], dtype=bool)
        W = np.block([[W, own_too if not layers else np.zeros((len(W), 1))]]) if not layers else np.block(
            [[W, np.zeros((len(W), 1))], [np.zeros((1, W.shape[1])), np.ones((1, 1))]])
        layers.append((W, np.append(np.tile(layer.bias, n), 0.0), np.append(bent, False)))
    size = len(network.pooled)
    W, b = network.phi[-1].W_1[:, :size], network.phi[-1].bias[:size]
    mean = np.block([[np.zeros((n * len(W), 1)), np.tile(W / n, (n, 1))], [np.ones((1, 1)), np.zeros((1, size))]])
    layers.append((mean, np.append(0.0, b), np.zeros(size + 1, dtype=bool)))
    layers += [(layer.W_1, layer.bias, np.ones(layer.units, dtype=bool)) for layer in network.psi]
    layers.append((network.W_out, network.b_out, np.zeros(1, dtype=bool)))
    chords: list[tuple[Floats, Floats]] = []
    for k, (W, b, _) in enumerate(layers):
        a, low, high = W.T, b.copy(), b.copy()
        for (V, c, _), (kap, mu) in zip(reversed(layers[:k]), reversed(chords), strict=True):
            low, high = low + np.minimum(a, 0) @ mu, high + np.maximum(a, 0) @ mu
            a = a * kap
            low, high, a = low + a @ c, high + a @ c, a @ V.T
        middle, reach = (a @ centre).ravel(), (np.abs(a) @ radii).ravel()
        low, high = low + middle - reach, high + middle + reach
        bent = layers[k][2] & (low < 0) & (high > 0)
        kap = np.where(bent, high / np.where(bent, high - low, 1.0), np.where(layers[k][2], low >= 0, True))
        chords.append((kap, np.where(bent, -kap * low, 0.0)))
    return float(low[0]), float(high[0])


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([WIDTHS[0], ((1, 9, 3), (4, 9, 1)), ((1, 7, 7, 7, 2), (3, 7, 7, 1))]),
       st.floats(1e-3, 1.0), st.integers(0, 1))
def test_no_box_is_wider_than_by_crown(seed: int, widths: Widths, radius: float, own: int) -> None:
    rng, network = np.random.default_rng(seed), deep(seed, widths)
    centre, radii = rng.uniform(-1, 1, (16, 2, 1)), np.full((16, 2, 1), radius)
    span = relaxed(network, own, centre, radii)[1].enclosure(radii.reshape(16, -1))
    for k in range(16):
        low, high = crown(network, own, centre[k], radii[k])
        slack = 1e-9 * (high - low) + 1e-10  # outward rounding is relative to the values inside, also where all units are off
        assert low - slack <= span.lower[k, 0]
        assert span.upper[k, 0] <= high + slack


def test_a_band_that_is_too_narrow_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The upper ends of arguments, without the distance of a chord's two lines."""
    right = Rows.through
    monkeypatch.setattr(Rows, "through", lambda rows, *given: replace(
        right(rows, *given), spread=None if rows.spread is None else rows.spread))

    def search() -> None:
        for seed in range(200):
            rng = np.random.default_rng(seed)
            assert_between(deep(seed, ((1, 5, 2), (3, 4, 1))), 0, rng.uniform(-1, 1, (2, 1)), np.full((2, 1), 0.7), rng)

    with pytest.raises((Outside, ArithmeticError)):
        search()


@pytest.mark.parametrize("weight", [1e300, -1e308, float("inf"), float("nan")])
def test_overflow_is_nothing_known(weight: float) -> None:
    layer = ReluLayer(("x.0",), np.array([[weight, 1.0]]), np.array([weight, 0.5]), ("out",), np.array([[1e10], [1.0]]))
    network = MeanSumformer(("x.0",), (layer,), ("out",), (), (mean_of("out"),), np.ones((1, 1)), np.zeros(1))
    _, found = relaxed(network, 0, np.array([[[0.5], [-0.25]]]), np.full((1, 2, 1), 0.75))
    if not np.isfinite(weight) or weight > 0:
        assert found.lower[0, 0] == -np.inf
        assert found.upper[0, 0] == np.inf
        assert not found.lower_slopes.any()


@pytest.mark.parametrize(("centre", "radius"), [(float("nan"), 0.1), (float("inf"), 0.1), (0.5, float("nan")), (0.5, -1e-300),
                                                (0.5, float("inf"))])
def test_what_is_no_box_is_refused(centre: float, radius: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        relaxed(deep(0, ((1, 3, 2), (3, 3, 1))), 0, np.full((1, 2, 1), centre), np.full((1, 2, 1), radius))


def test_a_channel_that_is_listed_twice_is_refused() -> None:
    network = deep(0, ((1, 3, 2), (3, 3, 1)))
    doubled = replace(network, readout=(network.readout[0],) * len(network.readout))
    assert not applies(doubled)
    with pytest.raises(ValueError, match="twice"):
        relaxed(doubled, 0, np.full((1, 2, 1), 0.5), np.full((1, 2, 1), 0.1))


def flipped(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
    """The chord from the other end: 1 - u/(u - l), with the constant of the right one."""
    good = _RIGHT(stage, low, high, before)
    return replace(good, kap=np.where(good.mu > 0, 1.0 - good.kap, good.kap))


def without_constant(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
    return replace(_RIGHT(stage, low, high, before), mu=np.zeros_like(low))


def steep(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
    """Lower lines above the unit."""
    good = _RIGHT(stage, low, high, before)
    return replace(good, lam=np.where(good.mu > 0, 1.25, good.lam))


def careless(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
    """Nothing is made up for: seen where weights cancel."""
    good = _RIGHT(stage, low, high, before)
    return replace(good, size=0 * good.size, added=0 * good.added, floor=0 * good.floor)


_RIGHT = Lines.of


@pytest.mark.parametrize("wrong", [flipped, without_constant, steep, careless])
def test_a_wrong_line_is_noticed(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lines, "of", staticmethod(wrong))
    monkeypatch.setattr(relaxation, "LOWER_LINES", (None,))
    for module in (relaxation, substitution):
        monkeypatch.setattr(module, "UNIT", 0.0 if wrong is careless else substitution.UNIT)

    def search() -> None:
        for seed in range(200):
            rng = np.random.default_rng(seed)
            radii = np.full((2, 1), 0.0 if wrong is careless else 0.7)
            assert_between(deep(seed, ((1, 5, 2), (3, 4, 1))), 0, rng.uniform(-1, 1, (2, 1)), radii, rng)

    with pytest.raises((Outside, ArithmeticError)):
        search()


def test_pairs_of_units_that_do_not_bend_are_seen() -> None:
    network = deep(1, ((1, 6, 5, 3), (4, 6, 1)))
    bending, last = unit_by_unit(network.phi)[:-1], unit_by_unit(network.phi)[-1]
    assert all(layer.straight.size == 0 for layer in bending)
    assert last.plain.size == 0
    assert last.straight.tolist() == [0, 1, 2]


@pytest.mark.parametrize("change", ["bias", "W_1", "W_2"])
def test_a_pair_that_is_off_by_one_bit_bends(change: str) -> None:
    layer = deep(1, ((1, 6, 5, 3), (4, 6, 1))).phi[-1]
    spoiled = getattr(layer, change).copy()
    spoiled[..., 0] = np.nextafter(spoiled[..., 0], 2.0)
    found, = unit_by_unit([replace(layer, **{change: spoiled})])
    assert found.straight.size < 3


def test_a_straight_unit_counts_once_in_the_sum_over_paths() -> None:
    one = np.array([[2.0, -2.0]])
    layer = ReluLayer(("x.0",), one, np.array([1.0, -1.0]), ("out",), np.array([[3.0], [-3.0]]))
    network = MeanSumformer(("x.0",), (layer,), ("out",), (), (mean_of("out"),), np.ones((1, 1)), np.zeros(1))
    assert lipschitz_of_phi(network) == pytest.approx(Fraction(6))


def test_a_deep_network_is_judged_by_its_linear_bounds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same boxes with and without: bounds hold and are the smaller ones."""
    network = deep(5, ((1, 8, 8, 8, 4), (5, 8, 8, 8, 1)), 0.5)
    assert applies(network)
    target = resolve("x*mean(y)", n=2, d=1, domain="0,1")
    assert isinstance(target, Target)
    asked = Problem.of(target.outputs, network, 2, target.box.sides)
    rng = np.random.default_rng(0)
    low = np.sort(rng.uniform(0, 0.8, (40, 2)), axis=1)[:, ::-1].copy()
    boxes = Boxes(low, low + 0.15, np.full(40, np.inf), np.zeros(40, dtype=int), np.zeros(40, dtype=int))
    together = judge(asked, boxes, 0).upper
    points = rng.uniform(low, low + 0.15, (64, 40, 2))[..., None]
    gaps = np.abs(target.numpy(points) - network(points))[:, :, 0, 0].max(axis=0)
    assert (gaps <= together).all()
    monkeypatch.setattr("proofs_check.sup_norm.applies", lambda network: False)
    alone = judge(asked, boxes, 0).upper
    assert (together <= alone).all()
    assert (together < alone).sum() > 10


def test_a_trained_file_is_one_this_is_for(tmp_path: Path) -> None:
    from safetensors.numpy import save_file
    rng, arrays = np.random.default_rng(0), {}
    for part, widths in (("phi", (1, 4, 4, 4, 2)), ("psi", (3, 4, 4, 4, 1))):
        for k, (before, after) in enumerate(itertools.pairwise(widths)):
            arrays |= {f"{part}.{2 * k}.weight": rng.normal(size=(after, before)), f"{part}.{2 * k}.bias": rng.normal(size=after)}
    save_file(arrays, tmp_path / "network.safetensors")
    assert applies(read_trained(tmp_path / "network.safetensors", d=1, d_out=1, n=2, pooling="mean"))
