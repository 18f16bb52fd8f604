"""The README's console blocks show what its commands print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```console\n\$ (.+?)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
# Time and speed differ between runs, the number of boxes with the last bits of a processor's exp, and rounding with the order
# in which a processor adds, also in a witness; nothing else may.
MEASURED = [(r"seconds: .*", "seconds: .."), (r"\(\d+ boxes\)", "(.. boxes)"),
            (r"on \w+, [\d,]+ a second", "on .."),
            (r"^read [\d,]+ tokens a second(, \d+ different ones a sequence)?; [\d.e+-]+ %", r"read .. tokens a second\1; .. %"),
            (r"enclosed\); read [\d,]+\s+tokens a second, [\d.e+-]+ %\s+of", "enclosed); read .. tokens a second, .. % of"),
            (r"runs/([\w.-]+?)(-\d)?$", r"runs/\1"),
            (r"(\d\.\d{12})\d+", r"\1.."),
            (r"( [\d,]+) +\d+\.\d$", r"\1 .."), (r" cases, [\d.]+ s$", " cases"),
            (r"\d(\.\d+)?e-1\d( +|$)", "rounding ")]


def command_of(shown: str) -> list[str]:
    """Return the arguments of ``python -m uat`` behind a README command; ``make demo`` stands for what the Makefile runs."""
    if shown == "make demo":
        recipe = re.search(r"^demo:.*\n\t\$\(BIN\)/(python -m uat .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert recipe is not None
        shown = recipe[1]
    python, flag, package, *arguments = shlex.split(shown)
    assert (python, flag, package) == ("python", "-m", "uat")
    return arguments


def unmeasured(text: str) -> str:
    for pattern, mask in MEASURED:
        text = re.sub(pattern, mask, text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize(("shown", "output"), BLOCKS, ids=[shown for shown, _ in BLOCKS])
def test_a_readme_command_prints_what_the_readme_shows(shown: str, output: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uat", *command_of(shown)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unmeasured(done.stdout) == unmeasured(output)


def test_the_pages_install_what_the_makefile_installs_with_the_same_constraints() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    command = re.search(r"^INSTALL := .* -m pip install .* --constraint (\S+) --editable$", makefile, re.MULTILINE)
    assert command is not None
    assert command[1] == "constraints.txt"
    assert re.findall(r"^\t\$\(INSTALL\) (\S+)$", makefile, re.MULTILINE) == [".", "'.[dev]'"]
    for page in ("README.md", "docs/tutorial.md", "docs/how-to/long-searches.md"):
        shown = re.findall(r"pip install (?:-c (\S+) )?-e ('?\.[^\s`]*)", (ROOT / page).read_text(encoding="utf-8"))
        assert shown
        assert {constraints for constraints, _ in shown} == {"constraints.txt"}


def test_the_readme_shows_the_main_job_and_the_comparison_would_notice_a_changed_bound() -> None:
    assert BLOCKS[0][0] == "make demo"
    output = BLOCKS[0][1]
    (bound,) = re.findall(r"sandwich: .* <= certified ([\d.]+); ", output)[:1]
    assert unmeasured(output) != unmeasured(output.replace(bound, f"{bound[:-1]}{(int(bound[-1]) + 1) % 10}"))
