"""Runs of ``uat construct``: every named target by every construction that applies, certified and sampled."""

from __future__ import annotations

from typing import Any

from constructions.errors import Refused
from constructions.progress import Report
from constructions.survey import automatic
from constructions.targets.library import LIBRARY
from uat.tables.sources.source import Record, Settings, Source

EPS = {"fast": ("1e-1", "1e-2"), "full": ("1e-1", "1e-2", "1e-3")}
# What the fast profile leaves out it says: constructions beyond these limits are recorded as refused, with the reason.
LIMITS: dict[str, dict[str, int]] = {"fast": {"samples": 20_000, "max_table": 2**20, "max_latent": 512},
                                     "full": {"samples": 1_000_000, "max_table": 2**24, "max_latent": 1024}}


def collect(settings: Settings, report: Report) -> Record:
    """Build, prove and sample; a construction that does not apply is recorded with the reason.

    Each run has the keys of ``construct --json`` without the witness, and the command line that repeats it.
    """
    limits, eps = LIMITS[settings.profile], EPS[settings.profile]
    wanted = [(name, e, method) for name in LIBRARY for e in eps for method in automatic()]
    runs = []
    for done, (name, e, method) in enumerate(wanted):
        report("constructions", done, len(wanted))
        runs.append(run(name, e, method, settings, **limits))
    return {"profile": settings.profile, "seed": settings.seed, "eps": list(eps), "limits": limits, "runs": runs}


def run(name: str, eps: str, method: str, settings: Settings, *, samples: int, max_table: int, max_latent: int) -> dict[str, Any]:
    """Run one construction."""
    from constructions.progress import silent
    from uat import commands, pipeline
    from uat.request import Request

    request = Request(name, eps, method=method, max_table=max_table, max_latent=max_latent, seed=settings.seed)
    head = {"target": name, "n": LIBRARY[name].n, "d": LIBRARY[name].d, "eps": eps, "method": method,
            "command": f"python -m uat construct --target {name} --eps {eps} --method {method} --samples {samples} "
                       f"--max-table {max_table} --max-latent {max_latent} --device {settings.device} --seed {settings.seed}"}
    try:
        outcome = pipeline.run(request, None, (), samples=samples, device=settings.device, report=silent)
    except Refused as refused:
        return {**head, "status": "refused", "reason": str(refused)}
    found = commands.construct_record(outcome, None)
    left_out = {"sample", "samples_by_length", "run", "domain", "positional", "eps"}
    return {**head, **{key: value for key, value in found.items() if key not in left_out},
            "samples": sum(s.samples for s in outcome.sampled)}


def problems(record: Record) -> list[str]:
    """Name the runs whose bound was not proved, or was contradicted by a sample."""
    return [f"{run['command']}: {run['status']}: {run['reason']}" for run in record["runs"]
            if run["status"] in ("undecided", "refuted")]


SOURCE = Source("constructions", collect, "python -m uat tables error", problems=problems)
