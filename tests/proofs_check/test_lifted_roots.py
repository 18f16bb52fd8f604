"""How far f is from itself with lifted roots is bounded for every tree, and a run that claims to be so near is held to it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.domains import Box
from constructions.errors import BadInput
from constructions.progress import silent
from constructions.storage import store_mean
from constructions.targets.language import parse
from constructions.targets.target import Target
from proofs_check import continuous
from proofs_check.certify import certify
from proofs_check.definedness import with_rounded_roots
from proofs_check.kernel import Certificate, Refuted, Status, Undecided
from proofs_check.lifted_roots import Moved
from proofs_check.propositions import TARGET, Near
from proofs_check.run_files import RunFiles
from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.runs import said_to_be
from uat import pipeline
from uat.request import Request
from uat.sampling import sample_network

LOW, HIGH = Fraction(0), Fraction(2)
SIDES = [(LOW, HIGH)]
EPS = "1e-2"
TARGETS = ("sqrt(mean(y**2))", "x*sqrt(abs(x-mean(y)))/(1+sqrt(mean(y)))", "sqrt(mean(y**2)-mean(y)**2)", "abs(x-1/2)**1.5",
           "mean(y**3)**(1/3)", "abs(x-mean(y))**0.3", "mean(y**0.7)-x**1.2", "(mean(y**2)-mean(y)**2)**0.3",
           "mean(y**0.3)**0.7", "sqrt(mean(sqrt(y)))")


def inner(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Combine parts in every way that the rule knows; what the roots see is never negative."""
    pairs = st.tuples(children, children)
    return st.one_of(
        pairs.map(lambda p: f"({p[0]}+{p[1]})"), pairs.map(lambda p: f"({p[0]}-{p[1]})"), pairs.map(lambda p: f"{p[0]}*{p[1]}"),
        pairs.map(lambda p: f"maximum({p[0]},{p[1]})"), pairs.map(lambda p: f"minimum({p[0]},{p[1]})"),
        pairs.map(lambda p: f"{p[0]}/(3+abs({p[1]}))"), children.map(lambda u: f"ROOT(abs({u}))"),
        children.map(lambda u: f"exp(-abs({u}))"), children.map(lambda u: f"sin({u})"), children.map(lambda u: f"tanh({u})"),
        children.map(lambda u: f"sigmoid({u})"), children.map(lambda u: f"({u})**2"), children.map(lambda u: f"log(1+abs({u}))"),
        children.map(lambda u: f"relu({u})"), children.map(lambda u: f"(-{u})"))


LEAVES = st.sampled_from(["x", "1/3", "ROOT(x)", "ROOT(mean(y))", "mean(ROOT(y)*x)", "ROOT(mean((y-mean(y))**2))", "max(ROOT(y))",
                          "sum(ROOT(y)*y)/sum(1+y)", "mean(y)", "ROOT(2-x)"])
TREES = st.recursive(LEAVES, inner, max_leaves=4)


def with_roots(text: str, r: Fraction | None, c: Fraction) -> str:
    """Write ROOT(..) as a power c, or as a lifted one."""
    at = text.rfind("ROOT(")
    if at < 0:
        return text
    depth, end = 1, at + 5
    while depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    argument = text[at + 5:end - 1]
    root = f"({argument})**({c})" if r is None else f"maximum({argument},{r})**({c})"
    return with_roots(text[:at] + root + text[end:], r, c)


@settings(max_examples=120, deadline=None)
@given(TREES, st.sampled_from([Fraction(1, 3), Fraction(1, 400), Fraction(1, 10**6)]),
       st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(7, 10), Fraction(6, 5)]), st.integers(0, 2**32 - 1))
def test_no_sequence_moves_by_more_than_is_proved(text: str, r: Fraction, c: Fraction, seed: int) -> None:
    f, g = (Target.from_text(with_roots(text, height, c), n=3, box=Box((LOW,), (HIGH,))) for height in (None, r))
    bound = Moved(SIDES, None).of(f.symbolic[0], g.symbolic[0])
    rng = np.random.default_rng(seed)
    tokens = rng.choice([0.0, 1e-9, float(r), float(r) / 7, 1.0, 2.0], (400, 3, 1))
    tokens *= rng.choice([1.0, 1.0, rng.random()], (400, 3, 1))
    tokens[:100] = 2 * rng.random((100, 3, 1))
    tokens[100:120] = tokens[100:120, :1]
    gap = np.abs(f.numpy(tokens) - g.numpy(tokens))
    assert float(np.nanmax(gap)) <= bound * (1 + 1e-9) + 10 * 1e-15 ** min(1.0, float(c) ** 2)  # powers of rounded numbers near 0


@pytest.mark.parametrize(("wanted", "held", "bound"), [
    ("sqrt(x)", "sqrt(maximum(x,1/100))", 0.1),
    ("x*sqrt(x)", "x*sqrt(maximum(x,1/100))", 0.2),
    ("sqrt(x)**3", "sqrt(maximum(x,1/100))**3", 0.1**3),
    ("sin(sqrt(x))", "sin(sqrt(maximum(x,1/100)))", math.sin(0.1)),
    ("x**0.3", "maximum(x,1/100)**0.3", 0.01**0.3),
    ("x**1.2", "maximum(x,1/100)**1.2", 0.01**1.2),
    ("(x**2)**(1/3)", "maximum(x**2,1/1000)**(1/3)", 0.1),
    ("sqrt(sqrt(x))", "sqrt(maximum(sqrt(x),1/100))", 0.1),
    ("sqrt(sqrt(x))", "sqrt(maximum(sqrt(maximum(x,1/10000)),1/100))", 0.1),
    ("mean(sqrt(y))", "mean(sqrt(maximum(y,1/100)))", 0.1),
    ("sum(x*sqrt(y))/sum(1+y)", "sum(x*sqrt(maximum(y,1/100)))/sum(1+y)", 0.2),
    ("sin(sum(x*sqrt(y))/sum(1+y))", "sin(sum(x*sqrt(maximum(y,1/100)))/sum(1+y))", 0.2)])
def test_the_bound_is_what_the_lemma_says(wanted: str, held: str, bound: float) -> None:
    f, g = (Target.from_text(text, n=2, box=Box((LOW,), (HIGH,))).symbolic[0] for text in (wanted, held))
    assert bound <= Moved(SIDES, None).of(f, g) * (1 + 1e-12) <= bound * (1 + 1e-3)


@pytest.mark.parametrize(("wanted", "held"), [
    ("sqrt(x)", "sqrt(maximum(x,0))"), ("sqrt(x)", "sqrt(maximum(x,-1))"), ("sqrt(x)", "sqrt(minimum(x,1/100))"),
    ("sqrt(x)", "x"),
    ("sqrt(x)", "sqrt(maximum(x,mean(y)))"), ("x+sqrt(x)", "2*x+sqrt(maximum(x,1/100))"),
    ("1/sqrt(x)", "1/sqrt(maximum(x,1/100))"), ("sum(sqrt(y))", "sum(sqrt(maximum(y,1/100)))"),
    ("log(sqrt(x))", "log(sqrt(maximum(x,1/9)))"), ("n*sqrt(x)", "n*sqrt(maximum(x,1/9))"),
    ("sqrt(x)-x", "sqrt(maximum(x,1/9))+x"), ("mean(sqrt(y))", "max(sqrt(maximum(y,1/9)))"),
    ("sqrt(x)**2", "sqrt(maximum(x,1/9))**3"), ("x**0.3", "maximum(x,1/9)**0.4"), ("x**(-0.3)", "maximum(x,1/9)**(-0.3)")])
def test_other_trees_are_not_near(wanted: str, held: str) -> None:
    f, g = (Target.from_text(text, n=2, box=Box((LOW,), (HIGH,))).symbolic[0] for text in (wanted, held))
    assert Moved(SIDES, None).of(f, g) == np.inf


def test_a_sum_is_bounded_for_one_length() -> None:
    (f,), (g,) = parse("sum(sqrt(y))", 1), parse("sum(sqrt(maximum(y,1/100)))", 1)
    assert 0.5 <= Moved(SIDES, 5).of(f, g) <= 0.5001


@cache
def built(text: str) -> tuple[Target, ContinuousConstruction, RunFiles]:
    request = Request(text, EPS, method="sum-decomposition")
    target = request.resolved(3)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, request.heads())
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return target, construction, RunFiles(data.arrays, {}, network, plan, {"claim": claim})


@pytest.mark.parametrize("text", TARGETS)
def test_it_is_certified_by_structure_for_every_length_and_no_sample_is_above(text: str) -> None:
    target, construction, run = built(text)
    verdict = certify(run)
    assert isinstance(verdict, Certificate), verdict
    assert verdict.claim.every_n
    assert not any("error analysis" in assumption for assumption in verdict.assumptions)
    assert {"lifted-root", "definedness"} <= {step.id for step in verdict.steps}
    for n in (2, 3, 100):
        at = Target.from_text(target.text, n=n, box=target.box)
        found = sample_network(at, construction.sumformer, verdict.proved_bound, samples=60_000, device="cpu", seed=1,
                               report=silent)
        assert not found.refutes
        assert found.maximum > 0.2 * float(verdict.proved_bound)


def test_by_derivation_the_same_step_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_: object, **__: object) -> None:
        raise NotUnderstood("for this test")

    monkeypatch.setattr(continuous, "prove", unread)
    verdict = certify(built(TARGETS[0])[2])
    assert isinstance(verdict, Certificate)
    ids = [step.id for step in verdict.steps]
    assert ids.count("lifted-root") == 1
    assert any("error analysis" in assumption for assumption in verdict.assumptions)


@pytest.mark.parametrize("lifted", [
    "sqrt(maximum(mean(y[0]**2), (1/400)))", "sqrt(mean(y[0]**2))", "sqrt(maximum(mean(y[0]**2), (1/40900)))+1/1000",
    "sqrt(maximum(mean(y[0]**3), (1/40900)))", "x[0]", "sqrt(maximum(mean(y[0]**2), (1/10**60)**6))",
    "sqrt(maximum(mean(y[0]**2), (10**60)**6))"])
def test_a_network_of_another_lifted_target_is_not_certified_by_it(lifted: str) -> None:
    """Held against the wrong expression the run is derived again, from f: that proves only what was built."""
    run = built(TARGETS[0])[2]
    verdict = certify(replace(run, plan={**run.plan, "lifted": lifted}))
    assert not isinstance(verdict, Certificate) or any("error analysis" in assumption for assumption in verdict.assumptions)


def test_a_lifted_target_that_is_too_far_is_not_certified() -> None:
    """The network of sqrt(max(m, r)) with a larger r: it is what it says, and too far from f."""
    tall = "sqrt(maximum(mean(y**2), 1/4000))"
    verdict = certify(said_to_be(built(tall)[2], TARGETS[0], tall))
    assert isinstance(verdict, Undecided | Refuted)


def test_of_a_lifted_target_that_is_not_near_nothing_is_said_about_f() -> None:
    """The network of sqrt(max(x, r)), said to be that of another function: algebra shows nothing of f."""
    lifted, f = "sqrt(maximum(x, 1/40000))", "sin(x)+sqrt(mean(y))"
    verdict = certify(said_to_be(built(lifted)[2], f, lifted))
    assert isinstance(verdict, Undecided)
    assert {step.id for step in verdict.steps if step.status is Status.UNDECIDED} == {"lifted-root"}
    assert not any(isinstance(step.says, Near) and step.says.first == TARGET for step in verdict.steps)


def test_a_lifted_target_gives_no_value_where_f_has_none() -> None:
    """sqrt(max(x - 1/2, r)) is defined at x = 0 and a network for it is near; f = sqrt(x - 1/2) is not defined there."""
    lifted, f = "sqrt(maximum(x-1/2, 1/40000))", "sqrt(x-1/2)"
    verdict = certify(said_to_be(built(lifted)[2], f, lifted))
    assert not isinstance(verdict, Certificate)
    assert any(step.id == "definedness" and step.status is Status.UNDECIDED for step in verdict.steps)


@pytest.mark.parametrize("lifted", ["sqrt(", "x[1]", "(x, x)", ""])
def test_a_text_that_is_none_of_f_is_refused(lifted: str) -> None:
    run = built(TARGETS[0])[2]
    try:
        verdict = certify(replace(run, plan={**run.plan, "lifted": lifted}))
    except BadInput:
        return
    assert isinstance(verdict, Refuted)


@pytest.mark.parametrize("array", ["psi.0.W_1", "psi.0.bias", "readout.b_out"])
def test_a_moved_weight_is_not_certified(array: str) -> None:
    run = built(TARGETS[0])[2]
    arrays = {name: value.copy() for name, value in run.arrays.items()}
    arrays[array].flat[0] += 0.05
    assert not isinstance(certify(replace(run, arrays=arrays)), Certificate)


def test_a_variance_that_rounding_makes_negative_is_sampled_as_zero() -> None:
    target = Target.from_text("sqrt(mean(y**2)-mean(y)**2)", n=3, box=Box((LOW,), (HIGH,)))
    equal = np.repeat(np.random.default_rng(0).random((2000, 1, 1)), 3, axis=1)
    assert np.isnan(target.numpy(equal)).any()
    rounded = with_rounded_roots(target)
    assert np.nanmax(np.abs(rounded.numpy(equal))) < 1e-7
    assert not np.isnan(rounded.numpy(equal)).any()
    ball = rounded.balls(np.array([[arb(1) / 3]] * 3, dtype=object))[0, 0]
    assert ball.is_finite()
    assert ball.contains(0)
    undefined = Target.from_text("sqrt(mean(y)-1/2)", n=3, box=Box((LOW,), (HIGH,)))
    assert with_rounded_roots(undefined) is undefined
    plain = Target.from_text("sqrt(1/10+mean((y-mean(y))**2))", n=3, box=Box((LOW,), (HIGH,)))
    assert with_rounded_roots(plain) is plain
