"""Subdivision on a real dask scheduler with two real workers, one of which is killed on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import pytest

from constructions.errors import BadInput
from proofs_check.executors import executor
from proofs_check.sup_norm import Search
from tests.proofs_check.test_sup_norm import problem

pytestmark = pytest.mark.filterwarnings("ignore")  # tornado and distributed warn about each other's versions


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the scheduler's address and the workers' processes."""
    place = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(place)]
    with ExitStack() as stack:
        def start(*arguments: str) -> subprocess.Popen[bytes]:
            with (tmp_path / "log").open("ab") as log:
                process = subprocess.Popen([sys.executable, "-m", "dask", *arguments, *common], stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        until = time.monotonic() + 30
        while not place.exists() and time.monotonic() < until:
            time.sleep(0.05)
        workers = [start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))
                   for _ in range(2)]
        yield json.loads(place.read_text())["address"], workers


def test_a_cluster_finds_the_same_though_a_worker_is_killed(cluster: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
    address, workers = cluster
    here, there = (Search.begin(problem("attention"), Fraction(1, 100)) for _ in range(2))
    here.limit = there.limit = 0.008
    here.run()
    rounds: list[int] = []

    def kill(state: Search) -> None:
        rounds.append(state.judged)
        if len(rounds) == 2:
            workers[0].send_signal(signal.SIGKILL)

    with executor(f"dask:{address}") as pool:
        there.run(after_round=kill, executor=pool)
    assert workers[0].wait(10) == -signal.SIGKILL
    assert len(rounds) > 2
    assert (here.judged, here.bound, here.occurs) == (there.judged, there.bound, there.occurs)


def test_no_scheduler_is_bad_input() -> None:
    with pytest.raises(BadInput, match="no scheduler"), executor("dask:tcp://127.0.0.1:1"):
        pass
