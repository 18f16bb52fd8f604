"""Algebra says "the same" of rewritten expressions and never of two that differ somewhere."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target
from proofs_check.structure.identity import Algebra
from tests.strategies import samples

EVERY_N = {
    "variance": ("mean((y - mean(y))**2)", "mean(y**2) - mean(y)**2"),
    "sums are n means": ("sum(exp(y)*y)/sum(exp(y))", "mean(exp(y)*y)/mean(exp(y))"),
    "exponential of a sum": ("mean(exp(x + 2*y))", "exp(x)*mean(exp(y)**2)"),
    "absolute value": ("abs(x - 1/3)", "2*relu(x - 1/3) - x + 1/3"),
    "maximum": ("maximum(x, mean(y))", "mean(y) + relu(x - mean(y))"),
    "minimum": ("minimum(x, 1/2)", "x - relu(x - 1/2)"),
    "centred product": ("mean((x - y)*(x - y))", "x**2 - 2*x*mean(y) + mean(y*y)"),
    "what is constant is its mean": ("mean(x*mean(y) + 3)", "x*mean(y) + 3"),
    "length": ("sum(y)/n", "mean(y)"),
    "what is the same for all tokens is its largest value": ("max(x*mean(y)) - min(3)", "x*mean(y) - 3"),
    "order statistics": ("max(y) - min(y)", "order(1) - order(n)"),
    "sine of a sum": ("mean(sin(x + y))", "sin(x)*mean(cos(y)) + cos(x)*mean(sin(y))"),
    "cosine of a difference": ("mean(cos(x - 2*y))", "cos(x)*mean(cos(2*y)) + sin(x)*mean(sin(2*y))"),
    "squares of sine and cosine": ("mean(sin(x + y)**2)", "1 - mean(cos(x + y)**2)"),
    "half and double angles": ("mean(cos(y))", "1 - 2*mean(sin(y/2)**2)"),
    "thirds and quarters": ("sin(x/4 - mean(y)/3)*12", "12*sin(x/4)*cos(mean(y)/3) - 12*cos(x/4)*sin(mean(y)/3)"),
    "waves below other functions": ("log(2 + mean(sin(x + y)))", "log(mean(cos(x)*sin(y) + 2) + sin(x)*mean(cos(y)))"),
    "waves in a divisor": ("mean(y)/(3 + cos(x + mean(y)))", "mean(y)/(3 + cos(x)*cos(mean(y)) - sin(mean(y))*sin(x))"),
    "a phase": ("mean(sin(y + pi/3)) + cos(x + 1)", "mean(sin(y)/2 + 3**(1/2)/2*cos(y)) + cos(1)*cos(x) - sin(1)*sin(x)"),
    "waves below a kink": ("relu(sin(x + 1) - mean(y))", "relu(sin(x)*cos(1) + cos(x)*sin(1) - mean(y))"),
    "largest of waves": ("max(sin(x + y))", "max(sin(x)*cos(y) + cos(x)*sin(y))"),
    "third central moment": ("mean((y - mean(y))**3)", "mean(y**3) - 3*mean(y)*mean(y**2) + 2*mean(y)**3"),
}
FIXED_N = {
    "three squares": (3, "mean(y**2)", "(order(1)**2 + order(2)**2 + order(3)**2)/3"),
    "a product of three by power sums": (3, "order(1)*order(2)*order(3)",
                                         "(sum(y)**3 - 3*sum(y)*sum(y**2) + 2*sum(y**3))/6"),
    "a fourth power sum reduces": (2, "sum(y**3)", "sum(y)*sum(y**2) - sum(y)*(sum(y)**2 - sum(y**2))/2"),
    "the others of two": (2, "(sum(y) - x)**2", "sum(y**2) - x**2"),
    "own token of two": (2, "(x - order(1))*(x - order(2))", "0*x"),
    "largest of products": (2, "max(y*mean(y))", "maximum(order(1)*mean(y), order(2)*mean(y))"),
}
DIFFERENT: list[tuple[int | None, str, str]] = [(None, a, b) for a, b in [
    ("mean((y - mean(y))**2)", "mean(y**2) - mean(y)"), ("x*mean(y)", "mean(y*y)"), ("x", "mean(y)"),
    ("mean(exp(x + y))", "exp(x) + mean(exp(y))"), ("mean(mean(y)*y)", "mean(y*y)"), ("sum(y)", "mean(y)"),
    ("mean(x*y)", "mean(x)*mean(y*y)"), ("abs(x - 1/3)", "2*relu(x - 1/3) - x - 1/3"), ("max(y)", "order(2)"),
    ("sum(y)", "3*mean(y)"), ("min(y)", "order(3)"), ("relu(2*x)", "2*relu(x - 1/8)"), ("mean(exp(y))", "exp(mean(y))"),
    ("sqrt(x*x)", "x - 1"), ("log(mean(exp(y)))", "mean(y)"), ("x", "x + 1/1000000000000"), ("max(x*y)", "x*max(y)"),
    ("mean(sin(x + y))", "sin(x)*mean(cos(y)) - cos(x)*mean(sin(y))"), ("mean(sin(x + y))", "sin(x) + mean(sin(y))"),
    ("mean(sin(x + y))", "mean(sin(1000000000001/1000000000000*x + y))"), ("cos(x)**2", "1 + sin(x)**2"),
    ("mean(sin(x + y))", "1000000000001/1000000000000*sin(x)*mean(cos(y)) + cos(x)*mean(sin(y))"), ("sin(2*x)", "2*sin(x)"),
    ("mean(sin(x + y))", "sin(x)*cos(mean(y)) + cos(x)*sin(mean(y))"), ("sin(x*mean(y))", "sin(x)*sin(mean(y))"),
    ("mean(cos(x - y))", "mean(cos(x + y))"), ("sqrt(1 - cos(4*x)**2)", "sin(4*x)"), ("cos(x + pi/2)", "sin(x)"),
    ("sin(x)", "x"),
]]
DIFFERENT += [
    (3, "order(1)*order(2)*order(3)", "(sum(y)**3 - 3*sum(y)*sum(y**2) + 2*sum(y**3))/5"), (3, "sum(y)", "2*mean(y)"),
    (3, "(sum(y) - x)**2", "sum(y**2) - x**2"), (3, "order(2)", "mean(y)"),
    (4, "sum(y**3)", "sum(y)*sum(y**2) - sum(y)*(sum(y)**2 - sum(y**2))/2"), (2, "x", "order(1)"),
    (2, "max(y*y)", "order(2)**2"), (2, "max((y - mean(y))**2)", "mean((y - mean(y))**2) + 1/100"),
    (3, "x*x", "order(1)*order(2)"), (9, "order(1)", "order(2)"),
]


def tree(text: str, n: int | None) -> ex.Expression:
    one = parse(text, 1)[0]
    return one if n is None else ex.specialise(one, n)


@pytest.mark.parametrize("name", EVERY_N)
def test_rewritten_expressions_are_the_same_for_every_length(name: str) -> None:
    a, b = EVERY_N[name]
    assert Algebra(None, 1).same(tree(a, None), tree(b, None))
    assert Algebra(3, 1).same(tree(a, 3), tree(b, 3))
    assert Algebra(3, 1).same(tree(b, 3), tree(a, 3))


@pytest.mark.parametrize("name", FIXED_N)
def test_some_are_the_same_for_one_length_only(name: str) -> None:
    n, a, b = FIXED_N[name]
    assert Algebra(n, 1).same(tree(a, n), tree(b, n))


def test_two_coordinates_are_written_out_too() -> None:
    a, b = parse("(sum(y[0]*y[1]) - x[0]*x[1])*2", 2)[0], parse("2*(sum(y[0]) - x[0])*(sum(y[1]) - x[1])", 2)[0]
    assert Algebra(2, 2).same(ex.specialise(a, 2), ex.specialise(b, 2))
    assert not Algebra(3, 2).same(ex.specialise(a, 3), ex.specialise(b, 3))
    assert not Algebra(2, 2).same(parse("x[0]", 2)[0], parse("x[1]", 2)[0])
    assert not Algebra(2, 2).same(parse("max(y[0])", 2)[0], parse("max(y[1])", 2)[0])


@pytest.mark.parametrize(("n", "a", "b"), DIFFERENT)
def test_near_misses_are_not_the_same(n: int | None, a: str, b: str) -> None:
    assert not Algebra(n, 1).same(tree(a, n), tree(b, n))


def test_sorted_tokens_below_waves_are_the_same() -> None:
    a, b = tree("mean(sin(x + y))", 2), tree("(sin(x + order(1)) + sin(x)*cos(order(2)) + cos(x)*sin(order(2)))/2", 2)
    assert Algebra(2, 1).same(a, b)
    assert not Algebra(2, 1).same(a, tree("(sin(x + order(1)) + sin(x)*cos(order(2)) + cos(x)*sin(order(1)))/2", 2))


@settings(max_examples=12, deadline=None)
@given(samples(d=1, n=3, depth=2), samples(d=1, n=3, depth=2), st.integers(0, 99))
def test_what_is_called_the_same_has_the_same_values(a: object, b: object, seed: int) -> None:
    texts = [one.text for one in (a, b)]  # type: ignore[attr-defined]
    box = Box.parse("0,1", 1)
    f, g = (Target.from_text(text, n=3, box=box) for text in texts)
    algebra = Algebra(3, 1)
    assert algebra.same(f.outputs[0], f.outputs[0])
    tokens = np.random.default_rng(seed).random((20, 3, 1))
    with np.errstate(all="ignore"):
        u, v = f.numpy(tokens), g.numpy(tokens)
    if np.abs(u - v).max() > 1e-6 * (1 + np.abs(u).max() + np.abs(v).max()):
        assert not algebra.same(f.outputs[0], g.outputs[0])


def test_a_number_of_any_length_is_compared_exactly() -> None:
    assert not Algebra(None, 1).same(ex.Number(Fraction(1, 3)), ex.Number(Fraction(1, 3) + Fraction(1, 10**40)))


def shown(a: str, b: str, domain: str) -> list[bool]:
    """Say for every n and for n = 3 whether two texts are shown to be the same function on the domain."""
    return [Algebra(n, 1, Box.parse(domain, 1).sides).same(tree(a, n), tree(b, n)) for n in (None, 3)]


SIGNED = {
    "positive": ("relu(x + mean(y) + 1/9)", "x + mean(y) + 1/9"),
    "negative": ("relu(-1/8 - x)*3", "0*x"),
    "absolute": ("abs(x*x + 1/8)", "x*x + 1/8"),
    "larger": ("maximum(2 + x, mean(y))", "2 + x"),
    "smaller": ("minimum(x, mean(y) + pi)", "x"),
    "after collecting": ("abs(x/2 - x - mean(exp(-y)))", "x/2 + mean(exp(-y))"),
    "a constant": ("abs(1 - pi)*x", "(pi - 1)*x"),
    "inside a mean": ("mean(abs(y - 2)*x)", "x*mean(2 - y)"),
    "of what is the same for all": ("max(x) + min(x*mean(y))", "x + x*mean(y)"),
}


@pytest.mark.parametrize("name", SIGNED)
def test_a_kink_that_is_never_met_is_a_side_of_it(name: str) -> None:
    assert all(shown(*SIGNED[name], "0,1"))


@pytest.mark.parametrize(("a", "b"), [("relu(x - 1/2)", "x - 1/2"), ("relu(1/2 - x)", "0*x"), ("abs(x - 1/8)", "x - 1/8"),
                                      ("maximum(x, mean(y))", "x"), ("minimum(x, 1 - 1/1000000)", "x"), ("max(y)", "x"),
                                      ("abs(x + 1/8)", "-x - 1/8"), ("maximum(2 + x, mean(y))", "mean(y)")])
def test_a_kink_that_may_be_met_is_not(a: str, b: str) -> None:
    assert not Algebra(None, 1, Box.parse("0,1", 1).sides).same(tree(a, None), tree(b, None))
    assert not Algebra(None, 1, Box.parse("-1,1", 1).sides).same(tree("relu(x + 1/2)", None), tree("x + 1/2", None))


EXTREMA = {
    "a term of the own token": ("max(x - y)", "x - min(y)"),
    "terms on both sides": ("min(x + 2*y - mean(y))", "x + 2*min(y) - mean(y)"),
    "a factor": ("max(x*y)", "relu(x)*max(y) - relu(-x)*min(y)"),
    "a negative factor": ("max((x - 3)*y)", "(x - 3)*min(y)"),
    "a divisor": ("min(y/(2 + x))", "min(y)/(2 + x)"),
    "an increasing function": ("max(exp(x - y))", "exp(x - min(y))"),
    "a distance": ("max(abs(x - y))", "maximum(x - min(y), max(y) - x)"),
    "a square": ("max((x - y)**2)", "max(abs(x - y))**2"),
    "a cube": ("min((x - y)**3)", "(x - max(y))**3"),
    "a choice": ("max(maximum(x, y - mean(y)))", "maximum(x, max(y) - mean(y))"),
    "a choice beside the own token": ("max(minimum(x, y - mean(y)))", "minimum(x, max(y) - mean(y))"),
    "a rectified form": ("min(relu(x - y))", "relu(x - max(y))"),
    "a function of y": ("max(x + exp(y)*y**2)", "x + max(exp(y)*y**2)"),
}


@pytest.mark.parametrize("name", EXTREMA)
def test_an_extremum_is_taken_apart(name: str) -> None:
    a, b = EXTREMA[name]
    assert all([*shown(a, b, "-1,1"), *shown(b, a, "-1,1")])


@pytest.mark.parametrize(("a", "b"), [
    ("max(x*y)", "x*max(y)"), ("max(x - y)", "x - max(y)"), ("max(x*y)", "max(x)*max(y)"), ("max(cos(y))", "cos(max(y))"),
    ("min(abs(x - y))", "maximum(x - min(y), max(y) - x)"), ("max((x - y)**2)", "(max(y) - x)**2"),
    ("max(y + 2*x*y)", "max(y) + 2*x*max(y)"), ("max(minimum(x, y))", "maximum(x, max(y))"),
    ("max(minimum(x - y, y))", "minimum(x - min(y), max(y))"), ("max(exp(-y))", "exp(-max(y))"),
    ("min((x - y)**2)", "(x - max(y))**2"), ("max(y*(y - x))", "max(y)*(max(y) - x)")])
def test_near_misses_of_extrema_are_not_the_same(a: str, b: str) -> None:
    assert not any(shown(a, b, "-1,1"))


KINKED_PRODUCTS = {
    "absolute value": ("mean(abs(x*y))", "abs(x)*mean(abs(y))"),
    "positive part": ("mean(relu(x*y))", "relu(x)*mean(relu(y)) + relu(-x)*mean(relu(-y))"),
    "negative part": ("mean(minimum(x*y, 0))", "-relu(-x)*mean(relu(y)) - relu(x)*mean(relu(-y))"),
    "cube": ("mean(abs(x*y)**3)", "abs(x)**3*mean(abs(y)**3)"),
    "even powers": ("mean(relu(x*y**2))", "relu(x)*mean(y**2)"),
    "odd powers": ("mean(abs(2*x*y**3))", "2*abs(x)*mean(y**2*abs(y))"),
    "a factor of one sign": ("mean(relu((1 + x)*y))", "(1 + x)*mean(relu(y))"),
    "a factor that is not written": ("mean(abs(x*y - y))", "(1 - x)*mean(abs(y))"),
    "a negative divisor": ("mean(relu(x/(y - 2)))", "relu(-x)*mean(1/(2 - y))"),
    "an exponential": ("mean(relu(x*exp(y)))", "relu(x)*mean(exp(y))"),
    "a number": ("mean(relu(-pi*x*y))", "pi*relu(x)*mean(relu(-y)) + pi*relu(-x)*mean(relu(y))"),
    "a square": ("abs(x)**2*mean(relu(y))", "x**2*mean(relu(y))"),
    "never both": ("mean(relu(x - y)*relu(y - x))", "0*x"),
    "a mean among the factors": ("mean(relu((x - mean(y))*y))",
                                 "relu(x - mean(y))*mean(relu(y)) + relu(mean(y) - x)*mean(relu(-y))"),
}


@pytest.mark.parametrize("name", KINKED_PRODUCTS)
def test_a_kink_of_a_product_is_known_by_its_factors(name: str) -> None:
    assert all(shown(*KINKED_PRODUCTS[name], "-1,1"))


@pytest.mark.parametrize(("a", "b"), [
    ("mean(relu(x*y))", "relu(x)*mean(relu(y))"), ("mean(relu(x*y))", "relu(x)*mean(relu(y)) - relu(-x)*mean(relu(-y))"),
    ("mean(abs(x*y))", "x*mean(abs(y))"), ("mean(relu(x*y**3))", "relu(x)*mean(y**3)"), ("mean(relu(-x*y))", "mean(relu(x*y))"),
    ("mean(relu((1/2 + x)*y))", "(1/2 + x)*mean(relu(y))"), ("mean(relu(x/(y - 2)))", "relu(x)*mean(1/(2 - y))"),
    ("mean(abs(x*y))", "abs(x*mean(y))"), ("relu(x)**2", "x**2"), ("mean(relu(x - y)*relu(x - y))", "0*x"),
    ("abs(x)*abs(x + 1/2)", "abs(x)*(x + 1/2)")])
def test_near_misses_of_kinked_products_are_not_the_same(a: str, b: str) -> None:
    assert not any(shown(a, b, "-1,1"))


FACTORS = st.sampled_from(("x", "y", "(1+x)", "(y-2)", "(x-1/2)", "exp(y)", "mean(y)", "(x-y)", "-3", "(x*y+2)", "y**2",
                           "1/(3-y)"))


@settings(max_examples=20, deadline=None)
@given(st.lists(FACTORS, min_size=1, max_size=3), st.lists(FACTORS, min_size=1, max_size=3), st.sampled_from(("relu", "abs")),
       st.integers(0, 99))
def test_kinks_of_products_are_the_same_only_with_the_same_values(a: list[str], b: list[str], kink: str, seed: int) -> None:
    box = Box.parse("-1,1", 1)
    f, g = (Target.from_text(f"mean({kink}({'*'.join(factors)}))", n=3, box=box) for factors in (a, b))
    h = Target.from_text(f"mean({'*'.join(f'abs({factor})' for factor in a)})", n=3, box=box)
    algebra, tokens = Algebra(3, 1, box.sides), np.random.default_rng(seed).uniform(-1, 1, (50, 3, 1))
    assert kink == "relu" or algebra.same(f.outputs[0], h.outputs[0])
    for other in (g, h):
        if np.abs(f.numpy(tokens) - other.numpy(tokens)).max() > 1e-9:
            assert not algebra.same(f.outputs[0], other.outputs[0])
