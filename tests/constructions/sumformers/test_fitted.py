"""Fitted polynomials: in the span they should be in, exact where the target is one, as close as they are estimated to be."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target, construct_continuous
from constructions.domains import Box
from constructions.errors import Refused
from constructions.sumformers.fitted import MARGIN, Basis, chebyshev, fit
from constructions.targets import expression as ex
from constructions.targets.evaluation import evaluate, fraction_algebra, numpy_algebra
from constructions.targets.library import resolve
from constructions.targets.target import Target


def of(text: str, n: int, d: int = 1, domain: str = "0,1") -> Target:
    return Target.from_text(text, n=n, box=Box.parse(domain, d))


def gap(target: Target, outputs: tuple[ex.Expression, ...], seed: int = 5, count: int = 20_000) -> float:
    """Largest error among random sequences and ends of the domain."""
    rng = np.random.default_rng(seed)
    low, high = (np.array([float(end) for end in ends]) for ends in (target.box.lower, target.box.upper))
    shares = np.concatenate([rng.random((count, target.n, target.d)), rng.integers(0, 2, (200, target.n, target.d))])
    tokens = low + (high - low) * shares
    return float(np.abs(np.asarray(evaluate(outputs, tokens, numpy_algebra())) - target.numpy(tokens)).max())


def dimension(n: int, D: int) -> int:
    """Dimension of the polynomials of degree D in x, symmetric in n - 1 other numbers: own power times a partition."""
    parts = [sum(b) for b in itertools.product(*(range(0, D + 1, k) for k in range(1, n)))]
    return sum(D - total + 1 for total in parts if total <= D)


@pytest.mark.parametrize(("n", "D"), [(2, 3), (3, 4), (3, 8), (4, 6), (5, 3)])
def test_for_one_coordinate_the_functions_are_a_basis(n: int, D: int) -> None:
    basis = Basis.of(n, 1, D)
    assert len(basis.exponents) == dimension(n, D)
    tokens = np.random.default_rng(0).uniform(-1, 1, (4 * len(basis.exponents), n, 1))
    assert np.linalg.matrix_rank(basis.values(tokens)) == dimension(n, D)


@pytest.mark.parametrize(("n", "d", "D"), [(2, 2, 3), (3, 2, 3)])
def test_for_more_coordinates_they_span_all_semi_invariant_polynomials(n: int, d: int, D: int) -> None:
    """Every x^a prod_j x_j^(a_j), symmetrised over the others, is in the span."""
    basis, rng = Basis.of(n, d, D), np.random.default_rng(0)
    tokens = rng.uniform(-1, 1, (4 * len(basis.exponents), n, d))
    A = basis.values(tokens)
    for powers in itertools.product(itertools.product(range(D + 1), repeat=d), repeat=n):
        if sum(map(sum, powers)) != D:
            continue
        wanted = sum(np.prod([np.prod(tokens[:, place] ** np.array(power), axis=-1) for place, power in
                              zip((0, *order), powers, strict=True)], axis=0) for order in itertools.permutations(range(1, n)))
        found = np.linalg.lstsq(A, wanted, rcond=1e-10)[0]
        assert np.abs(A @ found - wanted).max() <= 1e-8


@settings(deadline=None)
@given(st.integers(1, 12), st.fractions(-1, 1, max_denominator=64))
def test_chebyshev_polynomials_are_written_exactly(k: int, u: Fraction) -> None:
    a, b = Fraction(1), u  # the three-term recurrence
    for _ in range(k - 1):
        a, b = b, 2 * u * b - a
    tokens = np.array([[[u]]], dtype=object)
    assert evaluate((chebyshev(ex.Own(0), k),), tokens, fraction_algebra())[0, 0, 0] == b


@pytest.mark.parametrize(("text", "n", "d", "domain"), [
    ("x*mean(y)**2 - 3*x**2", 3, 1, "0,1"), ("x + 7*x**2 + 3*x*(sum(y) - x)**3", 3, 1, "-1,2"),
    ("(x[0]*mean(y[1]), mean(y[0]*y[1]) - x[1])", 2, 2, "0,1"), ("mean(y**2)", 2, 1, "0,1")])
def test_a_polynomial_is_found_again(text: str, n: int, d: int, domain: str) -> None:
    target = of(text, n, d, domain)
    found = fit(target, Fraction(1, 10**6))
    assert found.degree <= 4
    assert gap(target, found.outputs) <= found.missed <= Fraction(1, 10**6)


@pytest.mark.parametrize(("text", "n", "eps"), [("f", 3, "1/100"), ("f", 2, "1/10000"), ("soft-rank", 2, "1/20"),
                                                ("exp(-x*mean(y)*mean(y**2))", 4, "1/1000")])
def test_the_claimed_error_is_not_contradicted_and_shrinks_with_the_degree(text: str, n: int, eps: str) -> None:
    target = resolve(text, n=n, d=None, domain="0,1")
    assert isinstance(target, Target)
    coarse, fine = fit(target, Fraction(eps)), fit(target, Fraction(eps) / 8)
    for found, tolerance in ((coarse, Fraction(eps)), (fine, Fraction(eps) / 8)):
        assert gap(target, found.outputs) <= found.missed <= tolerance
    assert coarse.degree < fine.degree


def test_coefficients_are_short_dyadic_numbers() -> None:
    target = of("exp(x*mean(y))", 3)
    found = fit(target, Fraction(1, 100))
    for node in found.outputs[0].walk():
        if isinstance(node, ex.Number):
            assert node.value.denominator & (node.value.denominator - 1) == 0
            assert math.log2(node.value.denominator) <= 40
    assert found.missed >= MARGIN * Fraction(gap(target, found.outputs)) * Fraction(9, 10)


def test_the_same_fit_comes_out_twice() -> None:
    target = of("exp(x*mean(y))", 3)
    assert fit(target, Fraction(1, 100)).outputs == fit(target, Fraction(1, 100)).outputs


@pytest.mark.parametrize(("target", "words"), [
    (of("abs(x - 1/2)", 3), "more than 600 coefficients, and of degree .* they miss"),
    (of("log(x)", 2), "is not finite"),
    (of("x*mean(y)", 40), "40 dimensions"),
    (Target.from_text("mean(y)*i/n", n=2, box=Box.parse("0,1;0,1", 2), positional=True), "positions"),
])
def test_what_is_refused_and_why(target: Target, words: str) -> None:
    with pytest.raises(Refused, match=words):
        fit(target, Fraction(1, 1000))


def test_the_network_is_within_the_bound() -> None:
    target = of("max(x[0]*y[1])/2 + x[0]*mean(y[0])", 2, 2)
    decomposition, compiled = compile_target(target, Fraction(1, 5), "fit")
    assert decomposition.stands_in
    assert not decomposition.every_n
    assert sum(share.bound for share in compiled.shares) == compiled.bound <= Fraction(1, 5)
    tokens = np.random.default_rng(0).random((4000, 2, 2))
    assert np.abs(compiled.sumformer(tokens) - target.numpy(tokens)).max() <= compiled.bound
    built = construct_continuous(target, Fraction(1, 5), "fit", [])
    assert built.stands_in == decomposition.stands_in
