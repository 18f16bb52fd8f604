"""Bodies taken apart as w(y) K(u, v(y)): the same function, and None where there is no such form."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from constructions.domains import Box
from constructions.errors import Refused
from constructions.pieces.forms import Form
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.sumformers.sum_decomposition import decompose
from constructions.targets import expression as ex
from constructions.targets.evaluation import evaluate, numpy_algebra
from constructions.targets.target import Target


def bent(text: str, d: int) -> list[BentKernel]:
    target = Target.from_text(text, n=3, box=Box((Fraction(0),) * d, (Fraction(1),) * d))
    nodes = decompose(target.symbolic, target.box.sides, 3).nodes
    return [node for node in nodes if isinstance(node, BentKernel)]


def at(form: Form | None, tokens: np.ndarray) -> np.ndarray:
    """Evaluate a form of coordinates and their means for each token of (n, d)."""
    if form is None:
        return np.ones(len(tokens))
    named = {f"x.{c}": tokens[:, c] for c in range(tokens.shape[1])}
    named |= {f"mean({name})": np.full(len(tokens), values.mean()) for name, values in named.items()}
    return sum((float(c) * named[q.name] for q, c in form.terms.items()), np.full(len(tokens), float(form.constant)))


@pytest.mark.parametrize(("text", "d", "weighted"), [
    ("abs(x-y)", 1, False), ("abs(x-y)*y**2", 1, False), ("abs(x[0]-y[0])*y[1]", 2, True), ("y[1]*abs(x[0]-y[0])/2", 2, True),
    ("abs(x[0]+x[1]-2*y[0]-y[1]+1/3)*(y[1]-y[0])", 2, True), ("relu(2*(x[0]-y[1])+(y[0]-x[1])/3)", 2, False),
    ("abs(mean(y[0])-y[0])*y[1]", 2, True),
    ("maximum(x[0],y[0]+y[1])", 2, False), ("-abs(x[0]-y[0]-y[2])*(1-y[1])", 3, True), ("abs(x[0]-y[1])*y[1]**2", 2, False),
    ("abs(mean(y[1])*2+x[0]-y[0])*exp(y[0])", 2, False), ("abs(x[0]-y[0]-y[1])*(2*y[0]+2*y[1]+1)", 2, False)])
def test_the_parts_make_up_the_body(text: str, d: int, weighted: bool) -> None:
    (node,) = bent(f"mean({text})", d)
    assert (node.w is not None) == weighted
    tokens = np.random.default_rng(0).random((3, d))
    u, v, w = at(node.u, tokens), at(node.v, tokens), at(node.w, tokens)
    pairs = np.stack(np.broadcast_arrays(u[:, None], v[None, :]), axis=-1)
    K = np.asarray(evaluate([node.K], pairs.reshape(-1, 1, 2), numpy_algebra())).reshape(3, 3)
    wanted = Target.from_text(f"mean({text})", n=3, box=Box((Fraction(0),) * d, (Fraction(1),) * d)).numpy(tokens[None])[0, :, 0]
    found = (w * K).mean(axis=1)
    scale = wanted / found  # a number may stand outside the mean
    assert np.allclose(scale, scale[0])


@pytest.mark.parametrize("text", ["abs(x[0]*y[0]-x[1]*y[1])", "abs(x[0]-y[0])*abs(x[1]-y[1])", "abs(x[0]-y[0])*exp(x[1]*y[1])"])
def test_two_arguments_are_not_one(text: str) -> None:
    with pytest.raises(Refused, match="more than one argument"):
        bent(f"mean({text})", 2)


def test_reductions_inside_do_not_count() -> None:
    """mean(y[1]) is no coordinate of y, and a kink in it none of the kernel."""
    (node,) = bent("mean(abs(x[0]*mean(abs(y[1]-1/2))-y[0])*y[0])", 2)
    assert node.w is None
    assert not bent("mean(exp(x[0]*y[0]*mean(abs(y[1]-1/2))))", 2)
    assert isinstance(node.K, ex.Binary)
