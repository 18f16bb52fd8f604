"""Where batches are worked on: here, in processes of this machine, or on a dask cluster; any ``concurrent.futures.Executor``."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from typing import Any

from constructions.errors import BadInput

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise BadInput("--executor dask:ADDRESS needs the extra: pip install 'uat[cluster]'") from None
    try:
        client = distributed.Client(address, timeout="5s")
    except (OSError, ValueError) as error:
        raise BadInput(f"--executor dask:{address}: no scheduler answers there ({error})") from None
    with client:
        yield client.get_executor(retries=3)
