"""Jets over boxes are compared with symbolic derivatives and with ball differences at random points of the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import sympy  # type: ignore[import-untyped]

from constructions.targets import expression as ex
from constructions.targets.language import parse
from proofs_check.enclosures.interval import Interval
from proofs_check.gradient import gradient_bound, norm_at
from proofs_check.jets import Affine
from proofs_check.selection import Forking, Strict
from proofs_check.walker import Chamber, Walker

SMOOTH = (("x*mean(y)", 1), ("sum(exp(2*x*y)*y)/sum(exp(2*x*y))", 1), ("tanh(3*x - sum(y))*sigmoid(x*y_mean)", 1),
          ("sin(3*x)*cos(mean(y**2)) + pi/3*x", 1), ("log(1 + x)*sqrt(x + 1) - (x + 2)**-3", 1),
          ("mean((y[0]-x[0])/((y[0]-x[0])**2+(y[1]-x[1])**2+0.1)**1.5)", 2), ("(1 + x)**mean(y)", 1))
KINKED = (("mean(abs(y - x))", 1), ("relu(x - mean(y)) + maximum(x**2, 1/3)", 1), ("max(sin(4*y)) - min(x*y)", 1),
          ("sqrt(maximum(x - mean(y), 1/50))", 1), ("maximum(abs(x - mean(y)), 1/20)**0.3", 1),
          ("maximum(mean(y**2) - mean(y)**2, 1/100)**1.5 - mean(maximum(y, x)**2.5)", 1),
          ("order(2)*minimum(x, 0.4) + max(y) - min(y)", 1), ("mean(abs(y[1] - x[1])*relu(y[0] - 0.3))", 2))


def target(text: str, d: int, n: int) -> ex.Expression:
    return ex.specialise(parse(text.replace("y_mean", "mean(y)"), d)[0], n)


def sorted_boxes(seed: int, n: int, d: int, count: int, width: float) -> tuple[list[Interval], np.ndarray]:
    """Return boxes in [0, 1] with descending ends and one sorted point (count, n, d) inside each."""
    rng = np.random.default_rng(seed)
    lower = rng.random((count, n, d)) * (1 - width)
    lower[..., 0] = -np.sort(-lower[..., 0], axis=1)
    point = lower + width * rng.random((count, 1, d)) * 0.999
    flat = lower.reshape(count, -1).T
    return [Interval(row, row + width) for row in flat.copy()], point


def symbolic(node: ex.Expression, tokens: Sequence[Sequence[sympy.Symbol]], own: int, token: int) -> sympy.Expr:
    """Translate a smooth target to sympy, an oracle with nothing in common with the walker."""
    def again(part: ex.Expression, k: int = token) -> sympy.Expr:
        return symbolic(part, tokens, own, k)

    match node:
        case ex.Number(value=value):
            return sympy.Rational(value.numerator, value.denominator)
        case ex.Pi():
            return sympy.pi
        case ex.Own(coordinate=c):
            return tokens[own][c]
        case ex.Other(coordinate=c):
            return tokens[token][c]
        case ex.Apply(function="neg", argument=a):
            return -again(a)
        case ex.Apply(function="sigmoid", argument=a):
            return 1 / (1 + sympy.exp(-again(a)))
        case ex.Apply(function=name, argument=a):
            return getattr(sympy, name)(again(a))
        case ex.Power(base=a, exponent=b):
            return again(a) ** again(b)
        case ex.Binary(operator=o, left=a, right=b):
            left, right = again(a), again(b)
            return {"+": left + right, "-": left - right, "*": left * right}[o] if o != "/" else left / right
        case ex.Reduction(kind=kind, body=body):
            total = sum(again(body, k) for k in range(len(tokens)))
            return total / len(tokens) if kind == "mean" else total
    raise AssertionError(node)


@pytest.mark.parametrize(("text", "d"), SMOOTH)
def test_value_gradient_and_hessian_contain_the_symbolic_ones(text: str, d: int) -> None:
    n, count, width = 2, 40, 0.07
    node, chamber = target(text, d, n), Chamber(n, d, 1)
    variables, points = sorted_boxes(3, n, d, count, width)
    jet = Walker(variables, chamber, Strict(count), second=True).jet(node)
    names = sympy.symbols(f"t0:{n * d}")
    formula = symbolic(node, np.array(names).reshape(n, d).tolist(), 1, 0)
    indices = [(), *((v,) for v in range(n * d)), *((i, j) for i in range(n * d) for j in range(i, n * d))]
    ours: dict[tuple[int, ...], Interval] = {(v,): g for v, g in jet.gradient.items()}
    ours[()] = jet.value
    ours.update(dict(jet.hessian.items()))
    for key in indices:
        derivative = formula.diff(*(names[v] for v in key)) if key else formula
        expected = np.broadcast_to(sympy.lambdify(names, derivative)(*points.reshape(count, -1).T), (count,))
        entry = ours.get(key, Interval.of(0.0))
        slack = 1e-11 * (1 + np.abs(expected))
        assert (entry.lower - slack <= expected).all(), key
        assert (expected <= entry.upper + slack).all(), key


def difference_norm(text: str, d: int, point: np.ndarray, own: int) -> float:
    """Return the l1 norm of central differences; the value walk runs on thin boxes, its gradients are not used."""
    n, step, total = point.shape[0], 1e-6, 0.0
    node = target(text, d, n)
    for v in np.ndindex(*point.shape):
        ends = []
        for side in (step, -step):
            moved = point.copy()
            moved[v] += side
            thin = [Interval.of([value]) for value in moved.ravel()]
            ends.append(Walker(thin, Chamber(n, d, own), Strict(1), second=False).jet(node).value)
        total += abs((ends[0] - ends[1]).lower.item()) / (2 * step)
    return total


@pytest.mark.parametrize(("text", "d"), SMOOTH + KINKED)
@pytest.mark.parametrize("width", [0.4, 0.05])
def test_the_bound_is_not_below_the_norm_at_a_point_of_the_box(text: str, d: int, width: float) -> None:
    n, count = 3, 12
    for own in range(n):
        variables, points = sorted_boxes(own, n, d, count, width)
        bound = gradient_bound(target(text, d, n), variables, Chamber(n, d, own)).upper
        for box in range(count):
            assert difference_norm(text, d, points[box], own) <= bound[box] * (1 + 1e-6) + 1e-6


@pytest.mark.parametrize(("text", "d"), SMOOTH + KINKED)
def test_the_point_norm_is_a_lower_bound_and_close(text: str, d: int) -> None:
    _, points = sorted_boxes(8, 3, d, 15, 0.2)
    thin = [Interval.of(column) for column in points.reshape(15, -1).T]
    norm = norm_at(target(text, d, 3), thin, Chamber(3, d, 1))
    expected = [difference_norm(text, d, point, 1) for point in points]
    assert np.allclose(norm, expected, rtol=1e-6, atol=1e-6)


def test_a_bound_that_is_half_as_large_would_be_noticed() -> None:
    variables, points = sorted_boxes(0, 3, 1, 12, 0.05)
    bound = gradient_bound(target("x*mean(y)", 1, 3), variables, Chamber(3, 1, 0)).upper
    assert any(difference_norm("x*mean(y)", 1, points[box], 0) > 0.5 * bound[box] for box in range(12))


def test_attention_gradients_keep_what_they_have_in_common() -> None:
    variables = [Interval.of([low], [low + 0.02]) for low in (0.8, 0.5, 0.1)]
    text = "sum(exp(2*x*y)*y)/sum(exp(2*x*y))"
    bound = gradient_bound(target(text, 1, 3), variables, Chamber(3, 1, 0)).upper.item()
    centre = norm_at(target(text, 1, 3), [Interval.of(0.5 * (v.lower + v.upper)) for v in variables], Chamber(3, 1, 0)).item()
    assert centre <= bound <= 1.25 * centre


def test_an_entry_whose_sign_is_almost_known_still_counts_where_it_is_negative() -> None:
    node = target("x[0]**2/2 + x[1] - 3*x[0]*x[1]", 2, 1)  # gradient (x0 - 3 x1, 1 - 3 x0), largest at x0 = -0.00019
    bound = gradient_bound(node, [Interval.of([-0.00019], [0.2]), Interval.of([0.0], [1e-12])], Chamber(1, 2, 0)).upper.item()
    assert 1 + 4 * 0.00019 <= bound <= 1.002


def test_past_the_cap_hulls_take_over_and_still_bound() -> None:
    node, variables = target("mean(abs(sin(5*y) - x))", 1, 3), [Interval.of([0.1], [0.8])] * 3
    forked = gradient_bound(node, variables, Chamber(3, 1, 0)).upper.item()
    capped = gradient_bound(node, variables, Chamber(3, 1, 0), max_open=0).upper.item()
    assert forked <= capped < np.inf


def test_both_one_sided_slopes_of_a_kink_are_seen() -> None:
    node, variables = target("maximum(3*x, -x)", 1, 1), [Interval.of([-1.0], [1.0])]
    assert gradient_bound(node, variables, Chamber(1, 1, 0)).upper.item() == 3.0
    assert gradient_bound(target("minimum(3*x, -x)", 1, 1), variables, Chamber(1, 1, 0)).upper.item() == 3.0


def test_equal_kinks_take_the_same_branch() -> None:
    node, variables = target("abs(x - 1/3) - abs(x - 1/3)*1", 1, 1), [Interval.of([0.0], [1.0])]
    assert gradient_bound(node, variables, Chamber(1, 1, 0)).upper.item() < 1e-12


def test_nothing_is_claimed_at_a_kink_or_where_the_function_is_undefined() -> None:
    zero = [Interval.of([0.0])]
    for text in ("abs(x)", "relu(-x**2)", "x + log(x)", "x + sqrt(x)", "x + 1/x", "x + log(-1)"):
        assert norm_at(target(text, 1, 1), zero, Chamber(1, 1, 0)).item() == 0.0
    for text in ("x + log(x)", "x + sqrt(x)", "x + 1/x", "x + log(-1)", "x + 0*log(x - 5)", "x + x**-2", "tanh(log(x - 1))"):
        assert gradient_bound(target(text, 1, 1), [Interval.of([0.0], [1.0])], Chamber(1, 1, 0)).upper.item() == np.inf


def test_the_chamber_decides_signs_of_differences_only() -> None:
    chamber, one = Chamber(3, 1, 1), Fraction(1)
    assert chamber.sign(Affine(Fraction(0), ((1, one), (2, -one)))) == 1
    assert chamber.sign(Affine(Fraction(0), ((0, -one), (2, one)))) == -1
    assert chamber.sign(Affine(Fraction(0), ((0, one), (1, -2 * one), (2, one)))) == 0
    assert chamber.sign(Affine(Fraction(0), ((0, one),))) == 0
    assert chamber.sign(Affine(one, ((1, one), (2, -one)))) == 0
    assert Chamber(2, 2, 0).sign(Affine(Fraction(0), ((1, one), (3, -one)))) == 0


def test_an_absolute_value_is_enclosed_from_zero_on() -> None:
    """Where both branches count, |x| on [-1, 1] is [0, 1], and its slope [-1, 1]."""
    (tree,) = parse("exp(-abs(x))", 1)
    walker = Walker([Interval.of([-1.0, 0.5], [1.0, 2.0])], Chamber(1, 1, 0), Forking({}, 2, 0), second=False)
    jet = walker.jet(ex.specialise(tree, None))
    assert (jet.value.upper <= np.array([1.0, 0.6066]) + 1e-12).all()
    assert jet.value.contains(np.array([1.0, 0.6])).all()
    assert float(jet.gradient[0].lower[0]) == pytest.approx(-1.0)
    assert float(jet.gradient[0].upper[0]) == pytest.approx(1.0)
