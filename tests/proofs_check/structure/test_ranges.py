"""Ranges of polynomials: true at every rational point, and sharp."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.structure import ranges
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ranges import (
    angles,
    chebyshev,
    polynomial_range,
    polynomial_size,
    rational_down,
    rational_up,
    series_range,
    summed_size,
    total_size,
)
from tests.proofs_check.structure.draws import Point, points, polynomials, value

FEW = settings(max_examples=25, deadline=None)


def dense(coefficients: list[float]) -> Polynomial:
    """Return a polynomial in u with the given dyadic coefficients."""
    return Polynomial({((("u", k),) if k else ()): fmpq(*c.as_integer_ratio()) for k, c in enumerate(coefficients) if c})


@FEW
@given(polynomials("u", 9), points("u"))
def test_a_range_in_one_variable_contains_exact_values(p: Polynomial, at: Point) -> None:
    low, high = polynomial_range(p)
    assert Fraction(low) <= value(p, at) <= Fraction(high)


@FEW
@given(polynomials("uv", 4), points("uv"))
def test_a_range_in_two_variables_contains_exact_values(p: Polynomial, at: Point) -> None:
    low, high = polynomial_range(p)
    assert Fraction(low) <= value(p, at) <= Fraction(high)


@FEW
@given(polynomials("uvwz", 2), points("uvwz"))
def test_a_range_in_many_variables_contains_exact_values(p: Polynomial, at: Point) -> None:
    low, high = polynomial_range(p)
    assert Fraction(low) <= value(p, at) <= Fraction(high)


@FEW
@given(polynomials("uvwz", 3), points("uvwz"))
def test_without_an_array_of_all_degrees_a_range_contains_exact_values(p: Polynomial, at: Point) -> None:
    low, high = ranges._wide_range(p)
    assert Fraction(low) <= value(p, at) <= Fraction(high)
    if len(p.variables) == 4:
        size = float(sum(map(abs, p.terms.values()), fmpq(0)))  # slack is relative to that, not to an end, which may be near 0
        assert np.allclose((low, high), series_range(*chebyshev(p, "uvwz")), rtol=0, atol=1e-11 * size + 1e-290)


def test_a_quadratic_in_many_variables_is_bounded_at_once() -> None:
    """An array of its coefficients would have 3^40 entries."""
    names = [f"u{k}" for k in range(40)]
    p = Polynomial({((name, 2),): fmpq(1, 2) for name in names} | {((a, 1), (b, 1)): fmpq(1) for a, b in pairwise(names)})
    assert np.allclose(polynomial_range(p), (10 - 49, 10 + 49), rtol=1e-12)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(-16, 16).map(lambda k: k / 16), min_size=2, max_size=13))
def test_one_variable_is_sharp_to_nine_digits(coefficients: list[float]) -> None:
    low, high = polynomial_range(dense(coefficients))
    derivative = np.polynomial.Polynomial(coefficients).deriv().trim()
    roots = [root.real for root in derivative.roots() if abs(root.imag) < 1e-6 and abs(root.real) <= 1]
    values = np.polynomial.Polynomial(coefficients)(np.array([-1.0, 1.0, *roots]))
    size = sum(map(abs, coefficients)) + 1e-280
    assert values.max() - 1e-12 * size <= high <= values.max() + 1e-9 * size
    assert values.min() + 1e-12 * size >= low >= values.min() - 1e-9 * size


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10**6))
def test_two_variables_are_sharp_to_two_percent(D: int, E: int, seed: int) -> None:
    c = np.random.default_rng(seed).normal(size=(D + 1, E + 1))
    grid = np.cos(np.pi * np.arange(401) / 400)
    values = np.polynomial.chebyshev.chebgrid2d(grid, grid, c)
    low, high = series_range(c, 0.0)
    assert low <= values.min() + 1e-10
    assert high >= values.max() - 1e-10
    assert max(values.min() - low, high - values.max()) <= 0.02 * (values.max() - values.min())


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 3), st.integers(0, 10**6), st.sampled_from([1, 2**6, 2**12]))
def test_a_grid_that_is_too_coarse_misses_more_and_says_so(p: int, seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    c = rng.normal(size=rng.integers(2, 6, p)) * rng.choice([0, 1], (1,) * p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "LARGEST_GRID", largest)
        low, high = series_range(c, 0.0)
        size = summed_size([(c, 0.0), (-c / 2, 0.0)])
    at = np.cos(rng.uniform(0, np.pi, (p, 200)))
    values = (np.polynomial.chebyshev.chebval2d if p == 2 else np.polynomial.chebyshev.chebval3d)(*at, c)
    assert low <= values.min()
    assert values.max() <= high
    assert 1.5 * np.abs(values).max() <= size


def test_no_grid_has_more_cells_than_memory_holds() -> None:
    for p in (1, 2, 3, 4, 8):
        for density in (None, 8):
            assert ranges.angle_points(p, 400, density) ** p <= 2 * ranges.LARGEST_GRID


@pytest.mark.parametrize("D", [1, 2, 5, 40, 200])
def test_a_chebyshev_polynomial_ranges_over_the_unit_interval(D: int) -> None:
    low, high = series_range(np.eye(D + 1)[D], 0.0)
    assert -1 - 1e-9 <= low <= -1
    assert 1 <= high <= 1 + 1e-9


@FEW
@given(st.lists(polynomials("u", 9), min_size=1, max_size=5), points("u"))
def test_a_sum_of_sizes_is_largest_in_one_place(several: list[Polynomial], at: Point) -> None:
    bound = total_size(several)
    assert sum(abs(value(p, at)) for p in several) <= Fraction(bound)
    assert bound <= sum(map(polynomial_size, several)) * (1 + 1e-8) + 1e-290


def test_sizes_that_are_largest_in_different_places_do_not_add_up() -> None:
    waves = [(np.array([0.5, s / 2]), 0.0) for s in (1.0, -1.0)]  # (1 + x)/2 and (1 - x)/2
    assert 1.0 <= summed_size(waves) <= 1.0 + 1e-8
    assert summed_size([(c, 2.0**-20) for c, _ in waves]) >= 1.0 + 2.0**-19


@FEW
@given(polynomials("uv", 6), points("uv"))
def test_chebyshev_reproduces_the_polynomial(p: Polynomial, at: Point) -> None:
    coefficients, slack = chebyshev(p, ["u", "v"])
    rows = []
    for name, size in zip("uv", coefficients.shape, strict=True):
        row = [Fraction(1), at[name]]
        while len(row) < size:
            row.append(2 * at[name] * row[-1] - row[-2])
        rows.append(row[:size])
    found = sum((Fraction(float(coefficients[i, j])) * rows[0][i] * rows[1][j]
                 for i in range(coefficients.shape[0]) for j in range(coefficients.shape[1])), Fraction(0))
    assert abs(found - value(p, at)) <= Fraction(slack)


def test_cosines_err_by_less_than_they_say() -> None:
    from flint import arb, fmpz
    for D, N in ((7, 16), (31, 500)):
        table = angles(D, N)
        for j in range(0, D + 1, 3):
            for i in range(0, N + 1, 7):
                true = arb.cos_pi_fmpq(fmpq(fmpz(j * i), fmpz(N)))
                assert abs(arb(float(table[j, i])) - true) < arb(2) ** -50


def test_parts_without_a_common_variable_are_bounded_one_by_one() -> None:
    p = dense([0.0, 0.0, 1.0]) + Polynomial({(("v", 2),): fmpq(-1)})
    low, high = polynomial_range(p)
    assert (low, high) == pytest.approx((-1.0, 1.0), abs=1e-9)


@given(st.fractions())
def test_rational_ends_are_on_the_right_side(q: Fraction) -> None:
    exact = fmpq(q.numerator, q.denominator)
    assert Fraction(rational_down(exact)) <= q <= Fraction(rational_up(exact))
