"""The documentation site builds strictly, without a network, and its pages ask for nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What a browser loads by itself, from another place; links a reader follows are not among it.
LOADED = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc="?(?:https?:)?//[^"\s>]+"""
                    r"""|<link[^>]*rel="?(?:stylesheet|preconnect|preload)"?[^>]*//""")


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build with warnings as errors, with a proxy that leads nowhere in case something asks the network."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config), "--site-dir", str(site)]
    environment = {**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", place)
    assert done.returncode == 0, done.stderr
    return place


def test_every_page_of_the_documentation_is_there(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in pages if not (site / page.with_suffix(".html")).is_file()] == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    assert LOADED.search('<script src="https://unpkg.com/mermaid">')
    assert LOADED.search('<link rel="stylesheet" href="https://fonts.googleapis.com/css">')
    loaded = {page.name: LOADED.findall(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")}
    assert {name: found for name, found in loaded.items() if found} == {}
    style = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(['\"]?(https?:)?//", style)


def test_formulas_are_mathml_and_the_proof_is_drawn(site: Path) -> None:
    theorem = (site / "theorem.html").read_text(encoding="utf-8")
    assert theorem.count("<math ") > 500
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<merror" not in text
        assert not re.search(r'class="(arithmatex|mermaid)"', text), page
    assert 'src="proof_graph.svg"' in (site / "proof_graph.html").read_text(encoding="utf-8")
    assert "theorem-performer" in (site / "proof_graph.svg").read_text(encoding="utf-8")


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A\n\n[x](gone.md) [y](#nowhere)\n", encoding="utf-8")
    validation = re.search(r"^validation:\n(  .+\n)+", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert validation is not None
    (tmp_path / "mkdocs.yml").write_text(f"site_name: a\n{validation[0]}", encoding="utf-8")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    assert "gone.md" in done.stderr
    assert "nowhere" in done.stderr
