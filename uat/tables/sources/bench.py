"""The record of ``uat bench``: what each architecture costs against the number of tokens."""

from __future__ import annotations

from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source


def collect(settings: Settings, report: Report) -> Record:
    """Measure the running example."""
    from uat.benchmarks import measure

    return measure(settings.profile, device=settings.device, seed=settings.seed, report=report)


SOURCE = Source("bench", collect, "python -m uat bench --out FOLDER/bench.json")
