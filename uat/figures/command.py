"""``uat figures``: find the record of each figure or gather it, draw, and write picture and record side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from constructions.errors import BadInput, Interrupted, nearest
from uat import show
from uat.figures import band, budget, cost, error_map, figure_2, parameters, proof, training
from uat.figures.figure import Figure, Gathering, Record
from uat.figures.style import FORMATS, drawn
from uat.files import json_text, refuse_unwritable, replace_file
from uat.progress import progress
from uat.records import read_json, record
from uat.stored_run import open_run
from uat.tables.records import COLLECTION, collected

FIGURES = {module.FIGURE.name: module.FIGURE
           for module in (band, error_map, budget, parameters, proof, cost, figure_2, training)}


@dataclass(frozen=True)
class FiguresRequest:
    """Options of ``figures`` as typed."""

    names: tuple[str, ...]
    everything: bool
    out: str
    run: str | None = None
    records: str | None = None
    formats: str = "pdf,png"
    profile: str = "fast"
    seed: int = 0
    import_callable: bool = False

    def chosen(self) -> list[Figure]:
        """Return the figures asked for; raises BadInput for an unknown name, or none."""
        for name in self.names:
            if name not in FIGURES:
                raise BadInput(f"no figure {name!r}: {nearest(name, FIGURES)}")
        if not self.names and not self.everything:
            raise BadInput(f"no figure named: expected --all, or some of {', '.join(FIGURES)}")
        return list(FIGURES.values()) if self.everything else [FIGURES[name] for name in dict.fromkeys(self.names)]

    def file_formats(self) -> list[str]:
        """Return the formats to write; raises BadInput for others than pdf and png."""
        asked = [part.strip() for part in self.formats.split(",")]
        for part in asked:
            if part not in FORMATS:
                raise BadInput(f"--format {part!r}: expected pdf, png or pdf,png")
        return list(dict.fromkeys(asked))

    def check(self) -> None:
        """Refuse a wrong profile or folder before any work."""
        if self.profile not in ("fast", "full"):
            raise BadInput(f"--profile {self.profile!r}: expected fast or full")
        if self.records is not None and not Path(self.records).is_dir():
            raise BadInput(f"--records {self.records}: expected a folder with records")
        if Path(self.out).exists() and not Path(self.out).is_dir():
            raise BadInput(f"--out {self.out}: is not a folder")
        refuse_unwritable(Path(self.out))


def figures(request: FiguresRequest) -> int:
    """Draw what was asked for; return 1 where a record is missing, after the command that makes it was named."""
    chosen, formats = request.chosen(), request.file_formats()
    request.check()
    missing = []
    with progress() as report:
        given = Gathering(request.seed, request.profile == "full", report)
        if request.run is not None:
            given = replace(given, run=open_run(request.run, import_callable=request.import_callable))
            if any(figure.about_run and figure is not budget.FIGURE for figure in chosen):
                given = replace(given, run=given.opened(), found=error_map.worst(given))  # searched once for all of them
        for figure in chosen:
            try:
                found = _record(figure, given, request.records)
                if found is None:
                    missing.append(figure)
                    continue
                caption, pictures = _drawn(figure, found, formats)
                files = _write(figure, found, pictures, Path(request.out))
            except KeyboardInterrupt:
                raise Interrupted(f"{figure.name} was not drawn; the figures before it are in {request.out}") from None
            show.console().print(f"[bold]{figure.name}[/bold]: {show.escape(caption)}\n  {show.escape(', '.join(files))}")
    for figure in missing:
        show.console().print(f"[bold red]{figure.name}[/bold red]: not drawn: {_what_is_missing(figure)}")
    return 1 if missing else 0


def _record(figure: Figure, given: Gathering, folder: str | None) -> Record | None:
    """Return the record of a figure: a stored one, else gathered now, else None."""
    if folder is not None and (stored := stored_record(figure, Path(folder))) is not None:
        return stored
    if figure.gather is None or (figure.about_run and given.run is None):
        return None
    return record(figure.kind, {"name": figure.name, "seed": given.seed, **figure.gather(given)})


def stored_record(figure: Figure, folder: Path) -> Record | None:
    """Return the record of a figure among the files of a folder and of the folders in it.

    NAME.json comes before others, and a record with a file of its own before those that ``tables`` put into one.
    """
    files = [*folder.glob("*.json"), *folder.glob("*/*.json")]
    for path in sorted(files, key=lambda path: (path.name == COLLECTION, path.name != f"{figure.name}.json", path)):
        try:
            contents = collected(path).values() if path.name == COLLECTION else (read_json(path),)
        except BadInput:  # some other file
            continue
        for content in contents:
            if _is_about(content, figure):
                return dict(content)
    return None


def _is_about(content: Any, figure: Figure) -> bool:
    title = figure.name if figure.gather is not None else figure.title
    return (isinstance(content, dict) and content.get("format") == f"uat-{figure.kind}/1"
            and (not title or content.get("name") == title))


def _drawn(figure: Figure, found: Record, formats: Sequence[str]) -> tuple[str, dict[str, bytes]]:
    """Return caption and pictures before anything is written: a record that cannot be drawn leaves nothing behind."""
    try:
        return figure.caption(found), {name: drawn(figure.draw, found, name) for name in formats}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise BadInput(f"{figure.name}: its record cannot be drawn ({type(error).__name__} {error}); expected the structure of "
                       f"docs/formats.md") from None


def _write(figure: Figure, found: Record, pictures: Mapping[str, bytes], out: Path) -> list[str]:
    files: dict[str, str | bytes] = {f"{figure.name}.{name}": content for name, content in pictures.items()}
    files[f"{figure.name}.json"] = json_text(found)
    for name, content in files.items():
        replace_file(out / name, content)
    return [str(out / name) for name in files]


def _what_is_missing(figure: Figure) -> str:
    if figure.about_run:
        return f"it is about a run; name one with --run RUN (made by `{figure.made_with}`) or its record with --records DIR"
    about = f" with name {figure.title}" if figure.title else ""
    return f"it needs a record uat-{figure.kind}/1{about} in --records DIR, made by `{figure.made_with}`"
