"""Where sequences are looked at decides nothing: in threads, in processes, or partly lost on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from constructions.adapters import CompiledMeanSumformer, CompiledSumformer
from constructions.continuous import compile_target
from constructions.domains import Box
from constructions.errors import Refused
from constructions.targets.library import resolve
from constructions.targets.target import AnyTarget, CallableTarget, Target
from proofs_check import shared_work
from proofs_check.executors import executor
from proofs_check.repeated import Repeated
from proofs_check.sampling import sample
from proofs_check.search import SampledTarget, SampleResult
from proofs_check.witness import confirmed, repetition, thresholds_of
from tests.proofs_check.counted import Counted
from tests.proofs_check.runs import built

pytestmark = pytest.mark.usefixtures("one_torch_thread")
Sampling = Callable[..., SampleResult]
UNIT = Box((Fraction(0),), (Fraction(1),))


def continuous(n: int, samples: int = 100_000) -> Sampling:
    """Searches of a continuous construction of f."""
    target = resolve("f", n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    network = compile_target(target, Fraction(1, 20), "sum-decomposition")[1].sumformer
    at_n = Target.from_text(target.text, n=n, box=target.box, name="f")
    return searching(at_n, CompiledMeanSumformer(network), thresholds_of(network, at_n), repetition(at_n, network), samples)


def discretised(name: str) -> Sampling:
    """Searches of a discretised construction."""
    construction = built(name)[0]
    target, network = construction.target, construction.sumformer
    return searching(target, CompiledSumformer(network, target.box), thresholds_of(network, target), None)


def searching(target: AnyTarget, network: Any, thresholds: list[np.ndarray], repeated: Repeated | None,
              samples: int = 100_000) -> Sampling:
    """Searches of so many sequences."""
    n = target.n if repeated is None else repeated.different
    return lambda **options: sample(target, network, target.box, n, thresholds, samples, "cpu", 5, repeated=repeated, **options)


def found(result: SampleResult) -> dict[str, Any]:
    """All but how long it took and what broke."""
    return {name: value for name, value in asdict(result).items() if name not in ("seconds", "throughput", "broken")}


CASES: dict[str, Callable[[], Sampling]] = {
    "continuous": lambda: continuous(3), "long": lambda: continuous(1000), "discretised": lambda: discretised("plane"),
    "callable": lambda: discretised("callable")}


@contextmanager
def processes() -> Iterator[Executor]:
    with executor("processes:2", "proofs_check.sampling") as pool:
        assert pool is not None
        yield pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """Two processes that nobody kills."""
    with processes() as started:
        yield started


@pytest.mark.parametrize("case", CASES)
def test_processes_find_the_same(case: str, pool: Executor) -> None:
    search, counting, seen = CASES[case](), Counted(pool), list[int]()
    here, there = search(), search(executor=counting, progress=seen.append)
    assert found(here) == found(there)
    assert not there.broken
    assert counting.tasks > 10
    assert sum(seen) == there.samples


def test_any_executor_will_do() -> None:
    search = CASES["continuous"]()
    with ThreadPoolExecutor(2) as threads:
        assert found(search(executor=threads)) == found(search())


@pytest.mark.parametrize("alone", [0, 1, 7, 10**6])
def test_processes_that_start_late_do_the_rest(alone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def at_hand(executor: Executor | None) -> Executor | None:
        asked.append(executor)
        return executor if len(asked) > alone else None

    search = CASES["continuous"]()
    here = search()
    monkeypatch.setattr(shared_work, "at_hand", at_hand)
    with ThreadPoolExecutor(1) as threads:
        counting = Counted(threads)
        assert found(search(executor=counting)) == found(here)
    assert bool(counting.tasks) is (alone < 10**6)


def test_a_killed_worker_loses_nothing() -> None:
    search, killed = CASES["continuous"](), []
    with processes() as pool:
        def kill(_: int) -> None:
            if not killed:
                killed.append(pool.submit(os.getpid).result())
                os.kill(killed[0], signal.SIGKILL)

        there = search(executor=Counted(pool), progress=kill)
    assert killed
    assert there.broken.startswith("BrokenProcessPool: ")
    assert found(search()) == found(there)


@pytest.mark.parametrize("after", [0, 1, 5])
def test_what_an_executor_did_before_it_broke_counts_once(after: int) -> None:
    class Breaking(Executor):
        done = 0

        def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            future: Future[Any] = Future()
            self.done += 1
            if self.done > after:
                future.set_exception(BrokenExecutor("it broke\nfor a reason"))
            else:
                future.set_result(fn(*arguments, **named))
            return future

    search, seen = CASES["continuous"](), list[int]()
    there = search(executor=Breaking(), progress=seen.append)
    assert there.broken == "BrokenExecutor: it broke"
    assert found(search()) == found(there)
    assert sum(seen) == there.samples


def test_what_cannot_be_sent_is_done_here(pool: Executor) -> None:
    target = CallableTarget("a lambda", lambda tokens: tokens.mean(axis=1, keepdims=True) * tokens, 3, UNIT)
    construction = built("product")[0]
    search = searching(target, CompiledSumformer(construction.sumformer, target.box), [np.zeros(0)], None)
    there = search(executor=Counted(pool))
    assert "lambda" in there.broken
    assert found(search()) == found(there)


def test_a_value_that_is_not_finite_is_reported_from_a_process(pool: Executor) -> None:
    target = Target.from_text("1/(x-1/2)", n=2, box=UNIT)  # the middle is a corner of a cell
    construction = built("pair")[0]
    network = CompiledSumformer(construction.sumformer, target.box)
    with pytest.raises(Refused, match="not finite"):
        sample(target, network, target.box, 2, [np.array([0.5])], 50_000, "cpu", 0, executor=Counted(pool))


def test_a_process_has_one_thread_and_its_caller_keeps_its_own() -> None:
    torch.set_num_threads(2)
    with ThreadPoolExecutor(1) as threads:
        CASES["continuous"]()(executor=Counted(threads))
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("wrong", [{"witness": [[0.1], [1.5], [0.2]]}, {"witness": [[0.1], [float("nan")], [0.2]]},
                                   {"witness": [[0.1], [0.2]]}, {"counts": (1, 1, 2)}, {"counts": (0, 1, 2)}])
def test_a_witness_outside_the_domain_is_not_believed(wrong: dict[str, Any]) -> None:
    construction = built("f")[0]
    target: SampledTarget = construction.target
    assert isinstance(target, Target)
    result = discretised("f")()
    assert confirmed(target, construction.sumformer, result).maximum > 0
    with pytest.raises(Refused, match="expected 3 tokens of"):
        confirmed(target, construction.sumformer, replace(result, **wrong))
