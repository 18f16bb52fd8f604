"""The record of the experiment ``train-versus-construct``: training against construction."""

from __future__ import annotations

from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source

NAME = "train-versus-construct"


def collect(settings: Settings, report: Report) -> Record:
    """Run the experiment."""
    from uat.experiments import run

    return run(NAME, profile=settings.profile, seed=settings.seed, device=settings.device, report=report)


SOURCE = Source(NAME, collect, f"python -m uat experiment {NAME} --out FOLDER", fits=lambda record: record.get("name") == NAME,
                format_name="experiment")
