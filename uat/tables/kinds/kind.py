"""What a kind of table is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from constructions.errors import BadInput
from uat.tables.sources.source import Record, Source
from uat.tables.table import Table


@dataclass(frozen=True)
class Kind:
    """A table that can be printed.

    Attributes:
        name: on the command line.
        about: what it says, one line.
        source: the kind of record it is printed from.
        table: from a record to the table.
    """

    name: str
    about: str
    source: Source
    table: Callable[[Record], Table]

    def printed(self, record: Record) -> Table:
        """Return the table of a record, with the command that made the record.

        Raises:
            BadInput: the record lacks something that the table prints.
        """
        try:
            table = self.table(record)
            made = record["made_by"]
            line = f"{record['format']} of {made['date']}: {made['command']}"
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise BadInput(f"table {self.name}: its record, {self.source.format}, is damaged: {type(error).__name__}: {error}"
                           ) from None
        return replace(table, made_by=(" ".join(line.split()),))

    def absent(self, reason: str) -> Table:
        """Return a table that says why there are no rows and how to have them."""
        return Table(self.name, f"{self.about}: there is no record to print it from.", (), (),
                     (f"There is no record of kind {self.source.format}: {reason}. It is made by '{self.source.command}'; "
                      f"'python -m uat tables {self.name} --records FOLDER' then prints this table.",))
