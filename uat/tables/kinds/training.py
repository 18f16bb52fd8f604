"""``training``: constructed networks against trained ones."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, count, lower, measured, upper, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import experiment
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (Column("target", "target"), Column("$n$", "n", True), Column("$d$", "d", True), Column("model", "model"),
           Column("$d'$", "d_latent", True), Column("parameters", "n_parameters", True), Column("seconds", "seconds", True),
           Column("sampled", "sup_error_at_least", True), Column("certified", "certified_at_most", True),
           Column("relative $L^2$", "relative_l2", True))


def table(record: Record) -> Table:
    """Print one row a model and target."""
    return Table("training", "Construction against training: time, size and error.", COLUMNS,
                 tuple(_row(row) for row in record["rows"]),
                 ("Seconds: to build and prove, or to train. Sampled: the largest sup-norm error that was found, rounded down; the "
                  "true one is at least that. Certified: an upper bound, rounded up; a trained network has none. Relative $L^2$: over "
                  "random sequences.",), grouped=3)


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    return (words(row["target"]), count(row["n"]), count(row["d"]), words(row["model"]), count(row["d_latent"]),
            count(row["n_parameters"]), measured(row["seconds"]), lower(row["sup_error"]), upper(row.get("certified")),
            measured(row["relative_l2"]))


KIND = Kind("training", "training against construction", experiment.SOURCE, table)
