"""Continuous constructions: sampled <= proved <= eps, for named targets and for expressions written by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target, construct_continuous
from constructions.domains import Box
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer
from constructions.pooling import pooling_head
from constructions.sumformers.limits import Limits
from constructions.survey import cheapest, survey
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.target import CallableTarget, Target
from tests.strategies import samples

NAMED = [name for name in LIBRARY if not name.startswith("gravity")]
REFUSED = {("max", "1/10000"), ("range", "1/10000"), ("median", "1/10000"), ("obstruction", "1/10000"), ("obstruction", "1/100")}


def of(text: str, *, n: int = 3, d: int = 1, domain: str = "0,1") -> Target:
    return Target.from_text(text, n=n, box=Box.parse(domain, d))


def at_length(target: Target, n: int) -> Target:
    return Target.from_text(target.text, n=n, box=target.box)


def worst_error(sumformer: MeanSumformer, target: Target, seed: int = 0) -> float:
    """Random tokens, corners, skewed sequences of two values, and a few rounds of climbing."""
    rng = np.random.default_rng(seed)
    lower, upper = (np.array([float(end) for end in ends]) for ends in (target.box.lower, target.box.upper))
    n, d, count = target.n, target.d, max(40, 1200 // target.n)

    def inside(shares: np.ndarray) -> np.ndarray:
        return np.clip(lower + (upper - lower) * shares, lower, upper)

    pair, choice = rng.random((count, 2, 1, d)), rng.random((count, n, 1)) < rng.random((count, 1, 1))
    skewed = np.where(choice, pair[:, 0], pair[:, 1])
    skewed[:, 0] = rng.random((count, d))
    tokens = inside(np.concatenate([rng.random((count, n, d)), rng.random((count, n, d)) < rng.random((count, 1, 1)), skewed]))
    for _ in range(4):
        error = np.abs(sumformer(tokens) - target.numpy(tokens)).max(axis=(1, 2))
        best = tokens[np.argsort(error)[-6:]]
        step = 10.0 ** rng.uniform(-4, 0, (120, 1, 1)) * (upper - lower)
        moved = np.repeat(best, 20, axis=0) + rng.normal(size=(120, n, d)) * step
        tokens = np.concatenate([best, np.clip(moved, lower, upper)])
    return float(np.abs(sumformer(tokens) - target.numpy(tokens)).max())


def check(target: Target, eps: str) -> None:
    decomposition, compiled = compile_target(target, Fraction(eps), "sum-decomposition")
    assert compiled.bound <= Fraction(eps)
    assert sum((share.bound for share in compiled.shares), Fraction(0)) == compiled.bound
    assert all(share.bound >= 0 for share in compiled.shares)
    for n in (2, 3, 16, 256) if decomposition.every_n else (target.n,):
        assert worst_error(compiled.sumformer, at_length(target, n)) <= compiled.bound


@pytest.mark.parametrize("eps", ["1/100", "1/10000"])
@pytest.mark.parametrize("name", NAMED)
def test_no_sampled_error_of_a_named_target_exceeds_the_proved_bound_at_any_length(name: str, eps: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    if (name, eps) in REFUSED:
        with pytest.raises(Refused, match="--max-latent"):
            compile_target(target, Fraction(eps), "sum-decomposition", limits=Limits(max_latent=300))
        return
    check(target, eps)


@pytest.mark.parametrize(("text", "d", "domain"), [
    ("exp(-mean(y)**2)*x + sin(mean(x*y))", 1, "-1,2"), ("mean(sin(x+y))*mean(cos(y))", 1, "0,1"),
    ("sqrt(mean((y-x)**2)+1/5)", 1, "0,1"), ("relu(x-mean(y)) + abs(mean(y)-1/2)", 1, "0,1"),
    ("maximum(mean(y), x)*minimum(x, 1/3)", 1, "0,1"), ("tanh(3*(x-mean(y)))/(1+mean(y**2))", 1, "-1,1"),
    ("log(mean(exp(5*y)))*x", 1, "0,1"), ("mean(1/((x-y)**2+1/2))", 1, "-1,2"), ("mean(exp(x+y)*(x-y)**2)", 1, "0,1"),
    ("mean(exp(-(y-mean(y))**2))", 1, "0,1"), ("(mean(x[0]*y[1]), mean(exp(-(x[0]-y[0])**2))*x[1])", 2, "0,1"),
    ("sum(exp(x[0]*y[0]+x[1]*y[1])*y[0])/sum(exp(x[0]*y[0]+x[1]*y[1]))", 2, "0,1"), ("mean(y)**3*x**5", 1, "-1,1"),
    ("pi*mean(y)*x", 1, "0.3,0.7"), ("order(2)*x", 1, "0,1"), ("sum(y)/n + n*mean(y)/sum(1+y**2)", 1, "0,1"), ("0.5", 1, "0,1"),
    ("x", 1, "0,1"), ("(x-mean(y))/sqrt(mean((y-mean(y))**2)+1/10)", 1, "-1,2")])
def test_sub_expressions_of_every_kind_are_compiled_soundly(text: str, d: int, domain: str) -> None:
    check(of(text, d=d, domain=domain), "1/50")


@pytest.mark.parametrize(("text", "value"), [
    ("minimum(1/3, exp(-pi**2))", lambda: (-(arb.pi() * arb.pi())).exp()), ("maximum(1/9, exp(-2))", lambda: arb(-2).exp()),
    ("x - x + exp(-2)", lambda: arb(-2).exp())])
def test_the_rounding_of_an_irrational_constant_is_inside_the_bound(text: str, value: Callable[[], arb]) -> None:
    compiled = compile_target(of(text), Fraction(1, 10), "sum-decomposition")[1]
    held = Fraction(float(compiled.sumformer.b_out[0]))
    with ctx.workprec(200):
        error = abs(arb(fmpq(held.numerator, held.denominator)) - value())
        assert error <= arb(fmpq(compiled.bound.numerator, compiled.bound.denominator))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data(), eps=st.sampled_from(["1/10", "1/100", "1/1000"]))
def test_what_is_compiled_for_a_random_expression_is_sound_and_what_is_not_is_refused(data: st.DataObject, eps: str) -> None:
    sample = data.draw(samples(d=1, n=3, depth=2))
    target = of(sample.text)
    try:
        decomposition, compiled = compile_target(target, Fraction(eps), "sum-decomposition", limits=Limits(max_latent=200))
    except Refused:
        return
    assert sum((share.bound for share in compiled.shares), Fraction(0)) == compiled.bound <= Fraction(eps)
    for n in (2, 16) if decomposition.every_n else (3,):
        with np.errstate(all="ignore"):
            error = worst_error(compiled.sumformer, at_length(target, n))
        assert not error > compiled.bound


@pytest.mark.parametrize("text", ["log(3/2 + (x*0)**2)*mean(y)", "minimum(log(2 + 0*x), sigmoid(order(n)))",
                                  "maximum(x - x, mean(y) - 1/2)", "exp(mean(y) - mean(y)) + x"])
def test_a_form_that_is_a_constant_in_disguise_is_one(text: str) -> None:
    target = of(text)
    built = construct_continuous(target, Fraction(1, 10), "sum-decomposition", ())
    assert worst_error(built.sumformer, target) <= built.bound + Fraction(1, 10**12) <= Fraction(1, 9)


@pytest.mark.parametrize("name", ["own-times-mean", "f", "smooth-maximum", "standardise"])
def test_a_smaller_tolerance_never_gives_fewer_correct_digits(name: str) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    bounds = [compile_target(target, Fraction(1, 10**k), "sum-decomposition")[1].bound for k in (1, 2, 3, 4, 6)]
    assert bounds == sorted(bounds, reverse=True)


def test_permuted_tokens_give_permuted_outputs() -> None:
    target = resolve("f", n=None, d=None, domain="0,1")
    network = compile_target(target, Fraction(1, 100), "sum-decomposition")[1].sumformer
    rng = np.random.default_rng(0)
    tokens, order = rng.random((20, 7, 1)), rng.permutation(7)
    assert np.abs(network(tokens[:, order]) - network(tokens)[:, order]).max() < 1e-12


def test_the_bound_of_products_squares_and_thermometers_is_attained_within_a_tenth() -> None:
    for text, n in (("x*mean(y)", 3), ("mean(y)**2", 2), ("max(y)", 3), ("order(2)", 3), ("min(y)", 2)):
        target = of(text, n=n)
        compiled = compile_target(target, Fraction(1, 50), "sum-decomposition")[1]
        assert worst_error(compiled.sumformer, target) >= 0.9 * float(compiled.bound), text


SOFT = {"soft-extremum", "interpolation-error"}


@pytest.mark.parametrize(("text", "n", "d", "largest", "steps", "latent"), [
    ("max(y)", 3, 1, 30, SOFT, 1), ("order(3)", 3, 1, 30, SOFT, 1), ("max(y)-min(y)", 3, 1, 30, SOFT, 2),
    ("max(y[0]*y[1])-x[0]", 3, 2, 30, {*SOFT, "square-sawtooth"}, 1), ("max(y)", 3, 1, 40, {"order-statistics"}, 34),
    ("max(y)", 256, 1, 1024, {"order-statistics"}, 50), ("max(y)+order(2)", 3, 1, 1024, {"order-statistics"}, None)])
def test_extrema_are_softened_where_a_thermometer_would_have_too_many_channels(text: str, n: int, d: int, largest: int,
                                                                               steps: set[str], latent: int | None) -> None:
    target, limits = of(text, n=n, d=d), Limits(max_latent=largest)
    compiled = compile_target(target, Fraction(1, 100), "sum-decomposition", limits=limits)[1]
    assert {share.id for share in compiled.shares if share.bound > Fraction(1, 10**9)} == steps
    assert latent is None or compiled.sumformer.d_latent == latent
    assert worst_error(compiled.sumformer, target) <= compiled.bound


def test_an_extremum_finer_than_the_exponents_allow_is_refused_with_both_reasons() -> None:
    with pytest.raises(Refused, match=r"3334 channels, more than --max-latent 1024; as a log of .* e\^5493 apart .* e\^1290"):
        compile_target(of("max(y)"), Fraction(1, 10**4), "sum-decomposition")
    check(of("max(y)"), "1/1000")
    soft = compile_target(of("max(y)", domain="0,0.1"), Fraction(1, 10**4), "sum-decomposition", limits=Limits(max_latent=100))
    assert soft[1].sumformer.d_latent == 1


@pytest.mark.parametrize(("name", "eps", "largest", "tightness"), [
    ("smooth-maximum", "1/100", 82, 1.5), ("smooth-maximum", "1/10000", 634, 1.2), ("f", "1/100", 700, 1.6),
    ("f", "1/10000", 1300, 4.0), ("f", "1/1000000", 2100, 3.0), ("standardise", "1/10000", 328, 1.5)])
def test_networks_stay_as_small_and_bounds_as_sharp_as_they_were(name: str, eps: str, largest: int, tightness: float) -> None:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    compiled = compile_target(target, Fraction(eps), "sum-decomposition")[1]
    assert compiled.sumformer.n_nonzero <= largest
    worst = max(worst_error(compiled.sumformer, at_length(target, n), seed) for n in (3, 16) for seed in range(4))
    assert worst <= compiled.bound <= Fraction(tightness) * Fraction(worst)


@pytest.mark.parametrize("name", ["x*mean(y)", "figure-2", "moments"])
def test_power_sums_and_order_statistics_are_constructions_of_their_own(name: str) -> None:
    target = resolve(name, n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
    for method, eps in (("power-sums", "1/10"), ("order-statistics", "3")):
        decomposition, compiled = compile_target(target, Fraction(eps), method)
        assert not decomposition.every_n
        assert worst_error(compiled.sumformer, target) <= compiled.bound <= Fraction(eps)


@pytest.mark.parametrize(("text", "d", "eps", "words"), [
    ("x*mean(y)", 1, "1e-17", "below what these weights can certify"), ("log(x)", 1, "1/10", "undefined"),
    ("1/(x-mean(y))", 1, "1/10", "undefined"), ("max(y)", 1, "1e-6", "--max-latent"),
    ("mean(abs(x[0]*y[0]-y[1]))", 2, "1/10", "order statistics"), ("sqrt(mean(y**2))", 1, "1e-6", "rounding"),
    ("mean(1/((x-y)**2+1e-4))", 1, "1/100", "continued analytically")])
def test_what_cannot_be_built_is_refused_with_the_reason(text: str, d: int, eps: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        compile_target(of(text, d=d), Fraction(eps), "sum-decomposition")


def test_an_opaque_callable_is_left_to_the_grid() -> None:
    target = CallableTarget("tests.cases:nothing", lambda tokens: tokens, 3, Box.parse("0,1", 1))
    with pytest.raises(Refused, match="opaque callable"):
        compile_target(target, Fraction(1, 10), "sum-decomposition")


def test_the_survey_lists_every_method_once_and_the_cheapest_is_built() -> None:
    target = of("x*mean(y)")
    heads = (pooling_head("transformer"),)
    found = survey(target, Fraction(1, 100), heads)
    assert [c.method for c in found] == ["grid", "sum-decomposition", "power-sums", "order-statistics"]
    assert all(c.reason for c in found if c.parameters is None)
    chosen = cheapest(found)
    built = construct_continuous(target, Fraction(1, 100), chosen.method, heads)
    assert (built.sumformer.n_nonzero, built.sumformer.d_latent, built.sumformer.depth) == (chosen.parameters, chosen.d_latent,
                                                                                            chosen.depth)
    with pytest.raises(Refused, match=r"no construction applies:\n  grid: eps = 0\.001 needs at least 1\.82e\+18 table entries"):
        cheapest(survey(of("mean(abs(x[0]*y[0]-y[1]))", d=2), Fraction(1, 1000), heads))


def test_where_the_target_has_no_value_that_is_the_one_reason_given_and_no_other_method_is_suggested() -> None:
    with pytest.raises(Refused, match=r"no construction applies: log\(x\) is undefined at X = \(0, 0, 0\)") as caught:
        cheapest(survey(of("log(x)"), Fraction(1, 100), (pooling_head("transformer"),)))
    assert str(caught.value).endswith("in a domain of [0, 1]; expected a value at every sequence")
    assert "\n" not in str(caught.value)


def test_n_cancels_where_it_does_and_not_where_it_does_not() -> None:
    for text, every in (("sum(y)/n", True), ("sum(exp(y))/sum(1+y)", True), ("sum(y)", False), ("mean(y)/n", False),
                        ("n*mean(y)/sum(1+y)", True), ("max(y)", False)):
        assert compile_target(of(text), Fraction(1, 10), "sum-decomposition")[0].every_n is every, text


def test_positions_are_a_coordinate_and_need_to_be_asked_for() -> None:
    target = resolve("mean(y*j)/n + i/n", n=4, d=None, domain="0,1", positional=True)
    assert isinstance(target, Target)
    decomposition, compiled = compile_target(target, Fraction(1, 100), "sum-decomposition")
    assert decomposition.every_n
    rng = np.random.default_rng(0)
    x = rng.random((50, 4, 1))
    tokens = np.concatenate([x, np.broadcast_to(np.arange(1, 5)[:, None] / 4, x.shape)], axis=-1)
    wanted = (x[..., 0] * np.arange(1, 5)).mean(axis=1, keepdims=True) / 4 + np.arange(1, 5) / 4
    assert np.abs(compiled.sumformer(tokens)[..., 0] - wanted).max() <= compiled.bound
    with pytest.raises(ValueError, match="--positional"):
        resolve("x*i", n=4, d=None, domain="0,1")
