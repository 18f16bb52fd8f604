"""Sequences that one continuous feature confuses: found for any phi, with a bracket that is certain."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from constructions.errors import BadInput
from proofs_check.collisions import find_collision
from proofs_check.feature_maps import FeatureMap, built_in, exact_map, load_feature_map


def steep(t: float) -> float:
    """A map as Python code."""
    return math.tanh(20 * (t - 0.3))


def infinite(t: float) -> float:
    """Not a feature map."""
    return math.inf


class Module:
    """What looks like a torch module."""

    def parameters(self) -> list[object]:
        return []

    def __call__(self, tokens: object) -> object:
        return tokens


identity_module = Module()


@pytest.mark.parametrize("n", [3, 4, 7])
@pytest.mark.parametrize("phi", built_in(3), ids=lambda phi: phi.name)
def test_a_collision_is_found_and_the_gap_changes_sign_inside_the_bracket(phi: FeatureMap, n: int) -> None:
    found = find_collision(phi, n)
    assert found is not None
    assert found.forced == 1

    def gap(t: Fraction) -> float:
        return float((n - 1) * sum(phi.at(t)) - (n - 2) * sum(phi.at(Fraction(0))) - sum(phi.at(Fraction(1)))) / 2

    assert gap(found.lower) * gap(found.upper) <= 0
    assert found.upper - found.lower <= Fraction(1, 2**44)


def test_a_linear_map_has_its_root_exactly_and_the_lines_show_it() -> None:
    found = find_collision(exact_map("3t + 1", lambda t: 3 * t + 1), 4)
    assert found is not None
    assert found.lower == found.upper == Fraction(1, 3)
    assert found.lines() == ("phi = 3t + 1, n = 4: 3 phi(t) = 2 phi(0) + phi(1) at t = 1/3",
                             "X = (x_1, 0, 0, 1) and X' = (x_1, t, t, t): the same x_1 and the same Sigma for every x_1",
                             "targets of token 1: +1 and -1, so every psi errs by at least 1 on one of the two")


def test_with_one_other_token_there_is_no_collision() -> None:
    assert find_collision(exact_map("t", lambda t: t), 2) is None


def test_values_that_are_not_known_give_no_bracket() -> None:
    assert find_collision(FeatureMap("unknown", lambda t: (Fraction(-1), Fraction(1))), 3) is None


@pytest.mark.parametrize("names", [("0", "2"), ("phi.0", "phi.2")])
def test_a_trained_network_is_read_exactly(tmp_path: Path, names: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    W, b, V = rng.normal(size=(8, 1)), rng.normal(size=8), rng.normal(size=(1, 8))
    save_file({f"{names[0]}.weight": W, f"{names[0]}.bias": b, f"{names[1]}.weight": V}, tmp_path / "phi.safetensors")
    phi = load_feature_map(str(tmp_path / "phi.safetensors"))
    low, high = phi.at(Fraction(1, 3))
    assert low == high
    assert float(low) == pytest.approx((V @ np.maximum(W[:, 0] / 3 + b, 0)).item())
    found = find_collision(phi, 3)
    assert found is not None
    assert found.lower == found.upper


def test_a_callable_or_module_is_taken_at_its_word_and_says_so() -> None:
    for name, value in (("steep", steep(0.25)), ("identity_module", 0.25)):
        phi = load_feature_map(f"{__name__}:{name}")
        assert phi.at(Fraction(1, 4)) == (Fraction(value), Fraction(value))
        assert "continuous" in phi.assumption
        assert find_collision(phi, 3) is not None


@pytest.mark.parametrize(("text", "message"), [
    ("missing.safetensors", "cannot be read"), ("no.such.module:f", "cannot import"), ("math:sinn", "did you mean"),
    (f"{__name__}:infinite", "finite"), ("math:log", "failed at 0.0")])
def test_a_mistake_is_answered_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_feature_map(text)


def test_several_features_are_another_statement(tmp_path: Path) -> None:
    save_file({"0.weight": np.ones((2, 1))}, tmp_path / "two.safetensors")
    with pytest.raises(BadInput, match="d' = 1"):
        load_feature_map(str(tmp_path / "two.safetensors"))
