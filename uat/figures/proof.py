"""proof: the steps of the proof, what rests on what, and what is known of each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import matplotlib.figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path

from proofs_check.dag import inherited, proof_order
from proofs_check.kernel import Status
from proofs_check.runner import Settings, run_steps
from proofs_check.step_cache import StepCache, default_folder
from proofs_check.steps import all_steps
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.style import VERMILLION
from uat.proof_drawing import COLOURS, LEGEND, MARGIN, ROW, Box, darker, head, layout, route

INCHES = 10 / 1446  # a pixel of the drawing: the whole proof is as wide as a landscape page
FRAMES = {Status.PROVED: "-", Status.CERTIFIED: "-", Status.ASSUMED: "--", Status.SAMPLED: "-.", Status.UNDECIDED: ":",
          Status.REFUTED: ":"}


def gather(given: Gathering) -> dict[str, Any]:
    """Run every step of the proof, unchanged ones from the cache, and place the boxes."""
    steps = all_steps()
    run = run_steps(proof_order(steps), Settings(given.full, "cpu", given.seed), jobs=os.cpu_count() or 1,
                    cache=StepCache(default_folder()), report=given.report)
    weakest, boxes = inherited(steps, run.results), layout(steps, set(steps))
    rows = [{"id": result.id, "status": result.status.value, "expected": steps[result.id].expected.value,
             "inherited": known.value if (known := weakest[result.id]) else None,
             "depends_on": list(steps[result.id].depends_on), "corrected_by": steps[result.id].corrects or None,
             "box": [round(v, 1) for v in vars(boxes[result.id]).values()]} for result in run.results]
    return {"profile": "full" if given.full else "fast", "steps": rows}


def draw(record: Record) -> matplotlib.figure.Figure:
    """Columns by the longest chain of premises; fill and name of its own status, frame of what it inherits."""
    rows = {row["id"]: row for row in record["steps"]}
    width = max(row["box"][0] + row["box"][2] for row in rows.values()) + MARGIN
    height = max(row["box"][1] + row["box"][3] for row in rows.values()) + MARGIN + ROW
    figure = matplotlib.figure.Figure(figsize=(width * INCHES, height * INCHES))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    boxes = {name: Box(*row["box"]) for name, row in rows.items()}
    for name, row in rows.items():
        for premise in row["depends_on"]:
            if premise in rows:
                _edge(axes, boxes.values(), boxes[premise], boxes[name], "#777777", "-")
        if row["corrected_by"] in rows:
            _edge(axes, boxes.values(), boxes[name], boxes[row["corrected_by"]], VERMILLION, (0, (4, 3)))
    for row in rows.values():
        _box(axes, row)
    _legend(axes, height - ROW / 2)
    return figure


def _edge(axes: Any, boxes: Iterable[Box], start: Box, end: Box, colour: str, line: Any) -> None:
    points = route(boxes, start, end)
    axes.add_patch(PathPatch(Path(points, [Path.MOVETO, *[Path.CURVE4] * (len(points) - 1)]), fill=False, edgecolor=colour,
                             linewidth=0.5, linestyle=line, alpha=0.75))
    axes.add_patch(Polygon(head(points), facecolor=colour, linewidth=0))


def _box(axes: Any, row: dict[str, Any]) -> None:
    x, y, width, height = row["box"]
    own, known = Status(row["status"]), Status(row["inherited"]) if row["inherited"] else Status.UNDECIDED
    label = own.value if own is known else f"{own.value}, rests on {known.value if row['inherited'] else 'what was not run'}"
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=4", facecolor=COLOURS[own],
                                  edgecolor=darker(COLOURS[known]), linewidth=1.0, linestyle=FRAMES[known]))
    axes.text(x + 6, y + 10, row["id"], fontsize=5.2, family="DejaVu Sans Mono", va="center")
    axes.text(x + 6, y + 22, label, fontsize=4.4, family="DejaVu Sans Mono", va="center", color="#222222")


def _legend(axes: Any, y: float) -> None:
    x = float(MARGIN)
    for status, colour in COLOURS.items():
        axes.add_patch(Rectangle((x, y - 6), 14, 12, facecolor=colour, edgecolor=darker(colour), linewidth=1.0,
                                 linestyle=FRAMES[status]))
        axes.text(x + 20, y, status.value, fontsize=5.5, va="center")
        x += 105
    axes.text(x + 10, y, LEGEND, fontsize=5.5, va="center")


def caption(record: Record) -> str:
    """Count the steps by status."""
    counts = {status.value: sum(row["status"] == status.value for row in record["steps"]) for status in Status}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    odd = [row["id"] for row in record["steps"] if row["status"] != row["expected"]]
    return (f"The proof as a graph of {len(record['steps'])} steps: {listed}; "
            f"{'all as expected' if not odd else 'not as expected: ' + ', '.join(odd)}. An arrow leads from a premise to what "
            f"rests on it; a dashed one from what is printed to what corrects it.")


FIGURE = Figure("proof", draw, caption, gather)
