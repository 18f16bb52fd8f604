"""Where batches are worked on: here, in processes of this machine, or on a dask cluster; any ``concurrent.futures.Executor``.

A cluster's answers cannot be checked here, so its workers must run the checker that runs here, source for source, and a
certificate that they had a part in says that they are trusted. Whatever goes wrong there breaks the executor, and the round is
done again here.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from typing import Any

from constructions.errors import BadInput
from proofs_check.library_versions import library_version
from proofs_check.step_cache import imported, source

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# with all that they import
CHECKERS = ("proofs_check.executors", "proofs_check.deviation", "proofs_check.sampling", "proofs_check.sup_norm")
# Seconds of work after which processes for it are started: they have to import the module, and torch alone takes seconds.
ALONE = {"proofs_check.sup_norm": 1.0, "proofs_check.sampling": 8.0}
MOST = 16  # processes unless told: each that imports torch takes a fifth of a gigabyte
ANSWER = 5.0  # seconds in which a scheduler and its first worker have to answer
PATIENCE = 30.0  # seconds without a worker, after which none is waited for any more
RETRIES = 3  # times a task is tried again whose worker is lost


@contextmanager
def executor(name: str, needed: str = "proofs_check.sup_norm") -> Iterator[Executor | None]:
    """Yield what ``--executor`` asks for, None for "here".

    Args:
        name: ``here``, ``processes``, ``processes:K`` or ``dask:ADDRESS``.
        needed: the module that the work is for.

    Raises:
        BadInput: another name, no such scheduler, or dask is not installed.
    """
    kind, _, detail = name.partition(":")
    if name == "here":
        yield None
    elif kind == "processes" and (not detail or (detail.isdecimal() and int(detail) > 0)):
        processes = Processes(int(detail or min(usable_cores(), MOST)), needed)
        try:
            yield processes
        finally:
            processes.shutdown(cancel_futures=True)
    elif kind == "dask" and detail:
        with _cluster(detail) as pool:
            yield pool
    else:
        raise BadInput(f"--executor {name!r}: expected here, processes, processes:K or dask:ADDRESS")


def at_hand(executor: Executor | None) -> Executor | None:
    """Return the executor from when handing work to it is worth it: processes take longer to start than a short search."""
    return None if isinstance(executor, Processes) and not executor.at_hand else executor


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Processes(Executor):
    """Processes of this machine, started by the first thing to do, or by who asks for them when the work has lasted for a while.

    Where none can be started it is a broken executor.

    Attributes:
        workers: how many there are at most.
        needed: the module that a worker imports before it counts as started.
    """

    workers: int
    needed: str
    _asked: float = math.inf
    _pool: ProcessPoolExecutor | None = None
    _starting: tuple[Future[None], ...] = ()
    _doing: set[Future[Any]] = field(default_factory=set)

    @property
    def at_hand(self) -> bool:
        """Whether they have started: asked again and again by who has work for them and does it alone meanwhile."""
        self._asked = min(self._asked, time.monotonic())
        if time.monotonic() - self._asked >= ALONE[self.needed]:
            try:
                self.start()
            except BrokenExecutor:
                return True  # what is handed over will say so
        return self._pool is not None and all(one.done() for one in self._starting)

    def start(self) -> None:
        """Have as many started as can run.

        Raises:
            BrokenExecutor: none can be started here.
        """
        if self._pool is None:
            ignoring = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process
            with _or_broken():
                self._pool = ProcessPoolExecutor(self.workers, get_context("spawn"), signal.signal, ignoring)
            self._starting = tuple(self.submit(_import, self.needed) for _ in range(min(self.workers, usable_cores())))

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Have the function called by one of them."""
        self.start()
        assert self._pool is not None
        with _or_broken(), _inherited():  # this may start a process
            future = self._pool.submit(fn, *arguments, **named)
        self._doing.add(future)
        future.add_done_callback(self._doing.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End them after what they are doing, or, where nobody waits for the rest, in the middle of it."""
        if self._pool is None:
            return
        if cancel_futures and not all(future.cancel() for future in list(self._doing)):
            for process in list(self._pool._processes.values()):  # before Python 3.14 there is no public way to end them
                process.terminate()
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def _or_broken() -> Iterator[None]:
    try:
        yield
    except (OSError, NotImplementedError) as error:  # the latter where there are no semaphores
        raise BrokenExecutor(f"no process can be started: {error}") from error


@contextmanager
def _inherited() -> Iterator[None]:
    """What processes get from this one that start meanwhile: Ctrl-C held back until they ignore it, and one BLAS thread each.

    Processes that each run several slow each other down, and how many is decided when numpy is imported.
    """
    before = {variable: os.environ.get(variable) for variable in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else set()
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable) if value is None else os.environ.update({variable: value})
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def _import(module: str) -> None:
    import_module(module)


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
