"""What figures of slices through the domain share: where they go through, and how axes name what moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from constructions.targets.target import AnyTarget, Target
from uat.sampling import Sampled


def laid_out(found: Sampled) -> tuple[np.ndarray, int]:
    """Return all n tokens of the worst sequence, shape (n, d), and which one has the error."""
    tokens = np.asarray(found.witness, dtype=np.float64)
    if found.counts is None:
        return tokens, found.own
    return np.repeat(tokens, found.counts, axis=0), sum(found.counts[:found.own])


def shape(target: AnyTarget) -> dict[str, int]:
    """Return what labels need to know: the coordinates a token has beside its position, and the outputs."""
    return {"coordinates": target.d - (isinstance(target, Target) and target.positional), "d_out": target.d_out}


def axis_label(token: str, record: Mapping[str, Any]) -> str:
    """Name a token that moves in coordinate 0; where it has no other, and its position stays, that would say nothing."""
    return token if record.get("coordinates", record.get("d", 1)) == 1 else f"{token}, coordinate 0"


def outputs(record: Mapping[str, Any]) -> int:
    """Return how many outputs f has; records before there was an entry are taken for one."""
    return int(record.get("d_out", 1))
