"""``latent-dimension``: the paper's d', ours, and the lower bound, against n and d."""

from __future__ import annotations

from uat.tables.cells import count, fixed
from uat.tables.kinds.kind import Kind
from uat.tables.sources import dimensions
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("$n$", "n", True),
    Column("$d$", "d", True),
    Column(r"as printed $\binom{n+d}{d}-1$", "printed", True, 0.17),
    Column(r"sharpened $\binom{n-1+d}{d}-1$", "sharpened", True, 0.19),
    Column("saved, %", "saved_percent", True, 0.1),
    Column("needed $(n-1)d$", "needed", True, 0.14),
    Column("step functions", "discontinuous", True, 0.14),
)

NOTE = (r"Sharpened: the proof applies its polynomials to sums over the $n-1$ other tokens (step latent-dimension). "
        r"Needed: fewer continuous features err by at least 1 for some function with values in $[-1,1]$ (step "
        r"lower-bounds, by Borsuk-Ulam). With step functions in place of continuous features one feature suffices, for one "
        r"$n$ (step grid-sumformer); one continuous feature does not for $n\ge3$ (step "
        r"one-dimensional-latent-transformer).")


def table(record: Record) -> Table:
    """Print the formulas; a count that was written out and differs from its formula is an error of the record."""
    rows = []
    for row in record["formulas"]:
        if row["listed"] not in (None, row["sharpened"]):
            raise ValueError(f"n = {row['n']}, d = {row['d']}: {row['listed']} indices listed, {row['sharpened']} by formula")
        saved = 100 * (1 - row["sharpened"] / row["printed"])
        rows.append((count(row["n"]), count(row["d"]), count(row["printed"]), count(row["sharpened"]), fixed(saved, 0),
                     count(row["needed"]), count(1)))
    return Table("latent-dimension", "Latent dimension $d'$ that suffices for every continuous equivariant function of $n$ "
                 "tokens in $[0,1]^d$, and what some function needs.", COLUMNS, tuple(rows),
                 (NOTE,), grouped=1)


KIND = Kind("latent-dimension", "latent dimension against n and d: printed, sharpened, needed", dimensions.SOURCE, table)
