"""``latent-dimension-targets``: the d' that each construction plans for named targets, against n."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, count, missing, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import planned_dimensions
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table


def table(record: Record) -> Table:
    """Print one row a target, length and dimension, one column a construction."""
    methods = list(dict.fromkeys(row["method"] for row in record["planned"]))
    columns = (Column("target", "target"), Column("$d$", "d", True), Column("$n$", "n", True),
               *(Column(method, method, True) for method in methods))
    cases: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in record["planned"]:
        cases.setdefault((row["target"], row["d"], row["n"]), {})[row["method"]] = row
    rows = [(words(name), count(d), count(n), *(_cell(found.get(method)) for method in methods))
            for (name, d, n), found in cases.items()]
    return Table("latent-dimension-targets", f"Latent dimension $d'$ that each construction takes for the named targets, "
                 f"$\\varepsilon={float(record['eps']):g}$.", columns, tuple(rows),
                 ("A dash: the construction does not apply or is too large; the record has the reason. Grid: step functions, for "
                  "one $n$, $d'$ of the code that survives pooling in float64.",), grouped=2)


def _cell(row: dict[str, Any] | None) -> Cell:
    return missing() if row is None else count(row["d_latent"])


KIND = Kind("latent-dimension-targets", "latent dimension of the named targets by construction and n", planned_dimensions.SOURCE,
            table)
