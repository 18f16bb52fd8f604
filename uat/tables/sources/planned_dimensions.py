"""Latent dimensions that each construction plans for the named targets, against n."""

from __future__ import annotations

from typing import Any

from constructions.errors import Refused
from constructions.progress import Report
from constructions.survey import automatic
from constructions.targets.library import LIBRARY
from uat.tables.sources.source import Record, Settings, Source

EPS = "1e-1"
LENGTHS = {"fast": (3, 5), "full": (2, 3, 5, 9, 12)}
# d of figure-2, the only target of any dimension
FIGURE_2 = (1, 2, 3)


def collect(settings: Settings, report: Report) -> Record:
    """Plan every construction for every named target at several lengths."""
    wanted = [(name, n, d, method) for name, n, d in _cases(LENGTHS[settings.profile]) for method in automatic()]
    planned = []
    for done, case in enumerate(wanted):
        report("latent dimensions", done, len(wanted))
        planned.append(_planned(*case))
    return {"profile": settings.profile, "seed": settings.seed, "eps": EPS, "planned": planned}


def _cases(lengths: tuple[int, ...]) -> list[tuple[str, int, int]]:
    """Return (target, n, d); targets of several coordinates take long to plan and are kept at their own n."""
    found = []
    for name, named in LIBRARY.items():
        at = [named.n] if named.lengths is not None or named.d > 1 else [n for n in lengths if name != "median" or n % 2]
        found += [(name, n, d) for n in at for d in (FIGURE_2 if named.dimensions is None else (named.d,))]
    return found


def _planned(name: str, n: int, d: int, method: str) -> dict[str, Any]:
    from constructions.progress import silent
    from uat import pipeline
    from uat.request import Request

    head = {"target": name, "n": n, "d": d, "method": method,
            "command": f"python -m uat plan --target {name} --eps {EPS} --n {n} --d {d} --method {method}"}
    try:
        candidate = pipeline.candidates(Request(name, EPS, d=d, method=method), n, silent)[2][0]
    except Refused as refused:
        return {**head, "d_latent": None, "every_n": False, "reason": str(refused)}
    return {**head, "d_latent": candidate.d_latent, "every_n": candidate.every_n, "reason": candidate.reason}


SOURCE = Source("planned-dimensions", collect, "python -m uat tables latent-dimension-targets")
