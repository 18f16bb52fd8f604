"""Targets of many kinds as a user may write them: each is proved from the weights alone, and no sampled error is larger."""

from __future__ import annotations

import pytest

from tests.proofs_check.structure.from_text import built_and_proved, largest_error

TEXTS = (
    "mean((1+(n/(1+y**2))**2)**1.5)", "mean(exp(n*y))", "cos(sin(maximum(pi,pi)))*mean(y)", "maximum(x,x)*mean(y)",
    "abs(-x)*mean(y)",
    "min(x*mean(y))", "max(sin(y))", "max(tanh(y)+y/2)", "mean(y)/(1+mean(y**2))", "x/(1+x**2)*mean(y)", "tanh(sum(abs(y)))",
    "log(1+log(1+x**2)**2)*mean(y)", "minimum(log(1+x**2),sigmoid(order(3)))", "abs((x/2-x)-mean(exp(-(x-y)**2*2)))",
    "mean(cos(2*x-y*y))/(7/2+mean(1/(1+(x-y)**2)))+relu(mean(log(4+x*y))-(x+pi))")


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_proved_from_the_weights(text: str) -> None:
    construction, found = built_and_proved(text, "3e-2")
    assert found.identities
    assert found.bound <= 0.03
    for n in (2, 3, 64) if construction.every_n else (3,):
        assert largest_error(construction, n, 100) <= found.bound + 1e-12
