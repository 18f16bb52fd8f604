"""``construct`` from request to record: choose, build, re-prove, sample."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from constructions.construct import Construction, construct_within, plan
from constructions.continuous import ContinuousConstruction, construct_continuous
from constructions.planner import GridPlan
from constructions.pooling import PoolingHead
from constructions.progress import Report
from constructions.storage import Stored, store, store_mean
from constructions.survey import Candidate, automatic, cheapest, for_every_n, survey
from constructions.targets.target import AnyTarget, CallableTarget, Target
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Claim, Verdict, sharpened
from proofs_check.run_files import RunFiles
from uat.request import Request
from uat.sampling import Sampled, sample_construction

AnyConstruction = Construction | ContinuousConstruction


@dataclass
class Stopwatch:
    """Seconds a stage, in the order of first use."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything one ``construct`` found out.

    ``sampled`` has one entry a length. ``longer`` is a construction that holds for every n and was not chosen because the one for
    this n alone is smaller, where there is such.
    """

    construction: AnyConstruction
    stored: Stored
    plan_record: dict[str, Any]
    verdict: Verdict
    sampled: tuple[Sampled, ...]
    seconds: dict[str, float]
    longer: Candidate | None = None

    @property
    def refuted(self) -> bool:
        """Whether a sampled error exceeds the bound."""
        return any(found.refutes for found in self.sampled)

    @property
    def doubtful(self) -> bool:
        """Whether an error that no enclosure confirms does."""
        return any(found.doubtful for found in self.sampled)

    @property
    def certificate(self) -> Certificate | None:
        """The certificate, None where there is none or a sample speaks against it."""
        return self.verdict if isinstance(self.verdict, Certificate) and not (self.refuted or self.doubtful) else None


def candidates(request: Request, n: int | None, report: Report) -> tuple[AnyTarget, tuple[PoolingHead, ...], list[Candidate]]:
    """Return the target and every construction that was asked for, with what it would need."""
    request.check_names()
    tolerance, heads, number_format = request.tolerance(), request.heads(), request.number_format()
    target, modulus = request.resolved(n)
    methods = automatic() if request.method == "auto" else (request.method,)
    if request.code != "auto" and request.method == "auto":
        methods = ("grid",)  # only the discretised construction has a code
    found = survey(target, tolerance, heads, modulus=modulus, code=request.code, number_format=number_format,
                   max_table=request.max_table, limits=request.limits(), methods=methods, report=report)
    return target, heads, found


def prepare(request: Request, n: int | None) -> tuple[AnyTarget, GridPlan, tuple[PoolingHead, ...]]:
    """Check the request and plan the discretised construction; raises BadInput or Refused before anything is built."""
    request.check_names()
    tolerance, heads, number_format = request.tolerance(), request.heads(), request.number_format()
    target, modulus = request.resolved(n)
    return target, plan(target, tolerance, heads, modulus=modulus, code=request.code, number_format=number_format,
                        max_table=request.max_table), heads


def run(request: Request, n: int | None, lengths: Sequence[int], *, samples: int | None, device: str, report: Report,
        executor: Executor | None = None) -> Outcome:
    """Choose a construction, build it, re-prove it from the weights, and look for a counterexample at every length.

    Args:
        request: what was asked for.
        n: the length to build for; None is the target's own.
        lengths: where to sample a construction for every n; others are sampled at their own length.
        samples, device: of the search; None for the usual number of samples, 0 for none.
        report: progress.
        executor: where sequences are looked at.
    """
    watch = Stopwatch()
    with watch("plan"):
        target, heads, method, longer = _chosen(request, n, report)
    construction: AnyConstruction
    with watch("construct"):
        construction = _built(request, target, heads, method, report)
        stored = _stored(construction)
        record = plan_record(construction, request)
    with watch("certify"):
        claim = claim_of(construction)
        verdict = certify(RunFiles(stored.arrays, stored.exact, stored.network, record, {"claim": claim.to_json()}), report)
        if isinstance(verdict, Certificate) and isinstance(construction, ContinuousConstruction):
            verdict = sharpened(verdict)  # the checker's own bound, which may be on either side of the builder's
        claim = verdict.claim
    sampled: tuple[Sampled, ...] = ()
    if samples != 0 and isinstance(verdict, Certificate):
        with watch("sample"):
            sampled = tuple(sample_construction(construction, length, claim.bound, samples=samples, device=device,
                                                seed=request.seed, report=report, executor=executor)
                            for length in ((lengths or (target.n,)) if construction.every_n else (target.n,)))
    return Outcome(construction, stored, record, verdict, sampled, watch.seconds, longer)


def _chosen(request: Request, n: int | None,
            report: Report) -> tuple[AnyTarget, tuple[PoolingHead, ...], str, Candidate | None]:
    if request.method == "auto":
        target, heads, found = candidates(request, n, report)
        chosen = cheapest(found)
        return target, heads, chosen.method, for_every_n(found, chosen)
    request.check_names()
    request.tolerance()
    request.number_format()
    return request.resolved(n)[0], request.heads(), request.method, None


def _built(request: Request, target: AnyTarget, heads: Sequence[PoolingHead], method: str, report: Report) -> AnyConstruction:
    if method == "grid" or not isinstance(target, Target):
        modulus = request.resolved(target.n)[1]
        return construct_within(target, request.tolerance(), heads, report, modulus=modulus, code=request.code,
                                number_format=request.number_format(), max_table=request.max_table)
    return construct_continuous(target, request.tolerance(), method, heads, limits=request.limits(),
                                number_format=request.number_format())


def _stored(construction: AnyConstruction) -> Stored:
    if isinstance(construction, Construction):
        return store(construction.sumformer, construction.architectures)
    return store_mean(construction.sumformer, construction.architectures, construction.compiled.derivation)


def claim_of(construction: AnyConstruction) -> Claim:
    """State what is claimed of the Sumformer and of every architecture."""
    target, continuous = construction.target, isinstance(construction, ContinuousConstruction)
    bound = construction.tolerance if continuous else construction.bound  # the checker finds a bound of its own below it
    return Claim(target.name, target.text, target.n, target.d, target.d_out, target.box.sides,
                 ("sumformer", *(a.name for a in construction.architectures)), bound, construction.every_n)


def plan_record(construction: AnyConstruction, request: Request) -> dict[str, Any]:
    """Return ``plan.json``: what the checker needs to read the claim, and what a reader wants to know."""
    target = construction.target
    common = {
        "target": target.name, "expression": target.text, "callable": isinstance(target, CallableTarget),
        "positional": request.positional, "n": target.n, "d": target.d, "d_out": target.d_out,
        "domain": [[str(a), str(b)] for a, b in target.box.sides],
        "eps": str(construction.tolerance), "method": construction.method, "every_n": construction.every_n,
        "number_format": construction.number_format.name,
        "linformer_k": request.linformer_k, "performer_features": request.performer_features, "seed": request.seed,
    }
    if isinstance(construction, ContinuousConstruction):
        limits = {"limits": vars(request.limits()), "evaluated_up_to": construction.evaluated_up_to}
        return common | limits | _instead(construction)
    planned = construction.plan
    exact_only = any(array.dtype == object for node in construction.sumformer.psi.nodes
                     for array in (node.table.thresholds, node.table.values))
    return common | _instead(construction) | {
        "code": planned.code.name, "number_format": "exact" if exact_only else planned.number_format.name,
        "lipschitz": str(planned.modulus.lipschitz), "lipschitz_declared": bool(planned.modulus.assumption),
        "slope_attained": planned.modulus.attained, "cells": planned.cells, "multisets": planned.multisets,
        "table_entries": planned.table_entries, "value_radius": str(construction.value_radius),
    }


def _instead(construction: AnyConstruction) -> dict[str, Any]:
    """Return what was built in the target's place: f with lifted roots, or what a polynomial is claimed to miss."""
    lifted = {"lifted": construction.lifted} if construction.lifted else {}
    if isinstance(construction, ContinuousConstruction) and construction.stands_in:
        return lifted | {"missed": str(construction.missed)}
    return lifted


def default_name(request: Request, construction: AnyConstruction) -> str:
    """Return a folder name such as f-n3-eps1e-2, or f-eps1e-2 where the bound holds for every n."""
    target = construction.target
    word = "".join(ch if ch.isalnum() or ch in "-_" else "-" for ch in target.name).strip("-")[:40] or "expression"
    length = "" if construction.every_n else f"-n{target.n}"
    return f"{word}{length}-eps{request.eps.strip().replace('/', '_')[:40]}"
