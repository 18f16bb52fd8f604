"""A sign that is told holds everywhere; a kink that is taken away never bent; what is separated is the same function."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.sumformers.separable import other_only, separate_symbolically
from constructions.sumformers.signs import NEGATIVE, OPEN, POSITIVE, sign, without_idle_kinks
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target
from tests.strategies import Sample, samples

BOXES = st.sampled_from(("0,1", "-1,0", "-1,1", "1/2,2"))
N = 3


def tokens_of(box: Box, seed: int) -> np.ndarray:
    """Return sequences with ends of the box and 0 among their tokens, and random ones."""
    rng, (low, high) = np.random.default_rng(seed), (float(end) for end in box.sides[0])
    special = rng.choice([low, high, min(max(0.0, low), high)], (60, N, 1))
    return np.concatenate([special, rng.uniform(low, high, (60, N, 1))])


def value(text: str, box: Box, seed: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return Target.from_text(text, n=N, box=box).numpy(tokens_of(box, seed))


def body(text: str) -> ex.Expression:
    """Return the body of mean(text), fixed to no length."""
    reduction = ex.specialise(parse(f"mean({text})", 1)[0], None)
    assert isinstance(reduction, ex.Reduction)
    return reduction.body


@settings(max_examples=150, deadline=None)
@given(samples(d=1, n=N, depth=3, inside=True), BOXES, st.integers(0, 99))
def test_a_sign_holds_at_all_tokens(drawn: Sample, domain: str, seed: int) -> None:
    box = Box.parse(domain, 1)
    found = sign(body(drawn.text), box.sides)
    smallest, largest = value(f"min({drawn.text})", box, seed), value(f"max({drawn.text})", box, seed)
    assert found in (POSITIVE, NEGATIVE, OPEN)
    assert found != POSITIVE or not smallest.min() < -1e-12 * (1 + abs(largest).max())
    assert found != NEGATIVE or not largest.max() > 1e-12 * (1 + abs(smallest).max())


@settings(max_examples=150, deadline=None)
@given(samples(d=1, n=N, depth=3, inside=True), BOXES, st.integers(0, 99))
def test_kinks_that_are_taken_away_and_terms_that_are_separated_leave_the_function(drawn: Sample, domain: str, seed: int) -> None:
    box, inner = Box.parse(domain, 1), body(drawn.text)
    wanted = value(f"mean({drawn.text})", box, seed)
    simpler = without_idle_kinks(inner, box.sides)
    found = value(f"mean({simpler})", box, seed)
    separated = value(" + ".join(f"({outer})*mean({part})" for outer, part in separate_symbolically(simpler)), box, seed)
    size = 1e-9 * (1 + np.nanmax(np.abs(wanted)))
    ok = np.isfinite(wanted)
    assert np.abs(found - wanted)[ok].max(initial=0.0) <= size
    assert np.abs(separated - wanted)[ok].max(initial=0.0) <= size


@pytest.mark.parametrize(("text", "domain", "wanted"), [
    ("x*y", "0,1", POSITIVE), ("x*y", "-1,0", POSITIVE), ("-x*y", "0,1", NEGATIVE), ("x*y", "-1,1", OPEN),
    ("x*y+1", "-1,1", POSITIVE), ("x*x", "-1,1", POSITIVE), ("y**3", "-1,0", NEGATIVE), ("exp(y)-x", "0,1", OPEN),
    ("mean(y)-2", "0,1", NEGATIVE), ("sum(y)-2", "0,1", OPEN), ("sum(y)", "0,1", POSITIVE), ("n-2", "0,1", OPEN),
    ("maximum(x,y-1)", "0,1", POSITIVE), ("minimum(x,y)", "0,1", POSITIVE), ("minimum(x,-1)", "0,1", NEGATIVE),
    ("x/(1+y)", "0,1", POSITIVE), ("tanh(-y)", "0,1", NEGATIVE)])
def test_signs_that_are_seen(text: str, domain: str, wanted: int) -> None:
    assert sign(body(text), Box.parse(domain, 1).sides) == wanted


@pytest.mark.parametrize(("text", "domain", "wanted"), [
    ("relu(x*y)", "0,1", "x*y"), ("abs(x*y)", "-1,0", "x*y"), ("maximum(x+2,y)", "0,1", "x+2"), ("minimum(x+2,y)", "0,1", "y"),
    ("relu(-y)", "0,1", "0"), ("maximum(x*y,0)", "-1,1", "relu(x*y)"), ("relu(x-y)", "0,1", "relu(x-y)"),
    ("relu(sum(y)-1)", "0,1", "relu(sum(y)-1)"), ("abs(relu(x*y)-y)", "0,1", "abs(x*y-y)")])
def test_kinks_that_are_taken_away(text: str, domain: str, wanted: str) -> None:
    assert without_idle_kinks(body(text), Box.parse(domain, 1).sides) == body(wanted)


@pytest.mark.parametrize(("text", "terms"), [("abs(x*y)", 1), ("relu(x*y)", 2), ("abs(x*y)**3*y", 1), ("(x*exp(y))**5", 1),
                                             ("relu(-x*y**3)", 2), ("abs((1+x)*(2+y))", 1), ("abs(x+x*y)", 1),
                                             ("relu(2*x*y-3*x)", 2), ("abs(3*x*y-y)", 1), ("relu(-x-x*y**2)", 2)])
def test_kinks_and_powers_of_products_are_separated(text: str, terms: int) -> None:
    found = separate_symbolically(body(text))
    assert len(found) == terms
    assert all(other_only(inner) for _, inner in found)


def test_a_number_too_small_for_floats_has_a_sign() -> None:
    tiny = ex.Binary("-", ex.Own(0), ex.Number(Fraction(1, 10**400)))
    assert sign(tiny, [(Fraction(1, 10**400), Fraction(1))]) == POSITIVE
    assert sign(tiny, [(Fraction(0), Fraction(1))]) == OPEN
