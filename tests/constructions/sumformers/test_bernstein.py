"""Bernstein polynomials in power sums: exactly the operator, within the constant of the theorem."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target
from constructions.domains import Box
from constructions.errors import Refused
from constructions.sumformers.bernstein import bernstein, bernstein_degree
from constructions.targets.evaluation import evaluate, fraction_algebra
from constructions.targets.target import Target


def of(text: str, n: int, domain: str = "0,1") -> Target:
    return Target.from_text(text, n=n, box=Box.parse(domain, 1))


def directly(target: Target, N: int, tokens: list[Fraction]) -> Fraction:
    """The tensor Bernstein sum over all n coordinates, with f's float64 values at the grid."""
    (a, b), = target.box.sides
    total = Fraction(0)
    for cell in itertools.product(range(N + 1), repeat=target.n):
        grid = np.array([[[float(a + (b - a) * Fraction(k, N))] for k in (cell[0], *sorted(cell[1:]))]])
        weight = Fraction(float(target.numpy(grid, slice(0, 1))[0, 0, 0]))
        for k, x in zip(cell, tokens, strict=True):
            t = (x - a) / (b - a)
            weight *= math.comb(N, k) * t**k * (1 - t) ** (N - k)
        total += weight
    return total


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([("max(y)*x", 2, "0,1"), ("abs(x-mean(y))", 3, "0,1"), ("exp(mean(y))", 3, "-1,2")]), st.data())
def test_the_expression_in_power_sums_is_the_operator_over_the_rationals(case: tuple[str, int, str], data: st.DataObject) -> None:
    text, n, domain = case
    target = of(text, n, domain)
    outputs, _, N = bernstein(target, [Fraction(1, 2)] * n, Fraction(1))
    (a, b), = target.box.sides
    tokens = [data.draw(st.fractions(a, b, max_denominator=9)) for _ in range(n)]
    values = evaluate(outputs, np.array(tokens, dtype=object)[:, None], fraction_algebra())
    for own in range(n):
        others = [x for k, x in enumerate(tokens) if k != own]
        assert values[own, 0] == directly(target, N, [tokens[own], *others])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.fractions(0, 1))
def test_the_constant_of_the_theorem_holds_for_the_distance_itself(N: int, t: Fraction) -> None:
    mean = sum(math.comb(N, k) * t**k * (1 - t) ** (N - k) * abs(Fraction(k, N) - t) for k in range(N + 1))
    assert mean**2 <= Fraction(1, 4 * N)


def test_a_lipschitz_target_becomes_a_network_through_its_bernstein_polynomial() -> None:
    target = of("max(y)*x", 2)
    decomposition, compiled = compile_target(target, Fraction(2), "power-sums")
    assert not decomposition.every_n
    assert compiled.shares[0].id == "polynomial-density"
    assert sum(share.bound for share in compiled.shares) == compiled.bound <= 2
    tokens = np.random.default_rng(0).random((2000, 2, 1))
    assert np.abs(compiled.sumformer(tokens) - target.numpy(tokens)).max() <= compiled.bound


def test_a_polynomial_that_nobody_could_write_down_is_refused_with_its_size() -> None:
    with pytest.raises(Refused, match=r"degree \d+ or more .* latent dimension 2 \(printed 3\)"):
        compile_target(of("sin(3*mean(y))*x", 3), Fraction(1, 100), "power-sums")
    with pytest.raises(Refused, match="for d = 1 only"):
        compile_target(Target.from_text("exp(x[0])", n=2, box=Box.parse("0,1", 2)), Fraction(1), "power-sums")


def test_the_degree_is_the_least_that_the_constant_allows() -> None:
    sides, slopes = [(Fraction(0), Fraction(2))] * 3, [Fraction(1), Fraction(2), Fraction(2)]
    for tolerance in (Fraction(1), Fraction(1, 3), Fraction(1, 10)):
        N = bernstein_degree(sides, slopes, tolerance)
        assert (Fraction(10) / (2 * tolerance)) ** 2 <= N
        assert N == 1 or (Fraction(10) / (2 * tolerance)) ** 2 > N - 1
