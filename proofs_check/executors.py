"""Where batches are worked on: here, in processes of this machine, or on a dask cluster; any ``concurrent.futures.Executor``.

A cluster's answers cannot be checked here, so its workers must run the checker that runs here, source for source, and a
certificate that they had a part in says that they are trusted. Whatever goes wrong there breaks the executor, and the round is
done again here.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_context
from typing import Any

from constructions.errors import BadInput
from proofs_check.library_versions import library_version
from proofs_check.step_cache import imported, source

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CHECKERS = ("proofs_check.executors", "proofs_check.deviation", "proofs_check.sup_norm")  # with all that they import
ANSWER = 5.0  # seconds in which a scheduler and its first worker have to answer
PATIENCE = 30.0  # seconds without a worker, after which none is waited for any more
RETRIES = 3  # times a task is tried again whose worker is lost


@contextmanager
def executor(name: str) -> Iterator[Executor | None]:
    """Yield what ``--executor`` asks for, None for "here".

    Args:
        name: ``here``, ``processes``, ``processes:K`` or ``dask:ADDRESS``.

    Raises:
        BadInput: another name, no such scheduler, or dask is not installed.
    """
    kind, _, detail = name.partition(":")
    if name == "here":
        yield None
    elif kind == "processes" and (not detail or (detail.isdecimal() and int(detail) > 0)):
        # processes that each run several BLAS threads slow each other down: one thread a worker, set before numpy is imported
        before = {variable: os.environ.get(variable) for variable in THREADS}
        os.environ.update(dict.fromkeys(THREADS, "1"))
        try:
            workers = int(detail or os.cpu_count() or 1)
            ignoring = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process
            with ProcessPoolExecutor(workers, get_context("spawn"), signal.signal, ignoring) as pool:
                try:
                    _start(pool, min(workers, os.cpu_count() or 1))
                    yield pool
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)
        finally:
            for variable, value in before.items():
                os.environ.pop(variable) if value is None else os.environ.update({variable: value})
    elif kind == "dask" and detail:
        with _cluster(detail) as pool:
            yield pool
    else:
        raise BadInput(f"--executor {name!r}: expected here, processes, processes:K or dask:ADDRESS")


def _start(pool: Executor, workers: int) -> None:
    """Start so many workers while Ctrl-C is held back, which they inherit: none is hit by it before it can ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(workers):
            pool.submit(os.getpid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise BadInput("--executor dask:ADDRESS needs the extra: pip install 'uat[cluster]'") from None
    try:
        client = distributed.Client(address, timeout=f"{ANSWER:g}s")
    except (OSError, ValueError) as error:
        raise BadInput(f"--executor dask:{address}: no scheduler answers there ({error})") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=ANSWER)
            found = client.run(identity, on_error="return")
        except OSError as error:  # a time-out is one
            raise BadInput(f"--executor dask:{address}: the scheduler has no worker that answers ({error})") from None
        for worker, runs in found.items():
            if runs != identity():
                raise BadInput(f"--executor dask:{address}: worker {worker} runs {runs}, expected what runs here, {identity()}")
        yield Cluster(client, address)


class Cluster(Executor):
    """A dask cluster on which whatever goes wrong is a broken executor: lost tasks, workers, connections, or foreign workers.

    Attributes:
        trusted: what a result rests on that the cluster had a part in.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self.trusted = f"the scheduler at {address} and its workers return what this checker finds, as it runs here"

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1,
            buffersize: int | None = None) -> Iterator[Any]:
        """Apply the function to all arguments, in order; the results are there when this returns.

        Raises:
            BrokenExecutor: there are not all of them.
        """
        # pure: results under a name made of function and arguments may be another client's
        task, arguments = functools.partial(_by_equals, identity(), fn), map(list, iterables)
        futures = self._client.map(task, *arguments, pure=False, retries=RETRIES)
        try:
            self._await(futures, timeout)
            return iter(self._client.gather(futures))
        except BrokenExecutor:
            raise
        except Exception as error:  # dask and what it transports raise what they like
            raise BrokenExecutor(f"{type(error).__name__}: {error}".splitlines()[0]) from error
        finally:
            with suppress(Exception):
                self._client.cancel(futures)

    def _await(self, futures: list[Any], timeout: float | None) -> None:
        wait, start = import_module("distributed").wait, time.monotonic()
        seen = start
        while any(not future.done() for future in futures):
            try:
                wait(futures, timeout=1)
            except TimeoutError:
                now = time.monotonic()
                seen = now if self._client.nthreads() else seen
                if now - seen > PATIENCE:
                    raise BrokenExecutor(f"no worker for {PATIENCE:g} s") from None
                if timeout is not None and now - start > timeout:
                    raise


def identity() -> str:
    """Name what decides about a judgement: the sources of the checker, Python and numpy."""
    return f"checker {_sources()}, Python {platform.python_version()}, numpy {library_version('numpy')}"


@functools.cache
def _sources() -> str:
    digest = hashlib.sha256()
    for module in sorted(frozenset().union(*map(imported, CHECKERS))):
        digest.update(module.encode() + b"\0" + source(module))
    return digest.hexdigest()[:16]


def _by_equals(expected: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function where the same checker runs as where it was sent from."""
    if identity() != expected:
        raise RuntimeError(f"a worker runs {identity()}, expected {expected}")
    return function(*arguments)
