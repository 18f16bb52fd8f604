"""What a user asked for, checked before any work starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from constructions.domains import parse_rational
from constructions.errors import BadInput, nearest
from constructions.moduli import Modulus, declared
from constructions.number_formats import FORMATS, NumberFormat, exact_number
from constructions.planner import CODES
from constructions.pooling import HEADS, PoolingHead, pooling_head
from constructions.sumformers.limits import Limits
from constructions.survey import methods
from constructions.targets.library import names_callable, resolve
from constructions.targets.target import AnyTarget
from uat.files import refuse_unwritable


@dataclass(frozen=True)
class Request:
    """Options of ``plan`` and ``construct`` as typed, all still text or numbers."""

    target: str
    eps: str
    n: str | int | None = None
    d: int | None = None
    domain: str = "0,1"
    method: str = "auto"
    code: str = "auto"
    architecture: str = "all"
    lipschitz: str | None = None
    precision: str = "float64"
    linformer_k: int = 1
    performer_features: int = 4
    max_table: int = 2**24
    max_latent: int = 1024
    positional: bool = False
    seed: int = 0

    def tolerance(self) -> Fraction:
        """Return eps as an exact number; raises BadInput unless it is positive."""
        eps = parse_rational(self.eps, "--eps")
        if eps <= 0:
            raise BadInput(f"--eps {self.eps}: expected a number > 0")
        return eps

    def heads(self) -> tuple[PoolingHead, ...]:
        """Return the pooling heads of the requested architectures; none for ``sumformer`` alone."""
        names = [name.strip() for name in self.architecture.split(",")]
        known = ("all", "sumformer", *HEADS)
        for name in names:
            if name not in known:
                raise BadInput(f"--architecture {name!r}: {nearest(name, known)}")
        chosen = [name for name in HEADS if name in names or "all" in names]
        return tuple(pooling_head(name, linformer_k=self.linformer_k, performer_features=self.performer_features, seed=self.seed)
                     for name in chosen)

    def number_format(self) -> NumberFormat:
        """Return the format the networks are to run in."""
        if self.precision not in FORMATS:
            raise BadInput(f"--precision {self.precision!r}: {nearest(self.precision, FORMATS)}")
        return FORMATS[self.precision]

    def check_names(self) -> None:
        """Refuse unknown methods and codes and an empty table budget."""
        self.lengths()
        for option, given, known in (("--method", self.method, methods()), ("--code", self.code, CODES)):
            if given not in known:
                raise BadInput(f"{option} {given!r}: {nearest(given, known)}")
        for option, limit in (("--max-table", self.max_table), ("--max-latent", self.max_latent)):
            if limit < 1:
                raise BadInput(f"{option} {limit}: expected at least 1")

    def lengths(self) -> tuple[int | None, ...]:
        """Return the sequence lengths asked for, (None,) for the target's own.

        Raises:
            BadInput: not whole numbers with commas, or one below 2.
        """
        if self.n is None:
            return (None,)
        try:
            found = tuple(dict.fromkeys(int(part) for part in str(self.n).split(",")))
        except ValueError:
            raise BadInput(f"--n {self.n}: expected a whole number, or several with commas such as 2,3,16") from None
        for n in found:
            if n < 2:
                raise BadInput(f"--n {n}: expected n >= 2 tokens")
        return found

    def limits(self) -> Limits:
        """Return what a continuous construction may use."""
        return Limits(max_latent=self.max_latent)

    def resolved(self, n: int | None) -> tuple[AnyTarget, Modulus | None]:
        """Return the target for one length, and the modulus if it is declared.

        Raises:
            BadInput: unknown or malformed target, a callable without ``--lipschitz``, or a negative constant.
        """
        constant = None if self.lipschitz is None else parse_rational(self.lipschitz, "--lipschitz")
        if constant is not None and constant < 0:
            raise BadInput(f"--lipschitz {self.lipschitz}: expected a number >= 0")
        if constant is None and names_callable(self.target):
            raise BadInput(f"target {self.target.strip()!r} is a callable: expected --lipschitz L, a constant that bounds its "
                           f"slope from max norm to max norm (it cannot be derived from code)")
        target = resolve(self.target, n=n, d=self.d, domain=self.domain, positional=self.positional)
        return target, None if constant is None else declared(constant, target.name)


@dataclass(frozen=True)
class Trained:
    """Options of ``certify --network`` as typed: a trained Sumformer and what it should be."""

    network: str
    target: str
    d: int | None = None
    domain: str = "0,1"
    pooling: str = "mean"
    phi: str = "file"

    def resolved(self, n: int | None) -> AnyTarget:
        """Return the target at one length, its own if none is named; raises BadInput for an unknown or malformed one."""
        if names_callable(self.target):
            raise BadInput(f"target {self.target.strip()!r} is a callable: a network is certified against an expression")
        return resolve(self.target, n=n, d=self.d, domain=self.domain)


def worked_on(executor: str | None, device: str) -> str:
    """Return the executor to work on, unless told processes of this machine, and none beside a GPU.

    Raises:
        BadInput: both are asked for.
    """
    if executor not in (None, "here") and device != "cpu":
        raise BadInput(f"--executor {executor} and --device {device}: expected other processes or a device, not both")
    return executor or ("processes" if device == "cpu" else "here")


@dataclass(frozen=True)
class Subdivision:
    """Options of ``certify --method subdivision`` as typed."""

    n: int | None = None
    bound: str | None = None
    seconds: str | None = None
    checkpoint: str | None = None
    executor: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.n is not None and self.n < 2:
            raise BadInput(f"--n {self.n}: expected n >= 2 tokens")
        worked_on(self.executor, self.device)

    def tolerance(self, plan: Mapping[str, Any]) -> Fraction:
        """Return the bound to prove, the run's eps if none is named; raises BadInput unless it is positive."""
        if self.bound is None and "eps" not in plan:
            raise BadInput("--bound is missing: expected the bound to prove, e.g. --bound 1e-2")
        bound = exact_number(plan["eps"]) if self.bound is None else parse_rational(self.bound, "--bound")
        if bound <= 0:
            raise BadInput(f"--bound {self.bound}: expected a number > 0")
        return bound

    def time(self) -> float:
        """Return the seconds to spend, infinite if none are named."""
        if self.seconds is None:
            return math.inf
        seconds = float(parse_rational(self.seconds, "--seconds"))
        if seconds <= 0:
            raise BadInput(f"--seconds {self.seconds}: expected a number > 0")
        return seconds

    def file(self) -> Path | None:
        """Return the checkpoint's path; raises BadInput where no file can be written."""
        if self.checkpoint is None:
            return None
        path = Path(self.checkpoint)
        if path.is_dir() or not path.parent.is_dir():
            raise BadInput(f"--checkpoint {self.checkpoint}: expected the name of a file in a folder that exists")
        refuse_unwritable(path.parent, "--checkpoint")
        return path
