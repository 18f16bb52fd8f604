"""``budget``: where the certified error of each named target comes from, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from proofs_check.kernel import Status
from uat.tables.cells import Cell, fixed, missing, tolerance, upper, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import constructions
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (Column("target", "target"), Column("steps", "steps", share=0.45), Column("status", "status"),
           Column("share of the bound", "share_at_most", True), Column("%", "percent", True))
CERTIFIED = ("proved", "certified", "assumed")


def table(record: Record) -> Table:
    """Print the certificate's steps of one run a target; steps that cost nothing share a row."""
    targets = dict.fromkeys(run["target"] for run in record["runs"])
    chosen = {name: _chosen([run for run in record["runs"] if run["target"] == name]) for name in targets}
    rows = [row for run in chosen.values() if run for row in _rows(run)]
    without = [name for name, run in chosen.items() if run is None]
    notes = ["Shares are exact fractions in the record and are rounded up here; they add up to the bound. For each target: the "
             "smallest tolerance that was reached, by the construction with the fewest non-zero parameters. Steps with share 0 "
             "hold exactly." + (f" Nothing is certified for {', '.join(without)}." if without else "")]
    return Table("budget", "Error budget of the named targets: the steps of the certificate and their shares of the bound.",
                 COLUMNS, tuple(rows), tuple(notes), grouped=1, headed=True)


def _chosen(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    proved = [run for run in runs if run["status"] in CERTIFIED]
    return min(proved, key=lambda run: (Fraction(run["eps"]), run["architectures"]["sumformer"]["n_nonzero"]), default=None)


def _rows(run: dict[str, Any]) -> Iterator[tuple[Cell, ...]]:
    title = words(f"{run['target']}, {run['method']}, eps = {run['eps']}", latex=_title(run))
    steps = [(step["step"], step["status"], Fraction(step["bound"])) for step in run["budget"]]
    total = sum((bound for _, _, bound in steps), Fraction(0))
    if total != Fraction(run["certified_bound_exact"]):
        raise ValueError(f"the shares of {run['target']} add up to {total}, not to {run['certified_bound_exact']}")
    free = [(name, status) for name, status, bound in steps if not bound]
    if free:
        weakest = max((Status(status) for _, status in free), key=lambda status: status.rank)
        yield title, words(", ".join(dict.fromkeys(name for name, _ in free))), words(weakest.value), upper(0), fixed(0, 1)
    for name, status, bound in steps:
        if bound:
            yield title, words(name), words(status), upper(bound), fixed(float(100 * bound / total), 1)
    yield title, words("together"), words(run["status"]), upper(total), missing() if not total else fixed(100, 1)


def _title(run: dict[str, Any]) -> str:
    from uat.tables.escaping import latex_text

    return f"{latex_text(run['target'])}, {latex_text(run['method'])}, $\\varepsilon=$ {tolerance(run['eps']).latex}"


KIND = Kind("budget", "error budget of each named target, step by step", constructions.SOURCE, table)
