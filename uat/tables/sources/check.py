"""The record of ``uat check``: all proof steps, unchanged ones from its cache."""

from __future__ import annotations

from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source


def collect(settings: Settings, report: Report) -> Record:
    """Run the proof in its order; the rows are those of ``check --json``."""
    from proofs_check.dag import proof_order
    from proofs_check.runner import Settings as Effort
    from proofs_check.steps import all_steps
    from uat.check import examined

    effort = Effort(settings.full, settings.device, settings.seed)
    _, _, rows = examined(proof_order(all_steps()), effort, report=report)
    return {"profile": settings.profile, "seed": settings.seed, "steps": rows,
            "as_expected": all(row["status"] == row["expected"] for row in rows)}


def problems(record: Record) -> list[str]:
    """Name the steps that did not come out as expected."""
    return [f"{row['id']}: {row['status']}, expected {row['expected']}" for row in record["steps"]
            if row["status"] != row["expected"]]


SOURCE = Source("check", collect, "python -m uat tables steps", problems=problems)
