"""The worked examples in docs/ are run: Python blocks in order, with what they print, and commands with what they show."""

from __future__ import annotations

import contextlib
import difflib
import io
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from constructions.adapters.attention import FORMULAS
from constructions.continuous import CONSTRUCTIONS
from constructions.pooling import HEADS
from constructions.targets.library import LIBRARY
from proofs_check.architecture_check import RULES
from proofs_check.continuous import A_PRIORI
from tests.test_readme import unmeasured
from tests.uat.conftest import Uat

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
TABLES: tuple[dict[str, Any], ...] = (LIBRARY, CONSTRUCTIONS, HEADS, FORMULAS, RULES)  # what the pages add to


@pytest.fixture
def _tables_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run in an empty folder that Python imports from, and take out of the tables what a page put in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before, modules = [dict(table) for table in TABLES], set(sys.modules)
    yield
    for table, entries in zip(TABLES, before, strict=True):
        table.clear()
        table.update(entries)
    for name in set(sys.modules) - modules:
        if name.startswith("my_"):
            del sys.modules[name]


def found_by_search(text: str) -> str:
    """Mask which of several equally large errors was found, too: it depends on a processor's last bits."""
    text = re.sub(r"\d(\.\d+)?e-1\d$", "rounding", unmeasured(text), flags=re.MULTILINE)
    text = re.sub(r"largest error found by [\w ]+", "largest error found", text)
    text = re.sub(r"re-proved from (\S+) in [\d.]+ s", r"re-proved from \1", text)
    return re.sub(r"^witness: .*?\]$", "witness", text, flags=re.MULTILINE | re.DOTALL)


def differences(page: str, uat: Uat) -> list[str]:
    """Run the blocks of a page in one module; return what does not come out as shown."""
    module, wrong = ModuleType("my_page"), []
    sys.modules["my_page"] = module  # where dataclasses look for the names of their annotations
    for kind, text, shown in BLOCK.findall(page):
        if kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(text, "page", "exec"), module.__dict__)
            if printed.getvalue() != shown:
                wrong.append(f"printed {printed.getvalue()!r}, shown {shown!r}")
            continue
        command, _, output = text.removeprefix("$ ").partition("\n")
        prefix, arguments = shlex.split(command)[:3], shlex.split(command)[3:]
        assert prefix == ["python", "-m", "uat"]
        answer = uat(*arguments)
        if answer.code != 0 or (output and found_by_search(answer.out) != found_by_search(output)):
            lines = difflib.unified_diff(found_by_search(output).splitlines(), found_by_search(answer.out).splitlines(), n=0)
            wrong.append("\n".join([f"{command}: exit code {answer.code} {answer.err}", *lines]))
    return wrong


@pytest.mark.usefixtures("_tables_as_before", "one_torch_thread")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_runs_comes_out_as_it_shows(page: Path, uat: Uat) -> None:
    text = page.read_text(encoding="utf-8")
    assert BLOCK.search(text)
    assert differences(text, uat) == []


NOT_READ = re.findall(r"^\| [^|]+ \| `python -m uat (construct [^`]+)` \|$",
                      (DOCS / "trust.md").read_text("utf-8").partition("What this route does not read:")[2], re.MULTILINE)


@pytest.mark.parametrize("command", NOT_READ)
def test_what_the_page_says_is_not_read_by_structure_is_derived_again(command: str, uat: Uat) -> None:
    assumptions = uat(*shlex.split(command), "--samples", "0", "--json").json["assumptions"]
    assert any(assumption.startswith(A_PRIORI) for assumption in assumptions)


def test_every_row_of_what_is_not_read_has_a_command() -> None:
    rows = (DOCS / "trust.md").read_text("utf-8").partition("What this route does not read:")[2].partition("\n\nSuch")[0]
    assert len(NOT_READ) == rows.count("\n| ") - 1 >= 5


def test_an_assumption_is_missed_where_a_network_is_read(uat: Uat) -> None:
    answer = uat("construct", "--target", "x*mean(y)", "--eps", "1/4", "--samples", "0", "--json")
    assert not any(assumption.startswith(A_PRIORI) for assumption in answer.json["assumptions"])


SPEEDS = re.compile(r"^sampled [\d,]+ sequences(?: of (\d+) tokens)? on \w+, ([\d,]+) a second;.*\n"
                    r"read ([\d,]+)\s+tokens a second(?:, (\d+) different ones a sequence)?;", re.MULTILINE)


def two_runs(text: str) -> list[str]:
    """Return pairs of sequences and tokens a second that do not go together: they were not recorded in one run."""
    lengths = [(int(k), found) for found in SPEEDS.finditer(text) if (k := found[4] or found[1])]
    return [found[0] for k, found in lengths if abs(whole(found[3]) - k * whole(found[2])) > k]


def whole(number: str) -> int:
    return int(number.replace(",", ""))


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.stem)
def test_speeds_that_stand_together_are_of_one_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert two_runs(text) == []
    assert text.count("\nread ") == len(SPEEDS.findall(text))


def test_speeds_of_two_runs_are_noticed() -> None:
    text = "sampled 99 sequences of 16 tokens on cpu, 77,336 a second; ..\nread 1,237,376 tokens a second; .."
    assert two_runs(text) == []
    assert len(two_runs(text.replace("1,237,376", "11,447,530"))) == 1
    assert len(two_runs(text.replace("tokens a second;", "tokens a second, 4 different ones a sequence;"))) == 1


def test_the_comparison_sees_a_changed_output_and_a_failing_command(uat: Uat) -> None:
    assert differences("```python\nprint(1)\n```\n\n```text\n2\n```\n", uat) == ["printed '1\\n', shown '2\\n'"]
    assert len(differences("```console\n$ python -m uat certify missing\n```\n", uat)) == 1
    assert len(differences("```console\n$ python -m uat check --only identity-channel\nnothing\n```\n", uat)) == 1


def test_the_masks_leave_bounds_and_sampled_errors() -> None:
    text = "sandwich: sampled 0.000488281 <= certified 0.000488282; tightness 1.001\nwitness: token 1 of X = [(0),\n(1)]\n"
    assert found_by_search(text) != found_by_search(text.replace("0.000488282", "0.000488283"))
    assert "(1)" not in found_by_search(text)
