"""Ranges and slopes contain samples; on a Bernstein ellipse the bound is above every sample, or it is infinite."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.targets import expression as ex
from constructions.targets.language import parse
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.deviation import slope_range
from proofs_check.structure.functions import largest_on_ellipse, on_boxes, on_complex_boxes, value_range
from proofs_check.structure.variable import Variable

FEW = settings(max_examples=12, deadline=None)
SMOOTH: dict[str, tuple[int | Fraction, int | Fraction]] = {
    "exp(x[0])": (-3, 5), "log(x[0])": (Fraction(1, 2), 4), "1/x[0]": (100, 101), "sqrt(x[0])": (Fraction(1, 10), 2),
    "sigmoid(3*x[0])": (-3, 5), "tanh(x[0])": (-3, 5), "sin(4*x[0])": (-3, 5), "x[0]**3 - x[0]": (-1, 1),
    "x[0]**(-2)": (1, 3)}


def tree(text: str, variables: int = 1) -> ex.Expression:
    (one,) = parse(text, variables)
    return ex.specialise(one, None)


def at(node: ex.Expression, *values: Fraction) -> arb:
    """Evaluate in balls at rational points."""
    return on_complex_boxes(node, [acb(fmpq(q.numerator, q.denominator)) for q in values]).real


@pytest.mark.parametrize("text", SMOOTH)
@FEW
@given(part=st.fractions(0, 1, max_denominator=1000))
def test_value_and_slope_ranges_contain_samples(text: str, part: Fraction) -> None:
    low, high = (Fraction(end) for end in SMOOTH[text])
    t = low + part * (high - low)
    below, above = value_range(tree(text), [(float(low), float(high))])
    value, h = at(tree(text), t), Fraction(1, 2**20)
    assert arb(below) <= value.upper()
    assert value.lower() <= arb(above)
    if low + h < t < high - h:
        slope = (at(tree(text), t + h) - at(tree(text), t - h)) / (2 * arb(2) ** -20)  # a value of the slope in between
        least, largest = slope_range(tree(text), float(low), float(high))
        assert arb(least) <= slope.upper()
        assert slope.lower() <= arb(largest)


def test_what_may_be_undefined_has_no_finite_range() -> None:
    assert value_range(tree("log(x[0])"), [(-1.0, 1.0)]) == (-math.inf, math.inf)
    assert value_range(tree("1/x[0]"), [(-1.0, 1.0)]) == (-math.inf, math.inf)
    assert slope_range(tree("log(x[0])"), -1.0, 1.0) == (-math.inf, math.inf)


def test_unbounded_boxes_are_enclosed_whole() -> None:
    assert value_range(tree("x[0]"), [(-math.inf, math.inf)]) == (-math.inf, math.inf)
    low, high = value_range(tree("sigmoid(x[0]) + x[1]", 2), [(0.0, math.inf), (0.0, 1.0)])
    assert low <= 0.5
    assert 2 <= high <= 2.1
    assert slope_range(tree("x[0]**2"), 0.0, math.inf) == (-math.inf, math.inf)
    assert value_range(tree("x[0]"), [(-1.7e308, 1.7e308)]) == (-1.7e308, 1.7e308)


def test_a_logarithmic_slope_is_that_of_a_power() -> None:
    low, high = slope_range(tree("x[0]**3"), 1.0, 2.0, logarithmic=True)
    assert low <= 3
    assert high >= 24
    assert high < 25


@pytest.mark.parametrize("text", ["abs(x[0] - 1/3)", "relu(x[0])", "mean(y[0])", "sqrt(x[0])*abs(x[0])"])
def test_kinks_and_reductions_have_no_continuation(text: str) -> None:
    with pytest.raises(TypeError, match="is not an analytic function"):
        on_complex_boxes(tree(text), [acb(1)])


@pytest.mark.parametrize(("text", "rho"), [("exp(x[0])", 5.0), ("log(x[0])", 1.3), ("1/x[0]", 9.0), ("sqrt(x[0])", 1.3),
                                           ("sigmoid(3*x[0])", 1.15), ("tanh(x[0])", 1.15), ("sin(4*x[0])", 2.1)])
def test_an_ellipse_is_bounded_from_above_and_not_wildly(text: str, rho: float) -> None:
    low, high = SMOOTH[text]
    scale = Variable.of(Fraction(low), Fraction(high))
    bound = largest_on_ellipse(tree(text), [scale], 0, rho, 300)
    turns = np.exp(1j * np.linspace(0, 2 * np.pi, 721))
    z = float(scale.centre) + float(scale.half) * (rho * turns + 1 / (rho * turns)) / 2
    inside = [float(abs(on_complex_boxes(tree(text), [acb(complex(point).real, complex(point).imag)])).upper()) for point in z]
    assert max(inside) * (1 - 1e-12) <= bound <= 4 * max(inside)


def test_an_ellipse_in_two_variables_is_bounded_from_above() -> None:
    node, box = tree("exp(-(x[0] - x[1])**2)", 2), [Variable.of(0.0, 1.0), Variable.of(-1.0, 2.0)]
    bound = largest_on_ellipse(node, box, 0, 2.1, 1500)
    w = np.exp(1j * np.linspace(0, 2 * np.pi, 361))[:, None] * 2.1
    z = 0.5 + 0.5 * (w + 1 / w) / 2
    largest = np.abs(np.exp(-(z - np.linspace(-1, 2, 61)) ** 2)).max()
    assert largest <= bound <= 5 * largest


@pytest.mark.parametrize(("text", "rho"), [("1/x[0]", 3.4), ("log(x[0])", 3.4), ("sqrt(x[0])", 3.4), ("1/(x[0]**2 + 1)", 9.0)])
def test_a_pole_or_branch_point_inside_has_no_bound(text: str, rho: float) -> None:
    assert largest_on_ellipse(tree(text), [Variable.of(Fraction(1, 2), Fraction(2))], 0, rho, 100) == math.inf


def test_values_on_boxes_are_enclosed_between_the_ends() -> None:
    found = on_boxes(tree("x[0]*x[1] - x[0]", 2), [Interval.of([0.0, 1.0], [1.0, 2.0]), Interval.of([2.0, 2.0], [3.0, 2.0])])
    assert found.contains([1.0, 1.5]).all()
