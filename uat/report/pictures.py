"""Figures of the page: SVG that names itself, so that it can be read aloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from markupsafe import Markup

from uat.figures.figure import Figure
from uat.figures.style import inline_svg


def picture(figure: Figure, record: Mapping[str, Any], title: str) -> dict[str, Any]:
    """Draw a figure as an SVG element with title and description; returns ``svg``, ``title`` and ``caption``."""
    caption, prefix = figure.caption(record), figure.name
    text = inline_svg(figure.draw, record, prefix)
    view = re.search(r'viewBox="([^"]*)"', text)
    inside = re.sub(r"^<svg[^>]*>", "", text, count=1)
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
            f'viewBox="{view.group(1) if view else "0 0 100 100"}" aria-labelledby="{prefix}-title {prefix}-desc">'
            f'<title id="{prefix}-title">{escape(title)}</title><desc id="{prefix}-desc">{escape(caption)}</desc>')
    return {"svg": Markup(head + inside), "title": title, "caption": caption, "name": figure.name}  # escaped above
