"""Ball arithmetic, jets and the steepest slope enclose the truth, and are tight where the truth is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy
from flint import arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import moduli
from constructions.domains import Box
from constructions.errors import Refused
from constructions.number_formats import short_decimal_above
from constructions.targets.ball_arrays import BallArray
from constructions.targets.jets import _SMOOTH, ONE, Jet, JetWalker
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.slopes import steepest, translation_invariant
from constructions.targets.target import Target
from tests.cases import CASES, Case
from tests.strategies import FLOATS, SYMBOLS, Sample, samples

PLACES = [Fraction(-1), Fraction(-1, 2), Fraction(0), Fraction(1, 3), Fraction(1)]


# -- balls ------------------------------------------------------------------------------------------------------------------

def contains(ball: BallArray, value: Fraction | arb, index: int = 0) -> bool:
    """Compare exactly: |value - mid| <= rad, for a 300-bit enclosure as for a fraction."""
    mid, rad = Fraction(float(ball.mid.ravel()[index])), float(ball.rad.ravel()[index])
    if math.isinf(rad):
        return True
    if isinstance(value, arb):
        with ctx.workprec(300):
            return bool(abs(value - exact_ball(mid)) <= exact_ball(Fraction(rad)))
    return abs(value - mid) <= Fraction(rad)


def exact_ball(value: Fraction) -> arb:
    with ctx.workprec(300):
        return arb(fmpq(value.numerator, value.denominator))


def points(ball: BallArray) -> list[Fraction]:
    """Five points of a one-element ball, both ends included."""
    return [Fraction(float(ball.mid[0])) + t * Fraction(float(ball.rad[0])) for t in PLACES]


def balls(low: float = -20, high: float = 20) -> st.SearchStrategy[BallArray]:
    mid = st.one_of(st.floats(low, high), st.sampled_from([0.0, 1.0, 0.1, -0.5]).filter(lambda m: low <= m <= high))
    rad = st.one_of(st.just(0.0), st.floats(0, 1e-12), st.floats(0, 3))
    return st.builds(lambda m, r: BallArray(np.array([m]), np.array([r])), mid, rad)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}


@pytest.mark.parametrize("operator", BINARY)
@given(a=balls(), b=balls())
@settings(max_examples=50, deadline=None)
def test_arithmetic_of_balls_contains_all_exact_results(operator: str, a: BallArray, b: BallArray) -> None:
    with np.errstate(all="ignore"):
        result = BINARY[operator](a, b)
    if operator == "/" and min(points(b)) <= 0 <= max(points(b)):
        assert math.isinf(result.rad[0])
        return
    for u, v in itertools.product(points(a), points(b)):
        assert contains(result, BINARY[operator](u, v))


@given(a=balls(), p=st.integers(-4, 7))
@settings(max_examples=80, deadline=None)
def test_powers_of_balls_contain_all_exact_results(a: BallArray, p: int) -> None:
    with np.errstate(all="ignore"):
        result = a.power(p)
    if p < 0 and min(points(a)) <= 0 <= max(points(a)):
        assert math.isinf(result.rad[0])
        return
    for u in points(a):
        assert contains(result, u**p)


FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tanh": arb.tanh,
    "sigmoid": lambda u: 1 / (1 + (-u).exp())}
SYMBOLIC = {"exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "sin": sympy.sin, "cos": sympy.cos, "tanh": sympy.tanh,
            "sigmoid": lambda u: 1 / (1 + sympy.exp(-u))}


def derivatives(name: str, u: arb) -> tuple[arb, arb, arb]:
    """Value and first two derivatives by formulas that are not those of the code."""
    with ctx.workprec(300):
        value = FUNCTIONS[name](u)
        match name:
            case "exp":
                return value, value, value
            case "log":
                return value, u**-1, -(u**-2)
            case "sqrt":
                return value, value / u / 2, -value / (u * u) / 4
            case "sin":
                return value, u.cos(), -value
            case "cos":
                return value, -u.sin(), -value
            case "tanh":
                return value, u.cosh() ** -2, -2 * value * u.cosh() ** -2
        return value, (u / 2).cosh() ** -2 / 4, -(u / 2).tanh() * (u / 2).cosh() ** -2 / 4


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_functions_of_balls_and_their_derivatives_contain_what_flint_computes(name: str, data: st.DataObject) -> None:
    a = data.draw(balls())
    with np.errstate(all="ignore"):
        results = _SMOOTH[name](a)
    if name in ("log", "sqrt") and min(points(a)) <= 0:
        assert min(points(a)) >= 0 or math.isinf(results[0].rad[0])
        return
    for u in points(a):
        for result, value in zip(results, derivatives(name, exact_ball(u)), strict=True):
            assert contains(result, value)


def test_every_smooth_function_is_compared() -> None:
    assert set(FUNCTIONS) == set(_SMOOTH)


@given(value=st.fractions(min_value=-100, max_value=100))
@settings(max_examples=50, deadline=None)
def test_constants_contain_their_rational_number(value: Fraction) -> None:
    ball = BallArray.constant(value)
    assert contains(ball, value)
    assert not contains(ball, value + Fraction(1, 10**9))
    assert ball.rad == 0 or Fraction(float(ball.mid)) != value


@given(a=balls())
@settings(max_examples=50, deadline=None)
def test_the_ends_of_a_ball_lie_outside_of_it(a: BallArray) -> None:
    assert Fraction(float(a.lower[0])) <= min(points(a)) <= max(points(a)) <= Fraction(float(a.upper[0]))
    assert max(abs(u) for u in points(a)) <= Fraction(float(a.magnitude[0]))


def test_balls_that_are_too_small_are_caught() -> None:
    a = BallArray(np.array([0.5]), np.array([0.25]))
    tight = a.increasing(np.exp)
    assert all(contains(tight, FUNCTIONS["exp"](exact_ball(u))) for u in points(a))
    shrunk = BallArray(tight.mid, tight.rad * (1 - 1e-9))
    assert not all(contains(shrunk, FUNCTIONS["exp"](exact_ball(u))) for u in points(a))
    naive = BallArray(np.array([0.1]) + np.array([0.2]), np.zeros(1))
    assert not contains(naive, Fraction(0.1) + Fraction(0.2))


def test_balls_are_tight() -> None:
    a, b = BallArray(np.array([0.5]), np.array([0.25])), BallArray(np.array([2.0]), np.array([0.5]))
    assert (a + b).rad[0] < 0.75 * (1 + 1e-12)
    assert a.power(2).upper[0] < 0.75**2 * (1 + 1e-12)
    assert a.power(2).lower[0] > 0.25**2 * (1 - 1e-12)
    assert (BallArray(np.array([0.0]), np.array([1.0])).power(2).lower[0]) > -1e-12
    assert a.increasing(np.exp).upper[0] < math.exp(0.75) * (1 + 1e-12)
    assert BallArray(np.array([1e6]), np.array([9.0])).lipschitz_one(np.sin).rad[0] <= 2.0 * (1 + 1e-12)


def test_overflow_is_an_infinite_ball_and_not_a_wrong_one() -> None:
    with np.errstate(all="ignore"):
        for ball in (BallArray(np.array([800.0]), np.array([1.0])).increasing(np.exp),
                     BallArray(np.array([1e200]), np.array([0.0])) * BallArray(np.array([1e200]), np.array([0.0])),
                     BallArray(np.array([1e200]), np.array([1.0])).power(2)):
            assert math.isinf(ball.rad[0])
            assert math.isinf((ball * BallArray.constant(0)).rad[0])


# -- jets -------------------------------------------------------------------------------------------------------------------

def jet_of(target: Target, lower: np.ndarray, upper: np.ndarray, own: int) -> list[Jet]:
    """All forks of the target's jet on one box, tokens in the chamber's order."""
    sides = [BallArray.between(np.array([a]), np.array([b])) for a, b in zip(lower.ravel(), upper.ravel(), strict=True)]
    tokens = [[Jet(sides[k * target.d + c], {k * target.d + c: ONE}, rank=None if c else k) for c in range(target.d)]
              for k in range(target.n)]
    result, decisions = [], list[bool]()
    with np.errstate(all="ignore"):
        while True:
            result.append(JetWalker(tokens, own, decisions).jet(target.outputs[0]))
            while decisions and not decisions[-1]:
                decisions.pop()
            if not decisions:
                return result
            decisions[-1] = False


def near(ball: BallArray | None, value: float) -> bool:
    """Say whether the ball contains a float that is itself rounded."""
    if ball is None:
        return value == 0
    return bool(abs(value - float(np.ravel(ball.mid)[0])) <= float(np.ravel(ball.rad)[0]) + 1e-9 * (1 + abs(value)))


SMOOTH: dict[str, tuple[int, Callable[[Any, list[Any]], Any]]] = {
    "exp(x)*mean(y)": (3, lambda x, ys: sympy.exp(x) * sum(ys) / 3),
    "sum(exp(2*x*y)*y)/sum(exp(2*x*y))":
        (2, lambda x, ys: sum(sympy.exp(2 * x * y) * y for y in ys) / sum(sympy.exp(2 * x * y) for y in ys)),
    "(x-mean(y))/sqrt(mean((y-mean(y))**2)+0.1)":
        (2, lambda x, ys: (x - sum(ys) / 2) / sympy.sqrt(sum((y - sum(ys) / 2) ** 2 for y in ys) / 2 + sympy.Rational(1, 10))),
    "log(3+sum(y*x))*sin(x)": (3, lambda x, ys: sympy.log(3 + sum(ys) * x) * sympy.sin(x)),
    "mean(tanh(y-x)*cos(pi*y))": (3, lambda x, ys: sum(sympy.tanh(y - x) * sympy.cos(sympy.pi * y) for y in ys) / 3),
    "sum(sigmoid((x-y)/0.1))": (2, lambda x, ys: sum(1 / (1 + sympy.exp(-10 * (x - y))) for y in ys)),
    "(2+x)**-1.5 * order(1)": (2, lambda x, ys: (2 + x) ** sympy.Rational(-3, 2) * ys[0]),
}


@cache
def symbolic(text: str, own: int) -> tuple[Any, Any, Any]:
    """Value, gradient and Hessian by sympy, as numeric functions of the coordinates."""
    n, formula = SMOOTH[text]
    variables = sympy.symbols(f"t0:{n}")
    value = formula(variables[own], list(variables))
    gradient = [sympy.diff(value, v) for v in variables]
    hessian = [[sympy.diff(g, v) for v in variables] for g in gradient]
    return tuple(sympy.lambdify(variables, e, "math") for e in (value, gradient, hessian))  # type: ignore[return-value]


@pytest.mark.parametrize("text", SMOOTH)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_gradient_and_hessian_enclosures_contain_sympy_s_derivatives(text: str, data: st.DataObject) -> None:
    n, _ = SMOOTH[text]
    own = data.draw(st.integers(0, n - 1))
    corners = np.array(data.draw(st.lists(st.floats(0, 1), min_size=2 * n, max_size=2 * n))).reshape(n, 2)
    corners = corners[np.argsort(-corners.max(axis=1))]
    (jet,) = jet_of(Target.from_text(text, n=n, box=Box.parse("0,1", 1)), corners.min(axis=1), corners.max(axis=1), own)
    share = np.array(data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    point = corners.min(axis=1) * (1 - share) + corners.max(axis=1) * share
    if np.any(np.diff(point) > 0) and "order" in text:
        return  # outside the chamber
    value, gradient, hessian = (f(*point) for f in symbolic(text, own))
    assert near(jet.value, value)
    for v in range(n):
        assert near(jet.gradient.get(v), gradient[v])
        for w in range(v, n):
            assert near(jet.hessian.get((v, w)), hessian[v][w])


def test_a_wrong_derivative_is_not_contained() -> None:
    target = Target.from_text("exp(x)*mean(y)", n=3, box=Box.parse("0,1", 1))
    (jet,) = jet_of(target, np.array([0.5, 0.3, 0.1]), np.array([0.5, 0.3, 0.1]), 1)
    value, gradient, hessian = (f(0.5, 0.3, 0.1) for f in symbolic("exp(x)*mean(y)", 1))
    assert near(jet.gradient[1], gradient[1])
    assert not near(jet.gradient[1], gradient[1] + 1e-6)
    assert not near(jet.gradient[0], gradient[1])
    assert not near(jet.hessian[1, 1], hessian[0][1])
    assert near(jet.value, value)


@given(sample=samples(n=2, depth=2, smooth=True), own=st.integers(0, 1),
       point=st.tuples(st.integers(33, 60), st.integers(1, 32)))
@settings(max_examples=25, deadline=None)
def test_jets_of_random_smooth_targets_contain_their_symbolic_derivatives(sample: Sample, own: int,
                                                                          point: tuple[int, int]) -> None:
    target = Target.from_text(sample.text, n=2, box=Box.parse("0,1", 1))
    variables = sympy.symbols("t0:2")
    expression = sample.value(SYMBOLS, own, [[v] for v in variables])
    place = {v: sympy.Rational(p, 64) for v, p in zip(variables, point, strict=True)}
    middle = np.array(point) / 64
    for width in (0.0, 0.25):
        (jet,) = jet_of(target, middle - width, middle + width, own)
        for k, v in enumerate(variables):
            first = sympy.diff(expression, v)
            assert near(jet.gradient.get(k), float(first.subs(place)))
            assert near(jet.hessian.get((k, k)), float(sympy.diff(first, v).subs(place)))


@given(sample=samples(n=3, depth=2), own=st.integers(0, 2), place=st.permutations([0.103, 0.317, 0.59, 0.71, 0.913]))
@settings(max_examples=60, deadline=None)
def test_some_fork_of_a_kinked_target_contains_the_numeric_gradient(sample: Sample, own: int, place: list[float]) -> None:
    point = np.sort(np.array(place[:3]))[::-1]
    target = Target.from_text(sample.text, n=3, box=Box.parse("0,1", 1))
    forks = jet_of(target, point - 0.05, point + 0.05, own)
    slopes = [difference_quotient(sample, own, point, v) for v in range(3)]
    if None in slopes:
        return  # at a kink
    assert any(all(abs(g - float(np.ravel(b.mid)[0])) <= float(np.ravel(b.rad)[0]) + 1e-4 * (1 + abs(g))
                   for v, g in enumerate(slopes) for b in [jet.gradient.get(v, BallArray.constant(0))])
               for jet in forks), sample.text


def difference_quotient(sample: Sample, own: int, point: np.ndarray, v: int, step: float = 1e-5) -> float | None:
    """The central quotient, None where left and right quotients differ."""
    def value(shift: float) -> float:
        moved = point.copy()
        moved[v] += shift
        return float(sample.value(FLOATS, own, [[float(t)] for t in moved]))
    left, right = (value(0) - value(-step)) / step, (value(step) - value(0)) / step
    return 0.5 * (left + right) if abs(left - right) <= 1e-3 * (1 + abs(left)) else None


# -- the steepest slope --------------------------------------------------------------------------------------------------------

def sampled_slope(target: Target, *, count: int = 3000, seed: int = 0) -> float:
    """The largest l1 gradient norm of an output over random sequences of the box, by central differences."""
    rng = np.random.default_rng(seed)
    lower, upper = (np.array([float(v) for v in side]) for side in (target.box.lower, target.box.upper))
    step = 1e-6
    share = rng.beta(0.35, 0.35, (count, target.n, target.d))  # steep places tend to lie near the boundary
    tokens = lower + step + (upper - lower - 2 * step) * share
    total = np.zeros((count, target.n, target.d_out))
    for k, c in itertools.product(range(target.n), range(target.d)):
        shift = np.zeros((target.n, target.d))
        shift[k, c] = step
        total += np.abs(target.numpy(tokens + shift) - target.numpy(tokens - shift)) / (2 * step)
    return float(total.max())


@cache
def enclosed(name: str) -> tuple[float, float]:
    bound, attained, _ = steepest(resolve(name, n=None, d=None, domain="0,1"), tolerance=0.02, max_boxes=200_000)
    return bound, attained


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_the_proven_slope_of_a_library_target_is_above_every_sampled_one_and_tight(name: str) -> None:
    bound, attained = enclosed(name)
    sampled = sampled_slope(resolve(name, n=None, d=None, domain="0,1"))
    assert sampled <= bound * (1 + 1e-6)
    assert attained <= bound <= 1.05 * attained


KNOWN = {"own-times-mean": 2, "median": 1, "range": 2, "obstruction": 4, "max": 1, "figure-2": 111, "moments": 1}


@pytest.mark.parametrize("name", KNOWN)
def test_known_constants_are_bracketed(name: str) -> None:
    bound, attained = enclosed(name)
    assert attained <= KNOWN[name] <= bound <= 1.05 * KNOWN[name]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_claim_that_is_ten_percent_too_small_is_caught_by_sampling(name: str) -> None:
    assert sampled_slope(resolve(name, n=None, d=None, domain="0,1")) > 0.9 * KNOWN[name]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_s_constants_are_bracketed(case: Case) -> None:
    bound, attained, place = steepest(case.target, tolerance=0.02, max_boxes=100_000)
    assert attained <= case.lipschitz * (1 + Fraction(1, 10**9))
    assert len(place) == case.n * case.d
    if case.exact:
        assert case.lipschitz <= bound <= 1.05 * float(case.lipschitz)
    assert sampled_slope(case.target, count=500) <= bound * (1 + 1e-6)


ATTAINED = {
    "(max(y-x)-min(y-x))**2": (3, 4.0),  # differences of tokens of [0, 1], all of which cannot be +1 and -1 at once
    "mean((y-x)**2)": (3, 8 / 3),
    "relu(x-1/4)-relu(1/4-x)": (2, 1.0),
    "maximum(x,1/4)+minimum(x,1/4)": (2, 1.0),
    "abs(x-1/2)": (2, 1.0),
    "mean(relu(y-x))": (3, 4 / 3),
    "x*0": (2, 0.0),
    "5": (2, 0.0),
}


@pytest.mark.parametrize("text", ATTAINED)
def test_an_attained_slope_is_attained_by_a_sequence_of_the_domain(text: str) -> None:
    n, slope = ATTAINED[text]
    target = Target.from_text(text, n=n, box=Box.parse("0,1", 1))
    bound, attained, _ = steepest(target, tolerance=0.02, max_boxes=20_000)
    assert slope <= bound + 1e-9
    assert attained <= slope + 1e-9
    assert sampled_slope(target) <= slope + 1e-6


@given(samples(n=2, depth=2))
@settings(max_examples=25, deadline=None)
def test_the_slope_of_a_random_target_is_above_every_sampled_one(sample: Sample) -> None:
    target = Target.from_text(sample.text, n=2, box=Box.parse("-1,2", 1))
    bound, _, _ = steepest(target, tolerance=0.1, max_boxes=300)
    assert sampled_slope(target, count=200) <= bound * (1 + 1e-4) + 1e-6, sample.text


@pytest.mark.parametrize(("text", "expected"), [
    ("mean(y[0]-x[0])", True), ("mean(x[1]-y[1])**2", True), ("max(y[0])-min(y[0])", False), ("mean(y[0]-x[1])", False),
    ("x[0]-x[0]", False), ("3", True), ("mean((y[0]-x[0])*x[1])", False)])
def test_translation_invariance_is_recognised_only_where_it_is_certain(text: str, expected: bool) -> None:
    assert translation_invariant(Target.from_text(text, n=2, box=Box.parse("0,1", 2)).outputs[0]) is expected


# -- moduli -----------------------------------------------------------------------------------------------------------------

def test_a_derived_modulus_is_a_short_decimal_at_most_four_percent_above_the_constant() -> None:
    for name in ("own-times-mean", "range", "figure-2"):
        modulus = moduli.derived(resolve(name, n=None, d=None, domain="0,1"))
        assert KNOWN[name] < modulus.lipschitz <= Fraction(104, 100) * KNOWN[name]
        assert len(str(modulus.lipschitz.numerator)) <= 5
        assert modulus.assumption == ""
        assert 0.95 * KNOWN[name] <= modulus.attained <= KNOWN[name]


def test_a_derived_modulus_bounds_differences_of_the_target() -> None:
    case = next(c for c in CASES if c.name == "plane")
    modulus, rng = moduli.derived(case.target), np.random.default_rng(5)
    first, second = case.tokens(rng, 2000), case.tokens(rng, 2000)
    distance = np.abs(first - second).max(axis=(1, 2))
    change = np.abs(case.target.numpy(first) - case.target.numpy(second)).max(axis=(1, 2))
    assert np.all(change <= float(modulus.lipschitz) * distance + 1e-12)
    assert np.any(change > 0.6 * float(modulus.lipschitz) * distance)


def test_a_modulus_is_linear_and_exact() -> None:
    assert moduli.Modulus(Fraction(3, 7))(Fraction(1, 3)) == Fraction(1, 7)


def test_a_declared_modulus_names_its_assumption() -> None:
    modulus = moduli.declared(Fraction(5, 2), "m:f")
    assert modulus.lipschitz == Fraction(5, 2)
    assert modulus.attained == 0
    assert "m:f has Lipschitz constant at most 5/2 (declared" in modulus.assumption


@pytest.mark.parametrize("value", [
    Fraction(1, 3), Fraction(2), Fraction(99999), Fraction(1, 10**7), Fraction(123451, 10), Fraction(0)])
def test_rounding_to_a_short_decimal_goes_up_by_at_most_a_thousandth(value: Fraction) -> None:
    rounded = short_decimal_above(value, 4)
    assert value <= rounded <= value * Fraction(1001, 1000)


@pytest.mark.parametrize(("text", "domain"), [("sqrt(x)", "0,1"), ("1/x", "0,1"), ("log(x)", "0,1"), ("1/(x-1/3)", "0,1")])
def test_an_unbounded_slope_is_refused_with_the_place(text: str, domain: str) -> None:
    with pytest.raises(Refused, match="its slope could not be bounded near X in"):
        moduli.derived(Target.from_text(text, n=2, box=Box.parse(domain, 1)), max_boxes=2000)


def test_the_same_slope_on_another_domain_is_bounded() -> None:
    modulus = moduli.derived(Target.from_text("sqrt(x)", n=2, box=Box.parse("1,2", 1)))
    assert Fraction(1, 2) <= modulus.lipschitz <= Fraction(52, 100)
