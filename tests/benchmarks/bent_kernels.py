"""Kernels that bend, or are too sharp for products: sizes, bounds and times, beside order statistics for 3 tokens.

``python -m tests.benchmarks.bent_kernels [eps ..]``: the builder's bound, the checker's, the largest error found with 3 and with
1,000 tokens, the checker's bound over the second, seconds of the processor to build and to prove.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import torch

from constructions.continuous import compile_target
from constructions.errors import Refused
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.sampling import sample
from proofs_check.witness import evaluator, repetition, thresholds_of
from tests.benchmarks.continuous import quoted_bound
from tests.benchmarks.printed import above

TARGETS = ("mean(abs(x-y))", "mean(maximum(x,y))", "mean(abs(y-mean(y)))", "mean(exp(-abs(x-y)))",
           "sum(exp(-abs(x-y))*y)/sum(exp(-abs(x-y)))", "mean(tanh(100*(x-y)))", "mean(abs(x[0]-y[0])*y[1])",
           "mean(abs(x[0]+x[1]-y[0]-y[1]))", "sum(exp(-abs(x[0]-y[0]))*y[1])/sum(exp(-abs(x[0]-y[0])))")
EPS = ("1e-1", "1e-2", "1e-3")
LENGTHS, SAMPLES = (3, 1000), 200_000


def row(text: str, eps: str) -> str:
    """Build, prove and search; one line of the table."""
    target = resolve(text, n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
    start = time.process_time()
    try:
        decomposition, compiled = compile_target(target, Fraction(eps), "sum-decomposition")
    except Refused as refused:
        return f"{text:58s} {eps}  refused: {refused}"[:140]
    built = time.process_time()
    quoted = quoted_bound(compiled.sumformer, compiled.derivation, target, compiled.bound, decomposition.every_n)
    proved = time.process_time()
    network, found = compiled.sumformer, list[float]()
    for n in LENGTHS:
        at_n = Target.from_text(text, n=n, box=target.box)
        repeated = repetition(at_n, network)
        found.append(sample(at_n, evaluator(network, at_n, torch.device("cpu")), target.box,
                            n if repeated is None else repeated.different, thresholds_of(network, at_n), SAMPLES, "cpu", 0,
                            repeated=repeated).maximum)
    return (f"{text:58s} {eps} {network.n_nonzero:8,d} {network.d_latent:5d} {above(compiled.bound):>10} {above(quoted):>10} "
            f"{found[0]:9.3g} {found[1]:9.3g} {quoted / found[1]:6.2f} {built - start:5.1f} s {proved - built:5.1f} s  "
            f"{_sorted(target, eps)}")


def _sorted(target: Target, eps: str) -> str:
    try:
        network = compile_target(target, Fraction(eps), "order-statistics")[1].sumformer
    except Refused:
        return "refused"
    return f"{network.n_nonzero:,d}, d' = {network.d_latent}"


def main(tolerances: list[str]) -> None:
    """Print one row a target and tolerance."""
    print(f"{'target':58s}  eps non-zero    d'    builder  certified     n = 3 n = 1,000  ratio   build   prove  sorted, n = 3")
    for text in TARGETS:
        for eps in tolerances or EPS:
            print(row(text, eps), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
