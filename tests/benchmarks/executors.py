"""What processes are worth: sequences and boxes a second here and in two processes that have started, in turn, in one run.

Run ``python -m tests.benchmarks.executors``. Here means one thread, and as many as there are processes where sequences are
looked at; boxes are judged one batch after the other, with the threads that matrix products take.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor
from fractions import Fraction

import torch

from constructions.adapters import CompiledMeanSumformer
from constructions.continuous import compile_target
from constructions.network.relu import MeanSumformer
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.executors import executor
from proofs_check.sampling import sample
from proofs_check.sup_norm import Problem, Search
from proofs_check.witness import thresholds_of

PROCESSES = 2
REPETITIONS = 5
SEQUENCES = 12_000_000
SECONDS = 8.0  # of each subdivision
BUILT = (("f", "1/100"), ("f", "1/10000"), ("standardise", "1/100"), ("kernel-density", "1/100"))


def of_three_tokens(name: str, eps: str) -> tuple[Target, MeanSumformer]:
    """Build the continuous construction of a target."""
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    network = compile_target(target, Fraction(eps), "sum-decomposition")[1].sumformer
    return Target.from_text(target.text, n=3, box=target.box, name=name), network


def sampling(target: Target, network: MeanSumformer, pool: Executor) -> list[float]:
    """Sequences a second with one thread, with several, and in processes."""
    compiled, thresholds = CompiledMeanSumformer(network), thresholds_of(network, target)

    def speed(threads: int, where: Executor | None) -> float:
        torch.set_num_threads(threads)
        return sample(target, compiled, target.box, 3, thresholds, SEQUENCES, "cpu", 0, executor=where).throughput

    return in_turn([lambda: speed(1, None), lambda: speed(PROCESSES, None), lambda: speed(1, pool)])


def subdivision(target: Target, network: MeanSumformer, bound: Fraction, pool: Executor) -> list[float]:
    """Boxes a second here and in processes."""
    problem = Problem.of(target.outputs, network, 3, target.box.sides)

    def speed(where: Executor | None) -> float:
        search, start = Search.begin(problem, bound), time.perf_counter()
        search.run(SECONDS, executor=where)
        return search.judged / (time.perf_counter() - start)

    return in_turn([lambda: speed(None), lambda: speed(pool)])


def in_turn(sides: list[Callable[[], float]]) -> list[float]:
    """Medians of what each side measures; the sides take turns."""
    measured = [[side() for side in sides] for _ in range(REPETITIONS)]
    return [statistics.median(column) for column in zip(*measured, strict=True)]


def main() -> None:
    """Print both tables."""
    built = [(name, eps, *of_three_tokens(name, eps)) for name, eps in BUILT]
    with executor(f"processes:{PROCESSES}", "proofs_check.sampling") as pool:
        assert pool is not None
        list(pool.map(time.sleep, [1.0] * PROCESSES))  # started
        print(f"sequences a second     eps     1 thread    {PROCESSES} threads  {PROCESSES} processes  processes / threads")
        for name, eps, target, network in built:
            one, threads, there = sampling(target, network, pool)
            print(f"{name:18s} {float(Fraction(eps)):7.0e} {one:12,.0f} {threads:12,.0f} {there:12,.0f} {there / threads:20.2f}",
                  flush=True)
        print(f"boxes a second         eps         here  {PROCESSES} processes     processes / here")
        for name, eps, target, network in built:
            here, there = subdivision(target, network, Fraction(eps) * Fraction(4, 5), pool)
            print(f"{name:18s} {float(Fraction(eps)):7.0e} {here:12,.0f} {there:12,.0f} {there / here:20.2f}", flush=True)


if __name__ == "__main__":
    main()
