"""Standard output that may be full or that nobody reads any more: an exception of its own, so that the message can say so.

An ``OSError`` from there carries no name, and click and rich each turn a closed pipe into exit code 1, which here means refuted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast


class OutputLost(Exception):
    """What was to be shown could not be written; ``closed``: nobody reads it any more, as behind ``head``.

    ``written`` names files that are complete all the same.
    """

    def __init__(self, error: OSError, written: Iterable[Path] = ()) -> None:
        self.error, self.closed = error, isinstance(error, BrokenPipeError)
        there = "".join(f"; {path} was written" for path in written)
        super().__init__(f"standard output: {error.strerror or error}{there}")


class _Guarded:
    """A text stream whose failures are :class:`OutputLost`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._failing():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._failing():
            self._stream.flush()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputLost(error) from None


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Guard standard output; what it still holds at the end is written, and what cannot be is dropped.

    Raises:
        OutputLost: something could not be written.
    """
    stream = sys.stdout
    if stream is None:  # there was none from the start: what is printed goes nowhere
        yield
        return
    sys.stdout = cast(TextIO, _Guarded(stream))
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputLost:
        with contextlib.suppress(OSError, ValueError):  # or the interpreter would try again when it ends, and complain
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
    finally:
        sys.stdout = stream


@contextlib.contextmanager
def naming(written: list[Path]) -> Iterator[None]:
    """Have an :class:`OutputLost` of the block name the files that are on the disk by then."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except OutputLost as lost:
        raise OutputLost(lost.error, written) from None
