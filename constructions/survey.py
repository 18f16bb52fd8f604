"""Which constructions apply to a target, what each would need, why the others do not, and which is the cheapest."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from constructions.construct import plan
from constructions.continuous import CONSTRUCTIONS, bernstein_instead, compile_target
from constructions.errors import Refused, Undefined
from constructions.moduli import Modulus
from constructions.number_formats import FLOAT64, NumberFormat
from constructions.planner import MAX_TABLE, entries_at_least
from constructions.pooling import PoolingHead
from constructions.progress import Report, silent
from constructions.sumformers.limits import DEFAULT_LIMITS, Limits
from constructions.targets.target import AnyTarget, Target
from constructions.wording import rounded

PARAMETERS_PER_ENTRY = 4  # non-zero parameters of a step-network for each table entry
SHOWN = 160  # characters of what is built in the target's place


def methods() -> tuple[str, ...]:
    """Return what ``--method`` may say."""
    return ("auto", *automatic(), "fit")


def automatic() -> tuple[str, ...]:
    """Return what ``auto`` compares; the error of a fitted polynomial is proved by subdivision, which may take long: not that."""
    return ("grid", *(method for method in CONSTRUCTIONS if method != "fit"))


@dataclass(frozen=True)
class Candidate:
    """One construction and what it would cost; where it does not apply ``reason`` says why and the figures are None.

    Where it applies, ``reason`` may say what is built in the target's place.

    ``at_least`` marks a lower bound: the table of the grid is not planned in full when it cannot be the cheapest. ``undefined``
    marks a reason that excludes every construction: the target has no value at the place that it names.
    """

    method: str
    reason: str = ""
    d_latent: int | None = None
    parameters: int | None = None
    depth: int | None = None
    every_n: bool = False
    at_least: bool = False
    undefined: bool = False


def survey(target: AnyTarget, tolerance: Fraction, heads: Sequence[PoolingHead], *, modulus: Modulus | None = None,
           code: str = "auto", number_format: NumberFormat = FLOAT64, max_table: int = MAX_TABLE, limits: Limits = DEFAULT_LIMITS,
           methods: Sequence[str] | None = None, report: Report = silent) -> list[Candidate]:
    """Return a candidate for every method, by default for each of ``automatic()``."""
    found: list[Candidate] = []
    methods = automatic() if methods is None else methods
    for done, method in enumerate(methods):
        report("comparing constructions", done, len(methods))
        compared = method == "power-sums" and any(one.parameters is not None for one in found)
        if compared and isinstance(target, Target) and (instead := bernstein_instead(target, tolerance)):
            found.append(Candidate(method, instead))
        elif method != "grid":
            found.append(_continuous(target, tolerance, method, heads, limits, number_format))
    if "grid" in methods:
        cheapest = min((c.parameters for c in found if c.parameters is not None), default=None)
        found.insert(0, _grid(target, tolerance, heads, modulus, code, number_format, max_table, cheapest))
    return found


def cheapest(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate with the fewest non-zero parameters.

    Raises:
        Refused: none applies, with every reason, or the one that excludes them all.
    """
    usable = [c for c in candidates if c.parameters is not None and not c.at_least]
    if not usable:
        for candidate in candidates:
            if candidate.undefined:
                raise Refused(f"no construction applies: {candidate.reason}; expected a value at every sequence")
        hint = "\n--method fit tries a polynomial whose error is proved by subdivision" if len(candidates) > 1 else ""
        raise Refused("no construction applies:\n" + "\n".join(f"  {c.method}: {c.reason}" for c in candidates) + hint)
    return min(usable, key=lambda c: (c.parameters or 0, not c.every_n))


def for_every_n(candidates: Sequence[Candidate], chosen: Candidate) -> Candidate | None:
    """Return the cheapest candidate that holds for every n where the chosen one is for one n alone, else None."""
    every = [c for c in candidates if c.parameters is not None and c.every_n and not c.at_least]
    return None if chosen.every_n or not every else min(every, key=lambda c: c.parameters or 0)


def _continuous(target: AnyTarget, tolerance: Fraction, method: str, heads: Sequence[PoolingHead], limits: Limits,
                number_format: NumberFormat) -> Candidate:
    try:
        decomposition, compiled = compile_target(target, tolerance, method, tuple(heads), limits=limits,
                                                 number_format=number_format)
    except Refused as refused:
        return Candidate(method, str(refused))
    network = compiled.sumformer
    instead = _built_instead(decomposition.lifted)
    return Candidate(method, instead, network.d_latent, network.n_nonzero, network.depth, decomposition.every_n)


def _built_instead(lifted: str) -> str:
    return textwrap.shorten(f"with lifted roots: {lifted}", SHOWN) if lifted else ""


def _grid(target: AnyTarget, tolerance: Fraction, heads: Sequence[PoolingHead], modulus: Modulus | None, code: str,
          number_format: NumberFormat, max_table: int, cheapest_other: int | None) -> Candidate:
    if cheapest_other is not None and modulus is None and isinstance(target, Target):
        entries = entries_at_least(target, tolerance)
        if PARAMETERS_PER_ENTRY * entries > cheapest_other:
            return Candidate("grid", f"its table has at least {rounded(entries)} entries", 1, PARAMETERS_PER_ENTRY * entries, 4,
                             at_least=True)
    try:
        planned = plan(target, tolerance, heads, modulus=modulus, code=code, number_format=number_format, max_table=max_table)
    except Refused as refused:
        return Candidate("grid", str(refused), undefined=isinstance(refused, Undefined))
    instead = _built_instead(planned.lifted.target.text if planned.lifted else "")
    return Candidate("grid", instead, planned.code.d_latent, PARAMETERS_PER_ENTRY * planned.table_entries, 4)
