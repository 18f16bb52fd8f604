"""error-map: where the error is, over the own token and one other token."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import matplotlib.figure
import numpy as np

from proofs_check.decimals import decimal_above, decimal_below
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.style import COLUMN, HEAT, canvas

POINTS = {False: 101, True: 301}
NUMBERS = 2**22  # of tokens held at once


def gather(given: Gathering) -> dict[str, Any]:
    """Evaluate |f - S| with the own token and one other moved across the domain, the rest as in the worst sequence found."""
    run, found = given.opened(), given.worst()
    witness = np.asarray(found.witness, dtype=np.float64)
    if found.counts is not None:
        witness = np.repeat(witness, found.counts, axis=0)
    own = 0 if found.counts is not None else found.own
    other = (own + 1) % len(witness)
    low, high = (float(end) for end in run.target.box.sides[0])
    t = np.linspace(low, high, POINTS[given.full])
    error = np.empty((len(t), len(t)))
    rows = max(1, NUMBERS // (len(t) * witness.size))
    for first in range(0, len(t), rows):
        part = t[first:first + rows]
        tokens = np.broadcast_to(witness, (len(part), len(t), *witness.shape)).copy()
        tokens[..., own, 0], tokens[..., other, 0] = t[None, :], part[:, None]
        gap = run.target.numpy(tokens)[..., own, :] - run.values(tokens)[..., own, :]
        error[first:first + rows] = np.abs(gap).max(axis=-1)
    return {"target": run.target.name, "expression": run.target.text, "n": len(witness), "d": run.target.d, "own": own,
            "other": other, "status": str(run.files.certificate["status"]), "bound": str(run.claim.bound),
            "sampled_max": found.maximum, "witness": [float(witness[own, 0]), float(witness[other, 0])], "t": t.tolist(),
            "error": np.round(error, 12).tolist()}


def draw(record: Record) -> matplotlib.figure.Figure:
    """A heat map from 0 to the bound, the place of the worst error found marked."""
    t, bound = np.array(record["t"]), float(Fraction(record["bound"]))
    figure = canvas(COLUMN, 2.75)
    axes = figure.subplots()
    shown = axes.imshow(np.array(record["error"]), origin="lower", extent=(t[0], t[-1], t[0], t[-1]), cmap=HEAT, vmin=0,
                        vmax=bound, interpolation="nearest", aspect="auto")
    axes.plot(*record["witness"], marker="o", markersize=7, markerfacecolor="none", markeredgecolor="black",
              markeredgewidth=2.4, clip_on=False)
    axes.plot(*record["witness"], marker="o", markersize=7, markerfacecolor="none", markeredgecolor="white",
              markeredgewidth=1.0, clip_on=False)
    coordinate = ", coordinate 0" if record["d"] > 1 else ""
    axes.set_xlabel(f"own token{coordinate}")
    axes.set_ylabel(f"another token{coordinate}")
    bar = figure.colorbar(shown, ax=axes, label="|f \N{MINUS SIGN} S|, up to the bound")
    bar.ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    return figure


def caption(record: Record) -> str:
    """Say how large the error gets on the map."""
    error = np.array(record["error"])
    bound = decimal_above(Fraction(record["bound"]), 3)
    return (f"Error |f - S| over the own token and one other, in sequences of {record['n']:,} tokens; the rest are those of the "
            f"worst sequence found. The largest of these {error.size:,} values is "
            f"{decimal_below(Fraction(error.max()), 3)}, their average {decimal_below(Fraction(error.mean()), 3)}; colours "
            f"end at the bound {bound}. "
            f"The circle marks the worst error of the search, {decimal_below(Fraction(record['sampled_max']), 3)}.")


FIGURE = Figure("error-map", draw, caption, gather, about_run=True, made_with="python -m uat construct --target f --eps 1e-2")
