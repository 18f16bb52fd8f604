"""Run proof steps: independent ones in parallel processes, unchanged ones from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from constructions.progress import Report, silent
from proofs_check.executors import executor
from proofs_check.kernel import Status
from proofs_check.proof import CheckResult, StepResult, given_for, run_step
from proofs_check.step_cache import StepCache
from proofs_check.steps import all_steps

FEW = 3  # so few steps are run here: starting processes takes longer


@dataclass(frozen=True)
class Settings:
    """How hard to try, where, from which seed, and the user's feature map (``proofs_check/feature_maps.py``), if any."""

    full: bool = False
    device: str = "cpu"
    seed: int = 0
    phi: str | None = None

    @property
    def profile(self) -> str:
        """``fast`` or ``full``."""
        return "full" if self.full else "fast"


@dataclass(frozen=True)
class Run:
    """Results in the order asked for, and which of them were taken from the cache."""

    results: tuple[StepResult, ...]
    cached: frozenset[str]


def run_one(name: str, settings: Settings) -> StepResult:
    """Run one step of the registry; a module-level function, so that other processes find it."""
    step = all_steps()[name]
    return run_step(step, given_for(step, full=settings.full, device=settings.device, seed=settings.seed, phi=settings.phi))


def run_steps(names: Sequence[str], settings: Settings, *, jobs: int = 1, cache: StepCache | None = None,
              report: Report = silent) -> Run:
    """Run the named steps; a step that fails, or takes its process down, stops no other."""
    keys = {name: cache.key(name, settings) for name in names} if cache else {}
    known = {name: found for name in names if cache and (found := cache.load(name, keys[name])) is not None}
    todo = [name for name in names if name not in known]
    results = dict(known)

    def done(result: StepResult) -> None:
        results[result.id] = result
        report("proof steps", len(results), len(names))
        if cache and not result.crashed:
            cache.save(result, keys[result.id])

    report("proof steps", len(results), len(names))
    if jobs == 1 or len(todo) <= FEW:
        for name in todo:
            done(run_one(name, settings))
    else:
        in_processes(todo, partial(run_one, settings=settings), jobs, done)
    return Run(tuple(results[name] for name in names), frozenset(known))


def in_processes(names: Sequence[str], run: Callable[[str], StepResult], jobs: int, done: Callable[[StepResult], None]) -> None:
    """Run steps in a pool; if a worker dies the pool is lost, and what was not finished is run again, each in a pool of its own.

    Args:
        names: the steps.
        run: a function that other processes can find.
        jobs: number of processes.
        done: called with every result as it comes.
    """
    lost: list[str] = []
    with _pool(min(jobs, len(names))) as pool:
        waiting = {pool.submit(run, name): name for name in names}
        for future in as_completed(waiting):
            try:
                done(future.result())
            except (BrokenExecutor, CancelledError) as error:
                if len(names) == 1:
                    done(_undecided(waiting[future], error))
                else:
                    lost.append(waiting[future])
    for name in lost:
        in_processes([name], run, 1, done)


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    with executor(f"processes:{workers}") as pool:
        if pool is None:
            raise ValueError("processes were asked for")
        yield pool


def _undecided(name: str, error: BaseException) -> StepResult:
    what = f"its process died ({type(error).__name__})"
    check = CheckResult("the step runs", "", Status.UNDECIDED, what, 0, (), "", False, 0.0)
    return StepResult(name, Status.UNDECIDED, (check,), crashed=True)
