"""Independent jobs on several threads, each of them single-threaded inside torch.

Torch's own threads meet at a barrier after every operation: on a busy machine one that has to wait for its core holds up all
the others, which costs a factor of twenty (measured), and random numbers and gathers do not use them at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch to one thread for a while, for the reason above."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def in_threads(jobs: Iterable[Callable[[], int]], device: torch.device, left: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Run the jobs on as many threads as torch is set to use (one for a GPU), and yield their results in order.

    The number of threads torch uses is the same afterwards. Leaving the iterator early drops the jobs that have not started, and
    waits for the others after calling ``left``, which may tell them to come to an end.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        yield from (job() for job in jobs)
        return
    waiting: deque[Future[int]] = deque()
    try:
        # The setting belongs to the thread that makes it, except that a thread created later inherits the last one made.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                for job in jobs:
                    waiting.append(pool.submit(job))
                    if len(waiting) > 2 * threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                left()
                raise
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        torch.set_num_threads(threads)
