"""A run for every n is searched at a million tokens in the memory of a thousand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from proofs_check import streamed
from tests.uat.conftest import Uat

ROOT = Path(__file__).parents[2]


# The kernel's own figure for this program alone: what a parent had in memory when it forked counts in getrusage, not here.
WATCHED = """
import atexit, runpy, sys
def tell():
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")).split()[1], file=sys.stderr)
atexit.register(tell)
runpy.run_module("uat", run_name="__main__")
"""


def measured(run: Path, n: int) -> tuple[dict[str, Any], int]:
    """Sample in a process of its own; returns its answer and its peak resident memory in KiB."""
    command = [sys.executable, "-c", WATCHED, "sample", str(run), "--n", str(n), "--samples", "30000", "--json"]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=quiet, check=True)
    return json.loads(done.stdout), int(done.stderr.split()[-1])


def test_a_million_tokens_take_the_memory_of_a_thousand(uat: Uat, tmp_path: Path) -> None:
    options = ("--target", "f", "--eps", "1e-2", "--samples", "0", "--architecture", "sumformer")
    assert uat("construct", *options, "--out", "run").code == 0
    (short, little), (long, much) = (measured(tmp_path / "run", n) for n in (1000, 10**6))
    assert much < 1.1 * little
    assert much < 2**20
    assert long["n"] == sum(long["witness_counts"]) == 10**6
    assert short["n"] == sum(short["witness_counts"]) == 1000
    for answer in (short, long):
        assert 0.003 < answer["sampled_max"] <= Fraction(answer["certified_bound_exact"])
        assert not answer["refutes"]
        assert answer["tokens_per_second"] == pytest.approx(answer["sequences_per_second"] * len(answer["witness"]))
        assert 0 < answer["bandwidth_share"] < 1
        assert 0 < answer["streamed"]["error"] < answer["sampled_max"]
        assert answer["streamed"]["tokens_looked_at"] == 64


def test_a_sequence_that_would_take_years_to_read_is_searched_with_multiplicities_alone(uat: Uat) -> None:
    assert uat("construct", "--target", "x*mean(y)", "--eps", "1e-2", "--samples", "0", "--out", "run").code == 0
    answer = uat("sample", "run", "--n", str(2**53), "--samples", "3000", "--json")
    assert answer.code == 0
    assert "streamed" not in answer.json
    assert sum(answer.json["witness_counts"]) == 2**53
    assert 0 < answer.json["sampled_max"] <= Fraction(answer.json["certified_bound_exact"])


def test_the_screen_says_how_often_a_token_occurs(uat: Uat) -> None:
    assert uat("construct", "--target", "x*mean(y)", "--eps", "1e-2", "--samples", "0", "--out", "run").code == 0
    shown = uat("sample", "run", "--n", "100000", "--samples", "3000").out
    assert "sequences of 100000 tokens" in shown
    assert "4 different ones a sequence" in shown
    assert "one sequence of 100,000 different tokens" in shown
    assert " times" in shown
    assert "of the memory bandwidth" in " ".join(shown.split())


def test_an_error_of_the_long_sequence_beyond_the_bound_is_a_doubt_and_no_refutation(
        uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    assert uat("construct", "--target", "x*mean(y)", "--eps", "1e-2", "--samples", "0", "--out", "run").code == 0
    asked = ("--n", "100000", "--samples", "1000")
    monkeypatch.setattr(streamed, "stream", lambda *arguments: streamed.Streamed(0.02, 64, 1e6))
    answer = uat("sample", "run", *asked)
    assert answer.code == 1
    said = "undecided: the error of the long sequence, in float64 and not enclosed, exceeds the bound"
    assert said in " ".join(answer.out.split())
    found = uat("sample", "run", *asked, "--json").json
    assert (found["refutes"], found["doubtful"]) == (False, True)
    built = uat("construct", "--target", "x*mean(y)", "--eps", "1e-2", *asked, "--out", "new", "--json")
    assert built.code == 1
    assert (built.json["status"], built.json["certified_bound"], built.json["run"]) == ("undecided", None, None)
    monkeypatch.setattr(streamed, "stream", lambda *arguments: streamed.Streamed(0.009, 64, 1e6))
    assert uat("sample", "run", *asked).code == 0


def test_more_tokens_than_floats_can_count_are_bad_input(uat: Uat) -> None:
    uat("construct", "--target", "x*mean(y)", "--eps", "1/4", "--samples", "0", "--method", "sum-decomposition", "--out", "run")
    answer = uat("sample", "run", "--n", "9" * 20, "--samples", "10")
    assert answer.code == 2
    assert "--n 9999" in answer.message
