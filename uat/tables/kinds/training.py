"""``training``: constructed networks against trained ones."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, count, lower, measured, missing, tolerance, upper, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import experiment
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("target", "target"),
    Column("$n$", "n", True),
    Column("$d$", "d", True),
    Column("model", "model"),
    Column(r"$\varepsilon$", "eps"),
    Column("$d'$", "d_latent", True),
    Column("parameters", "n_parameters", True),
    Column("seconds", "seconds", True),
    Column("sampled", "sup_error_at_least", True),
    Column("certified", "certified_at_most", True),
    Column("relative $L^2$", "relative_l2", True),
)

NOTE = (r"$\varepsilon$: the tolerance that was constructed for; a trained network had the wall time of that construction, "
        r"or as many seconds as stand there. Seconds: to plan, build and certify, or to train. Sampled: the largest "
        r"sup-norm error that was found, rounded down; the true one is at least that. Certified: an upper bound, rounded "
        r"up; of a trained network by subdivision, where both its parts are MLPs. Relative $L^2$: over random sequences.")


def table(record: Record) -> Table:
    """Print one row a model and target."""
    return Table("training", "Construction against training: time, size and error.", COLUMNS,
                 tuple(_row(row) for row in record["rows"]),
                 (NOTE,), grouped=3, headed=True)


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    return (words(row["target"]), count(row["n"]), count(row["d"]), words(row["model"]), _tolerance(row),
            count(row["d_latent"]), count(row["n_parameters"]), measured(row["seconds"]), lower(row["sup_error"]),
            _certified(row), measured(row["relative_l2"]))


def _tolerance(row: dict[str, Any]) -> Cell:
    given = row.get("eps") or row.get("against_eps")
    return tolerance(given) if given else missing()


def _certified(row: dict[str, Any]) -> Cell:
    """Return the bound; the record has a decimal that was rounded up: its digits count, not the float nearest to it."""
    return upper(None if row.get("certified") is None else str(row["certified"]))


KIND = Kind("training", "training against construction", experiment.SOURCE, table)
