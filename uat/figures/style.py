"""How figures look: sizes of a journal's column, Okabe and Ito's colours, lines that differ in black and white too.

Files are the same byte for byte whenever the record is: no dates, no random identifiers, fonts that matplotlib brings along.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.figure

COLUMN, PAGE = 3.4, 6.9  # inches: one column, the whole width
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
HEAT = "cividis"  # its lightness grows with the value: it reads in grey
# One way of drawing a series, told apart by colour, line and marker.
SERIES: tuple[dict[str, Any], ...] = tuple(
    {"color": colour, "linestyle": line, "marker": marker} for colour, line, marker in (
        (BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, "-.", "^"), (BLACK, ":", "D"), (PURPLE, (0, (5, 1, 1, 1, 1, 1)), "v"),
        (ORANGE, (0, (3, 1)), "P"), (SKY, (0, (1, 1)), "X")))
LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 8, "axes.labelsize": 8, "axes.titlesize": 8, "xtick.labelsize": 7,
    "ytick.labelsize": 7, "legend.fontsize": 7, "legend.frameon": False, "mathtext.fontset": "dejavusans",
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7,
    "lines.linewidth": 1.2, "lines.markersize": 4, "hatch.linewidth": 0.5, "savefig.dpi": 300, "figure.dpi": 100,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "uat", "path.simplify": True,
}
UNDATED: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None}, "png": {"Software": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None}}
FORMATS = ("pdf", "png")


def plain(text: str) -> str:
    """Keep matplotlib from reading a name as a formula."""
    return text.replace("$", r"\$")


def canvas(width: float, height: float) -> matplotlib.figure.Figure:
    """Return an empty figure that keeps labels inside, sizes in inches."""
    return matplotlib.figure.Figure(figsize=(width, height), layout="constrained")


def drawn(draw: Callable[[Any], matplotlib.figure.Figure], record: Any, file_format: str) -> bytes:
    """Draw a record and return the bytes of the file: pdf, png or svg."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **LOOK, "backend": "agg"}):
        buffer = io.BytesIO()
        draw(record).savefig(buffer, format=file_format, metadata=UNDATED[file_format])
        return buffer.getvalue()


def inline_svg(draw: Callable[[Any], matplotlib.figure.Figure], record: Any, prefix: str) -> str:
    """Return the inside of an SVG element and its viewBox, for a page; ids get a prefix, since a page has several pictures."""
    text = drawn(draw, record, "svg").decode()
    text = text[text.index("<svg"):]
    return re.sub(r'(\bid="|href="#|url\(#)', lambda found: found.group(1) + prefix + "-", text)
