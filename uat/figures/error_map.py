"""error-map: where the error is, over the own token and one other token."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import matplotlib.figure
import numpy as np

from proofs_check.decimals import decimal_above, decimal_below
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.slices import axis_label, laid_out, outputs, shape
from uat.figures.style import COLUMN, HEAT, canvas
from uat.sampling import Sampled
from uat.stored_run import StoredRun

POINTS = {False: 101, True: 301}
NUMBERS = 2**22  # of tokens held at once
MAP = "a map of the errors around the worst sequence of the search"


def gather(given: Gathering) -> dict[str, Any]:
    """Evaluate |f - S| with the own token and one other moved across the domain, the rest as in the worst sequence found."""
    run, searched = given.opened(), given.worst()
    plane = _through(run, searched, given.full)
    found = _worse(run, searched, plane)
    tokens, own = laid_out(found)
    return {"target": run.target.name, "expression": run.target.text, "n": len(tokens), "d": run.target.d, **shape(run.target),
            "own": own, "other": plane.other, "status": str(run.files.certificate["status"]), "bound": str(run.claim.bound),
            "sampled_max": found.maximum, "found_by": found.found_by,
            "witness": [float(tokens[own, 0]), float(tokens[plane.other, 0])], "t": plane.t.tolist(),
            "error": np.round(plane.error, _digits(run.claim.bound)).tolist()}


def _digits(bound: Fraction) -> int:
    """Return how many decimals are stored: twelve, or more where the bound itself is small."""
    return min(300, 12 + max(0, -math.floor(math.log10(bound)))) if bound else 12


def worst(given: Gathering) -> Sampled:
    """Return the worst sequence of the search, or of the map through it: a map is a search too, and may come out above.

    Where the map is of a shorter length than the run's, it says nothing about what was found there.
    """
    if given.shortened and given.found is not None:
        return given.found
    run, searched = given.opened(), given.worst()
    return _worse(run, searched, _through(run, searched, given.full))


@dataclass(frozen=True, eq=False)
class _Plane:
    """Sequences in which two tokens move along ``t`` in coordinate 0, and |f - S| of them: ``error[other, own]``."""

    rest: np.ndarray
    own: int
    other: int
    t: np.ndarray
    error: np.ndarray

    def sequences(self, others: np.ndarray) -> np.ndarray:
        """Return what some rows of the map look at, shape (rows, places of the own token, n, d)."""
        tokens = np.broadcast_to(self.rest, (len(others), len(self.t), *self.rest.shape)).copy()
        tokens[..., self.own, 0], tokens[..., self.other, 0] = self.t[None, :], others[:, None]
        return tokens


def _through(run: StoredRun, found: Sampled, full: bool) -> _Plane:
    rest, own = laid_out(found)
    t = np.linspace(*run.ends(0), POINTS[full])
    plane = _Plane(rest, own, (own + 1) % len(rest), t, np.empty((len(t), len(t))))
    rows = max(1, NUMBERS // (len(t) * rest.size))
    for first in range(0, len(t), rows):
        gaps = run.gaps(plane.sequences(t[first:first + rows]))[..., own, :]
        plane.error[first:first + rows] = np.abs(gaps).max(axis=-1)
    return plane


def _worse(run: StoredRun, found: Sampled, plane: _Plane) -> Sampled:
    row, column = np.unravel_index(int(plane.error.argmax()), plane.error.shape)
    tokens = plane.sequences(plane.t[[row]])[0, column]
    maximum = run.error_at(tokens, plane.own)
    if not maximum > found.maximum:
        return found
    return replace(found, maximum=maximum, witness=tokens.tolist(), counts=None, own=plane.own, found_by=MAP,
                   samples=found.samples + plane.error.size, refutes=maximum > run.claim.bound)


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
    axes.set_xlabel(axis_label("own token", record))
    axes.set_ylabel(axis_label("another token", record))
    which = "up to the bound" if outputs(record) == 1 else f"the largest of {outputs(record)} outputs"
    bar = figure.colorbar(shown, ax=axes, label=f"|f \N{MINUS SIGN} S|, {which}")
    bar.ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    return figure


def caption(record: Record) -> str:
    """Say how large the error gets on the map, and what the circle marks."""
    error, sampled = np.array(record["error"]), record["sampled_max"]
    largest = min(error.max(), sampled) if "found_by" in record else error.max()  # above it by the rounding that balls take off
    several = "" if outputs(record) == 1 else f", the largest of {outputs(record)} outputs,"
    said = (f"Error |f - S|{several} over the own token and one other, in sequences of {record['n']:,} tokens; the rest are "
            f"those of the worst sequence of the search. The largest of these {error.size:,} values is "
            f"{decimal_below(Fraction(largest), 3)}, their average {decimal_below(Fraction(error.mean()), 3)}; colours end at "
            f"the bound {decimal_above(Fraction(record['bound']), 3)}.")
    if record.get("found_by") == MAP:
        return f"{said} The circle marks the largest, which the search did not find."
    return f"{said} The circle marks the worst error of the search, {decimal_below(Fraction(sampled), 3)}."


FIGURE = Figure("error-map", draw, caption, gather, about_run=True, made_with="python -m uat construct --target f --eps 1e-2")
