"""figure-2: the paper's experiment, relative L2 error over token dimension d and latent dimension d'."""

from __future__ import annotations

import matplotlib.figure
import numpy as np

from uat.figures.figure import Figure, Record
from uat.figures.style import COLUMN, HEAT, PAGE, canvas


def draw(record: Record) -> matplotlib.figure.Figure:
    """A heat map of the logarithm of the error, each cell with its number; what was not run is hatched."""
    latent, dimensions, error = _table(record)
    figure = canvas(COLUMN if len(dimensions) <= 8 else PAGE, min(5.5, 1.2 + 0.26 * len(latent)))
    axes = figure.subplots()
    with np.errstate(divide="ignore"):
        logs = np.log10(np.where(error > 0, error, np.nan))
    axes.set_facecolor("white")
    axes.patch.set(hatch="////", edgecolor="#999999")
    shown = axes.imshow(np.ma.masked_invalid(logs), origin="lower", aspect="auto", cmap=HEAT)
    low, high = shown.get_clim()
    for row, column in zip(*np.nonzero(np.isfinite(error)), strict=True):
        dark = np.isfinite(logs[row, column]) and logs[row, column] < low + 0.55 * (high - low)
        axes.text(column, row, _short(error[row, column]), ha="center", va="center", fontsize=5.2,
                  color="white" if dark else "black")
    axes.set_xticks(range(len(dimensions)), [str(d) for d in dimensions])
    axes.set_yticks(range(len(latent)), [str(d) for d in latent])
    axes.set_xlabel("token dimension d")
    axes.set_ylabel("latent dimension d'")
    figure.colorbar(shown, ax=axes, label="log₁₀ of the relative L2 error")
    return figure


def _short(value: float) -> str:
    """Return two digits and an exponent, in few characters."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _table(record: Record) -> tuple[list[int], list[int], np.ndarray]:
    """Return d', d and the mean error of all runs of a cell, NaN where there is none."""
    cells: dict[tuple[int, int], list[float]] = {}
    for row in record["rows"]:
        if row.get("relative_l2") is not None and row.get("d_latent") is not None:
            cells.setdefault((int(row["d_latent"]), int(row["d"])), []).append(float(row["relative_l2"]))
    if not cells:
        raise ValueError("no row has d, d_latent and relative_l2")
    latent, dimensions = sorted({key[0] for key in cells}), sorted({key[1] for key in cells})
    error = np.full((len(latent), len(dimensions)), np.nan)
    for (d_latent, d), values in cells.items():
        error[latent.index(d_latent), dimensions.index(d)] = float(np.mean(values))
    return latent, dimensions, error


def caption(record: Record) -> str:
    """Say where the error is largest and smallest."""
    latent, dimensions, error = _table(record)
    worst, best = (np.unravel_index(found, error.shape) for found in (np.nanargmax(error), np.nanargmin(error)))
    return (f"Relative L2 error of trained Sumformers over token dimension d ({dimensions[0]} to {dimensions[-1]}) and latent "
            f"dimension d' ({latent[0]} to {latent[-1]}): from {error[best]:.2g} at d = {dimensions[best[1]]}, d' = "
            f"{latent[best[0]]} to {error[worst]:.2g} at d = {dimensions[worst[1]]}, d' = {latent[worst[0]]}.")


FIGURE = Figure("figure-2", draw, caption, kind="experiment", title="figure-2", made_with="python -m uat experiment figure-2")
