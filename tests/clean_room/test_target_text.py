"""The reading of target texts: by hand where precedence matters, and beside the project's parser on random texts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clean_room.judge import high
from tests.clean_room.target_value import CONTEXT, Target

TOKENS = [[Fraction(1, 3)], [Fraction(-2)], [Fraction(5, 2)]]
BY_HAND = {
    "-2**2": -4, "2**-1": Fraction(1, 2), "2**3**2": 512, "-2**-2": Fraction(-1, 4), "8/4/2": 1, "1-2-3": -4, "2-3*4": -10,
    "1/2*3": Fraction(3, 2), "--1": 1, "2*-3": -6, "+-+1": -1,
    "0.1+1e-1": Fraction(1, 5), ".5e1": 5, "1_000.5": Fraction(2001, 2),
    "4**.5": 2, "4**(n/2)": 8, "order(1)": Fraction(5, 2), "order(n)": -2, "order((n+1)/2)": Fraction(1, 3), "n": 3,
    "x": Fraction(1, 3), "sum(y)": Fraction(5, 6), "sum(x)": 1, "mean(y*sum(y))": Fraction(25, 108), "max(-y)": 2,
    "min(abs(y-x))": 0, "sum((y-mean(y))**2)": sum((y[0] - Fraction(5, 18)) ** 2 for y in TOKENS), "maximum(x,minimum(1,n))": 1,
    "relu(-x)+relu(x)": Fraction(1, 3), "(x)": Fraction(1, 3), "(x)+(n)": Fraction(10, 3), "sqrt(9)-abs(-2)": 1, "0**0": 1,
}


@pytest.mark.parametrize("text", BY_HAND)
def test_a_text_means_what_it_does_on_paper(text: str) -> None:
    (value,) = Target(text).high(TOKENS, 0)
    assert abs(value - high(Fraction(BY_HAND[text]))) < CONTEXT.mpf(10) ** -50


def test_positions_are_n_times_the_last_coordinate() -> None:
    placed = [[*token, Fraction(k, 3)] for k, token in enumerate(TOKENS, start=1)]
    assert [float(Target("i").high(placed, own)[0]) for own in range(3)] == [1, 2, 3]
    assert float(Target("sum(j*y)").high(placed, 0)[0]) == pytest.approx(1 / 3 - 4 + 7.5)


def test_outputs_stand_between_commas() -> None:
    for text in ("(x, n)", "x, n", "(x), (n)", "(x,n,)"):
        assert [float(value) for value in Target(text).high(TOKENS, 1)] == [-2, 3]


@pytest.mark.parametrize("text", ["x y", "x[0", "mean(y", "x+", "x**", "z", "foo(x)", "1.2.3"])
def test_another_text_has_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Target(text).high(TOKENS, 0)


LEAVES = st.sampled_from(["x", "y", "n", "pi", "0.1", "2", "1.5", "3e-1", "7"])
FUNCTIONS = ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "abs", "relu", "mean", "sum", "max", "min"]
TEXTS = st.recursive(LEAVES, lambda inner: st.one_of(
    st.tuples(inner, st.sampled_from([" + ", "-", "*", "/"]), inner).map("".join),
    st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda p: f"{p[0]}({p[1]})"),
    st.tuples(st.sampled_from(["maximum", "minimum"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
    st.tuples(inner, st.sampled_from(["2", "-1", "0.5", "1.5", "3", "-2", "0.3", "2**-1"])).map("**".join),
    inner.map("-{}".format), inner.map("({})".format)), max_leaves=9).map(lambda text: f"mean({text})")


@given(TEXTS, st.integers(0, 2))
@settings(max_examples=400, deadline=None)
def test_random_texts_mean_the_same_to_the_project(text: str, own: int) -> None:
    """No parenthesis is there to help: what binds how strongly decides."""
    import numpy as np
    from flint import arb, ctx, fmpq

    from constructions.domains import Box
    from constructions.errors import BadInput
    from constructions.targets.target import Target as Theirs

    try:
        theirs = Theirs.from_text(text, n=3, box=Box.parse("-3,3", 1))
    except BadInput as error:
        if "exponent" not in str(error):  # one beyond 10000 is not read
            raise
        return
    with ctx.workprec(400):
        tokens = np.array([[arb(fmpq(v.numerator, v.denominator)) for v in token] for token in TOKENS], dtype=object)
        ball = theirs.balls(tokens)[own, 0]
        if not ball.is_finite() or not ball.rad() < arb(10) ** -60 or abs(ball) > arb(10) ** 40:
            return
        middle, size = ball.mid().str(80, radius=False), ball.abs_upper() + 1
        (ours,) = Target(text).high(TOKENS, own)
        assert abs(ours - CONTEXT.mpf(middle)) <= CONTEXT.mpf(10) ** -35 * float(size)
