"""How near the checker's bound comes to the builder's, and how long it takes: ``python -m tests.benchmarks.structure``."""

from __future__ import annotations

import sys
import time

from constructions.continuous import construct_continuous
from constructions.errors import Refused
from constructions.targets.target import Target
from proofs_check.structure.proof import prove
from proofs_check.structure.reading import NotUnderstood
from tests.benchmarks.printed import above
from uat import pipeline
from uat.request import Request

NAMES = ("own-times-mean", "standardise", "f", "kernel-density", "soft-rank", "smooth-maximum", "figure-2", "max", "moments",
         "gravity-2d")
EPS = ("1e-2", "1e-4", "1e-6")
LARGE = {"gravity-2d": ("1e-2",)}  # what is built at one tolerance


def row(name: str, eps: str) -> str:
    """Build a network, prove its bound again from the weights, and print both bounds."""
    request = Request(name, eps, method="sum-decomposition", architecture="sumformer")
    target = request.resolved(None)[0]
    if not isinstance(target, Target):
        raise TypeError(f"{name} is no expression")
    start = time.process_time()
    try:
        built = construct_continuous(target, request.tolerance(), request.method, (), limits=request.limits())
    except Refused as refused:
        return f"{name:16s} {eps}  not built: {str(refused)[:80]}"
    middle = time.process_time()
    try:
        found = prove(built.sumformer, built.compiled.derivation, target, pipeline.claim_of(built))
    except NotUnderstood as reason:
        return f"{name:16s} {eps}  not read by structure: {str(reason)[:70]}"
    end = time.process_time()
    return (f"{name:16s} {eps} {built.sumformer.n_nonzero:9,d} {above(built.bound):>11} {above(found.bound):>11} "
            f"{found.bound / float(built.bound):6.3f} {middle - start:7.2f} s {end - middle:7.2f} s   "
            f"{'algebra' if found.identities else 'identity not shown'}")


def main(names: list[str]) -> None:
    """Print one row a target and tolerance."""
    print("target            eps   non-zero     builder   structure  ratio     build     prove")
    for name in names or NAMES:
        for eps in LARGE.get(name, EPS):
            print(row(name, eps), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
