"""figure-2: the paper's experiment, relative L2 error over token dimension d and latent dimension d'."""

from __future__ import annotations

from typing import Any

import matplotlib.figure
import numpy as np

from uat.figures.figure import Figure, Record
from uat.figures.style import COLUMN, HEAT, PAGE, canvas, plain

Cells = dict[tuple[int, int], float]  # by d' and d


def draw(record: Record) -> matplotlib.figure.Figure:
    """One heat map a model, the logarithm of the error as colour and number; what was not run is hatched."""
    tables = _tables(record)
    latent = sorted({key[0] for cells in tables.values() for key in cells})
    dimensions = sorted({key[1] for cells in tables.values() for key in cells})
    logs = {model: _logarithms(cells, latent, dimensions) for model, cells in tables.items()}
    low, high = min(np.nanmin(table) for table in logs.values()), max(np.nanmax(table) for table in logs.values())
    figure = canvas(COLUMN if len(tables) == 1 else PAGE, min(5.5, 1.2 + 0.22 * len(latent)))
    panels = figure.subplots(1, len(tables), squeeze=False, sharey=True)[0]
    for axes, (model, table) in zip(panels, logs.items(), strict=True):
        shown = axes.imshow(np.ma.masked_invalid(table), origin="lower", aspect="auto", cmap=HEAT, vmin=low, vmax=high)
        axes.patch.set(facecolor="white", hatch="////", edgecolor="#999999")
        for row, column in zip(*np.nonzero(np.isfinite(table)), strict=True):
            dark = table[row, column] < low + 0.55 * (high - low)
            axes.text(column, row, f"{table[row, column]:.1f}", ha="center", va="center", fontsize=6,
                      color="white" if dark else "black")
        axes.set_xticks(range(len(dimensions)), [str(d) for d in dimensions])
        axes.set_yticks(range(len(latent)), [str(d) for d in latent])
        axes.set_xlabel("token dimension d")
        axes.set_title(plain(model))
    panels[0].set_ylabel("latent dimension d'")
    figure.colorbar(shown, ax=list(panels), label="log₁₀ of the relative L2 error", pad=0.02)
    return figure


def _tables(record: Record) -> dict[str, Cells]:
    """Return for every model the mean error over all runs of a cell."""
    found: dict[str, dict[tuple[int, int], list[float]]] = {}
    for row in record["rows"]:
        if row.get("relative_l2"):
            cell = int(row["d_latent"]), int(row["d"])
            found.setdefault(str(row.get("model", "")), {}).setdefault(cell, []).append(float(row["relative_l2"]))
    if not found:
        raise ValueError("no row has d, d_latent and relative_l2")
    return {model: {cell: float(np.mean(values)) for cell, values in cells.items()} for model, cells in found.items()}


def _logarithms(cells: Cells, latent: list[int], dimensions: list[int]) -> Any:
    """Return log10 of the errors, d' down and d across, NaN where nothing was run."""
    return np.array([[np.log10(cells[d_latent, d]) if (d_latent, d) in cells else np.nan for d in dimensions]
                     for d_latent in latent])


def caption(record: Record) -> str:
    """Say for every model where the error is largest and smallest."""
    said = []
    for model, cells in _tables(record).items():
        best, worst = min(cells, key=cells.__getitem__), max(cells, key=cells.__getitem__)
        said.append(f"{model or 'all'}: from {cells[best]:.2g} at d = {best[1]}, d' = {best[0]} to {cells[worst]:.2g} at "
                    f"d = {worst[1]}, d' = {worst[0]}")
    return (f"Relative L2 error of trained Sumformers over token dimension d and latent dimension d'; numbers are logarithms to "
            f"base 10. {'; '.join(said)}.")


FIGURE = Figure("figure-2", draw, caption, kind="experiment", title="figure-2", made_with="python -m uat experiment figure-2")
