"""``certify --method subdivision``: what it prints, how it stops and goes on, and what it refuses."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.proofs_check.test_run_files import edit, rehash
from tests.uat.conftest import Uat

MADE = ("--target", "mean(y*exp(x*y))/mean(exp(x*y))", "--eps", "1e-2", "--samples", "0", "--method", "sum-decomposition",
        "--out", "run")


def test_a_run_is_certified_by_subdivision(uat: Uat) -> None:
    assert uat("construct", *MADE).code == 0
    answer = uat("certify", "run", "--method", "subdivision", "--n", "2", "--json")
    assert answer.code == 0
    found = answer.json
    assert found["status"] == "certified"
    assert found["method"].startswith("subdivision")
    assert float(found["error_at_least"]) <= float(found["certified_bound"]) <= 1e-2
    assert found["n"] == 2
    assert not found["waiting"]
    shown = uat("certify", "run", "--method", "subdivision", "--n", "2")
    assert shown.code == 0
    assert "for T = sumformer" in shown.out
    assert "certainly occurs" in shown.out


@pytest.mark.parametrize("eps", ["x", "1/0", "-1/2", 3, None])
def test_a_plan_without_a_tolerance_is_bad_input(eps: object, uat: Uat, tmp_path: Path) -> None:
    uat("construct", *MADE)
    edit(tmp_path / "run", "plan.json", lambda plan: plan.update(eps=eps))
    rehash(tmp_path / "run")
    answer = uat("certify", "run", "--method", "subdivision", "--n", "2")
    assert answer.code == 2
    assert "expected" in answer.message


def test_a_bound_that_is_too_small_is_refuted_with_a_witness(uat: Uat) -> None:
    uat("construct", *MADE)
    answer = uat("certify", "run", "--method", "subdivision", "--n", "2", "--bound", "1e-5")
    assert answer.code == 1
    assert "refuted" in answer.out
    assert "X = [(" in answer.out


def test_time_runs_out_with_the_best_bound_so_far_and_the_next_run_goes_on(uat: Uat) -> None:
    uat("construct", *MADE)
    asked = ("certify", "run", "--method", "subdivision", "--n", "3", "--checkpoint", "state.npz", "--json")
    first = uat(*asked, "--seconds", "1/1000")
    assert first.code == 1
    assert first.json["status"] == "undecided"
    second = uat(*asked, "--seconds", "1/2")
    assert second.json["boxes"] > first.json["boxes"]
    other = uat(*asked, "--bound", "1/50")
    assert other.code == 2
    assert "about the bound" in other.message


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_reports_what_was_proved_and_keeps_the_state(uat: Uat, tmp_path: Path) -> None:
    uat("construct", *MADE)
    command = [sys.executable, "-m", "uat", "certify", "run", "--method", "subdivision", "--n", "6", "--checkpoint", "state.npz"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:  # not pytest's own
        until = time.monotonic() + 60
        while not (tmp_path / "state.npz").exists() and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 1, err
    assert "undecided" in out
    assert "state.npz" in out
    assert "Traceback" not in err


def test_a_full_disk_ends_the_search_with_the_best_bound_so_far_and_the_earlier_state(
        uat: Uat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uat("construct", *MADE)
    asked = ("certify", "run", "--method", "subdivision", "--n", "6", "--checkpoint", "state.npz")
    assert uat(*asked, "--seconds", "1/1000").code == 1
    before, savez = (tmp_path / "state.npz").read_bytes(), np.savez

    def full(file: IO[bytes], **arrays: object) -> None:
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    shown = uat(*asked)
    assert shown.code == 2
    assert re.search(r"undecided: .*\n.*best bound proved \d", shown.out)
    assert shown.message == ("error: state.npz: the checkpoint cannot be written (No space left on device); the search ended "
                             "with the best bound so far, the file holds an earlier state")
    found = uat(*asked, "--json")
    assert (found.code, found.json["status"]) == (2, "undecided")
    assert "No space left" in found.json["checkpoint_error"]
    assert (tmp_path / "state.npz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "state.npz"]
    monkeypatch.setattr(np, "savez", savez)
    assert uat(*asked, "--seconds", "1/1000", "--json").json["checkpoint_error"] is None


def test_what_is_certified_needs_no_checkpoint_any_more(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    uat("construct", *MADE)
    monkeypatch.setattr(np, "savez", full)
    answer = uat("certify", "run", "--method", "subdivision", "--n", "2", "--bound", "1e30", "--checkpoint", "state.npz")
    assert answer.code == 0, answer.message


@pytest.mark.parametrize(("options", "words"), [
    (("--method", "guess"), ["'guess'", "subdivision"]),
    (("--n", "3"), ["--n 3", "subdivision"]),
    (("--executor", "processes"), ["--executor processes", "subdivision"]),
    (("--device", "cuda"), ["--device cuda", "subdivision"]),
    (("--method", "subdivision", "--device", "tpu"), ["--device 'tpu'", "auto, cpu or cuda"]),
    (("--method", "subdivision", "--device", "cuda", "--executor", "processes"), ["--executor processes", "--device cuda"]),
    (("--method", "subdivision", "--n", "1"), ["--n 1", "n >= 2"]),
    (("--method", "subdivision", "--bound", "0"), ["--bound 0", "> 0"]),
    (("--method", "subdivision", "--bound", "x"), ["--bound", "x"]),
    (("--method", "subdivision", "--seconds", "-1"), ["--seconds -1", "> 0"]),
    (("--method", "subdivision", "--executor", "cloud"), ["'cloud'", "processes"]),
    (("--method", "subdivision", "--checkpoint", "no/where.npz"), ["no/where.npz", "folder"]),
])
def test_bad_options_are_bad_input(options: tuple[str, ...], words: list[str], uat: Uat) -> None:
    uat("construct", *MADE)
    answer = uat("certify", "run", *options)
    assert answer.code == 2
    assert all(word in answer.message for word in words), answer.message


def test_a_step_network_and_too_many_tokens_are_refused(uat: Uat) -> None:
    uat("construct", "--target", "x*mean(y)", "--eps", "1/4", "--samples", "0", "--method", "grid", "--out", "grid")
    uat("construct", *MADE)
    assert "ReLU" in uat("certify", "grid", "--method", "subdivision").err
    refused = uat("certify", "run", "--method", "subdivision", "--n", "100")
    assert refused.code == 1
    assert "dimensions" in refused.message


def test_a_trained_network_is_certified_or_refuted(uat: Uat, tmp_path: Path) -> None:
    """phi(x) = x and psi(x, m) = relu(x + m) - 1/2, exactly x + mean(y) - 1/2."""
    arrays = {"phi.0.weight": [[1.0]], "psi.0.weight": [[1.0, 1.0]], "psi.2.weight": [[1.0]], "psi.2.bias": [-0.5]}
    save_file({name: np.array(value, dtype=np.float32) for name, value in arrays.items()}, tmp_path / "network.safetensors")
    asked = ("certify", "--network", "network.safetensors", "--target", "x + mean(y)", "--n", "2", "--json")
    answer = uat(*asked, "--bound", "0.501")
    assert answer.code == 0
    assert answer.json["status"] == "certified"
    assert any("ReLU between" in text for text in answer.json["assumptions"])
    refuted = uat(*asked, "--bound", "0.499")
    assert refuted.code == 1
    assert refuted.json["status"] == "refuted"
    for options, words in (((), "--bound is missing"), (("--bound", "1", "--pooling", "max"), "'max'"),
                           (("--bound", "1", "--d", "2"), "d = 2")):
        wrong = uat(*asked, *options)
        assert wrong.code == 2
        assert words in wrong.message
