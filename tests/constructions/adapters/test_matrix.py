"""A matrix gives the same product however it is stored, and is stored entry by entry only where that is faster."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.adapters.matrix import DENSE, SMALL, Matrix, ToTensor

DTYPES = (torch.float64, torch.float32)


def tensor_of(dtype: torch.dtype) -> ToTensor:
    return lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(dtype)


def drawn(rows: int, columns: int, share: float, seed: int) -> tuple[list[dict[int, float]], np.ndarray]:
    """Return weights by row, and the same as an array; numbers of few bits, so that their sums are exact."""
    rng = np.random.default_rng(seed)
    array = np.where(rng.random((rows, columns)) < share, rng.integers(-8, 9, (rows, columns)) / 4, 0.0)
    return [{k: float(w) for k, w in enumerate(row) if w} for row in array], array


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70), st.integers(0, 70), st.sampled_from((0.0, 0.01, 0.3, 1.0)), st.integers(1, 40), st.integers(0, 2**32),
       st.sampled_from(DTYPES), st.booleans())
def test_products_are_exact_where_all_sums_are(rows: int, columns: int, share: float, width: int, seed: int, dtype: torch.dtype,
                                               one_column: bool) -> None:
    weights, array = drawn(rows, columns, share, seed)
    W = Matrix.of(weights, range(columns), tensor_of(dtype))
    rng = np.random.default_rng(seed + 1)
    x = torch.from_numpy(rng.integers(-8, 9, (columns, width)) / 4).to(dtype)
    plus = torch.from_numpy(rng.integers(-8, 9, (rows, 1 if one_column else width)) / 4).to(dtype)
    wanted = array @ x.double().numpy()
    out = torch.full((rows, width), torch.nan, dtype=dtype)
    W.into(x, out)()
    assert np.array_equal(out.double().numpy(), wanted)
    W.into(x, out, plus)()
    assert np.array_equal(out.double().numpy(), wanted + plus.double().numpy())
    W.onto(x, out)()
    assert np.array_equal(out.double().numpy(), 2 * wanted + plus.double().numpy())


@pytest.mark.parametrize(("rows", "columns", "share", "sparse"), [
    (50, 50, 0.02, True), (50, 50, 0.5, False), (8, 8, 0.02, False), (300, 200, 0.5 / DENSE, True), (300, 200, 2 / DENSE, False)])
def test_it_is_stored_entry_by_entry_where_it_is_large_and_has_few(rows: int, columns: int, share: float, sparse: bool) -> None:
    weights, _ = drawn(rows, columns, share, 0)
    W = Matrix.of(weights, range(columns), tensor_of(torch.float64))
    assert (W.sparse is not None) == sparse == (W.dense is None)
    assert sparse <= (rows * columns > SMALL)


def test_names_that_are_not_asked_for_are_left_out() -> None:
    W = Matrix.of([{"a": 1.0, "b": 2.0}, {"b": 3.0, "c": 0.0}], ["b", "c"], tensor_of(torch.float64))
    assert W.dense is not None
    assert W.dense.tolist() == [[2.0, 0.0], [3.0, 0.0]]
