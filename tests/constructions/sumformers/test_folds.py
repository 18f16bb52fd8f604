"""Folds beyond what the tolerance needs: few of them, none where the bound is met anyway, and no other bound."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from constructions.continuous import compile_target, sum_decomposition
from constructions.sumformers import compiler
from constructions.sumformers.folds import TIGHT, with_more_folds
from constructions.sumformers.program import Swept
from constructions.targets.library import resolve
from constructions.targets.target import Target


def found_without(name: str, eps: float, monkeypatch: pytest.MonkeyPatch) -> Swept:
    """Return the network before any fold is spent."""
    kept: list[Swept] = []
    monkeypatch.setattr(compiler, "_finer", lambda found: kept.append(found) or found)
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    compiler.compile_decomposition(sum_decomposition(target, Fraction(eps)), eps)
    return kept[0]


@pytest.mark.parametrize("name", ["f", "kernel-density", "figure-2"])
@pytest.mark.parametrize("spare", [0, 1, 9, 500])
def test_folds_are_spent_until_most_of_the_bound_is_met(name: str, spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_without(name, 1e-2, monkeypatch)
    folds = with_more_folds(found, spare)
    added = folds - found.folds
    assert added.min() >= 0
    assert added.sum() <= spare
    finer = found.program.swept(found.arithmetic, folds)
    assert finer.bound <= found.bound
    if spare == 500:
        assert added.sum() < spare
        met = max(found.floor, finer.bound - found.program.square_weights()[added > 0] @ (0.5 * 0.25 ** folds[added > 0]))
        assert met >= 0.95 * TIGHT * finer.bound


def test_the_squares_of_the_product_that_loses_most_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_without("figure-2", 1e-2, monkeypatch)
    added = with_more_folds(found, 6) - found.folds
    kept = [square.product for square, more in zip(found.program.squares, added, strict=True) if not more and square.product]
    assert any(a is b for a, b in itertools.pairwise(kept))


@pytest.mark.parametrize("name", ["own-times-mean", "standardise", "moments"])
def test_networks_of_few_squares_stay_as_small_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_without(name, 1e-2, monkeypatch)
    monkeypatch.undo()
    target = resolve(name, n=None, d=None, domain="0,1")
    compile_target.cache_clear()
    assert compile_target(target, Fraction(1, 100), "sum-decomposition")[1].sumformer.n_nonzero == found.sumformer.n_nonzero


def test_the_cube_of_the_paper_is_certified_within_a_twentieth_of_its_worst_error() -> None:
    target = resolve("figure-2", n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    compiled = compile_target(target, Fraction(1, 100), "sum-decomposition")[1]
    rng = np.random.default_rng(0)
    best = np.concatenate([rng.random((4000, 3, 1)), rng.integers(0, 2, (500, 3, 1))])
    for k in range(40):  # climb from many sequences
        tried = np.clip(best[:, None] + rng.normal(0, 0.3 * 0.8**k, (len(best), 6, 3, 1)), 0, 1)
        tried[:, 0] = best
        flat = tried.reshape(-1, 3, 1)
        error = np.abs(compiled.sumformer(flat)[:, 0, 0] - target.numpy(flat)[:, 0, 0]).reshape(tried.shape[:2])
        best = tried[np.arange(len(best)), error.argmax(axis=1)]
        if k == 4:  # the worst so far climb on, the very worst among them
            best = best[np.argsort(error.max(axis=1))[-1000:]]
    assert 0.95 * float(compiled.bound) <= error.max() <= float(compiled.bound)
