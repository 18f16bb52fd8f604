"""``uat tables``: gather records, print tables, and write them with their records into a folder."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from constructions.errors import BadInput, nearest
from uat import show
from uat.files import json_text, refuse_unwritable, replace_file
from uat.progress import progress
from uat.records import read_record, record
from uat.tables.catalogue import KINDS, chosen, sources
from uat.tables.kinds.kind import Kind
from uat.tables.records import COLLECTION, Records, gathered, read_folder
from uat.tables.sources.source import Record, Settings
from uat.tables.table import Table
from uat.tables.writing import WRITERS, terminal

PROFILES = ("fast", "full")
WIDTH = 130


@dataclass(frozen=True)
class TablesRequest:
    """Options of ``tables`` as typed."""

    names: tuple[str, ...] = ()
    every: bool = False
    out: str | None = None
    format: str | None = None
    profile: str = "fast"
    records: str | None = None
    seed: int = 0
    device: str = "cpu"

    def settings(self) -> Settings:
        """Return how much to compute; raises BadInput for a profile or device that is none."""
        for option, given, known in (("--profile", self.profile, PROFILES), ("--device", self.device, ("auto", "cpu", "cuda"))):
            if given not in known:
                raise BadInput(f"{option} {given!r}: {nearest(given, known)}")
        return Settings(self.profile, self.seed, self.device)

    def formats(self) -> tuple[str, ...]:
        """Return the formats to write; raises BadInput for an unknown one."""
        if self.format is None:
            return tuple(WRITERS) if self.out is not None else ()
        if self.format not in (*WRITERS, "all"):
            raise BadInput(f"--format {self.format!r}: {nearest(self.format, (*WRITERS, 'all'))}")
        return tuple(WRITERS) if self.format == "all" else (self.format,)


def tables(request: TablesRequest, *, as_json: bool) -> int:
    """Print or write tables; return 1 where a record says that something is wrong, or a named table has no record."""
    if not request.names and not request.every and request.records is None:
        _catalogue(as_json)
        return 0
    settings, formats, asked = request.settings(), request.formats(), chosen(request.names)
    known = read_folder(Path(request.records), sources(list(KINDS.values()))) if request.records is not None else {}
    kinds = asked or [kind for kind in KINDS.values() if request.every or kind.source.name in known]
    if not kinds:
        raise BadInput(f"--records {request.records}: there is no record there that a table is printed from")
    out = _Folder(Path(request.out), kinds, formats) if request.out is not None else None
    with progress() as report:
        records = gathered(sources(kinds), known, settings, report)
    files = out.write(records, settings) if out is not None else {}
    if as_json:
        show.print_json(_collection(kinds, formats, records, settings))
    elif out is None:
        _print([_printed(kind, records) for kind in kinds], formats)
    for name, paths in files.items() if not as_json else ():
        show.console().print(f"[bold]{name}[/bold]: {show.escape(', '.join(paths))}")
    return _verdict(asked, kinds, records, request)


def _catalogue(as_json: bool) -> None:
    if as_json:
        rows = [{"name": kind.name, "about": kind.about, "record": kind.source.format} for kind in KINDS.values()]
        show.print_json({"tables": rows})
        return
    width = max(map(len, KINDS))
    for kind in KINDS.values():
        print(f"{kind.name:{width}}  {kind.about}")
    print("\nName some of them, or --all; with --out DIR they are written as LaTeX, Markdown and CSV.")


def _printed(kind: Kind, records: Records) -> Table:
    found = records.found.get(kind.source.name)
    return kind.absent(records.reasons.get(kind.source.name, "none was found")) if found is None else kind.printed(found)


def _print(printed: Sequence[Table], formats: Sequence[str]) -> None:
    for k, table in enumerate(printed):
        for name in formats:
            print(("\n" if k else "") + WRITERS[name][1](table), end="")
        if not formats:
            show.console(WIDTH).print(terminal(table))


def _verdict(asked: Sequence[Kind], kinds: Sequence[Kind], records: Records, request: TablesRequest) -> int:
    wrong = [line for source in sources(kinds) if source.name in records.found
             for line in source.problems(records.found[source.name])]
    for line in wrong:
        print(f"not as it should be: {line}", file=sys.stderr)
    for kind in kinds:
        if kind.source.name not in records.found:
            print(f"table {kind.name} has no record: {records.reasons.get(kind.source.name)}; made by '{kind.source.command}'",
                  file=sys.stderr)
    lacking = [kind.name for kind in asked if kind.source.name not in records.found]
    return 1 if wrong or lacking else 0


def _collection(kinds: Sequence[Kind], formats: Sequence[str], records: Records, settings: Settings) -> Record:
    return record("tables", {"profile": settings.profile, "seed": settings.seed, "tables": [kind.name for kind in kinds],
                             "formats": list(formats), "absent": records.reasons, "records": records.found})


def _file(table: str, format_name: str) -> str:
    return f"{table}.{WRITERS[format_name][0]}"


class _Folder:
    """A folder of tables: a new one, or one that was written before, whose other tables then stay in it."""

    def __init__(self, path: Path, kinds: Sequence[Kind], formats: Sequence[str]) -> None:
        """Read what is there before anything is computed.

        Raises:
            BadInput: the place cannot be used, or a file of a table's name is there that this command did not write.
        """
        self.path = path
        if path.exists() and not path.is_dir():
            raise BadInput(f"--out {path}: expected a folder")
        refuse_unwritable(path)
        there = path / COLLECTION
        self.before: dict[str, Any] = read_record(there, "tables") if there.exists() else {}
        earlier, written = [name for name in self.before.get("tables", ()) if name in KINDS], self.before.get("formats", ())
        self.kinds = chosen([*earlier, *(kind.name for kind in kinds)])
        self.formats = [name for name in WRITERS if name in formats or name in written]
        own = {_file(table, name) for table in earlier for name in written if name in WRITERS}
        files = (_file(kind.name, name) for kind in self.kinds for name in self.formats)
        foreign = next((name for name in files if name not in own and (path / name).exists()), None)
        if foreign is not None:
            raise BadInput(f"--out {path}: {foreign} is there already, and is not listed in a {COLLECTION} beside it")

    def write(self, records: Records, settings: Settings) -> dict[str, list[str]]:
        """Write records and tables; tables of an earlier call are printed again, from the records that are now there.

        Returns the files of each table, and of the records.

        The records come first: they are what took the time, and a call that ends early is made good by the next one.
        """
        records = Records({**self.before.get("records", {}), **records.found}, records.reasons)
        printed = [_printed(kind, records) for kind in self.kinds]
        texts = {table.name: {str(self.path / _file(table.name, name)): WRITERS[name][1](table) for name in self.formats}
                 for table in printed}
        replace_file(self.path / COLLECTION, json_text(_collection(self.kinds, self.formats, records, settings)))
        for name, text in itertools.chain.from_iterable(files.items() for files in texts.values()):
            replace_file(Path(name), text)
        return {**{name: list(files) for name, files in texts.items()}, "records": [str(self.path / COLLECTION)]}
