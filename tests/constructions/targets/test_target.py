"""Targets are refused at birth when they are malformed, and callables when they are not what they claim to be."""

from __future__ import annotations

import ast
import re
import sys
import types
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch

from constructions.domains import Box
from constructions.errors import BadInput
from constructions.targets.target import CallableTarget, Target
from tests.cases import CASES, Case

BOX = Box.parse("-1,2", 1)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CallableTarget]:
    """Load a function as if it stood in a user's module."""
    def loader(function: object, n: int = 3, box: Box = BOX) -> CallableTarget:
        module = types.ModuleType("users_module")
        module.f = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "users_module", module)
        return CallableTarget.load("users_module:f", n=n, box=box)
    return loader


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_symbolic_target_knows_its_sizes(case: Case) -> None:
    assert (case.target.n, case.target.d, case.target.d_out) == (case.n, case.d, case.d_out)


@pytest.mark.parametrize("n", [1, 0, -3])
def test_fewer_than_two_tokens_are_refused(n: int) -> None:
    with pytest.raises(BadInput, match=f"n = {n}: expected n >= 2 tokens"):
        Target.from_text("x", n=n, box=BOX)
    with pytest.raises(BadInput, match=f"n = {n}: expected n >= 2 tokens"):
        CallableTarget.load("numpy:sin", n=n, box=BOX)


def test_the_name_is_the_text_unless_given() -> None:
    assert Target.from_text("x*mean(y)", n=2, box=BOX).name == "x*mean(y)"
    assert Target.from_text("x*mean(y)", n=2, box=BOX, name="short").name == "short"


def test_undefined_values_are_silent_in_numpy() -> None:
    assert not np.isfinite(Target.from_text("log(x)", n=2, box=BOX).numpy(np.array([[-1.0], [0.0]]))).any()


def test_an_equivariant_callable_is_accepted_and_evaluated(load: Callable[..., CallableTarget]) -> None:
    target = load(lambda t: np.concatenate([t * t.mean(axis=-2, keepdims=True), t.max(axis=-2, keepdims=True) + 0 * t], axis=-1))
    assert (target.n, target.d, target.d_out, target.text) == (3, 1, 2, "users_module:f")
    tokens = np.array([[[0.5], [1.0], [1.5]]])
    assert np.allclose(target.numpy(tokens), [[[0.5, 1.5], [1.0, 1.5], [1.5, 1.5]]])
    assert target.numpy(tokens, slice(1, 2)).shape == (1, 1, 2)
    assert torch.equal(target.torch(torch.from_numpy(tokens)), torch.from_numpy(target.numpy(tokens)))


def test_a_callable_that_counts_on_three_axes_has_the_same_values_on_one_sequence_and_on_many(
        load: Callable[..., CallableTarget]) -> None:
    farthest = load(lambda t: np.abs(t[:, :, None] - t[:, None, :]).max(axis=2))
    tokens = np.random.default_rng(0).random((2, 5, 3, 1))
    together = farthest.numpy(tokens)
    assert together.shape == tokens.shape
    assert np.array_equal(together[1, 4], np.abs(tokens[1, 4] - tokens[1, 4].T).max(axis=1, keepdims=True))
    assert np.array_equal(farthest.numpy(tokens[1, 4]), together[1, 4])
    assert np.array_equal(farthest.numpy(tokens[1, 4], slice(2, 3)), together[1, 4, 2:])


def test_a_callable_that_writes_into_its_argument_changes_no_sequence_of_the_search(load: Callable[..., CallableTarget]) -> None:
    def doubled_in_place(tokens: np.ndarray) -> np.ndarray:
        tokens *= 2
        return tokens
    tokens = np.full((4, 3, 1), 0.25)
    assert np.array_equal(load(doubled_in_place).numpy(tokens), np.full((4, 3, 1), 0.5))
    assert np.array_equal(tokens, np.full((4, 3, 1), 0.25))


def test_a_callable_is_tested_inside_its_own_box(load: Callable[..., CallableTarget]) -> None:
    seen: list[np.ndarray] = []
    load(lambda t: (seen.append(t.copy()), t)[1], box=Box.parse("-1,2;1/3,2/3", 2))
    low, high = np.array([-1, 1 / 3]), np.array([2, 2 / 3])
    assert all(np.all((low <= t) & (t <= high)) for t in seen)
    assert max(t[..., 0].max() for t in seen) > 1.5


NOT_EQUIVARIANT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cumulative sum": lambda t: np.cumsum(t, axis=-2),
    "position": lambda t: t + np.arange(3)[:, None] / 1000,
    "first token": lambda t: t + t[..., :1, :],
    "sorted": lambda t: np.sort(t, axis=-2),
    "one asymmetric pair": lambda t: t + 1e-5 * (t[..., :1, :] - t[..., 1:2, :]),
}


@pytest.mark.parametrize("name", NOT_EQUIVARIANT)
def test_a_callable_that_is_not_equivariant_is_refused_with_a_permutation_that_shows_it(
        name: str, load: Callable[..., CallableTarget]) -> None:
    function = NOT_EQUIVARIANT[name]
    with pytest.raises(BadInput, match="not permutation-equivariant") as caught:
        load(function)
    _assert_witness(str(caught.value), function)


def _assert_witness(message: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    parts = re.search(r"for X = (\[\[.*\]\]) and the permutation (\[.*\]), f\(PX\) and P f\(X\) differ by (\S+)$", message)
    assert parts is not None, message
    tokens, order = np.array(ast.literal_eval(parts[1])), ast.literal_eval(parts[2])
    gap = np.abs(function(tokens[order].copy()) - function(tokens.copy())[order]).max()
    assert gap == pytest.approx(float(parts[3]), rel=0.01)
    assert gap > 0


def test_the_witness_holds_for_a_callable_that_changes_its_argument(load: Callable[..., CallableTarget]) -> None:
    def sort_in_place(tokens: np.ndarray) -> np.ndarray:
        tokens.sort(axis=-2)
        return tokens
    with pytest.raises(BadInput) as caught:
        load(sort_in_place)
    _assert_witness(str(caught.value), sort_in_place)


WRONG_SHAPES: dict[str, Callable[[np.ndarray], object]] = {
    "scalar": lambda t: t.sum(), "no features": lambda t: t[..., 0], "one token less": lambda t: t[..., 1:, :],
    "flat": lambda t: t.reshape(-1), "no batch": lambda t: t[0], "no output": lambda t: t[..., :0],
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_a_callable_of_another_shape_is_refused(name: str, load: Callable[..., CallableTarget]) -> None:
    with pytest.raises(BadInput, match="shape"):
        load(WRONG_SHAPES[name])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_callable_that_is_not_finite_is_refused_with_the_place(bad: float, load: Callable[..., CallableTarget]) -> None:
    def function(tokens: np.ndarray) -> np.ndarray:
        return np.where(tokens > 1.9, bad, tokens)
    with pytest.raises(BadInput, match="is not finite at X = ") as caught:
        load(function)
    place = np.array(ast.literal_eval(str(caught.value).partition("X = ")[2]))
    assert not np.isfinite(function(place)).all()


def _raises(tokens: np.ndarray) -> np.ndarray:
    raise KeyError("a user's mistake")


@pytest.mark.parametrize("function", [_raises, lambda t: 1 / 0, lambda t: "text", lambda: None])
def test_whatever_a_callable_raises_is_a_bad_input(function: object, load: Callable[..., CallableTarget]) -> None:
    with pytest.raises(BadInput, match="users_module:f"):
        load(function)


def test_complex_values_are_refused_and_not_cut_to_their_real_part(load: Callable[..., CallableTarget]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # outside the tests numpy's warning is no error
        with pytest.raises(BadInput, match="users_module:f"):
            load(lambda t: t * (1 + 1j))


@pytest.mark.parametrize(("name", "hint"), [
    ("no_such_module_anywhere:f", "cannot import 'no_such_module_anywhere'"),
    ("numpy:sinn", "no callable 'sinn', did you mean sin"),
    ("numpy:pi", "no callable 'pi'"),
    ("numpy:", "no callable ''"),
    (":f", "cannot import ''"),
])
def test_a_callable_that_cannot_be_imported_is_a_bad_input(name: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        CallableTarget.load(name, n=3, box=BOX)
    assert hint in str(caught.value)


@pytest.mark.parametrize(("text", "pairs"), [
    ("x - mean(y)", False), ("mean((y - mean(y))**2)", False), ("x * max(y) + order(2)", False), ("mean(x * y)", True),
    ("mean(y * mean(abs(x - y)))", True), ("max(mean(y) - x)", False), ("(x, sum(y) / sum(exp(x * y)))", True)])
def test_only_a_reduction_that_sees_x_and_y_needs_all_pairs(text: str, pairs: bool) -> None:
    assert Target.from_text(text, n=3, box=BOX).pairs == pairs
