"""``error``: certified and sampled error against eps, by target and construction."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

from uat.tables.cells import Cell, count, lower, missing, tolerance, upper, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import constructions
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("target", "target"),
    Column("construction", "construction"),
    Column("for", "holds_for"),
    Column("sampled at $n$", "sampled_n", True, csv_only=True),
    Column(r"$\varepsilon$", "eps", True),
    Column("certified", "certified_at_most", True),
    Column("sampled", "sampled_at_least", True),
    Column("tightness", "tightness_at_most", True),
    Column("$d'$", "d_latent", True),
    Column("non-zero", "nonzero_parameters", True),
    Column("depth", "depth", True),
    Column("status", "status", csv_only=True),
)


def table(record: Record) -> Table:
    """Print the runs that were built; those refused are counted."""
    built = [run for run in record["runs"] if run["status"] != "refused"]
    order = {name: k for k, name in enumerate(dict.fromkeys((run["target"], run["method"]) for run in record["runs"]))}
    rows = [_row(run) for run in sorted(built, key=lambda run: order[run["target"], run["method"]])]
    refused = Counter(run["target"] for run in record["runs"] if run["status"] == "refused")
    without = [name for name in refused if name not in {run["target"] for run in built}]
    notes = [f"Certified: an upper bound of the sup-norm error over the whole domain, rounded up. Sampled: an error that "
             f"occurs, rounded down, from {record['limits']['samples']:,} sequences and a search from the worst of them. "
             f"Tightness: their quotient, rounded up. A bound for every $n\\ge2$ was sampled at the target's own length. "
             f"{sum(refused.values())} of {len(record['runs'])} combinations were refused, with reasons in the record"
             + (f"; nothing applies to {', '.join(without)}" if without else "") + "."]
    return Table("error", "Certified and sampled error of the named targets by construction.", COLUMNS, tuple(rows), tuple(notes),
                 grouped=2, headed=True)


def _row(run: dict[str, Any]) -> tuple[Cell, ...]:
    proved, sampled = run["certified_bound_exact"], run["sampled_max"]
    size = run["architectures"]["sumformer"]
    tightness = upper(Fraction(proved) / Fraction(sampled), 4) if proved and sampled else missing()
    reach = words("all n", latex="all $n$") if run["every_n"] else words(f"n = {run['n']}", latex=f"$n={run['n']}$")
    return (words(run["target"]), words(run["method"]), reach, count(run["n"]), tolerance(run["eps"]),
            upper(proved) if proved else missing(run["status"]), lower(sampled), tightness,
            count(run["d_latent"]), count(size["n_nonzero"]), count(size["depth"]), words(run["status"]))


KIND = Kind("error", "certified and sampled error against eps by construction", constructions.SOURCE, table)
