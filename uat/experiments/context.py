"""What an experiment is run with, and the folder that lets it go on after an interruption.

An experiment is a list of units, each a few rows of the record. A finished unit is kept in the folder; a training inside an
unfinished one keeps its state there. The folder says which experiment, profile and seed it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constructions.errors import BadInput
from constructions.progress import Report
from uat.files import json_text, replace_file

if TYPE_CHECKING:
    import torch

FORMAT = "uat-experiment-state/1"
Row = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """Device, seed, progress and folder of one experiment.

    Attributes:
        device: where networks are trained and searched.
        seed: of weights, batches, examples and searches.
        report: progress.
        folder: where finished units and the states of trainings are kept; None for nowhere.
        settings: what the units are computed with; a folder is resumed only with the same ones.
    """

    device: torch.device
    seed: int
    report: Report
    folder: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def unit(self, name: str, compute: Callable[[Path | None], list[Row]]) -> list[Row]:
        """Return the rows of a unit, from the folder if it was finished there.

        Args:
            name: of letters, digits and dashes.
            compute: is given the file for the state of its training, None for none.
        """
        if self.folder is None:
            return compute(None)
        done, state = self.folder / f"{name}.json", self.folder / f"{name}.safetensors"
        if done.exists():
            return _read_rows(done)
        rows = compute(state)
        replace_file(done, json_text({"format": FORMAT, "unit": name, "rows": rows}))
        state.unlink(missing_ok=True)
        return rows


def open_folder(folder: Path, about: Mapping[str, Any], *, resume: bool) -> None:
    """Make a folder for units, or take one up again.

    Args:
        folder: the directory of the units.
        about: name, profile, seed, device and settings.
        resume: whether it must be there already.

    Raises:
        BadInput: it is not there, cannot be read, or belongs to another experiment.
    """
    path = folder / "experiment-state.json"
    if not resume:
        if path.exists():
            raise BadInput(f"{folder}: holds an experiment already; --resume goes on with it")
        replace_file(path, json_text({"format": FORMAT, **about}))
        return
    if not path.exists():
        raise BadInput(f"--resume: there is no experiment to go on with in {folder}; expected {path.name} there")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); name a new directory") from None
    expected = {"format": FORMAT, **json.loads(json_text(about))}
    if not isinstance(found, dict):
        raise BadInput(f"{path}: expected one JSON object; name a new directory")
    for key, value in expected.items():
        if found.get(key) != value:
            shown = f"{key} {found.get(key)!r}, not {value!r}" if key != "settings" else "other settings"
            raise BadInput(f"--resume: {folder} holds an experiment with {shown}; name its own directory or a new one")


def _read_rows(path: Path) -> list[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read as finished rows ({error}); delete it to compute them again") from None
    if content.get("format") != FORMAT or not isinstance(rows, list):
        raise BadInput(f"{path}: expected finished rows of format {FORMAT}; delete it to compute them again")
    return rows
