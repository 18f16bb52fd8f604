"""An executor that is given work at once, and counts it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Counted(Executor):
    """Another executor, not waited with as for processes that would have to start."""

    def __init__(self, other: Executor | None) -> None:
        assert other is not None
        self.other, self.tasks = other, 0

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Hand the work on."""
        self.tasks += 1
        return self.other.submit(fn, *arguments, **named)
