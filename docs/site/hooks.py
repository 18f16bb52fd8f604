"""What the site needs beyond Markdown, done while it is built so that a reader needs no network: formulas become MathML, and the
proof graph becomes the drawing of ``uat check --svg``."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
MERMAID = re.compile(r"^```mermaid\n.*?^```\n", re.DOTALL | re.MULTILINE)
ALPHABET = re.compile(r"\\math(bb|bf)\s*\{?([A-Za-z0-9])\}?")
ALPHABETS = {"bb": "DOUBLE-STRUCK", "bf": "BOLD"}
DRAWING = "proof_graph.svg"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Show the drawing where the page has Mermaid text, which only a script from elsewhere could draw."""
    drawing = f'<a href="{DRAWING}"><img class="proof-graph" src="{DRAWING}" alt="The proof as a graph"></a>\n\n'
    return MERMAID.sub(lambda _: drawing, markdown)


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Turn every formula into MathML."""
    return FORMULA.sub(lambda found: mathml(html.unescape(found[2]), "block" if found[1] == "div" else "inline"), content)


def _lettered(found: re.Match[str]) -> str:
    """Return the character itself for a letter in another alphabet: browsers ignore the attribute that MathML has for it."""
    kind = "DIGIT" if found[2].isdigit() else "CAPITAL" if found[2].isupper() else "SMALL"
    name = f"{ALPHABETS[found[1]]} {kind} {unicodedata.name(found[2]).rsplit(' ', 1)[1]}"
    try:
        return unicodedata.lookup(f"MATHEMATICAL {name}")
    except KeyError:  # R, N, Z and some more have older names
        return unicodedata.lookup(name)


def mathml(latex: str, display: str) -> str:
    """Return a formula as MathML, with its LaTeX as the text that is read out."""
    plain = ALPHABET.sub(_lettered, latex.replace(r"\thinspace", r"\,"))
    shown = convert(plain, display=display)
    return shown.replace("<math ", f'<math aria-label="{html.escape(latex, quote=True)}" ', 1)


def on_post_build(config: Any, **_: Any) -> None:
    """Draw the proof with the statuses that its steps are expected to have; a test runs them."""
    from pathlib import Path

    from proofs_check.dag import inherited
    from proofs_check.proof import StepResult
    from proofs_check.steps import all_steps
    from uat.proof_drawing import svg

    steps = all_steps()
    results = [StepResult(name, step.expected, ()) for name, step in steps.items()]
    statuses = {result.id: result.status for result in results}
    (Path(config["site_dir"]) / DRAWING).write_text(svg(steps, statuses, inherited(steps, results)), encoding="utf-8")
