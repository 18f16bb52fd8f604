"""The record of ``uat bench``: what each architecture costs against the number of tokens."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from constructions.errors import Refused
from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source


def collect(settings: Settings, report: Report) -> Record:
    """Measure; raises Refused where this installation has no benchmarks."""
    if find_spec("uat.benchmarks") is None:
        raise Refused("this installation has no benchmarks")
    measured: Record = import_module("uat.benchmarks").measure(settings.profile, device=settings.device, seed=settings.seed,
                                                               report=report)
    return measured


SOURCE = Source("bench", collect, "python -m uat bench")
