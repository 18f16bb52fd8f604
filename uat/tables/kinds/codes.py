"""``codes``: bits of Sigma of the three codes, and the information bound."""

from __future__ import annotations

from typing import Any

from uat.tables.cells import Cell, at_most, count, fixed, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import codes
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("cells $K$", "cells", True),
    Column("$n$", "n", True),
    Column("information bound", "information_bits", True),
    Column("positional", "positional_bits", True),
    Column("pools in", "positional_pools_in"),
    Column("Bose-Chowla", "bose_chowla_bits", True),
    Column("pools in", "bose_chowla_pools_in"),
    Column("packed", "packed_bits", True),
    Column("$d'$", "packed_d_latent", True),
)

NOTE = (r"Information bound: $\log_2\binom{K+n-2}{n-1}$, rounded down; no code of the $n-1$ others has fewer bits. Pools "
        r"in: the shortest format in which the attention heads sum the code without a decoding error. Packed: as many "
        r"channels $d'$ as float64 needs. $\le$: the field is too large to tabulate here; codes are below $q^{n-1}-1$.")


def table(record: Record) -> Table:
    """Print one row a number of cells and length."""
    rows = tuple(_row(row) for row in record["rows"])
    return Table("codes", r"Bits of $\Sigma$ for codes of $K$ cells whose sums over $n-1$ tokens determine their multiset.",
                 COLUMNS, rows, (NOTE,), grouped=1)


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    return (count(row["cells"]), count(row["n"]), fixed(row["information_bits_tenths"] / 10, 1),
            *_code(row["positional"]), *_code(row["bose-chowla"]), count(row["packed"]["bits"]), count(row["packed"]["d_latent"]))


def _code(code: dict[str, Any]) -> tuple[Cell, Cell]:
    bits = count(code["bits"]) if code["exact"] else at_most(code["bits"])
    pools = "float32" if code["float32"] else "float64" if code["float64"] else "-" if code["exact"] else "?"
    return bits, words(pools)


KIND = Kind("codes", "bits of positional, Bose-Chowla and packed codes, and the information bound", codes.SOURCE, table)
