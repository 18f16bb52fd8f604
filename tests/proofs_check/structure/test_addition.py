"""Sines and cosines of sums: what they are written as has their values, in one angle where one will do."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import construct_continuous
from constructions.storage import store_mean
from constructions.targets.target import Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate
from proofs_check.run_files import RunFiles
from proofs_check.structure.addition import MOST_ANGLES, MOST_TURNS, Angles, Finer, multiple, reduced
from uat import pipeline
from uat.request import Request

X, Y, Z = sympy.symbols("x y z", real=True)
UNKNOWN = {"x": 0.7, "y": -1.3, "z": 2.1}


def number(expression: sympy.Expr) -> float:
    return float(expression.subs({symbol: sympy.Float(UNKNOWN[symbol.name], 40) for symbol in expression.free_symbols}))


def written(name: str, u: sympy.Expr) -> sympy.Expr:
    angles = Angles()
    for _ in range(10):
        try:
            return angles.wave(name, sympy.expand(u))
        except Finer:
            continue
    raise AssertionError("no angle is fine enough")


fractions = st.fractions(-6, 6, max_denominator=4)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["sin", "cos"]),
       st.lists(st.tuples(fractions, st.sampled_from([X, Y, X * Y, sympy.pi * Z, sympy.Integer(1)])), min_size=1, max_size=4))
def test_a_wave_of_a_sum_has_the_value_of_what_it_is_written_as(name: str, terms: list[tuple[Fraction, sympy.Expr]]) -> None:
    u = sum(sympy.Rational(c.numerator, c.denominator) * whole for c, whole in terms)
    assert math.isclose(number(written(name, sympy.sympify(u))), number(getattr(sympy, name)(u)), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("k", [-MOST_TURNS, -3, -1, 0, 1, 2, 5, MOST_TURNS])
def test_multiples_of_an_angle(k: int) -> None:
    s, c = multiple(sympy.sin(X), sympy.cos(X), k)
    assert math.isclose(number(s), math.sin(k * 0.7), abs_tol=1e-9)
    assert math.isclose(number(c), math.cos(k * 0.7), abs_tol=1e-9)


def test_a_smaller_angle_is_asked_for_and_then_used() -> None:
    angles = Angles()
    assert angles.wave("sin", X / 2) == sympy.sin(X / 2)
    with pytest.raises(Finer):
        angles.wave("cos", X / 3)
    assert angles.parts == {X: Fraction(1, 6)}
    assert angles.wave("cos", X / 2).atoms(sympy.cos) == {sympy.cos(X / 6)}


def test_what_would_grow_too_large_stays_as_it_is() -> None:
    u = sum(sympy.symbols(f"a:{MOST_ANGLES + 1}", real=True))
    assert Angles().wave("sin", u) == sympy.sin(u)
    angles = Angles({X: Fraction(1)})
    assert angles.wave("sin", (MOST_TURNS + 1) * X) == sympy.sin((MOST_TURNS + 1) * X)


def test_squares_of_sines_are_written_with_cosines() -> None:
    assert reduced(sympy.sin(X) ** 2 + sympy.cos(X) ** 2) == 1
    assert reduced(sympy.sin(X) ** 5) == sympy.expand(sympy.sin(X) * (1 - sympy.cos(X) ** 2) ** 2)
    assert reduced(sympy.sin(X) ** -2) == sympy.sin(X) ** -2


def stored(text: str) -> RunFiles:
    request = Request(text, "5e-2", architecture="sumformer", method="sum-decomposition")
    target = request.resolved(3)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, request.heads(), limits=request.limits())
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": claim})


def without_the_builder(run: RunFiles) -> bool:
    verdict = certify(run)
    return isinstance(verdict, Certificate) and not any("error analysis" in one for one in verdict.assumptions)


@pytest.mark.parametrize("text", ["mean(sin(x+y))", "mean(y*cos(x-2*y))", "exp(mean(sin(x/2+y))/2)"])
def test_a_run_whose_waves_were_taken_apart_is_certified_without_the_builder(text: str) -> None:
    assert without_the_builder(stored(text))


@pytest.mark.parametrize("other", ["mean(sin(1000000000001/1000000000000*x+y))", "mean(sin(x-y))", "mean(cos(x+y))"])
def test_a_run_about_another_wave_is_not(other: str) -> None:
    run = stored("mean(sin(x+y))")
    run.plan.update(expression=other, target=other)
    run.certificate["claim"].update(expression=other, target=other)
    assert not without_the_builder(run)
