"""Tensors of functions of many variables: as near as they say, whichever way they are made; whole proofs that rest on them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.targets.language import parse
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.structure import wide_expansion
from proofs_check.structure.deviation import NotAnalytic
from proofs_check.structure.proof import prove
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.variable import Variable
from proofs_check.structure.wide_expansion import Wide, expanded, through_polynomials
from tests.proofs_check.structure.test_proof import changed, sequences
from uat import pipeline
from uat.request import Request

NAMES = ("a", "b", "c", "e")
BOX = [Variable.of(Fraction(0), Fraction(1)), Variable.of(Fraction(-1), Fraction(1)), Variable.of(Fraction(0), Fraction(1)),
       Variable.of(Fraction(1, 3), Fraction(2, 3))]
IN_PARTS = (
    "exp((x[0]*x[2]+x[1]*x[3])/sqrt(2))*x[2]", "x[0]*x[3]/(1+(x[0]-x[2])**2+(x[1]-x[3])**2)", "exp(-(x[0]*x[3]+x[3]*x[2]))*2",
    "exp(x[0]*x[1]*x[2]*x[3]+sin(x[0]*x[2]+x[3]*x[1]))", "sin(x[0]*x[2]) - pi*cos(x[1]*x[2]) + 1/3",
    "-(x[0]+tanh(x[0]*x[1]))*x[3]")
DIRECTLY = ("tanh(x[0]*x[3]+x[1]*x[2]*x[3]+sin(x[2]))", "1/(3+sin(x[0]*x[1])+x[1]*cos(x[2]*x[3]))")


def values(text: str, points: np.ndarray) -> np.ndarray:
    names = {name: getattr(np, name) for name in ("exp", "sin", "cos", "tanh", "sqrt", "pi")}
    x = [float(s.centre) + float(s.half) * u for s, u in zip(BOX, points.T, strict=True)]
    return np.asarray(eval(text, {"__builtins__": {}}, {"x": x, **names}))


def at(tensor: np.ndarray, point: np.ndarray) -> float:
    for u in point:
        tensor = chebyshev.chebval(u, tensor)
    return float(tensor)


def near(found: Wide, text: str, fine: float) -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-1, 1, (100, 4)), np.sign(rng.normal(size=(16, 4)))])
    wanted = values(text, points)
    off = max(abs(at(found.tensor, point) - value) for point, value in zip(points, wanted, strict=True))
    assert off <= found.missed + 1e-14
    assert found.missed <= 20 * fine
    assert float(found.values.lower) <= wanted.min() <= wanted.max() <= float(found.values.upper)
    assert np.abs(wanted).max() <= found.size


@pytest.mark.parametrize("text", [*IN_PARTS, *DIRECTLY])
@pytest.mark.parametrize("fine", [1e-4, 1e-8])
def test_an_expansion_is_as_near_as_it_says(text: str, fine: float) -> None:
    (K,) = parse(text, 4)
    assert through_polynomials(K, NAMES, BOX) is (text in IN_PARTS)
    near(expanded(K, NAMES, BOX, fine), text, fine)


def test_products_on_a_grid_and_term_by_term_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "exp(x[0]*x[2]+x[1])*x[2]*sin(x[1]*x[3])"
    (K,) = parse(text, 4)
    by_terms = expanded(K, NAMES, BOX, 1e-9)
    monkeypatch.setattr(wide_expansion, "FEW_TERMS", 0)
    on_grid = expanded(K, NAMES, BOX, 1e-9)
    near(on_grid, text, 1e-9)
    assert by_terms.tensor.shape == on_grid.tensor.shape
    assert np.abs(by_terms.tensor - on_grid.tensor).max() <= by_terms.missed + on_grid.missed


def test_more_variables_than_one_grid_can_hold_have_to_come_apart() -> None:
    (K,) = parse("tanh(x[0]*x[3]+x[1]*x[2]*x[4]+sin(x[2]))", 5)
    with pytest.raises(NotAnalytic, match="5 variables"):
        expanded(K, (*NAMES, "f"), [*BOX, BOX[0]], 1e-3)
    (K,) = parse("exp(x[0]*x[3]+x[1]*x[4])*x[3]", 5)
    assert expanded(K, (*NAMES, "f"), [*BOX, BOX[0]], 1e-3).missed < 1e-2


@pytest.mark.parametrize("text", ["log(x[1]*x[0]+x[3]*x[1])*x[2]", "1/(x[0]-x[1]*x[2]+sin(x[3]*x[0]))"])
def test_what_may_be_undefined_has_no_expansion(text: str) -> None:
    (K,) = parse(text, 4)
    with pytest.raises(NotAnalytic):
        expanded(K, NAMES, BOX, 1e-3)


DOT = "(x[0]*y[0]+x[1]*y[1])/sqrt(2)"
ATTENTION = f"sum(exp({DOT})*y[0])/sum(exp({DOT}))"
ENTANGLED = "mean(exp(x[0]*y[1]*x[1]*y[0]+sin(x[0]*y[0]+y[1]*y[1]*x[1])))"
CASES = {ATTENTION: "3e-2", ENTANGLED: "2e-1", "mean(tanh(x[0]*y[1]+x[1]*y[0]*y[1]+y[0]))": "5e-2",
         "mean(x[0]*y[1]/(1+(x[0]-y[0])**2+(x[1]-y[1])**2))": "5e-2"}


@cache
def built(text: str) -> tuple[ContinuousConstruction, Claim]:
    request = Request(text, CASES[text], d=2, method="sum-decomposition", architecture="sumformer")
    target = request.resolved(None)[0]
    assert isinstance(target, Target)
    construction = construct_continuous(target, request.tolerance(), request.method, (), limits=request.limits())
    return construction, pipeline.claim_of(construction)


@pytest.mark.parametrize("text", CASES)
def test_kernels_that_share_variables_are_proved_from_the_weights(text: str) -> None:
    construction, claim = built(text)
    found = prove(construction.sumformer, construction.compiled.derivation, construction.target, claim)
    assert found.identities
    assert found.bound <= float(claim.bound)
    for n in (2, 3, 64):
        tokens, target = sequences(2, n, 60), Target.from_text(text, n=n, box=construction.target.box)
        assert np.abs(construction.sumformer(tokens) - target.numpy(tokens)).max() <= found.bound


def test_a_weight_of_an_attention_head_in_the_plane_moved_until_sampling_shows_it_is_noticed() -> None:
    construction, claim = built(ATTENTION)
    network, tokens = construction.sumformer, sequences(2, 3, 100)
    target = Target.from_text(ATTENTION, n=3, box=construction.target.box)
    for place in (("phi", 0, "W_2"), ("psi", 0, "W_1"), ("readout", 0, "W_out")):
        part, i, name = place
        array = getattr(network if part == "readout" else getattr(network, part)[i], name)
        entry = tuple(np.argwhere(np.abs(array) == np.abs(array).max())[0])
        amount = 1e-4
        while np.abs(changed(network, place, entry, amount)(tokens) - target.numpy(tokens)).max() <= 1.01 * float(claim.bound):
            amount *= 1.5
            assert amount < 1e3
        try:
            found = prove(changed(network, place, entry, amount), construction.compiled.derivation, construction.target, claim)
        except NotUnderstood:
            continue
        assert found.bound > float(claim.bound)


def test_a_hint_that_names_another_kernel_is_not_believed() -> None:
    construction, claim = built(ENTANGLED)
    hint = construction.compiled.derivation
    entries = [{**entry, "tree": entry["tree"].replace("sin", "tanh")} if entry["kind"] == "kernel" else entry
               for entry in hint["quantities"]]
    assert entries != hint["quantities"]
    found = prove(construction.sumformer, {**hint, "quantities": entries}, construction.target, claim)
    assert not found.identities
    other = construction.target.text.replace("sin", "tanh")
    target = Target.from_text(other, n=3, box=construction.target.box)
    found = prove(construction.sumformer, {**hint, "quantities": entries}, target, replace(claim, expression=other))
    tokens = sequences(2, 3, 200)
    assert np.abs(construction.sumformer(tokens) - target.numpy(tokens)).max() <= found.bound
