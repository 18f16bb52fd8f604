"""Kernels that bend, or are too sharp for products: sizes, bounds and times, beside order statistics for 3 tokens.

``python -m tests.benchmarks.bent_kernels [eps ..]``: the builder's bound, the checker's, the largest error found with 3 and with
1,000 tokens, the checker's bound over the second, seconds of the processor to build and to prove.
"""

from __future__ import annotations

import sys
from fractions import Fraction

from constructions.continuous import compile_target
from constructions.errors import Refused
from constructions.targets.library import resolve
from constructions.targets.target import Target
from tests.benchmarks.measured import measured
from tests.benchmarks.printed import above

TARGETS = ("mean(abs(x-y))", "mean(maximum(x,y))", "mean(abs(y-mean(y)))", "mean(exp(-abs(x-y)))",
           "sum(exp(-abs(x-y))*y)/sum(exp(-abs(x-y)))", "mean(tanh(100*(x-y)))", "mean(abs(x[0]-y[0])*y[1])",
           "mean(abs(x[0]+x[1]-y[0]-y[1]))", "sum(exp(-abs(x[0]-y[0]))*y[1])/sum(exp(-abs(x[0]-y[0])))")
EPS = ("1e-1", "1e-2", "1e-3")
SAMPLES = 200_000


def row(text: str, eps: str) -> str:
    """Build, prove and search; one line of the table."""
    try:
        one = measured(text, eps, "0,1", SAMPLES)
    except Refused as refused:
        return f"{text:58s} {eps}  refused: {refused}"[:140]
    return (f"{text:58s} {eps} {one.n_nonzero:8,d} {one.d_latent:5d} {above(one.built):>10} {above(one.quoted):>10} "
            f"{one.found[0]:9.3g} {one.found[1]:9.3g} {one.quoted / one.found[1]:6.2f} "
            f"{one.building:5.1f} s {one.proving:5.1f} s  {_sorted(text, eps)}")


def _sorted(text: str, eps: str) -> str:
    target = resolve(text, n=3, d=None, domain="0,1")
    assert isinstance(target, Target)
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
