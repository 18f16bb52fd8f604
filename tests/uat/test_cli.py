"""The command line: help at once, the list of targets, the module as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from constructions.targets.library import LIBRARY
from tests.uat.conftest import SMALL, Uat

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
