"""training: largest error found against wall time, trained networks beside constructed ones, with the bounds that are proved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import matplotlib.figure

from proofs_check.decimals import decimal_below
from uat.figures.figure import Figure, Record
from uat.figures.style import BLACK, PAGE, SERIES, canvas, plain


def draw(record: Record) -> matplotlib.figure.Figure:
    """One panel a target; a bar joins the largest error found of a network with its proved bound."""
    targets = list(dict.fromkeys(row["target"] for row in record["rows"]))
    models = list(dict.fromkeys(row["model"] for row in record["rows"]))
    figure = canvas(PAGE, 3.0)
    panels = figure.subplots(1, len(targets), squeeze=False, sharey=True)[0]
    for axes, target in zip(panels, targets, strict=True):
        for way, model in zip(SERIES, models, strict=False):
            rows = sorted((row for row in record["rows"] if row["target"] == target and row["model"] == model),
                          key=lambda row: float(row["seconds"]))
            if rows:
                _series(axes, rows, model, way)
        axes.set_xscale("log")
        axes.set_xlim(*_decades([float(row["seconds"]) for row in record["rows"] if row["target"] == target]))
        axes.set_yscale("log")
        axes.set_title(plain(target))
        axes.set_xlabel("wall time in seconds")
    panels[0].set_ylabel("sup error")
    handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return figure


def _decades(seconds: Sequence[float]) -> tuple[float, float]:
    """Return whole powers of ten around all times: budgets that are nearly equal would make ticks of many digits."""
    return 10.0 ** math.floor(math.log10(0.9 * min(seconds))), 10.0 ** math.ceil(math.log10(1.1 * max(seconds)))


def _series(axes: Any, rows: Sequence[dict[str, Any]], model: str, way: dict[str, Any]) -> None:
    found = [row for row in rows if row.get("sup_error")]
    proved = [row for row in rows if row.get("certified")]
    line = {"linestyle": "none"} if model == "constructed" else {}  # each for a tolerance of its own
    if found:
        axes.plot([row["seconds"] for row in found], [row["sup_error"] for row in found], label=f"{plain(model)}, sampled",
                  **{**way, **line})
    if proved:
        bounds = [_number(row["certified"]) for row in proved]
        axes.scatter([row["seconds"] for row in proved], bounds, marker="_", s=60, color=BLACK,
                     label="proved bound")
        lower = [row.get("sup_error") or bound for row, bound in zip(proved, bounds, strict=True)]
        axes.vlines([row["seconds"] for row in proved], lower, bounds, color=way["color"], linewidth=0.9)


def _number(value: Any) -> float:
    return float(Fraction(value)) if isinstance(value, str) else float(value)


def caption(record: Record) -> str:
    """Say what is compared."""
    best = min((row for row in record["rows"] if row.get("sup_error")), key=lambda row: float(row["sup_error"]))
    return (f"Largest error found against wall time for {', '.join(dict.fromkeys(row['model'] for row in record['rows']))}; "
            f"a black bar is a bound that is proved. The smallest error is that of {best['model']}, "
            f"{decimal_below(Fraction(best['sup_error']), 3)} after {best['seconds']:.3g} s.")


FIGURE = Figure("training", draw, caption, kind="experiment", title="train-versus-construct",
                made_with="python -m uat experiment train-versus-construct")
