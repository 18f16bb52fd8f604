"""A target is shown to be defined on the whole domain by the checker itself, or the run is not certified, on every route."""

from __future__ import annotations

import functools
import json
import time
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.construct import construct
from constructions.continuous import construct_continuous
from constructions.domains import Box
from constructions.storage import store, store_mean
from constructions.targets import expression as ex
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.target import Target
from proofs_check import continuous, definedness, mean_hulls
from proofs_check.certify import certify
from proofs_check.definedness import definedness_step, undefined_part
from proofs_check.enclosures.interval import Interval
from proofs_check.kernel import Certificate, Claim, Status, Step, Undecided, reached
from proofs_check.propositions import Defined
from proofs_check.run_files import RunFiles
from proofs_check.stand_in import polynomial_steps
from proofs_check.subdivision import certify_by_subdivision, problem_of
from tests.cases import CASES, Case
from tests.strategies import Sample, samples
from uat import pipeline
from uat.request import Request


def found(text: str, domain: str = "0,1", *, n: int = 3, every: bool = False, d: int = 1) -> str | None:
    target = Target.from_text(text, n=n, box=Box.parse(domain, d))
    return undefined_part(target.symbolic if every else target.outputs, target.box.sides, None if every else n)


DEFINED = [
    ("1/x", "1,2"), ("log(x)", "1/3,2/3"), ("sqrt(x)", "0,1"), ("x**x", "1,2"), ("x**-2", "-2,-1"), ("1/(x-mean(y)+3)", "-1,1"),
    ("1/(1/10+mean((y-mean(y))**2))", "-1,2"), ("sqrt(mean((y-mean(y))**2))", "-1,1"), ("log(x**2-x+1)", "-1,2"),
    ("log(mean(exp(1000*(y-1))))", "0,1"), ("log(exp(-2000*x))", "0,1"), ("1/(exp(x)-x)", "0,1"), ("sum(y)/sum(exp(y))", "-1,1"),
    ("1/(mean(y**2)-mean(y)**2+0.01)", "0,1"), ("log(mean((x-y)**2)-(x-mean(y))**2+0.05)", "0,1"), ("mean(1/(2+x-y))", "0,1"),
    ("sqrt(sum(y**2)/n-(sum(y)/n)**2+0.1)", "0,1"), ("log(mean(abs(y-mean(y)))+0.1)", "0,1"), ("1/(n+mean(y))", "0,1"),
    ("x**0.3", "0,1"), ("1/(1+x**0.3)", "0,1"), ("log(0.1+mean(y**(1/3)))", "0,1"), ("(mean(y**2)-mean(y)**2)**0.3", "-1,1"),
    ("1/x**0.3", "1/9,1"), ("max(y)**1.7", "0,2"), ("sqrt(x/(1+x))", "0,1"), ("sqrt(mean(y**2)/(1+mean(y**2)))", "-1,1"),
    ("sqrt(mean(y*y))", "-1,1"), ("sqrt(1/2-mean(y))", "-1/2,1/2"),
    ("(x-1/3)**0.3", "1/3,1"), ("sqrt(1-x**2)", "-1,1"), ("sqrt(1-x*mean(y))", "-1,1"), ("sqrt(1-exp(-mean(y**2)))", "-1,1"),
    ("log(1+x)**0.3", "0,1"), ("sqrt(1/(2/3+x)-1/2)", "0,4/3"), ("sqrt(tanh(x))", "0,3"),
    ("sqrt(1-minimum(x**4,max(y)))", "-1,1"),
]


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(("text", "domain"), DEFINED)
def test_what_is_defined_everywhere_is_shown_to_be(text: str, domain: str, every: bool) -> None:
    assert found(text, domain, every=every) is None


@pytest.mark.parametrize("text", ["log(max(y)-min(y)+0.1)", "sqrt(order(1)-order(2))", "sqrt(max(y)-x)", "order((n+1)/2)"])
def test_sorting_shows_it_for_one_length(text: str) -> None:
    assert found(text) is None


UNDEFINED = [
    ("1/x", "0,1", "x[0] != 0"), ("log(x)", "0,1", "x[0] > 0"), ("sqrt(x)", "-1,2", "x[0] >= 0"), ("x**-1", "-1,2", "x[0] != 0"),
    ("log(x)-log(x)+x", "-1,1", "x[0] > 0"), ("x*mean(y)/mean(y)", "-1,1", "mean(y[0]) != 0"), ("0*log(x)", "-1,1", "x[0] > 0"),
    ("1/(x-1/3)", "0,1", "(x[0] - (1 / 3)) != 0"), ("1 + mean(1/(x-y))", "0,1", "(x[0] - y[0]) != 0"),
    ("(1/x)**0", "-1,1", "!= 0"),
    ("log(max(y)-min(y))", "0,1", "> 0"), ("sqrt(x-mean(y))", "0,1", ">= 0"), ("log(mean(y**2)-mean(y)**2)", "0,1", "> 0"),
    ("x**0.3", "-1,1", "x[0] >= 0"), ("1/x**0.3", "0,1", "!= 0"), ("x**(-0.3)", "0,1", "x[0] > 0"), ("log(x**0.3)", "0,1", "> 0"),
    ("exp(0.3*log(x))*log(x)", "0,1", "x[0] > 0"), ("exp(x*log(x))", "0,1", "x[0] > 0"), ("1/exp(2*log(x))", "0,1", "!= 0"),
    ("mean(y**0.3)/mean(y**0.3)", "0,1", "!= 0"),
    ("relu(-exp(1/x))", "-1,1", "x[0] != 0"), ("maximum(sqrt(x), 2)", "-1,1", ">= 0"), ("max(1/y)-max(1/y)", "-1,1", "y[0] != 0"),
]


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(("text", "domain", "reason"), UNDEFINED)
def test_what_is_undefined_somewhere_is_never_shown_to_be_defined(text: str, domain: str, reason: str, every: bool) -> None:
    assert reason in (found(text, domain, every=every) or "")


def test_a_rank_has_to_fit_every_length_that_is_claimed() -> None:
    assert "no rank" in (found("order((n+1)/2)", every=True) or "")
    assert "no rank" in (found("order(3)", every=True) or "")
    assert found("order(2)", every=True) is None


def test_an_undefined_length_between_others_is_noticed_although_the_runs_own_is_fine() -> None:
    """The divisor vanishes for n = 5 alone, at tokens that are all 1."""
    assert found("1/(n-4-mean(y))") is None
    assert found("1/(n-4-mean(y))", every=True) is not None


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_named_targets_are_shown_to_be_defined_in_no_time(name: str, every: bool) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    start = time.process_time()
    shown = undefined_part(target.symbolic if every else target.outputs, target.box.sides, None if every else target.n)
    assert time.process_time() - start < 0.3
    assert (shown is None) is not (every and name == "median")  # there is none for an even number of tokens


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_target_of_the_table_is_shown_to_be_defined(case: Case) -> None:
    assert undefined_part(case.target.outputs, case.target.box.sides, case.n) is None


@given(samples(n=2, depth=2))
@settings(max_examples=40, deadline=None)
def test_a_target_that_is_defined_for_all_real_tokens_is_shown_to_be(sample: Sample) -> None:
    assert found(sample.text, "-1,2", n=2) is None


def _argument(text: str, n: int, tokens: np.ndarray) -> np.ndarray:
    return Target.from_text(text, n=n, box=Box.parse("-1,2", 1)).numpy(tokens)


@given(samples(n=3, depth=2, smooth=True), st.sampled_from(["1/2", "-1/3", "1", "2", "3", "5"]),
       st.sampled_from(["1/", "log", "sqrt"]), st.sampled_from([None, 2, 3]), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_where_it_is_shown_no_sequence_shows_the_contrary(sample: Sample, shift: str, function: str, n: int | None,
                                                          seed: int) -> None:
    inner = f"{sample.text} + {shift}"
    if found(f"{function}({inner})", "-1,2", n=n or 3, every=n is None) is not None:
        return
    rng = np.random.default_rng(seed)
    for length in (2, 3, 17) if n is None else (n,):
        tokens = rng.choice([-1.0, 0.0, 2.0, *rng.uniform(-1, 2, 3)], size=(200, length, 1))
        values = _argument(inner, length, tokens)
        signs = np.sign(np.where(np.abs(values) < 1e-9 * (1 + np.abs(values)), 0, values))
        if function == "1/":  # as it is continuous in the tokens, one sign
            assert {*signs.ravel()} <= {0.0, 1.0} or {*signs.ravel()} <= {0.0, -1.0}
        else:
            assert signs.min() >= 0


MEANS = ("mean(y**2) - mean(y)**2", "mean(x*y) - x*mean(y)", "mean(exp(y)) - exp(mean(y))", "mean(y)*mean(y**3) - mean(y**2)**2",
         "mean(x*exp(y)) - mean(y)*x**2", "mean(sin(3*x*y))*mean(y) - mean(y**2)*x")


@given(st.sampled_from(MEANS), st.lists(st.floats(-1, 2), min_size=8, max_size=8),
       st.lists(st.floats(0, 1), min_size=8, max_size=8), st.integers(2, 9), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_enclosure_on_a_box_of_means_holds_for_every_sequence_whose_means_are_in_it(
        text: str, ends: list[float], widths: list[float], n: int, seed: int) -> None:
    target = Target.from_text(text, n=n, box=Box.parse("-1,2", 1))
    means = mean_hulls.Means(target.box.sides, n)
    tree = means.named(target.outputs[0])
    tokens = np.random.default_rng(seed).uniform(-1, 2, (n, 1))
    point = [float(_argument(str(node), n, tokens[None])[0, 0, 0]) for node in means.names]
    share, size = np.array(ends[: len(point)]) % 1.0, np.array(widths[: len(point)])
    lower, upper = np.array(point) - share * size - 1e-12, np.array(point) + (1 - share) * size + 1e-12
    values, _ = mean_hulls.enclosed(means, tree, lower[None], upper[None])
    value = float(_argument(text, n, tokens[None])[0, 0, 0])
    assert values.lower[0] - 1e-9 <= value <= values.upper[0] + 1e-9


def test_the_enclosure_gets_sharp_as_boxes_get_small_although_the_range_of_each_mean_does_not() -> None:
    """On mean(y) near 1/2 and any second mean: m2 - m1^2 is seen to be at least 0 up to the square of a width."""
    target = Target.from_text("mean(y**2) - mean(y)**2", n=3, box=Box.parse("0,1", 1))
    means = mean_hulls.Means(target.box.sides, None)
    tree = means.named(target.outputs[0])
    assert list(map(str, means.names)) == ["x[0]", "mean(y[0]**2)", "mean(y[0])"]
    values, _ = mean_hulls.enclosed(means, tree, np.array([[0.0, 0.0, 0.49]]), np.array([[1.0, 1.0, 0.51]]))
    assert -1e-3 < values.lower[0] <= 0


def _request(eps: str, **options: object) -> Request:
    return Request("x*mean(y)", eps, domain="-1,1", architecture="sumformer", **options)  # type: ignore[arg-type]


ROUTES: dict[str, tuple[Request, str]] = {
    "structure": (_request("1/50", n=3, method="sum-decomposition"), "1/x - 1/x"),
    "every length": (_request("1/50", method="sum-decomposition"), "mean(y)/mean(y) - 1"),
    "fit": (_request("1/10", n=3, method="fit"), "log(x) - log(x)"),
    "grid": (_request("1", n=2, lipschitz="2"), "sqrt(x) - sqrt(x)"),
}


@cache
def built(route: str) -> RunFiles:
    request = ROUTES[route][0]
    if route == "grid":
        grid = construct(*pipeline.prepare(request, request.lengths()[0]))
        stored, construction = store(grid.sumformer, grid.architectures), grid
    else:
        target = request.resolved(request.lengths()[0])[0]
        assert isinstance(target, Target)
        built = construct_continuous(target, request.tolerance(), request.method, request.heads(), limits=request.limits())
        stored, construction = store_mean(built.sumformer, built.architectures, built.compiled.derivation), built  # type: ignore[assignment]
    exact, network, plan, claim = (json.loads(json.dumps(part)) for part in (
        stored.exact, stored.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return RunFiles(stored.arrays, exact, network, plan, {"claim": claim})


def rewritten(route: str, added: str) -> RunFiles:
    """Return the run with another text for the same function, wherever that is defined."""
    run = built(route)
    text = f"x*mean(y) + ({added})"
    claim = {**run.certificate["claim"], "expression": text, "target": text}
    return RunFiles(run.arrays, run.exact, run.network, {**run.plan, "expression": text, "target": text}, {"claim": claim})


def _definedness(steps: tuple[Step, ...]) -> list[Step]:
    return [step for step in reached(steps) if step.id == definedness.ID]


@pytest.mark.parametrize("route", ROUTES)
def test_a_run_is_certified_with_the_step_in_its_proof(route: str) -> None:
    verdict = certify(built(route))
    assert isinstance(verdict, Certificate), verdict
    (step,) = _definedness((verdict.conclusion,))
    assert step.says == Defined("f", verdict.claim.scope)
    assert step.status is Status.CERTIFIED


@pytest.mark.parametrize("route", ROUTES)
def test_a_text_that_algebra_makes_equal_but_that_is_undefined_somewhere_is_not_certified(
        route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuous, "polynomial_steps", functools.partial(polynomial_steps, seconds=1.0))
    verdict = certify(rewritten(route, ROUTES[route][1]))
    assert isinstance(verdict, Undecided), verdict
    if route != "fit":  # there no box around 0 has a bound either
        assert "not shown that f is defined on the whole domain" in verdict.reason


@pytest.mark.parametrize("route", ["structure", "every length", "grid"])
def test_the_same_text_is_certified_where_it_is_defined(route: str) -> None:
    assert isinstance(certify(rewritten(route, "1/(3+x) - 1/(3+x)")), Certificate)


def test_subdivision_bounds_no_box_on_which_the_target_may_be_undefined() -> None:
    proved, _ = certify_by_subdivision(*problem_of(built("structure"), 2, Fraction(1, 20)), seconds=60)
    assert isinstance(proved, Certificate)
    (step,) = _definedness((proved.conclusion,))
    assert step.premises
    tampered, _ = certify_by_subdivision(*problem_of(rewritten("structure", "1/x - 1/x"), 2, Fraction(1, 20)), seconds=2)
    assert isinstance(tampered, Undecided)


def test_an_unproved_sign_is_undecided_and_never_false(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target.from_text("1/(mean(y**3)-mean(y)**3+0.01)", n=30, box=Box.parse("0,1", 1))
    claim = Claim("t", target.text, 30, 1, 1, target.box.sides, ("sumformer",), Fraction(1))
    assert definedness_step(target, claim).status is Status.CERTIFIED
    monkeypatch.setattr(mean_hulls, "MOST_BOXES", 1)
    step = definedness_step(target, claim)
    assert step.status is Status.UNDECIDED
    assert step.says is None
    assert "(column 1)" in step.statement


def test_the_builders_check_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from constructions.targets import definedness as of_the_builder

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("refuse_undefined", "_culprit"):
        monkeypatch.setattr(of_the_builder, name, refuse)
    assert found("log(1+mean(y))") is None
    assert found("log(x)") is not None


@pytest.mark.parametrize(("text", "shown"), [
    ("x*mean(y)", "nothing in f can be undefined: it has no /, log or sqrt"),
    ("1/(1+x**2)", "the argument of /, log or sqrt has the sign it needs"),
    ("log(1+x**2)/(2+x) + x**-1", "all 3 arguments of /, log or sqrt have the signs they need")])
def test_what_was_shown_is_a_sentence_that_does_not_repeat_what_follows(text: str, shown: str) -> None:
    target = Target.from_text(text, n=2, box=Box.parse("1,2", 1))
    step = definedness_step(target, Claim("t", text, 2, 1, 1, target.box.sides, ("sumformer",), Fraction(1)))
    assert step.statement == shown
    assert str(step.says) == "f is defined on the whole domain, n = 2"


def test_parts_are_found_innermost_first() -> None:
    (tree,) = Target.from_text("log(1+1/(2+x))", n=2, box=Box.parse("0,1", 1)).outputs
    assert [str(needed.argument) for needed in definedness.partial_nodes(tree)] == ["(2 + x[0])", "(1 + (1 / (2 + x[0])))"]
    assert isinstance(tree, ex.Apply)


@given(samples(n=3, depth=2, smooth=True))
@settings(max_examples=40, deadline=None)
def test_signs_that_parts_show_hold_at_every_length(sample: Sample) -> None:
    trees = Target.from_text(f"({sample.text}) + 1/4", n=3, box=Box.parse("-1,2", 1)).symbolic
    if not definedness.is_positive(trees[0], Box.parse("-1,2", 1).sides, None):
        return
    for length in (2, 3, 9):
        tokens = np.random.default_rng(length).uniform(-1, 2, (100, length, 1))
        assert _argument(f"({sample.text}) + 1/4", length, tokens).min() >= 0


@pytest.mark.parametrize("ends", [(5e-324, 5e-324), (5e-324, 1e-323), (-5e-324, -5e-324), (1.5e-323, 2e-323)])
def test_the_middle_of_a_box_is_in_it(ends: tuple[float, float]) -> None:
    """Slopes over the box say nothing about a place outside."""
    side = Interval.of([ends[0]], [ends[1]])
    assert side.contains(mean_hulls._middle(side)).all()
