"""The written proof and the executed one are about the same statements, and rest on the same premises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proofs_check.dag import THEOREMS
from proofs_check.kernel import Status
from proofs_check.steps import all_steps
from uat.proof_drawing import mermaid

DOCS = Path(__file__).parents[3] / "docs"
STEPS = all_steps()
PRINTED = {name for name in STEPS if name.startswith("printed-")}
LABEL = re.compile(r"\{#([a-z0-9-]+)\}$", re.MULTILINE)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def premises() -> dict[str, set[str]]:
    """Return what each statement of docs/theorem.md says it depends on."""
    _, *parts = re.split(r"^(?=### )", page("theorem.md"), flags=re.MULTILINE)
    lines = {LABEL.findall(part)[0]: re.search(r"^Depends on: (.+?)\n\n", part, re.MULTILINE | re.DOTALL) for part in parts}
    return {label: set(re.findall(r"\(#([a-z0-9-]+)\)", line[1])) for label, line in lines.items() if line}


def test_every_statement_has_its_step_and_every_step_its_statement() -> None:
    assert set(LABEL.findall(page("theorem.md"))) == set(STEPS) - PRINTED


def test_every_printed_step_has_its_erratum_and_every_erratum_its_step() -> None:
    refuted = {name for name, step in STEPS.items() if step.expected is Status.REFUTED}
    assert set(LABEL.findall(page("errata.md"))) == PRINTED | {f"printed-{name}" for name in refuted - PRINTED}


@pytest.mark.parametrize("name", sorted(set(STEPS) - PRINTED))
def test_both_proofs_of_a_statement_rest_on_the_same_premises(name: str) -> None:
    assert premises()[name] == set(STEPS[name].depends_on)


def test_the_graph_in_the_documents_is_the_one_that_is_run() -> None:
    (drawn,) = re.findall(r"```mermaid\n(.+?)\n```", page("proof_graph.md"), re.DOTALL)
    assert drawn == mermaid(STEPS, {name: step.expected for name, step in STEPS.items()})


def test_the_readme_counts_the_steps_right() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    expected = [step.expected for step in STEPS.values()]
    shown = ", ".join(f"{expected.count(status)} {status.value}" for status in Status if status in expected)
    assert f"{len(STEPS)} statements" in readme
    assert f"{len(STEPS)} steps: {shown}; all as expected" in " ".join(readme.split())


def test_the_theorems_are_statements_of_the_document() -> None:
    assert set(THEOREMS) <= set(premises())
