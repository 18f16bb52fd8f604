"""Networks over boxes of sequences by the vertices of phi: exact values stay inside, and a search needs fewer boxes."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check import exact_phi
from proofs_check.boxes import Boxes
from proofs_check.enclosures.interval import Floats
from proofs_check.exact_phi import ExactPhi, Sequences, bounded
from proofs_check.stages import Stage
from proofs_check.substitution import Lines
from proofs_check.sup_norm import Problem, Search, judge
from tests.proofs_check.test_propagate import exact, random_network
from tests.proofs_check.test_vertices import Outside, cut

Widths = tuple[tuple[int, ...], tuple[int, ...]]
WIDTHS: tuple[Widths, ...] = (
    ((2, 5, 3), (5, 4, 1)), ((2, 4, 4, 2), (4, 5, 4, 2)), ((2, 6, 3), (5, 1)), ((2, 3, 2), (4, 4, 3, 3, 1)))


def trained(seed: int, widths: Widths, scale: float = 1.0) -> MeanSumformer:
    """A Sumformer of dense random layers, tokens of two coordinates, stored as a trained one is."""
    rng = np.random.default_rng(seed)
    tokens = ("x.0", "x.1")

    def hidden(sizes: tuple[int, ...], reads: tuple[str, ...], prefix: str) -> tuple[list[ReluLayer], tuple[str, ...]]:
        found = []
        for k, (before, after) in enumerate(itertools.pairwise(sizes)):
            writes = tuple(f"{prefix}.{k}.{unit}" for unit in range(after))
            found.append(ReluLayer(reads, rng.normal(size=(before, after)) * scale, rng.normal(size=after) / 2, writes,
                                   np.eye(after)))
            reads = writes
        return found, reads

    d_latent = widths[0][-1]
    phi, read = hidden(widths[0][:-1], tokens, "phi")
    pooled, one = tuple(f"phi.{k}" for k in range(d_latent)), np.eye(d_latent)
    W, b = rng.normal(size=(len(read), d_latent)), rng.normal(size=d_latent)
    phi.append(ReluLayer(read, np.hstack([W, -W]), np.concatenate([b, -b]), pooled, np.vstack([one, -one])))
    psi, read = hidden(widths[1][:-1], (*tokens, *map(mean_of, pooled)), "psi")
    outputs = widths[1][-1]
    return MeanSumformer(tokens, tuple(phi), pooled, tuple(psi), read, rng.normal(size=(len(read), outputs)),
                         rng.normal(size=outputs))


def assert_between(network: MeanSumformer, own: int, n: int, centre: Floats, radii: Floats, rng: np.random.Generator) -> None:
    """Compare with exact values at random points and corners of the box; centre and radii of shape (n, 2)."""
    low, high = centre - radii, centre + radii
    phi = ExactPhi.of(network, n)
    assert phi is not None
    for output in range(network.d_out):
        tilt = rng.normal(size=(n, 2))
        whole, found = bounded(phi, own, output, low[None], high[None], centre[None], tilt[None])
        assert whole.all()
        at_centre = network(exact(centre)[None])[0, own, output]
        if abs(at_centre - Fraction(found.centre.mid[0])) > Fraction(found.centre.rad[0]):
            raise Outside
        assert np.isfinite(found.least).all()
        assert np.isfinite(found.most).all()
        for k in range(8):
            move = rng.uniform(-1, 1, centre.shape) if k % 2 else rng.choice([-1.0, 0.0, 1.0], centre.shape)
            point = np.clip(centre + move * radii, low, high)
            value = network(exact(point)[None])[0, own, output] - ((exact(point) - exact(centre)) * exact(tilt)).sum()
            if not Fraction(found.least[0]) <= value <= Fraction(found.most[0]):
                raise Outside


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(WIDTHS), st.integers(1, 3), st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 0.5]),
       st.sampled_from([1e-100, 0.3, 1.0, 1e30]))
def test_trained_shapes_stay_between(seed: int, widths: Widths, n: int, radius: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    radii = radius * rng.choice([0.0, 1.0, 1.0], (n, 2))
    assert_between(trained(seed, widths, scale), int(rng.integers(n)), n, rng.uniform(-1, 1, (n, 2)), radii, rng)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(0.0, 0.5))
def test_random_networks_stay_between(seed: int, n: int, radius: float) -> None:
    """Channels that are written again, that nothing reads, or that are pooled and read as they are."""
    rng, network = np.random.default_rng(seed), random_network(seed, 2)
    if ExactPhi.of(network, n) is None:
        return  # it has a chain of folds
    assert_between(network, int(rng.integers(n)), n, rng.uniform(-1, 1, (n, 2)), radius * rng.uniform(0, 1, (n, 2)), rng)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 1), st.sampled_from([1e-3, 0.1, 0.4]))
def test_nothing_is_lost_where_psi_is_affine(seed: int, own: int, radius: float) -> None:
    """Against the exact extremes, token by token, at exact vertices."""
    rng, network = np.random.default_rng(seed), trained(seed, ((2, 6, 3), (5, 1)))
    centre, tilt = rng.uniform(-1, 1, (2, 2)), rng.normal(size=(2, 2))
    low, high = centre - radius, centre + radius
    phi = ExactPhi.of(network, 2)
    assert phi is not None
    _, found = bounded(phi, own, 0, low[None], high[None], centre[None], tilt[None])
    ends = [exact(network.b_out)[0]] * 2
    W_own, W_mean = np.split(exact(network.W_out)[:, 0], [2])
    hidden, last = network.phi
    for token in range(2):
        (a, b), (c, d) = (tuple(map(Fraction, end[token].tolist())) for end in (low, high))
        polygons = [[(a, b), (c, b), (c, d), (a, d)]]
        for unit in range(hidden.units):
            polygons = [part for polygon in polygons for part in cut(polygon, [(hidden.W_1, hidden.bias)], unit)]
        points = np.array([vertex for polygon in polygons for vertex in polygon], dtype=object)
        features = np.maximum(points @ exact(hidden.W_1) + exact(hidden.bias), Fraction(0)) @ exact(last.W_1[:, :3])
        values = (features + exact(last.bias[:3])) @ W_mean / 2 - (points - exact(centre[token])) @ exact(tilt[token])
        values = values + (points @ W_own if token == own else 0)
        ends = [ends[0] + values.min(), ends[1] + values.max()]
    assert Fraction(found.least[0]) <= ends[0] <= Fraction(found.least[0]) + Fraction(1, 10**11)
    assert Fraction(found.most[0]) - Fraction(1, 10**11) <= ends[1] <= Fraction(found.most[0])


def without_constant(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
    good = _LINES(stage, low, high, before)
    return replace(good, mu=np.zeros_like(low))


def steep(stage: Stage, low: Floats, high: Floats, before: Floats) -> Lines:
    good = _LINES(stage, low, high, before)
    return replace(good, lam=np.where(good.mu > 0, 1.25, good.lam), kap=np.where(good.mu > 0, 1.25, good.kap))


_LINES, _ROLES = Lines.of, ExactPhi._roles


@pytest.mark.parametrize("wrong", ["without constant", "steep", "sums in place of means", "another's token is the own"])
def test_a_wrong_bound_is_noticed(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if wrong in ("without constant", "steep"):
        monkeypatch.setattr(Lines, "of", staticmethod(without_constant if wrong == "without constant" else steep))
    elif wrong == "sums in place of means":
        monkeypatch.setattr(ExactPhi, "_roles", lambda self: np.ceil(_ROLES(self)))
    else:
        monkeypatch.setattr(Sequences, "_role", lambda self, k: int(k != self.own))

    def search() -> None:
        for seed in range(60):
            rng = np.random.default_rng(seed)
            assert_between(trained(seed, WIDTHS[seed % 2]), 0, 2, rng.uniform(-1, 1, (2, 2)), np.full((2, 2), 0.4), rng)

    with pytest.raises((Outside, AssertionError, ArithmeticError)):
        search()


def test_what_it_is_not_for() -> None:
    network = trained(0, WIDTHS[0])
    doubled = replace(network, readout=(network.readout[0],) * len(network.readout))
    assert ExactPhi.of(doubled, 2) is None
    wide = MeanSumformer(("x.0", "x.1", "x.2"), (), ("x.0",), (), ("mean.x.0",), np.eye(1), np.zeros(1))
    assert ExactPhi.of(wide, 2) is None
    line = MeanSumformer(("x.0",), (), ("x.0",), (), ("mean.x.0",), np.eye(1), np.zeros(1))
    assert ExactPhi.of(line, 2) is None


def test_what_is_known_of_tokens_is_looked_up_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    phi = ExactPhi.of(trained(3, WIDTHS[0]), 2)
    assert phi is not None
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 1, (9, 2))
    known, first = phi.look_up(low, low + 0.1, low + 0.05)
    again, places = phi.look_up(low[::-1], low[::-1] + 0.1, low[::-1] + 0.05)
    assert again is known
    assert places.tolist() == first[::-1].tolist()
    assert len(phi.place) == 9
    monkeypatch.setattr(exact_phi, "REMEMBERED", known.size - 1)
    anew, places = phi.look_up(low[:1], low[:1] + 0.2, low[:1] + 0.1)
    assert places.tolist() == [0]
    assert len(anew.low) == len(phi.place) == 1
    assert len(known.low) == 9  # whoever is at work with it keeps it


def test_threads_that_look_up_and_forget_read_what_belongs_to_their_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a worker with several threads."""
    monkeypatch.setattr(exact_phi, "REMEMBERED", 1000)
    monkeypatch.setattr(exact_phi, "AT_ONCE", 5)
    network, rng = trained(4, WIDTHS[0]), np.random.default_rng(1)
    phi = ExactPhi.of(network, 2)
    assert phi is not None
    tasks = []
    for _ in range(40):
        low = rng.uniform(0, 1, (16, 2, 2))
        tasks.append((low, low + 0.2, low + 0.1, np.zeros((16, 2, 2))))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda task: bounded(phi, 0, 0, *task)[1], tasks))
    for task, found in zip(tasks, together, strict=True):
        alone = bounded(phi, 0, 0, *task)[1]
        np.testing.assert_allclose(found.least, alone.least, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found.most, alone.most, rtol=1e-12, atol=1e-12)


def fitted(seed: int, units: int) -> tuple[Target, MeanSumformer]:
    """mean(y[0] * y[1]) by random units of the tokens, the best in the mean square."""
    target = resolve("mean(y[0]*y[1])", n=2, d=2, domain="0,1")
    assert isinstance(target, Target)
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(2, units))
    b = -np.einsum("cu,cu->u", W, rng.uniform(0, 1, (2, units)))
    x = rng.uniform(0, 1, (4000, 2))
    hidden = np.maximum(x @ W + b, 0.0)
    weights = np.linalg.lstsq(np.concatenate([hidden, np.ones((4000, 1))], axis=1), x[:, 0] * x[:, 1], rcond=None)[0]
    layer = ReluLayer(("x.0", "x.1"), W, b, ("h",), weights[:-1, None])
    return target, MeanSumformer(("x.0", "x.1"), (layer,), ("h",), (), ("mean.h",), np.eye(1), weights[-1:])


def test_a_search_needs_a_fraction_of_the_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    target, network = fitted(0, 16)
    token = np.stack(np.meshgrid(*[np.linspace(0, 1, 301)] * 2), axis=-1).reshape(-1, 1, 2)
    x = np.repeat(token, 2, axis=1)  # both tokens alike: then the error is that of one
    limit = Fraction(float(np.abs(network(x) - target.numpy(x)).max())) * Fraction(5, 4)
    judged = []
    for _ in range(2):
        search = Search.begin(Problem.of(target.outputs, network, 2, target.box.sides), limit)
        search.run(60)
        assert search.finished
        assert search.witness is None
        judged.append(search.judged)
        monkeypatch.setattr(ExactPhi, "of", staticmethod(lambda network, n: None))
    assert 4 * judged[0] < judged[1]


def test_judged_boxes_hold_sampled_errors_whether_whole_or_not() -> None:
    """Boxes of all sizes together: of some tokens there are too many cells."""
    target, network = fitted(2, 60)
    rng = np.random.default_rng(3)
    side = np.repeat([0.9, 0.2, 1e-2], 10)[:, None]
    low = rng.uniform(0, 1 - side, (30, 4))
    boxes = Boxes(low, low + side, np.full(30, np.inf), np.zeros(30, dtype=int), np.zeros(30, dtype=int))
    problem = Problem.of(target.outputs, network, 2, target.box.sides)
    found = judge(problem, boxes, 0)
    phi = ExactPhi.of(network, 2)
    assert phi is not None
    assert phi.known is not None
    assert 0 < phi.known.vertices.whole.sum() < len(phi.known.vertices.whole)
    points = rng.uniform(low, low + side, (500, 30, 4)).reshape(500, 30, 2, 2)
    gaps = np.abs(target.numpy(points) - network(points))[:, :, 0, 0]
    assert (gaps.max(axis=0) <= found.upper).all()
    middle = np.abs(target.numpy(boxes.centre.reshape(30, 2, 2)) - network(boxes.centre.reshape(30, 2, 2)))[:, 0, 0]
    np.testing.assert_allclose(found.occurs, middle, atol=1e-12)


@pytest.mark.parametrize("text", ["sqrt(x[0]) + mean(y[1])", "mean(abs(x[0] - y[0])) + max(y[1])", "relu(x[0] - 1/3)*mean(y[1])"])
def test_targets_without_slopes_or_with_kinks_are_bounded_by_ranges(text: str) -> None:
    target = resolve(text, n=2, d=2, domain="0,1")
    network, rng = trained(6, WIDTHS[0], 0.5), np.random.default_rng(2)
    problem = Problem.of(target.outputs, network, 2, target.box.sides)
    low = np.sort(rng.uniform(0, 0.5, (24, 2, 2)), axis=1)[:, ::-1].reshape(24, 4) * rng.choice([0.0, 1.0], (24, 1))
    boxes = Boxes(low, low + 0.4, np.full(24, np.inf), np.zeros(24, dtype=int), np.zeros(24, dtype=int))
    found = judge(problem, boxes, 0)
    assert np.isfinite(found.upper).all()
    points = rng.uniform(low, low + 0.4, (200, 24, 4))
    sorted_ = points[..., 0] >= points[..., 2]
    points = points.reshape(200, 24, 2, 2)
    gaps = np.abs(target.numpy(points) - network(points))[:, :, 0, 0]
    assert (np.where(sorted_, gaps, 0.0).max(axis=0) <= found.upper).all()
