"""``--method fit`` on the command line: built, proved, proved again, planned, refused."""

from __future__ import annotations

import json
from pathlib import Path

from tests.uat.conftest import Uat

PLANE = ("--target", "max(x[0]*y[1]-x[1]*y[0])", "--n", "2", "--d", "2", "--eps", "1/5")


def test_a_fitted_network_is_built_proved_and_proved_again(uat: Uat, tmp_path: Path) -> None:
    answer = uat("construct", "--target", "f", "--n", "3", "--eps", "1/50", "--method", "fit", "--samples", "3000",
                 "--out", "run", "--json")
    assert answer.code == 0
    made = answer.json
    assert made["method"] == "fit"
    assert made["status"] == "certified"
    assert made["every_n"] is False
    step, = (entry for entry in made["budget"] if entry["step"] == "subdivision")
    assert step["status"] == "certified"
    assert made["sampled_max"] <= float(made["certified_bound"]) <= 0.02
    again = uat("certify", "run", "--json")
    assert again.code == 0
    assert again.json["status"] == "certified"
    directly = uat("certify", "run", "--method", "subdivision", "--seconds", "20", "--json")
    assert directly.json["status"] in ("certified", "undecided")  # the network against f itself, with nothing of the polynomial
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["method"] == "fit"


def test_where_nothing_else_applies_it_is_suggested(uat: Uat) -> None:
    refused = uat("construct", *PLANE, "--max-table", "100")
    assert refused.code == 1
    assert "--method fit" in refused.message
    shown = uat("plan", *PLANE, "--method", "fit")
    assert shown.code == 0
    assert "fit (chosen)" in shown.out
    made = uat("construct", *PLANE, "--method", "fit", "--samples", "1000", "--json")
    assert made.code == 0


def test_it_is_tried_only_where_it_is_asked_for(uat: Uat) -> None:
    assert "fit" not in uat("plan", "--target", "x*mean(y)", "--eps", "1/10").out


def test_a_root_at_the_end_of_the_domain(uat: Uat) -> None:
    """sqrt has no bounded slope at 0, so nothing else applies; its range is known there all the same."""
    made = uat("construct", "--target", "sqrt(x)", "--n", "2", "--eps", "1/4", "--method", "fit", "--samples", "1000", "--json")
    assert made.code == 0
    assert made.json["sampled_max"] <= float(made.json["certified_bound"]) <= 0.25


def test_a_target_that_is_not_smooth_enough_is_refused_with_what_was_reached(uat: Uat) -> None:
    answer = uat("construct", "--target", "abs(x - mean(y))", "--eps", "1e-4", "--method", "fit")
    assert answer.code == 1
    assert "they miss" in answer.message
