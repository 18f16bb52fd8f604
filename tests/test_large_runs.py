"""Large tables stay correct and within memory (minutes, run with `make slow`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("eps", "n"), [("0.0026", "3"), ("3e-4", "2"), ("2.5e-2", "4")])
def test_a_table_of_millions_of_entries_is_certified_within_memory(eps: str, n: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uat", "construct", "--target", "f", "--eps", eps, "--n", n, "--out", "run", "--json"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    record = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    assert process.returncode == 0
    assert record["status"] == "certified"
    assert record["sampled_max"] <= float(record["certified_bound"]) <= float(eps)
    assert usage.ru_maxrss < 8 * 2**20
    certified = subprocess.run([sys.executable, "-m", "uat", "certify", "run", "--json"], cwd=tmp_path, check=True,
                               capture_output=True, text=True)
    assert json.loads(certified.stdout)["certified_bound_exact"] == record["certified_bound_exact"]
