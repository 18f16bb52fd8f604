"""Certificates of continuous constructions: what is certified, and that a changed file, claim or head is not."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.errors import BadInput
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.storage import load_mean_sumformer, store_mean
from constructions.targets.target import Target
from proofs_check import continuous
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Status, Step, Verdict
from proofs_check.run_files import RunFiles
from proofs_check.sampling import sample
from proofs_check.witness import confirmed, evaluator, in_balls, largest_deviation, probing_sequences, thresholds_of
from uat import pipeline
from uat.request import Request

REQUESTS = {
    "product": (Request("x*mean(y)", "1/100", linformer_k=3), "sum-decomposition"),
    "attention": (Request("f", "1/20", n=3), "sum-decomposition"),
    "largest": (Request("max", "1/20", n=3), "sum-decomposition"),
    "cubic": (Request("figure-2", "1/2", n=3), "power-sums"),
    "sorted": (Request("range", "1/10", n=3), "order-statistics"),
    "float32": (Request("x*mean(y)", "1/100", precision="float32"), "sum-decomposition"),
    "huge": (Request("x*mean(y)", "1e38", domain="0,1e20"), "sum-decomposition"),
    "table": (Request("1/(1+sum(y)-x)", "1/10"), "sum-decomposition"),
    "position": (Request("mean(y)*i/n", "1/50", positional=True), "sum-decomposition"),
    "coarse": (Request("f", "1/100", precision="float32"), "sum-decomposition"),
    "far": (Request("f", "1/100", domain="-1.5,1.5"), "sum-decomposition"),
    "unread": (Request("mean(sin(x[0]*y[1]+mean(y[0])*y[0]))", "1/10", n=2, d=2), "sum-decomposition"),
    "plane": (Request("(x[0]*mean(y[1]), mean(exp(x[1]*y[0])))", "1/20", n=2, d=2), "sum-decomposition"),
}


@cache
def built(name: str) -> tuple[ContinuousConstruction, RunFiles]:
    request, method = REQUESTS[name]
    target = request.resolved(request.lengths()[0])[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), method, request.heads(), limits=request.limits(),
                                        number_format=request.number_format())
    stored = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, claim = (json.loads(json.dumps(part)) for part in (
        stored.network, pipeline.plan_record(construction, request), pipeline.claim_of(construction).to_json()))
    return construction, RunFiles(stored.arrays, {}, network, plan, {"claim": claim})


def fresh(name: str) -> RunFiles:
    run = built(name)[1]
    arrays = {key: np.array(array) for key, array in run.arrays.items()}
    return RunFiles(arrays, {}, *(copy.deepcopy(part) for part in (run.network, run.plan, run.certificate)))


def proved(run: RunFiles) -> Verdict:
    return certify(run)


DERIVED = ("unread",)  # outside what is read by structure


@pytest.mark.parametrize("name", [name for name in REQUESTS if name not in DERIVED])
def test_an_untouched_run_is_certified_from_its_weights_with_shares_that_add_up(name: str) -> None:
    construction, _ = built(name)
    verdict = proved(fresh(name))
    assert isinstance(verdict, Certificate), verdict
    assert verdict.proved_bound <= Fraction(11, 10) * construction.bound
    assert verdict.proved_bound <= construction.tolerance
    assert sum(step.bound for step in verdict.steps) == verdict.proved_bound
    assert verdict.claim.every_n is construction.every_n
    assert not any("error analysis" in assumption for assumption in verdict.assumptions)
    assert verdict.status is Status.CERTIFIED


def test_what_outward_rounding_leaves_of_squares_that_are_not_there_is_no_step() -> None:
    steps = {step.id for step in proved(fresh("table")).steps}
    assert "interpolation-error" in steps
    assert "square-sawtooth" not in steps


def test_without_a_hint_the_weights_are_compared_with_a_derivation_which_says_more_than_this_run() -> None:
    run = fresh("attention")
    run.network["derivation"] = {}
    assert not isinstance(proved(run), Certificate)
    assert proved(run).steps[0].status is Status.UNDECIDED


def test_what_was_not_checked_by_other_arithmetic_says_why() -> None:
    verdict = proved(fresh("unread"))
    assert isinstance(verdict, Certificate), verdict
    (assumption,) = (text for text in verdict.assumptions if "error analysis" in text)
    assert "not checked by other arithmetic, because the weights are not read by structure: q3 (kernel sin(" in assumption


def test_a_share_that_alone_is_above_the_claim_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = list[str]()

    def derived(*arguments: Any) -> list[Step]:
        reasons.append(arguments[-2])
        return [Step("sum-decomposition", arguments[-2], Status.UNDECIDED)]

    monkeypatch.setattr(continuous, "_by_derivation", derived)
    run = fresh("attention")
    run.certificate["claim"]["bound"] = "1/1000"
    assert not isinstance(proved(run), Certificate)
    assert re.fullmatch(r"by structure the bound is not reached: 0\.0\d+ is proved instead of the claimed 0\.00100, 0\.0\d+ of "
                        r"it for square-sawtooth, \d+ squares by \d+ folds", reasons[0])


def test_what_holds_for_every_length_says_so_and_what_does_not_does_not() -> None:
    assert built("product")[0].every_n
    assert built("attention")[0].every_n
    assert built("position")[0].every_n
    assert not built("largest")[0].every_n
    assert not built("sorted")[0].every_n
    assert not built("cubic")[0].every_n


def _largest(array: str, change: Callable[[float], float]) -> Callable[[RunFiles], None]:
    def damage(run: RunFiles) -> None:
        place = np.unravel_index(int(np.argmax(np.abs(run.arrays[array]))), run.arrays[array].shape)
        run.arrays[array][place] = change(float(run.arrays[array][place]))
    return damage


def _claim(**changes: object) -> Callable[[RunFiles], None]:
    return lambda run: run.certificate["claim"].update(changes)


def _bounded_by(factor: Fraction) -> Callable[[RunFiles], None]:
    return lambda run: run.certificate["claim"].update(bound=str(built("product")[0].bound * factor))


def _keyed(run: RunFiles) -> None:
    for name in ("W_Q", "W_K"):
        run.arrays[f"transformer.blocks.0.attention.{name}"][0, 0] = 1.0


def _domain_of_claim_and_plan(run: RunFiles) -> None:
    run.certificate["claim"]["domain"] = run.plan["domain"] = [["0", "5/4"]]  # type: ignore[index]


def _claim_of_another(run: RunFiles) -> None:
    run.certificate["claim"].update(copy.deepcopy(built("cubic")[1].certificate["claim"]))


def _one_name(run: RunFiles) -> None:
    """Call the channel of the result 1: in the Sumformer it starts at 0, in a stream at 1."""
    (old,) = run.network["readout"]
    text = json.dumps({key: run.network[key] for key in run.network}).replace(f'"{old}"', '"1"')
    run.network.update(json.loads(text))  # type: ignore[attr-defined]
    for name, architecture in run.network["architectures"].items():
        at = len(architecture["channels"]) - 1 - architecture["channels"][::-1].index("1")
        for array in (run.arrays[f"{name}.embed.bias"], run.arrays[f"{name}.readout.weight"]):
            array[at], array[0] = array[at] + array[0], 0.0


DAMAGES: dict[str, Callable[[RunFiles], None]] = {
    "a weight of phi or psi moves": _largest("psi.1.W_1", lambda w: w * 1.1),
    "a bias moves": _largest("psi.1.bias", lambda w: w + 0.1),
    "a bias is dropped": _largest("psi.0.bias", lambda w: 0.0),
    "a jump moves": _largest("psi.0.W_2", lambda w: w * 1.1),
    "the readout moves": _largest("readout.W_out", lambda w: w * 1.05),
    "a weight is NaN": _largest("psi.0.W_1", lambda w: float("nan")),
    "a weight is infinite": _largest("psi.0.W_1", lambda w: float("inf")),
    "a weight is huge": _largest("psi.0.W_1", lambda w: 1e300),
    "a weight is tiny": _largest("psi.0.W_1", lambda w: 1e-300),
    "a weight is subnormal": _largest("psi.0.W_1", lambda w: 5e-324),
    "the head's values move": _largest("transformer.blocks.0.attention.W_V", lambda w: w * (1 + 1e-12)),
    "the head attends": _keyed,
    "a Linformer projection moves": _largest("linformer.blocks.0.attention.F", lambda w: w * (1 + 1e-12)),
    "a Linformer projection is scaled by n/k": lambda run: run.arrays.update(
        {"linformer.blocks.0.attention.F": run.arrays["linformer.blocks.0.attention.F"] * 4.0 / 3.0}),
    "an embedding moves": _largest("performer.embed.weight", lambda w: w * 1.01),
    "an architecture reads out something else": _largest("performer.readout.weight", lambda w: w * 1.01),
    "an array is added": lambda run: run.arrays.update({"psi.99.bias": np.zeros(1)}),
    "an architecture has an array more": lambda run: run.arrays.update({"performer.blocks.9.attention.W_V": np.zeros((1, 1))}),
    "a readout has a bias": lambda run: run.arrays.update({"performer.readout.bias": np.ones(1)}),
    "a layer writes another channel": lambda run: run.network["psi"][0].update(writes=run.network["psi"][0]["writes"][::-1]),
    "another block pools": lambda run: run.network["architectures"]["performer"].update(pooling_block=1),
    "a channel of a stream is missing": lambda run: run.network["architectures"]["performer"]["channels"].pop() is None,
    "the claim is about another expression": _claim(expression="x*mean(y)+0"),
    "the claim is about a larger domain": _claim(domain=[["0", "2"]]),
    "claim and plan are about a larger domain": _domain_of_claim_and_plan,
    "the claim is that of another run": _claim_of_another,
    "the claim is about fewer networks": _claim(networks=["sumformer"]),
    "the claimed bound is half of what was proved": _bounded_by(Fraction(1, 2)),
    "the claimed bound is two percent below what was proved": _bounded_by(Fraction(98, 100)),
    "the claimed bound is negative": _claim(bound="-1/100"),
    "evaluation is bounded for shorter sequences only": lambda run: run.plan.update(evaluated_up_to=1),
    "evaluation is bounded for a negative length": lambda run: run.plan.update(evaluated_up_to=-26),
    "two channels of a stream have one name": _one_name,
    "the plan names a coarser format": lambda run: run.plan.update(number_format="float32", evaluated_up_to=10**9),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_not_certified(damage: str) -> None:
    run = fresh("product")
    run.certificate["claim"].update(bound=str(built("product")[0].bound * Fraction(1001, 1000)))
    assert isinstance(proved(run), Certificate)
    DAMAGES[damage](run)
    assert not isinstance(proved(run), Certificate)


def _knots(run: RunFiles) -> list[str]:
    """Biases of layers whose units all read one channel alone: their knots are -bias / weight."""
    return [f"{part}.{k}.bias" for part in ("phi", "psi") for k in range(len(run.network[part]))
            if len(run.arrays[f"{part}.{k}.bias"]) > 3 and np.count_nonzero(run.arrays[f"{part}.{k}.W_1"].any(axis=1)) == 1]


@pytest.mark.parametrize("name", ["attention", "largest"])
def test_a_moved_knot_is_not_certified(name: str) -> None:
    """In each table the knot in its middle, moved by half of the way to the next."""
    run, tried = fresh(name), 0
    assert isinstance(proved(run), Certificate)
    for key in _knots(run):
        spoiled = fresh(name)
        bias = spoiled.arrays[key]
        order = np.argsort(bias)
        middle, other = order[len(order) // 2], order[len(order) // 2 - 1]
        bias[middle] += (bias[other] - bias[middle]) / 2
        if bias[middle] == run.arrays[key][middle]:
            continue
        assert not isinstance(proved(spoiled), Certificate), key
        tried += 1
    assert tried


@pytest.mark.parametrize("name", ["product", "attention", "largest"])
def test_a_bound_two_percent_below_a_sampled_error_is_not_certified(name: str) -> None:
    run, construction = fresh(name), built(name)[0]
    target, network = construction.target, construction.sumformer
    found = sample(target, evaluator(network, target, torch.device("cpu")), target.box, target.n,
                   thresholds_of(network, target), 20_000, "cpu", 0)
    error = confirmed(target, network, found).maximum
    run.certificate["claim"].update(bound=str(Fraction(error) * Fraction(98, 100)))
    assert not isinstance(proved(run), Certificate)


@pytest.mark.parametrize("damage", ["an array is missing", "a layer reads a channel that does not exist"])
def test_files_without_the_documented_structure_are_bad_input(damage: str) -> None:
    run = fresh("product")
    if damage == "an array is missing":
        del run.arrays["psi.0.bias"]
    else:
        run.network["psi"][0]["reads"][0] = "nowhere"
    with pytest.raises(BadInput, match=r"docs/formats\.md"):
        proved(run)


def test_a_bound_for_one_length_cannot_be_claimed_for_every_length() -> None:
    run = fresh("largest")
    run.certificate["claim"]["every_n"] = True
    assert not isinstance(proved(run), Certificate)


def test_weights_that_float32_would_round_are_not_certified_in_float32() -> None:
    run = fresh("product")
    run.certificate["claim"].update(bound="1/10")
    assert isinstance(proved(run), Certificate)
    run.plan.update(number_format="float32")  # type: ignore[attr-defined]
    verdict = proved(run)
    assert not isinstance(verdict, Certificate)
    assert "not a float32 number" in verdict.reason


def test_a_head_with_queries_is_certified_only_where_the_stream_is_small() -> None:
    """Over the reals keys of 0 make all scores equal; in floating point queries of 1e20 make the kernel overflow."""
    for name, held in (("product", True), ("huge", False)):
        run = fresh(name)
        assert isinstance(proved(run), Certificate)
        run.arrays["performer-normalised.blocks.0.attention.W_Q"][1, 0] = 2.0**-60
        assert isinstance(proved(run), Certificate) == held


def test_pooling_is_multiplied_out() -> None:
    run = fresh("product")
    run.arrays["transformer.blocks.0.attention.W_V"] *= 1.0001
    verdict = proved(run)
    assert not isinstance(verdict, Certificate)
    assert "1.0001 times the mean" in verdict.reason


@pytest.mark.parametrize("name", REQUESTS)
def test_the_worst_sampled_error_is_below_the_bound_at_every_length_it_is_about(name: str) -> None:
    construction, _ = built(name)
    target, sumformer = construction.target, construction.sumformer
    for n in (2, 3, 16, 64) if construction.every_n else (target.n,):
        at_n = Target.from_text(target.text, n=n, box=target.box, positional=target.positional)
        found = sample(at_n, evaluator(sumformer, at_n, "cpu"), target.box, n, thresholds_of(sumformer, at_n), 4000, "cpu", 1)
        assert 0 < confirmed(at_n, sumformer, found).maximum <= construction.bound


@pytest.mark.parametrize("name", ["product", "attention", "largest", "float32"])
def test_architectures_agree_with_the_sumformer_to_rounding(name: str) -> None:
    import torch

    construction, _ = built(name)
    dtype = torch.float32 if name == "float32" else torch.float64
    tokens = probing_sequences(construction.sumformer, construction.target, 8, 0, dtype)
    for architecture in construction.architectures:
        gap = largest_deviation(architecture, construction.sumformer, tokens, dtype)
        assert gap <= (1e-5 if name == "float32" else 1e-12)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_over_the_rationals_an_architecture_is_the_sumformer(name: str) -> None:
    """The naive oracle: dense matrix products over fractions, block by block."""
    from constructions.architectures import assemble_mean

    sumformer = built("product")[0].sumformer
    tokens = np.array([[Fraction(1, 3)], [Fraction(5, 7)], [Fraction(1)], [Fraction(0)]], dtype=object)
    exact = assemble_mean(sumformer, pooling_head(name, linformer_k=2), 4).reference(tokens)
    gap = max(abs(a - b) for a, b in zip(exact.ravel(), sumformer(tokens).ravel(), strict=True))
    assert gap == 0  # n = 4: 1/n is a float64 number


def test_balls_contain_the_float_evaluation_and_the_stored_network_is_read_back() -> None:
    from flint import arb

    construction, run = built("attention")
    again = load_mean_sumformer(run.arrays, run.network)
    tokens = np.random.default_rng(0).random((4, 1))
    balls = in_balls(again, np.frompyfunc(lambda v: arb(float(v)), 1, 1)(tokens))
    floats = construction.sumformer(tokens)
    assert all(abs(float(ball.mid()) - value) < 1e-12 for ball, value in zip(balls.ravel(), floats.ravel(), strict=True))


def test_positions_that_no_sequence_has_are_no_domain() -> None:
    """A claim about positions in [0, 1/2] says nothing of the second half of any sequence."""
    run = fresh("position")
    run.plan["domain"][-1] = run.certificate["claim"]["domain"][-1] = ["0", "1/2"]
    with pytest.raises(BadInput, match=r"positions i/n on \[0, 1/2\] in the place of \[0, 1\]"):
        proved(run)
