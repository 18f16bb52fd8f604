"""A command of the command line, run in an empty folder."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main

from uat import cli

GRID = ("--method", "grid")
SMALL = ("--target", "x*mean(y)", "--eps", "1/4", "--samples", "2000", *GRID)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def message(self) -> str:
        """The message without the frame and line breaks that typer draws around its own."""
        return " ".join(re.sub(r"[│╭╮╰╯─]", " ", self.err).split())


Uat = Callable[..., Answer]
command_of = functools.cache(typer.main.get_command)  # the same each time, and made in 20 ms


@pytest.fixture
def uat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Uat:
    """Run a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Answer:
        code = run_main(monkeypatch, arguments)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


def run_main(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["uat", *arguments])
    monkeypatch.setattr(typer.main, "get_command", command_of)
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    code = leaving.value.code
    return 0 if code is None else int(code)
