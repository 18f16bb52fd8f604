"""``construct`` from request to record: plan, build, re-prove, sample, write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from constructions.construct import Construction, construct, plan
from constructions.planner import GridPlan
from constructions.pooling import PoolingHead
from constructions.progress import Report
from constructions.storage import Stored, store
from constructions.targets.target import AnyTarget, CallableTarget
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Claim, Verdict
from proofs_check.run_files import RunFiles
from uat.request import Request
from uat.sampling import Sampled, sample_construction


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
    """Everything one ``construct`` found out."""

    construction: Construction
    stored: Stored
    plan_record: dict[str, Any]
    verdict: Verdict
    sampled: Sampled | None
    seconds: dict[str, float]


def prepare(request: Request) -> tuple[AnyTarget, GridPlan, tuple[PoolingHead, ...]]:
    """Check the request and plan; raises BadInput or Refused before anything is built."""
    request.check_names()
    tolerance, heads, number_format = request.tolerance(), request.heads(), request.number_format()
    target, modulus = request.resolved()
    return target, plan(target, tolerance, heads, modulus=modulus, code=request.code, number_format=number_format,
                        max_table=request.max_table), heads


def run(request: Request, *, samples: int, device: str, report: Report) -> Outcome:
    """Plan, build, re-prove from the weights, and look for a counterexample."""
    watch = Stopwatch()
    with watch("plan"):
        target, planned, heads = prepare(request)
    with watch("construct"):
        construction = construct(target, planned, heads, report)
        stored = store(construction.sumformer, construction.architectures)
        record = plan_record(construction, request)
    with watch("certify"):
        claim = claim_of(construction)
        verdict = certify(RunFiles(stored.arrays, stored.exact, stored.network, record, {"claim": claim.to_json()}), report)
    sampled = None
    if samples and isinstance(verdict, Certificate):
        with watch("sample"):
            sampled = sample_construction(construction, claim.bound, samples=samples, device=device, seed=request.seed,
                                          report=report)
    return Outcome(construction, stored, record, verdict, sampled, watch.seconds)


def claim_of(construction: Construction) -> Claim:
    """State what is claimed of the Sumformer and of every architecture."""
    target = construction.target
    return Claim(target.name, target.text, target.n, target.d, target.d_out,
                 target.box.sides,
                 ("sumformer", *(a.name for a in construction.architectures)), construction.bound)


def plan_record(construction: Construction, request: Request) -> dict[str, Any]:
    """Return ``plan.json``: what the checker needs to read the claim, and what a reader wants to know."""
    target, planned = construction.target, construction.plan
    exact_only = any(array.dtype == object for node in construction.sumformer.psi.nodes
                     for array in (node.table.thresholds, node.table.values))
    return {
        "target": target.name, "expression": target.text, "callable": isinstance(target, CallableTarget),
        "n": target.n, "d": target.d, "d_out": target.d_out,
        "domain": [[str(a), str(b)] for a, b in target.box.sides],
        "eps": str(planned.tolerance), "method": "grid", "code": planned.code.name,
        "number_format": "exact" if exact_only else planned.number_format.name,
        "lipschitz": str(planned.modulus.lipschitz), "lipschitz_declared": bool(planned.modulus.assumption),
        "slope_attained": planned.modulus.attained, "cells": planned.cells, "multisets": planned.multisets,
        "table_entries": planned.table_entries, "value_radius": str(construction.value_radius),
        "linformer_k": request.linformer_k, "performer_features": request.performer_features, "seed": request.seed,
    }


def default_name(request: Request, target: AnyTarget) -> str:
    """Return a folder name such as f-n3-eps1e-2."""
    word = "".join(ch if ch.isalnum() or ch in "-_" else "-" for ch in target.name).strip("-")[:40] or "expression"
    return f"{word}-n{target.n}-eps{request.eps.strip().replace('/', '_')[:40]}"


