"""``cost``: parameters, operations, time and memory of each architecture against n."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, count, measured, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import bench
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("architecture", "architecture"),
    Column("dtype", "dtype"),
    Column("device", "device", csv_only=True),
    Column("$n$", "n", True),
    Column("parameters", "n_parameters", True),
    Column("FLOPs", "flops", True),
    Column("seconds", "seconds_median", True),
    Column("low", "seconds_low", True, csv_only=True),
    Column("high", "seconds_high", True, csv_only=True),
    Column("peak MB", "peak_megabytes", True),
)


def table(record: Record) -> Table:
    """Print one row an architecture, number format, device and length."""
    order = {series: k for k, series in enumerate(dict.fromkeys(_series(row) for row in record["rows"]))}
    return Table("cost", "Cost of one call of each architecture on a sequence of $n$ tokens, as measured.", COLUMNS,
                 tuple(_row(row) for row in sorted(record["rows"], key=lambda row: (order[_series(row)], row["n"]))),
                 (f"{record['expression']}, eps = {record['eps']}, {_place(record)}. {_sentence(record['seconds_are'])}. "
                  f"Peak, in $10^6$ bytes: {record['memory_is']}. FLOPs: {record['flops_counted_by']}. "
                  + "; ".join(f"{name}: {what}" for name, what in record["contenders"].items()) + ".",), grouped=3)


def _series(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["architecture"], row["dtype"], row["device"]


def _place(record: Record) -> str:
    return record["device_name"] or f"{record['made_by']['machine']['processor']}, {record['threads']} thread"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    peak = None if row["peak_bytes"] is None else row["peak_bytes"] / 1e6
    return (words(row["architecture"]), words(row["dtype"]), words(row["device"]), count(row["n"]), count(row["n_parameters"]),
            measured(row["flops"], 3), measured(row["seconds"], 3), measured(row["seconds_low"], 3),
            measured(row["seconds_high"], 3), measured(peak, 3))


KIND = Kind("cost", "cost of each architecture against n: parameters, FLOPs, time, memory", bench.SOURCE, table)
