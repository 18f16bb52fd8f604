"""Damage to the claim and the plan."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from proofs_check.run_files import RunFiles
from tests.proofs_check.damage.registry import damaged, values


def claim(run: RunFiles) -> dict[str, Any]:
    entry = run.certificate["claim"]
    assert isinstance(entry, dict)
    return entry


@damaged("product")
def the_claimed_bound_is_a_billionth_below_the_sum(run: RunFiles) -> None:
    claim(run)["bound"] = str(Fraction(claim(run)["bound"]) * (1 - Fraction(1, 10**9)))


@damaged("declared")
def the_claimed_bound_is_below_the_sum_of_a_declared_run(run: RunFiles) -> None:
    claim(run)["bound"] = str(Fraction(claim(run)["bound"]) * (1 - Fraction(1, 10**9)))


@damaged("product")
def the_claimed_bound_is_0(run: RunFiles) -> None:
    claim(run)["bound"] = "0"


@damaged("product")
def the_claimed_bound_is_negative(run: RunFiles) -> None:
    claim(run)["bound"] = "-1"


def _unreadable(entry: str, value: Any) -> None:
    @damaged("product", f"the {entry} is {value!r}")
    def unreadable(run: RunFiles) -> None:
        (claim(run) if entry == "bound" else run.plan)[entry] = value  # type: ignore[index]


for _entry, _value in itertools.product(("bound", "lipschitz", "value_radius"), ("1/0", "nan", float("inf"), None, [], "many")):
    _unreadable(_entry, _value)


@damaged("product")
def the_lipschitz_constant_is_nine_tenths_of_a_slope_that_occurs(run: RunFiles) -> None:
    run.plan["lipschitz"] = str(Fraction(run.plan["slope_attained"]) * Fraction(9, 10))  # type: ignore[index]


@damaged("f")
def the_lipschitz_constant_of_f_is_nine_tenths_of_a_slope_that_occurs(run: RunFiles) -> None:
    run.plan["lipschitz"] = str(Fraction(run.plan["slope_attained"]) * Fraction(9, 10))  # type: ignore[index]


@damaged("product")
def the_lipschitz_constant_is_negative(run: RunFiles) -> None:
    run.plan["lipschitz"] = "-2"  # type: ignore[index]


@damaged("declared")
def a_declared_lipschitz_constant_is_negative(run: RunFiles) -> None:
    run.plan["lipschitz"] = "-2"  # type: ignore[index]


@damaged("f")
def the_value_radius_is_0(run: RunFiles) -> None:
    run.plan["value_radius"] = "0"  # type: ignore[index]


@damaged("product")
def the_value_radius_is_negative(run: RunFiles) -> None:
    run.plan["value_radius"] = "-1/10"  # type: ignore[index]


@damaged("product")
def the_claim_is_about_a_larger_domain(run: RunFiles) -> None:
    claim(run)["domain"] = [["0", "2"]]


@damaged("product")
def claim_and_plan_are_about_a_larger_domain(run: RunFiles) -> None:
    claim(run)["domain"] = run.plan["domain"] = [["0", "2"]]  # type: ignore[index]


@damaged("sumformer")
def claim_and_plan_are_about_a_domain_larger_by_a_billionth(run: RunFiles) -> None:
    claim(run)["domain"] = run.plan["domain"] = [["0", "1000000001/1000000000"]]  # type: ignore[index]


@damaged("product")
def the_claim_is_about_a_smaller_domain(run: RunFiles) -> None:
    claim(run)["domain"] = [["0", "1/2"]]


@damaged("product")
def the_claim_is_about_two_coordinates(run: RunFiles) -> None:
    claim(run).update(d=2, domain=[["0", "1"], ["0", "1"]])


@damaged("product")
def the_claim_is_about_longer_sequences(run: RunFiles) -> None:
    claim(run)["n"] = 4


def _longer(name: str) -> None:
    @damaged(name)
    def claim_and_plan_and_network_are_about_longer_sequences(run: RunFiles) -> None:
        claim(run)["n"] = run.plan["n"] = run.network["n"] = 4  # type: ignore[index]


for _name in ("product", "sumformer", "f"):
    _longer(_name)


@damaged("product")
def the_claim_has_two_outputs(run: RunFiles) -> None:
    claim(run)["d_out"] = 2


@damaged("product")
def the_claim_is_about_another_expression(run: RunFiles) -> None:
    claim(run)["expression"] = "x*max(y)"


@damaged("product")
def claim_and_plan_are_about_another_expression(run: RunFiles) -> None:
    claim(run)["expression"] = run.plan["expression"] = "x*mean(y) + 1e-9"  # type: ignore[index]


@damaged("product")
def claim_and_plan_are_about_an_expression_outside_the_language(run: RunFiles) -> None:
    claim(run)["expression"] = run.plan["expression"] = "__import__('os').getpid()"  # type: ignore[index]


@damaged("product")
def claim_and_plan_are_about_a_steeper_expression_with_the_same_values_at_the_middles(run: RunFiles) -> None:
    text = "x*mean(y) + sin(10*pi*x - pi/2 + pi/2 - pi)*0 + 0.05*sin(5*pi*(x - 0.1))"
    claim(run)["expression"] = run.plan["expression"] = text  # type: ignore[index]


@damaged("product")
def the_claim_has_another_name(run: RunFiles) -> None:
    claim(run)["target"] = "f"


@damaged("product")
def the_claim_lists_an_architecture_that_is_not_known(run: RunFiles) -> None:
    claim(run)["networks"].append("hopfield")


@damaged("product")
def an_unknown_architecture_is_stored_and_claimed(run: RunFiles) -> None:
    run.network["architectures"]["hopfield"] = run.network["architectures"]["transformer"]
    claim(run)["networks"].append("hopfield")


@damaged("product")
def the_claim_lists_an_architecture_twice(run: RunFiles) -> None:
    claim(run)["networks"].append("linformer")


@damaged("sumformer")
def the_claim_lists_an_architecture_that_is_not_stored(run: RunFiles) -> None:
    claim(run)["networks"].append("transformer")


@damaged("product")
def the_claim_lists_no_network(run: RunFiles) -> None:
    claim(run)["networks"] = []


@damaged("product")
def the_network_is_said_to_run_in_float32(run: RunFiles) -> None:
    run.plan["number_format"] = "float32"  # type: ignore[index]


@damaged("huge integers")
def huge_integers_are_said_to_run_in_float64(run: RunFiles) -> None:
    run.plan["number_format"] = "float64"  # type: ignore[index]


@damaged("product")
def the_architectures_are_said_to_run_in_exact_arithmetic(run: RunFiles) -> None:
    run.plan["number_format"] = "exact"  # type: ignore[index]


@damaged("product")
def the_number_format_is_not_known(run: RunFiles) -> None:
    run.plan["number_format"] = "float16"  # type: ignore[index]


@damaged("product")
def the_plan_has_no_lipschitz_constant(run: RunFiles) -> None:
    del run.plan["lipschitz"]  # type: ignore[attr-defined]


@damaged("product")
def the_network_has_no_nodes(run: RunFiles) -> None:
    run.network["nodes"] = []  # type: ignore[index]


@damaged("product")
def the_nodes_are_a_number(run: RunFiles) -> None:
    run.network["nodes"] = 4  # type: ignore[index]


@damaged("callable")
def a_callable_cannot_be_imported(run: RunFiles) -> None:
    run.plan["expression"] = "no_such_module:f"  # type: ignore[index]


@damaged("callable")
def a_table_value_of_a_callable_is_moved_by_ten_times_the_value_radius(run: RunFiles) -> None:
    values(run, "y.0")[11] += 10 * float(Fraction(run.plan["value_radius"]))
