"""Assembled blocks compute the Sumformer exactly, keep Sigma in the stream, and say truly how large they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions.architectures import Architecture, Layout, assemble
from constructions.construct import construct, plan
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.sumformers import Sumformer
from constructions.targets.library import resolve

CASES = [("f", "1/5", 3, 1, "bose-chowla"), ("f", "1/5", 3, 1, "positional"), ("x*mean(y)", "1/4", 4, 1, "packed"),
         ("x[0]*mean(y[1])", "1/2", 2, 2, "auto"), ("moments", "1/4", 3, 1, "auto")]


def built(text: str, eps: str, n: int, d: int, code: str) -> Sumformer:
    target = resolve(text, n=n, d=d, domain="0,1")
    return construct(target, plan(target, Fraction(eps), [pooling_head("transformer")], code=code), []).sumformer


def rational_sequences(sumformer: Sumformer, count: int, seed: int) -> list[np.ndarray]:
    """Random rationals, thresholds themselves, and the corners of the domain."""
    rng = np.random.default_rng(seed)
    d = len(sumformer.phi.inputs)
    pool = [Fraction(int(p), 97) for p in rng.integers(0, 98, 20)] + [Fraction(0), Fraction(1)]
    pool += [Fraction(float(t)) for t in sumformer.phi.nodes[0].table.thresholds]
    return [np.array([[pool[i] for i in rng.integers(0, len(pool), d)] for _ in range(sumformer.n)], dtype=object)
            for _ in range(count)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_equals_the_sumformer_over_the_rationals(name: str, case: tuple[str, str, int, int, str]) -> None:
    sumformer = built(*case)
    architecture = assemble(sumformer, pooling_head(name, linformer_k=3, performer_features=2))
    for tokens in rational_sequences(sumformer, 4, 0):
        assert architecture.reference(tokens).tolist() == sumformer(tokens).tolist()


def test_a_changed_weight_changes_the_output() -> None:
    sumformer = built(*CASES[0])
    architecture = assemble(sumformer, pooling_head("transformer"))
    attention = next(block.attention for block in architecture.blocks if block.attention is not None)
    attention["W_V"][attention["W_V"] != 0] *= 0.5
    sequences = rational_sequences(sumformer, 8, 1)
    assert any(architecture.reference(tokens).tolist() != sumformer(tokens).tolist() for tokens in sequences)


def test_the_stream_is_one_then_tokens_then_phi_then_sigma_then_work_channels() -> None:
    assert Layout.of(built(*CASES[3])).channels == ("1", "x.0", "x.1", "phi.0", "sigma.0", "cell.0", "cell.1", "rank.0", "y.0")


@pytest.mark.parametrize("case", CASES)
def test_one_block_attends_and_its_feed_forward_layer_keeps_sigma(case: tuple[str, str, int, int, str]) -> None:
    architecture = assemble(built(*case), pooling_head("linformer"))
    attending = [block for block in architecture.blocks if block.attention is not None]
    assert len(attending) == 1
    assert attending[0].feed_forward.carries == tuple(c for c in architecture.layout.channels if c.startswith("sigma."))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_counts_are_those_of_the_dense_arrays(name: str) -> None:
    architecture = assemble(built(*CASES[2]), pooling_head(name, linformer_k=2, performer_features=3))
    arrays = dense_arrays(architecture)
    assert architecture.n_parameters == sum(array.size for array in arrays)
    assert architecture.n_nonzero == sum(int(np.count_nonzero(array)) for array in arrays)


def dense_arrays(architecture: Architecture) -> list[np.ndarray]:
    arrays = [architecture.W_embed, architecture.b_embed, architecture.W_out]
    for block in architecture.blocks:
        arrays += [*(block.attention or {}).values(), *block.feed_forward.dense(architecture.layout)[:2]]
    return arrays
