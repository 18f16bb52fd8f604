"""Deviations of polynomials and tables contain the true ones, are nearly attained, and need an analytic neighbourhood."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import acb, fmpq

from proofs_check.structure.deviation import NotAnalytic, Placed, polynomial_deviation, table_deviation
from proofs_check.structure.functions import on_complex_boxes
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import Range
from proofs_check.structure.tables import Table
from proofs_check.structure.variable import Variable
from tests.proofs_check.structure.draws import value
from tests.proofs_check.structure.test_functions import tree

Q = Fraction
ONE: dict[str, tuple[tuple[int | Fraction, int | Fraction], int]] = {
    "exp(x[0])": ((-3, 5), 6), "log(x[0])": ((Q(1, 4), 4), 5), "1/x[0]": ((100, 101), 1), "1/(x[0] + 1)": ((0, 1), 4),
    "sqrt(x[0])": ((Q(1, 10), 2), 4), "sigmoid(3*x[0])": ((-3, 5), 9), "tanh(x[0])": ((0, 2), 5), "sin(4*x[0])": ((-3, 5), 16),
    "x[0]**2": ((100, 101), 1)}
TWO = {"exp(-(x[0] - x[1])**2)": 4, "sqrt(x[0]**2 + x[1]**2 + 1/2)": 3, "sin(x[0] + 2*x[1])": 3, "1/(x[0] + x[1] + 1)": 2}


def scaled(interval: tuple[int | Fraction, int | Fraction]) -> Variable:
    return Variable.of(Q(interval[0]), Q(interval[1]))


def interpolant(text: str, boxes: list[Variable], degree: int) -> Polynomial:
    """Interpolate at Chebyshev points in float64; what comes out is a polynomial like any other."""
    points = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    grid = np.stack(np.meshgrid(*[points] * len(boxes), indexing="ij"), axis=-1).reshape(-1, len(boxes))
    values = [float(true(text, [box.centre + box.half * Q(float(v)) for box, v in zip(boxes, row, strict=True)])) for row in grid]
    powers = list(np.ndindex(*[degree + 1] * len(boxes)))
    system = np.array([[np.prod(row**np.array(power)) for power in powers] for row in grid])
    terms = {}
    for power, c in zip(powers, np.linalg.solve(system, values), strict=True):
        terms[tuple((f"v{i}", e) for i, e in enumerate(power) if e)] = fmpq(*float(c).as_integer_ratio())
    return Polynomial({m: c for m, c in terms.items() if c})


def true(text: str, at: list[Fraction]) -> float:
    """Evaluate in balls; a midpoint is right to more digits than a float has."""
    return float(on_complex_boxes(tree(text, len(at)), [acb(fmpq(q.numerator, q.denominator)) for q in at]).real)


def is_sharp(found: Range, gaps: list[float], share: float, floor: float) -> None:
    """Assert that an enclosure holds all gaps and exceeds them by a share of their largest size at most."""
    size = max(map(abs, gaps))
    assert found[0] <= min(gaps) + 1e-15 * (1 + floor * 1e15)
    assert found[1] >= max(gaps) - 1e-15 * (1 + floor * 1e15)
    assert max(min(gaps) - found[0], found[1] - max(gaps)) <= share * size + floor


@pytest.mark.parametrize("text", ONE)
def test_a_polynomial_deviates_as_found_on_a_dense_grid(text: str) -> None:
    interval, degree = ONE[text]
    box = scaled(interval)
    p = interpolant(text, [box], degree)
    steps = [Q(k, 300) for k in range(-300, 301)]
    gaps = [float(value(p, {"v0": v})) - true(text, [box.centre + box.half * v]) for v in steps]
    fine = max(map(abs, gaps)) / 1000 + 1e-14
    is_sharp(polynomial_deviation(p, ["v0"], tree(text), [box], fine), gaps, 0.05, 1e-11)


@pytest.mark.parametrize("text", TWO)
def test_a_polynomial_in_two_variables_deviates_as_found_on_a_dense_grid(text: str) -> None:
    boxes = [Variable.of(Q(0), Q(1)), Variable.of(Q(-1, 4), Q(1))]
    p = interpolant(text, boxes, TWO[text])
    steps = [Q(k, 12) for k in range(-12, 13)]
    gaps = [float(value(p, {"v0": u, "v1": v})) - true(text, [b.centre + b.half * w for b, w in zip(boxes, (u, v), strict=True)])
            for u in steps for v in steps]
    found = polynomial_deviation(p, ["v0", "v1"], tree(text, 2), boxes, max(map(abs, gaps)) / 1000)
    is_sharp(found, gaps, 0.10, 1e-11)


@pytest.mark.parametrize(("text", "low", "high"), [
    ("1/x[0]", -1, 2), ("log(x[0])", 0, 1), ("sqrt(x[0])", 0, 1), ("log(x[0])", -1, 1), ("1/(x[0]**2)", -1, 1),
    ("abs(x[0])", -1, 1), ("sqrt(x[0])", -1, 1)])
def test_a_pole_a_branch_point_and_a_kink_are_refused(text: str, low: int, high: int) -> None:
    p, box = Polynomial.variable("v0"), Variable.of(Q(low), Q(high))
    with pytest.raises((NotAnalytic, TypeError)):
        polynomial_deviation(p, ["v0"], tree(text), [box], 1e-3)
    if text != "sqrt(x[0])" or low:
        with pytest.raises(NotAnalytic):
            table_deviation(Placed(Table.of([0.0], [1.0]), Q(1), Q(0), Q(1), Q(0)), tree(text), low, high)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("text", ONE)
def test_a_table_deviates_as_found_between_its_knots(text: str, relative: bool) -> None:
    interval, _ = ONE[text]
    box, knots = scaled(interval), 9
    at = [box.centre + box.half * Q(2 * k - knots + 1, knots - 1) for k in range(knots)]
    scale, shift = Q(-3, 2), Q(7, 10)
    u = sorted(float(scale * t + shift) for t in at)
    values = [true(text, [(Q(one) - shift) / scale]) for one in u]
    slopes = np.diff(values) / np.diff(u)
    first = u[0] - 1.0
    table = Table.of([-first, *(-one for one in u[:-1])], [values[0], slopes[0] - values[0], *np.diff(slopes)])
    ends = float(box.centre - box.half * Q(9, 10)), float(box.centre + box.half * Q(9, 10))
    steps = [Q(ends[0]) + (Q(ends[1]) - Q(ends[0])) * Q(k, 600) for k in range(601)]
    placed = Placed(table, scale, shift, Q(2), Q(1, 3))
    gaps = [float(2 * table(scale * t + shift) + Q(1, 3)) - true(text, [t]) for t in steps]
    if relative and min(true(text, [t]) for t in steps) <= 0:
        return
    gaps = [gap / true(text, [t]) for gap, t in zip(gaps, steps, strict=True)] if relative else gaps
    is_sharp(table_deviation(placed, tree(text), *ends, relative=relative), gaps, 0.05, 1e-11)


def test_a_table_whose_values_lie_on_a_parabola_errs_by_the_sag_alone() -> None:
    table = Table.of([0.0, -0.5], [0.5, 1.0])
    low, high = table_deviation(Placed(table, Q(1), Q(0), Q(1), Q(0)), tree("x[0]**2"), 0.0, 1.0)
    assert -1e-12 <= low <= 0
    assert 1 / 16 <= high <= 1 / 16 * 1.01


def test_a_kink_inside_a_cell_is_not_taken_for_a_smooth_place() -> None:
    flat = Table.of([10.0], [0.0])
    with pytest.raises(NotAnalytic):
        table_deviation(Placed(flat, Q(1), Q(0), Q(1), Q(0)), tree("100*abs(x[0] - 1/3)"), 0.3, 0.4)
