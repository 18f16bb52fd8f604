"""Sums of codes determine multisets: exhaustively for small sizes, at random for large ones, and after floating-point pooling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.encodings import Code, bose_chowla, information_bound, packed, positional
from constructions.encodings.bose_chowla import MAX_FIELD, field_size
from constructions.encodings.multisets import multisets
from constructions.encodings.packed import digits_per_channel
from constructions.errors import Refused
from constructions.number_formats import FLOAT32, FLOAT64, NumberFormat
from tests.cases import count_multisets

BUILDERS: dict[str, Callable[[int, int], Code]] = {
    "positional": positional,
    "bose-chowla": bose_chowla,
    "packed": lambda cells, n: packed(cells, n, FLOAT32, 3 * n),
    "packed-64": lambda cells, n: packed(cells, n, FLOAT64, 3 * n),
}
SIZES = [(1, 2), (1, 4), (2, 2), (2, 5), (3, 3), (4, 3), (5, 3), (8, 3), (9, 4), (7, 2), (4, 5), (30, 3), (6, 6)]


def collision(code: Code, size: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Two multisets of ``size`` cells with equal sums in all channels, if there are any."""
    seen: dict[tuple[int, ...], tuple[int, ...]] = {}
    for cells in itertools.combinations_with_replacement(range(code.cells), size):
        sums = tuple(sum(int(code.values[z, r]) for z in cells) for r in range(code.d_latent))
        if sums in seen:
            return seen[sums], cells
        seen[sums] = cells
    return None


@pytest.mark.parametrize(("cells", "n"), SIZES)
@pytest.mark.parametrize("name", BUILDERS)
def test_no_two_multisets_of_the_others_have_the_same_sums(name: str, cells: int, n: int) -> None:
    code = BUILDERS[name](cells, n)
    assert (code.cells, code.n) == (cells, n)
    assert collision(code, n - 1) is None
    assert all(isinstance(value, int) and value >= 0 for value in code.values.ravel())


def test_a_code_that_is_not_injective_is_found_out() -> None:
    assert collision(Code("identity", 3, np.array([[0], [1], [2]], dtype=object)), 2) == ((0, 2), (1, 1))
    assert collision(positional(3, 2), 2) is None
    assert collision(Code("base 2 for n = 4", 4, positional(4, 2).values), 3) is not None
    shrunk = Code("bose-chowla of smaller h", 5, bose_chowla(8, 3).values)
    assert collision(shrunk, 4) is not None


@given(data=st.data(), cells=st.integers(10, 60), n=st.integers(3, 8),
       name=st.sampled_from(["positional", "packed", "packed-64"]))
@settings(max_examples=60, deadline=None)
def test_random_pairs_of_large_multisets_have_different_sums(data: st.DataObject, cells: int, n: int, name: str) -> None:
    code = BUILDERS[name](cells, n)
    draw = st.lists(st.integers(0, cells - 1), min_size=n - 1, max_size=n - 1).map(sorted)
    one, two = data.draw(draw), data.draw(draw)
    sums = [np.add.reduce(code.values[np.array(rows)], axis=0).tolist() for rows in (one, two)]
    assert (sums[0] == sums[1]) == (one == two)


@given(cells=st.integers(1, 50), n=st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_the_positional_digits_of_a_sum_are_the_counts(cells: int, n: int) -> None:
    rng = np.random.default_rng(cells * 10 + n)
    rows = rng.integers(0, cells, n - 1)
    total = int(np.add.reduce(positional(cells, n).values[rows, 0]))
    assert total < n**cells
    for z in range(cells):
        total, digit = divmod(total, n)
        assert digit == int(np.sum(rows == z))


FIELDS = [(2, 3), (3, 3), (4, 3), (8, 3), (9, 3), (13, 3), (16, 3), (25, 3), (2, 4), (4, 4), (5, 4), (9, 4), (3, 5), (8, 5)]


@pytest.mark.parametrize(("q", "n"), FIELDS)
def test_bose_chowla_sums_are_distinct_modulo_the_order_of_the_group(q: int, n: int) -> None:
    code, h = bose_chowla(q, n), n - 1
    order = q**h - 1
    assert field_size(q, n) == q**h
    assert 1 <= min(code.values.ravel()) <= max(code.values.ravel()) <= order - 1
    sums = [sum(rows) % order for rows in itertools.combinations_with_replacement(code.values[:, 0].tolist(), h)]
    assert len(set(sums)) == len(sums) == count_multisets(q, h)


@pytest.mark.parametrize(("cells", "q"), [
    (2, 2), (6, 7), (7, 7), (8, 8), (10, 11), (14, 16), (15, 16), (24, 25), (26, 27), (1, 2)])
def test_the_field_is_that_of_the_next_prime_power(cells: int, q: int) -> None:
    assert field_size(cells, 3) == q**2
    assert q < 2 * cells or cells == 1
    assert max(bose_chowla(cells, 3).values.ravel()) <= q**2 - 2


def test_for_two_tokens_the_code_is_the_cell() -> None:
    assert bose_chowla(100, 2).values.ravel().tolist() == list(range(100))


def test_a_field_that_is_too_large_to_tabulate_is_refused() -> None:
    with pytest.raises(Refused, match=f"at most {MAX_FIELD} are tabulated"):
        bose_chowla(300, 4)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize(("cells", "n"), SIZES)
def test_no_code_uses_fewer_bits_than_the_information_bound(name: str, cells: int, n: int) -> None:
    code = BUILDERS[name](cells, n)
    assert information_bound(cells, n) == pytest.approx(math.log2(count_multisets(cells, n - 1)))
    assert information_bound(cells, n) <= code.bits
    largest = [n * max(int(v) for v in code.values[:, r]) for r in range(code.d_latent)]
    assert code.bits == sum(len(f"{v:b}") if v else 0 for v in largest)
    assert code.largest_sigma == max(largest)


def test_a_code_with_too_few_bits_is_below_the_bound_and_collides() -> None:
    small = Code("small", 4, np.array([[z] for z in range(16)], dtype=object))
    assert small.bits < information_bound(16, 4)
    assert collision(small, 3) is not None


@given(cells=st.integers(1, 9), size=st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_multisets_are_the_combinations_with_replacement_in_order(cells: int, size: int) -> None:
    expected = list(itertools.combinations_with_replacement(range(cells), size))
    assert [tuple(row) for row in multisets(cells, size).tolist()] == expected


# -- pooling ------------------------------------------------------------------------------------------------------------------

def pooled(codes: np.ndarray, number_format: NumberFormat) -> np.ndarray:
    """Codes (trials, n) as a softmax head pools them: normalised weights times values, added up, times n."""
    kind = np.float32 if number_format.bits == 24 else np.float64
    n = codes.shape[1]
    values = np.array([[float(v) for v in row] for row in codes], dtype=kind)
    weights = np.exp(np.zeros(n, dtype=kind))
    weights = weights / weights.sum(dtype=kind)
    total = np.zeros(len(codes), dtype=kind)
    for k in range(n):
        total = total + weights[k] * values[:, k]
    return total * kind(n)


def wrong_decodings(n: int, digits: int, number_format: NumberFormat, trials: int = 2000) -> int:
    """How often Sigma - phi(x_i), pooled in floats, is half a unit or more away from the exact sum of the others."""
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((trials, n)) < 0.5, digits - 1, rng.integers(0, digits, (trials, n)))
    codes = positional(digits, n).values[cells, 0]
    sums = pooled(codes, number_format)
    exact = np.add.reduce(codes, axis=1) - codes[:, 0]
    return sum(abs(Fraction(float(s)) - int(own) - int(e)) >= Fraction(1, 2)
               for s, own, e in zip(sums, codes[:, 0], exact, strict=True))


@pytest.mark.parametrize("n", [2, 3, 5, 6, 7, 12])
@pytest.mark.parametrize("number_format", [FLOAT32, FLOAT64], ids=lambda f: f.name)
def test_packed_digits_survive_a_pooling_head_in_floats(n: int, number_format: NumberFormat) -> None:
    roundings = 2 * n + 4
    digits = digits_per_channel(n, number_format, roundings)
    assert digits >= 2
    assert packed(3 * digits, n, number_format, roundings).survives(number_format, roundings)
    assert wrong_decodings(n, digits, number_format) == 0
    assert not positional(digits + 1, n).survives(number_format, roundings)


@pytest.mark.parametrize(("n", "digits", "number_format"), [
    (7, 9, FLOAT32), (6, 10, FLOAT32), (7, 20, FLOAT64), (3, 35, FLOAT64)])
def test_too_many_digits_are_decoded_wrongly_and_refused(n: int, digits: int, number_format: NumberFormat) -> None:
    assert wrong_decodings(n, digits, number_format) > 0
    assert not positional(digits, n).survives(number_format, 2 * n + 4)


@pytest.mark.parametrize("roundings", [2**24, 2**53, 10**40])
def test_no_code_survives_more_roundings_than_the_analysis_covers(roundings: int) -> None:
    assert not positional(2, 2).survives(FLOAT32, roundings)
    assert digits_per_channel(2, FLOAT32, roundings) == 1


@given(cells=st.integers(1, 40), n=st.integers(2, 9), number_format=st.sampled_from([FLOAT32, FLOAT64]))
@settings(max_examples=50, deadline=None)
def test_a_packed_code_is_positional_inside_blocks(cells: int, n: int, number_format: NumberFormat) -> None:
    digits = digits_per_channel(n, number_format, 3 * n)
    code = packed(cells, n, number_format, 3 * n)
    assert code.d_latent == math.ceil(cells / digits)
    for z in range(cells):
        row = code.values[z].tolist()
        assert row == [n ** (z % digits) if r == z // digits else 0 for r in range(code.d_latent)]


def test_more_roundings_or_a_smaller_format_never_help() -> None:
    for n in (2, 3, 7):
        digits = [digits_per_channel(n, FLOAT64, roundings) for roundings in (1, 10, 100, 10_000)]
        assert digits == sorted(digits, reverse=True)
        assert digits_per_channel(n, FLOAT32, 10) < digits[1]
