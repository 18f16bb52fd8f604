"""What an average over knots of triangles misses: the bound holds for hats that are exact, and for hats that are off."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.targets import expression as ex
from constructions.targets.language import parse
from proofs_check.exact_values import from_rational
from proofs_check.structure.on_triangles import shares_on_triangles
from proofs_check.structure.planar_exponents import PlanarExponent, PlanarValues
from proofs_check.structure.planar_hats import Grid, PlanarHistogram
from proofs_check.structure.reading import NotUnderstood

Floats = np.ndarray
SIDES = ((Fraction(0), Fraction(1)), (Fraction(-1), Fraction(1)))
U = ((Fraction(-1), Fraction(2)), (Fraction(1, 2), Fraction(1)))
NUMBERS = st.integers(-8, 8).map(lambda k: Fraction(k, 4))
TERMS = st.tuples(NUMBERS, NUMBERS, NUMBERS)  # p, q and r of p u v + q v + r v^2
GRIDS = [Grid(SIDES, cells, o) for cells in ((1, 1), (3, 2), (4, 4)) for o in (1, -1)]


def tree(text: str, variables: int) -> ex.Expression:
    (found,) = parse(text, variables)
    return ex.specialise(found, None)


def exponent(terms: tuple[tuple[Fraction, ...], ...], grid: Grid) -> PlanarExponent:
    texts = [f"({p})*x[{2 * a}]*x[{2 * a + 1}] + ({q})*x[{2 * a + 1}] + ({r})*x[{2 * a + 1}]**2"
             for a, (p, q, r) in enumerate(terms)]
    return PlanarExponent.of(tree(" + ".join(texts), 4), grid.knots, U)


def weighted(terms: tuple[tuple[Fraction, ...], ...], u: Floats, v: Floats) -> Floats:
    """Return the exponent at points (.., 2)."""
    return np.asarray(sum(float(p) * u[a] * v[..., a] + float(q) * v[..., a] + float(r) * v[..., a] ** 2
                          for a, (p, q, r) in enumerate(terms)))


def hats(grid: Grid, v: Floats, moved: Floats | float = 0.0) -> Floats:
    """Return relu(P + moved) for tokens (count, 2), by knots in rows."""
    scaled = [(v[:, a] - float(low)) / float(high - low) * cells
              for a, ((low, high), cells) in enumerate(zip(grid.sides, grid.cells, strict=True))]
    x = scaled[0][:, None, None] - np.arange(grid.cells[0] + 1)[:, None]
    y = grid.turned * (scaled[1][:, None, None] - np.arange(grid.cells[1] + 1))
    before = 1 - np.maximum(-x, 0) - np.maximum(y, 0) - np.maximum(x - y, 0)
    return np.asarray(np.maximum(before + moved, 0)).reshape(len(v), -1)


def missed(grid: Grid, terms: tuple[tuple[Fraction, ...], ...], s: tuple[Fraction, ...], u: Floats, v: Floats,
           moved: Floats | float = 0.0, delta: float = 0.0) -> float:
    """Return the average over knots less the average of s[0] v1 + s[1] v2 + s[2] v2^2."""
    def value(at: Floats) -> Floats:
        return np.asarray(float(s[0]) * at[..., 0] + float(s[1]) * at[..., 1] + float(s[2]) * at[..., 1] ** 2)

    t = [np.array([float(one) for one in axis]) for axis in grid.knots]
    knots = np.stack(np.meshgrid(*t, indexing="ij"), axis=-1).reshape(-1, 2)
    exact, held = np.exp(weighted(terms, u, v)), (hats(grid, v, moved).mean(axis=0) + delta) * np.exp(weighted(terms, u, knots))
    return float((held * value(knots)).sum() / held.sum() - (exact * value(v)).sum() / exact.sum())


def shares(grid: Grid, terms: tuple[tuple[Fraction, ...], ...], s: tuple[Fraction, ...], off: Fraction = Fraction(0),
           delta: Fraction = Fraction(0)) -> dict[str, Fraction]:
    values = PlanarValues.of(tree(f"({s[0]})*x[0] + ({s[1]})*x[1] + ({s[2]})*x[1]**2", 2))
    count = (grid.cells[0] + 1) * (grid.cells[1] + 1)
    return shares_on_triangles(exponent(terms, grid), values, values.at(grid.knots), PlanarHistogram(grid, {}, off),
                               dict.fromkeys(range(count), delta))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(GRIDS), st.tuples(TERMS, TERMS), TERMS, st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 16]))
def test_no_average_is_further_off_than_what_is_said(grid: Grid, terms: tuple[tuple[Fraction, ...], ...], s: tuple[Fraction, ...],
                                                     seed: int, off: int) -> None:
    rng, eta, delta = np.random.default_rng(seed), Fraction(off, 4096), Fraction(off, 10**5)
    try:
        said = float(sum(shares(grid, terms, s, eta, delta).values()))
    except NotUnderstood:
        assert off
        return
    (low, high), ends = np.array(SIDES, float).T, np.array(U, float)
    for _ in range(10):
        v = rng.uniform(low, high, (rng.integers(1, 6), 2))
        v = np.repeat(v, rng.integers(1, 20, len(v)), axis=0)
        u = np.where(rng.random(2) < 0.7, ends[range(2), rng.integers(0, 2, 2)], rng.uniform(*ends.T))
        moved = float(eta) * rng.choice([-1, 1], (len(v), grid.cells[0] + 1, grid.cells[1] + 1))
        assert abs(missed(grid, terms, s, u, v, moved, float(delta) * rng.random())) <= said + 1e-12


@pytest.mark.parametrize("grid", GRIDS)
def test_the_bound_is_not_far_from_what_a_single_cell_misses(grid: Grid) -> None:
    """Many tokens at points where weights turn most: a fourth of the bound is reached."""
    zero, one = Fraction(0), Fraction(1)
    terms, s = ((2 * one, zero, zero), (zero, one, zero)), (one, one, zero)
    said, rng = float(sum(shares(grid, terms, s).values())), np.random.default_rng(0)
    points = rng.uniform(*np.array(SIDES, float).T, (4000, 1, 2))
    assert max(abs(missed(grid, terms, s, np.array([2.0, 1.0]), v)) for v in points) > said / 4


@pytest.mark.parametrize("text", ["x[1]*x[3]", "x[0]**2*x[1]", "x[2]*x[1] + x[3]", "abs(x[1])", "exp(x[1])"])
def test_other_exponents_are_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        PlanarExponent.of(tree(text, 4), GRIDS[0].knots, U)


def test_the_lines_of_knots_are_those_of_the_exponent() -> None:
    """Row by row, at corners; what cancels is left out."""
    grid, tokens = GRIDS[2], tree("3*x[0]*x[1] - x[2]*x[3]**2 + x[1] + x[0]*x[2]**5", 4)
    found = PlanarExponent.of(tokens, grid.knots, U)
    for (u1, u2), L in found.lines.items():
        expected = [3 * u1 * t - u2 * s * s + t for t in grid.knots[0] for s in grid.knots[1]]
        assert expected == L
        for k, value in enumerate(L):
            p, q, constant = map(from_rational, found.coefficients(k))
            assert p * u1 + q * u2 + constant == value
    assert len(found.lines) == 4
