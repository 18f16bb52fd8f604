"""``cost-exponents``: how time and memory grow with n, and from which n on an architecture is the faster one."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, at_most, count, fixed, missing, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import bench
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("architecture", "architecture"),
    Column("dtype", "dtype"),
    Column("device", "device", csv_only=True),
    Column("time exponent", "time_exponent", True),
    Column("memory exponent", "memory_exponent", True),
    Column("break-even $n$", "break_even_n", True),
)


def table(record: Record) -> Table:
    """Print one row an architecture, number format and device."""
    even = {_key(row): row for row in record["break_even"]}
    rows = tuple((*map(words, _key(fit)), fixed(fit["time_exponent"], 2), fixed(fit["memory_exponent"], 2),
                  _length(even.get(_key(fit)))) for fit in record["fits"])
    return Table("cost-exponents", "Growth of time and memory with the number of tokens $n$: exponents of fitted power laws.",
                 COLUMNS, rows,
                 ("Fitted to the measurements of table cost by least squares on logarithms; a dash: too few lengths, or none. "
                  f"Break-even against {record['peer']}: {record['break_even_is']}.",))


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["architecture"], row["dtype"], row["device"]


def _length(row: dict[str, Any] | None) -> Cell:
    if row is None or row["n"] is None:
        return missing()
    return at_most(row["n"]) if row.get("at_most") else count(row["n"])


KIND = Kind("cost-exponents", "fitted exponents of time and memory, and break-even lengths", bench.SOURCE, table)
