"""The proof as a picture: SVG coloured by status, and Mermaid text for documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import networkx as nx

from proofs_check.dag import proof_graph, proof_order
from proofs_check.kernel import Status
from proofs_check.proof import ProofStep

# Okabe and Ito's palette, told apart by colour-blind readers; every box names its status as well.
COLOURS = {Status.PROVED: "#7fcdb4", Status.CERTIFIED: "#a5d8f3", Status.ASSUMED: "#f3cf80", Status.SAMPLED: "#f7f2a0",
           Status.UNDECIDED: "#d0d0d0", Status.REFUTED: "#eaa27a"}
CHARACTER, ROW, GAP, MARGIN = 6.7, 40, 70, 24


@dataclass(frozen=True)
class Box:
    """A drawn step: left upper corner and width, in pixels."""

    x: float
    y: float
    width: float
    height: float = 30


def mermaid(steps: Mapping[str, ProofStep], statuses: Mapping[str, Status]) -> str:
    """Return a Mermaid flow chart of the drawn steps; a dotted edge leads from what is printed to what corrects it."""
    lines = ["graph LR"]
    names = [name for name in proof_order(steps) if name in statuses]
    lines += [f'  {name}["{name}<br/>{statuses[name].value}"]:::{statuses[name].value}' for name in names]
    lines += [f"  {premise} --> {name}" for name in names for premise in steps[name].depends_on if premise in statuses]
    lines += [f"  {name} -.->|corrected by| {steps[name].corrects}" for name in names if steps[name].corrects in statuses]
    lines += [f"  classDef {status.value} fill:{colour},stroke:#333,color:#000" for status, colour in COLOURS.items()]
    return "\n".join(lines)


def svg(steps: Mapping[str, ProofStep], statuses: Mapping[str, Status], inherited: Mapping[str, Status | None]) -> str:
    """Return an SVG: columns by the longest chain of premises, fill by the step's own status, frame by the inherited one."""
    boxes = layout(steps, set(statuses))
    width = max(box.x + box.width for box in boxes.values()) + MARGIN
    height = max(box.y + box.height for box in boxes.values()) + MARGIN + ROW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img" '
             f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="11">',
             "<title>The proof, step by step: status of every step and what it rests on</title>",
             f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>']
    for name in boxes:
        parts += [_edge(boxes[premise], boxes[name], "#888") for premise in steps[name].depends_on if premise in boxes]
        if steps[name].corrects in boxes:
            parts.append(_edge(boxes[name], boxes[steps[name].corrects], "#c04000", dashed=True))
    parts += [_box(name, box, steps[name], statuses[name], inherited[name]) for name, box in boxes.items()]
    parts += _legend(height - ROW / 2 - 6)
    return "\n".join([*parts, "</svg>"]) + "\n"


def layout(steps: Mapping[str, ProofStep], drawn: set[str]) -> dict[str, Box]:
    """Columns are generations of the graph; inside a column steps stand near the middle of their premises."""
    graph = proof_graph(steps).subgraph(drawn)
    order = {name: k for k, name in enumerate(proof_order(steps))}
    generations = [sorted(column, key=order.__getitem__) for column in nx.topological_generations(graph)]
    boxes: dict[str, Box] = {}
    x = float(MARGIN)
    for column in generations:
        if boxes:
            column.sort(key=lambda name: sum(boxes[p].y for p in graph.predecessors(name)) / max(1, graph.in_degree(name)))
        width = max(_width(name) for name in column)
        top = MARGIN + (max(map(len, generations)) - len(column)) * ROW / 2
        boxes |= {name: Box(x, top + k * ROW, width) for k, name in enumerate(column)}
        x += width + GAP
    return boxes


def _width(name: str) -> float:
    return CHARACTER * max(len(name) + 2, 22)  # room for "proved, rests on assumed" in the smaller letters


def _edge(start: Box, end: Box, colour: str, *, dashed: bool = False) -> str:
    x1, y1, x2, y2 = start.x + start.width, start.y + start.height / 2, end.x, end.y + end.height / 2
    if x2 <= x1:  # a corrected step may stand in the same column
        x2, bend = end.x + end.width, x1 + GAP / 2
        path = f"M{x1:.1f},{y1:.1f} C{bend:.1f},{y1:.1f} {bend:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    else:
        middle = (x1 + x2) / 2
        path = f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity="0.7"{dash}/>'


def _box(name: str, box: Box, step: ProofStep, own: Status, inherited: Status | None) -> str:
    label = own.value if own is inherited else f"{own.value}, rests on {inherited.value if inherited else 'what was not run'}"
    frame = darker(COLOURS[inherited or Status.UNDECIDED])
    return (f'<g><title>{escape(step.plain)}</title><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
            f'height="{box.height}" rx="4" fill="{COLOURS[own]}" stroke="{frame}" stroke-width="2"/>'
            f'<text x="{box.x + 6:.1f}" y="{box.y + 13:.1f}">{escape(name)}</text>'
            f'<text x="{box.x + 6:.1f}" y="{box.y + 25:.1f}" font-size="9" fill="#333">{label}</text></g>')


def darker(colour: str) -> str:
    return "#" + "".join(f"{int(colour[k:k + 2], 16) * 6 // 10:02x}" for k in (1, 3, 5))


def _legend(y: float) -> list[str]:
    parts, x = [], float(MARGIN)
    for status, colour in COLOURS.items():
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="12" fill="{colour}" stroke="{darker(colour)}"/>'
                     f'<text x="{x + 17:.1f}" y="{y + 10:.1f}">{status.value}</text>')
        x += 30 + CHARACTER * len(status.value)
    parts.append(f'<text x="{x + 10:.1f}" y="{y + 10:.1f}">fill: the step itself; frame: the weakest it rests on; '
                 f"dashed: corrected by</text>")
    return parts
