"""A table before it is written: columns, rows of cells, what it says and what it was printed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uat.tables.cells import Cell


@dataclass(frozen=True)
class Column:
    """A column: heading (mathematics between dollar signs), name in CSV, and its width.

    ``share`` is the part of the line that a column of running text takes; 0 is as wide as its longest entry. A column that is
    ``csv_only`` is for programs: a page has no room for it.
    """

    heading: str
    csv: str
    number: bool = False
    share: float = 0.0
    csv_only: bool = False


@dataclass(frozen=True)
class Table:
    """What is printed.

    Attributes:
        name: of the files and the LaTeX label.
        caption: one or two sentences.
        columns, rows: as many cells a row as columns.
        notes: sentences below the table.
        grouped: so many leading columns are left blank where they repeat the row above.
        headed: on a page the first column stands above each group instead, on a line of its own.
        made_by: one line a record: its format and the command that made it.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    grouped: int = 0
    headed: bool = False
    made_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(row)} cells in a row of {len(self.columns)} columns")

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of a page."""
        return tuple(column for column in self.columns if not column.csv_only)

    def displayed(self) -> Iterator[tuple[bool, Sequence[Cell]]]:
        """Yield the shown cells of each row with repetitions blanked, and whether a new group begins with it."""
        above: tuple[Cell, ...] | None = None
        for full in self.rows:
            row = tuple(cell for cell, column in zip(full, self.columns, strict=True) if not column.csv_only)
            same = 0
            while above is not None and same < self.grouped and row[same] == above[same]:
                same += 1
            yield bool(self.grouped) and above is not None and same == 0, [Cell("", "", "")] * same + list(row[same:])
            above = row
