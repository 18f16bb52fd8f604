"""uat plan: what construct would build, every construction, and an answer to any text."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from constructions.construct import plan
from constructions.domains import Box
from constructions.errors import Refused
from constructions.planner import entries_at_least
from constructions.targets import definedness
from constructions.targets.library import LIBRARY, resolve
from constructions.targets.target import Target
from tests.strategies import fuzz, mutated
from tests.uat.conftest import GRID, Uat, run_main
from uat import pipeline


@pytest.mark.parametrize("options", [("--target", "f", "--eps", "1/10"), ("--target", "plane-like", "--eps", "1", "--n", "2"),
                                     ("--target", "own-times-mean", "--eps", "1/5", "--n", "4", "--code", "packed")])
def test_what_plan_predicts_is_what_construct_builds(options: tuple[str, ...], uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    options = tuple("(x[0]*mean(y[1]), x[1])" if word == "plane-like" else word for word in options)
    options += (*GRID, *(("--d", "2") if "x[0]" in options[1] else ()))
    outcomes: list[pipeline.Outcome] = []
    run = pipeline.run
    monkeypatch.setattr(pipeline, "run", lambda *a, **k: outcomes.append(run(*a, **k)) or outcomes[-1])
    planned = uat("plan", *options, "--json").json
    assert uat("construct", *options, "--samples", "0", "--json", "--out", "run").code == 0
    (built,) = outcomes
    table = built.construction.sumformer.psi.nodes[-1].table
    codes = built.construction.sumformer.phi.nodes[-1].table
    assert planned["table_entries"] == len(table.values) == planned["cells"] * planned["multisets"]
    assert planned["cells"] == len(codes.values)
    assert planned["table_bytes"] == table.values.nbytes
    assert planned["d_latent"] == built.construction.sumformer.d_latent
    assert planned["d_out"] == table.width
    assert planned["bits"] >= planned["information_bits"]


def test_plan_compares_the_codes_for_people(uat: Uat) -> None:
    shown = uat("plan", "--target", "f", "--eps", "1/10", *GRID)
    assert shown.code == 0
    for word in ("table entries", "positional", "bose-chowla", "packed", "information bound", "(chosen)"):
        assert word in shown.out


def test_plan_lists_every_construction_and_why_others_do_not_apply(uat: Uat) -> None:
    planned = uat("plan", "--target", "f", "--eps", "1e-2", "--json").json
    assert planned["method"] == "sum-decomposition"
    rows = {row["method"]: row for row in planned["constructions"]}
    assert set(rows) == {"grid", "sum-decomposition", "power-sums", "order-statistics"}
    assert rows["sum-decomposition"]["every_n"] is True
    assert rows["grid"]["at_least"] is True
    assert "not a polynomial" in rows["power-sums"]["reason"]
    shown = uat("plan", "--target", "f", "--eps", "1e-2")
    assert "sum-decomposition (chosen)" in shown.out
    assert uat("plan", "--target", "log(x)", "--eps", "1e-2").code == 1


def test_several_lengths_are_planned_one_by_one(uat: Uat) -> None:
    asked = ("plan", "--target", "max", "--eps", "1e-1")
    shown = uat(*asked, "--n", "3,5")
    assert shown.code == 0
    assert re.findall(r"n = (\d), eps", shown.out) == ["3", "5"]
    plans = uat(*asked, "--n", "3,5", "--json").json["plans"]
    assert plans == [uat(*asked, "--n", n, "--json").json for n in ("3", "5")]
    assert plans[0]["constructions"] != plans[1]["constructions"]


def test_a_grid_is_planned_for_each_length_and_one_that_is_too_large_hides_no_other(uat: Uat) -> None:
    asked = ("plan", "--target", "f", "--eps", "1/10", "--max-table", "3000", *GRID)
    shown = uat(*asked, "--n", "2,64,3")
    assert shown.code == 1
    assert re.findall(r"n = (\d), eps", shown.out) == ["2", "3"]
    assert "n = 64: refused: " in shown.out
    plans = uat(*asked, "--n", "2,64,3", "--json").json["plans"]
    assert [(one["n"], one["method"]) for one in plans] == [(2, "grid"), (64, None), (3, "grid")]
    assert plans[0]["table_entries"] < plans[2]["table_entries"]
    assert "--max-table" in plans[1]["reason"]
    alone = uat(*asked, "--n", "64")
    assert (alone.code, alone.out) == (1, "")


_NUMBERS = st.one_of(st.text(max_size=12), st.sampled_from([
    "1/4", "0.5", "1e-1", "-1", "0", "nan", "1e999", "1_0", " 1 ", "1e3", "٣", "1e-301", "9" * 401, "0x1", "1/3/4"]))
_DOMAINS = st.one_of(st.just("0,1"), st.text(max_size=12), st.tuples(_NUMBERS, _NUMBERS).map(",".join), st.just("-1,2;0,1"))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(target=st.one_of(fuzz(), mutated(), st.sampled_from(sorted(LIBRARY)), st.just("x*mean(y)")), eps=_NUMBERS, domain=_DOMAINS)
@example(target="f", eps="1/4", domain="0,1")
@example(target="x*mean(y)", eps="1e-300", domain="0,1")
@example(target="exp(exp(x))", eps="1", domain="0,1e3")
@example(target="x**200", eps="1/4", domain="-1e3,1e3")
@example(target="x", eps="1/4", domain="1e299,1e300")
@example(target="1e-200*x*1e-200", eps="1e-300", domain="0,1")
def test_no_text_is_ever_answered_with_a_traceback(target: str, eps: str, domain: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        arguments = ["plan", f"--target={target}", f"--eps={eps}", f"--domain={domain}", "--max-table=1000", "--method=grid",
                     "--json"]
        assert run_main(patch, arguments) in (0, 1, 2)


def test_a_domain_near_the_largest_float_is_refused_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, ["plan", "--target=x*mean(y)", "--eps=1e300", "--domain=-1e300,1e300"]) == 1


@pytest.mark.parametrize("n", [5_000, 10**8])
@pytest.mark.parametrize("target", ["f", "x*mean(y)", "mean(x*y*y)"])
def test_constructions_are_compared_for_sequences_of_any_length(uat: Uat, target: str, n: int) -> None:
    planned = uat("plan", "--target", target, "--eps", "1e-2", "--n", str(n), "--json")
    assert planned.code == 0
    assert planned.json["method"] in ("sum-decomposition", "power-sums")


@pytest.mark.parametrize(("target", "n"), [("order(3)", 100), ("order(1)*mean(y)", 5_000)])
def test_so_are_those_of_targets_that_look_at_the_order(uat: Uat, target: str, n: int) -> None:
    assert uat("plan", "--target", target, "--eps", "1e-1", "--n", str(n)).code == 0


@pytest.mark.parametrize("n", [2, 3])
def test_the_table_of_the_grid_is_no_smaller_than_a_slope_says(n: int) -> None:
    target = resolve("f", n=n, d=None, domain="0,1")
    assert isinstance(target, Target)
    for eps in (Fraction(1, 3), Fraction(1, 10)):
        assert 1 < entries_at_least(target, eps) <= plan(target, eps, [], max_table=10**12).table_entries


def test_a_table_too_large_for_a_float_is_shown_all_the_same(uat: Uat) -> None:
    answer = uat("plan", "--target", "x[0]*mean(y[1])", "--d", "60", "--eps", "1e-3")
    assert answer.code == 0, answer.err
    assert re.search(r"its table has at least \d\.\d\de\d{3}", " ".join(answer.out.split()))


def test_a_bernstein_polynomial_is_not_built_only_to_be_compared(uat: Uat) -> None:
    answer = uat("plan", "--target", "0.5*mean(sin(x*y))", "--eps", "0.5", "--n", "3")
    assert answer.code == 0
    assert "--method power-sums goes through its Bernstein polynomial of degree 3 or more" in " ".join(answer.out.split())


def test_a_root_that_reaches_zero_is_lifted_and_one_that_goes_below_is_refused(uat: Uat) -> None:
    def asked(text: str, method: str = "sum-decomposition") -> tuple[str, ...]:
        return "plan", "--target", text, "--domain=-1,1", "--eps", "1e-2", "--method", method

    planned = " ".join(uat(*asked("sqrt(mean(y**2))")).out.split())
    assert "chosen" in planned
    assert "with lifted roots: sqrt(maximum(mean(y[0]**2), (1/" in planned
    refused = uat(*asked("sqrt(mean(y))", "grid"))
    assert refused.code == 1
    assert "undefined at X" in refused.message
    tabulated = uat(*asked("sqrt(mean(y**2))", "grid"))
    assert "roots lifted sqrt(maximum(mean(y[0]**2), (1/" in " ".join(tabulated.out.split())
    refused = uat(*asked("exp(1000*sqrt(abs(x)))", "grid"))
    assert refused.code == 1
    assert "maximum(u, r)**c" in " ".join(refused.message.split())
    reciprocal = uat(*asked("1/mean(y**2)"))
    assert reciprocal.code == 1
    assert "sqrt" not in reciprocal.out + reciprocal.message


def test_a_hopeless_grid_is_refused_without_a_proof_of_how_steep_f_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def proved(*_: object, **__: object) -> None:
        raise AssertionError("it takes minutes for 64 tokens")

    monkeypatch.setattr("constructions.construct.derived", proved)
    target = Target.from_text("mean(abs(x-y))", n=64, box=Box.parse("0,1", 1))
    with pytest.raises(Refused, match=r"needs at least 2\.14e\+15 table entries for n = 64, .*; nothing below eps = 0\.\d+ fits"):
        plan(target, Fraction(1, 20), [])


def test_where_a_root_reaches_zero_a_grid_is_planned_without_cutting_boxes_for_ever() -> None:
    """Balls around 0 reach below it, so that no part of any box there shows the root to be defined: a few hundred are enough."""
    seen = 0

    class Counted(definedness.Walker):
        def __init__(self, *arguments: Any) -> None:
            nonlocal seen
            seen += 1
            super().__init__(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definedness, "Walker", Counted)
        planned = plan(Target.from_text("sqrt(mean(y**2))", n=3, box=Box.parse("0,1", 1)), Fraction(1, 2), [])
    assert planned.lifted is not None
    assert seen < 2000
