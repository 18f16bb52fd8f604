"""Extremes of functionals of phi over boxes of tokens, beside all vertices in exact rational numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check import cells as cutting
from proofs_check import vertices as looking
from proofs_check.cells import MOST_CELLS, Cells
from proofs_check.enclosures.interval import Floats
from proofs_check.stages import Stages
from proofs_check.vertices import Hulls, Vertices

Point = tuple[fmpq, fmpq]
exact = np.frompyfunc(lambda value: fmpq(*float(value).as_integer_ratio()), 1, 1)  # ten times faster than fractions
Exact = list[tuple[np.ndarray, np.ndarray]]
SHAPES = ((2, 1, 1), (2, 4, 2), (2, 7, 3), (2, 3, 3, 2), (2, 5, 4, 3, 1))
ODD = (0.0, 1.0, -1.0, 0.5, -0.5, 1.0 + 2.0**-52, 1.0 - 2.0**-53, -1.0 + 2.0**-50, 2.0**-30, 0.1, 1 / 3)


class Outside(Exception):
    """A value is outside its enclosure."""


@pytest.fixture(scope="module", autouse=True)
def many_cells() -> Iterator[None]:
    """No drawn box has too many cells."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cutting, "MOST_CELLS", 10**5)
        yield


def plane(weights: list[tuple[Floats, Floats]]) -> MeanSumformer:
    """phi is a stack of maps with ReLU after each but the last; psi is the mean of its first feature."""
    tokens = reads = ("x.0", "x.1")
    layers = []
    for k, (W, b) in enumerate(weights[:-1]):
        writes = tuple(f"h{k}.{unit}" for unit in range(W.shape[1]))
        layers.append(ReluLayer(reads, W, b, writes, np.eye(W.shape[1])))
        reads = writes
    W, b = weights[-1]
    pooled, one = tuple(f"phi.{k}" for k in range(W.shape[1])), np.eye(W.shape[1])
    layers.append(ReluLayer(reads, np.hstack([W, -W]), np.concatenate([b, -b]), pooled, np.vstack([one, -one])))
    readout = tuple(map(mean_of, pooled))
    return MeanSumformer(tokens, tuple(layers), pooled, (), readout, np.ones((len(readout), 1)), np.zeros(1))


def drawn(seed: int, widths: tuple[int, ...], *, odd: bool) -> list[tuple[Floats, Floats]]:
    """Normal weights; or from a short list, so that lines coincide, are parallel, almost so, or meet in corners."""
    rng = np.random.default_rng(seed)
    pick = (lambda *shape: rng.choice(ODD, shape)) if odd else (lambda *shape: rng.normal(size=shape))
    return [(pick(a, b), pick(b) / 2) for a, b in itertools.pairwise(widths)]


def oracle(weights: Exact, low: Floats, high: Floats) -> list[Point]:
    """All vertices of the cells on which the stack is affine, on one box, by exact cuts of exact polygons; exact weights."""
    (a, b), (c, d) = exact(low), exact(high)
    polygons: list[list[Point]] = [[(a, b), (c, b), (c, d), (a, d)]]
    for depth, (W, _) in enumerate(weights[:-1]):
        for unit in range(W.shape[1]):
            polygons = [part for polygon in polygons for part in cut(polygon, weights[: depth + 1], unit)]
    return [vertex for polygon in polygons for vertex in polygon]


def cut(polygon: list[Point], weights: Exact, unit: int) -> list[list[Point]]:
    values = [arguments(weights, corner)[unit] for corner in polygon]
    if min(values) >= 0 or max(values) <= 0:
        return [polygon]
    parts: list[list[Point]] = [[], []]
    for k, (p, v) in enumerate(zip(polygon, values, strict=True)):
        q, w = polygon[(k + 1) % len(polygon)], values[(k + 1) % len(polygon)]
        for part, side in zip(parts, (v >= 0, v <= 0), strict=True):
            if side:
                part.append(p)
        if v * w < 0:
            share = v / (v - w)
            crossing = (p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1]))
            parts = [[*part, crossing] for part in parts]
    return parts


def arguments(weights: Exact, token: Point) -> np.ndarray:
    """What the last map gives, in rational numbers."""
    values = np.array(token, dtype=object)
    for k, (W, b) in enumerate(weights):
        values = values @ W + b
        values = np.maximum(values, fmpq(0)) if k + 1 < len(weights) else values
    return values


def absolute(weights: list[tuple[Floats, Floats]], largest: Floats) -> Floats:
    """The features of absolute values: what rounding is relative to."""
    for W, b in weights:
        largest = largest @ np.abs(W) + np.abs(b)
    return largest


def look(network: MeanSumformer, low: Floats, high: Floats) -> Vertices:
    stages = Stages.of(network)
    assert stages is not None
    return Vertices.of(stages.phi, stages.tokens, low, high)


def assert_right(weights: list[tuple[Floats, Floats]], low: Floats, high: Floats, rng: np.random.Generator) -> float:
    """Compare ends of functionals of coordinates and features, one box; returns how far from tight, relative to what is added."""
    features = len(weights[-1][1])
    found = look(plane(weights), low[None], high[None])
    assert found.whole.all()
    functionals = rng.normal(size=(3, 2 + features))
    least, most = found.at(np.array([0])).ends(functionals[None])
    rational = [(exact(W), exact(b)) for W, b in weights]
    values = np.array([[*vertex, *arguments(rational, vertex)] for vertex in oracle(rational, low, high)], dtype=object)
    reached = values @ exact(functionals).T
    true_least, true_most = reached.min(axis=0), reached.max(axis=0)
    if not ((exact(least[0]) <= true_least) & (true_most <= exact(most[0]))).all():
        raise Outside
    if not (abs(values).max(axis=0) <= exact(found.size[0])).all():
        raise Outside
    largest = np.maximum(np.abs(low), np.abs(high))
    size = float((np.abs(functionals) @ np.concatenate([largest, absolute(weights, largest)])).max()) or 1.0
    return float(max((true_least - exact(least[0])).max(), (exact(most[0]) - true_most).max())) / size


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(SHAPES), st.booleans(), st.sampled_from([0.0, 1e-12, 1e-3, 0.3, 1.0]))
def test_ends_are_right_and_tight_to_rounding(seed: int, widths: tuple[int, ...], odd: bool, side: float) -> None:
    rng = np.random.default_rng(seed)
    low = rng.choice([0.0, 0.25, -0.5, 0.1], 2) if odd else rng.uniform(-1, 1, 2)
    high = low + side * rng.choice([0.0, 0.5, 1.0, 1.0], 2)
    assert assert_right(drawn(seed, widths, odd=odd), low, high, rng) < 1e-12


LINES = {
    "coinciding": [(1, 1, -1), (2, 2, -2), (-1, -1, 1)],
    "parallel and 1e-16 apart": [(1, 1, -1), (1, 1, -1 + 2.0**-53), (1, 1, -1 - 2.0**-52), (1, 1 + 2.0**-52, -1)],
    "through one point": [(1, 1, -1), (1, -1, 0), (3, 1, -2), (1, 3, -2), (0, 1, -0.5), (1, 0, -0.5)],
    "almost through one point": [(0.1, 0.3, -0.2), (1 / 3, -1, 1 / 3), (0.7, 0.1, -0.4), (1 / 7, 1 / 7, -1 / 7)],
    "through corners": [(1, -1, 0), (1, 1, -1), (1, 1, 0), (1, 1, -2), (1, 0, 0), (0, 1, -1)],
    "along edges": [(1, 0, 0), (1, 0, -1), (0, 1, 0), (0, -1, 1), (1, 2.0**-40, 0)],
    "no line": [(0, 0, 1), (0, 0, 0), (0, 0, -1)],
    "tiny and huge": [(1e-300, -1e-300, 0), (1e100, -1e100, 1e80), (1e-310, 1e-310, -1e-310), (1e150, 1e-150, -5e149)],
}


@pytest.mark.parametrize("name", LINES)
def test_degenerate_arrangements(name: str) -> None:
    lines = np.array(LINES[name], dtype=float)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        weights = [(lines[:, :2].T, lines[:, 2]), (rng.normal(size=(len(lines), 2)), rng.normal(size=2))]
        for low, high in (([0, 0], [1, 1]), ([0, 0], [0.5, 1]), ([0.5, 0.5], [0.5 + 2.0**-40, 1]), ([0.5, 0.5], [0.5, 0.5])):
            assert assert_right(weights, np.array(low, dtype=float), np.array(high, dtype=float), rng) < 1e-12


def test_boxes_are_looked_at_together_as_alone() -> None:
    rng, weights = np.random.default_rng(1), drawn(1, (2, 9, 6, 3), odd=False)
    low = rng.uniform(-1, 0.5, (40, 2))
    high = low + rng.choice([1e-3, 0.1, 0.5], (40, 1))
    functionals = rng.normal(size=(40, 4, 5))
    together = look(plane(weights), low, high).at(np.arange(40)).ends(functionals)
    parts = [look(plane(weights), low[k: k + 1], high[k: k + 1]) for k in range(40)]
    alone = Vertices.joined(parts).at(np.arange(40)).ends(functionals)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def search(rng: np.random.Generator) -> None:
    for seed in range(30):
        assert_right(drawn(seed, (2, 6, 4, 2), odd=False), np.array([-0.7, -0.6]), np.array([0.8, 0.5]), rng)


def test_a_smaller_offset_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends moved inwards by a millionth."""
    right = Hulls.ends

    def wrong(self: Hulls, functionals: Floats) -> tuple[Floats, Floats]:
        low, high = right(self, functionals)
        return low + 1e-6 * (high - low), high - 1e-6 * (high - low)

    monkeypatch.setattr(Hulls, "ends", wrong)
    with pytest.raises(Outside):
        search(np.random.default_rng(0))


def test_a_missed_corner_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Vertices.at

    def wrong(self: Vertices, boxes: np.ndarray) -> Hulls:
        found = right(self, boxes)
        return replace(found, values=found.values[:, ::2])

    monkeypatch.setattr(Vertices, "at", wrong)
    with pytest.raises(Outside):
        search(np.random.default_rng(0))


def test_a_missed_cell_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = cutting.cells

    def wrong(*given: object) -> tuple[Cells, np.ndarray]:
        found, whole = right(*given)  # type: ignore[arg-type]
        corner = (found.corners == found.corners.min(axis=(0, 1))).all(axis=2).any(axis=1)
        return found.take(np.flatnonzero(~corner | (len(corner) == 1))), whole

    monkeypatch.setattr(looking, "cells", wrong)
    with pytest.raises(Outside):
        search(np.random.default_rng(0))


@pytest.mark.parametrize("place", ["first corner", "anywhere", "one and a bit"])
def test_places_of_cuts_are_trusted_for_nothing(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut at wrong places the cells still cover the box, and what units do there is seen at their corners."""
    right, rng = cutting._between, np.random.default_rng(5)

    def wrong(a: Floats, b: Floats, at_a: Floats, at_b: Floats) -> Floats:
        if place == "one and a bit":
            return right(a, b, at_a * rng.uniform(0.99, 1.0, at_a.shape), at_b)
        share = 0.0 if place == "first corner" else rng.uniform(0, 1, (len(a), 1))
        return a + share * (b - a)

    monkeypatch.setattr(cutting, "_between", wrong)
    search(np.random.default_rng(0))


def test_what_cuts_leave_must_be_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut at wrong places, and units taken to be affine on cells."""
    monkeypatch.setattr(cutting, "_between", lambda a, b, at_a, at_b: (a + b) / 2)
    right = looking._followed

    def wrong(*given: object) -> object:
        channels, dev, lipschitz = right(*given)  # type: ignore[arg-type]
        return channels, 0 * dev, lipschitz

    monkeypatch.setattr(looking, "_followed", wrong)
    with pytest.raises(Outside):
        search(np.random.default_rng(0))


def test_a_box_with_too_many_cells_is_not_whole_but_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_CELLS", MOST_CELLS)
    weights = drawn(0, (2, 40, 2), odd=False)
    low, high = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    found = look(plane(weights), np.stack([low, low]), np.stack([high, low + 1e-6]))
    assert found.whole.tolist() == [False, True]
    assert found.count[0] < 4 * MOST_CELLS
    functionals, rng = np.eye(4)[None], np.random.default_rng(0)
    least, most = found.at(np.array([0])).ends(functionals)
    rational = [(exact(W), exact(b)) for W, b in weights]
    for _ in range(50):
        token = tuple(exact(rng.uniform(-1, 1, 2)))
        values = np.array([*token, *arguments(rational, token)], dtype=object)
        assert ((exact(least[0]) <= values) & (values <= exact(most[0]))).all()


@pytest.mark.parametrize("weight", [1e300, float("inf"), float("nan")])
def test_overflow_is_nothing_known(weight: float) -> None:
    weights = [(np.array([[weight, 1.0], [1.0, weight]]), np.zeros(2)), (np.full((2, 1), 1e10), np.zeros(1))]
    assert not look(plane(weights), np.zeros((1, 2)), np.ones((1, 2))).whole.any()


def test_huge_coordinates_are_not_cut() -> None:
    weights = [(np.array([[1.0], [1.0]]), np.zeros(1)), (np.ones((1, 1)), np.zeros(1))]
    assert not look(plane(weights), np.full((1, 2), -1e300), np.full((1, 2), 1e300)).whole.any()
