"""Latent dimensions: the formulas of the paper and ours against n and d."""

from __future__ import annotations

from constructions.encodings.power_sums import multi_indices, needed_dimension, printed_dimension, sharpened_dimension
from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source

FORMULAS = {"fast": ((2, 3, 5, 10), (1, 2, 3, 4, 10)), "full": ((2, 3, 4, 5, 10, 20), (1, 2, 3, 4, 5, 10))}
LISTED = 20_000  # indices that are written out one by one, to compare their number with the formula


def collect(settings: Settings, report: Report) -> Record:
    """Evaluate the formulas."""
    lengths, dimensions = FORMULAS[settings.profile]
    formulas = [_formulas(n, d) for n in lengths for d in dimensions]
    return {"profile": settings.profile, "seed": settings.seed, "formulas": formulas}


def _formulas(n: int, d: int) -> dict[str, int | None]:
    sharpened = sharpened_dimension(n, d)
    few = sharpened <= LISTED and n**d <= 10**6
    return {"n": n, "d": d, "printed": printed_dimension(n, d), "sharpened": sharpened,
            "listed": len(multi_indices(d, n - 1)) if few else None, "needed": needed_dimension(n, d)}


SOURCE = Source("dimensions", collect, "python -m uat tables latent-dimension")
