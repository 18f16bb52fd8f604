"""The paper's experiments, and trained against constructed networks: one experiment a module, one record of all."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from constructions.errors import BadInput, nearest
from constructions.progress import Report, silent

EXPERIMENTS = {name: f"uat.experiments.{name.replace('-', '_')}"
               for name in ("figure-1", "figure-2", "train-versus-construct", "length")}


def settings_of(name: str, profile: str) -> tuple[Any, Any]:
    """Return the module of an experiment and its settings in a profile.

    Raises:
        BadInput: there is no such experiment, or it has no such profile.
    """
    if name not in EXPERIMENTS:
        raise BadInput(f"unknown experiment {name!r}: {nearest(name, EXPERIMENTS)}")
    module = importlib.import_module(EXPERIMENTS[name])
    if profile not in module.SETTINGS:
        raise BadInput(f"--profile {profile!r}: expected {' or '.join(module.SETTINGS)} for {name}")
    return module, module.SETTINGS[profile]


def run(name: str, *, profile: str = "small", seed: int = 0, device: str = "auto", report: Report = silent,
        out: Path | None = None, resume: bool = False, settings: Any = None) -> dict[str, Any]:
    """Run an experiment and return the content of its record (docs/formats.md).

    Args:
        name: of :data:`EXPERIMENTS`.
        profile: small (minutes on two cores) or full (a GPU); what a small one leaves out is in ``reduced``.
        seed: of weights, batches, examples and searches.
        device: auto, cpu or cuda.
        report: progress.
        out: folder for finished parts and states of trainings, so that an interrupted experiment can go on.
        resume: go on with what lies in ``out``.
        settings: instead of those of the profile.

    Raises:
        BadInput: unknown experiment, profile or device, or a folder that does not fit.
        Refused: a training that diverges, or a construction that is not possible.
    """
    module, known = settings_of(name, profile)
    from proofs_check.witness import choose_device
    from uat.experiments.context import Context, open_folder

    place, chosen = choose_device(device), known if settings is None else settings
    if resume and out is None:
        raise BadInput("--resume: expected --out DIR, the directory of the experiment to go on with")
    about: Mapping[str, Any] = {"name": name, "profile": profile, "seed": seed, "device": place.type, "settings": asdict(chosen)}
    if out is not None:
        open_folder(out, about, resume=resume)
    start, used = time.perf_counter(), time.process_time()
    rows = module.rows(chosen, Context(place, seed, report, out))
    return {**about, "title": module.TITLE, "rows": rows, "reduced": module.reduced(chosen), "finding": module.finding(rows),
            "seconds": round(time.perf_counter() - start, 3), "processor_seconds": round(time.process_time() - used, 3)}
