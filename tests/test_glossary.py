"""Every step that certificates have is explained: in the glossary, and on the page about a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from constructions.progress import silent
from uat import pipeline
from uat.report.meanings import OWN, meaning
from uat.request import Request

DOCS = Path(__file__).parent.parent / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8").partition("## Steps of a certificate")[2]
EXPLAINED = set(re.findall(r"[a-z]+(?:-[a-z]+)+|[a-z]{7,}", "\n".join(re.findall(r"^\| (.*?) \|", GLOSSARY, re.MULTILINE))))
RUNS = [("x*mean(y)", "1/4", "grid"), ("mean(exp(x*y))*sqrt(2)", "1/4", "sum-decomposition"), ("max(y)", "1/4", "auto"),
        ("x*mean(y)", "1/4", "power-sums"), ("exp(x)*max(y)", "1/2", "order-statistics"), ("mean(exp(x*y))", "1/4", "fit")]


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize(("text", "eps", "method"), RUNS, ids=[run[2] for run in RUNS])
def test_every_step_of_a_certificate_is_in_the_glossary_and_on_the_page_of_a_run(text: str, eps: str, method: str) -> None:
    outcome = pipeline.run(Request(text, eps, 2, method=method), 2, [], samples=0, device="cpu", report=silent)
    steps = {step.id for step in outcome.verdict.steps}
    assert len(steps) > 3
    assert steps - EXPLAINED == set()
    unknown = meaning("no-such-step")["says"]
    assert [step for step in steps if meaning(step)["says"] == unknown] == []


def test_steps_of_our_own_are_in_the_glossary() -> None:
    assert set(OWN) - {"claim", "network"} <= EXPLAINED
