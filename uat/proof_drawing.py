"""The proof as a picture: SVG coloured by status, and Mermaid text for documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import networkx as nx

from proofs_check.dag import proof_graph, proof_order
from proofs_check.kernel import Status
from proofs_check.proof import ProofStep

# Okabe and Ito's palette, told apart by colour-blind readers; every box names its status as well.
COLOURS = {Status.PROVED: "#7fcdb4", Status.CERTIFIED: "#a5d8f3", Status.ASSUMED: "#f3cf80", Status.SAMPLED: "#f7f2a0",
           Status.UNDECIDED: "#d0d0d0", Status.REFUTED: "#eaa27a"}
CHARACTER, ROW, GAP, MARGIN, HEAD = 6.7, 40, 70, 24, 6
LEGEND = "fill: the step itself; frame: the weakest it rests on; arrows: to what rests on it; dashed: to what corrects it"
Point = tuple[float, float]


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
    width = max(_legend(0)[1], *(box.x + box.width for box in boxes.values())) + MARGIN
    height = max(box.y + box.height for box in boxes.values()) + MARGIN + ROW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img" '
             f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="11">',
             "<title>The proof, step by step: status of every step and what it rests on</title>",
             f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>']
    for name in boxes:
        premises = [boxes[premise] for premise in steps[name].depends_on if premise in boxes]
        parts += [_edge(boxes.values(), premise, boxes[name], "#888") for premise in premises]
        if steps[name].corrects in boxes:
            parts.append(_edge(boxes.values(), boxes[name], boxes[steps[name].corrects], "#c04000", dashed=True))
    parts += [_box(name, box, steps[name], statuses[name], inherited[name]) for name, box in boxes.items()]
    parts += _legend(height - ROW / 2 - 6)[0]
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


def route(boxes: Iterable[Box], start: Box, end: Box) -> list[Point]:
    """Return the points of an edge that crosses no box: a place, then two control points and a place for each cubic curve.

    It runs from one column to the next in the space between them, and straight through a column where no box is. To an earlier
    column it goes back the way it would have come; to its own it turns in the space on the right.
    """
    if start.x == end.x:
        x, y1, y2 = start.x + start.width, *(box.y + box.height / 2 for box in (start, end))
        return [(x, y1), (x + GAP / 2, y1), (x + GAP / 2, y2), (x, y2)]
    if start.x > end.x:
        return route(boxes, end, start)[::-1]
    columns: dict[float, list[Box]] = {}
    for box in boxes:
        if start.x < box.x < end.x:
            columns.setdefault(box.x, []).append(box)
    points = [(start.x + start.width, start.y + start.height / 2)]
    last = end.y + end.height / 2
    apart = 3 * (round(start.y / ROW) % 3 - 1)  # so that edges of neighbours do not become one line
    for left, (x, column) in enumerate(sorted(columns.items())):
        y = points[-1][1]
        y = _free(column, y + (last - y) / (len(columns) - left + 1)) + apart
        points += _curve(points[-1], (x, y))
        points += _curve((x, y), (x + column[0].width, y))
    return points + _curve(points[-1], (end.x, last))


def _free(column: Sequence[Box], y: float) -> float:
    """Return the place nearest to y where a line can pass a column."""
    def passes(place: float) -> bool:
        return all(abs(place - box.y - box.height / 2) >= ROW / 2 for box in column)

    beside = [box.y + box.height / 2 + side * ROW / 2 for box in column for side in (-1, 1)]
    return min((place for place in (y, *beside) if passes(place)), key=lambda place: abs(place - y))


def _curve(start: Point, end: Point) -> list[Point]:
    middle = (start[0] + end[0]) / 2
    return [(middle, start[1]), (middle, end[1]), end]


def head(points: Sequence[Point]) -> list[Point]:
    """Return the corners of the arrow head at the end of a route, which always ends level."""
    x, y = points[-1]
    back = -HEAD if points[-2][0] < x else HEAD
    return [(x, y), (x + back, y - HEAD / 2.4), (x + back, y + HEAD / 2.4)]


def _edge(boxes: Iterable[Box], start: Box, end: Box, colour: str, *, dashed: bool = False) -> str:
    points = route(boxes, start, end)
    spelt = [f"{x:.1f},{y:.1f}" for x, y in points]
    curves = " ".join(f"C{' '.join(spelt[k:k + 3])}" for k in range(1, len(spelt), 3))
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in head(points))
    return (f'<path d="M{spelt[0]} {curves}" fill="none" stroke="{colour}" stroke-opacity="0.7"{dash}/>'
            f'<polygon points="{corners}" fill="{colour}"/>')


def _box(name: str, box: Box, step: ProofStep, own: Status, inherited: Status | None) -> str:
    label = own.value if own is inherited else f"{own.value}, rests on {inherited.value if inherited else 'what was not run'}"
    frame = darker(COLOURS[inherited or Status.UNDECIDED])
    return (f'<g><title>{escape(step.plain)}</title><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
            f'height="{box.height}" rx="4" fill="{COLOURS[own]}" stroke="{frame}" stroke-width="2"/>'
            f'<text x="{box.x + 6:.1f}" y="{box.y + 13:.1f}">{escape(name)}</text>'
            f'<text x="{box.x + 6:.1f}" y="{box.y + 25:.1f}" font-size="9" fill="#333">{label}</text></g>')


def darker(colour: str) -> str:
    return "#" + "".join(f"{int(colour[k:k + 2], 16) * 6 // 10:02x}" for k in (1, 3, 5))


def _legend(y: float) -> tuple[list[str], float]:
    """Return the parts of the legend, and where it ends on the right."""
    parts, x = [], float(MARGIN)
    for status, colour in COLOURS.items():
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="12" fill="{colour}" stroke="{darker(colour)}"/>'
                     f'<text x="{x + 17:.1f}" y="{y + 10:.1f}">{status.value}</text>')
        x += 30 + CHARACTER * len(status.value)
    parts.append(f'<text x="{x + 10:.1f}" y="{y + 10:.1f}">{LEGEND}</text>')
    return parts, x + 10 + CHARACTER * len(LEGEND)
