"""``cost``: parameters, operations, time and memory of each architecture against n."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, count, measured, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import bench
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (Column("architecture", "architecture"), Column("dtype", "dtype"), Column("device", "device"), Column("$n$", "n", True),
           Column("parameters", "n_parameters", True), Column("FLOPs", "flops", True), Column("seconds", "seconds_median", True),
           Column("from", "seconds_low", True), Column("to", "seconds_high", True), Column("peak MB", "peak_megabytes", True))


def table(record: Record) -> Table:
    """Print one row an architecture, number format, device and length."""
    return Table("cost", "Cost of one call of each architecture on a sequence of $n$ tokens, as measured.", COLUMNS,
                 tuple(_row(row) for row in record["rows"]),
                 ("Seconds: the median of repeated calls, and their spread. Peak MB: memory that the call takes at its worst, in "
                  "$10^6$ bytes.",), grouped=3)


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    peak = None if row["peak_bytes"] is None else row["peak_bytes"] / 1e6
    return (words(row["architecture"]), words(row["dtype"]), words(row["device"]), count(row["n"]), count(row["n_parameters"]),
            measured(row["flops"], 3), measured(row["seconds"], 3), measured(row["seconds_low"], 3),
            measured(row["seconds_high"], 3), measured(peak, 3))


KIND = Kind("cost", "cost of each architecture against n: parameters, FLOPs, time, memory", bench.SOURCE, table)
