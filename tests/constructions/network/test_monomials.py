"""Monomials in a Sumformer: what they evaluate to, in which order they come, and what refuses them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from constructions.architectures import assemble_mean
from constructions.errors import Refused
from constructions.network.monomials import factors
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.storage import store_mean


def network() -> MeanSumformer:
    """S(X)_i = relu(x_0 - mean(y_0^2 y_1)) + 2 mean(y_0 y_1), for tokens with two coordinates."""
    layer = ReluLayer(("x.0", "mean.c"), np.array([[1.0], [-1.0]]), np.zeros(1), ("h",), np.eye(1))
    return MeanSumformer(("x.0", "x.1"), (), ("c", "p"), (layer,), ("h", "mean.p"), np.array([[1.0], [2.0]]), np.zeros(1),
                         {"c": (0, 0, 1), "p": (1, 0)})


def test_exact_and_float_values_are_those_of_the_definition() -> None:
    tokens = np.array([[Fraction(1, 3), Fraction(-2)], [Fraction(5, 7), Fraction(1, 2)], [Fraction(2), Fraction(1)]], object)
    cubic, product = sum(x * x * y for x, y in tokens) / 3, sum(x * y for x, y in tokens) / 3
    wanted = [max(x - cubic, Fraction(0)) + 2 * product for x, _ in tokens]
    assert network()(tokens)[:, 0].tolist() == wanted
    assert network()(tokens.astype(np.float64))[:, 0] == pytest.approx([float(value) for value in wanted], rel=1e-14)


def test_monomials_are_channels_and_no_parameters() -> None:
    found = network()
    assert found.given == ("x.0", "x.1", "c", "p")
    assert found.channels == ("x.0", "x.1", "c", "p", "mean.c", "mean.p", "h")
    assert (found.d_latent, found.depth, found.n_nonzero) == (2, 1, 5)
    assert found.rounded(np.float32).monomials == found.monomials


def test_the_order_is_graded() -> None:
    assert factors(1, 4) == ((0,), (0, 0), (0, 0, 0), (0, 0, 0, 0))
    assert factors(3, 9) == ((0,), (1,), (2,), (0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@pytest.mark.parametrize("monomials", [{"c": (0, 2), "p": (0, 1)}, {"c": (), "p": (0, 1)}, {"c": (-1,), "p": (0,)},
                                       {"x.1": (0, 0), "c": (0,), "p": (0,)}, {"c": (0, 0)}])
def test_what_is_no_monomial_of_the_token_is_refused(monomials: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"does not fit 2 of a token|before they exist: \['p'\]"):
        replace(network(), monomials=monomials)


def test_what_holds_layers_alone_refuses_them() -> None:
    for name in ARCHITECTURES:
        with pytest.raises(Refused, match="no Transformer"):
            assemble_mean(network(), pooling_head(name, linformer_k=2), 4)
    with pytest.raises(Refused, match="no place for monomials"):
        store_mean(network(), (), {})
