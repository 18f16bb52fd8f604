"""A GPU beside two threads of the processor, in one run: sampling and subdivision, with the same networks and the same boxes.

Run ``python -m tests.benchmarks.gpu`` on a machine with a GPU; it takes less than six minutes. ``--device cpu`` runs the same
code without one, as the tests do, and compares the processor with itself. Every line says how far the device's numbers are from
the processor's as well: for sampling f - T on the same sequences, for subdivision the bounds of the same boxes, and whether one
was below an error that occurs in its box.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from constructions.continuous import compile_target
from constructions.moduli import derived
from constructions.planner import plan_grid
from constructions.sumformers.fitted import polynomial
from constructions.sumformers.grid import construct_grid
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.boxes import Boxes, Comparison, Judged
from proofs_check.deviation import Deviation
from proofs_check.devices import module_of, wait
from proofs_check.executors import executor
from proofs_check.on_device import OnDevice
from proofs_check.sampling import sample
from proofs_check.sup_norm import Problem, Search
from proofs_check.witness import choose_device, evaluator, thresholds_of
from tests.benchmarks.linear_bounds import PAPER, WIDTHS, stack, stored, trained

ASKED, THREADS = 20.0, 2
SAMPLED = (("f", "grid", 3), ("f", "sum-decomposition", 3), ("f", "sum-decomposition", 256),
           ("standardise", "sum-decomposition", 3), ("standardise", "sum-decomposition", 256))
EPS = Fraction(1, 100)
FITTED = ((8, Fraction(1, 100)), (8, Fraction(1, 1000)))
TRAINED = (WIDTHS[1], PAPER)
RADIUS = 0.01  # of the boxes


@dataclass(frozen=True)
class Effort:
    """How much is measured: tokens of a search here and there, boxes here and there, steps of training, seconds of a proof."""

    tokens: tuple[int, int] = (6_000_000, 200_000_000)
    boxes: tuple[int, int] = (2**14, 2**17)
    steps: int = 300
    seconds: float = 20.0


HERE = Effort((6_000_000, 6_000_000), (2**13, 2**13))  # of the processor beside itself
FAST = Effort((30_000, 30_000), (2**8, 2**8), 20, 1.0)


@dataclass(frozen=True)
class Line:
    """One comparison: figures a second here and there, how far the numbers are apart, and whether the device's are sound.

    ``operations`` of torch judge a batch of boxes, however many these are: on a GPU each has to be started.
    """

    what: str
    here: float
    there: float
    apart: float
    sound: bool
    operations: int = 0

    @property
    def ratio(self) -> float:
        """How many times as fast the device is."""
        return self.there / self.here

    def __str__(self) -> str:
        return (f"{self.what:60s} {self.here:13,.0f} {self.there:15,.0f} {self.ratio:8.1f} {self.apart:9.1e}"
                f"{f'{self.operations:12,d}' if self.operations else ''}{'' if self.sound else '   NOT SOUND'}")


def sampling(name: str, method: str, n: int, device: torch.device, effort: Effort) -> Line:
    """Compare whole searches in sequences a second, and f - T on the same sequences."""
    target = resolve(name, n=n if method == "grid" else None, d=None, domain="0,1")
    assert isinstance(target, Target)
    if method == "grid":
        plan = plan_grid(target.box, n, target.d_out, EPS, derived(target), roundings=n + 8)
        network: Any = construct_grid(target, plan.grid, plan.code, plan.number_format).sumformer
    else:
        network = compile_target(target, EPS, method)[1].sumformer
        target = Target.from_text(target.text, n=n, box=target.box, name=name)
    thresholds, speed, gaps = thresholds_of(network, target), [], []
    tokens = torch.rand(256, n, target.d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for where, count in zip((torch.device("cpu"), device), effort.tokens, strict=True):
        evaluate = evaluator(network, target, where)
        gaps.append((evaluate(tokens.to(where)) - target.torch(tokens.to(where))).cpu())
        for samples in (max(1, count // n // 20), max(1, count // n)):  # the first is to warm up
            wait(where)
            found = sample(target, evaluate, target.box, n, thresholds, samples, where, 0)
        speed.append(found.throughput)
    apart = float((gaps[0] - gaps[1]).abs().max())
    return Line(f"sampling {name}, {method}, eps = 1e-2, n = {n}", speed[0], speed[1], apart, apart < 1e-9)


def boxes_of(comparison: Comparison, count: int) -> Boxes:
    """Return small boxes of sorted sequences at random places, the first token being the own one."""
    n = comparison.n
    centre = np.sort(np.random.default_rng(0).uniform(RADIUS, 1 - RADIUS, (count, n)), axis=1)[:, ::-1]
    return Boxes(centre - RADIUS, centre + RADIUS, np.full(count, np.inf), np.zeros(count, dtype=int), np.zeros(count, dtype=int))


def judging(what: str, comparison: Comparison, device: torch.device, effort: Effort, pool: Executor) -> Line:
    """Compare boxes a second, here in two processes, and the bounds of the same boxes.

    Here the processor may bound networks in a way that a device does not: how far the bounds are apart is about the same way.
    """
    there = OnDevice.of(comparison, device)
    few, many = (boxes_of(comparison, count) for count in effort.boxes)
    batch = max(1, min(comparison.batch, few.bound.size // THREADS))
    parts = [few.take(slice(k, k + batch)) for k in range(0, few.bound.size, batch)]
    list(pool.map(comparison.elsewhere, parts[:THREADS]))  # each process analyses the comparison once
    here, found = timed(lambda: joined(list(pool.map(comparison.elsewhere, parts))))
    larger = [many.take(slice(k, k + there.batch)) for k in range(0, many.bound.size, there.batch)]
    with Counting() as counting:
        there.judge(larger[0].take(slice(0, 2)))
    there.judge(larger[0])
    fast, judged = timed(lambda: joined([there.judge(part) for part in larger]))
    alike, same = judged.upper[: few.bound.size], OnDevice(comparison, torch.device("cpu")).judge(parts[0]).upper
    apart = float(np.nanmax(np.abs(alike[:batch] - same) / np.maximum(np.abs(same), 1e-300)))
    return Line(what, few.bound.size / here, many.bound.size / fast, apart, bool((alike >= found.occurs).all()),
                counting.operations)


class Counting(TorchDispatchMode):
    """Counts operations of torch, views of what is there aside."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += not func.is_view
        return func(*args, **kwargs or {})


def timed(call: Callable[[], Judged]) -> tuple[float, Judged]:
    """Return the shorter of two times, and what comes back."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        found = call()
        times.append(time.perf_counter() - start)
    return min(times), found


def joined(parts: Sequence[Judged]) -> Judged:
    """Put several together."""
    return Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("upper", "parts", "occurs")))


def proving(what: str, comparison: Comparison, bound: Fraction, device: torch.device, effort: Effort, pool: Executor) -> str:
    """Prove a bound here and there from the start; one line of text."""
    told = []
    for one, workers in ((comparison, pool), (OnDevice.of(comparison, device), None)):
        search, start = Search.begin(one, bound), time.perf_counter()
        search.run(effort.seconds, executor=workers)
        told.append((search, time.perf_counter() - start))
    (here, slow), (there, fast) = told
    agrees = "the same" if there.bound == here.bound else f"{there.bound / here.bound - 1:+.1e} of it"
    done = "" if here.finished and there.finished else " (not finished)"
    return (f"{what:60s} {here.judged:9,d} boxes {slow:6.2f} s, {there.judged:9,d} boxes {fast:6.2f} s; bound {here.bound:.6g}, "
            f"there {agrees}{done}")


def measure(device: torch.device, effort: Effort) -> list[Line]:
    """Print everything; returns the lines with ratios."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    named = "the processor again" if device.type == "cpu" else module_of(device).get_device_name(device)
    print(f"device: {named}; torch {torch.__version__}, CUDA {torch.version.cuda}; beside {THREADS} threads or processes here")
    print(f"{'':60s} {'here, a second':>13s} {'device, a second':>15s}   ratio     apart  operations")
    lines = []

    def say(line: Line) -> None:
        lines.append(line)
        print(line, flush=True)

    try:
        for name, method, n in SAMPLED:
            say(sampling(name, method, n, device, effort))
        target = resolve("f", n=3, d=None, domain="0,1")
        assert isinstance(target, Target)
        torch.set_num_threads(1)  # two processes are the two threads now
        with executor(f"processes:{THREADS}") as pool:
            assert pool is not None
            list(pool.map(abs, range(THREADS)))  # started
            proofs = []
            for degree, bound in FITTED:
                fitted = Deviation.of(target.outputs, polynomial(target, degree, bound)[0], 3, target.box.sides)
                what = f"proof of |f - p| <= {float(bound):g}, degree {degree}"
                proofs.append(proving(what, fitted, bound, device, effort, pool))
            say(judging("subdivision, f and a polynomial of degree 8", fitted, device, effort, pool))
            for widths in TRAINED:
                torch.manual_seed(0)
                phi, psi = (stack(part) for part in widths)
                trained(phi, psi, effort.steps)
                problem = Problem.of(target.outputs, stored(phi, psi), 3, target.box.sides)
                layers = f"{len(widths[0]) - 1} + {len(widths[1]) - 1} layers of {widths[0][1]}"
                say(judging(f"subdivision, f and a network of {layers}", problem, device, effort, pool))
                bound = _largest(phi, psi, target)
                proofs.append(proving(f"proof for the network of {layers}", problem, bound, device, effort, pool))
        print(*proofs, sep="\n")
    finally:
        torch.set_num_threads(threads)
    if device.type != "cpu":
        print(f"most memory of the device: {module_of(device).max_memory_allocated(device) / 2**30:.1f} GiB")
    reached = sum(line.ratio >= ASKED for line in lines)
    print(f"asked: at least {ASKED:.0f} times; reached in {reached} of {len(lines)} lines")
    return lines


@torch.no_grad()
def _largest(phi: torch.nn.Module, psi: torch.nn.Module, target: Target) -> Fraction:
    """Return a bound a little above the largest error of many samples."""
    tokens = torch.rand(50_000, 3, 1, dtype=torch.float64)
    means = phi(tokens).mean(1, keepdim=True).expand(-1, 3, -1)
    return Fraction(float((psi(torch.cat([tokens, means], -1)) - target.torch(tokens)).abs().max())) * Fraction(21, 20)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code says whether what the device computed was sound."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description="A GPU beside two threads here.")
    parser.add_argument("--device", default="cuda", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--fast", action="store_true", help="hardly any work: whether it runs, not how fast")
    asked = parser.parse_args(arguments)
    device = choose_device(asked.device)
    lines = measure(device, FAST if asked.fast else HERE if device.type == "cpu" else Effort())
    return 0 if all(line.sound for line in lines) else 1


if __name__ == "__main__":
    raise SystemExit(main())
