"""The jobs of a search, done in threads here or by an executor; where each is done decides nothing."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from functools import partial
from itertools import chain, islice

from proofs_check.executors import at_hand
from proofs_check.search import Job, Search
from proofs_check.workers import in_threads

TASKS, TOGETHER = 128, 4  # tasks of a round, jobs of a task at most


def shared(search: Search, jobs: Iterable[Job], executor: Executor | None) -> Iterator[int]:
    """Do the jobs, and yield how many sequences each looked at.

    What an executor leaves undone that breaks is done here, and so is all that follows; ``search.broken`` says why.
    """
    waiting = iter(jobs)
    for job in waiting:
        rest, pool = chain([job], waiting), _pool(search, executor)
        if pool is None:
            yield from _here(search, _until_at_hand(search, rest, executor))
        else:
            yield from _there(search, list(islice(rest, TASKS * TOGETHER)), pool)


def _pool(search: Search, executor: Executor | None) -> Executor | None:
    return None if search.broken else at_hand(executor)


def _until_at_hand(search: Search, jobs: Iterable[Job], executor: Executor | None) -> Iterator[Job]:
    for job in jobs:
        yield job
        if _pool(search, executor) is not None:
            return


def _here(search: Search, jobs: Iterable[Job]) -> Iterator[int]:
    return in_threads((partial(job, search) for job in jobs), search.space.points.device, search.stop)


def _there(search: Search, jobs: list[Job], pool: Executor) -> Iterator[int]:
    size, done = -(-len(jobs) // TASKS), 0
    tasks = [jobs[first:first + size] for first in range(0, len(jobs), size)]
    try:
        for answer in pool.map(search.elsewhere, map(pickle.dumps, tasks)):
            counts, found = pickle.loads(answer)
            search.remember(found)
            done += 1
            yield from counts
    except (BrokenExecutor, pickle.PicklingError, AttributeError, TypeError) as error:
        search.broken = f"{type(error).__name__}: {error}".splitlines()[0]
        yield from _here(search, chain.from_iterable(tasks[done:]))
