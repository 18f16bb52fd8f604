"""Networks whose weights were rounded to float32, run in float64: ``python -m tests.benchmarks.rounded [target ..]``.

Their chains of folds are looked up by piece. One line compares that, in processor time and in turn within one run, with the same
network unit by unit and with the network before rounding, whose chains have a closed form.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from unittest import mock

import numpy as np
import torch

from constructions.adapters import CompiledMeanSumformer, fold_chains
from constructions.continuous import compile_target
from constructions.targets.library import resolve

CASES = (("standardise", "1e-2"), ("standardise", "1e-4"), ("f", "1e-2"), ("f", "1e-4"), ("kernel-density", "1e-2"),
         ("kernel-density", "1e-4"), ("soft-rank", "1e-2"), ("soft-rank", "1e-4"))
TOKENS = 2**12
REPETITIONS = 25


def row(name: str, eps: str) -> str:
    """Time the three forward passes; the fastest call of each."""
    network = compile_target(resolve(name, n=None, d=None, domain="0,1"), Fraction(eps), "sum-decomposition")[1].sumformer
    rounded = network.rounded(np.float32)
    closed, looked_up = CompiledMeanSumformer(network), CompiledMeanSumformer(rounded)
    with mock.patch.object(fold_chains, "TABULATED", 0):
        plain = CompiledMeanSumformer(rounded)
    tokens = torch.rand(1, TOKENS, len(network.tokens), dtype=torch.float64)
    apart = float((looked_up(tokens) - plain(tokens)).abs().max())
    shortest = [np.inf] * 3
    for _ in range(REPETITIONS):
        for k, run in enumerate((closed, looked_up, plain)):
            start = time.process_time()
            run(tokens)
            shortest[k] = min(shortest[k], time.process_time() - start)
    a, b, c = shortest
    return (f"{name:15s} {eps:>5} {1e3 * a:11.2f} {1e3 * b:10.2f} {1e3 * c:13.2f} {c / b:8.2f} {b / a:8.2f}   {apart:.0e}")


def main(names: list[str]) -> None:
    """Print one row a target and tolerance."""
    torch.set_num_threads(1)
    print(f"ms, n = {TOKENS:,d}    eps closed form  looked up  unit by unit  plain/up up/closed  apart")
    for name, eps in CASES:
        if not names or name in names:
            print(row(name, eps), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
