"""Latent dimensions: the formulas of the paper and ours against n and d, and what each construction plans for named targets."""

from __future__ import annotations

from typing import Any

from constructions.encodings.power_sums import multi_indices, needed_dimension, printed_dimension, sharpened_dimension
from constructions.errors import Refused
from constructions.progress import Report
from constructions.survey import automatic
from constructions.targets.library import LIBRARY
from uat.tables.sources.source import Record, Settings, Source

FORMULAS = {"fast": ((2, 3, 5, 10), (1, 2, 3, 4, 10)), "full": ((2, 3, 4, 5, 10, 20), (1, 2, 3, 4, 5, 10))}
LISTED = 20_000  # indices that are written out one by one, to compare their number with the formula
EPS = "1e-1"
LENGTHS = {"fast": (3, 5), "full": (2, 3, 5, 9, 12)}
# d of figure-2, the only target of any dimension
FIGURE_2 = (1, 2, 3)


def collect(settings: Settings, report: Report) -> Record:
    """Evaluate the formulas, and plan every construction for every named target at several lengths."""
    lengths, dimensions = FORMULAS[settings.profile]
    formulas = [_formulas(n, d) for n in lengths for d in dimensions]
    wanted = [(name, n, d, method) for name, n, d in _cases(LENGTHS[settings.profile]) for method in automatic()]
    planned = []
    for done, case in enumerate(wanted):
        report("latent dimensions", done, len(wanted))
        planned.append(_planned(*case))
    return {"profile": settings.profile, "seed": settings.seed, "eps": EPS, "formulas": formulas, "planned": planned}


def _formulas(n: int, d: int) -> dict[str, int | None]:
    sharpened = sharpened_dimension(n, d)
    few = sharpened <= LISTED and n**d <= 10**6
    return {"n": n, "d": d, "printed": printed_dimension(n, d), "sharpened": sharpened,
            "listed": len(multi_indices(d, n - 1)) if few else None, "needed": needed_dimension(n, d)}


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


SOURCE = Source("dimensions", collect, "python -m uat tables latent-dimension")
