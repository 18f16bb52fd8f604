"""Which decomposition of a target is built: the smaller one, and no other where a prediction says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.continuous import compile_target, sum_decomposition
from constructions.domains import Box
from constructions.errors import Refused
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.pieces.interpolated_kernel import BentKernel
from constructions.sumformers import alternatives
from constructions.sumformers.alternatives import MAKES, predicted, smallest_built
from constructions.sumformers.compiler import compile_decomposition
from constructions.sumformers.error_budget import Compiled
from constructions.sumformers.sum_decomposition import Decomposition, decompose
from constructions.targets.target import Target


def attention(exponent: str, values: str = "y", d: int = 1) -> Target:
    text = f"sum(exp({exponent})*({values}))/sum(exp({exponent}))"
    return Target.from_text(text, n=3, box=Box((Fraction(0),) * d, (Fraction(1),) * d))


def in_logarithms(decomposition: Decomposition) -> bool:
    return any(isinstance(node, ExponentialAverage) for node in decomposition.nodes)


@pytest.mark.parametrize(("target", "eps", "logarithms"), [
    (attention("-abs(x-y)"), "1/10", True), (attention("-abs(x-y)/2"), "1/10", False), (attention("2*x*y"), "1/10", False),
    (attention("x*y-maximum(x,y)"), "1/10", True), (attention("x*y-maximum(x,y)"), "1/20", False),
    (attention("-abs(x[0]-y[0])", "y[1]", 2), "1/10", True), (attention("8*x*y"), "1/10", True),
    (attention("8*x*y"), "1/20", False), pytest.param(attention("-abs(x-y)"), "1/50", False, marks=pytest.mark.slow),
    pytest.param(attention("-abs(x-y)", "exp(y)"), "1/10", False, marks=pytest.mark.slow)])
def test_of_products_lines_and_logarithms_the_smallest_is_built(target: Target, eps: str, logarithms: bool) -> None:
    chosen, found = compile_target(target, Fraction(eps), "sum-decomposition")
    assert in_logarithms(chosen) is logarithms
    first = sum_decomposition(target, Fraction(eps))
    with np.errstate(all="ignore"):
        other = compile_decomposition(first if logarithms else first.others["logarithms"](), float(Fraction(eps)))
    assert found.sumformer.n_nonzero <= other.sumformer.n_nonzero


@pytest.mark.parametrize("exponent", ["-4*abs(x-y)", "-3*relu(x-y)", "4*x*y-9*maximum(x,y)"])
def test_lines_that_cannot_be_smaller_are_never_begun(exponent: str) -> None:
    """Some of these would take a minute, to be refused."""
    begun: list[Decomposition] = []

    def built(decomposition: Decomposition) -> Compiled:
        begun.append(decomposition)
        return compile_decomposition(decomposition, 0.1)

    chosen, _ = smallest_built(sum_decomposition(attention(exponent), Fraction(1, 10)), 0.1, built)
    assert begun == [chosen]
    assert in_logarithms(chosen)


@pytest.mark.parametrize("target", [
    attention("-abs(x-y)"), attention("-9*abs(x-y)"), attention("x*y-maximum(x,y)"), attention("9*x*y"),
    attention("-9*(x-y)**2"), attention("-abs(x[0]-y[0])", "y[1]", 2)])
@pytest.mark.parametrize("eps", [0.1, 0.03])
def test_averages_in_logarithms_take_about_the_parameters_predicted(target: Target, eps: float) -> None:
    found = sum_decomposition(target, Fraction(eps)).others["logarithms"]()
    size = compile_decomposition(found, eps).sumformer.n_nonzero
    assert predicted(found, eps) == pytest.approx(size, rel=0.35)


@pytest.mark.parametrize("exponent", ["-abs(x-y)/2", "-abs(x-y)", "x*y-maximum(x,y)"])
def test_and_quotients_between_lines_do(exponent: str) -> None:
    found = sum_decomposition(attention(exponent), Fraction(1, 10))
    assert any(isinstance(node, BentKernel) for node in found.nodes)
    assert predicted(found, 0.1) == pytest.approx(compile_decomposition(found, 0.1).sumformer.n_nonzero, rel=0.35)


def test_a_prediction_that_is_refused_is_of_infinite_size() -> None:
    target = attention("-1000*(x-y)**2")
    found = decompose(target.symbolic, target.box.sides, 3, logarithms=True)
    assert predicted(found, 0.1) == math.inf


@dataclass(frozen=True)
class Way:
    """What one way is predicted to be and turns out to be, None where it is refused."""

    predicted: float
    size: int | None


def chosen(ways: Mapping[str, Way], monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Return which of these is taken, or the refusal, and which were built, in order."""
    plain = Decomposition((), (), (), True, density="plain")

    def other(way: str) -> Callable[[], Decomposition]:
        return lambda: replace(plain, nodes=(cast("Any", MAKES[way].__new__(MAKES[way])),))

    def named(decomposition: Decomposition) -> str:
        return next((way for way, kind in MAKES.items() if any(isinstance(node, kind) for node in decomposition.nodes)), "plain")

    built: list[str] = []

    def build(decomposition: Decomposition) -> Compiled:
        built.append(named(decomposition))
        size = ways[built[-1]].size
        if size is None:
            raise Refused(f"{built[-1]} is refused")
        return cast("Compiled", SimpleNamespace(sumformer=SimpleNamespace(n_nonzero=size)))

    monkeypatch.setattr(alternatives, "predicted", lambda decomposition, _: ways[named(decomposition)].predicted)
    first = replace(plain, others={way: other(way) for way in ways if way != "plain"})
    try:
        return named(smallest_built(first, 0.1, build)[0]), built
    except Refused as refused:
        return str(refused), built


sizes = st.none() | st.integers(1, 5)


@given(sizes, st.integers(0, 5), st.none() | st.builds(Way, st.integers(0, 5), sizes),
       st.dictionaries(st.sampled_from(["guarded", "straight"]), st.builds(Way, st.just(0), sizes)))
def test_something_is_built_unless_all_is_refused_and_never_the_larger_of_two(
        size: int | None, first: int, logarithms: Way | None, rest: dict[str, Way]) -> None:
    ways = {"plain": Way(first, size), **({"logarithms": logarithms} if logarithms else {}), **rest}
    with pytest.MonkeyPatch.context() as monkeypatch:
        taken, built = chosen(ways, monkeypatch)
    compared = [way for way in ("plain", "logarithms") if way in ways]
    if all(way.size is None for way in ways.values()):
        assert taken == "; ".join(f"{way} is refused" for way in built)
        assert sorted(built) == sorted(ways)
    elif taken in compared:
        known = [ways[way].size or math.inf for way in built]
        assert ways[taken].size == min(known)
        assert set(built) <= set(compared)
        assert all(ways[way].predicted >= min(known) for way in compared if way not in built)
    else:
        assert all(ways[way].size is None for way in compared)
