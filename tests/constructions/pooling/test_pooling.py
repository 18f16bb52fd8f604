"""Every head returns Sigma exactly over the rationals, whatever its free parameters are; the printed Linformer does not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.errors import BadInput
from constructions.pooling import ARCHITECTURES, LinformerHead, PoolingHead, pooling_head
from constructions.pooling.head import NotExact

RATIONALS = st.fractions(min_value=-50, max_value=50, max_denominator=30)
ROUTES = [(1, 3), (2, 4)]
D_MODEL = 5


@st.composite
def streams(draw: st.DrawFn) -> np.ndarray:
    n = draw(st.integers(2, 6))
    entries = draw(st.lists(RATIONALS, min_size=n * D_MODEL, max_size=n * D_MODEL))
    stream = np.empty((n, D_MODEL), dtype=object)
    stream.flat = entries
    return stream


def sums(stream: np.ndarray) -> list[list[Fraction]]:
    """What the channels 3 and 4 must hold: the sums of channels 1 and 2, everything else 0, in every row."""
    row = [Fraction(0)] * 3 + [sum((token[i] for token in stream), Fraction(0)) for i, _ in ROUTES]
    return [row] * len(stream)


def heads(k: int, features: int, seed: int) -> list[PoolingHead]:
    return [pooling_head(name, linformer_k=k, performer_features=features, seed=seed) for name in ARCHITECTURES]


@settings(deadline=None, max_examples=40)
@given(streams(), st.integers(1, 9), st.integers(1, 7), st.integers(0, 2**32))
def test_every_head_is_the_sum_for_any_k_and_any_features(stream: np.ndarray, k: int, features: int, seed: int) -> None:
    for head in heads(k, features, seed):
        weights = head.weights(D_MODEL, ROUTES, len(stream))
        assert head.reference(stream, weights).tolist() == sums(stream)


@settings(deadline=None, max_examples=20)
@given(streams(), st.integers(1, 5), st.integers(0, 2**32))
def test_the_projection_e_of_the_linformer_plays_no_part(stream: np.ndarray, k: int, seed: int) -> None:
    head = LinformerHead(k)
    weights = head.weights(D_MODEL, ROUTES, len(stream))
    weights["E"] = np.random.default_rng(seed).standard_normal(weights["E"].shape)
    assert head.reference(stream, weights).tolist() == sums(stream)


@pytest.mark.parametrize(("n", "k"), [(3, 1), (3, 2), (3, 3), (5, 2)])
def test_the_printed_projection_of_the_linformer_gives_n_over_k_times_sigma(n: int, k: int) -> None:
    stream = np.frompyfunc(Fraction, 1, 1)(np.arange(n * D_MODEL).reshape(n, D_MODEL))
    head = LinformerHead(k)
    weights = head.weights(D_MODEL, ROUTES, n)
    printed = {**weights, "F": np.full((k, n), Fraction(1, k), dtype=object), "W_V": weights["W_V"] * n}
    scaled = [[entry * Fraction(n, k) for entry in row] for row in sums(stream)]
    assert head.reference(stream, printed).tolist() == scaled
    assert (scaled == sums(stream)) == (n == k)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_that_depend_on_the_tokens_are_refused_and_not_rounded(name: str) -> None:
    stream = np.frompyfunc(Fraction, 1, 1)(np.arange(15).reshape(3, 5) + 1)
    head = pooling_head(name)
    weights = head.weights(D_MODEL, ROUTES, 3)
    weights["W_Q"][1, 0] = weights["W_K"][1, 0] = 1
    with pytest.raises(NotExact, match="not all 0"):
        head.reference(stream, weights)


@pytest.mark.parametrize("options", [{"linformer_k": 0}, {"performer_features": 0}])
def test_a_head_without_slots_or_features_is_bad_input(options: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="expected"):
        heads(options.get("linformer_k", 1), options.get("performer_features", 1), 0)


def test_every_weight_of_every_head_is_a_float32_number() -> None:
    for head in heads(3, 5, 7):
        for array in head.weights(D_MODEL, ROUTES, 6).values():
            assert np.array_equal(array.astype(np.float32), array)
