"""``steps``: the steps of the proof, what is known of each, by what method and from how many cases."""

from __future__ import annotations

from collections import Counter

from uat.tables.cells import count, fixed, missing, words
from uat.tables.kinds.kind import Kind
from uat.tables.sources import check
from uat.tables.sources.source import Record
from uat.tables.table import Column, Table

COLUMNS = (
    Column("step", "step", share=0.27),
    Column("status", "status"),
    Column("with premises", "inherited"),
    Column("method", "method", share=0.23),
    Column("cases", "cases", True),
    Column("seconds", "seconds", True),
)

NOTE = ("Refuted are printed statements that do not hold (table errata). Assumed: a cited theorem, or checked over the "
        "range that the method names and proved in docs/theorem.md. With premises: the weakest status of the step and all "
        "that it rests on.")


def table(record: Record) -> Table:
    """Print one row a step, in the order of the proof."""
    rows = tuple((words(row["id"]), words(row["status"] + ("" if row["status"] == row["expected"] else " (!)")),
                  words(row["inherited"]) if row["inherited"] else missing(), words(row["method"]), count(row["cases"]),
                  fixed(row["seconds"], 2)) for row in record["steps"])
    counts = Counter(row["status"] for row in record["steps"])
    wrong = sum(row["status"] != row["expected"] for row in record["steps"])
    summary = ", ".join(f"{number} {status}" for status, number in counts.items())
    return Table("steps", "The proof, executed: status, method and number of cases of each step.", COLUMNS, rows,
                 (f"{len(rows)} steps: {summary}. {NOTE} "
                  + ("All steps came out as expected." if not wrong else f"{wrong} did not come out as expected, marked (!)."),))


KIND = Kind("steps", "proof steps with status, method, cases and time", check.SOURCE, table)
