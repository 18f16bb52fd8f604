"""The kernel: claims, steps, and the only place where a certificate is made.

A certificate is an upper bound of ||f - T|| over the whole domain. It is concluded from steps, each with a status and an exact
share of the bound, by the triangle inequality; a sampled step cannot carry one. A sampled estimate is a lower bound with a
witness and is another type: neither converts into the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from typing import Any

from constructions.number_formats import exact_number, short_decimal_above


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

    def to_json(self) -> dict[str, Any]:
        """Return the claim with exact numbers as strings."""
        return {"target": self.target, "expression": self.expression, "n": self.n, "d": self.d, "d_out": self.d_out,
                "domain": [[str(a), str(b)] for a, b in self.domain], "networks": list(self.networks), "bound": str(self.bound),
                "every_n": self.every_n}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Claim:
        """Read a claim back; raises KeyError, TypeError or ValueError on anything else."""
        domain = tuple((exact_number(a), exact_number(b)) for a, b in data["domain"])
        return Claim(str(data["target"]), str(data["expression"]), int(data["n"]), int(data["d"]), int(data["d_out"]), domain,
                     tuple(str(name) for name in data["networks"]), exact_number(data["bound"]),
                     data.get("every_n", False) is True)


@dataclass(frozen=True)
class Step:
    """One step of a proof: id as in the mathematics, what was shown, how well, and its share of the bound.

    ``needs`` names the steps it rests on; they must come earlier, so that no step rests on itself.
    """

    id: str
    statement: str
    status: Status
    bound: Fraction = Fraction(0)
    assumption: str = ""
    needs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, str]:
        """Return the step with its bound as an exact fraction."""
        return {"step": self.id, "statement": self.statement, "status": self.status.value, "bound": str(self.bound)}


_KERNEL = object()


@dataclass(frozen=True)
class Certificate:
    """A proved upper bound; only :func:`conclude` makes one."""

    claim: Claim
    proved_bound: Fraction
    status: Status
    steps: tuple[Step, ...]
    assumptions: tuple[str, ...]
    _made_by: object = field(repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self._made_by is not _KERNEL:
            raise TypeError("a certificate is concluded by the kernel from checked steps, never constructed")

    def tree(self) -> dict[str, Any]:
        """Return the claim's proof as a tree: the shares that add up, each above the steps it rests on."""
        inner = {name for step in self.steps for name in step.needs}

        def branch(step: Step) -> dict[str, Any]:
            below = [branch(premise) for name in step.needs for premise in self.steps if premise.id == name != step.id]
            return {"step": step.id, "status": step.status.value, "bound": str(step.bound)} | ({"from": below} if below else {})

        return {"claim": f"||f - T|| <= {self.claim.bound}", "rule": "triangle inequality", "bound": str(self.proved_bound),
                "from": [branch(step) for step in self.steps if step.id not in inner]}


@dataclass(frozen=True)
class Undecided:
    """No certificate: the steps that are missing, with the best bound the others add up to (None: no finite one)."""

    claim: Claim
    steps: tuple[Step, ...]
    reason: str
    best_bound: Fraction | None


@dataclass(frozen=True)
class Refuted:
    """No certificate: a step of the claim is false."""

    claim: Claim
    steps: tuple[Step, ...]
    reason: str


@dataclass(frozen=True)
class SampledEstimate:
    """A lower bound of ||f - T|| with the sequence that shows it; never an upper bound of anything."""

    maximum: float
    witness: tuple[tuple[float, ...], ...]
    samples: int

    def __post_init__(self) -> None:
        if not self.maximum >= 0:
            raise ValueError(f"a sampled error is a number >= 0, got {self.maximum}")


Verdict = Certificate | Undecided | Refuted


def conclude(claim: Claim, steps: Sequence[Step], required: Sequence[str], trust: Sequence[str]) -> Verdict:
    """Add the steps' bounds (triangle inequality) and compare the sum, exactly, with the claim.

    Args:
        claim: what is to be certified.
        steps: checked steps; a step's ``bound`` is its share of ||f - T||.
        required: ids that must be among the steps: a proof with a step left out proves nothing.
        trust: assumptions of the checker itself.

    Returns:
        A certificate whose status is that of its weakest step; ``Refuted`` if a step is; ``Undecided`` if a step is missing,
        undecided or only sampled, rests on a step that does not come before it, or if the sum exceeds the claim.
    """
    kept = tuple(steps)
    false = [step for step in kept if step.status is Status.REFUTED]
    if false:
        return Refuted(claim, kept, f"{false[0].id}: {false[0].statement}")
    missing = [name for name in required if name not in {step.id for step in kept}]
    missing += [name for i, step in enumerate(kept) for name in step.needs if name not in {s.id for s in kept[:i]}]
    weak = [step for step in kept if step.status.rank > Status.ASSUMED.rank]
    negative = [step for step in kept if step.bound < 0]
    total = sum((step.bound for step in kept), Fraction(0))
    if missing or weak or negative:
        reason = (f"step {missing[0]} is missing" if missing else f"{weak[0].id}: {weak[0].statement}" if weak
                  else f"{negative[0].id}: a share of a bound cannot be negative")
        return Undecided(claim, kept, reason, None)
    if total > claim.bound:
        return Undecided(claim, kept, f"the steps add up to {decimal_above(total)}, more than the claimed "
                                      f"{decimal_above(claim.bound)}", total)
    status = max((step.status for step in kept), key=lambda s: s.rank)
    assumptions = tuple(dict.fromkeys([*(step.assumption for step in kept if step.assumption), *trust]))
    return Certificate(claim, total, status, kept, assumptions, _made_by=_KERNEL)


def sharpened(certificate: Certificate, digits: int = 6) -> Certificate:
    """Return the certificate of the sharpest claim that its steps prove, rounded up to so many significant decimal digits."""
    bound = min(certificate.claim.bound, short_decimal_above(certificate.proved_bound, digits))
    rounding = Step("quoted-bound", f"rounded up to {digits} digits", Status.PROVED, bound - certificate.proved_bound)
    steps = (*certificate.steps, rounding) if rounding.bound else certificate.steps
    return replace(certificate, claim=replace(certificate.claim, bound=bound), proved_bound=bound, steps=steps)


def decimal_above(value: Fraction, digits: int = 6) -> str:
    """Return a decimal with the given significant digits at or above the value: a printed bound is a bound.

    >>> decimal_above(Fraction(1, 3), 3)
    '0.334'
    >>> decimal_above(Fraction(1, 10**7), 3)
    '1.00e-7'
    """
    if value == 0:
        return "0"
    if value < 0:
        return "-" + _rounded(-value, digits, up=False)
    return _rounded(value, digits, up=True)


def _rounded(value: Fraction, digits: int, *, up: bool) -> str:
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    exponent -= value < Fraction(10) ** exponent
    scaled = value / Fraction(10) ** (exponent - digits + 1)
    mantissa = -(-scaled.numerator // scaled.denominator) if up else scaled.numerator // scaled.denominator
    if mantissa == 10**digits:
        mantissa, exponent = mantissa // 10, exponent + 1
    text = str(mantissa)
    if -5 <= exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{text}"
    if 0 <= exponent < digits:
        return f"{text[:exponent + 1]}.{text[exponent + 1:]}".rstrip(".")
    return f"{text[0]}.{text[1:]}e{exponent}"
