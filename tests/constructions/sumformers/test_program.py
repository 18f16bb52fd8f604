"""Sweeps: one that writes no units proves what the writing one proves."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions.continuous import sum_decomposition
from constructions.pieces.forms import size
from constructions.sumformers.limits import DEFAULT_LIMITS
from constructions.sumformers.program import EXACT, Arithmetic, Program
from constructions.targets.library import resolve
from constructions.targets.target import Target


@pytest.mark.parametrize("name", ["f", "max", "standardise"])
def test_a_sweep_without_units_proves_what_the_writing_sweep_proves(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    decomposition = sum_decomposition(target, Fraction(1, 100))
    program = Program.of(decomposition, 0.005, 0.01, 1.0, DEFAULT_LIMITS)
    folds = np.full(len(program.squares), 9)
    for arithmetic in (EXACT, Arithmetic.evaluated(53, 1000)):
        dry = program.swept(arithmetic, folds)
        sweep, _ = program._sweep(arithmetic, folds, dry=False)
        assert [size(sweep.error(form)) for form in decomposition.outputs] == [
            size(dry.sweep.error(form)) for form in decomposition.outputs]
        assert dry.sumformer.n_nonzero > 0
