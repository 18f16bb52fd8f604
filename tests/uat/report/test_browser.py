"""The page in a real browser: no error, no request, no sideways scrolling at 400 and 1,600 pixels, in light and dark.

A harness page holds the report in a frame of the width that is asked for, measures it, and is read back with ``--dump-dom``.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.uat.conftest import Uat
from tests.uat.report import runs
from tests.uat.report.test_page import page_of

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")]
HARNESS = """<!DOCTYPE html><html lang="en"><head><title>harness</title></head><body style="margin: 0">
<iframe id="page" style="border: 0; width: %(width)dpx; height: 900px" srcdoc="%(page)s"></iframe><pre id="found"></pre><script>
window.onload = () => {
  const frame = document.getElementById('page').contentDocument, root = frame.documentElement;
  const all = [...frame.querySelectorAll('*')];
  const links = [...frame.querySelectorAll('a, summary, [tabindex="0"]')];
  const outlines = links.map(link => { link.focus({focusVisible: true}); return frame.activeElement === link
                                       && getComputedStyle(link).outlineStyle !== 'none' ? '' : link.outerHTML.slice(0, 80); });
  const inside = element => element.closest('.scroll, pre, svg, .skip');
  document.getElementById('found').textContent = JSON.stringify({
    width: frame.defaultView.innerWidth, scrolls: root.scrollWidth, height: root.scrollHeight,
    wide: all.filter(e => !inside(e) && e.getBoundingClientRect().right > frame.defaultView.innerWidth + 1)
             .map(e => e.outerHTML.slice(0, 80)),
    tables: [...frame.querySelectorAll('.scroll')].map(e => [e.scrollWidth, e.clientWidth]),
    requests: frame.defaultView.performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:')),
    pictures: [...frame.querySelectorAll('main svg')].map(e => e.getBoundingClientRect().width),
    headings: [...frame.querySelectorAll('h1, h2, h3')].filter(e => e.getBoundingClientRect().height > 0).length,
    back: getComputedStyle(frame.body).backgroundColor, unseen: outlines.filter(x => x)});
};</script></body></html>"""


def opened(page: str, width: int, folder: Path, *, dark: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Return what was measured, and what the browser's console said."""
    (folder / "harness.html").write_text(HARNESS % {"width": width, "page": html.escape(page)})
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
               f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND",
               f"--window-size={width},900", "--virtual-time-budget=3000", "--dump-dom"]
    options += ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    ran = subprocess.run([str(BROWSER), *options, (folder / "harness.html").as_uri()], capture_output=True, text=True,
                         timeout=180, check=True)
    found = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, re.S)
    assert found, ran.stdout[:500] + ran.stderr[-2000:]
    console = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found.group(1))), console


@pytest.mark.parametrize("make", [runs.proved, runs.assumed, runs.undecided, runs.refuted, runs.hostile])
def test_the_page_fits_and_is_quiet(uat: Uat, tmp_path: Path, make: Callable[[Uat], Path]) -> None:
    code = 0 if make in (runs.proved, runs.assumed, runs.hostile) else 1
    page = page_of(uat, make(uat), code=code)
    for width in (400, 1600):
        found, console = opened(page, width, tmp_path)
        assert console == []
        assert found["width"] == width
        assert found["scrolls"] <= width
        assert found["wide"] == []
        assert found["requests"] == []
        assert found["unseen"] == []
        assert found["headings"] >= 8
        assert all(100 < drawn <= width for drawn in found["pictures"])
    assert found["height"] > 900


def test_dark_is_dark(uat: Uat, tmp_path: Path) -> None:
    page = page_of(uat, runs.proved(uat))
    assert opened(page, 800, tmp_path)[0]["back"] == "rgb(255, 255, 255)"
    found, console = opened(page, 800, tmp_path, dark=True)
    assert found["back"] == "rgb(21, 23, 27)"
    assert console == []


@pytest.mark.parametrize(("spoiled", "key"), [
    ('<p style="width: 900px">wide</p>', "wide"), ('<a href="#main" style="outline: none !important">x</a>', "unseen")])
def test_the_harness_notices(uat: Uat, tmp_path: Path, spoiled: str, key: str) -> None:
    page = page_of(uat, runs.proved(uat)).replace("<footer>", f"<footer>{spoiled}")
    assert opened(page, 400, tmp_path)[0][key]


def test_the_harness_notices_scripts_and_requests(uat: Uat, tmp_path: Path) -> None:
    page = page_of(uat, runs.proved(uat))
    for spoiled in ("<script>console.error('no')</script>", '<img alt="" src="https://example.org/x.png">'):
        _, console = opened(page.replace("</main>", spoiled + "</main>"), 400, tmp_path)
        assert console  # the page's own policy blocks both, and says so
