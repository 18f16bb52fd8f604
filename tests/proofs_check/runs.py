"""Small runs in memory, as ``construct`` would store them, to certify and to damage."""

from __future__ import annotations

import copy
import json
from functools import cache

import numpy as np

from constructions.construct import Construction, construct
from constructions.errors import BadInput
from constructions.storage import Stored, store
from proofs_check.certify import certify
from proofs_check.kernel import Certificate, Verdict
from proofs_check.run_files import RunFiles
from uat import pipeline
from uat.request import Request

REQUESTS = {
    "product": Request("x*mean(y)", "1/4", n=3, linformer_k=2),
    "f": Request("f", "1/4", n=3, linformer_k=2),
    "pair": Request("own-times-mean", "1/5", n=2),
    "plane": Request("(x[0]*mean(y[1]), max(y[0]) - x[1])", "1", n=2, d=2),
    "two outputs": Request("moments", "1/4", n=2),
    "packed": Request("f", "1/4", n=3, code="packed"),
    "float32": Request("x*mean(y)", "1/4", n=3, precision="float32"),
    "vast": Request("x/2**100", "1/4", n=2, domain="-1e30,1e30", precision="float32"),
    "huge integers": Request("own-times-mean", "1/60", n=2, code="positional", architecture="sumformer"),
    "sumformer": Request("x*mean(y)", "1/4", n=3, architecture="sumformer"),
    "eighths": Request("x*mean(y)", "101/400", n=2, architecture="sumformer"),
    "lifted": Request("sqrt(mean(y**2))", "1/4", n=3, method="grid", architecture="linformer"),
    "thirds": Request("max", "1/20", n=3, domain="1/3,2/3"),
    "wide": Request("x*mean(y)", "2", n=3, domain="-1,2"),
    "declared": Request("x*mean(y)", "1/4", n=3, lipschitz="2", architecture="transformer"),
    "callable": Request("tests.proofs_check.runs:own_times_mean", "1/4", n=3, lipschitz="2", architecture="transformer"),
}
ASSUMED = ("declared", "callable")


def own_times_mean(tokens: np.ndarray) -> np.ndarray:
    """A target as Python code."""
    return np.asarray(tokens * tokens.mean(axis=-2, keepdims=True))


@cache
def built(name: str) -> tuple[Construction, Stored, RunFiles]:
    """Construct one of ``REQUESTS``."""
    return made(REQUESTS[name])


def made(request: Request) -> tuple[Construction, Stored, RunFiles]:
    """Construct what is asked for."""
    construction = construct(*pipeline.prepare(request, request.lengths()[0]))
    stored = store(construction.sumformer, construction.architectures)
    claim = pipeline.claim_of(construction).to_json()
    exact, network, plan = (json.loads(json.dumps(part)) for part in
                            (stored.exact, stored.network, pipeline.plan_record(construction, request)))
    return construction, stored, RunFiles(stored.arrays, exact, network, plan, {"claim": json.loads(json.dumps(claim))})


def fresh(name: str) -> RunFiles:
    """Return a run of its own to damage: all parts are writable dictionaries and arrays."""
    run = built(name)[2]
    arrays = {key: np.array(array) for key, array in run.arrays.items()}
    return RunFiles(arrays, *(copy.deepcopy(part) for part in (run.exact, run.network, run.plan, run.certificate)))


def said_to_be(run: RunFiles, f: str, lifted: str) -> RunFiles:
    """Return the run, said to be of f with its roots lifted to another text."""
    claim = {**run.certificate["claim"], "expression": f, "target": f}
    return RunFiles(run.arrays, run.exact, run.network, {**run.plan, "expression": f, "target": f, "lifted": lifted},
                    {"claim": claim})


@cache
def certifies(name: str) -> bool:
    """Say whether the undamaged run is certified."""
    return isinstance(certify(built(name)[2]), Certificate)


def outcome(run: RunFiles) -> Verdict | BadInput:
    """Certify; a malformed run is an answer too, any other exception is not."""
    try:
        return certify(run)
    except BadInput as refusal:
        return refusal
