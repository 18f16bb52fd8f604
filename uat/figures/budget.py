"""budget: the shares of the error that add up to the certified bound, below the tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import matplotlib.figure
from matplotlib.ticker import MaxNLocator

from proofs_check.decimals import decimal_above, shortest_above
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.style import BLACK, BLUE, COLUMN, GREEN, ORANGE, canvas
from uat.many_shares import grouped


def up_to(bound: Fraction, steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return steps whose shares add up to the bound: what a rounded bound leaves above their sum is a share of its own.

    Raises:
        ValueError: they add up to more than the bound, so that they do not prove it.
    """
    rest = bound - sum((Fraction(str(step["bound"])) for step in steps), Fraction(0))
    if rest < 0:
        raise ValueError("the shares add up to more than the bound")
    quoted = {"step": "quoted-bound", "statement": "what the quoted bound leaves above the sum of the steps", "status": "proved",
              "bound": str(rest)}
    return [*map(dict, steps), *([quoted] if rest else [])]


def content(steps: Sequence[Mapping[str, Any]], bound: Fraction, eps: Fraction, status: str, name: str) -> dict[str, Any]:
    """Return the record of a budget: steps with their exact shares, the bound, the tolerance."""
    return {"target": name, "status": status, "bound": str(bound), "eps": str(eps),
            "steps": up_to(bound, steps)}


def gather(given: Gathering) -> dict[str, Any]:
    """Read the budget of the run's certificate."""
    files = given.opened().files
    return content(list(files.certificate["budget"]), Fraction(files.certificate["bound"]), Fraction(files.plan["eps"]),
                   str(files.certificate["status"]), str(files.certificate["claim"]["target"]))


def _shares(record: Record) -> list[tuple[str, Fraction, str, int]]:
    """Return name, share, status and number of all steps that have a share; many of one kind are one, with their sum.

    Raises:
        ValueError: the shares do not add up to the bound.
    """
    rows = [row for row in record["steps"] if Fraction(row["bound"])]
    shares = [(group[0]["step"], sum((Fraction(row["bound"]) for row in group), Fraction(0)), group[0]["status"], len(group))
              for group in grouped(rows, lambda row: (row["step"], row["status"]))]
    if sum((share for _, share, _, _ in shares), Fraction(0)) != Fraction(record["bound"]):
        raise ValueError("the shares do not add up to the bound")
    return shares


def draw(record: Record) -> matplotlib.figure.Figure:
    """A waterfall from the first share to the bound; a dashed line where the tolerance is."""
    bound, eps = float(Fraction(record["bound"])), float(Fraction(record["eps"]))
    bars = _shares(record)
    figure = canvas(COLUMN, 0.95 + 0.24 * (len(bars) + 1))
    axes = figure.subplots()
    start, reach = Fraction(0), max(bound, eps)
    for k, (_, share, status, _) in enumerate(bars):
        axes.barh(k, float(share), left=float(start), height=0.62, edgecolor=BLACK, linewidth=0.6,
                  color=ORANGE if status == "assumed" else BLUE, hatch="////" if status == "assumed" else "")
        start += share
        axes.plot([float(start)] * 2, [k - 0.31, k + 1.31], color=BLACK, linewidth=0.5, linestyle=":")
        _number(axes, k, float(start - share), float(start), decimal_above(share, 3), reach)
    axes.barh(len(bars), bound, height=0.62, color="white", edgecolor=GREEN, linewidth=1.6, hatch="xx")
    _number(axes, len(bars), 0, bound, decimal_above(Fraction(record["bound"]), 3), reach)
    axes.axvline(eps, color=BLACK, linestyle="--", linewidth=1.0)
    axes.annotate(f"eps = {shortest_above(Fraction(record['eps']))}", (eps, 1), (0, 2),
                  xycoords=("data", "axes fraction"), textcoords="offset points", ha="right", va="bottom", fontsize=7)
    names = [name if number == 1 else f"{number} x {name}" for name, _, _, number in bars]
    axes.set_yticks(range(len(bars) + 1), [*names, "bound"])
    axes.set_ylim(len(bars) + 0.6, -0.6)
    axes.set_xlim(0, 1.04 * reach)
    axes.set_xlabel("bound on |f \N{MINUS SIGN} T|, shares added up")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}")  # an offset would stand on the label
    return figure


def _number(axes: Any, row: int, left: float, right: float, text: str, reach: float) -> None:
    """Write a number where there is room: inside its bar, after it, or before it; never over the names on the left."""
    if right - left > 0.3 * reach:
        axes.text((left + right) / 2, row, text, ha="center", va="center", fontsize=6.5, color=BLACK,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2})
    elif right < 0.7 * reach:
        axes.text(right + 0.015 * reach, row, text, ha="left", va="center", fontsize=6.5)
    else:
        axes.text(left - 0.015 * reach, row, text, ha="right", va="center", fontsize=6.5)


def caption(record: Record) -> str:
    """List the shares and their sum."""
    listed = ", ".join(f"{name} {decimal_above(share, 3)}" if number == 1 else
                       f"{number} of {name} together {decimal_above(share, 3)}" for name, share, _, number in _shares(record))
    exact = sum(1 for row in record["steps"] if not Fraction(row["bound"]))
    return (f"Shares of the bound: {listed or 'none'}; together {decimal_above(Fraction(record['bound']), 6)}, and the tolerance "
            f"is {shortest_above(Fraction(record['eps']))}. {exact} further steps are exact and have no share.")


FIGURE = Figure("budget", draw, caption, gather, about_run=True, made_with="python -m uat construct --target f --eps 1e-2")
