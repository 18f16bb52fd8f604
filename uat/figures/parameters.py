"""parameters: what accuracy costs, error against non-zero parameters for every construction that applies."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import matplotlib.figure

from constructions.errors import Refused
from constructions.survey import methods
from proofs_check.kernel import Certificate, decimal_above
from uat import pipeline
from uat.figures.figure import LOOKS, Figure, Gathering, Record
from uat.figures.style import PAGE, SERIES, canvas, plain
from uat.request import Request

TARGETS = ("f", "own-times-mean")
TOLERANCES = {False: ("1e-1", "3e-2", "1e-2", "1e-3", "1e-4"),
              True: ("1e-1", "3e-2", "1e-2", "3e-3", "1e-3", "3e-4", "1e-4", "1e-5", "1e-6", "1e-8")}
LARGEST_TABLE = {False: 2**19, True: 2**22}


def gather(given: Gathering) -> dict[str, Any]:
    """Construct, prove and search with every method at every tolerance; what is refused is kept with its reason."""
    rows, refused = [], []
    asked = [(target, method) for target in TARGETS for method in methods() if method != "auto"]
    for done, (target, method) in enumerate(asked):
        given.report("constructions", done, len(asked))
        for eps in TOLERANCES[given.full]:
            reason, row = _one(target, method, eps, given)
            if reason:  # a smaller tolerance would not be easier
                refused.append({"target": target, "method": method, "eps": eps, "reason": reason})
                break
            rows.append(row)
    return {"n": 3, "rows": rows, "refused": refused}


def _one(target: str, method: str, eps: str, given: Gathering) -> tuple[str, dict[str, Any]]:
    request = Request(target, eps, n=3, method=method, architecture="sumformer", max_table=LARGEST_TABLE[given.full],
                      seed=given.seed)
    try:
        outcome = pipeline.run(request, 3, (3,), samples=LOOKS[given.full], device="cpu", report=given.report)
    except Refused as refusal:
        return str(refusal), {}
    if not isinstance(outcome.verdict, Certificate):
        return f"not certified: {outcome.verdict.reason}", {}
    network, found = outcome.construction.sumformer, outcome.sampled[0]
    return "", {"target": target, "method": method, "eps": eps, "n_nonzero": network.n_nonzero, "d_latent": network.d_latent,
                "depth": network.depth, "every_n": outcome.construction.every_n, "status": outcome.verdict.status.value,
                "certified": str(outcome.verdict.claim.bound), "sampled_max": found.maximum}


def draw(record: Record) -> matplotlib.figure.Figure:
    """One panel a target: filled marks are proved bounds, hollow ones the largest error found, a line joins the two."""
    targets = list(dict.fromkeys(row["target"] for row in record["rows"]))
    methods = list(dict.fromkeys(row["method"] for row in record["rows"]))
    figure = canvas(PAGE, 3.0)
    panels = figure.subplots(1, len(targets), squeeze=False, sharey=True)[0]
    for axes, target in zip(panels, targets, strict=True):
        for k, (way, method) in enumerate(zip(SERIES, methods, strict=False)):
            rows = [row for row in record["rows"] if (row["target"], row["method"]) == (target, method)]
            if not rows:
                continue
            size, bound = [row["n_nonzero"] for row in rows], [float(Fraction(row["certified"])) for row in rows]
            axes.plot(size, bound, label=method, **way, markersize=7 - k)  # methods that coincide: the smaller on the larger
            found = [(row["n_nonzero"], row["sampled_max"], b) for row, b in zip(rows, bound, strict=True) if row["sampled_max"]]
            axes.vlines([x for x, _, _ in found], [low for _, low, _ in found], [b for _, _, b in found], color=way["color"],
                        linewidth=0.8)
            axes.plot([x for x, _, _ in found], [low for _, low, _ in found], color=way["color"], marker=way["marker"],
                      linestyle="none", markerfacecolor="white", markeredgewidth=0.8,
                      markersize=6 - k)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(plain(target))
        axes.set_xlabel("non-zero parameters of the Sumformer")
    panels[0].set_ylabel("sup error")
    handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5,
                  title="filled: certified bound; hollow: largest error found", title_fontsize=7)
    return figure


def caption(record: Record) -> str:
    """Say how far each method went."""
    last = {(row["target"], row["method"]): row for row in record["rows"]}
    listed = "; ".join(f"{target} by {method}: {row['n_nonzero']:,} parameters for {decimal_above(Fraction(row['certified']), 2)}"
                       for (target, method), row in last.items())
    return f"Certified error against non-zero parameters, sequences of {record['n']} tokens. The most accurate of each: {listed}."


FIGURE = Figure("parameters", draw, caption, gather)
