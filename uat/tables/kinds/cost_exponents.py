"""``cost-exponents``: how time and memory grow with n, and from which n on an architecture is the faster one."""

from __future__ import annotations

from uat.tables.cells import count, fixed, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import bench
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (Column("architecture", "architecture"), Column("dtype", "dtype"), Column("device", "device"),
           Column("time exponent", "time_exponent", True), Column("memory exponent", "memory_exponent", True),
           Column("break-even $n$", "break_even_n", True))


def table(record: Record) -> Table:
    """Print one row an architecture, number format and device."""
    even = {(row["architecture"], row["dtype"], row["device"]): row["n"] for row in record["break_even"]}
    rows = tuple((words(fit["architecture"]), words(fit["dtype"]), words(fit["device"]), fixed(fit["time_exponent"], 2),
                  fixed(fit["memory_exponent"], 2), count(even.get((fit["architecture"], fit["dtype"], fit["device"]))))
                 for fit in record["fits"])
    return Table("cost-exponents", "Growth of time and memory with the number of tokens $n$: exponents of fitted power laws.",
                 COLUMNS, rows,
                 ("Fitted to the measurements of table cost by least squares on logarithms; a dash: too few lengths, or no "
                  "break-even among them. Break-even: the length from which on the architecture is faster than the "
                  "Transformer.",),
                 grouped=1)


KIND = Kind("cost-exponents", "fitted exponents of time and memory, and break-even lengths", bench.SOURCE, table)
