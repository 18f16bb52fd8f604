"""Which quotients are averages with exponential weights: the same function, and None for everything else."""

from __future__ import annotations

from fractions import Fraction

import pytest

from constructions.continuous import compile_target
from constructions.domains import Box
from constructions.errors import Refused
from constructions.pieces.exponential_average import ExponentialAverage
from constructions.sumformers.sum_decomposition import decompose
from constructions.targets.target import Target


def averages(text: str, d: int = 1) -> list[ExponentialAverage]:
    target = Target.from_text(text, n=3, box=Box((Fraction(0),) * d, (Fraction(1),) * d))
    nodes = decompose(target.symbolic, target.box.sides, 3, logarithms=True).nodes
    return [node for node in nodes if isinstance(node, ExponentialAverage)]


@pytest.mark.parametrize(("text", "d", "exponent", "values"), [
    ("sum(exp(4*x*y)*y)/sum(exp(4*x*y))", 1, "((4 * x[0]) * x[1])", "x[0]"),
    ("mean(y**2*exp(-(x-y)**2))/mean(exp(-(x-y)**2))", 1, "(-(x[0] - x[1])**2)", "x[0]**2"),
    ("1-x*mean(exp(x*y)*y)/mean(exp(x*y))", 1, "(x[0] * x[1])", "x[0]"),
    ("sum(exp(x[1]*y[0])*(1-y[0]))/sum(exp(x[1]*y[0]))", 2, "(x[0] * x[1])", "(1 - x[0])"),
    ("sum(exp(2*x)*exp(-abs(x-y))*y)/sum(exp(2*x)*exp(-abs(x-y)))", 1, "((2 * x[0]) + (-abs((x[0] - x[1]))))", "x[0]"),
    ("mean(exp(mean(y)*y)*y)/mean(exp(mean(y)*y))", 1, "(x[0] * x[1])", "x[0]")])
def test_averages_are_found(text: str, d: int, exponent: str, values: str) -> None:
    (node,) = averages(text, d)
    assert (str(node.exponent), str(node.values)) == (exponent, values)


@pytest.mark.parametrize(("text", "d"), [
    ("sum(exp(x[0]*y[0]*y[1])*y[0])/sum(exp(x[0]*y[0]*y[1]))", 2),
    ("sum(exp(x*y)*(y-x))/sum(exp(x*y))", 1), ("sum(exp(x*sin(y))*y)/sum(exp(x*sin(y)))", 1), ("sum(exp(y)*y)/sum(exp(y))", 1),
    ("sum(exp(x*y)*y)/(sum(exp(x*y))+1)", 1), ("sum(relu(x*y)*y)/(sum(relu(x*y))+1)", 1)])
def test_other_quotients_are_none(text: str, d: int) -> None:
    assert averages(text, d) == []


def test_values_may_be_any_function_of_the_token() -> None:
    (node,) = averages("sum(exp(x[0]*y[0])*y[1])/sum(exp(x[0]*y[0]))", 2)
    assert node.w is not None
    assert [q.name for q in node.w.terms] == ["x.1"]
    (node,) = averages("sum(exp(x*y)*sin(y))/sum(exp(x*y))")
    assert node.w is not None
    assert not node.w.of_coordinates


def test_products_are_taken_where_they_do_and_logarithms_where_not() -> None:
    box = Box((Fraction(0),), (Fraction(1),))
    for beta, wide in ((1, False), (32, True)):
        target = Target.from_text(f"sum(exp({beta}*x*y)*y)/sum(exp({beta}*x*y))", n=3, box=box)
        decomposition = compile_target(target, Fraction(1, 10), "sum-decomposition")[0]
        assert any(isinstance(node, ExponentialAverage) for node in decomposition.nodes) is wide
        assert decomposition.every_n


def test_a_refusal_names_both_ways() -> None:
    target = Target.from_text("sum(exp(16*x*y)*y)/sum(exp(16*x*y))", n=3, box=Box((Fraction(0),), (Fraction(1),)))
    with pytest.raises(Refused, match=r"no separation of rank.*histogram of more than 1024 hats"):
        compile_target(target, Fraction(1, 10**6), "sum-decomposition")
