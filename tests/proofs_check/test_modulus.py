"""The Lipschitz check accepts what holds with a little room and never what does not."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.moduli import derived
from constructions.targets import evaluation
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target
from proofs_check.domain import translation_rate
from proofs_check.enclosures.interval import Interval
from proofs_check.gradient import norm_at
from proofs_check.modulus import ModulusCheck, check_lipschitz
from proofs_check.walker import Chamber

ATTENTION = "sum(exp(2*x*y)*y)/sum(exp(2*x*y))"
SQUARE = "((y[0]-x[0])**2+(y[1]-x[1])**2+0.1)**1.5"
GRAVITY = f"(mean((y[0]-x[0])/{SQUARE}), mean((y[1]-x[1])/{SQUARE}))"
HINGES = "2*(2*(max(y)-min(y)) - sum(abs(y-x))) - 1"

# text, n, d, a constant that holds, one that is slightly too small
CASES = (
    ("x*mean(y)", 3, 1, "2.001", "1.99"),
    (ATTENTION, 3, 1, "1.5956", "1.579"),
    (ATTENTION, 4, 1, "1.6879", "1.654"),
    (GRAVITY, 2, 2, "33.2", "31.5"),
    ("order(2)", 3, 1, "1", "0.99"),
    ("max(y)-min(y)", 3, 1, "2", "1.99"),
    (HINGES, 3, 1, "4", "3.9"),
    ("relu(x-0.5)*mean(y)", 3, 1, "1.501", "1.49"),
    ("maximum(x**2, mean(y**2))", 3, 1, "2.001", "1.99"),
    ("mean(abs(sin(5*y)-x))", 2, 1, "6.01", "5.5"),
    ("max(exp(y))-min(exp(y))", 3, 1, "5.44", "5.4"),
    ("log(x+0.1)+sqrt(mean(y)+0.25)", 2, 1, "11.01", "10.9"),
    ("mean(relu(x-y)**2)", 2, 1, "2.001", "1.99"),
    ("(x, 3*x, mean(y))", 2, 1, "3", "2.999"),
    ("sqrt(maximum(x, 1/400))", 3, 1, "10.001", "9.9"),
    ("maximum(x, 1/1000)**(2/3)", 3, 1, "6.668", "6.6"),
    ("maximum(mean(y**3), 1/1000)**(1/3)", 3, 1, "1.001", "0.999"),
    ("maximum(x-mean(y), 1/1000)**1.5", 3, 1, "1.634", "1.62"),
    ("mean(sqrt(maximum(abs(x-y), 1/102)))", 3, 1, "6.74", "6.6"),
    ("maximum(x, 1/50)**0.7/(3+maximum(x, 1/50)**0.7)", 3, 1, "0.731", "0.715"),
    ("5", 2, 1, "0", "-1"),
)


def check(text: str, n: int, d: int, claim: str, *, max_boxes: int = 200_000, lower: str = "0",
          upper: str = "1") -> ModulusCheck:
    domain = [Fraction(lower)] * d, [Fraction(upper)] * d
    return check_lipschitz(parse(text, d), n, d, *domain, Fraction(claim), max_boxes=max_boxes)


@pytest.mark.parametrize(("text", "n", "d", "holds", "too_small"), CASES)
def test_a_constant_that_holds_is_certified(text: str, n: int, d: int, holds: str, too_small: str) -> None:
    result = check(text, n, d, holds)
    assert result.status == "certified"
    assert result.witness is None
    assert result.proven is not None
    assert Fraction(too_small) <= result.proven <= Fraction(holds)


@pytest.mark.parametrize(("text", "n", "d", "holds", "too_small"), CASES)
def test_a_constant_that_is_slightly_too_small_is_not_certified(text: str, n: int, d: int, holds: str, too_small: str) -> None:
    assert check(text, n, d, too_small).status in ("refuted", "undecided")


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "5"])
def test_a_refutation_has_a_witness_in_the_domain_where_the_norm_is_too_large(case: tuple[str, int, int, str, str]) -> None:
    text, n, d, _, too_small = case
    result = check(text, n, d, too_small)
    assert result.status == "refuted"
    assert result.witness is not None
    witness = result.witness
    tokens = [value for token in witness.tokens for value in token]
    assert len(tokens) == n * d
    assert all(0 <= value <= 1 for value in tokens)
    heads = [token[0] for token in witness.tokens]
    assert heads == sorted(heads, reverse=True)
    assert witness.norm_at_least > Fraction(too_small)
    output = ex.specialise(parse(text, d)[witness.output], n)
    again = norm_at(output, [Interval.of([float(value)]) for value in tokens], Chamber(n, d, witness.own)).item()
    assert again == pytest.approx(float(witness.norm_at_least), rel=1e-9)


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "1/(x-0.5)", "x + log(-1)", "mean(sqrt(abs(y-x)))", "x + 0*log(x-2)",
                                  "log(max(y)-min(y))", "sqrt(y_spread - 0.5)", "x + (log(-1))**0"])
def test_a_function_that_is_undefined_or_infinitely_steep_is_never_certified(text: str) -> None:
    result = check(text.replace("y_spread", "(max(y)-min(y))"), 2, 1, "1000000", max_boxes=3000)
    assert result.status != "certified"


def test_spending_the_budget_is_undecided_and_reports_the_best_bound() -> None:
    result = check(ATTENTION, 3, 1, "1.5799", max_boxes=1500)
    assert result.status == "undecided"
    assert result.boxes <= 1500
    assert result.proven is not None
    assert Fraction("1.5799") < result.proven < 10


def test_the_sharp_constant_of_a_smooth_target_is_undecided_at_once_with_a_bound_next_to_it() -> None:
    result = check("x*mean(y)", 3, 1, "2")
    assert result.status == "undecided"
    assert result.boxes < 100
    assert result.proven is not None
    assert 2 <= result.proven < Fraction("2.000001")


def test_the_domain_ends_are_rational_and_the_box_contains_them() -> None:
    assert check("x**2", 2, 1, "0.66666666666667", lower="0", upper="1/3").status == "certified"
    assert check("x**2", 2, 1, "0.6666", lower="0", upper="1/3").status == "refuted"
    assert check("x**2", 2, 1, "20", lower="-10", upper="0").status == "undecided"
    assert check("x**2", 2, 1, "20.01", lower="-10", upper="0").status == "certified"


def test_a_malformed_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 lower ends below 1 upper ends"):
        check_lipschitz(parse("x", 1), 2, 1, [Fraction(1)], [Fraction(1)], Fraction(1))


def test_progress_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    check_lipschitz(parse(ATTENTION, 1), 3, 1, [Fraction(0)], [Fraction(1)], Fraction("1.6"),
                    progress=lambda done, waiting: seen.append((done, waiting)))
    assert seen
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_translations_are_recognised_only_where_they_act_affinely() -> None:
    for text, rate in (("x", 1), ("mean(y-x)", 0), ("sum(y)", 3), ("order(2) - x", 0), ("exp(y_m - x) + 2*x/4", Fraction(1, 2)),
                       ("maximum(x, max(y))", 1), ("abs(x)", None), ("x*x", None), ("maximum(x, 0)", None), ("x/mean(y)", None),
                       ("exp(mean(y))", None), ("5*pi", 0), ("-x", -1)):
        node = ex.specialise(parse(text.replace("y_m", "mean(y)"), 1)[0], 3)
        assert translation_rate(node, 0, 3) == rate, text
    node = parse("x[0]*mean(y[1] - x[1])", 2)[0]
    assert translation_rate(node, 0, 2) is None
    assert translation_rate(node, 1, 2) == 0


def test_the_bound_scales_with_the_domain_of_a_translation_invariant_target() -> None:
    assert check("mean((y-x)**2)", 2, 1, "4.001", upper="2").status == "certified"
    assert check("mean((y-x)**2)", 2, 1, "3.99", upper="2").status == "refuted"
    assert check("mean((y-x)**2)", 2, 1, "2.001", upper="1").status == "certified"


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_no_pair_of_sequences_contradicts_a_certified_constant(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text, n, d, holds, _ = CASES[seed % len(CASES)]
    outputs = [ex.specialise(output, n) for output in parse(text, d)]
    first = rng.random((200, n, d))
    second = np.clip(first + rng.normal(size=first.shape) * 10.0 ** rng.integers(-4, 1), 0, 1)
    values = [evaluation.evaluate(outputs, tokens, evaluation.numpy_algebra()) for tokens in (first, second)]
    moved = np.abs(first - second).max(axis=(1, 2))
    assert (np.abs(values[0] - values[1]).max(axis=(1, 2)) <= float(Fraction(holds)) * moved + 1e-12).all()


def test_the_softmax_check_is_quick() -> None:
    start = time.process_time()
    assert check(ATTENTION, 3, 1, "1.5956").status == "certified"
    assert time.process_time() - start < 3.0


@pytest.mark.parametrize("text", ["log(1 + (sin(x) - sin(x))**2)", "maximum(x + pi, x) - x",
                                  "sin(sqrt(1 + x**2)) - sin(sqrt(1 + x**2))"])
def test_a_constant_in_disguise_has_a_derived_constant_that_is_certified_at_once(text: str) -> None:
    target = Target.from_text(text, n=2, box=Box.parse("0,1", 1))
    constant = derived(target).lipschitz
    assert constant <= Fraction(1, 10**50)
    found = check_lipschitz(target.outputs, 2, 1, target.box.lower, target.box.upper, constant)
    assert found.status == "certified"
    assert found.boxes <= 10
