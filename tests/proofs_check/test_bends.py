"""Where phi bends: all places and no others, and what cutting there changes of a search."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.targets.library import resolve
from proofs_check.bends import MOST, nearest, token_bends
from proofs_check.boxes import Comparison
from proofs_check.relu_pieces import linear_pieces
from proofs_check.sup_norm import Problem, Search

Stack = list[tuple[np.ndarray, np.ndarray]]


def random_stack(seed: int, widths: tuple[int, ...]) -> Stack:
    generator = np.random.default_rng(seed)
    return [(generator.normal(size=(before, after)), generator.normal(size=after))
            for before, after in itertools.pairwise(widths)]


def sumformer(stack: Stack) -> MeanSumformer:
    """phi is the stack with ReLU after every map but the last, which the readout applies; psi is linear."""
    channels = [("x.0",), *(tuple(f"h{k}.{j}" for j in range(W.shape[1])) for k, (W, _) in enumerate(stack[:-1]))]
    layers = tuple(ReluLayer(channels[k], W, b, channels[k + 1], np.eye(W.shape[1])) for k, (W, b) in enumerate(stack[:-1]))
    W, b = stack[-1]
    return MeanSumformer(("x.0",), layers, channels[-1], (), tuple(f"mean.{name}" for name in channels[-1]), W, b)


@given(st.integers(0, 10**6), st.sampled_from([(1, 1, 1), (1, 6, 2), (1, 5, 5, 1), (1, 4, 4, 4, 2)]))
@settings(max_examples=60, deadline=None)
def test_every_end_of_a_linear_piece_is_found(seed: int, widths: tuple[int, ...]) -> None:
    stack = random_stack(seed, widths)
    found = token_bends(sumformer(stack), 0.0, 1.0)
    assert np.all(np.diff(found) > 0)
    assert np.all((found > 0) & (found < 1))
    features = linear_pieces([*stack[:-1], (np.eye(widths[-2]), np.zeros(widths[-2]))])
    wanted = np.array([float(end) for end in features.ends[1:-1]])
    for end in wanted:
        assert np.abs(found - end).min(initial=np.inf) < 1e-9
    for place in found:
        assert np.abs(wanted - place).min(initial=np.inf) < 1e-6


def test_no_places_for_two_coordinates_nor_for_more_than_can_be_kept() -> None:
    fold = ReluLayer(("x.0",), np.array([[1.0, 1.0]]), np.array([0.0, -0.5]), ("x.0",), np.array([[1.0], [-4.0]]))  # 2x, 2 - 2x
    for folds, expected in ((6, 2**6 - 1), (20, 0)):
        sawtooth = MeanSumformer(("x.0",), (fold,) * folds, ("x.0",), (), ("mean.x.0",), np.eye(1), np.zeros(1))
        assert token_bends(sawtooth, 0.0, 1.0).size == expected <= MOST
    plane = MeanSumformer(("x.0", "x.1"), (), ("x.0",), (), ("mean.x.0",), np.eye(1), np.zeros(1))
    assert token_bends(plane, 0.0, 1.0).size == 0


def test_the_nearest_place_within_reach_is_taken() -> None:
    middle, reach = np.array([0.5, 0.5, 0.9, 0.1]), np.array([0.25, 0.05, 0.2, 0.2])
    assert nearest(np.array([0.4, 0.62]), middle, reach).tolist() == [0.4, 0.5, 0.9, 0.1]
    assert nearest(np.zeros(0), middle, reach).tolist() == middle.tolist()


def test_a_search_that_cuts_at_bends_proves_the_same_with_fewer_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chords of a square between knots that halving never meets."""
    knots = np.linspace(0.0, 1.0, 12)[1:-1]
    ends = np.array([0.0, *knots, 1.0])
    slopes = np.diff(ends**2) / np.diff(ends)
    table = ReluLayer(("x.0",), np.ones((1, 11)), -ends[:-1], ("h",), np.diff(slopes, prepend=0.0)[:, None])
    network = MeanSumformer(("x.0",), (table,), ("h",), (), ("mean.h",), np.eye(1), np.zeros(1))
    target = resolve("mean(y**2)", n=3, d=1, domain="0,1")
    problem = Problem.of(target.outputs, network, 3, target.box.sides)
    judged = []
    for cuts in (Problem.cuts, Comparison.cuts):
        monkeypatch.setattr(Problem, "cuts", cuts)
        search = Search.begin(problem, Fraction(11, 10) / 484)
        search.run(20)
        assert search.finished
        assert search.witness is None
        judged.append(search.judged)
    assert 2 * judged[0] < judged[1]


def test_a_search_cuts_at_bends_only_where_that_helps() -> None:
    """Not if the target bends itself: a kink of f that is no floating point number would lie in both halves."""
    hat = ReluLayer(("x.0",), np.ones((1, 1)), np.array([-0.3]), ("h",), np.eye(1))
    network = MeanSumformer(("x.0",), (hat,), ("h",), (), ("mean.h",), np.eye(1), np.zeros(1))
    texts = {"mean(y**2)": 0.3, "mean(relu(y - 3/10))": 0.5, "max(y) + mean(y)": 0.5, "mean(maximum(y, x))": 0.5}
    for text, expected in texts.items():
        target = resolve(text, n=2, d=1, domain="0,1")
        problem = Problem.of(target.outputs, network, 2, target.box.sides)
        boxes = problem.start()
        assert np.allclose(problem.cuts(boxes, np.zeros(len(boxes.case), dtype=int)), expected)
