"""Bits of Sigma that each code of cells needs, against the information bound (mathematics: sum-code-injective)."""

from __future__ import annotations

import math
from typing import Any

from constructions import encodings
from constructions.encodings import Code
from constructions.encodings.bose_chowla import field_size
from constructions.number_formats import FLOAT32, FLOAT64
from constructions.progress import Report
from uat.tables.sources.source import Record, Settings, Source

LENGTHS = (2, 3, 4, 6, 10)
CELLS = {"fast": (4, 16, 64, 256), "full": (4, 16, 64, 256, 1024, 4096)}
FIELD = {"fast": 2**18, "full": 2**24}  # logarithms of so many elements are tabulated


def collect(settings: Settings, report: Report) -> Record:
    """Build every code for every number of cells and length."""
    wanted = [(cells, n) for cells in CELLS[settings.profile] for n in LENGTHS]
    rows = []
    for done, (cells, n) in enumerate(wanted):
        report("codes", done, len(wanted))
        rows.append(_row(cells, n, FIELD[settings.profile]))
    return {"profile": settings.profile, "seed": settings.seed, "field_at_most": FIELD[settings.profile], "rows": rows}


def _row(cells: int, n: int, field: int) -> dict[str, Any]:
    roundings = _roundings(n)
    return {"cells": cells, "n": n, "roundings": roundings, "information_bits_tenths": _tenths(math.comb(cells + n - 2, n - 1)),
            "positional": _of(encodings.positional(cells, n), roundings),
            "bose-chowla": _bose_chowla(cells, n, field, roundings),
            "packed": _of(encodings.packed(cells, n, FLOAT64, roundings), roundings)}


def _roundings(n: int) -> int:
    """Return the rounded operations of the pooling heads, as a construction counts them."""
    from constructions.construct import roundings
    from constructions.pooling import ARCHITECTURES, pooling_head

    return roundings([pooling_head(name) for name in ARCHITECTURES], n)


def _of(code: Code, roundings: int) -> dict[str, Any]:
    return {"d_latent": code.d_latent, "bits": code.bits, "exact": True,
            "float64": code.survives(FLOAT64, roundings), "float32": code.survives(FLOAT32, roundings)}


def _bose_chowla(cells: int, n: int, field: int, roundings: int) -> dict[str, Any]:
    """Return the code's figures; where its field is too large to tabulate, a bound: codes are at most q^h - 2."""
    if n == 2 or field_size(cells, n) <= field:
        return _of(encodings.bose_chowla(cells, n), roundings)
    return {"d_latent": 1, "bits": (n * (field_size(cells, n) - 2)).bit_length(), "exact": False,
            "float64": None, "float32": None}


def _tenths(multisets: int) -> int:
    """Return ten times log2 rounded down, in whole numbers: a lower bound stays one."""
    return (multisets**10).bit_length() - 1


SOURCE = Source("codes", collect, "python -m uat tables codes")
