"""Taylor models contain the function: random expressions against ball arithmetic at random points of random boxes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_series, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.targets import expression as ex
from constructions.targets.language import parse
from proofs_check import taylor
from proofs_check.enclosures.interval import Interval, up
from proofs_check.programs import Compiled, Program
from proofs_check.series import coefficients
from proofs_check.taylor import Model, Scale
from proofs_check.walker import Chamber
from tests.strategies import BALLS, Sample, samples

ORACLE: dict[str, Any] = {"exp": arb_series.exp, "log": arb_series.log, "sqrt": arb_series.sqrt,
                          "sin": arb_series.sin, "cos": arb_series.cos,
          "tanh": lambda u: (u.exp() - (-u).exp()) / (u.exp() + (-u).exp()), "sigmoid": lambda u: 1 / (1 + (-u).exp()),
          "reciprocal": lambda u: 1 / u}


def ball(value: Fraction | float) -> arb:
    q = Fraction(value)
    return arb(fmpq(q.numerator, q.denominator))


def disjoint(value: arb, lower: Any, upper: Any) -> bool:
    """Whether a true value is certainly outside an interval."""
    return bool(value < ball(float(lower))) if np.isfinite(lower) and value < ball(float(lower)) else bool(
        np.isfinite(upper) and value > ball(float(upper)))


def program(nodes: list[ex.Expression], chamber: Chamber) -> Compiled:
    found = Program(chamber)
    return Compiled(found, tuple(found.form(node) for node in nodes))


def models(compiled: Compiled, lower: np.ndarray, upper: np.ndarray, order: int) -> tuple[list[Model], np.ndarray, np.ndarray,
                                                                                         np.ndarray]:
    """Evaluate on boxes (boxes, variables); returns the models, where undefined, centres and radii."""
    centre = (lower + upper) / 2
    radii = up(np.maximum(upper - centre, centre - lower))
    variables = [taylor.variable(v, centre[:, v].copy(), radii[:, v].copy(), Interval(lower[:, v], upper[:, v]))
                 for v in range(lower.shape[1])]
    with np.errstate(all="ignore"):
        found, undefined = compiled.models(variables, order)
    return found, undefined, centre, radii


def holds(model: Model, box: int, centre: np.ndarray, radii: np.ndarray, point: np.ndarray, value: arb) -> bool:
    """Whether the model may be right about a value at a point of its box; polynomial and point by exact arithmetic."""
    if disjoint(value, model.range.lower[box], model.range.upper[box]):
        return False
    if not np.isfinite(model.error[box]):
        return True
    t = [(Fraction(float(point[v])) - Fraction(float(centre[v]))) / Fraction(float(radii[v])) if radii[v] else Fraction(0)
         for v in range(len(point))]
    total = Fraction(0)
    for exponent, term in zip(taylor.exponents(len(model.support), model.degree), model.terms[:, box], strict=True):
        factor = Fraction(float(term))
        for v, k in zip(model.support, exponent, strict=True):
            factor *= t[v] ** k
        total += factor
    return not bool(abs(value - ball(total)) > ball(float(model.error[box])))


def sorted_box(rng: np.random.Generator, n: int, d: int, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of a box with descending ends in coordinate 0, and sorted points in it, (points, n * d)."""
    lower = rng.uniform(-1, 2, (n, d))
    lower[:, 0] = -np.sort(-lower[:, 0])
    upper = lower + width * rng.random((1, d))
    points = rng.choice([0.0, 1.0], (6, n, d)) * 0.5 + rng.random((6, n, d)) * 0.5
    inside = lower + (upper - lower) * points
    order = np.argsort(-inside[:, :, 0], axis=1)
    inside[:, :, 0] = np.take_along_axis(inside[:, :, 0], order, axis=1)  # stays in the box: its ends descend too
    return lower.reshape(1, -1), upper.reshape(1, -1), inside.reshape(6, -1)


@settings(deadline=None)
@given(st.sampled_from([(1, 3), (2, 2)]).flatmap(lambda shape: st.tuples(st.just(shape), samples(d=shape[0], n=shape[1]))),
       st.integers(0, 10**6), st.sampled_from([1e-6, 1e-2, 0.3, 2.0]), st.integers(1, 5))
def test_models_contain_random_expressions(case: tuple[tuple[int, int], Sample], seed: int, width: float, order: int) -> None:
    (d, n), sample = case
    rng = np.random.default_rng(seed)
    own = int(rng.integers(n))
    compiled = program([ex.specialise(parse(sample.text, d)[0], n)], Chamber(n, d, own))
    lower, upper, points = sorted_box(rng, n, d, width)
    (model,), _, centre, radii = models(compiled, lower, upper, order)
    for point in points:
        tokens = [[ball(float(value)) for value in token] for token in point.reshape(n, d)]
        assert holds(model, 0, centre[0], radii[0], point, sample.value(BALLS, own, tokens)), (sample.text, point)


@pytest.mark.parametrize("text", ["sum(exp(2*x*y)*y)/sum(exp(2*x*y))", "tanh(3*x - sum(y))*sigmoid(x*mean(y))", "log(x + 2)**-2",
                                  "sqrt(x + 3/2)/(2 - mean(y))", "sin(9*x)*cos(mean(y**3))"])
def test_the_error_is_of_the_next_order(text: str) -> None:
    """Halving the box divides the error of order k by about 2^(k+1)."""
    compiled = program([ex.specialise(parse(text, 1)[0], 3)], Chamber(3, 1, 1))
    for order in (1, 2, 3, 4):
        widths = 2.0 ** -np.arange(3, 6)
        low, high = (np.full((3, 3), 0.4) + sign * widths[:, None] / 2 for sign in (-1, 1))
        (model,), *_ = models(compiled, low, high, order)
        assert (model.error[1:] <= model.error[:-1] / 2 ** (order + 0.5) + 1e-13).all(), (order, model.error)


def test_a_wrong_model_is_noticed() -> None:
    """The helper of these tests rejects what it should."""
    compiled = program([ex.specialise(parse("exp(x)", 1)[0], 2)], Chamber(2, 1, 0))
    lower, upper = np.full((1, 2), 0.0), np.full((1, 2), 1.0)
    (model,), _, centre, radii = models(compiled, lower, upper, 2)
    point, value = np.array([0.9, 0.1]), ball(0.9).exp()
    assert holds(model, 0, centre[0], radii[0], point, value)
    for wrong in (Model(model.support, model.degree, model.terms, model.error * 0.01, model.range),
                  Model(model.support, model.degree, model.terms * 1.2, model.error, model.range),
                  Model(model.support, model.degree, model.terms, model.error, Interval.of([0.0], [1.0]))):
        assert not holds(wrong, 0, centre[0], radii[0], point, value)


def test_what_cancels_is_exactly_zero() -> None:
    texts = "exp(x)*mean(y) - mean(y)*exp(x)", "mean(y) - sum(y)/3", "abs(max(y) - x) + x - max(y)"
    compiled = program([ex.specialise(parse(text, 1)[0], 3) for text in texts], Chamber(3, 1, 1))
    assert all(not form.slopes and not form.constant for form in compiled.wanted)


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x - 1/2)", "1/(x - mean(y))", "0*log(x)", "log(x) - log(x)", "x**-1"])
def test_where_a_part_is_undefined_is_said(text: str) -> None:
    compiled = program([ex.specialise(parse(text, 1)[0], 2)], Chamber(2, 1, 0))
    _, undefined, *_ = models(compiled, np.zeros((1, 2)), np.ones((1, 2)), 3)
    assert undefined.all()


@pytest.mark.parametrize("value", [0.0, 1e-320, 1e300, 1e-300])
@pytest.mark.parametrize("text", ["exp(x)*exp(x)*x", "x**7 - 1e300*x", "1/(x*x + 1)", "tanh(x)**2", "log(1 + x*x)", "abs(x)*x"])
def test_extreme_boxes_give_no_nan(value: float, text: str) -> None:
    compiled = program([ex.specialise(parse(text, 1)[0], 2)], Chamber(2, 1, 0))
    (model,), *_ = models(compiled, np.full((1, 2), -value), np.full((1, 2), value), 3)
    assert not np.isnan(model.terms).any()
    assert not np.isnan(model.error).any()
    assert (model.range.lower <= model.range.upper).all()
    assert model.range.contains(0.0).all() or text in ("exp(x)*exp(x)*x", "1/(x*x + 1)")


@settings(deadline=None)
@given(st.sampled_from(sorted(ORACLE)), st.floats(0.01, 5.0), st.floats(0.0, 0.5), st.floats(0.0, 1.0), st.booleans())
def test_series_contain_the_true_coefficients(name: str, low: float, width: float, place: float, negative: bool) -> None:
    if negative and name not in ("log", "sqrt"):
        low = -low - width if name == "reciprocal" else -low
    at = min(low + place * width, low + width)
    found = coefficients(name, Interval.of([low], [low + width]), 7)
    true = ORACLE[name](arb_series([ball(at), 1], 7))
    for j, enclosure in enumerate(found):
        assert not disjoint(true[j], enclosure.lower[0], enclosure.upper[0]), (j, true[j], enclosure)
    if not width:
        assert all(float(e.width()[0]) <= 1e-12 * (1 + float(abs(e).upper[0])) for e in found)


def test_series_of_a_wrong_function_are_told_apart() -> None:
    true = ORACLE["sin"](arb_series([ball(0.3), 1], 4))
    cosine = coefficients("cos", Interval.of([0.3]), 4)
    assert all(disjoint(true[j], e.lower[0], e.upper[0]) for j, e in enumerate(cosine))


@pytest.mark.parametrize("name", ["log", "sqrt", "reciprocal"])
def test_series_across_a_singularity_say_nothing(name: str) -> None:
    found = coefficients(name, Interval.of([-1.0], [1.0]), 3)
    assert all(not np.isfinite(e.lower).any() and not np.isfinite(e.upper).any() for e in found)


def test_a_rational_factor_is_enclosed() -> None:
    scale = Scale.of(Fraction(1, 3))
    assert abs(Fraction(scale.middle) - Fraction(1, 3)) <= Fraction(scale.radius)
    assert Scale.of(Fraction(3, 4)).radius == 0


def test_too_many_terms_are_an_error() -> None:
    with pytest.raises(ArithmeticError, match="rounding analysis"):
        taylor.exponents(24, 6)
