"""``uat experiment``: run an experiment, print its table and finding, and write record and rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.table import Table

from constructions.errors import BadInput, Interrupted
from uat import experiments, show
from uat.files import json_text, replace_file
from uat.progress import progress
from uat.records import record
from uat.run_directory import choose_directory

FOUND = ("sup_error", "largest_error")  # columns of errors that occur: lower bounds of the worst one


@dataclass(frozen=True)
class ExperimentRequest:
    """Options of ``experiment`` as typed."""

    name: str
    profile: str = "small"
    device: str = "auto"
    seed: int = 0
    out: str | None = None
    resume: bool = False


def experiment(request: ExperimentRequest, *, as_json: bool) -> int:
    """Run it; return the exit code.

    Raises:
        BadInput: as :func:`uat.experiments.run`, or a directory that is there already without ``--resume``.
        Interrupted: by Ctrl-C; what is finished is in the directory.
    """
    module, _ = experiments.settings_of(request.name, request.profile)
    if request.resume and request.out is None:
        raise BadInput("--resume: expected --out DIR, the directory of the experiment to go on with")
    out = (Path(str(request.out)) if request.resume
           else choose_directory(request.out, f"experiment-{request.name}-{request.profile}"))
    try:
        with progress() as report:
            content = experiments.run(request.name, profile=request.profile, seed=request.seed, device=request.device,
                                      report=report, out=out, resume=request.resume)
    except KeyboardInterrupt:
        raise Interrupted(f"what is finished is in {out}; go on with --resume --out {out}") from None
    whole = record("experiment", content)
    replace_file(out / "experiment.json", json_text(whole))
    replace_file(out / "rows.csv", _csv(content["rows"]))
    if as_json:
        show.print_json(whole)
    else:
        _show(content, module.COLUMNS)
        show.console().print(f"written to {show.escape(str(out))}")
    return 0


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows with every column that one of them has; what is not a number or a text is JSON."""
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: json_text(value).strip() if isinstance(value, list | dict) else value for key, value in row.items()}
                     for row in rows)
    return text.getvalue()


def _show(content: Mapping[str, Any], columns: Sequence[str]) -> None:
    out = show.console()
    out.print(f"[bold]{show.escape(content['title'])}[/bold]; profile {content['profile']}, seed {content['seed']}, "
              f"{content['device']}, {content['seconds']:.0f} s ({content['processor_seconds']:.0f} s of processor)\n")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), justify="left" if column in ("model", "target", "task") else "right")
    for row in content["rows"]:
        table.add_row(*(_shown(row.get(column), column) for column in columns))
    out.print(table)
    if content["reduced"]:
        out.print("\nreduced: " + show.escape("; ".join(content["reduced"])))
    out.print("\n" + show.escape(content["finding"]))


def _shown(value: Any, column: str) -> str:
    """Write an entry with three digits, a bound rounded up and an error that was found rounded down."""
    if value is None:
        return "-"
    if column == "certified":
        return show.bound_text(Fraction(str(value)), 3)
    if column in FOUND:
        return show.found_text(value, 3)
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else show.escape(str(value))
