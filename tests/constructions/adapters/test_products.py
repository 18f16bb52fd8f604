"""Compiled monomials: the network's values up to rounding, each made of one that is there, nothing left of the batch before."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from constructions.adapters import CompiledMeanSumformer, compiled_mean
from constructions.adapters.products import Products
from constructions.network.monomials import factors
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of
from proofs_check.channels import ambiguity
from tests.proofs_check.odd_networks import exact_output, odd_network

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def polynomial(seed: int, d: int, count: int) -> MeanSumformer:
    """A random psi of two layers on the own token and the means of the first monomials; its weights are float32 numbers."""
    rng, tokens = np.random.default_rng(seed), tuple(f"x.{c}" for c in range(d))
    own = {f"m{k}": one for k, one in enumerate(factors(d, count))}

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32) / shape[0]

    layers, reads = [], (*tokens, *map(mean_of, own))
    for k in range(2):
        writes = tuple(f"h{k}.{j}" for j in range(6))
        layers.append(ReluLayer(reads, weights(len(reads), 6), weights(6), writes, np.eye(6)))
        reads = writes
    return MeanSumformer(tokens, (), tuple(own), tuple(layers), reads, weights(6, 2), weights(2), own)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 9), st.sampled_from([torch.float64, torch.float32]))
def test_it_is_the_network_up_to_rounding(seed: int, d: int, count: int, dtype: torch.dtype) -> None:
    network, rng = polynomial(seed, d, count), np.random.default_rng(seed)
    tokens = rng.uniform(-1, 1, (3, 4, d)).astype(np.float32).astype(np.float64)
    values = CompiledMeanSumformer(network, "cpu", dtype)(torch.from_numpy(tokens).to(dtype)).double().numpy()
    for sequence, found in zip(tokens, values, strict=True):
        exactly = [[Fraction(float(value)) for value in token] for token in sequence]
        wanted = [[float(value) for value in exact_output(network, exactly, own)] for own in range(len(exactly))]
        assert np.abs(found - wanted).max() < 100 * torch.finfo(dtype).eps


def test_chunks_counts_and_batches_do_not_change_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = CompiledMeanSumformer(polynomial(0, 2, 8))
    tokens = torch.rand(5, 40, 2, dtype=torch.float64)
    whole = compiled(tokens)
    repeated = compiled(torch.cat([tokens[:, :2], tokens[:, :1]], dim=1)), compiled(tokens[:, :2], [2, 1])
    torch.testing.assert_close(repeated[0][:, :2], repeated[1], rtol=0, atol=1e-14)
    for numbers in (100, 2000):
        monkeypatch.setattr(compiled_mean, "STREAM_NUMBERS", {"cpu": numbers})
        torch.testing.assert_close(compiled(tokens), whole, rtol=0, atol=1e-14)


def sizes(network: MeanSumformer) -> MeanSumformer:
    """Return the network that adds up the sizes of what another adds up, on the sizes of its tokens."""
    def layers(part: tuple[ReluLayer, ...]) -> tuple[ReluLayer, ...]:
        return tuple(replace(one, W_1=np.abs(one.W_1), bias=np.abs(one.bias), W_2=np.abs(one.W_2)) for one in part)

    return replace(network, phi=layers(network.phi), psi=layers(network.psi), W_out=np.abs(network.W_out),
                   b_out=np.abs(network.b_out))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 4))
@example(4, 3, 2)  # huge weights that cancel
def test_odd_networks_with_monomials_read_nothing_that_was_there_before(seed: int, d: int, n: int) -> None:
    network, rng = odd_network(seed, d, 2, extreme=False, monomials=3), np.random.default_rng(seed)
    assume(not ambiguity(network))
    compiled, tokens = CompiledMeanSumformer(network), rng.uniform(-1, 1, (2, n, d))
    for _ in range(2):
        compiled._memory._numbers.fill_(float("nan"))
        values = compiled(torch.from_numpy(tokens)).numpy()
        assert (np.abs(values - network(tokens)) <= 1e-13 * (1 + sizes(network)(np.abs(tokens)))).all()


def test_each_monomial_is_one_product_of_one_that_is_there() -> None:
    steps = Products.of(factors(2, 9), 2).steps
    assert steps[:2] == ((0, ()), (1, ()))
    assert all(len(others) == 1 for _, others in steps[2:])
    assert Products.of([(1, 0, 1), (1, 0)], 2).steps == ((1, (0, 1)), (1, (0,)))
