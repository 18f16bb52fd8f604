"""Extrema that are taken apart have the same values, and leave functions of y alone behind where they can."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.continuous import compile_target
from constructions.domains import Box
from constructions.sumformers.extrema import taken_apart
from constructions.sumformers.separable import other_only
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target
from tests.strategies import Sample, samples

N = 3


def apart(kind: str, text: str, domain: str = "-1,1") -> ex.Expression:
    d = 2 if "[1]" in text else 1
    (reduction,) = parse(f"{kind}({text})", d)
    reduction = ex.specialise(reduction, None)
    assert isinstance(reduction, ex.Reduction)
    return taken_apart(kind, reduction.body, Box.parse(domain, d).sides)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(("max", "min")), samples(d=1, n=N, depth=3, inside=True), st.sampled_from(("0,1", "-1,1", "-2,-1")),
       st.integers(0, 99))
def test_values_are_the_same(kind: str, drawn: Sample, domain: str, seed: int) -> None:
    box, rng = Box.parse(domain, 1), np.random.default_rng(seed)
    low, high = (float(end) for end in box.sides[0])
    tokens = np.concatenate([rng.uniform(low, high, (40, N, 1)), rng.choice([low, high, (low + high) / 2], (40, N, 1))])
    with np.errstate(all="ignore"):
        wanted = Target.from_text(f"{kind}({drawn.text})", n=N, box=box).numpy(tokens)
        found = Target.from_text(str(apart(kind, drawn.text, domain)), n=N, box=box).numpy(tokens)
    ok = np.isfinite(wanted)
    assert np.abs(found - wanted)[ok].max(initial=0.0) <= 1e-9 * (1 + np.abs(wanted[ok]).max(initial=0.0))


@pytest.mark.parametrize("text", ["x*y", "x-y", "abs(x-y)", "exp(2*x*y)", "(x-y)**2", "maximum(x*y,mean(y)-y)", "relu(x*(y-1/2))",
                                  "tanh(x+y)/(2+x)", "x[0]*y[1]-x[1]", "-(x-y)**3"])
def test_functions_of_y_alone_are_left(text: str) -> None:
    assert all(other_only(node.body) for node in apart("max", text).walk() if isinstance(node, ex.Reduction))


@pytest.mark.parametrize(("text", "n", "most"), [("max(x*y)", 3, 500), ("max(abs(x-y))", 3, 2000),
                                                 ("max(x[0]*y[1]+x[1])", 30, 5000)])
def test_they_need_no_sorted_tokens(text: str, n: int, most: int) -> None:
    target = Target.from_text(text, n=n, box=Box.parse("0,1", 2 if "[1]" in text else 1))
    decomposition, compiled = compile_target(target, Fraction(1, 100), "sum-decomposition")
    assert compiled.sumformer.n_nonzero <= most
    tokens = np.random.default_rng(0).random((200, n, target.d))
    assert np.abs(compiled.sumformer(tokens) - target.numpy(tokens)).max() <= compiled.bound
    assert not decomposition.every_n
