"""Ranges of expressions contain their values, and are no wider than the lemma behind them says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions.domains import Box
from constructions.pieces.forms import Quantity, ball, ends
from constructions.sumformers.natural_range import natural_range
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target


def shown(text: str, n: int, sides: tuple[int, int] = (0, 1)) -> tuple[float, float]:
    """The range that the text shows, tokens of one coordinate."""
    (tree,) = parse(text, 1)
    token = Quantity("x.0", ball(Fraction(sides[0])).union(ball(Fraction(sides[1]))), True)
    return ends(natural_range(ex.specialise(tree, None), [token], n))


@pytest.mark.parametrize("text", [
    "max((y-mean(y))**2)",  # up to (1 - 1/n)^2: only the mean of the squares is at most 1/4
    "min((y-mean(y))**2)", "mean((y-mean(y))**2)", "sum((y-mean(y))**2)", "minimum(max((y-mean(y))**2),x)",
    "abs(x-mean(y))", "abs(minimum(x,mean(y))-1/2)", "maximum(x-1,mean(y)-1)", "relu(mean(y)-x)*minimum(x,1/3)"])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_values_lie_in_the_range_that_an_expression_shows(text: str, n: int) -> None:
    corners = np.stack([np.arange(n) < k for k in range(n + 1)]).astype(float)[..., None]
    tokens = np.concatenate([corners, np.random.default_rng(0).random((200, n, 1))])
    values = Target.from_text(text, n=n, box=Box.parse("0,1", 1)).numpy(tokens)
    low, high = shown(text, n)
    assert low <= values.min() + 1e-12
    assert values.max() - 1e-12 <= high


@pytest.mark.parametrize(("text", "wanted"), [
    ("mean((y-mean(y))**2)", (0, 0.25)), ("min((y-mean(y))**2)", (0, 0.25)), ("sum((y-mean(y))**2)", (0, 0.75)),
    ("max((y-mean(y))**2)", (0, 1)), ("abs(x-mean(y))", (0, 1)), ("abs(x+1/2)", (0.5, 1.5)), ("maximum(x-1,mean(y)-2)", (-1, 0))])
def test_the_range_is_as_narrow_as_its_lemma_says(text: str, wanted: tuple[float, float]) -> None:
    assert shown(text, 3) == pytest.approx(wanted, abs=1e-6)
