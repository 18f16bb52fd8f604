"""Subdivision and sampling on a real dask scheduler with real workers: what is lost is done again, what differs is noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Timer

import pytest

from constructions.errors import BadInput
from proofs_check import executors
from proofs_check.executors import executor
from proofs_check.kernel import Certificate, Claim, Status
from proofs_check.subdivision import certify_by_subdivision
from proofs_check.sup_norm import Search
from tests.proofs_check.test_shared_work import continuous, found
from tests.proofs_check.test_sup_norm import problem

pytestmark = pytest.mark.filterwarnings("ignore")  # tornado and distributed warn about each other's versions


@dataclass
class Cluster:
    """A scheduler on this machine, its address, and its workers."""

    folder: Path
    stack: ExitStack
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        until = time.monotonic() + 30
        while not self._place.exists() and time.monotonic() < until:
            time.sleep(0.05)
        self.address = json.loads(self._place.read_text())["address"]

    @property
    def _place(self) -> Path:
        return self.folder / "scheduler.json"

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(self._place)],
                                       stdout=log, stderr=log)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def grow(self, workers: int) -> Cluster:
        """Start workers."""
        self.workers += [self._started("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory",
                                       str(self.folder)) for _ in range(workers)]
        return self


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    with ExitStack() as stack:
        yield Cluster(tmp_path, stack)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and a worker that nobody kills."""
    with ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), stack).grow(1)


@pytest.fixture
def cluster(alone: Cluster) -> Cluster:
    """A scheduler and two workers."""
    return alone.grow(2)


def searches() -> tuple[Search, Search]:
    """The same search twice, of a few rounds."""
    here, there = (Search.begin(problem("attention"), Fraction(1, 100)) for _ in range(2))
    here.limit = there.limit = 0.008
    return here, there


def at_the_second_round(act: Callable[[], object]) -> tuple[list[int], Callable[[Search], None]]:
    """Return a list that gets the boxes judged after each round, and what does that and acts once."""
    rounds: list[int] = []

    def note(state: Search) -> None:
        rounds.append(state.judged)
        if len(rounds) == 2:
            act()

    return rounds, note


def test_a_cluster_finds_the_same_though_a_worker_is_killed(cluster: Cluster) -> None:
    here, there = searches()
    here.run()
    rounds, kill = at_the_second_round(lambda: cluster.workers[0].send_signal(signal.SIGKILL))
    with executor(f"dask:{cluster.address}") as pool:
        there.run(after_round=kill, executor=pool)
    assert cluster.workers[0].wait(10) == -signal.SIGKILL
    assert len(rounds) > 2
    assert not there.broken
    assert (here.judged, here.bound, here.occurs) == (there.judged, there.bound, there.occurs)


def test_a_cluster_samples_the_same_though_a_worker_is_killed_at_work(cluster: Cluster) -> None:
    search = continuous(3, 600_000)
    with executor(f"dask:{cluster.address}") as pool:
        killing = Timer(0.5, cluster.workers[0].kill)
        killing.start()
        there = search(executor=pool)
        assert killing.finished.is_set()
    assert cluster.workers[0].wait(10) == -signal.SIGKILL
    assert not there.broken
    assert found(search()) == found(there)


def test_a_search_for_the_worst_sequence_goes_on_here_when_the_cluster_is_lost(cluster: Cluster,
                                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "PATIENCE", 1.0)
    search = continuous(3, 600_000)
    with executor(f"dask:{cluster.address}") as pool:
        losing = Timer(0.5, lambda: [process.kill() for process in cluster.workers])
        losing.start()
        there = search(executor=pool)
        assert losing.finished.is_set()
    assert "no worker" in there.broken
    assert found(search()) == found(there)


@pytest.mark.parametrize("lost", ["scheduler", "workers"])
def test_a_search_goes_on_here_when_the_cluster_is_lost(lost: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "PATIENCE", 1.0)
    here, there = searches()
    here.run()
    def lose() -> None:
        for process in [cluster.scheduler] if lost == "scheduler" else cluster.workers:
            process.kill()
            process.wait()

    with executor(f"dask:{cluster.address}") as pool:
        there.run(after_round=at_the_second_round(lose)[1], executor=pool)
    assert there.broken
    assert "\n" not in there.broken
    assert (here.judged, here.bound, here.occurs) == (there.judged, there.bound, there.occurs)


def test_what_a_cluster_found_is_assumed(shared: Cluster) -> None:
    asked = problem("product")
    claim = Claim("product", "x*mean(y)", asked.n, asked.d, 1, asked.sides, ("sumformer",), Fraction(1, 50))
    with executor(f"dask:{shared.address}") as pool:
        verdict, _ = certify_by_subdivision(claim, asked, executor=pool)
    assert isinstance(verdict, Certificate)
    assert verdict.status is Status.ASSUMED
    assert any(shared.address in assumption for assumption in verdict.assumptions)
    alone, _ = certify_by_subdivision(claim, asked)
    assert isinstance(alone, Certificate)
    assert alone.status is Status.CERTIFIED
    assert alone.proved_bound == verdict.proved_bound


def test_workers_with_another_checker_are_bad_input(shared: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "_sources", lambda: "edited")
    with pytest.raises(BadInput, match=r"runs checker \w+, Python .*, expected what runs here, checker edited"), \
            executor(f"dask:{shared.address}"):
        pass


def test_a_worker_with_another_checker_that_joins_later_breaks_the_executor(shared: Cluster,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    with executor(f"dask:{shared.address}") as pool:
        monkeypatch.setattr(executors, "_sources", lambda: "edited")  # as good as the other way round
        search = Search.begin(problem("product"), Fraction(1, 50))
        search.run(executor=pool)
    assert "a worker runs checker" in search.broken
    assert search.finished
    assert search.bound <= 0.02


def test_a_task_that_fails_breaks_the_executor_and_results_keep_their_order(shared: Cluster) -> None:
    with executor(f"dask:{shared.address}") as pool:
        assert list(pool.map(abs, range(-40, 0))) == list(range(40, 0, -1))
        first, second = (next(pool.map(os.urandom, [16])) for _ in range(2))
        assert first != second  # nothing is answered from what was found before
        with pytest.raises(BrokenExecutor, match="ZeroDivisionError"):
            pool.map(divmod, [1], [0])


def test_a_scheduler_without_workers_is_bad_input(alone: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "ANSWER", 2.0)
    with pytest.raises(BadInput, match="no worker that answers"), executor(f"dask:{alone.address}"):
        pass


def test_no_scheduler_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "ANSWER", 1.0)
    with pytest.raises(BadInput, match="no scheduler"), executor("dask:tcp://127.0.0.1:1"):
        pass
