"""Kernels that are functions of few polynomials: which, and how near the composed expansion comes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from constructions.targets.language import parse
from proofs_check.structure.composition import composite, expanded_composite
from proofs_check.structure.deviation import NotAnalytic
from proofs_check.structure.separated import tensor_range
from proofs_check.structure.variable import Variable

NAMES = ("a", "b", "c", "e")
BOX = [Variable.of(Fraction(0), Fraction(1)), Variable.of(Fraction(-1), Fraction(2)), Variable.of(Fraction(0), Fraction(1)),
       Variable.of(Fraction(1, 3), Fraction(2, 3))]
DISTANCE = "1/(1 + (x[0]-x[2])**2 + 2*(x[1] - x[3] + 1/7)**2)"
FEW = {DISTANCE: 2, "exp(x[0]*x[2] + x[1]*x[3]/3)": 1, "(x[0]-x[2]) * tanh(2*x[2] - 2*x[0] + 1)": 1, "sin(x[0] + x[1] - x[2])": 1,
       "exp(x[0] - x[1]) * cos(x[2] + x[3])": 2, "exp(x[0]*x[2]) / cos(0*x[3] + 1/3)": 2}


@pytest.mark.parametrize("text", FEW)
def test_the_composed_expansion_is_as_near_as_it_says(text: str) -> None:
    (K,) = parse(text, 4)
    whole = composite(K, NAMES, BOX)
    assert len(whole.inner) == FEW[text]
    tensor, missed = expanded_composite(whole, NAMES, 1e-4)
    assert missed < 1e-3
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-1, 1, (200, 4)), np.sign(rng.normal(size=(16, 4)))])
    wanted = [_value(text, [float(s.centre) + float(s.half) * u for s, u in zip(BOX, point, strict=True)]) for point in points]
    found = [_at(tensor, point) for point in points]
    off = np.abs(np.array(found) - wanted).max()
    assert off <= missed + 1e-13
    wrong = tensor.copy()
    wrong[1, 0, 0, 0] += 2 * missed
    assert max(abs(_at(wrong, point) - value) for point, value in zip(points, wanted, strict=True)) > missed


@pytest.mark.parametrize("text", ["exp(x[0]) + sin(x[1]-x[0])*x[2]", "exp(x[0])+exp(x[1])+exp(x[2])+exp(x[3])",
                                  "exp(x[0]-x[1])*sin(x[0]+x[1])"])
def test_what_shares_variables_or_has_too_many_is_refused(text: str) -> None:
    (K,) = parse(text, 4)
    with pytest.raises(NotAnalytic, match="no function of fewer polynomials"):
        composite(K, NAMES, BOX)


@pytest.mark.parametrize("seed", range(4))
def test_ranges_of_tensors_enclose_values_and_come_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensor = rng.normal(size=(4, 5, 3, 4)) * np.exp(-np.add.outer(np.add.outer(np.arange(4.0), np.arange(5.0)),
                                                                 np.add.outer(np.arange(3.0), np.arange(4.0))))
    low, high = tensor_range(tensor)
    axes = [np.cos(np.linspace(0, np.pi, 19))] * 4
    values = chebyshev.chebval(axes[0], np.moveaxis(tensor, 0, 0))
    for axis in axes[1:]:
        values = chebyshev.chebval(axis, values)
    assert low <= values.min() <= values.max() <= high
    assert high - low <= 2.2 * (values.max() - values.min())


def _at(tensor: np.ndarray, point: np.ndarray) -> float:
    values = tensor
    for u in point:
        values = chebyshev.chebval(u, values)
    return float(values)


def _value(text: str, x: list[float]) -> float:
    names = {name: getattr(np, name) for name in ("exp", "sin", "cos", "tanh")}
    return float(eval(text, {"__builtins__": {}}, {"x": x, **names}))
