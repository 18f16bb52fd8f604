"""Find the records that tables are printed from in a folder, or compute them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from constructions.errors import BadInput, Refused
from constructions.progress import Report
from uat.records import read_json, read_record, record
from uat.tables.sources.source import Record, Settings, Source

COLLECTION = "tables.json"


@dataclass
class Records:
    """Records by the name of their source, and why others are not there."""

    found: dict[str, Record] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def read_folder(folder: Path, sources: Iterable[Source]) -> dict[str, Record]:
    """Return the records in a folder: JSON files by their format, then those inside ``tables.json``.

    Raises:
        BadInput: no such folder, a file that is not JSON, or two files with the same kind of record.
    """
    if not folder.is_dir():
        raise BadInput(f"--records {folder}: expected a folder of records")
    contents = {file: read_json(file) for file in sorted(folder.glob("*.json")) if file.name != COLLECTION}
    inside = collected(folder / COLLECTION) if (folder / COLLECTION).exists() else {}
    found = {}
    for source in sources:
        files = [file for file, content in contents.items() if _is(content, source)]
        if len(files) > 1:
            raise BadInput(f"--records {folder}: {files[0].name} and {files[1].name} are both records of {source.name}")
        if files:
            found[source.name] = contents[files[0]]
        elif _is(inside.get(source.name), source):
            found[source.name] = inside[source.name]
    return found


def collected(file: Path) -> dict[str, Any]:
    """Return what stands under ``records`` in a ``tables.json``, by name of the record.

    Raises:
        BadInput: the file is no collection of records.
    """
    inside = read_record(file, "tables").get("records")
    if not isinstance(inside, dict):
        raise BadInput(f"{file}: expected an object under 'records'")
    return inside


def gathered(sources: Iterable[Source], known: Mapping[str, Record], settings: Settings, report: Report) -> Records:
    """Return what is known and compute the rest; where that is refused the reason is kept."""
    records = Records()
    for source in sources:
        if source.name in known:
            records.found[source.name] = dict(known[source.name])
            continue
        try:
            content = {key: value for key, value in source.collect(settings, report).items() if key not in ("format", "made_by")}
            records.found[source.name] = as_read(record(source.format_name or source.name, content))
        except Refused as refused:
            records.reasons[source.name] = str(refused)
    return records


def as_read(content: Mapping[str, Any]) -> Record:
    """Return a record as it will be read back, so that a table printed now and one printed from the file are the same."""
    found: Record = json.loads(json.dumps(content, allow_nan=False))
    return found


def _is(content: Any, source: Source) -> bool:
    return isinstance(content, dict) and content.get("format") == source.format and source.fits(content)
