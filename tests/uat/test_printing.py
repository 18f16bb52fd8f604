"""Names in a run directory are anybody's: the terminal shows them and obeys none, and what is claimed of what is printed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from proofs_check.kernel import Status, Step
from tests.proofs_check.test_run_files import edit, rehash, written
from tests.uat.conftest import Uat
from uat import show
from uat.printing import printable

NASTY = ["[/x]", "\\[/x]", "ends in \\", "in three \\\\\\", "\\[", "\\\\[1]", "\\[b", "[bold]b[/bold]", "\x1b[2Jgone",
         "\rcertified", "\x9b31m", "half \ud800", "\u202eback"]


def shown(content: object) -> str:
    screen = io.StringIO()
    Console(file=screen, width=300).print(content)
    return screen.getvalue()


@given(st.one_of(st.sampled_from(NASTY), st.text()))
def test_what_is_printable_has_no_character_that_a_terminal_obeys(text: str) -> None:
    assert all(line.isprintable() for line in printable(text).split("\n"))
    printable(text).encode()


@given(st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.text("\\[]/ab1#", max_size=12)))
def test_rich_prints_any_text_as_it_is(text: str) -> None:
    """Last backslashes are doubled where no tag of ours follows: before one they have to be."""
    exact = printable(text)
    last = len(exact) - len(exact.rstrip("\\"))
    assert shown(f"[bold]{show.escape(text)}[/bold]|") == exact + "|\n"
    assert shown(f"{show.escape(text)}|") == exact + "\\" * last + "|\n"


@pytest.mark.parametrize("name", NASTY)
def test_a_step_of_any_name_is_a_row(name: str) -> None:
    step = Step(f"{name}-pooling", f"unknown architecture {name}", Status.REFUTED)
    assert f"unknown architecture {printable(name)}" in shown(show.budget_table([step])).replace("\n", " ")


def renamed(run: Path, name: str) -> None:
    edit(run, "plan.json", lambda plan: plan.update(target=name))
    edit(run, "certificate.json", lambda certificate: certificate["claim"].update(target=name))
    rehash(run)


@pytest.mark.parametrize("name", ["f\x1b[2J", "[/x]", "f: f(X)_i = 0\non [0, 100]"])
def test_certify_says_of_what_the_bound_is_in_one_line_and_as_it_is(name: str, uat: Uat, tmp_path: Path) -> None:
    renamed(written(tmp_path / "run"), name)
    lines = uat("certify", "run").out.split("\n")
    assert lines[0] == printable(name).replace("\n", "\\n") + ": f(X)_i = x*mean(y)"
    assert lines[1] == "on [0, 1], n = 3 tokens; claimed bound 0.202101"


def test_half_a_character_in_a_name_is_no_traceback(uat: Uat, tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    edit(run, "network.json", lambda network: network["architectures"].update({"\ud800": {"channels": [], "blocks": []}}))
    rehash(run)
    for options in ([], ["--json"]):
        answer = uat("certify", "run", *options)
        assert answer.code in (1, 2)
        assert "Traceback" not in answer.err
