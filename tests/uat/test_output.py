"""Standard output that is full or closed: what is said, what is left, and with which exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from uat.output import OutputLost, guarded, naming

FULL = Path("/dev/full")
CONSTRUCT = ("construct", "--target", "x*mean(y)", "--eps", "1/10", "--samples", "0", "--architecture", "sumformer")


def run(*arguments: str, place: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "uat", *arguments], cwd=place, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=120)


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is full")
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_a_full_output_is_named_and_so_is_the_run_that_was_written(json: tuple[str, ...], tmp_path: Path) -> None:
    with FULL.open("w") as full:
        listed = run("targets", *json, place=tmp_path, stdout=full.fileno())
        built = run(*CONSTRUCT, "--out", "r/full", *json, place=tmp_path, stdout=full.fileno())
    assert (listed.returncode, listed.stderr) == (2, "error: standard output: No space left on device\n")
    assert (built.returncode, built.stderr) == (2, "error: standard output: No space left on device; r/full was written\n")
    assert run("certify", "r/full", place=tmp_path, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("arguments", [("targets",), ("targets", "--json"), (*CONSTRUCT, "--out", "run"),
                                       (*CONSTRUCT, "--out", "run", "--json"), ("check", "product", "--no-cache"), ("--help",)])
def test_an_output_that_nobody_reads_is_no_refusal(arguments: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uat", *arguments]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is written
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")
    assert (tmp_path / "run" / "certificate.json").exists() is ("construct" in arguments)


def test_what_can_be_written_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with guarded(), naming([Path("run")]):
        print("all of it", end="")
    assert sys.stdout is before
    assert capsys.readouterr().out == "all of it"


def test_a_program_without_an_output_does_its_work(tmp_path: Path) -> None:
    command = "import sys, os; os.close(1); sys.stdout = None; from uat.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", command, *CONSTRUCT, "--out", "run"], cwd=tmp_path, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "certificate.json").exists()


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(OSError, match="a disk"), guarded(), naming([Path("run")]):
        raise OSError("a disk")
    with pytest.raises(OutputLost, match=r"standard output: Broken pipe; run was written"), guarded(), naming([Path("run")]):
        raise OutputLost(BrokenPipeError(32, "Broken pipe"))
