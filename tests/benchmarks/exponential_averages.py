"""Attention as sharp as one likes: sizes, bounds and times while its inverse temperature grows.

``python -m tests.benchmarks.exponential_averages [eps ..]``: columns as of ``bent_kernels``, at other tolerances if
any are given. Where weights are not wide the average goes through products or straight lines, as everywhere.
"""

from __future__ import annotations

import sys

from constructions.errors import Refused
from tests.benchmarks.measured import measured
from tests.benchmarks.printed import above

SOFTMAX, GAUSS, LAPLACE = "{0}*x*y", "-{0}*(x-y)**2", "-{0}*abs(x-y)"
PLANE = "{0}*(x[0]*y[0]+x[1]*y[1])"
TARGETS = (*((SOFTMAX, beta, "0,1", "1e-2") for beta in (4, 8, 16, 32, 64, 128)), (SOFTMAX, 4, "-2,2", "1e-2"),
           *((GAUSS, beta, "0,1", "1e-2") for beta in (32, 128, 512)), *((LAPLACE, beta, "0,1", "1e-2") for beta in (4, 16, 64)),
           *((PLANE, beta, "0,1", "1e-1") for beta in (4, 8, 16, 32)), (PLANE, 16, "0,1", "5e-2"), (PLANE, 4, "-1,1", "2e-1"))
SAMPLES = 20_000


def row(exponent: str, beta: int, domain: str, eps: str) -> str:
    """Build, prove and search; one line of the table."""
    k = exponent.format(beta)
    named = f"{k:25s} {domain:5s} {eps}"
    try:
        one = measured(f"sum(exp({k})*{'y[0]' if exponent == PLANE else 'y'})/sum(exp({k}))", eps, domain, SAMPLES)
    except Refused as refused:
        return f"{named}  refused: {refused}"[:170]
    return (f"{named} {one.n_nonzero:9,d} {one.d_latent:5d} {one.depth:6d} {above(one.built):>10} {above(one.quoted):>10} "
            f"{one.found[0]:9.3g} {one.found[1]:9.3g} {one.quoted / max(one.found):6.2f} "
            f"{one.building:6.1f} s {one.proving:6.1f} s")


def main(tolerances: list[str]) -> None:
    """Print one row a target and tolerance."""
    print("exponent                  on     eps  non-zero    d' layers    builder  certified     n = 3 n = 1,000  ratio    build"
          "    prove")
    for exponent, beta, domain, usual in TARGETS:
        for eps in tolerances or [usual]:
            print(row(exponent, beta, domain, eps), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
