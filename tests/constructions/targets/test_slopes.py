"""The steepest slope of a target is above every sampled one, and tight where the truth is known."""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from constructions.domains import Box
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.slopes import steepest, translation_invariant
from constructions.targets.target import Target
from tests.cases import CASES, Case
from tests.constructions.targets.known_slopes import KNOWN
from tests.strategies import Sample, samples


def sampled_slope(target: Target, *, count: int = 3000, seed: int = 0) -> float:
    """The largest l1 gradient norm of an output over random sequences of the box, by central differences."""
    rng = np.random.default_rng(seed)
    lower, upper = (np.array([float(v) for v in side]) for side in (target.box.lower, target.box.upper))
    step = 1e-6
    share = rng.beta(0.35, 0.35, (count, target.n, target.d))  # steep places tend to lie near the boundary
    tokens = lower + step + (upper - lower - 2 * step) * share
    total = np.zeros((count, target.n, target.d_out))
    for k, c in itertools.product(range(target.n), range(target.d)):
        shift = np.zeros((target.n, target.d))
        shift[k, c] = step
        total += np.abs(target.numpy(tokens + shift) - target.numpy(tokens - shift)) / (2 * step)
    return float(total.max())


@cache
def enclosed(name: str) -> tuple[float, float]:
    bound, attained, _ = steepest(resolve(name, n=None, d=None, domain="0,1"), tolerance=0.02, max_boxes=200_000)
    return bound, attained


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_the_proven_slope_of_a_library_target_is_above_every_sampled_one_and_tight(name: str) -> None:
    bound, attained = enclosed(name)
    sampled = sampled_slope(resolve(name, n=None, d=None, domain="0,1"))
    assert sampled <= bound * (1 + 1e-6)
    assert attained <= bound <= 1.05 * attained


@pytest.mark.parametrize("name", KNOWN)
def test_known_constants_are_bracketed(name: str) -> None:
    bound, attained = enclosed(name)
    assert attained <= KNOWN[name] <= bound <= 1.05 * KNOWN[name]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_claim_that_is_ten_percent_too_small_is_caught_by_sampling(name: str) -> None:
    assert sampled_slope(resolve(name, n=None, d=None, domain="0,1")) > 0.9 * KNOWN[name]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_s_constants_are_bracketed(case: Case) -> None:
    bound, attained, place = steepest(case.target, tolerance=0.02, max_boxes=100_000)
    assert attained <= case.lipschitz * (1 + Fraction(1, 10**9))
    assert len(place) == case.n * case.d
    if case.exact:
        assert case.lipschitz <= bound <= 1.05 * float(case.lipschitz)
    assert sampled_slope(case.target, count=500) <= bound * (1 + 1e-6)


ATTAINED = {
    "(max(y-x)-min(y-x))**2": (3, 4.0),  # differences of tokens of [0, 1], all of which cannot be +1 and -1 at once
    "mean((y-x)**2)": (3, 8 / 3),
    "relu(x-1/4)-relu(1/4-x)": (2, 1.0),
    "maximum(x,1/4)+minimum(x,1/4)": (2, 1.0),
    "abs(x-1/2)": (2, 1.0),
    "mean(relu(y-x))": (3, 4 / 3),
    "x*0": (2, 0.0),
    "5": (2, 0.0),
}


@pytest.mark.parametrize("text", ATTAINED)
def test_an_attained_slope_is_attained_by_a_sequence_of_the_domain(text: str) -> None:
    n, slope = ATTAINED[text]
    target = Target.from_text(text, n=n, box=Box.parse("0,1", 1))
    bound, attained, _ = steepest(target, tolerance=0.02, max_boxes=20_000)
    assert slope <= bound + 1e-9
    assert attained <= slope + 1e-9
    assert sampled_slope(target) <= slope + 1e-6


@given(samples(n=2, depth=2))
@settings(max_examples=25, deadline=None)
def test_the_slope_of_a_random_target_is_above_every_sampled_one(sample: Sample) -> None:
    target = Target.from_text(sample.text, n=2, box=Box.parse("-1,2", 1))
    bound, _, _ = steepest(target, tolerance=0.1, max_boxes=300)
    assert sampled_slope(target, count=200) <= bound * (1 + 1e-4) + 1e-6, sample.text


@pytest.mark.parametrize(("text", "expected"), [
    ("mean(y[0]-x[0])", True), ("mean(x[1]-y[1])**2", True), ("max(y[0])-min(y[0])", False), ("mean(y[0]-x[1])", False),
    ("x[0]-x[0]", False), ("3", True), ("mean((y[0]-x[0])*x[1])", False)])
def test_translation_invariance_is_recognised_only_where_it_is_certain(text: str, expected: bool) -> None:
    assert translation_invariant(Target.from_text(text, n=2, box=Box.parse("0,1", 2)).outputs[0]) is expected
