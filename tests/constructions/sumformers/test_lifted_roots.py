"""Roots that reach 0 are lifted as far as half of the tolerance allows, and nothing else is touched."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from constructions.continuous import compile_target
from constructions.domains import Box
from constructions.errors import Refused, Undefined
from constructions.pieces.forms import Form, Quantity
from constructions.pieces.interpolation import interpolate
from constructions.pieces.mean import Rectified
from constructions.pieces.smooth import Smooth
from constructions.sumformers.lifted_roots import Lifted, lifted
from constructions.targets import expression as ex
from constructions.targets.language import parse
from constructions.targets.target import Target


def target(text: str, domain: str = "0,2", d: int = 1, n: int = 3) -> Target:
    return Target.from_text(text, n=n, box=Box.parse(domain, d))


def raised(text: str, tolerance: Fraction = Fraction(1, 100), **where: str) -> Lifted:
    found = lifted(target(text, **where), tolerance)
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["x", "sqrt(1+x)", "sqrt(exp(mean(y)))", "1/(1+x)", "sqrt(maximum(x,1/9))", "sqrt(2)*mean(y)"])
def test_a_target_without_such_roots_is_left_alone(text: str) -> None:
    assert lifted(target(text), Fraction(1, 100)) is None


@pytest.mark.parametrize(("text", "expected"), [
    ("sqrt(x)", "sqrt(maximum(x[0], ({r})))"),
    ("sqrt(1+x)+mean(sqrt(y))", "(sqrt((1 + x[0])) + mean(sqrt(maximum(y[0], ({r})))))"),
    ("x**1.5", "sqrt(maximum(x[0], ({r})))**3")])
def test_only_the_roots_that_reach_zero_are_lifted(text: str, expected: str) -> None:
    found = raised(text)
    assert found.target.text == expected.format(r=found.height)


@pytest.mark.parametrize("text", ["sqrt(x)", "x*sqrt(mean(y))-sqrt(x)", "1/(1+sqrt(x))", "exp(sqrt(mean(y**2)))", "x**1.5",
                                  "x**2.5", "sum(sqrt(y))", "sum(exp(x*y)*sqrt(y))/sum(exp(x*y))",
                                  "maximum(sqrt(x),sqrt(mean(y)))",
                                  "sqrt(sqrt(x))", "log(1+sqrt(x))", "sqrt(mean(y**2)-mean(y)**2)"])
@pytest.mark.parametrize("tolerance", [Fraction(1, 10), Fraction(1, 10**4)])
def test_what_is_missed_is_within_the_tolerance_and_most_of_it_is_used(text: str, tolerance: Fraction) -> None:
    found = raised(text, tolerance)
    assert tolerance / 2 < found.missed <= tolerance
    tokens = 2 * np.random.default_rng(0).random((500, 3, 1))
    tokens[:9] = 0
    tokens[9:20] *= float(found.height)
    gap = np.abs(target(text).numpy(tokens) - found.target.numpy(tokens))
    assert float(np.nanmax(gap)) <= float(found.missed) + 1e-7


def test_sums_make_it_about_one_length() -> None:
    assert not raised("sum(sqrt(y))").every_n
    assert not raised("n*sqrt(x)").every_n
    assert raised("sum(y*sqrt(y))/sum(1+y)").every_n


def test_a_position_is_a_coordinate_like_the_others() -> None:
    positional = Target.from_text("sqrt(i/n)*x", n=3, box=Box.parse("0,1;0,1", 2), positional=True)
    found = lifted(positional, Fraction(1, 100))
    assert found is not None
    assert "x[1]" in found.target.text
    assert not found.target.positional


@pytest.mark.parametrize("text", ["1/(sqrt(x)-1)", "log(sqrt(x))", "1/sqrt(x)"])
def test_where_the_tree_shows_no_bound_it_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not seen to move"):
        lifted(target(text), Fraction(1, 100))


def test_where_lifting_does_not_help_both_reasons_are_given() -> None:
    with pytest.raises(Refused, match=r"could be undefined.*; a root of it reaches 0, .* is not seen to move"):
        compile_target(target("1/(sqrt(x)-1)"), Fraction(1, 100), "sum-decomposition")


def test_a_reason_that_has_nothing_to_do_with_roots_is_given_as_it_is() -> None:
    with pytest.raises(Refused, match="could be undefined") as refused:
        compile_target(target("1/(x-1)"), Fraction(1, 100), "sum-decomposition")
    assert "move" not in str(refused.value)


@pytest.mark.parametrize("text", ["(x*1000)**9999.5", "x**0.001", "(x*1e200)**0.4", "(x/1e200)**1.5"])
def test_extreme_powers_are_lifted_or_refused(text: str) -> None:
    try:
        found = lifted(target(text), Fraction(1, 100))
    except Refused:
        return
    assert found is None or found.missed <= Fraction(1, 100)


def test_a_target_that_is_undefined_is_not_made_defined() -> None:
    with pytest.raises(Undefined, match="sqrt needs an argument >= 0"):
        compile_target(target("sqrt(x-1/2)"), Fraction(1, 100), "sum-decomposition")


@pytest.mark.parametrize(("text", "eps", "most"), [("sqrt(x)", "1/100", 60), ("mean(sqrt(y))", "1/10000", 600),
                                                   ("sqrt(mean(y**2))", "1/100000", 3000), ("abs(x-1)**1.5", "1/1000000", 2000),
                                                   ("sqrt(mean(y))", "1/10000000", 16_000), ("mean(y)**(1/4)", "1/10000", 900),
                                                   ("x**0.3", "1/10000", 700), ("sqrt(mean(sqrt(y)))", "1/100", 200),
                                                   ("sqrt(sqrt(x))", "1/1000", 8000), ("mean(y**0.3)**0.7", "1/1000", 1500)])
def test_it_is_built_within_the_tolerance(text: str, eps: str, most: int) -> None:
    decomposition, compiled = compile_target(target(text), Fraction(eps), "sum-decomposition")
    assert compiled.bound <= Fraction(eps)
    assert decomposition.every_n
    assert "maximum" in decomposition.lifted
    assert [share.id for share in compiled.shares].count("lifted-root") == 1
    assert sum(share.bound for share in compiled.shares) == compiled.bound
    assert compiled.sumformer.n_nonzero <= most


def test_what_rounding_forbids_is_refused_as_that() -> None:
    with pytest.raises(Refused, match="rounding weights and operations alone"):
        compile_target(target("sqrt(mean(y**2))"), Fraction(1, 10**6), "sum-decomposition")


@pytest.mark.parametrize(("r", "tolerance"), [("1/100", 1e-3), ("1/10**9", 1e-4), ("1/10**12", 1e-6)])
def test_a_table_of_a_root_has_about_as_many_pieces_as_it_needs(r: str, tolerance: float) -> None:
    """The integral of sqrt(|g''|/(16 tolerance)) is at most 1/(2 sqrt(tolerance)), up to a few more where it is steepest."""
    g = Smooth(ex.specialise(parse(f"sqrt(x+{r})", 1)[0], 2))
    table = interpolate(g, 0.0, 1.0, tolerance)
    assert -tolerance <= table.lower <= 0 <= table.upper <= tolerance
    assert table.units <= 0.8 / tolerance**0.5 + 12
    ends = np.append(table.knots, 1.0)
    points = np.concatenate([a + (b - a) * np.linspace(0, 1, 33) for a, b in itertools.pairwise(ends)])
    values = np.interp(points, ends, table.base + np.maximum(ends[:, None] - table.knots, 0) @ table.weights)
    assert np.abs(values - g.numpy(points[:, None])).max() <= tolerance


def test_a_positive_part_is_a_multiple_of_one_unit() -> None:
    unit, other = Quantity("relu(x)", arb(0, 1), True, positive_part=True), Quantity("x", arb(0, 1), True)
    assert (Form.of(unit) * Fraction(3)).positive_part
    assert not (Form.of(unit) * Fraction(-1)).positive_part
    assert not (Form.of(unit) + Form(constant=Fraction(-1, 9))).positive_part
    assert not Form.of(other).positive_part
    assert not (Form.of(unit) + Form.of(other)).positive_part


def test_a_base_is_kept_away_from_zero_only_where_it_is_not_built_otherwise() -> None:
    """A table from half of the least value on is longer, but what a network holds of a mean of roots may be below 0."""
    plain, kept = (compile_target(target("sqrt(mean(sqrt(y)))", "0,1"), eps, "sum-decomposition")[0]
                   for eps in (Fraction(1, 100), Fraction(1, 1000)))
    assert plain.others
    assert sum(isinstance(node, Rectified) for node in plain.nodes) == 1
    assert sum(isinstance(node, Rectified) for node in kept.nodes) == 2
    assert compile_target(target("sqrt(mean(y**2))"), Fraction(1, 100), "sum-decomposition")[0].others == {}
