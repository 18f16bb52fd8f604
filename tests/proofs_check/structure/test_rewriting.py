"""Random rewritings, right ones, right ones for some arguments, and wrong ones: what algebra calls the same is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.structure.identity import Algebra

Pair = tuple[str, str]
ANYWHERE = [
    ("({a})*(({b})+({c}))", "({a})*({b})+({a})*({c})"), ("sin(({a})+({b}))", "sin({a})*cos({b})+cos({a})*sin({b})"),
    ("cos(2*({a}))", "1-sin({a})**2"), ("sin(3*({a}))", "3*sin({a})-4*sin({a})**3"), ("sin({a})", "sin(({a})+pi)"),
    ("abs({a})", "relu({a})+relu(-({a}))"), ("abs({a})", "{a}"), ("abs({a})", "-({a})"), ("relu({a})", "{a}"),
    ("relu({a})", "0*({a})"), ("maximum({a},{b})", "{a}"), ("minimum({a},{b})", "{b}"), ("sqrt(({a})**2)", "{a}"),
    ("(({a})**2)**1.5", "({a})**3"), ("sqrt(({a})**2)", "abs({a})"), ("exp(({a})+({b}))", "exp({a})*exp({b})"),
    ("exp({a})**2", "exp(2*({a}))"), ("tanh(-({a}))", "-tanh({a})"), ("sigmoid(-({a}))", "sigmoid({a})"),
    ("log(exp({a}))", "{a}"), ("max(y)", "order(1)"), ("min(y)", "order(n)"), ("min(y)", "order(2)"), ("sum({a})/n", "mean({a})"),
]
OVER_TOKENS = [("mean(({a})*x)", "x*mean({a})"), ("mean({a})", "mean(mean({a}))"), ("max({a})", "min({a})"), ("mean({a})", "{a}"),
               ("max(-({a}))", "-min({a})"), ("sum(({a})**2)", "sum({a})**2"), ("max({a})", "max(({a})*1)")]
AROUND = ["({a})+({b})", "({a})*({b})", "({a})/(2+({b})**2)", "mean(({a})*y)", "max({a})", "sin({a})", "exp({a})", "({a})**2"]


@st.composite
def pairs(draw: st.DrawFn, depth: int, *, inside: bool = False, rule: Pair | None = None) -> Pair:
    """Draw two texts, the same up to rewritings, the first of which may be given."""
    if not depth:
        leaf = draw(st.sampled_from(["x", "y" if inside else "x", "x", "1/2", "n", "sqrt(2)"]))
        return leaf, leaf
    same = [(text, text) for text in AROUND]
    left, right = rule or draw(st.sampled_from([*ANYWHERE, *OVER_TOKENS, *same, *same]))
    reduced = any(word in left for word in ("mean(", "sum(", "max(", "min("))
    inner = {name: draw(pairs(depth - 1, inside=inside or reduced)) for name in "abc" if f"{{{name}}}" in left + right}
    return left.format(**{name: a for name, (a, _) in inner.items()}), right.format(**{name: b for name, (_, b) in inner.items()})


@pytest.mark.parametrize("rule", [*ANYWHERE, *OVER_TOKENS])
@settings(max_examples=6, deadline=None)
@given(st.data(), st.sampled_from([2, 3]), st.booleans(), st.integers(0, 10**6))
def test_what_is_called_the_same_has_the_same_values(rule: Pair, data: st.DataObject, n: int, every_n: bool, seed: int) -> None:
    texts = data.draw(pairs(data.draw(st.integers(1, 3)), rule=rule))
    for domain in ("-1,1", "1/3,2", "-2,-1"):
        box, rng = Box.parse(domain, 1), np.random.default_rng(seed)
        try:
            trees = [Target.from_text(text, n=n, box=box) for text in texts]
        except ValueError:  # y outside of a reduction, where one was taken away
            return
        whole = [target.symbolic[0] if every_n else target.outputs[0] for target in trees]
        if Algebra(None if every_n else n, 1, box.sides).same(*whole):
            for length in (2, 3, 5) if every_n else (n,):
                low, high = (float(end) for end in box.sides[0])
                tokens = np.concatenate([rng.uniform(low, high, (40, length, 1)), rng.choice([low, high], (20, length, 1))])
                u, v = (Target.from_text(text, n=length, box=box).numpy(tokens) for text in texts)
                known = np.isfinite(u) & np.isfinite(v)
                assert (np.abs(u[known] - v[known]) <= 1e-7 * (1 + np.abs(u[known]))).all(), domain
