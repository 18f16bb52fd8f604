"""``errata``: what the paper prints, what its check came out as, and what is right, from the proof steps themselves."""

from __future__ import annotations

from uat.tables.cells import Cell, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import check
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("where", "where", share=0.18),
    Column("printed", "printed", share=0.31),
    Column("checked", "checked", share=0.08),
    Column("counterexample", "counterexample", csv_only=True),
    Column("right is", "right", share=0.36),
)
HOLDS = "true, not sharp"


def table(record: Record) -> Table:
    """Print the steps that stand for a printed statement and name the one that corrects it."""
    steps = {row["id"]: row for row in record["steps"]}
    rows = []
    for row in record["steps"]:
        if not row["corrected_by"]:
            continue
        right = steps[row["corrected_by"]]
        verdict = row["status"] if row["status"] not in ("proved", "certified") else HOLDS
        example = "; ".join(row["counterexample"])
        where = row["source"].removeprefix("paper, ").removesuffix(", as printed")
        rows.append((words(where), words(row["statement"]), words(verdict), Cell(example, "", example),
                     words(f"{right['id']} ({right['inherited'] or right['status']}): {right['statement']}")))
    return Table("errata", "What the paper prints and what is right, as the checks of the proof came out.", COLUMNS, tuple(rows),
                 ("The paper: Alberti, Dern, Thesing, Kutyniok, Sumformer: Universal Approximation for Efficient Transformers, "
                  "PMLR 221, 2023. Its theorems 4.1, 4.3, 4.4 and 4.5 hold; docs/errata.md has each statement, counterexample "
                  "and correction in full. In brackets: the weakest status of the correction and all that it rests on.",),
                 grouped=1)


KIND = Kind("errata", "what the paper prints and what is right", check.SOURCE, table)
