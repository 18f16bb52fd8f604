"""band: f and the networks along a slice of sequences, inside the certified band f +- bound; their difference below."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import matplotlib.figure
import numpy as np

from constructions.errors import Refused
from proofs_check.decimals import decimal_above, decimal_below
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.slices import axis_label, laid_out, outputs, shape
from uat.figures.style import BLACK, BLUE, COLUMN, SKY, VERMILLION, canvas

POINTS = 601


def gather(given: Gathering) -> dict[str, Any]:
    """Move the own token of the worst sequence found across the domain; the other tokens stay where they are."""
    run = given.opened()
    witness, own = laid_out(given.worst())
    tokens = np.repeat(witness[None], POINTS, axis=0)
    t = np.linspace(*run.ends(0), POINTS)
    tokens[:, own, 0] = t
    f, S = run.rounded_target.numpy(tokens)[:, own], run.values(tokens)[:, own]
    k = int(np.abs(f - S).max(axis=0).argmax())
    curves = {"sumformer": S[:, k].tolist()}
    for architecture in run.architectures[:1]:
        try:
            curves[architecture.name] = run.attended(architecture, tokens)[:, own, k].tolist()
        except Refused:  # weights beyond machine arithmetic: there is no dense network to run
            continue
    others = np.delete(tokens[0], own, axis=0)
    return {"target": run.target.name, "expression": run.target.text, "n": tokens.shape[1], **shape(run.target), "own": own,
            "output": k, "others": others[:32].tolist(), "status": str(run.files.certificate["status"]),
            "bound": str(run.claim.bound), "t": t.tolist(), "f": f[:, k].tolist(), "networks": curves}


def draw(record: Record) -> matplotlib.figure.Figure:
    """Two panels on one axis: values, and differences from f between the lines +- bound."""
    bound, t, f = float(Fraction(record["bound"])), np.array(record["t"]), np.array(record["f"])
    figure = canvas(COLUMN, 3.3)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.fill_between(t, f - bound, f + bound, color=SKY, alpha=0.5, linewidth=0, label="f ± bound")
    above.plot(t, f, color=BLACK, linewidth=0.9, label="f")
    above.set_ylabel("value" if outputs(record) == 1 else f"output {record['output']}")
    below.axhspan(-bound, bound, color=SKY, alpha=0.5, linewidth=0)
    below.axhline(0, color=BLACK, linewidth=0.6)
    ways: tuple[dict[str, Any], ...] = ({"color": BLUE, "linestyle": "-", "linewidth": 1.0},
                                        {"color": VERMILLION, "linestyle": (0, (2, 3)), "linewidth": 2.0})
    for way, (name, values) in zip(ways, record["networks"].items(), strict=False):
        above.plot(t, values, label=name, **way)
        below.plot(t, np.array(values) - f, **way)
    for sign in (-1, 1):
        below.axhline(sign * bound, color=BLACK, linestyle="--", linewidth=0.8)
    below.set_ylim(-1.45 * bound, 1.45 * bound)
    below.annotate(f"+ {decimal_above(Fraction(record['bound']), 3)}", (t[-1], bound), (0, 2), textcoords="offset points",
                   ha="right", va="bottom", fontsize=6.5)
    below.set_ylabel("network \N{MINUS SIGN} f")
    below.set_xlabel(axis_label("own token", record))
    below.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def caption(record: Record) -> str:
    """Say how far the networks are from f along the slice."""
    gap = max(float(np.abs(np.array(values) - np.array(record["f"])).max()) for values in record["networks"].values())
    names = " and ".join(record["networks"])
    drawn = "" if outputs(record) == 1 else f"Output {record['output']} (of {outputs(record)}, from 0) of "
    return (f"{drawn}f and the {names} along sequences of {record['n']:,} tokens in which the own token moves across the domain "
            f"and the others stay at the worst place found. The largest difference at the {len(record['t'])} points drawn is "
            f"{decimal_below(Fraction(gap), 3)}; the band drawn around f has half the width "
            f"{decimal_above(Fraction(record['bound']), 3)}, the bound.")


FIGURE = Figure("band", draw, caption, gather, about_run=True, made_with="python -m uat construct --target f --eps 1e-2")
