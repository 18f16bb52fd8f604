"""Soft extrema read from the weights: bounds hold, are sharp, and what is wrong in a table, a hint or a claim is noticed."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.network.relu import MeanSumformer
from constructions.storage import store_mean
from constructions.targets.target import Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Claim
from proofs_check.run_files import RunFiles
from proofs_check.structure.extremum import beside_exponential, beside_logarithm
from proofs_check.structure.proof import prove
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.rounding import Arithmetic, Running
from tests.proofs_check.structure import handmade
from tests.proofs_check.structure.handmade import bound_or_infinity
from tests.proofs_check.structure.test_proof import arrays_of, changed
from uat import pipeline
from uat.request import Request

TARGETS = {
    "max": Request("max(y)", "1e-3", n=3, max_latent=4), "min": Request("min(y)", "1e-2", n=5, domain="-2,1", max_latent=4),
    "range": Request("max(y) - min(y)", "2e-2", n=4, max_latent=4),
    "of a wave": Request("x*max(sin(3*y))", "2e-2", n=3, max_latent=4),
    "of a coordinate": Request("max(y[0]) + x[1]", "5e-2", n=3, d=2, max_latent=4),
    "of a product": Request("max(y[0]*y[1])", "2e-2", n=3, d=2, max_latent=4),
}


@cache
def built(name: str) -> tuple[ContinuousConstruction, Claim]:
    request = TARGETS[name]
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), "sum-decomposition", request.heads(),
                                        limits=request.limits())
    return construction, pipeline.claim_of(construction)


def bound_of(name: str, network: MeanSumformer | None = None, hint: dict[str, object] | None = None) -> float:
    """Return the proved bound, inf where nothing is proved."""
    construction, claim = built(name)
    return bound_or_infinity(prove, network or construction.sumformer, hint or construction.compiled.derivation,
                             construction.target, claim)


def sequences(name: str, count: int = 4000) -> np.ndarray:
    """One value apart from the others, by anything from a hair to the whole domain, and ties."""
    target, rng = built(name)[0].target, np.random.default_rng(0)
    low, high = (np.array([float(side[k]) for side in target.box.sides]) for k in (0, 1))
    base = rng.uniform(low, high, (count, 1, target.d))
    step = (high - low) * 10.0 ** rng.uniform(-5, 0, (count, target.n, target.d))
    step *= rng.choice([-1, 0, 0, 1], (count, target.n, 1))
    return np.concatenate([np.clip(base + step, low, high), rng.uniform(low, high, (count, target.n, target.d))])


@pytest.mark.parametrize("name", TARGETS)
def test_the_bound_is_reproduced_and_no_sequence_has_a_larger_error(name: str) -> None:
    construction, _ = built(name)
    assert any(entry["kind"] == "soft-extremum" for entry in construction.compiled.derivation["quantities"])
    bound, tokens = bound_of(name), sequences(name)
    error = np.abs(construction.sumformer(tokens) - construction.target.numpy(tokens)).max()
    assert bound <= 1.01 * float(construction.bound)
    assert 0.5 * bound < error <= bound


def stored(name: str) -> RunFiles:
    construction, claim = built(name)
    data = store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)
    network, plan, said = (json.loads(json.dumps(part)) for part in (
        data.network, pipeline.plan_record(construction, TARGETS[name]), claim.to_json()))
    return RunFiles(data.arrays, {}, network, plan, {"claim": {**said, "bound": str(construction.tolerance)}})


@pytest.mark.parametrize("name", TARGETS)
def test_a_run_is_certified_without_an_assumption_about_the_builder(name: str) -> None:
    verdict = certify(stored(name))
    assert isinstance(verdict, Certificate), verdict
    assert "soft-extremum" in [step.id for step in verdict.steps]
    assert not any("error analysis" in assumption for assumption in verdict.assumptions)


def test_a_bound_two_percent_below_a_sampled_error_is_not_certified() -> None:
    construction, tokens = built("max")[0], sequences("max")
    error = float(np.abs(construction.sumformer(tokens) - construction.target.numpy(tokens)).max())
    run = stored("max")
    run.certificate["claim"].update(bound=str(Fraction(error) * Fraction(98, 100)))
    assert not isinstance(certify(run), Certificate)


@pytest.mark.parametrize("name", ["min", "range", "of a wave"])
def test_a_weight_moved_until_sampling_shows_it_is_noticed(name: str) -> None:
    """In each array several entries, each moved until a sampled error is above the old bound: no bound below it is proved."""
    construction, _ = built(name)
    network, tokens, before = construction.sumformer, sequences(name, 300), bound_of(name)
    wanted, rng, noticed = construction.target.numpy(tokens), np.random.default_rng(1), 0
    for place in arrays_of(network):
        part, i, array = place
        entries = np.argwhere(getattr(network if part == "readout" else getattr(network, part)[i], array))
        for entry in map(tuple, rng.permutation(entries)[:3]):
            size = abs(float(getattr(network if part == "readout" else getattr(network, part)[i], array)[entry]))
            for amount in size * 10.0 ** np.arange(-3, 2):
                moved = changed(network, place, entry, amount)
                with np.errstate(all="ignore"):
                    error = float(np.nan_to_num(np.abs(moved(tokens) - wanted), nan=np.inf).max())
                if error > 1.01 * before:
                    assert bound_of(name, moved) >= error, (place, entry)
                    noticed += 1
                    break
    assert noticed > 8


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["beta", "centre", "base", "rank"]), st.floats(0.3, 3.0))
def test_a_wrong_hint_proves_nothing_that_is_false(key: str, factor: float) -> None:
    construction, _ = built("range")
    hint, tokens = copy.deepcopy(construction.compiled.derivation), sequences("range", 500)
    for entry in hint["quantities"]:
        if entry["kind"] == "soft-extremum":
            entry[key] = 2 if key == "rank" else str(Fraction(entry[key]) * Fraction(factor))
            break
    error = float(np.abs(construction.sumformer(tokens) - construction.target.numpy(tokens)).max())
    assert bound_of("range", hint=hint) >= error
    assert key != "rank" or bound_of("range", hint=hint) == math.inf


def test_nothing_is_claimed_for_every_length() -> None:
    construction, claim = built("max")
    with pytest.raises(NotUnderstood, match="known number"):
        prove(construction.sumformer, construction.compiled.derivation, construction.target, replace(claim, every_n=True))


def by_hand(jump: float) -> tuple[MeanSumformer, float]:
    """Return a network for the largest of two tokens, c = x up to 2^-9 in its exponential; and what is added to its logarithm.

    Beyond the mean of F(1) by at least 1, where c = x never leads, the logarithm has slope ``jump``.
    """
    values = np.exp(32.0 * (np.arange(33) / 32 - 0.5))
    jumps, means = np.diff(values, 2) * 32, values - values[0]
    weights = [(values[1] - values[0]) * 32, *jumps]
    exponential = handmade.layer(*[({"c": 1.0}, -k / 32, {"e": float(weight)}) for k, weight in enumerate(weights)])
    heights = 0.5 + np.log(values) / 32
    slopes = np.append(np.diff(heights) / np.diff(means), 0.0)
    units: list[handmade.Unit] = [({"mean.e": -1.0}, float(m), {"o": float(b - a)})
                                  for m, a, b in zip(means[1:], slopes[:-1], slopes[1:], strict=True)]
    first, last = float(means[-1]) + 1, 4 * float(means[-1])
    units += [({"mean.e": -1.0}, first, {"o": jump}), ({"mean.e": -1.0}, last, {"o": -jump})]
    constant = float(heights[-1]) + jump * (last - first)
    phi = [*handmade.stacked(handmade.folds({"x.0": 1.0}, 0.0, {"c": [1.0, 0.0, 2.0**-8]})), exponential]
    return handmade.sumformer(phi, ["e"], [handmade.layer(*units)], {"o": 1.0}, b=constant), constant


@pytest.mark.parametrize("jump", [0.0, 2.0**-10, 1.0])
def test_an_argument_that_is_off_may_lead_beyond_the_table_of_the_exponential(jump: float) -> None:
    network, constant = by_hand(jump)
    held = handmade.entry("top", "soft-extremum", {"o": 1}, constant, of=[handmade.form({"own": 1})], rank=1, beta="32",
                          centre="1/2", base=str(Fraction(math.exp(-16.0))))
    proved = handmade.bounded(network, "max(y)", [handmade.TOKEN, held], handmade.form({"top": 1}), n=2)
    errors = [abs(handmade.exact(network, [[a], [b]])[0, 0] - max(a, b)) for a in (0, Fraction(1, 2), 1) for b in (0, 1)]
    assert max(errors) <= proved.bound
    assert jump or proved.bound < 0.03


def log(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator)).log()


POSITIVE = st.fractions(min_value=Fraction(1, 10**6), max_value=10**6, max_denominator=10**6)


@settings(deadline=None)
@given(st.fractions(-3, 3, max_denominator=50), st.fractions(Fraction(1, 50), 3, max_denominator=50), POSITIVE, POSITIVE,
       st.fractions(Fraction(1, 9), 200, max_denominator=9), st.fractions(0, 1, max_denominator=97))
def test_the_logarithm_of_a_line_stays_inside(s: Fraction, width: Fraction, low: Fraction, high: Fraction, beta: Fraction,
                                              place: Fraction) -> None:
    """Both directions: of what is averaged against an exponential, of what is read against a logarithm."""
    t, value = s + place * width, low + place * (high - low)
    of_exp = beside_exponential([((s, low), (s + width, high))], beta, Fraction(1, 3))
    exact = log(value) - arb(fmpq(beta.numerator, beta.denominator)) * arb(fmpq((t - Fraction(1, 3)).numerator,
                                                                               (t - Fraction(1, 3)).denominator))
    assert of_exp.overlaps(exact)
    assert of_exp.lower() <= exact.upper()
    assert exact.lower() <= of_exp.upper()
    m, height = low + place * (high - low), s + place * width
    if high > low:
        of_log = beside_logarithm([((low, s), (high, s + width))], beta, Fraction(1, 3))
        gap = height - Fraction(1, 3)
        exact = arb(fmpq(gap.numerator, gap.denominator)) - log(m) / arb(fmpq(beta.numerator, beta.denominator))
        assert of_log.lower() <= exact.upper()
        assert exact.lower() <= of_log.upper()


def test_what_is_not_positive_has_no_logarithm() -> None:
    one, none = (Fraction(0), Fraction(1)), (Fraction(1), Fraction(0))
    with pytest.raises(NotUnderstood, match="positive"):
        beside_exponential([(one, none)], Fraction(1), Fraction(0))
    with pytest.raises(NotUnderstood, match="positive"):
        beside_logarithm([((Fraction(0), Fraction(1)), (Fraction(1), Fraction(2)))], Fraction(1), Fraction(0))


@pytest.mark.parametrize("name", ["max", "range", "of a wave"])
def test_floating_point_stays_within_its_bound(name: str) -> None:
    """Against the same network over the rationals, at values that span all of the exponents."""
    construction, claim = built(name)
    found = prove(construction.sumformer, construction.compiled.derivation, construction.target, claim)
    in_float64 = Arithmetic.of("float64", 2 * construction.target.n + 60, 1.0)
    bound = Running(found.reading, in_float64).output_error(construction.sumformer)
    assert 0 < bound < 1e-9
    no_small_numbers = replace(in_float64, tiny=2.0**-20)  # what underflows would be lost beside the base
    assert Running(found.reading, no_small_numbers).output_error(construction.sumformer) == np.inf
    assert Running(found.reading, replace(in_float64, largest=2.0**20)).output_error(construction.sumformer) == np.inf
    tokens = sequences(name, 6)
    exact = construction.sumformer(np.frompyfunc(Fraction, 1, 1)(tokens))
    gap = max(abs(Fraction(float(a)) - b) for a, b in zip(construction.sumformer(tokens).ravel(), exact.ravel(), strict=True))
    assert gap <= bound
