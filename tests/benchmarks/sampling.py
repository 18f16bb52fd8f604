"""Throughput of the search as a ratio to a loop that does nothing but evaluate f (and T) on tokens that are already there.

Both sides run interleaved in one process, so the ratio does not depend on what else the machine does for long.
Run ``python -m tests.benchmarks.sampling [target] [eps] [n] [threads]`` for a discretised construction, and
``python -m tests.benchmarks.sampling continuous`` for continuous ones, one thread, in processor time. There the search is
compared with two bare forward passes: ``drawn`` evaluates f and T on as many tokens, all different, drawn before and laid out
as usual, (batch, n, d), in chunks as large as the search's; ``cached`` adds up what f and T need alone, each at the size of
batch that is fastest for it, on one batch of tokens again and again.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

import torch

from constructions.adapters import CompiledMeanSumformer, CompiledSumformer
from constructions.continuous import compile_target
from constructions.moduli import derived
from constructions.planner import plan_grid
from constructions.sumformers.grid import construct_grid
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.draws import Space
from proofs_check.kept_memory import keep_freed_memory
from proofs_check.sampling import sample
from proofs_check.search import CHUNK_TOKENS, Search
from proofs_check.witness import thresholds_of

REPETITIONS = 7
TOKENS = 30_000_000  # of every side of a continuous network: ten million sequences of 3, as many as `uat sample` looks at
TRIED = 2**20  # tokens to find the best size of batch
CONTINUOUS = (("standardise", "1/100", 3), ("standardise", "1/10000", 3), ("standardise", "1/100", 16), ("f", "1/100", 3),
              ("f", "1/10000", 3), ("f", "1/100", 16), ("kernel-density", "1/100", 3), ("kernel-density", "1/10000", 3))
BATCHES = tuple(2**k for k in range(13, 19))  # tokens: f and T each have their own best
SIDES = ("uniform", "search", "drawn", "T", "f")
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
    batch = CHUNK_TOKENS["cpu"] // n
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


def continuous(name: str, eps: str, n: int) -> str:
    """Measure the whole search, all phases, against f and T on tokens that are there; one line of the table.

    Every side does the same number of tokens a turn, and medians of turns are compared: the least of many short times would
    favour whatever is measured in shorter pieces.
    """
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    compiled = compile_target(target, Fraction(eps), "sum-decomposition")[1].sumformer
    target = Target.from_text(target.text, n=n, box=target.box, name=name)
    network, samples = CompiledMeanSumformer(compiled), TOKENS // n
    thresholds = thresholds_of(compiled, target)
    keep_freed_memory()
    drawn = torch.rand(samples, n, target.d, dtype=torch.float64)
    chunk = Search(target, network, Space.of(target.box, n, thresholds, "cpu", torch.float64), 0).chunk
    sides: dict[str, Callable[[], object]] = {
        "uniform": lambda: sample(target, network, target.box, n, thresholds, samples, "cpu", 0, shares={}),
        "search": lambda: sample(target, network, target.box, n, thresholds, samples, "cpu", 0),
        "drawn": lambda: _forward(network, target.torch, torch.split(drawn, chunk)),
        "T": _fastest(network, target.d, n), "f": _fastest(target.torch, target.d, n)}
    seen: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(REPETITIONS):
        for side, call in sides.items():
            seen[side].append(_seconds(call))
    time_of = {side: statistics.median(seconds) for side, seconds in seen.items()}
    shares = [bare / time_of[side] for bare in (time_of["drawn"], time_of["T"] + time_of["f"]) for side in ("uniform", "search")]
    return (f"{name:15s} {float(Fraction(eps)):7.0e} {n:4d} " + " ".join(f"{TOKENS / time_of[side]:13,.0f}" for side in SIDES)
            + " " + " ".join(f"{share:8.2f}" for share in shares))


@torch.no_grad()
def _forward(network: Callable[[torch.Tensor], object], f: Callable[[torch.Tensor], object],
             chunks: Sequence[torch.Tensor]) -> None:
    for tokens in chunks:
        network(tokens)
        f(tokens)


def _fastest(call: Callable[[torch.Tensor], object], d: int, n: int) -> Callable[[], object]:
    """Return a loop over ``TOKENS`` tokens that are there, in batches of the size that is fastest."""
    loops = []
    for batch in BATCHES:
        tokens = torch.rand(d, n, batch // n, dtype=torch.float64).permute(2, 1, 0)
        loops.append((batch, partial(call, tokens)))
    _, batch, best = min((min(_seconds(partial(_again, one, TRIED // batch)) for _ in range(3)), batch, one)
                         for batch, one in loops)
    return partial(_again, best, TOKENS // (batch // n * n))


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


@torch.no_grad()
def _again(call: Callable[[], object], times: int) -> None:
    """Call and let go of what comes back: what is kept would have to be new memory each time, which the search does not need."""
    for _ in range(times):
        call()


def print_continuous() -> None:
    """Print the table of continuous constructions: tokens a second, and ratios to the two bare forward passes."""
    torch.set_num_threads(1)
    print(" " * 98 + "  drawn: share     cached: share")
    print("tokens a second     eps    n       uniform        search         drawn        T bare        f bare  uniform   search"
          "  uniform   search")
    for name, eps, n in CONTINUOUS:
        print(continuous(name, eps, n), flush=True)


def main(arguments: list[str]) -> None:
    """Print the medians and the ratio."""
    if arguments == ["continuous"]:
        print_continuous()
        return
    name, eps, n, threads = (*arguments, *("f", "1/100", "3", "2")[len(arguments):])
    torch.set_num_threads(int(threads))
    measured = ratio(name, eps, int(n))
    share = measured.pop("ratio")
    for side, throughput in measured.items():
        print(f"{side:24s} {throughput:12.4g} sequences/s")
    print(f"search / bare            {share:12.2f}   ({name}, eps = {eps}, n = {n}, {threads} threads)")


if __name__ == "__main__":
    main(sys.argv[1:])
