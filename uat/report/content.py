"""Everything the page shows, as plain data for the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.errors import Refused
from constructions.progress import silent
from proofs_check.decimals import decimal_above, decimal_below, shortest_above
from proofs_check.run_files import FILES
from proofs_check.witness import runs_densely
from uat.figures import band, budget, error_map
from uat.figures.figure import Gathering
from uat.records import made_by
from uat.report.meanings import meaning
from uat.report.pictures import picture
from uat.report.reproduce import commands
from uat.report.ruler import ruler
from uat.report.sentences import headline, meaning_of, sequences, tightness, wrong_if
from uat.report.verdict import BADGES, Known
from uat.sampling import Sampled
from uat.stored_run import StoredRun

DENSE = 2**23  # hidden numbers of all architectures together on one sequence, above which they are not run for the page


def content(run: StoredRun, state: Known, found: Sampled | None, *, seconds: float, seed: int) -> dict[str, Any]:
    """Return the template's variables."""
    claim, plan, certificate = run.claim, dict(run.files.plan), run.files.certificate
    eps, largest = Fraction(str(plan["eps"])), None if found is None else Fraction(found.maximum)
    return {
        "title": f"{BADGES[state.state]}: {claim.target}", "state": state, "badge": BADGES[state.state], "claim": claim,
        "headline": headline(claim, state), "meaning_of": meaning_of(state, seconds), "sequences": sequences(claim),
        "wrong_if": wrong_if(claim, state, plan), "plan": plan, "run": str(run.path),
        "bound": decimal_above(claim.bound), "bound_exact": str(claim.bound), "eps": shortest_above(eps),
        "best_bound": None if state.best_bound is None else decimal_above(state.best_bound),
        "found": found, "found_shown": None if largest is None else decimal_below(largest),
        "tightness": "" if found is None or not state.holds else tightness(found.maximum, claim.bound),
        "ruler": ruler(largest, state.best_bound if not state.holds else claim.bound, eps), "witness": _witness(found),
        "exact_steps": sum(1 for step in state.steps if not step["share"]),
        "pictures": {} if state.status == "refuted" and not state.steps else _pictures(run, state, found, seed),
        "architectures": [] if _unreadable(state) else list(_architectures(run, seed)),
        "meanings": {step["step"]: meaning(step["step"]) for step in state.steps},
        "commands": commands(run.path, plan, claim.networks, seed),
        "lines": 0 if state.tree is None else _lines(state.tree),
        "files": [(name, (run.path / name).stat().st_size, certificate["sha256"][name]) for name in FILES],
        "digest": certificate["digest"], "versions_then": dict(certificate["versions"]), "made_by": made_by(),
        "method": state.method,
    }


def _lines(node: Mapping[str, Any]) -> int:
    """Count the lines of a tree; what is met again is none."""
    return ("see" not in node) + sum(_lines(below) for below in node.get("from", ()))


def _unreadable(state: Known) -> bool:
    """Whether the files are not the network that they say, so that there is nothing to run."""
    return state.status == "refuted" and any(step["status"] == "refuted" for step in state.steps)


def _pictures(run: StoredRun, state: Known, found: Sampled | None, seed: int) -> dict[str, dict[str, Any]]:
    shown = {}
    if state.holds and any(step["share"] for step in state.steps):
        steps = [{key: str(step[key]) for key in ("step", "statement", "status", "bound")} for step in state.steps]
        about = budget.content(steps, run.claim.bound, Fraction(str(run.files.plan["eps"])), state.status, run.claim.target)
        shown["budget"] = picture(budget.FIGURE, about, "Shares of the bound, added up")
    if found is not None and not _unreadable(state):
        given = Gathering(seed, False, silent, run, found)
        shown["band"] = picture(band.FIGURE, band.gather(given), "The target and the network along a line of sequences")
        shown["error-map"] = picture(error_map.FIGURE, error_map.gather(given), "Where the error is")
    return shown


def _architectures(run: StoredRun, seed: int) -> Iterator[dict[str, Any]]:
    """Yield sizes, and the largest difference to the Sumformer on sequences that strain an architecture."""
    sizes = list(run.sizes())
    if not runs_densely(run.claim.n):
        yield from ({**size, "deviation": f"not run: {run.claim.n:,} tokens"} for size in sizes)
        return
    tokens = run.probes(seed)
    affordable = sum(size["n_parameters"] for size in sizes) <= DENSE
    reference = run.sumformer(tokens)
    yield {**sizes[0], "deviation": "0"}
    for size, architecture in zip(sizes[1:], run.architectures, strict=True):
        deviation = "not run for this page: large"
        if affordable:
            try:
                deviation = f"{float(np.abs(run.attended(architecture, tokens) - reference).max()):.3g}"
            except Refused as refused:
                deviation = f"not run: {refused}"
        yield {**size, "deviation": deviation}


def _witness(found: Sampled | None) -> str:
    """Write the worst sequence found, long ones shortened."""
    if found is None:
        return ""
    tokens = ["(" + ", ".join(f"{x:.17g}" for x in token) + ")" for token in found.witness]
    if found.counts is not None:
        tokens = [f"{token} {times:,} times" for token, times in zip(tokens, found.counts, strict=True)]
    return ", ".join(tokens if len(tokens) <= 8 else [*tokens[:4], f"{len(tokens) - 8} more", *tokens[-4:]])
