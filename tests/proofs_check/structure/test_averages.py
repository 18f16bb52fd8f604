"""Range lemmas against random sequences: averages, variances, and what looks like a variance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.averages import WHOLE, natural_range, quotient_range
from tests.strategies import Sample, samples

SIDES = [(Fraction(-1, 2), Fraction(1))]


def tree(text: str) -> ex.Expression:
    return parse(text, 1)[0]


def sampled(text: str, n: int, seed: int) -> np.ndarray:
    """Evaluate at sequences of random numbers and of the two ends."""
    rng = np.random.default_rng(seed)
    tokens = rng.uniform(-0.5, 1, size=(60, n, 1))
    tokens[::2] = np.where(rng.random((30, n, 1)) < rng.random((30, 1, 1)), -0.5, 1.0)
    return Target.from_text(text, n=n, box=Box.parse("-1/2,1", 1)).numpy(tokens)


@settings(max_examples=40, deadline=None)
@given(samples(d=1, n=4, depth=3), st.integers(0, 99))
def test_the_natural_range_contains_samples(sample: Sample, seed: int) -> None:
    text = sample.text
    low, high = natural_range(Target.from_text(text, n=4, box=Box.parse("-1/2,1", 1)).outputs[0], SIDES, 4)
    values = sampled(text, 4, seed)
    slack = 1e-9 * (1 + np.abs(values).max())
    assert low <= values.min() + slack
    assert values.max() - slack <= high


@pytest.mark.parametrize("kind", ["mean", "sum", "max", "min"])
@pytest.mark.parametrize("u", ["y", "x*y", "exp(y) - x"])
def test_squares_of_deviations_contain_samples_whatever_is_done_with_them(kind: str, u: str) -> None:
    text = f"{kind}(({u} - mean({u}))**2)"
    low, high = natural_range(tree(text), SIDES, 9)
    values = np.concatenate([sampled(text, 9, seed).ravel() for seed in range(20)])
    assert low <= values.min() + 1e-12
    assert values.max() <= high + 1e-12
    if kind == "mean":
        assert low == 0
        assert high <= 3 * values.max()


@pytest.mark.parametrize("u", ["y", "x*y", "exp(y) - x"])
@pytest.mark.parametrize("text", ["mean(({u})**2) - mean({u})**2", "mean(({u})*({u})) - mean({u})*mean({u})"])
def test_a_variance_written_out_is_not_negative(u: str, text: str) -> None:
    text = text.format(u=u)
    low, high = natural_range(tree(text), SIDES, 9)
    values = np.concatenate([sampled(text, 9, seed).ravel() for seed in range(20)])
    assert low == 0
    assert values.max() <= high + 1e-12
    assert high <= 3 * values.max()


@pytest.mark.parametrize("text", ["mean(y)**2 - mean(y**2)", "mean(y**2) - mean(x*y)**2", "mean(y**2) - mean(y)",
                                  "mean(y**4) - mean(y)**2", "max(y**2) - max(y)**2", "mean(y**2) - mean(y)**4",
                                  "sum(y**2) - sum(y)**2"])
def test_what_only_looks_like_a_variance_may_be_negative(text: str) -> None:
    assert natural_range(tree(text), SIDES, 9)[0] < 0


def test_a_variance_is_at_most_a_quarter_of_the_squared_width() -> None:
    low, high = natural_range(tree("mean((y - mean(y))**2)"), SIDES, None)
    assert low == 0
    assert high == pytest.approx(9 / 16)
    assert natural_range(tree("mean((y - mean(x*y))**2)"), SIDES, None)[1] > 1


@pytest.mark.parametrize(("a", "b"), [("exp(x*y)*y", "exp(x*y)"), ("(y + 1)*exp(y)*y", "exp(y)"), ("exp(y)", "exp(y)")])
def test_a_weighted_average_lies_in_the_range_of_what_is_averaged(a: str, b: str) -> None:
    low, high = quotient_range(tree(f"mean({a})"), tree(f"mean({b})"), SIDES)
    values = np.concatenate([sampled(f"mean({a})/mean({b})", 5, seed).ravel() for seed in range(10)])
    assert low <= values.min() + 1e-12
    assert values.max() <= high + 1e-12
    assert high - low <= 3.1


@pytest.mark.parametrize(("u", "low", "high"), [("y**2", 0.25, 0.5), ("y**2 - 1/2", -0.25, 0), ("2*(y**2)", 0.5, 1),
                                                ("1 - y**2", 0.5, 0.75), ("3 + 2*(y**2)", 3.5, 4), ("y**2 - y", -1, 1.5)])
def test_what_is_known_of_a_function_of_y_narrows_affine_functions_of_it(u: str, low: float, high: float) -> None:
    known = {tree("mean(y**2)").body: Interval.of(0.25, 0.5)}
    found = quotient_range(tree(f"mean(exp(x)*({u}))"), tree("mean(exp(x))"), SIDES, known)
    assert found == pytest.approx((low, high))


@pytest.mark.parametrize(("p", "q"), [
    ("mean(y*y)", "mean(y)"), ("mean(exp(y)*y)", "mean(exp(x*y))"), ("mean(y*exp(y))", "mean(n*exp(y))"),
    ("sum(exp(y)*y)", "mean(exp(y))"), ("max(exp(y)*y)", "max(exp(y))"), ("x*exp(x)", "exp(x)")])
def test_other_quotients_are_left_alone(p: str, q: str) -> None:
    assert quotient_range(tree(p), tree(q), SIDES) == WHOLE


@pytest.mark.parametrize(("text", "low", "high"), [("sum(exp(x*y)*y)/sum(exp(x*y))", -0.5, 1), ("sum(y**2)/sum(2+y)", 0, 2 / 3),
                                                   ("sin(sum(y*(2+y))/sum(2+y))", np.sin(-0.5), np.sin(1))])
def test_a_quotient_of_sums_has_a_range_for_every_length(text: str, low: float, high: float) -> None:
    """n is in both and cancels; without one there is none of a sum alone, nor of a quotient that may divide by 0."""
    found = natural_range(tree(text), SIDES, None)
    assert found == pytest.approx((low, high), abs=1e-9)
    for n in (2, 7):
        values = sampled(text, n, n)
        assert found[0] - 1e-12 <= values.min()
        assert values.max() <= found[1] + 1e-12
    assert natural_range(tree("sum(y)/sum(y)"), SIDES, None) == WHOLE
    assert natural_range(tree("sum(y)/mean(1+y**2)"), SIDES, None) == WHOLE
