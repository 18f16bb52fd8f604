"""The compiled forward pass, sparse where weights are, against dense products and against the network evaluated layer by layer.

``python -m tests.benchmarks.forward``: nanoseconds a token in sequences of 16, one thread, medians of interleaved turns.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import torch

from constructions.adapters import CompiledMeanSumformer, matrix, program
from constructions.continuous import compile_target
from constructions.network.relu import MeanSumformer
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.kept_memory import keep_freed_memory

TARGETS = ("f", "gravity-2d", "mean(abs(x-y))", "sum(exp(-abs(x-y))*y)/sum(exp(-abs(x-y)))",
           "sum(exp(-abs(x[0]-y[0]))*y[1])/sum(exp(-abs(x[0]-y[0])))", "mean(tanh(100*(x-y)))")
EPS, N, TOKENS, TURNS = "1e-2", 16, 2**14, 7


@contextmanager
def _all_dense() -> Iterator[None]:
    """Compile every level to dense products, and every channel that many units read to a look-up."""
    small, each = matrix.SMALL, program.EACH
    matrix.SMALL, program.EACH = sys.maxsize, 0
    try:
        yield
    finally:
        matrix.SMALL, program.EACH = small, each


def row(text: str) -> str:
    """Compile and measure; one line of the table."""
    target = resolve(text, n=N, d=None, domain="0,1")
    assert isinstance(target, Target)
    network: MeanSumformer = compile_target(target, Fraction(EPS), "sum-decomposition")[1].sumformer
    with _all_dense():
        dense = CompiledMeanSumformer(network)
    compiled = CompiledMeanSumformer(network)
    tokens = torch.rand(TOKENS // N, N, target.d, dtype=torch.float64)
    plain = tokens[:32].numpy()  # too slow for more
    sides: tuple[tuple[Callable[[], object], int], ...] = (
        (lambda: compiled(tokens), TOKENS), (lambda: dense(tokens), TOKENS), (lambda: network(plain), plain.size // target.d))
    seen: list[list[float]] = [[] for _ in sides]
    for _ in range(TURNS):
        for times, (call, count) in zip(seen, sides, strict=True):
            start = time.process_time()
            call()
            times.append((time.process_time() - start) / count * 1e9)
    mine, theirs, layers = (statistics.median(times) for times in seen)
    return (f"{text:58s} {network.n_nonzero:8,d} {mine:9,.0f} {theirs:9,.0f} {layers:11,.0f} {theirs / mine:8.1f}"
            f" {layers / mine:10.0f}")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    keep_freed_memory()
    print(f"{'ns a token, eps = ' + EPS:58s} non-zero  compiled     dense   by layers    dense  by layers: over compiled")
    for text in TARGETS:
        print(row(text), flush=True)


if __name__ == "__main__":
    main()
