"""The named targets mean what their descriptions say, and every other name is answered with the nearest ones."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from constructions.errors import BadInput
from constructions.targets.language import ExpressionError
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.target import CallableTarget, Target
from tests.cases import fractions


def attention(t: np.ndarray) -> np.ndarray:
    weights = np.exp(2 * t[:, 0][:, None] * t[:, 0][None])
    return (weights / weights.sum(axis=1, keepdims=True)) @ t


def pulled(t: np.ndarray) -> np.ndarray:
    difference = t[None] - t[:, None]
    return (difference / ((difference**2).sum(-1, keepdims=True) + 0.1) ** 1.5).mean(axis=1)


def others(t: np.ndarray, i: int) -> np.ndarray:
    return np.delete(t[:, 0], i)


MEANING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "f": attention,
    "own-times-mean": lambda t: t * t.mean(),
    "standardise": lambda t: (t - t.mean()) / np.sqrt(t.var() + 0.1),
    "kernel-density": lambda t: np.exp(-((t - t.T) ** 2) / 0.08).mean(axis=1, keepdims=True),
    "soft-rank": lambda t: (1 / (1 + np.exp(-10 * (t - t.T)))).mean(axis=1, keepdims=True),
    "max": lambda t: np.full((3, 1), t.max()),
    "range": lambda t: np.full((3, 1), np.ptp(t)),
    "median": lambda t: np.full((3, 1), np.median(t)),
    "smooth-maximum": lambda t: np.full((3, 1), np.log(np.exp(8 * t).mean()) / 8),
    "gravity-2d": pulled,
    "gravity-3d": pulled,
    "figure-2": lambda t: t + 7 * t**2 + 3 * t * (t.sum(axis=0) - t) ** 3,
    "obstruction": lambda t: np.array([[2 * np.ptp(others(t, i)) - 1] for i in range(3)]),
    "moments": lambda t: np.tile([t.mean(), t.var()], (3, 1)),
}


def test_every_library_target_has_an_oracle() -> None:
    assert set(MEANING) == set(LIBRARY)


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_a_library_target_means_its_description(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    assert (target.name, target.n, target.d) == (name, LIBRARY[name].n, LIBRARY[name].d)
    for tokens in np.random.default_rng(0).random((10, target.n, target.d)):
        value = target.numpy(tokens)
        assert np.allclose(value, MEANING[name](tokens), rtol=1e-12, atol=1e-12)
        assert not np.allclose(value, MEANING[name](tokens) + 1e-9, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_figure_2_is_component_wise_in_any_dimension(d: int) -> None:
    target = resolve("figure-2", n=None, d=d, domain="0,1")
    tokens = fractions(np.random.default_rng(1).integers(0, 9, (3, d)) / 8)
    expected = tokens + 7 * tokens**2 + 3 * tokens * (tokens.sum(axis=0) - tokens) ** 3
    assert np.array_equal(target.fractions(tokens), expected)


def test_the_obstruction_is_plus_and_minus_one_at_the_collision() -> None:
    target = resolve("obstruction", n=3, d=1, domain="0,1")
    assert target.fractions(fractions(np.array([[0.5], [0.0], [1.0]])))[0, 0] == 1
    assert target.fractions(fractions(np.array([[0.5], [0.75], [0.75]])))[0, 0] == -1


REFUSED = {
    "medain": "did you mean median?", "standardize": "did you mean standardise?",
    "gravity": "did you mean gravity-3d or gravity-2d?",
    "qqq": "known: f, figure-2, gravity-2d", "figure_2": "did you mean figure-2?",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_unknown_name_is_answered_with_the_nearest_ones(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        resolve(name, n=None, d=None, domain="0,1")
    assert REFUSED[name] in str(caught.value)
    assert f"unknown target {name!r}" in str(caught.value)


@pytest.mark.parametrize(("name", "n", "d", "message"), [
    ("gravity-2d", None, 3, "target 'gravity-2d' has d = 2, got d = 3"),
    ("max", None, 2, "target 'max' has d = 1, got d = 2"),
    ("figure-2", 4, None, "target 'figure-2' is defined for n = 3 tokens, got n = 4"),
    ("obstruction", 5, None, "target 'obstruction' is defined for n = 3 tokens, got n = 5"),
    ("max", 1, None, "n = 1: expected n >= 2 tokens"),
    ("x", 1, None, "n = 1: expected n >= 2 tokens"),
    ("x", None, 0, "d = 0: expected d >= 1"),
    ("max", None, -1, "d = -1: expected d >= 1"),
    ("x", None, 2, "x alone needs d = 1"),
    ("median", 4, None, "order(..) needs a whole number from 1 to n = 4"),
])
def test_sizes_that_do_not_fit_are_refused(name: str, n: int | None, d: int | None, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        resolve(name, n=n, d=d, domain="0,1")
    assert message in str(caught.value)


def test_a_wrong_expression_keeps_its_column() -> None:
    with pytest.raises(ExpressionError) as caught:
        resolve(" x * meen(y) ", n=None, d=None, domain="0,1")
    assert caught.value.column == 5


def test_a_name_an_expression_and_a_callable_are_told_apart() -> None:
    assert resolve("range", n=4, d=None, domain="0,1").name == "range"
    assert resolve("x", n=None, d=None, domain="0,1").n == 3
    assert isinstance(resolve("numpy:sin", n=2, d=2, domain="-1,2"), CallableTarget)
    assert resolve("mean(abs(x[0]-y[2])*y[ 1 ])", n=None, d=None, domain="0,1").d == 3
    assert resolve("x[0]", n=None, d=None, domain="0,1;0,2").d == 2
    box = resolve("mean(y[1])", n=2, d=2, domain="-1,2;1/3,2/3").box
    assert box.lower == (Fraction(-1), Fraction(1, 3))


@pytest.mark.parametrize(("text", "d", "domain"), [("x[1]", 1, "0,1"), ("x[2]", None, "0,1;0,1"), ("x + y[1]", None, "0,1")])
def test_coordinates_that_do_not_fit_are_refused(text: str, d: int | None, domain: str) -> None:
    with pytest.raises(BadInput):
        resolve(text, n=None, d=d, domain=domain)
