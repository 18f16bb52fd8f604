"""Tabulating a target over cells agrees with evaluating it sequence by sequence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from constructions.targets.library import LIBRARY, resolve
from constructions.targets.tabulation import separates, tabulate
from constructions.targets.target import Target

SEPARABLE = ["f", "own-times-mean", "kernel-density", "max", "range", "gravity-2d", "figure-2", "obstruction", "x + n", "3, x"]


@pytest.mark.parametrize("text", SEPARABLE)
def test_the_table_holds_the_values_of_single_sequences(text: str) -> None:
    target = resolve(text, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    assert separates(target.outputs)
    centres = np.random.default_rng(0).random((4, target.d))
    others = np.array(list(itertools.combinations_with_replacement(range(4), target.n - 1)))
    own = np.array([1, 3])
    table = tabulate(target.outputs, centres, own, others)
    for i, z in enumerate(own):
        for r, cells in enumerate(others):
            alone = target.numpy(centres[[z, *cells]], slice(0, 1))[0]
            # the same float64 functions of the same numbers, added in another order: a few units in the last place
            assert np.abs(table[i, r] - alone).max() <= 2.0**-48 * (1 + np.abs(alone).max())


@pytest.mark.parametrize("name", ["standardise", "moments", "median"])
def test_nested_reductions_and_sorting_are_left_to_the_general_walker(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    assert not separates(target.outputs)


def test_every_library_target_is_tabulated_one_way_or_the_other() -> None:
    assert {separates(t.outputs) for name in LIBRARY
            if isinstance(t := resolve(name, n=None, d=None, domain="0,1"), Target)} == {True, False}
