"""Gradient and Hessian of a target on a box enclose sympy's derivatives, and numeric ones where it has kinks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.targets import expression as ex
from constructions.targets.ball_arrays import BallArray
from constructions.targets.jets import ONE, Jet, JetWalker
from constructions.targets.language import parse
from constructions.targets.target import Target
from tests.strategies import FLOATS, SYMBOLS, Sample, samples


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
    "(1+x*mean(y))**0.3": (2, lambda x, ys: (1 + x * sum(ys) / 2) ** sympy.Rational(3, 10)),
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


def test_what_is_never_negative_is_enclosed_from_zero_on() -> None:
    """|x| on [-1, 1] is not seen as [-1, 1], so exp(-|x|) is at most 1, not e."""
    for text in ("abs(x)", "relu(x)"):
        tree = ex.specialise(parse(text, 1)[0], None)
        value = JetWalker([[Jet(BallArray.between(np.array([-1.0, 0.5]), np.array([1.0, 2.0])))]], 0, []).jet(tree).value
        assert (value.lower >= np.array([-1e-12, 0.499])).all()
        assert (value.upper >= np.array([1.0, 2.0])).all()
        assert (value.upper <= np.array([1.001, 2.001])).all()
