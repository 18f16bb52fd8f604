"""What is claimed, how well things are known, and what sampling found: an upper bound of ||f - T|| and a lower one, two types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from proofs_check.decimals import stored_fraction
from proofs_check.propositions import Scope


class Status(Enum):
    """What is known, strongest first."""

    PROVED = "proved"  # exact or symbolic
    CERTIFIED = "certified"  # by enclosures
    ASSUMED = "assumed"  # declared by the user, or cited
    SAMPLED = "sampled"
    UNDECIDED = "undecided"
    REFUTED = "refuted"

    @property
    def rank(self) -> int:
        """Position from strongest (0) to weakest."""
        return list(Status).index(self)


@dataclass(frozen=True)
class Claim:
    """``||f - T|| <= bound`` in the sup norm over box^n, for T the Sumformer and each named architecture.

    With ``every_n`` the bound is claimed for every n >= 2 at once; n is then the length the stored heads are made for.
    """

    target: str
    expression: str
    n: int
    d: int
    d_out: int
    domain: tuple[tuple[Fraction, Fraction], ...]
    networks: tuple[str, ...]
    bound: Fraction
    every_n: bool = False

    @property
    def scope(self) -> Scope:
        """The sequences it is about."""
        return Scope(self.domain, None if self.every_n else self.n)

    def to_json(self) -> dict[str, Any]:
        """Return the claim with exact numbers as strings."""
        return {"target": self.target, "expression": self.expression, "n": self.n, "d": self.d, "d_out": self.d_out,
                "domain": [[str(a), str(b)] for a, b in self.domain], "networks": list(self.networks), "bound": str(self.bound),
                "every_n": self.every_n}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Claim:
        """Read a claim back; raises KeyError, TypeError or ValueError on anything else."""
        domain = tuple((stored_fraction(a), stored_fraction(b)) for a, b in data["domain"])
        return Claim(str(data["target"]), str(data["expression"]), int(data["n"]), int(data["d"]), int(data["d_out"]), domain,
                     tuple(str(name) for name in data["networks"]), stored_fraction(data["bound"]),
                     data.get("every_n", False) is True)


@dataclass(frozen=True)
class SampledEstimate:
    """A lower bound of ||f - T|| with the sequence that shows it; never an upper bound of anything."""

    maximum: float
    witness: tuple[tuple[float, ...], ...]
    samples: int

    def __post_init__(self) -> None:
        if not self.maximum >= 0:
            raise ValueError(f"a sampled error is a number >= 0, got {self.maximum}")
