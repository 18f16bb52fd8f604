"""The experiments with tiny settings, their records, findings, and what the command answers to mistakes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from constructions.errors import BadInput
from tests.uat.conftest import Uat
from uat import experiments
from uat.experiment import _shown
from uat.experiments import figure_1, figure_2, length, train_versus_construct

pytestmark = pytest.mark.usefixtures("one_torch_thread")
TINY: dict[str, Any] = {
    "figure-1": figure_1.Settings(points=60, seeds=1, epochs=2, samples=300),
    "figure-2": figure_2.Settings((1, 2), (1, 2, 128), points=60, seeds=1, epochs=2, samples=300),
    "train-versus-construct": train_versus_construct.Settings({"own-times-mean": ("1e-2",)}, {"own-times-mean": (0.1,)},
                                                              samples=2000, boxes=2**11),
    "length": length.Settings(4, 6, (4, 6, 40), 60, 2, 400, 1, "own-times-mean")}


@pytest.fixture(scope="module")
def contents() -> dict[str, dict[str, Any]]:
    return {name: experiments.run(name, device="cpu", settings=settings) for name, settings in TINY.items()}


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_a_record_holds_what_was_run_and_a_finding(contents: dict[str, dict[str, Any]], name: str) -> None:
    content = contents[name]
    assert (content["name"], content["seed"], content["device"]) == (name, 0, "cpu")
    assert content["finding"].endswith(".")
    assert content["reduced"]
    json.dumps(content, allow_nan=False)
    module, _ = experiments.settings_of(name, "full")
    assert module.reduced(module.SETTINGS["full"]) == []
    assert all(set(module.COLUMNS) <= set(row) for row in content["rows"])


def test_constructed_and_trained_networks_are_compared_at_equal_time(contents: dict[str, dict[str, Any]]) -> None:
    rows = contents["train-versus-construct"]["rows"]
    constructed, *trained = rows
    assert (constructed["model"], constructed["eps"]) == ("constructed", "1e-2")
    assert constructed["sup_error"] <= constructed["certified"] <= 0.01
    assert constructed["relative_l2"] < 0.05
    equal = [row for row in trained if row["against_eps"] == "1e-2"]
    assert [row["model"] for row in equal] == ["polynomial", "mlp"]
    assert all(constructed["seconds"] <= row["seconds"] < constructed["seconds"] + 0.2 for row in equal)
    assert all(row["steps"] > 0 for row in trained)
    assert len(trained) == 4
    assert "orders of magnitude" in contents["train-versus-construct"]["finding"]


def test_a_trained_network_of_either_kind_is_certified(contents: dict[str, dict[str, Any]]) -> None:
    assert all(row["sup_error"] <= row["certified"] for row in contents["train-versus-construct"]["rows"][1:])


def comparison(sup_error: float) -> list[dict[str, Any]]:
    common = {"target": "f", "seconds": 2.0}
    return [{**common, "model": "constructed", "eps": "1e-4", "against_eps": None, "sup_error": 5e-5, "certified": 1e-4},
            {**common, "model": "mlp", "eps": None, "against_eps": "1e-4", "sup_error": sup_error, "certified": None},
            {**common, "model": "polynomial", "eps": None, "against_eps": "1e-4", "sup_error": 1.0, "certified": None}]


def test_the_finding_says_by_how_much_the_aim_is_missed() -> None:
    assert "at least 2.4 orders of magnitude" in train_versus_construct.finding(comparison(0.03))
    assert "only 1.4 orders of magnitude" in train_versus_construct.finding(comparison(0.003))
    assert "only -0.6 orders of magnitude" in train_versus_construct.finding(comparison(0.00003))


def test_findings_and_tables_round_bounds_up_and_errors_that_were_found_down() -> None:
    rows = comparison(0.02209)
    rows[0]["certified"] = 9.79229e-07
    said = train_versus_construct.finding(rows)
    assert "is off by at most 9.80e-7, the better one trained for as long by at least 0.0220:" in said
    assert _shown(9.79229e-07, "certified") == "9.80e-7"
    assert _shown(0.02209, "sup_error") == "0.0220"


def test_figure_2_names_the_least_latent_dimension_that_is_enough(contents: dict[str, dict[str, Any]]) -> None:
    def rows(errors: dict[int, float]) -> list[dict[str, Any]]:
        return [{"model": model, "d": 3, "d_latent": k, "relative_l2": error, "sup_error": 20.0}
                for model in ("polynomial", "mlp") for k, error in errors.items()]

    assert figure_2.needed(rows({1: 0.4, 2: 0.3, 4: 0.05, 8: 0.04}), "mlp", 3) == 4
    assert figure_2.needed(rows({1: 0.05, 2: 0.05, 4: 0.04, 8: 0.04}), "mlp", 3) == 1
    found = figure_2.finding(rows({1: 0.4, 2: 0.3, 4: 0.05, 8: 0.04}))
    assert "For 1 of 1 values of d that is the first d' >= d" in found
    assert "nothing exponential" in found
    assert "For 0 of 1 values of d" in figure_2.finding(rows({1: 0.4, 2: 0.3, 4: 0.2, 8: 0.04}))
    assert {row["d_latent"] for row in contents["figure-2"]["rows"]} == {1, 2, 128}
    assert all(row["sup_error"] >= 12 for row in contents["figure-2"]["rows"] if row["d_latent"] < row["d"])


def test_figure_1_has_a_curve_for_every_target_and_model(contents: dict[str, dict[str, Any]]) -> None:
    rows = contents["figure-1"]["rows"]
    assert len(rows) == 8
    assert {row["type"] for row in rows} == {"polynomial", "other"}
    assert all(row["d_latent"] == 125 and row["curve"][-1] == [2, row["last_relative_l2"]] for row in rows)


def test_a_constructed_network_keeps_its_bound_at_every_length(contents: dict[str, dict[str, Any]]) -> None:
    rows = contents["length"]["rows"]
    constructed = [row for row in rows if row["model"] == "constructed"]
    assert [row["n"] for row in constructed] == [4, 6, 40]
    assert all(row["largest_error"] <= row["certified"] <= 0.01 for row in constructed)
    assert {row["task"] for row in rows} == {"own-times-mean", "counting", "selective-mean", "list-operations"}
    assert len({row["model"] for row in rows}) == 5


def test_the_command_writes_record_and_rows(uat: Uat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(figure_2.SETTINGS, "small", TINY["figure-2"])
    first = uat("experiment", "figure-2", "--device", "cpu", "--out", "out", "--json")
    assert first.code == 0, first.err
    assert first.json["format"] == "uat-experiment/1"
    assert json.loads((tmp_path / "out" / "experiment.json").read_text()) == first.json
    rows = list(csv.DictReader((tmp_path / "out" / "rows.csv").read_text().splitlines()))
    assert [float(row["sup_error"]) for row in rows] == [row["sup_error"] for row in first.json["rows"]]
    again = uat("experiment", "figure-2", "--device", "cpu", "--out", "out", "--resume")
    assert again.code == 0
    assert "with phi = id, and less is not" in " ".join(again.out.split())


def test_an_interrupted_command_says_how_to_go_on(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(figure_2.SETTINGS, "small", TINY["figure-2"])
    usual, left = figure_2.trained_rows, 2

    def interrupted(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return usual(*arguments)

    monkeypatch.setattr(figure_2, "trained_rows", interrupted)
    stopped = uat("experiment", "figure-2", "--device", "cpu", "--out", "out")
    assert stopped.code == 130
    assert "go on with --resume --out out" in stopped.err
    monkeypatch.setattr(figure_2, "trained_rows", usual)
    assert uat("experiment", "figure-2", "--device", "cpu", "--out", "out", "--resume").code == 0


def test_mistakes_get_one_clear_message(uat: Uat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(figure_2.SETTINGS, "small", TINY["figure-2"])
    (tmp_path / "there").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "experiment-state.json").write_text("{")
    for arguments, message in (
            (("figure-3",), "unknown experiment 'figure-3': did you mean figure-"),
            (("figure-2", "--profile", "large"), "--profile 'large': expected small or full for figure-2"),
            (("figure-2", "--device", "gpu"), "--device 'gpu': expected auto, cpu or cuda"),
            (("figure-2", "--resume"), "--resume: expected --out DIR"),
            (("figure-2", "--resume", "--out", "nowhere"), "there is no experiment to go on with in nowhere"),
            (("figure-2", "--resume", "--out", "damaged"), "cannot be read"),
            (("figure-2", "--out", "there"), "exists already")):
        answer = uat("experiment", *arguments)
        assert answer.code == 2, arguments
        assert message in answer.message, answer.message
        assert "Traceback" not in answer.err
    assert not (tmp_path / "runs").exists()
    assert uat("experiment", "figure-2", "--device", "cpu", "--out", "mine").code == 0
    for arguments, message in (
            (("figure-1",), "mine holds an experiment with name 'figure-2', not 'figure-1'"),
            (("figure-2", "--seed", "1"), "seed 0, not 1"),
            (("figure-2", "--profile", "full"), "profile 'small', not 'full'")):
        answer = uat("experiment", *arguments, "--device", "cpu", "--resume", "--out", "mine")
        assert answer.code == 2
        assert message in answer.message, answer.message
    (tmp_path / "mine" / "mlp-d1-from1.json").write_text("[]")
    answer = uat("experiment", "figure-2", "--device", "cpu", "--resume", "--out", "mine")
    assert answer.code == 2
    assert "mlp-d1-from1.json: cannot be read as finished rows" in answer.message


def test_cuda_is_refused_where_there_is_none(uat: Uat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = uat("experiment", "figure-2", "--device", "cuda")
    assert answer.code == 2
    assert "no CUDA device is available" in answer.message
    assert not (tmp_path / "runs").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_same_code_runs_on_a_gpu(contents: dict[str, dict[str, Any]], name: str) -> None:
    content = experiments.run(name, device="cuda", settings=TINY[name])
    assert content["device"] == "cuda"
    assert len(content["rows"]) == len(contents[name]["rows"])


def test_other_settings_are_not_resumed(tmp_path: Path) -> None:
    experiments.run("figure-2", device="cpu", out=tmp_path / "a", settings=TINY["figure-2"])
    with pytest.raises(BadInput, match="other settings"):
        experiments.run("figure-2", device="cpu", out=tmp_path / "a", resume=True, settings=figure_2.Settings((1,)))
    with pytest.raises(BadInput, match="holds an experiment already"):
        experiments.run("figure-2", device="cpu", out=tmp_path / "a", settings=TINY["figure-2"])
