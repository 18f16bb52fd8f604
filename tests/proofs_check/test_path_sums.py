"""Lipschitz constants over all paths: equal to those by hand, never below a secant, larger when a weight grows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.continuous import compile_target
from constructions.network.relu import MeanSumformer, ReluLayer, mean_of, run
from constructions.targets.library import resolve
from proofs_check.path_sums import lipschitz_of_phi, lipschitz_of_psi

TARGETS = ("f", "standardise", "figure-2")


def by_hand(second: float = -0.5) -> MeanSumformer:
    """phi = 3 relu(2 x - 1), psi = 7 (relu(x - mu) - mu / 2)."""
    phi = ReluLayer(("x.0",), np.array([[2.0]]), np.array([-1.0]), ("p",), np.array([[3.0]]))
    mean = mean_of("p")
    psi = ReluLayer(("x.0", mean), np.array([[1.0, 0.0], [-1.0, 1.0]]), np.zeros(2), ("q",), np.array([[1.0], [second]]))
    return MeanSumformer(("x.0",), (phi,), ("p",), (psi,), ("q",), np.array([[7.0]]), np.zeros(1))


def test_the_constants_of_a_network_written_by_hand() -> None:
    assert lipschitz_of_phi(by_hand()) == 6
    assert lipschitz_of_psi(by_hand()) == Fraction(21, 2)


def test_tiny_and_huge_weights_lose_nothing() -> None:
    network = by_hand()
    tiny = replace(network.phi[0], W_1=np.array([[5e-324]]), W_2=np.array([[1e308]]))
    assert lipschitz_of_phi(replace(network, phi=(tiny,))) >= Fraction(5e-324) * Fraction(1e308)
    huge = replace(network.phi[0], W_1=np.array([[1e308]]), W_2=np.array([[1e308]]))
    assert lipschitz_of_phi(replace(network, phi=(huge,))) >= Fraction(1e308) ** 2


@given(st.floats(0.5, 1e6))
def test_a_larger_weight_gives_a_larger_constant(second: float) -> None:
    assert lipschitz_of_psi(by_hand(-second)) >= 7 * (1 + Fraction(second))


@pytest.mark.parametrize("name", TARGETS)
def test_no_secant_of_a_compiled_network_is_steeper(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    network = compile_target(target, Fraction(1, 100), "sum-decomposition")[1].sumformer
    rng = np.random.default_rng(7)
    tokens = {channel: rng.uniform(0, 1, (4000, 1)) for channel in network.tokens}
    moved = {channel: np.clip(values + rng.choice([-1e-3, 1e-3], values.shape), 0, 1) for channel, values in tokens.items()}
    before, after = run(network.phi, tokens), run(network.phi, moved)
    step = np.max([np.abs(moved[channel] - tokens[channel]) for channel in tokens], axis=0)
    steepest = max(np.max(np.abs(after[channel] - before[channel])[step > 0] / step[step > 0]) for channel in network.pooled)
    assert 0 < steepest <= float(lipschitz_of_phi(network)) * (1 + 1e-9)

    means = {mean_of(channel): before[channel] for channel in network.pooled}
    shifted = {channel: values + rng.choice([-1e-3, 1e-3], values.shape) for channel, values in means.items()}
    outputs = [network.read(run(network.psi, before | chosen), (4000, 1)) for chosen in (means, shifted)]
    assert 0 < np.max(np.abs(outputs[1] - outputs[0])) / 1e-3 <= float(lipschitz_of_psi(network)) * (1 + 1e-9)
