"""The command line: keys, exit codes, one message for every mistake, and nothing half-written."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from constructions.targets.library import LIBRARY
from proofs_check.kernel import Refuted, Undecided
from tests.proofs_check.test_run_files import edit, rehash, written
from tests.strategies import fuzz, mutated
from tests.uat.conftest import Uat, run_main
from uat import pipeline

GRID = ("--method", "grid")
SMALL = ("--target", "x*mean(y)", "--eps", "1/4", "--samples", "2000", *GRID)
CONSTRUCT_KEYS = {"target", "expression", "n", "d", "d_out", "domain", "eps", "method", "d_latent", "certified_bound",
                  "certified_bound_exact", "status", "assumptions", "sampled_max", "tightness", "budget", "architectures",
                  "seconds", "run"}
CERTIFY_KEYS = {"certified_bound", "claimed_bound", "status", "method", "assumptions", "seconds"}


def target_squared(tokens: np.ndarray) -> np.ndarray:
    """An equivariant callable."""
    return np.asarray(tokens * tokens)


def first_token(tokens: np.ndarray) -> np.ndarray:
    """A callable that is not equivariant."""
    return np.asarray(np.broadcast_to(tokens[..., :1, :], tokens.shape))


def broken(tokens: np.ndarray) -> NoReturn:
    """A callable that fails."""
    raise RuntimeError("out of order")


# --- the main job ---------------------------------------------------------------------------------------------------------


def test_construct_certify_and_sample_agree_and_print_the_documented_keys(uat: Uat, tmp_path: Path) -> None:
    built = uat("construct", *SMALL, "--out", "new/run", "--json")
    assert (built.code, built.err) == (0, "")
    record = built.json
    assert set(record) >= CONSTRUCT_KEYS
    assert set(record["architectures"]) == {"sumformer", "transformer", "linformer", "performer", "performer-normalised"}
    for row in record["architectures"].values():
        assert set(row) == {"n_parameters", "n_nonzero", "depth", "width", "max_deviation"}
        assert row["max_deviation"] == 0
    assert all({"step", "bound"} <= set(step) for step in record["budget"])
    bound = Fraction(record["certified_bound_exact"])
    assert sum(Fraction(step["bound"]) for step in record["budget"]) == bound <= Fraction(record["eps"])
    assert bound <= Fraction(record["certified_bound"])
    assert record["sampled_max"] <= bound
    assert record["tightness"] == pytest.approx(float(bound) / record["sampled_max"])
    assert record["status"] == "certified"

    certified = uat("certify", record["run"], "--json")
    assert certified.code == 0
    assert set(certified.json) >= CERTIFY_KEYS
    assert certified.json["certified_bound"] == certified.json["claimed_bound"] == record["certified_bound"]

    sampled = uat("sample", record["run"], "--samples", "2000", "--json")
    assert sampled.code == 0
    assert sampled.json["sampled_max"] <= bound
    assert not sampled.json["refutes"]
    assert np.shape(sampled.json["witness"]) == (3, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_screen_says_bound_architectures_sandwich_and_place(uat: Uat) -> None:
    shown = uat("construct", *SMALL, "--out", "run")
    assert shown.code == 0
    for word in ("certified", "||f - T|| <=", "transformer", "linformer", "performer", "tightness", "witness", "written to run"):
        assert word in shown.out
    again = uat("certify", "run")
    assert again.code == 0
    assert "re-proved from run" in again.out
    assert uat("sample", "run", "--samples", "500").code == 0


@pytest.mark.parametrize("options", [
    ("--target", "x[0]*mean(y[1])", "--n", "2", "--d", "2", "--eps", "1/2"),
    ("--target", "moments", "--n", "2", "--eps", "1/4", "--architecture", "linformer,performer", "--linformer-k", "2"),
    ("--target", "max", "--domain", "1/3,2/3", "--eps", "1/20", "--architecture", "sumformer"),
    ("--target", "own-times-mean", "--eps", "1/4", "--code", "packed", "--precision", "float32", "--architecture", "transformer"),
    ("--target", "own-times-mean", "--eps", "1/60", "--n", "2", "--code", "positional", "--architecture", "sumformer"),
], ids=lambda options: " ".join(options))
def test_options_lead_to_a_certificate(options: tuple[str, ...], uat: Uat) -> None:
    built = uat("construct", *options, *GRID, "--samples", "500", "--json", "--out", "run")
    assert built.code == 0, built.err
    assert built.json["sampled_max"] <= Fraction(built.json["certified_bound_exact"]) <= Fraction(built.json["eps"])
    assert uat("certify", "run").code == 0


def test_a_callable_is_certified_on_its_declared_constant(uat: Uat) -> None:
    built = uat("construct", "--target", "tests.uat.test_cli:target_squared", "--lipschitz", "2", "--eps", "1/4", "--samples",
                "500", "--json", "--out", "run")
    assert built.code == 0, built.err
    assert built.json["status"] == "assumed"
    assert any("Lipschitz constant at most 2" in assumption for assumption in built.json["assumptions"])
    assert uat("certify", "run", "--import-callable", "--json").json["status"] == "assumed"
    assert uat("sample", "run", "--import-callable", "--samples", "500").code == 0


@pytest.mark.parametrize("command", ["certify", "sample"])
def test_a_callable_that_a_run_names_is_not_imported_without_the_users_word(command: str, uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), "plan.json", lambda plan: plan.update(callable=True, expression="this_module_raises:f"))
    rehash(tmp_path / "run")
    (tmp_path / "this_module_raises.py").write_text("raise SystemExit('imported')")
    answer = uat(command, "run")
    assert answer.code == 2
    assert "--import-callable" in answer.message
    assert "this_module_raises" not in sys.modules


def test_without_samples_nothing_is_sampled(uat: Uat) -> None:
    built = uat("construct", *SMALL[:4], *GRID, "--samples", "0", "--json", "--out", "run")
    assert built.code == 0
    assert built.json["sampled_max"] is None
    assert built.json["tightness"] is None


def test_a_run_without_a_name_goes_to_runs(uat: Uat, tmp_path: Path) -> None:
    options = (*SMALL[:4], *GRID, "--samples", "0", "--architecture", "sumformer", "--json")
    names = [uat("construct", *options).json["run"] for _ in range(2)]
    assert names == ["runs/x-mean-y-n3-eps1_4", "runs/x-mean-y-n3-eps1_4-2"]
    assert all((tmp_path / name / "certificate.json").is_file() for name in names)


def test_an_eps_with_hundreds_of_digits_does_not_make_an_impossible_folder(uat: Uat) -> None:
    assert uat("construct", "--target", "x*mean(y)", "--eps", f"0.25{'0' * 300}", "--samples", "0", "--architecture",
               "sumformer", *GRID).code == 0


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


def test_targets_lists_the_library(uat: Uat) -> None:
    rows = uat("targets", "--json").json["targets"]
    assert [row["name"] for row in rows] == list(LIBRARY)
    assert len(rows) >= 12
    assert all(set(row) == {"name", "formula", "n", "d", "why"} for row in rows)
    shown = uat("targets")
    assert shown.code == 0
    assert all(name in shown.out for name in LIBRARY)


def test_the_module_runs_as_a_command_and_prints_one_json_object(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "uat", "construct", *SMALL, "--out", str(tmp_path / "run"), "--json"],
                          capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["run"] == str(tmp_path / "run")


# --- continuous constructions ---------------------------------------------------------------------------------------------


def test_a_construction_for_every_length_is_built_once_and_sampled_at_every_length_asked_for(uat: Uat) -> None:
    built = uat("construct", "--target", "x*mean(y)", "--eps", "1e-4", "--n", "2,3,16", "--samples", "2000", "--json")
    assert (built.code, built.err) == (0, "")
    record = built.json
    assert record["every_n"] is True
    assert record["method"] == "sum-decomposition"
    assert record["run"] == "runs/x-mean-y-eps1e-4"
    assert [found["n"] for found in record["samples_by_length"]] == [2, 3, 16]
    bound = Fraction(record["certified_bound_exact"])
    assert sum(Fraction(step["bound"]) for step in record["budget"]) == bound <= Fraction(record["eps"])
    assert all(found["sampled_max"] <= bound for found in record["samples_by_length"])
    assert all(row["max_deviation"] < 1e-12 for row in record["architectures"].values())
    assert uat("certify", record["run"]).code == 0
    longer = uat("sample", record["run"], "--n", "40", "--samples", "500", "--json").json
    assert (longer["n"], longer["refutes"]) == (40, False)
    assert "for every n >= 2" in uat("certify", record["run"]).out


def test_a_construction_for_one_length_is_built_for_each(uat: Uat) -> None:
    built = uat("construct", "--target", "max", "--eps", "1/10", "--n", "2,3", "--samples", "500", "--json", "--out", "run",
                "--architecture", "transformer")
    assert built.code == 0
    assert [(record["n"], record["run"], record["every_n"]) for record in built.json["runs"]] == [
        (2, "run-n2", False), (3, "run-n3", False)]
    refused = uat("sample", "run-n2", "--n", "3")
    assert refused.code == 2
    assert "about n = 2 alone" in refused.message


def test_positions_make_a_target_that_is_not_equivariant_in_the_tokens(uat: Uat) -> None:
    options = ("--target", "mean(y)*i/n", "--eps", "1/50", "--samples", "500", "--json")
    built = uat("construct", *options, "--positional", "--out", "run")
    assert built.code == 0, built.err
    assert built.json["d"] == 2
    assert uat("certify", "run").code == 0
    without = uat("construct", *options)
    assert without.code == 2
    assert "--positional" in without.message


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


@pytest.mark.parametrize(("options", "code", "words"), [
    (("--target", "x*mean(y)", "--eps", "1e-17"), 1, ["below what these weights can certify"]),
    (("--target", "max", "--eps", "1e-4", "--max-latent", "50", "--method", "sum-decomposition"), 1, ["--max-latent 50"]),
    (("--target", "x", "--eps", "1/10", "--n", "2,three"), 2, ["--n 2,three", "whole number"]),
    (("--target", "x", "--eps", "1/10", "--n", "2,1"), 2, ["--n 1", "n >= 2"]),
    (("--target", "x", "--eps", "1/10", "--max-latent", "0"), 2, ["--max-latent 0", "at least 1"])])
def test_what_a_continuous_construction_cannot_do_has_one_message(options: tuple[str, ...], code: int, words: list[str],
                                                                 uat: Uat) -> None:
    answer = uat("construct", *options, "--samples", "0")
    assert answer.code == code
    for word in words:
        assert word in answer.message


# --- bad input ------------------------------------------------------------------------------------------------------------

E = ("--eps", "1/4")
T = ("--target", "x*mean(y)")
BAD = [
    (("--target", "f", "--eps", "0"), ["--eps 0", "> 0"]),
    (("--target", "f", "--eps", "-1e-2"), ["--eps -1e-2", "> 0"]),
    (("--target", "f", "--eps", "nan"), ["'nan'", "finite decimal number"]),
    (("--target", "f", "--eps", "inf"), ["'inf'", "finite decimal number"]),
    (("--target", "f", "--eps", "small"), ["'small'", "finite decimal number"]),
    (("--target", "f", "--eps", "1e-999"), ["'1e-999'", "between"]),
    (("--target", "f", "--eps", "1/0"), ["'1/0'", "fraction"]),
    (("--target", "f", "--eps", ""), ["''", "finite decimal number"]),
    (("--target", "f"), ["--eps"]),
    (E, ["--target"]),
    (("--target", "medain", *E), ["'medain'", "did you mean median"]),
    (("--target", "figure2", *E), ["'figure2'", "figure-2"]),
    (("--target", "", *E), ["expression"]),
    (("--target", "x*", *E), ["x*", "column"]),
    (("--target", "x*mean(y", *E), ["column"]),
    (("--target", "x.real", *E), ["x.real", "column"]),
    (("--target", "__import__('os').getpid()", *E), ["__import__", "column"]),
    (("--target", "eval('1')", *E), ["eval", "column"]),
    (("--target", "x*mean(z)", *E), ["z", "column"]),
    (("--target", "y + x", *E), ["y", "column"]),
    (("--target", "lambda: x", *E), ["column"]),
    (("--target", "order(4)", *E), ["order(4)", "column"]),
    (("--target", "x[1]", *E), ["x[1]", "column"]),
    (("--target", "x[0]", "--d", "0", *E), ["d = 0", ">= 1"]),
    (("--target", "f", "--d", "2", *E), ["d = 2", "'f'"]),
    (("--target", "gravity-2d", "--d", "3", *E), ["d = 3", "gravity-2d"]),
    (("--target", "figure-2", "--n", "4", *E), ["n = 4", "n = 3"]),
    (("--target", "f", "--n", "1", *E), ["--n 1", "n >= 2"]),
    (("--target", "f", "--n", "-3", *E), ["--n -3", "n >= 2"]),
    (("--target", "f", "--n", "three", *E), ["--n three", "whole number"]),
    ((*T, *E, "--domain", "1,0"), ["1,0", "LO < HI"]),
    ((*T, *E, "--domain", "1,1"), ["1,1", "LO < HI"]),
    ((*T, *E, "--domain", "0"), ["'0'", "LO,HI"]),
    ((*T, *E, "--domain", "0,1;0,1"), ["'0,1;0,1'", "LO,HI"]),
    ((*T, *E, "--domain", "0,nan"), ["'nan'", "finite decimal number"]),
    ((*T, *E, "--method", "magic"), ["--method 'magic'", "auto, fit, grid"]),
    ((*T, *E, "--code", "bose"), ["--code 'bose'", "bose-chowla"]),
    ((*T, *E, "--architecture", "transfromer"), ["'transfromer'", "did you mean transformer"]),
    ((*T, *E, "--architecture", ""), ["--architecture ''", "known"]),
    ((*T, *E, "--precision", "float16"), ["--precision 'float16'", "float32"]),
    ((*T, *E, "--linformer-k", "0"), ["k = 0", ">= 1"]),
    ((*T, *E, "--performer-features", "0"), ["features = 0", "at least 1"]),
    ((*T, *E, "--max-table", "0"), ["--max-table 0", "at least 1"]),
    ((*T, *E, "--lipschitz", "-1"), ["--lipschitz -1", ">= 0"]),
    ((*T, *E, "--lipschitz", "steep"), ["'steep'", "finite decimal number"]),
    (("--target", "math:sin", *E), ["math:sin"]),
    (("--target", "tests.uat.test_cli:target_squared", *E), ["target_squared", "--lipschitz"]),
    (("--target", "tests.uat.test_cli:target_square", "--lipschitz", "2", *E), ["target_square'", "target_squared"]),
    (("--target", "tests.uat.test_cli:first_token", "--lipschitz", "1", *E), ["not permutation-equivariant", "permutation ["]),
    (("--target", "tests.uat.test_cli:broken", "--lipschitz", "1", *E), ["RuntimeError: out of order"]),
    (("--target", "no_such_module:f", "--lipschitz", "1", *E), ["cannot import 'no_such_module'"]),
]
REFUSED = [
    (("--target", "log(x)", *E), ["log(x)"]),
    (("--target", "1/(x-1/2)", *E), ["x"]),
    (("--target", "sqrt(x)", *E), ["sqrt(x)"]),
    (("--target", "f", "--eps", "1e-6", *GRID), ["--max-table", "table entries", "fits"]),
    (("--target", "f", *E, *GRID, "--max-table", "10"), ["--max-table 10", "fits"]),
    (("--target", "own-times-mean", "--n", "2", "--eps", "1/60", "--code", "positional"),
     ["positional", "--architecture sumformer"]),
    (("--target", "f", "--n", "999", *E, *GRID), ["999"]),
]


def _name(options: object) -> str:
    return " ".join(options) if isinstance(options, tuple) else ""


@pytest.mark.parametrize(("options", "words"), BAD, ids=_name)
def test_bad_input_is_one_message_with_what_was_given_and_expected(options: tuple[str, ...], words: list[str], uat: Uat,
                                                                  tmp_path: Path) -> None:
    answers = [uat("construct", *options, "--samples", "10", "--out", "run"), uat("plan", *options)]
    for answer in answers:
        assert answer.code == 2
        assert answer.out == ""
        assert "Traceback" not in answer.err
        for word in words:
            assert word in answer.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=_name)
def test_what_the_mathematics_refuses_ends_in_1_with_the_reason(options: tuple[str, ...], words: list[str], uat: Uat,
                                                               tmp_path: Path) -> None:
    answer = uat("construct", *options, "--samples", "10", "--out", "run", "--json")
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("refused: ")
    for word in words:
        assert word in answer.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "words"), [
    (("--samples", "-1"), ["--samples -1", ">= 0"]), (("--samples", "many"), ["--samples", "'many'", "whole number"]),
    (("--device", "tpu"), ["--device 'tpu'", "auto, cpu or cuda"]), (("--seed", "x"), ["--seed", "'x'", "whole number"]),
    (("--nonsense",), ["--nonsense"]), (("extra",), ["extra"]),
    (("--out", "x" * 300), ["--out", "too long"])], ids=_name)
def test_bad_options_of_construct_are_bad_input(options: tuple[str, ...], words: list[str], uat: Uat, tmp_path: Path) -> None:
    answer = uat("construct", *T, *E, *options)
    assert answer.code == 2
    assert all(word in answer.message for word in words), answer.message
    assert not list(tmp_path.iterdir())


def test_no_cuda_is_bad_input_before_anything_is_built(uat: Uat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = uat("construct", *SMALL, "--device", "cuda", "--out", "run")
    assert answer.code == 2
    assert "no CUDA device is available here; use --device cpu or auto" in answer.message
    assert not list(tmp_path.iterdir())


def test_an_existing_out_is_bad_input_and_stays_as_it_is(uat: Uat, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("keep")
    answer = uat("construct", *SMALL, "--out", "run")
    assert answer.code == 2
    assert "exists already" in answer.message
    assert (tmp_path / "run" / "mine").read_text() == "keep"


@pytest.mark.parametrize("command", ["certify", "sample"])
def test_what_is_no_run_directory_is_bad_input(command: str, uat: Uat, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    for place in ("nowhere", "empty", "file", "x" * 300, ""):
        answer = uat(command, place)
        assert answer.code == 2
        assert "not a run directory" in answer.message
    missing = uat(command)
    assert missing.code == 2
    assert "missing argument" in missing.message.lower()


@pytest.mark.parametrize("command", ["certify", "sample"])
@pytest.mark.parametrize("name", ["weights.safetensors", "exact.json", "network.json", "plan.json", "certificate.json"])
def test_a_changed_byte_is_refused_by_name(command: str, name: str, uat: Uat, tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    content = (run / name).read_bytes()
    changed = content.replace(b"mean", b"max ", 1) if b"mean" in content else content + b"\n"
    (run / name).write_bytes(changed)
    answer = uat(command, "run")
    assert answer.code == 1
    assert f"refused: run/{name}: changed since" in answer.message


@pytest.mark.parametrize("command", ["certify", "sample"])
@pytest.mark.parametrize(("name", "change"), [
    ("plan.json", lambda document: []), ("network.json", lambda document: []),
    ("network.json", lambda document: document.update(nodes=None)), ("plan.json", lambda document: document.update(n="many")),
    ("plan.json", lambda document: document.update(domain=[["0", "1/0"]])),
    ("plan.json", lambda document: document.update(domain=[[0, float("inf")]])),
    ("plan.json", lambda document: document.update(expression="x +")),
    ("certificate.json", lambda document: document.update(claim=3)),
    ("certificate.json", lambda document: document["claim"].update(bound=float("inf"))),
    ("network.json", lambda document: document["nodes"][0].update(reads=[["x.0", 1, 2]])),
    ("network.json", lambda document: document["nodes"].append(3)),
    ("network.json", lambda document: document["phi"].update(nodes="two")),
])
def test_a_run_whose_description_makes_no_sense_is_bad_input_even_with_fitting_hashes(
        command: str, name: str, change: Callable[[Any], Any], uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), name, change)
    rehash(tmp_path / "run")
    answer = uat(command, "run")
    assert answer.code == 2, answer
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_a_newer_format_is_bad_input(uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), "certificate.json", lambda document: document.update(format="uat-certificate/2"))
    answer = uat("certify", "run")
    assert answer.code == 2
    assert "a newer uat may have written it" in answer.message


# --- refutation, interruption ---------------------------------------------------------------------------------------------


def damage_table(run: Path, amount: float) -> None:
    """Move one table value and make the hashes fit again."""
    from safetensors.numpy import load_file, save_file

    arrays = load_file(run / "weights.safetensors")
    arrays["nodes.3.values"][40] += amount
    save_file(arrays, run / "weights.safetensors")
    rehash(run)


def test_a_damaged_table_with_fitting_hashes_is_refuted_by_sampling_and_not_certified(uat: Uat, tmp_path: Path) -> None:
    damage_table(written(tmp_path / "run"), 2.0)
    sampled = uat("sample", "run", "--samples", "5000", "--json")
    assert sampled.code == 1
    assert sampled.json["refutes"]
    assert sampled.json["sampled_max"] > Fraction(sampled.json["certified_bound_exact"])
    shown = uat("sample", "run", "--samples", "5000")
    assert shown.code == 1
    assert "refuted" in shown.out
    assert "witness" in shown.out
    certified = uat("certify", "run", "--json")
    assert certified.code == 1
    assert certified.json["certified_bound"] is None
    assert certified.json["status"] == "undecided"


def test_a_construction_that_sampling_contradicts_is_not_written(uat: Uat, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipeline.sample_construction

    def found(*arguments: Any, **options: Any) -> Any:
        return dataclasses.replace(real(*arguments, **options), maximum=7.0, refutes=True)

    monkeypatch.setattr(pipeline, "sample_construction", found)
    answer = uat("construct", *SMALL, "--out", "run", "--json")
    assert answer.code == 1
    assert answer.json["run"] is None
    assert answer.json["certified_bound"] is None
    assert answer.json["status"] == "refuted"
    assert not list(tmp_path.iterdir())
    shown = uat("construct", *SMALL, "--out", "run")
    assert shown.code == 1
    assert "refuted" in shown.out


@pytest.mark.parametrize(("kind", "status"), [(Undecided, "undecided"), (Refuted, "refuted")])
def test_what_is_not_certified_ends_in_1_with_the_reason(kind: type, status: str, uat: Uat, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipeline.certify

    def not_certified(*arguments: Any) -> Any:
        verdict = real(*arguments)
        best = (Fraction(1, 2),) if kind is Undecided else ()
        return kind(verdict.claim, verdict.steps, "for a reason", *best)

    monkeypatch.setattr(pipeline, "certify", not_certified)
    answer = uat("construct", *SMALL, "--out", "run", "--json")
    assert answer.code == 1
    assert (answer.json["status"], answer.json["reason"], answer.json["run"]) == (status, "for a reason", None)
    assert answer.json["certified_bound"] is None
    shown = uat("construct", *SMALL, "--out", "run")
    assert shown.code == 1
    assert "for a reason" in shown.out
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_one_line_and_no_folder(uat: Uat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "sample_construction", interrupted)
    answer = uat("construct", *SMALL, "--out", "run")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.splitlines()[-1] == "interrupted: nothing was written"
    assert not list(tmp_path.iterdir())


# --- laziness and fuzz ----------------------------------------------------------------------------------------------------

HEAVY = ("torch", "scipy", "flint", "sympy", "safetensors")


@pytest.mark.parametrize(("arguments", "code"), [
    (["--help"], 0), (["construct", "--help"], 0), (["construct", "--target", "f", "--eps", "zero"], 2),
    (["construct", "--target", "f", "--eps", "0.1", "--device", "tpu"], 2)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_help_and_simple_mistakes_answer_without_heavy_imports(arguments: list[str], code: int) -> None:
    script = ("import sys; from uat.cli import main\n"
              "try:\n    main()\nexcept SystemExit as leaving:\n    print(leaving.code or 0)\n"
              f"print([name for name in {HEAVY} if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.splitlines()[-1]
    assert done.stdout.splitlines()[-2] == str(code)
    assert "torch" not in loaded
    if "--help" in arguments:
        assert loaded == "[]"


def test_no_arguments_show_the_help(uat: Uat) -> None:
    answer = uat()
    assert answer.code == 2
    assert "construct" in answer.out + answer.err
    assert uat("--help").code == uat("construct", "--help").code == 0
    unknown = uat("constrct")
    assert unknown.code == 2
    assert "constrct" in unknown.message


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
