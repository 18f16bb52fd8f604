"""cost: seconds and memory of a forward pass against the number of tokens, log-log, with the fitted slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.figure
import numpy as np

from uat.figures.figure import Figure, Record
from uat.figures.style import PAGE, SERIES, canvas

Rows = Sequence[dict[str, Any]]


def draw(record: Record) -> matplotlib.figure.Figure:
    """Seconds on the left, peak memory on the right; the slope of each fit stands in the legend."""
    figure = canvas(PAGE, 3.2)
    panels = figure.subplots(1, 2)
    for way, (name, rows) in zip(SERIES * 4, _series(record), strict=False):
        fit = next((fit for fit in record["fits"] if all(fit.get(key) in (None, rows[0].get(key))
                                                         for key in ("architecture", "dtype", "device"))), {})
        for axes, key, exponent in ((panels[0], "seconds", "time_exponent"), (panels[1], "peak_bytes", "memory_exponent")):
            shown = [row for row in rows if row.get(key)]
            if not shown:
                continue
            n, cost = np.array([row["n"] for row in shown]), np.array([row[key] for row in shown], dtype=float)
            slope = "" if fit.get(exponent) is None else f"  n^{fit[exponent]:.2f}"
            if key == "seconds" and all(row.get("seconds_low") and row.get("seconds_high") for row in shown):
                low, high = (np.array([row[end] for row in shown]) for end in ("seconds_low", "seconds_high"))
                axes.fill_between(n, np.minimum(low, cost), np.maximum(high, cost), color=way["color"], alpha=0.2, linewidth=0)
            axes.loglog(n, cost, label=name + slope, **way)
    for axes, label in ((panels[0], "seconds a sequence"), (panels[1], "peak memory in bytes")):
        axes.set_xlabel("tokens n")
        axes.set_ylabel(label)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=6.5, columnspacing=1.0)
    return figure


def _series(record: Record) -> list[tuple[str, Rows]]:
    """Return the rows of every architecture, number format and device that was measured, lengths increasing."""
    rows: Rows = record["rows"]
    keys = list(dict.fromkeys((row["architecture"], row.get("dtype"), row.get("device")) for row in rows))
    different = [k for k in (1, 2) if len({key[k] for key in keys}) > 1]
    series = []
    for key in keys:
        mine = sorted((row for row in rows if (row["architecture"], row.get("dtype"), row.get("device")) == key),
                      key=lambda row: int(row["n"]))
        series.append((" ".join([key[0], *(str(key[k]) for k in different)]), mine))
    return series


def caption(record: Record) -> str:
    """Say how each architecture grows, and where they cross."""
    slopes = [f"{fit['architecture']} n^{fit['time_exponent']:.2f}" for fit in record["fits"]
              if fit.get("time_exponent") is not None]
    return (f"Time and memory of one forward pass against the number of tokens, both axes logarithmic. Fitted growth of time: "
            f"{', '.join(dict.fromkeys(slopes)) or 'none'}.")


FIGURE = Figure("cost", draw, caption, kind="bench", made_with="python -m uat bench")
