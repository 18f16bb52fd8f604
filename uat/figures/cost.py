"""cost: seconds and memory of a forward pass against the number of tokens, log-log, with the fitted slopes."""

from __future__ import annotations

from typing import Any

import matplotlib.figure

from uat.figures.figure import Figure, Record
from uat.figures.style import PAGE, SERIES, canvas, plain

Rows = list[dict[str, Any]]
Key = tuple[str, str | None, str | None]  # architecture, number format, device


def draw(record: Record) -> matplotlib.figure.Figure:
    """Seconds on the left, peak memory on the right; the fitted slopes stand in the legend."""
    series = _series(record)
    if not series:
        raise ValueError("no rows")
    figure = canvas(PAGE, 2.9 + 0.075 * len(series))
    panels = figure.subplots(1, 2)
    names = list(dict.fromkeys(key[0] for key, _ in series))
    variants = list(dict.fromkeys(key[1:] for key, _ in series))
    spelt = _names([key for key, _ in series])
    for key, rows in series:
        way = SERIES[names.index(key[0]) % len(SERIES)] | (
            {"markerfacecolor": "white", "linewidth": 0.8} if variants.index(key[1:]) % 2 else {})
        label = plain(spelt[key]) + _slopes(record, key)
        for axes, cost in ((panels[0], "seconds"), (panels[1], "peak_bytes")):
            _curve(axes, rows, cost, label, way)
    for axes, label in ((panels[0], "seconds a sequence"), (panels[1], "peak memory in bytes")):
        axes.set_xlabel("tokens n")
        axes.set_ylabel(label)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=6.5)
    return figure


def _names(keys: list[Key]) -> dict[Key, str]:
    """Name architectures, with the number format and the device where there are several."""
    several = [k for k in (1, 2) if len({key[k] for key in keys}) > 1]
    return {key: " ".join([key[0], *(str(key[k]) for k in several)]) for key in keys}


def _series(record: Record) -> list[tuple[Key, Rows]]:
    """Return the rows of every architecture, number format and device that was measured, lengths increasing."""
    rows: dict[Key, Rows] = {}
    for row in sorted(record["rows"], key=lambda row: int(row["n"])):
        rows.setdefault((row["architecture"], row.get("dtype"), row.get("device")), []).append(row)
    names = [row["architecture"] for row in record["rows"]]
    return [(key, rows[key]) for key in sorted(rows, key=lambda key: names.index(key[0]))]


def _slopes(record: Record, key: Key) -> str:
    fits = (fit for fit in record["fits"] if all(fit.get(name) in (None, value) for name, value in
                                                 zip(("architecture", "dtype", "device"), key, strict=True)))
    fit: dict[str, Any] = next(fits, {})
    shown = [f"{what} $n^{{{fit[name]:.2f}}}$" for what, name in (("time", "time_exponent"), ("memory", "memory_exponent"))
             if fit.get(name) is not None]
    return ": " + ", ".join(shown) if shown else ""


def _curve(axes: Any, rows: Rows, cost: str, label: str, way: dict[str, Any]) -> None:
    shown = [row for row in rows if row.get(cost)]
    if not shown:
        return
    n, value = [row["n"] for row in shown], [float(row[cost]) for row in shown]
    if cost == "seconds" and all(row.get("seconds_low") and row.get("seconds_high") for row in shown):
        axes.fill_between(n, [row["seconds_low"] for row in shown], [row["seconds_high"] for row in shown], color=way["color"],
                          alpha=0.12, linewidth=0)
    axes.loglog(n, value, label=label, **way)


def caption(record: Record) -> str:
    """Say how each architecture grows, and where they cross."""
    exponents: dict[Key, float] = {(fit["architecture"], fit.get("dtype"), fit.get("device")): fit["time_exponent"]
                                   for fit in record["fits"] if fit.get("time_exponent") is not None}
    slopes = [f"{name} n^{exponents[key]:.2f}" for key, name in _names(list(exponents)).items()]
    return (f"Time and memory of one forward pass against the number of tokens, both axes logarithmic. Fitted growth of time: "
            f"{', '.join(slopes) or 'none'}.")


FIGURE = Figure("cost", draw, caption, kind="bench", made_with="python -m uat bench --out bench.json")
