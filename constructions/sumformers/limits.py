"""What a construction may use of each thing that costs."""

from __future__ import annotations

from dataclasses import dataclass

from constructions.pieces.extremum import EXPONENTS


@dataclass(frozen=True)
class Limits:
    """What may be built: pooled channels, degree of expansions, terms of a separation, exponents of e the format holds."""

    max_latent: int = 1024
    max_degree: int = 64
    max_rank: int = 128
    exponents: float = EXPONENTS[53]


DEFAULT_LIMITS = Limits()
