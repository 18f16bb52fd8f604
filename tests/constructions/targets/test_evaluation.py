"""One expression has one meaning: numpy, torch, balls and exact fractions agree with a token-by-token evaluation and sympy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from flint import arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.targets import expression as ex
from constructions.targets.evaluation import NotRational, Numbers, Walker, evaluate, numpy_algebra
from constructions.targets.target import Target
from tests.cases import CASES, RATIONAL_CASES, Case, fractions
from tests.strategies import BALLS, FRACTIONS, Sample, permutations, samples, token_arrays

Drawn = tuple[int, int, Sample, np.ndarray]


def target_of(text: str, n: int, d: int = 1) -> Target:
    return Target.from_text(text, n=n, box=Box.parse("-1,2", d))


def balls_of(tokens: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda q: arb(fmpq(q.numerator, q.denominator)), otypes=[object])(tokens)


def drawn(**options: bool) -> st.SearchStrategy[Drawn]:
    sizes = st.tuples(st.integers(2, 4), st.integers(1, 2))
    return sizes.flatmap(lambda s: st.tuples(st.just(s[0]), st.just(s[1]), samples(n=s[0], d=s[1], **options),
                                             token_arrays(s[0], s[1])))


def within(values: np.ndarray, balls: np.ndarray) -> bool:
    """Say whether rounded values lie within the balls, widened as much as another order of operations may cost."""
    return all(abs(float(arb(float(v)) - b.mid())) <= 64 * float(b.rad()) + 2.0**-44 * (1 + abs(float(v)))
               for v, b in zip(values.ravel(), balls.ravel(), strict=True))


@given(drawn())
@settings(max_examples=60, deadline=None)
def test_numpy_torch_and_balls_agree_with_the_naive_meaning(case: Drawn) -> None:
    n, d, sample, tokens = case
    target, floats = target_of(sample.text, n, d), tokens.astype(float)
    balls = target.balls(balls_of(tokens))
    with ctx.workprec(300):
        exact = [sample.value(BALLS, i, balls_of(tokens)) for i in range(n)]
    assert balls.shape == (n, 1)
    for i in range(n):
        assert balls[i, 0].is_finite()
        assert balls[i, 0].overlaps(exact[i]), sample.text
        assert balls[i, 0].contains(exact[i].mid()), sample.text
    assert within(target.numpy(floats), balls), sample.text
    assert within(target.torch(torch.from_numpy(floats)).numpy(), balls), sample.text


def test_the_comparison_with_balls_rejects_a_wrong_value() -> None:
    balls = target_of("exp(x)*mean(y)", 2).balls(balls_of(fractions(np.array([[0.5], [1.0]]))))
    right = target_of("exp(x)*mean(y)", 2).numpy(np.array([[0.5], [1.0]]))
    assert within(right, balls)
    assert not within(right * (1 + 1e-9), balls)
    assert not within(right[::-1], balls)


@given(drawn(rational=True))
@settings(max_examples=60, deadline=None)
def test_exact_fractions_equal_the_naive_meaning_and_balls_contain_them(case: Drawn) -> None:
    n, d, sample, tokens = case
    target = target_of(sample.text, n, d)
    exact, balls = target.fractions(tokens), target.balls(balls_of(tokens))
    for i in range(n):
        assert exact[i, 0] == sample.value(FRACTIONS, i, tokens), sample.text
        with ctx.workprec(2000):  # the fraction itself is rounded to a ball
            assert balls[i, 0].contains(fmpq(exact[i, 0].numerator, exact[i, 0].denominator)), sample.text


@given(drawn(rational=True), st.data())
@settings(max_examples=40, deadline=None)
def test_every_target_is_exactly_equivariant_under_permutations(case: Drawn, data: st.DataObject) -> None:
    n, d, sample, tokens = case
    order = data.draw(permutations(n))
    target = target_of(sample.text, n, d)
    assert np.array_equal(target.fractions(tokens[order]), target.fractions(tokens)[order])


def test_a_function_of_the_position_fails_the_same_equivariance_comparison() -> None:
    tokens, place = fractions(np.array([[0.5], [1.0]])), np.array([[1], [2]])
    assert not np.array_equal(tokens[[1, 0]] * place, (tokens * place)[[1, 0]])


@given(drawn(rational=True), st.data())
@settings(max_examples=30, deadline=None)
def test_the_own_slice_picks_the_tokens_that_play_x(case: Drawn, data: st.DataObject) -> None:
    n, d, sample, tokens = case
    own = slice(*sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2))))
    target = target_of(sample.text, n, d)
    assert np.array_equal(target.fractions(tokens, own), target.fractions(tokens)[own])
    assert np.array_equal(target.numpy(tokens.astype(float), own), target.numpy(tokens.astype(float))[own])


@given(drawn())
@settings(max_examples=20, deadline=None)
def test_a_batch_is_evaluated_sequence_by_sequence(case: Drawn) -> None:
    n, d, sample, tokens = case
    target, single = target_of(sample.text, n, d), tokens.astype(float)
    batch = np.stack([single, single[::-1], single * 0.5])[:, None]
    values = target.numpy(batch)
    assert values.shape == (3, 1, n, 1)
    for one, value in zip(batch[:, 0], values[:, 0], strict=True):
        assert np.array_equal(target.numpy(one), value) or np.allclose(target.numpy(one), value, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_s_targets_mean_their_formulas(case: Case) -> None:
    tokens = case.tokens(np.random.default_rng(1), 5)
    values = case.target.numpy(tokens)
    assert values.shape == (5, case.n, case.d_out)
    for row, value in zip(tokens, values, strict=True):
        assert np.allclose(value, case.brute(row), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", RATIONAL_CASES, ids=lambda case: case.name)
def test_the_table_s_rational_targets_are_their_formulas_exactly(case: Case) -> None:
    for row in fractions(case.tokens(np.random.default_rng(2), 3)):
        assert np.array_equal(case.target.fractions(row), case.brute(row))


def _softmax(x: Any, ys: list[Any]) -> Any:
    return sum(sympy.exp(2 * x * y) * y for y in ys) / sum(sympy.exp(2 * x * y) for y in ys)


def _variance(ys: list[Any]) -> Any:
    middle = sum(ys) / sympy.Integer(len(ys))
    return sum((y - middle) ** 2 for y in ys) / sympy.Integer(len(ys))


SYMPY: dict[str, Callable[[Any, list[Any]], Any]] = {
    "sum(exp(2*x*y)*y)/sum(exp(2*x*y))": _softmax,
    "(x-mean(y))/sqrt(mean((y-mean(y))**2)+0.1)":
        lambda x, ys: (x - sum(ys) / len(ys)) / sympy.sqrt(_variance(ys) + sympy.Rational(1, 10)),
    "log(mean(exp(8*y)))/8": lambda x, ys: sympy.log(sum(sympy.exp(8 * y) for y in ys) / len(ys)) / 8,
    "-x**2 + 2**x/n": lambda x, ys: -(x**2) + 2**x / sympy.Integer(len(ys)),
    "mean(sin(pi*y))*cos(x) - tanh(x)**2": lambda x, ys: (
        sum(sympy.sin(sympy.pi * y) for y in ys) / len(ys) * sympy.cos(x) - sympy.tanh(x) ** 2),
    "sigmoid(3*x)*(2+x)**-1.5": lambda x, ys: (2 + x) ** sympy.Rational(-3, 2) / (1 + sympy.exp(-3 * x)),
    "sum(max(abs(y-x))*y)": lambda x, ys: sum(sympy.Max(*(sympy.Abs(z - x) for z in ys)) * y for y in ys),
    "(3+x)**0.3": lambda x, ys: (3 + x) ** sympy.Rational(3, 10),
}


@pytest.mark.parametrize("text", SYMPY)
def test_balls_and_floats_agree_with_sympy(text: str) -> None:
    rng = np.random.default_rng(3)
    for n in (2, 3):
        tokens = fractions(np.round(rng.random((n, 1)) * 64) / 64)
        exact = [sympy.Rational(t.numerator, t.denominator) for t in tokens[:, 0]]
        balls, floats = target_of(text, n).balls(balls_of(tokens)), target_of(text, n).numpy(tokens.astype(float))
        for i in range(n):
            value = sympy.N(SYMPY[text](exact[i], exact), 40)
            with ctx.workprec(120):
                assert balls[i, 0].overlaps(arb(str(value)) + arb(0, "1e-35"))
                assert not balls[i, 0].overlaps(arb(str(value)) + arb("1e-9"))
            assert abs(floats[i, 0] - float(value)) < 1e-12


NUMBERS = fractions(np.array([[0.5], [0.25], [-1.0], [0.25]]))
BY_HAND = {
    "sum(1)": [4, 4, 4, 4],
    "mean(x)": [Fraction(1, 2), Fraction(1, 4), -1, Fraction(1, 4)],
    "sum(x)": [2, 1, -4, 1],
    "max(x)": [Fraction(1, 2), Fraction(1, 4), -1, Fraction(1, 4)],
    "sum(n)": [16, 16, 16, 16],
    "sum(y)": [0, 0, 0, 0],
    "sum(sum(y*y)*y + 1)": [4, 4, 4, 4],
    "sum(sum(x))": [8, 4, -16, 4],
    "sum(y*sum(x*y))": [0, 0, 0, 0],
    "sum(y*mean(y*y))": [0, 0, 0, 0],
    "max(y*x)": [Fraction(1, 4), Fraction(1, 8), 1, Fraction(1, 8)],
    "min(abs(y-x)) + max(abs(y-x))": [Fraction(3, 2), Fraction(5, 4), Fraction(3, 2), Fraction(5, 4)],
    "order(1)": [Fraction(1, 2)] * 4,
    "order(2)": [Fraction(1, 4)] * 4,
    "order(3)": [Fraction(1, 4)] * 4,
    "order(n)": [-1] * 4,
    "x**0": [1] * 4,
    "x**-2": [4, 16, 1, 16],
    "(x*x)**0.5": [Fraction(1, 2), Fraction(1, 4), 1, Fraction(1, 4)],
    "0.1*10": [1] * 4,
    "maximum(x, 0) - relu(x)": [0] * 4,
    "minimum(x, 0) + relu(-x)": [0] * 4,
    "7": [7] * 4,
}


@pytest.mark.parametrize("text", BY_HAND)
def test_small_sums_come_out_as_by_hand(text: str) -> None:
    assert target_of(text, 4).fractions(NUMBERS)[:, 0].tolist() == BY_HAND[text]
    assert np.allclose(target_of(text, 4).numpy(NUMBERS.astype(float))[:, 0], np.array(BY_HAND[text], dtype=float), atol=1e-15)


@given(token_arrays(5, 1), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_order_statistics_are_the_sorted_tokens_in_every_field(tokens: np.ndarray, rank: int) -> None:
    target, expected = target_of(f"order({rank})", 5), sorted(tokens[:, 0], reverse=True)[rank - 1]
    assert target.fractions(tokens).tolist() == [[expected]] * 5
    assert target.numpy(tokens.astype(float)).tolist() == [[float(expected)]] * 5
    assert target.torch(torch.from_numpy(tokens.astype(float))).tolist() == [[float(expected)]] * 5


@given(token_arrays(4, 1), st.integers(1, 4), st.data())
@settings(max_examples=30, deadline=None)
def test_order_statistics_of_overlapping_balls_contain_every_choice(tokens: np.ndarray, rank: int, data: st.DataObject) -> None:
    shifts = np.array([[Fraction(data.draw(st.integers(-16, 16)), 64)] for _ in range(4)], dtype=object)
    wide = np.vectorize(lambda b: b + arb(0, 0.25), otypes=[object])(balls_of(tokens))
    ball = target_of(f"order({rank})", 4).balls(wide)[0, 0]
    moved = target_of(f"order({rank})", 4).fractions(tokens + shifts)[0, 0]
    assert ball.contains(fmpq(moved.numerator, moved.denominator))
    assert float(ball.rad()) < 0.2501


@pytest.mark.parametrize("text", ["exp(x)", "log(2)", "sin(x)", "pi", "sigmoid(x)", "sqrt(2)", "sqrt(-1)", "2**0.5", "2**x"])
def test_what_is_not_rational_is_refused_exactly(text: str) -> None:
    with pytest.raises(NotRational, match="is not rational"):
        target_of(text, 2).fractions(fractions(np.array([[0.5], [1.0]])))


def test_a_division_by_zero_is_an_error_for_fractions_and_not_finite_for_floats_and_balls() -> None:
    tokens = fractions(np.array([[0.0], [1.0]]))
    target = target_of("1/x", 2)
    with pytest.raises(ZeroDivisionError):
        target.fractions(tokens)
    assert not np.isfinite(target.numpy(tokens.astype(float))[0, 0])
    assert [b.is_finite() for b in target.balls(balls_of(tokens))[:, 0]] == [False, True]


def test_torch_evaluation_is_differentiable_in_its_own_dtype() -> None:
    tokens = torch.tensor([[0.5], [0.25], [1.0]], dtype=torch.float32, requires_grad=True)
    values = target_of("x*mean(y)", 3).torch(tokens)
    assert values.dtype == torch.float32
    values[0, 0].backward()
    mean = (0.5 + 0.25 + 1) / 3
    assert torch.allclose(tokens.grad, torch.tensor([[mean + 0.5 / 3], [0.5 / 3], [0.5 / 3]]))


def test_a_constant_has_the_full_shape() -> None:
    assert target_of("(2, x)", 3).numpy(np.zeros((5, 3, 1))).shape == (5, 3, 2)
    assert target_of("2", 3).torch(torch.zeros(5, 3, 1)).shape == (5, 3, 1)


def test_an_expression_without_a_length_is_not_evaluated() -> None:
    with pytest.raises(TypeError, match="must be specialised"):
        evaluate([ex.Length()], np.zeros((2, 1)), numpy_algebra())


@pytest.mark.parametrize("text", ["x*mean(y)", "(x-mean(y))**2*(x-mean(y))", "sum(exp(2*x*y)*y)/sum(exp(2*x*y))", "x+x", "1+0*x"])
def test_values_are_dropped_after_their_last_use_and_computed_once(text: str) -> None:
    calls: list[np.ndarray] = []

    def exp(values: np.ndarray) -> np.ndarray:
        calls.append(values)
        return np.exp(values)

    target = Target.from_text(text, n=3, box=Box.parse("0,1", d=1), name=text)
    algebra = numpy_algebra()
    algebra = replace(algebra, functions={**algebra.functions, "exp": exp})
    tokens = np.random.default_rng(0).random((4, 3, 1))
    walker = Walker(tokens, algebra, slice(None), None, Numbers.numbered(target.outputs))
    values = walker.value(target.outputs[0])[..., 0]
    assert np.array_equal(np.broadcast_to(values, (4, 3)), evaluate(target.outputs, tokens, numpy_algebra())[..., 0])
    assert not walker.known
    assert len(calls) == text.count("exp") / 2


@pytest.mark.parametrize("text", ["x**0.3", "x**(1/3)", "sqrt(x)", "x**1.2", "exp(0.3*log(x))"])
def test_a_fractional_power_is_zero_at_zero_in_every_field(text: str) -> None:
    target = Target.from_text(text, n=2, box=Box.parse("0,1", 1))
    assert target.numpy(np.zeros((2, 1))).tolist() == [[0.0], [0.0]]
    assert target.torch(torch.zeros(2, 1, dtype=torch.float64)).tolist() == [[0.0], [0.0]]
    zero, around = (target.balls(np.array([[ball], [ball]], dtype=object))[0, 0] for ball in (arb(0), arb(0, 1e-9)))
    assert zero == 0
    assert not around.is_finite()  # it may be undefined there


@pytest.mark.parametrize(("text", "c"), [("relu(x)**0.3", 0.3), ("sqrt(relu(x))", 0.5)])
def test_a_power_of_a_positive_part_is_enclosed_by_balls_around_zero(text: str, c: float) -> None:
    target = Target.from_text(text, n=2, box=Box.parse("0,1", 1))
    for low, high in ((-1.0, 0.5), (0.0, 1e-20), (-2.0, -1.0), (0.25, 0.5)):
        ball = arb(low).union(arb(high))
        value = target.balls(np.array([[ball], [ball]], dtype=object))[0, 0]
        for x in np.linspace(low, high, 9):
            assert value.contains(arb(max(float(x), 0.0)) ** arb(str(c))) or value.contains(float(max(x, 0.0) ** c))
        assert float(value.upper()) <= max(high, 0.0) ** c * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("text", ["sqrt(relu(log((1e60+x)-1e60)))", "relu(1/((1e60+x)-1e60))**0.3"])
def test_a_power_of_the_positive_part_of_what_no_ball_encloses_is_not_enclosed_either(text: str) -> None:
    """The sum loses x, the ball of its logarithm is NaN, and so is the upper end, which is then not above 0."""
    target = Target.from_text(text, n=2, box=Box.parse("2,3", 1))
    assert not target.balls(np.array([[arb(3)], [arb(2)]], dtype=object))[0, 0].is_finite()
