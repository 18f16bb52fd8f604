"""Throughput of the uniform search as a ratio to a loop that does nothing but evaluate f on tokens that are already there.

Both sides run interleaved in one process, so the ratio does not depend on what else the machine does for long.
Run ``python -m tests.benchmarks.sampling [target] [eps] [n] [threads]``.
"""

from __future__ import annotations

import statistics
import sys
import time
from fractions import Fraction

import torch

from constructions.adapters import CompiledSumformer
from constructions.moduli import derived
from constructions.planner import plan_grid
from constructions.sumformers.grid import construct_grid
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.sampling import sample
from proofs_check.search import CHUNK_PAIRS

REPETITIONS = 7
CHUNKS = 128  # about 4 million sequences for n = 3: the search is used with ten million


def ratio(name: str = "f", eps: str = "1/100", n: int = 3) -> dict[str, float]:
    """Measure sequences a second, medians of interleaved repetitions.

    Returns:
        ``search``: the uniform search of :func:`proofs_check.sampling.sample`; ``bare``: f alone on a (batch, n, d) array;
        ``bare, batch innermost``: f alone in the memory layout the search uses; and ``ratio``: search / bare.
    """
    target = resolve(name, n=n, d=None, domain="0,1")
    assert isinstance(target, Target)
    plan = plan_grid(target.box, n, target.d_out, Fraction(eps), derived(target), roundings=n + 8)
    network = CompiledSumformer(construct_grid(target, plan.grid, plan.code, plan.number_format).sumformer, target.box)
    batch = CHUNK_PAIRS["cpu"] // n**2
    innermost = torch.rand(target.d, n, batch, dtype=torch.float64).permute(2, 1, 0)
    layouts = {"bare": innermost.contiguous(), "bare, batch innermost": innermost}
    thresholds = [axis.thresholds for axis in plan.grid.axes]
    seen: dict[str, list[float]] = {side: [] for side in ("search", *layouts)}
    for repetition in range(REPETITIONS):
        result = sample(target, network, target.box, n, thresholds, CHUNKS * batch, "cpu", repetition, shares={})
        seen["search"].append(result.throughput)
        for side, tokens in layouts.items():
            start = time.perf_counter()
            for _ in range(CHUNKS):
                target.torch(tokens)
            seen[side].append(CHUNKS * batch / (time.perf_counter() - start))
    medians = {side: statistics.median(values) for side, values in seen.items()}
    return medians | {"ratio": medians["search"] / medians["bare"]}


def main(arguments: list[str]) -> None:
    """Print the medians and the ratio."""
    name, eps, n, threads = (*arguments, *("f", "1/100", "3", "2")[len(arguments):])
    torch.set_num_threads(int(threads))
    measured = ratio(name, eps, int(n))
    share = measured.pop("ratio")
    for side, throughput in measured.items():
        print(f"{side:24s} {throughput:12.4g} sequences/s")
    print(f"search / bare            {share:12.2f}   ({name}, eps = {eps}, n = {n}, {threads} threads)")


if __name__ == "__main__":
    main(sys.argv[1:])
