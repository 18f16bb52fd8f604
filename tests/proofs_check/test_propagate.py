"""Slopes and values of networks over boxes: exact arithmetic on points of the box never leaves the enclosure."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.continuous import compile_target
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets.library import resolve
from proofs_check.folds import analysed
from proofs_check.propagate import Parts, linearise

exact = np.frompyfunc(lambda value: Fraction(float(value)), 1, 1)


def chain(folds: int, weights: list[float], p: tuple[float, float] = (1.0, 1.0), *, spoil: float = 0.0) -> list[ReluLayer]:
    """relu(p_0 x + p_1) and its folds into ``t``, each added to ``out`` with a weight; ``spoil`` moves the last bias."""
    layers = [ReluLayer(("x.0",), np.array([[p[0]]]), np.array([p[1]]), ("t", "out"), np.array([[1.0, weights[0]]]))]
    for s in range(folds):
        bias = -(0.5**s) + (spoil if s == folds - 1 else 0.0)
        layers.append(ReluLayer(("t",), np.array([[1.0]]), np.array([bias]), ("t", "out"), np.array([[-2.0, weights[s + 1]]])))
    return layers


def single(layers: list[ReluLayer], *, pooled: tuple[str, ...] = ("out",)) -> MeanSumformer:
    """The layers as phi; the output adds the mean of ``out`` and the own value of it."""
    W_out, b_out = np.array([[1.0], [-0.25]]), np.array([0.25])
    return MeanSumformer(("x.0",), tuple(layers), pooled, (), (mean_of("out"), "out"), W_out, b_out)


@cache
def compiled(name: str, eps: str) -> MeanSumformer:
    target = resolve(name, n=None, d=None, domain="0,1")
    return compile_target(target, Fraction(eps), "sum-decomposition")[1].sumformer


def random_network(seed: int, d: int) -> MeanSumformer:
    """A few layers with dense random weights, chains of folds among them, some with a weight that does not fit."""
    rng = np.random.default_rng(seed)

    def layers(known: list[str], prefix: str, count: int) -> list[ReluLayer]:
        found = []
        for k in range(count):
            reads = tuple(rng.choice(known, size=min(len(known), int(rng.integers(1, 4))), replace=False))
            units, out = int(rng.integers(1, 4)), (f"{prefix}.{k}", *rng.choice(known[d:] or [f"{prefix}.{k}x"], size=1))
            out = tuple(dict.fromkeys(map(str, out)))
            found.append(ReluLayer(tuple(map(str, reads)), rng.normal(size=(len(reads), units)), rng.normal(size=units) / 2, out,
                                   rng.normal(size=(units, len(out)))))
            known.extend(channel for channel in out if channel not in known)
        start, target = f"{prefix}.fold", f"{prefix}.square"
        reads = tuple(map(str, rng.choice(known, size=2, replace=False))) if len(known) > 1 else (known[0],)
        head = rng.normal(size=(len(reads), 1))
        found.append(ReluLayer(reads, head, np.array([1.0]), (start, target), np.array([[1.0, rng.normal()]])))
        for s in range(int(rng.integers(0, 6))):
            slip = rng.choice([0.0, 0.0, 0.0, 1e-3])
            found.append(ReluLayer((start,), np.array([[1.0]]), np.array([-(0.5**s) + slip]), (start, target),
                                   np.array([[-2.0, rng.normal() * 0.5**s]])))
        known.extend([start, target])
        return found

    tokens = [f"x.{c}" for c in range(d)]
    known = list(tokens)
    phi = layers(known, "phi", int(rng.integers(0, 3)))
    pooled = tuple(channel for channel in known[d:] if rng.random() < 0.7) or (known[-1],)
    after = [*known, *map(mean_of, pooled)]
    psi = layers(after, "psi", int(rng.integers(0, 3)))
    readout = tuple(map(str, rng.choice(after, size=min(3, len(after)), replace=False)))
    return MeanSumformer(tuple(tokens), tuple(phi), pooled, tuple(psi), readout, rng.normal(size=(len(readout), 2)),
                         rng.normal(size=2))


def assert_encloses(network: MeanSumformer, own: int, centre: np.ndarray, radii: np.ndarray, rng: np.random.Generator) -> None:
    """Compare with exact values at random points and corners of the box; centre and radii of shape (n, d)."""
    found = linearise(network, own, centre[None], radii[None])
    middle, middle_rad = exact(found.centre.mid[0]), exact(found.centre.rad[0])
    slopes, slopes_rad = exact(found.slopes.mid[0]), exact(found.slopes.rad[0])
    at_centre = network(exact(centre)[None])[0, own]
    assert (abs(at_centre - middle) <= middle_rad).all()
    for k in range(8):
        move = rng.uniform(-1, 1, centre.shape) if k % 2 else rng.choice([-1.0, 0.0, 1.0], centre.shape)
        point = np.clip(centre + move * radii * (1 - 2.0**-40), centre - radii, centre + radii)
        step = (exact(point) - exact(centre)).reshape(-1)
        moved = network(exact(point)[None])[0, own] - at_centre
        assert (abs(moved - step @ slopes) <= abs(step) @ slopes_rad).all()


@given(st.integers(0, 10**6), st.integers(1, 2), st.integers(1, 3), st.floats(1e-6, 1.0))
def test_random_networks_stay_inside(seed: int, d: int, n: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    assert_encloses(random_network(seed, d), int(rng.integers(n)), rng.uniform(-1, 1, (n, d)),
                    radius * rng.uniform(0, 1, (n, d)), rng)


def test_a_layer_of_more_units_than_one_sum_may_have_stays_inside() -> None:
    rng = np.random.default_rng(3)
    layer = ReluLayer(("x.0",), rng.normal(size=(1, 5000)), rng.normal(size=5000), ("out",), rng.normal(size=(5000, 1)) / 5000)
    for radius in (0.3, 1e-6):
        assert_encloses(single([layer]), 1, rng.uniform(0, 1, (2, 1)), radius * np.ones((2, 1)), rng)


@pytest.mark.parametrize(("name", "eps"), [("f", "1/100"), ("standardise", "1/10000"), ("smooth-maximum", "1/1000000")])
@pytest.mark.parametrize("radius", [0.3, 1e-2, 1e-4, 1e-7])
def test_compiled_networks_stay_inside(name: str, eps: str, radius: float) -> None:
    network, rng = compiled(name, eps), np.random.default_rng(7)
    for _ in range(3):
        centre = rng.uniform(radius, 1 - radius, (3, len(network.tokens)))
        assert_encloses(network, int(rng.integers(3)), centre, radius * rng.uniform(0, 1, centre.shape), rng)


def test_a_chain_is_found_and_sharp() -> None:
    m = 6
    weights = [-(2 - 2 / 2**m), *(4 * (0.5**s - 0.5**m) for s in range(m))]  # relu(x + 1)^2 - 2 relu(x + 1), a square of x
    network = single(chain(m, weights))
    assert all(layer.plain.size == 0 for layer in Parts.of(network).phi)
    found = linearise(network, 0, np.array([[[0.3], [-0.4]]]), np.full((1, 2, 1), 0.01))
    # (x^2 + y^2)/2 - x^2/4 has the slopes x/2 and y; interpolated at distance 2^-5
    assert np.abs(found.slopes.mid[0, :, 0] - [0.15, -0.4]).max() < 0.04
    assert found.slopes.rad.max() < 0.06


@pytest.mark.parametrize("spoil", [2.0**-52, -1e-9, 0.1])
def test_what_is_almost_a_chain_is_none(spoil: float) -> None:
    layers = chain(3, [1.0, 2.0, -1.0, 0.5], spoil=spoil)
    assert all(layer.plain.size for layer in Parts.of(single(layers)).phi)


def test_a_fold_that_is_read_elsewhere_is_no_chain() -> None:
    layers = chain(3, [1.0, 2.0, -1.0, 0.5])
    assert all(layer.plain.size for layer in analysed(layers, ["x.0"], ["t"]))
    assert all(not layer.plain.size for layer in analysed(layers, ["x.0"], ["out"]))
    network = single(layers, pooled=("out", "t"))
    assert all(layer.plain.size for layer in Parts.of(network).phi)


def test_a_target_that_is_read_before_the_chain_ends_is_no_chain() -> None:
    layers = chain(2, [1.0, 2.0, -1.0])
    reader = ReluLayer(("out",), np.array([[1.0]]), np.array([0.0]), ("other",), np.array([[1.0]]))
    found = analysed([*layers[:2], reader, *layers[2:]], ["x.0"], ["out", "other"])
    assert all(layer.plain.size for layer in found)


@pytest.mark.parametrize("weight", [1e300, float("inf"), float("nan")])
def test_overflow_is_nothing_known(weight: float) -> None:
    layer = ReluLayer(("x.0",), np.array([[weight]]), np.array([weight]), ("out",), np.array([[1e10]]))
    found = linearise(single([layer]), 0, np.array([[[0.5], [0.25]]]), np.full((1, 2, 1), 0.5))
    assert not np.isfinite(found.centre.mid + found.centre.rad).any()


def test_subnormal_weights_stay_inside() -> None:
    layer = ReluLayer(("x.0",), np.array([[1e-300]]), np.array([-1e-310]), ("out",), np.array([[1e-12]]))
    assert_encloses(single([layer]), 0, np.array([[0.5], [0.25]]), np.full((2, 1), 0.25), np.random.default_rng(0))


@pytest.mark.parametrize("place", [-0.999, -0.5, 0.0, 0.7, 0.999, 1.02, 1.5])
@pytest.mark.parametrize("radius", [1e-3, 0.05, 0.4, 3.0])
def test_a_chain_stays_inside_at_the_ends_of_its_interval(place: float, radius: float) -> None:
    m, rng = 7, np.random.default_rng(3)
    square = [-(2 - 2 / 2**m), *(4 * (0.5**s - 0.5**m) for s in range(m))]
    for weights in (square, [rng.normal()] + [rng.normal() * 0.5**s for s in range(m)]):
        centre = np.array([[place], [place / 2]])
        for _ in range(6):
            assert_encloses(single(chain(m, weights)), 0, centre, np.full((2, 1), radius), rng)


def test_the_error_of_an_argument_passes_through_the_folds() -> None:
    """p = 123456.7 x - 123456.1 is known to 1e-11 only, and so is every folded value."""
    m, rng = 5, np.random.default_rng(5)
    network = single(chain(m, [*([0.0] * m), 1.0], (123456.7, -123456.1)))
    for _ in range(40):
        centre = rng.uniform(0.999995, 1.00001, (2, 1))
        assert_encloses(network, 0, centre, np.full((2, 1), 1e-9), rng)
