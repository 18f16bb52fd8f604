"""CITATION.cff has what the format asks for, and names this version; docs/cite.md says the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The Citation File Format 1.2.0: what has to be there, what may be, and what a reference or an author has.
REQUIRED = {"cff-version", "message", "title", "authors"}
ALLOWED = {*REQUIRED, "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license",
           "license-url", "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type",
           "url", "version"}
PERSON = {"affiliation", "alias", "email", "family-names", "given-names", "orcid", "website"}
ENTITY = {"name", "website", "email"}


def complaints(citation: dict[str, Any]) -> list[str]:
    """Return what the format does not allow."""
    found = [f"missing {key}" for key in REQUIRED - set(citation)] + [f"unknown {key}" for key in set(citation) - ALLOWED]
    if citation.get("cff-version") != "1.2.0":
        found.append(f"cff-version {citation.get('cff-version')!r}")
    if citation.get("type", "software") not in ("software", "dataset"):
        found.append(f"type {citation['type']!r}")
    for reference in citation.get("references", []):
        found += [f"reference without {key}" for key in {"type", "title", "authors"} - set(reference)]
    for one in [citation, *citation.get("references", [])]:
        authors = one.get("authors") or [{}]
        found += [f"author {author}" for author in authors if not author or not (set(author) <= PERSON or set(author) <= ENTITY)]
    return found


def test_the_file_is_valid_and_names_this_version() -> None:
    assert complaints(CITATION) == []
    assert CITATION["version"] == PROJECT["version"]


def test_the_validation_sees_what_is_wrong() -> None:
    assert complaints({**CITATION, "titel": 1}) == ["unknown titel"]
    assert complaints({key: value for key, value in CITATION.items() if key != "authors"}) == ["missing authors", "author {}"]
    assert complaints({**CITATION, "authors": [{"surname": "A"}]}) == ["author {'surname': 'A'}"]


def test_the_page_cites_the_same_version_and_paper() -> None:
    page = (ROOT / "docs" / "cite.md").read_text(encoding="utf-8")
    (paper,) = CITATION["references"]
    assert re.search(rf"version = \{{{re.escape(PROJECT['version'])}\}}", page)
    for text in (paper["title"], str(paper["year"]), str(paper["volume"]), f"{paper['start']}--{paper['end']}"):
        assert text in page
    for author in paper["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in page
