"""Processes start when there is work enough, with one thread each and deaf to Ctrl-C; what they are sent is unpacked once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from multiprocessing.context import SpawnProcess

import pytest

from proofs_check import executors
from proofs_check.executors import THREADS, Processes, at_hand, executor
from proofs_check.packed import Packed
from proofs_check.sup_norm import Search
from tests.proofs_check.test_sup_norm import problem


def settings() -> tuple[object, ...]:
    """What a worker is like: its threads, what Ctrl-C does, whether it has the module."""
    return *map(os.environ.get, THREADS), signal.getsignal(signal.SIGINT), "proofs_check.sup_norm" in sys.modules


def test_short_work_starts_no_process() -> None:
    with executor("processes:2") as pool:
        assert isinstance(pool, Processes)
        assert at_hand(pool) is None
        assert not multiprocessing.active_children()


def test_long_work_starts_processes_and_is_done_alone_until_they_have_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(executors.ALONE, "proofs_check.sup_norm", 0.2)
    before = dict(os.environ)
    with executor("processes:2") as pool:
        asked, until = 0, time.monotonic() + 60
        while at_hand(pool) is None and time.monotonic() < until:
            asked += 1
            time.sleep(0.01)
        assert at_hand(pool) is pool
        assert asked > 10
        assert pool is not None
        assert 1 <= len(multiprocessing.active_children()) <= 2
        assert pool.submit(settings).result() == ("1", "1", "1", signal.SIG_IGN, True)
    assert dict(os.environ) == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_first_thing_to_do_starts_processes_too() -> None:
    with executor("processes:1") as pool:
        assert pool is not None
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
        assert at_hand(pool) is pool


def test_whoever_stops_waiting_for_processes_ends_them_at_once() -> None:
    start = time.monotonic()

    def interrupted() -> None:
        nonlocal start
        with executor("processes:2") as pool:
            assert pool is not None
            assert pool.submit(abs, -1).result() == 1
            tasks = [pool.submit(time.sleep, 60) for _ in range(4)]
            while not tasks[0].running():
                time.sleep(0.01)
            start = time.monotonic()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - start < 5
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("lacking", [OSError("no semaphores"), NotImplementedError("no semaphores"), None])
def test_work_is_done_here_where_no_process_can_be_started(lacking: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise lacking or BlockingIOError("no processes left")

    monkeypatch.setitem(executors.ALONE, "proofs_check.sup_norm", 0.0)
    monkeypatch.setattr(*(executors, "ProcessPoolExecutor") if lacking else (SpawnProcess, "start"), refuse)
    search = Search.begin(problem("product"), Fraction(1, 50))
    with executor("processes:2") as pool:
        search.run(executor=pool)
    assert search.broken.startswith("no process can be started: no ")
    assert search.finished
    assert search.bound <= 0.02


def test_other_executors_are_at_hand_at_once() -> None:
    assert at_hand(None) is None
    with ThreadPoolExecutor(1) as pool:
        assert at_hand(pool) is pool


def test_what_was_unpacked_is_kept_until_something_else_is() -> None:
    one, same, other = Packed.of([1]), Packed.of([1]), Packed.of([2])
    first = one.unpacked()
    assert first == [1]
    assert same.unpacked() is first
    assert other.unpacked() == [2]
    assert one.unpacked() is not first


def test_threads_do_not_take_each_other_s_objects() -> None:
    packed, wrong = [Packed.of([number]) for number in range(4)], []

    def look(number: int) -> None:
        wrong.extend(number for _ in range(2000) if packed[number].unpacked() != [number])

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
