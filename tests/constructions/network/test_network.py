"""A step-network is what its weights say: look-up equals the dense sum, sizes are counted, and bad wiring is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network import Network, Node, Staircase

small = st.fractions(min_value=-4, max_value=4, max_denominator=8)


def dense(table: Staircase, t: Fraction) -> list[Fraction]:
    """values[0] + sum_j jumps[j] H(t - thresholds[j]), every unit evaluated."""
    total = [Fraction(v) for v in table.values[0]]
    for threshold, jump in zip(table.thresholds, table.jumps, strict=True):
        step = 1 if t - Fraction(threshold) >= 0 else 0
        total = [a + step * Fraction(b) for a, b in zip(total, jump, strict=True)]
    return total


@st.composite
def staircases(draw: st.DrawFn, width: int | None = None) -> Staircase:
    thresholds = sorted(draw(st.sets(small, max_size=6)))
    width = draw(st.integers(1, 3)) if width is None else width
    count = len(thresholds) + 1
    rows = draw(st.lists(st.lists(small, min_size=width, max_size=width), min_size=count, max_size=count))
    return Staircase(np.array(thresholds, dtype=object), np.array(rows, dtype=object))


@given(table=staircases(), points=st.lists(small, min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_look_up_equals_the_dense_sum_of_jumps_over_fractions(table: Staircase, points: list[Fraction]) -> None:
    points = [*points, *table.thresholds]
    values = table(np.array(points, dtype=object))
    assert values.tolist() == [dense(table, t) for t in points]


@given(table=staircases(), points=st.lists(small, min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_floats_and_torch_look_up_the_same_values(table: Staircase, points: list[Fraction]) -> None:
    rounded = Staircase(table.thresholds.astype(float), table.values.astype(float))
    t = np.array(points, dtype=float).reshape(2, 2)
    expected = [[float(v) for v in dense(rounded, Fraction(float(p)))] for p in t.ravel()]
    assert rounded(t).shape == (2, 2, table.width)
    assert np.allclose(rounded(t).reshape(4, -1), expected, rtol=1e-14, atol=1e-14)
    assert np.array_equal(rounded.torch(torch.from_numpy(t)).numpy(), rounded(t))


def test_the_step_is_taken_at_the_threshold_and_not_before() -> None:
    table = Staircase(np.array([0.5]), np.array([[1.0], [3.0]]))
    assert table(np.array([0.5, np.nextafter(0.5, 0), 0.0, 9.0])).ravel().tolist() == [3, 1, 1, 3]


@pytest.mark.parametrize(("thresholds", "values"), [
    (np.zeros(2), np.zeros((2, 1))), (np.zeros(2), np.zeros((4, 1))),
    (np.zeros((2, 1)), np.zeros((3, 1))), (np.zeros(2), np.zeros(3))])
def test_a_staircase_of_other_shapes_is_refused(thresholds: np.ndarray, values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a staircase needs"):
        Staircase(thresholds, values)


def steps(*values: float) -> Staircase:
    return Staircase(np.arange(1, len(values)) - 0.5, np.array(values, dtype=float)[:, None])


def node(reads: str, writes: str, *values: float) -> Node:
    return Node(tuple((channel, 1) for channel in reads.split()), steps(*values), (writes,))


def test_channels_are_read_with_their_coefficients() -> None:
    network = Network(("a", "b"), (Node((("a", 3), ("b", -1)), steps(0, 10, 20, 30), ("c",)), node("c a", "d", 5, 6)), ("d", "c"))
    result = network({"a": np.array([1.0, 0.0]), "b": np.array([1.0, 2.0])})
    assert result["c"].tolist() == [20, 0]
    assert result["d"].tolist() == [6, 5]
    assert network.output({"a": np.array([1.0]), "b": np.array([1.0])}).tolist() == [[6, 20]]


def test_exact_numbers_of_any_size_pass_through() -> None:
    big = 7**80
    table = Staircase(np.array([Fraction(big) - Fraction(1, 2)], dtype=object), np.array([[0], [1]], dtype=object))
    network = Network(("a",), (Node((("a", 1),), table, ("b",)),), ("b",))
    assert network.output({"a": np.array([big - 1, big], dtype=object)}).ravel().tolist() == [0, 1]


def test_levels_depth_width_and_non_zeros_are_counted_by_hand() -> None:
    network = Network(("a", "b"), (
        node("a", "c", 0, 1, 2),       # level 0: 2 units
        node("a b", "d", 1, 1, 5),     # level 0: 2 units, one zero jump, a base value
        node("c b", "e", 0, 4),        # level 1: 1 unit
        node("e d", "f", 0, 1, 2, 3),  # level 2: 3 units
        node("b", "g", 0, 7),          # level 0: 1 unit
    ), ("f", "g"))
    assert [[n.writes[0] for n in level] for level in network.levels()] == [["c", "d", "g"], ["e"], ["f"]]
    assert network.depth == 3
    assert network.width == 5
    reads = 2 * 1 + 2 * 2 + 1 * 2 + 3 * 2 + 1
    biases = 2 + 2 + 1 + 3 + 1
    jumps = 2 + 1 + 1 + 3 + 1
    assert network.n_nonzero == reads + biases + jumps + 1


def test_a_zero_threshold_is_no_weight() -> None:
    at_zero = Network(("a",), (Node((("a", 1),), Staircase(np.array([0.0]), np.array([[0.0], [1.0]])), ("b",)),), ("b",))
    assert at_zero.n_nonzero == 2


def test_a_node_without_units_is_a_constant() -> None:
    constant = Network(("a",), (node("a", "b", 4),), ("b",))
    assert constant.output({"a": np.array([[-1e9, 1e9]])}).tolist() == [[[4], [4]]]
    assert (constant.width, constant.depth, constant.n_nonzero) == (0, 1, 1)


def test_a_channel_that_is_read_before_it_exists_is_refused() -> None:
    with pytest.raises(ValueError, match=r"read before they exist: \['c'\]"):
        Network(("a",), (node("c", "b", 0, 1), node("a", "c", 0, 1)), ("b",))
    Network(("a",), (node("a", "c", 0, 1), node("c", "b", 0, 1)), ("b",))


def test_a_channel_that_reads_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="read before they exist"):
        Network(("a",), (node("b", "b", 0, 1),), ("b",))


@pytest.mark.parametrize("again", ["a", "b"])
def test_a_channel_that_is_written_twice_is_refused(again: str) -> None:
    with pytest.raises(ValueError, match=rf"written twice: \['{again}'\]"):
        Network(("a",), (node("a", "b", 0, 1), node("a", again, 0, 1)), ("b",))


def test_an_output_that_is_never_written_is_refused() -> None:
    with pytest.raises(ValueError, match="are not all among the channels"):
        Network(("a",), (node("a", "b", 0, 1),), ("z",))


def test_a_node_writes_as_many_channels_as_its_table_has_outputs() -> None:
    with pytest.raises(ValueError, match="but its table has 1 outputs"):
        Node((("a", 1),), steps(0, 1), ("b", "c"))
