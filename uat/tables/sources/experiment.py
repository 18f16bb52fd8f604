"""The record of the experiment ``train-versus-construct``: training against construction."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from constructions.errors import Refused
from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source

NAME = "train-versus-construct"


def collect(settings: Settings, report: Report) -> Record:
    """Run the experiment; raises Refused where this installation has no experiments."""
    if find_spec("uat.experiments") is None:
        raise Refused("this installation has no experiments")
    found: Record = import_module("uat.experiments").run(NAME, profile=settings.profile, seed=settings.seed,
                                                         device=settings.device, report=report)
    return found


SOURCE = Source(NAME, collect, f"python -m uat experiment {NAME}", fits=lambda record: record.get("name") == NAME,
                format_name="experiment")
