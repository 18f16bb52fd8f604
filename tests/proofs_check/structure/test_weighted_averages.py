"""Averages of functions of a token with weights that are functions of a token: read off the weights, for every n."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from constructions.continuous import construct_continuous
from constructions.targets.target import Target
from proofs_check.structure.content import Content
from proofs_check.structure.derivation import Held
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.proof import prove
from proofs_check.structure.reading import Number, Reading
from proofs_check.structure.variable import Variable
from uat import pipeline
from uat.request import Request

TARGETS = (("sum(exp(-y[1])*y[0])/sum(exp(-y[1]))", "1/20", "-1/2,4"),
           ("sum(exp(-y[1]*y[2])*y[0])/sum(exp(-y[1]*y[2]))", "1/20", "-1/2,2"),
           ("sum(exp(2*y[1])*abs(y[0]-y[1]/2))/sum(exp(2*y[1]))", "1/1000", "-1/2,2"),
           ("sum(sigmoid(y[1]*y[0])*abs(y[1]-y[1]/2))/sum(sigmoid(y[1]*y[0]))", "1/10", "-1,1"),
           ("sum(exp(-relu(y-1/3))*y*y)/sum(exp(-relu(y-1/3)))", "1/1000", "0,3"),
           ("sum(exp(-abs(y[1]-y[0]/2))*y[0]*y[1])/sum(exp(-abs(y[1]-y[0]/2)))", "1/1000", "0,3"),
           ("sqrt(1+mean(relu(y-1/3)**2))*sin(2*x)", "1/1000", "-1/2,2"), ("exp(maximum(sin(3*x), x**2)+cos(x))", "1e-4", "0,1"),
           ("mean(y)/(1+mean(y**2))", "1e-4", "0,1"))


def test_parts_of_a_divisor_that_it_never_takes_decide_nothing() -> None:
    """2 + mean(|y/2|) lies in [2, 2.5], its channels show [2, 3]: a table of 1/q is far off beyond its knots."""
    text = "(x-exp(-mean(exp(-y))))/(2+mean(abs(y-y/2)))"
    request = Request(text, "1/1000", method="sum-decomposition", architecture="sumformer", domain="0,3")
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, ())
    found = prove(construction.sumformer, construction.compiled.derivation, target, pipeline.claim_of(construction))
    assert found.identities
    assert found.bound >= 1e-5


@pytest.mark.parametrize(("text", "eps", "domain"), TARGETS)
def test_the_bound_is_proved_from_the_weights_and_holds(text: str, eps: str, domain: str) -> None:
    request = Request(text, eps, method="sum-decomposition", architecture="sumformer", domain=domain)
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, ())
    found = prove(construction.sumformer, construction.compiled.derivation, target, pipeline.claim_of(construction))
    assert found.identities
    assert found.bound <= 1.05 * float(construction.bound)
    rng, worst = np.random.default_rng(0), 0.0
    low, high = (float(Fraction(end)) for end in domain.split(","))
    for n in (2, 3, 30):
        tokens = low + (high - low) * rng.random((200, n, target.d))
        tokens[::3, :, 0] = np.where(rng.random((67, n)) < 0.5, low, high)
        at_n = Target.from_text(text, n=n, box=target.box)
        worst = max(worst, float(np.abs(construction.sumformer(tokens) - at_n.numpy(tokens)).max()))
    assert worst <= found.bound


UNIT = [(Fraction(0), Fraction(1))]
numbers = st.fractions(-3, 3, max_denominator=50)


@given(numbers, numbers, numbers, numbers, numbers, st.fractions(-1, 1), st.fractions(-1, 1), st.fractions(-1, 1))
def test_a_known_product_of_affine_numbers_stands_for_that_of_the_variables(
        h: Fraction, k: Fraction, c: Fraction, m: Fraction, e: Fraction, a: Fraction, b: Fraction, other: Fraction) -> None:
    """(c + m other + h a)(e + k b) = w: what replaces a b has its value wherever w has."""
    if not h or not k:
        return
    reading = Reading(UNIT)
    H, K, C, M, E, A, B, X = (fmpq(q.numerator, q.denominator) for q in (h, k, c, m, e, a, b, other))
    p = Number("a", H, Polynomial({(): C, (("other", 1),): M}))
    q = Number("b", K, Polynomial({(): E}))
    w = (C + M * X + H * A) * (E + K * B)
    value = Fraction(int(w.p), int(w.q))
    reading.know_product(p, q, float(value) - 1.0, float(value) + 2.0)
    name = reading.products["a", "b"][2]
    scale = reading.variables[name]
    v = (w - fmpq(scale.centre.numerator, scale.centre.denominator)) / fmpq(scale.half.numerator, scale.half.denominator)
    at = {"a": A, "b": B, "other": X, name: v}
    found = fmpq(0)
    for monomial, coefficient in reading._product("a", "b").terms.items():
        term = coefficient
        for variable, exponent in monomial:
            term *= at[variable] ** exponent
        found += term
    assert found == A * B


@given(st.integers(0, 2**32))
def test_a_sum_of_parts_lies_within_what_is_known_of_each(seed: int) -> None:
    """Two facts whose channels share a variable: both are used, in whatever order."""
    rng = np.random.default_rng(seed)
    reading = Reading(UNIT)
    for name in ("s", "t", "u"):
        reading.variables[name] = Variable.of(-1.0, 1.0)
    weights = rng.integers(-9, 10, (2, 3))
    for channel, row in zip(("one", "two"), weights, strict=True):
        terms = {((name, 1),): fmpq(int(c)) for name, c in zip("stu", row, strict=True) if c}
        reading.contents[channel] = Content(Polynomial(terms))
    low, high = np.sort(rng.normal(size=(2, 2)), axis=0)
    reading.facts = [(Held({channel: Fraction(1)}, Fraction(0)), float(a), float(b))
                     for channel, a, b in zip(("one", "two"), low, high, strict=True)]
    whole = Content(reading.contents["one"].main + reading.contents["two"].main)
    a, b = reading.range(whole)
    points = rng.uniform(-1, 1, (4000, 3))
    values = points @ weights.T
    allowed = values[((low <= values) & (values <= high)).all(axis=1)].sum(axis=1)
    if len(allowed):
        assert a <= allowed.min()
        assert allowed.max() <= b
    if np.abs(weights).sum(axis=1).all() and np.linalg.matrix_rank(weights) == 2:
        assert b - a <= 2 * np.abs(weights.sum(axis=0)).sum() + 1e-9
