"""The linear pieces of a ReLU feature map: exact, and the longest confuses two sequences."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import numpy as np
import pytest

from proofs_check.relu_pieces import confused, exact_layers, features_at, linear_pieces

Stack = list[tuple[np.ndarray, np.ndarray]]


def directly(stack: Stack, t: Fraction) -> list[Fraction]:
    return features_at(exact_layers(stack), t)


def drawn(widths: tuple[int, ...], seed: int = 0) -> Stack:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=shape), rng.normal(size=shape[1])) for shape in itertools.pairwise(widths)]


ABSOLUTE: Stack = [(np.array([[1.0, -1.0]]), np.array([-0.25, 0.25])), (np.ones((2, 1)), np.zeros(1))]


STACKS = [ABSOLUTE, drawn((1, 9, 4)), drawn((1, 6, 6, 3), 1), drawn((1, 4, 4, 4, 2), 2), drawn((1, 3), 3)]


@pytest.mark.parametrize("stack", STACKS)
def test_the_pieces_are_the_network_at_their_ends_and_between(stack: Stack) -> None:
    pieces = linear_pieces(stack)
    assert (pieces.ends[0], pieces.ends[-1]) == (0, 1)
    for a, b in itertools.pairwise(pieces.ends):
        for t in (a, (2 * a + b) / 3, (a + b) / 2):
            assert pieces.at(t) == directly(stack, t)
    assert pieces.at(Fraction(1)) == directly(stack, Fraction(1))


def test_the_absolute_value_has_two_pieces_and_the_longer_one_confuses_its_ends_with_its_middle() -> None:
    pieces = linear_pieces(ABSOLUTE)
    assert pieces.ends == (0, Fraction(1, 4), 1)
    assert pieces.collision() == (Fraction(1, 4), 1, Fraction(5, 8))
    lines = confused("|t - 1/4|", pieces)
    assert lines[0] == "phi = |t - 1/4|: d' = 1, P = 2 linear pieces on [0, 1], the longest [1/4, 1]"
    assert lines[1] == "X = (x_1, 1/4, 1) and X' = (x_1, m, m), m = 5/8: the same Sigma, by exact fractions"
    assert lines[2].endswith("at least b - a >= 0.75 >= 1/2")


@pytest.mark.parametrize("seed", range(4))
def test_the_sums_agree_in_the_network_itself_and_the_piece_is_at_least_1_over_P_long(seed: int) -> None:
    stack = drawn((1, 7, 5, 6), seed)
    pieces = linear_pieces(stack)
    a, b, middle = pieces.collision()
    assert b - a >= Fraction(1, len(pieces.lines))
    ends, doubled = (directly(stack, t) for t in (b, middle))
    assert [u + v for u, v in zip(directly(stack, a), ends, strict=True)] == [2 * w for w in doubled]


def test_the_network_is_evaluated_as_numpy_does_it() -> None:
    for stack in STACKS:
        stream = np.array([0.375])
        for k, (W, b) in enumerate(stack):
            stream = stream @ W + b
            stream = np.maximum(stream, 0) if k + 1 < len(stack) else stream
        assert [float(v) for v in features_at(exact_layers(stack), Fraction(3, 8))] == pytest.approx(stream.tolist())


def test_an_end_that_is_no_kink_of_the_claimed_lines_is_noticed() -> None:
    pieces = linear_pieces(ABSOLUTE)
    wrong = dataclasses.replace(pieces, ends=(Fraction(0), Fraction(1, 2), Fraction(1)))
    assert wrong.at(Fraction(3, 4)) != directly(ABSOLUTE, Fraction(3, 4))
