"""Hinges of v times a weight w: what is pooled stands for the product as closely as the lemma says, exactly at knots."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.pieces.forms import Form, Quantity, between
from constructions.pieces.kernel_cells import Box, Cells, Wanted, designed, values
from constructions.pieces.kernel_features import Hinged, Row, Weighted, pieces_of, plain, weighted
from tests.kernels import kernel

KERNELS = ("abs(x[0]-x[1])", "exp(-abs(x[0]-x[1]))", "maximum(x[0]**2,x[1])", "x[0]*x[1]", "relu(2*x[0]-x[1]-1/3)")
WEIGHTS = ((0.0, 1.0), (-1.0, 1.0), (-1e-9, 2.0), (3.0, 3.5), (-0.5, -0.25))


def of(text: str, sides: tuple[float, float], tolerance: float) -> tuple[Cells, Hinged, Weighted]:
    """Return the cells of a kernel on the unit square, and the features of a weight between these ends."""
    wanted = Wanted(kernel(text), tolerance, sides)
    (cells,), v, w = designed((wanted,), Box((0.0, 1.0), (0.0, 1.0))), Quantity("x.0", between(0, 1), True), Quantity(
        "x.1", between(*sides), True)
    knots = pieces_of(cells, wanted)
    hinges = Hinged(Form.of(v), knots[1:-1])
    return cells, hinges, Weighted(hinges, Form.of(w), (Fraction(sides[0]), Fraction(sides[1])), knots)


def features(weights: Weighted, v: np.ndarray, w: np.ndarray) -> dict[Quantity | None, np.ndarray]:
    """Evaluate everything that may be pooled."""
    low, high = map(float, weights.sides)
    s, found = (w - low) / (high - low), {None: np.ones_like(v), weights.hinges.line: v, weights.line: w}
    found |= {q: np.maximum(v - t, 0) for t, q in weights.hinges.hinges.items()}
    z = []
    for a, b in zip(weights.knots, weights.knots[1:], strict=False):
        r = np.clip((v - a) / (b - a), 0, 1)
        z.append((high - low) / 2 * (np.maximum(r + s - 1, 0) - np.maximum(s - r, 0)))
    found |= dict(zip(weights.parts, z, strict=True))
    for block, q in weights.blocks.items():
        found[q] = sum((weights.knots[j + 1] - weights.knots[j]) * z[j] for j in block)
    return found


def combined(row: Row, known: Mapping[Quantity | None, np.ndarray]) -> np.ndarray:
    return sum((float(c) * known[q] for q, c in row.items()), np.zeros_like(known[None]))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(KERNELS), st.sampled_from(WEIGHTS), st.sampled_from([0.3, 0.1, 0.05]), st.integers(0, 2**32))
def test_the_lines_stand_for_the_weighted_kernel(text: str, sides: tuple[float, float], tolerance: float, seed: int) -> None:
    cells, hinges, weights = of(text, sides, tolerance)
    lines, rng = weighted(cells, weights), np.random.default_rng(seed)
    v, w = rng.random(400), sides[0] + (sides[1] - sides[0]) * rng.random(400).round(2)
    v[:100] = rng.choice(weights.knots, 100)
    known, of_v = features(weights, v, w), plain(cells, hinges)
    row, beta = combined(lines.base, known), combined(of_v.base, known)
    for k, (low, width) in enumerate(zip(lines.low, lines.width, strict=True)):
        rise = combined(lines.rises[k], known)
        assert (float(low) - 1e-9 <= rise).all()
        assert (rise <= float(low + width) + 1e-9).all()
        next_row, next_beta = row + rise, beta + combined(of_v.rises[k], known)
        assert np.abs(row - w * beta)[:100].max() <= 1e-8  # at knots
        u = cells.cuts[k] + rng.random(400) * (cells.cuts[k + 1] - cells.cuts[k])
        q = (u - cells.cuts[k]) / (cells.cuts[k + 1] - cells.cuts[k])
        assert np.abs((1 - q) * row + q * next_row - w * values(kernel(text), u, v)).max() <= lines.gap * (1 + 1e-9)
        row, beta = next_row, next_beta
    assert lines.gap + lines.product_error <= 1.02 * tolerance


@pytest.mark.parametrize("sides", [(0.0, 1.0), (-1e-9, 2.0)])
def test_a_weight_that_is_not_negative_needs_no_hinges(sides: tuple[float, float]) -> None:
    cells, hinges, weights = of("abs(x[0]-x[1])", sides, 0.05)
    lines = weighted(cells, weights)
    assert not {q for row in (lines.base, *lines.rises) for q in row} & set(hinges.hinges.values())


def test_blocks_make_rows_short() -> None:
    """A kernel with one slope far from its bend: the terms of a row grow with the root of the number of pieces."""
    terms = []
    for tolerance in (0.05, 0.003):
        cells, _, weights = of("exp(-abs(x[0]-x[1]))", (0.0, 1.0), tolerance)
        terms.append((len(weights.parts), np.mean([len(row) for row in weighted(cells, weights).rises])))
    (few, short), (many, long) = terms
    assert many > 12 * few
    assert long < 5 * short


def test_pieces_are_as_long_as_cells_where_the_kernel_is_as_steep_in_both() -> None:
    for sides in ((0.0, 1.0), (-1.0, 1.0)):
        cells, _, weights = of("abs(x[0]-x[1])", sides, 0.01)
        assert len(weights.parts) == len(cells.rises)
