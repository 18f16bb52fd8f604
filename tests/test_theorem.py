"""docs/theorem.md and docs/errata.md hang together: labels, the order of proofs, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
LABEL = re.compile(r"^### .+ \{#([a-z0-9-]+)\}$", re.MULTILINE)


def statements() -> list[tuple[str, str]]:
    """Return (label, text) of every statement of docs/theorem.md, in order."""
    _, *parts = re.split(r"^(?=### )", PAGES["theorem.md"], flags=re.MULTILINE)
    return [(LABEL.findall(part)[0], part) for part in parts]


def broken_links(pages: dict[str, str], name: str) -> list[str]:
    """Return the links of a page to labels or pages that do not exist; headings without a label count by their text."""
    labels = {page: {label or re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
                     for heading, label in re.findall(r"^#+ (.+?)(?: \{#([a-z0-9-]+)\})?$", text, re.MULTILINE)}
              for page, text in pages.items()}
    found = re.findall(r"(?:\]\(|^\[\w+\]: )([\w.-]+\.md)?(?:#([a-z0-9-]+))?(?:\)|$)", pages[name], re.MULTILINE)
    return [f"{page}#{label}" for page, label in found if (page or label) and not _exists(labels, page or name, label)]


def _exists(labels: dict[str, set[str]], page: str, label: str) -> bool:
    return page in labels and (not label or label in labels[page])


def misplaced(parts: list[tuple[str, str]]) -> list[str]:
    """Return "a uses b" for every statement a that depends on one which does not stand above it."""
    seen: set[str] = set()
    wrong = []
    for label, text in parts:
        line = re.search(r"^Depends on: (.+?)\n\n", text, re.MULTILINE | re.DOTALL)
        assert line is not None, f"{label} does not say what it depends on"
        wrong += [f"{label} uses {other}" for other in re.findall(r"\(#([a-z0-9-]+)\)", line[1]) if other not in seen]
        seen.add(label)
    return wrong


def test_every_statement_has_a_label_of_its_own_and_a_proof() -> None:
    labels = [label for label, _ in statements()]
    assert len(labels) == len(set(labels)) > 30
    unproved = [label for label, text in statements() if not re.search(r"\*Proof\.\*.+∎", text, re.DOTALL)]
    assert unproved == []


def test_each_proof_uses_only_statements_above_it() -> None:
    assert misplaced(statements()) == []


def test_the_order_check_sees_a_circle() -> None:
    circle = [("a", "Depends on: [b](#b).\n\n"), ("b", "Depends on: [a](#a).\n\n")]
    assert misplaced(circle) == ["a uses b"]


def test_every_erratum_says_what_is_printed_and_leads_to_a_statement() -> None:
    _, *parts = re.split(r"^(?=### )", PAGES["errata.md"], flags=re.MULTILINE)
    known = {label for label, _ in statements()}
    for part in parts:
        label = LABEL.findall(part)[0]
        assert label.startswith("printed-")
        for word in (r"Printed", r"(Counterexample|Example)", r"(Correction|Sharpening)"):
            assert re.search(rf"\*{word}\.\*", part), (label, word)
        assert set(re.findall(r"\(theorem\.md#([a-z0-9-]+)\)", part)) & known, label
        assert f"errata.md#{label}" in PAGES["theorem.md"], f"the statement does not mention {label}"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_links_inside_the_documentation_lead_somewhere(name: str) -> None:
    assert broken_links(PAGES, name) == []


def test_the_link_check_sees_a_broken_link() -> None:
    pages = {"a.md": "# A\n\n[x](b.md#gone) [y](c.md) [z](#there) [w](b.md#there)\n", "b.md": "### B {#there}\n"}
    assert broken_links(pages, "a.md") == ["b.md#gone", "c.md#", "#there"]
