"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Hold torch to one thread: two test processes with two each slow one another down badly."""
    from proofs_check.workers import one_thread

    with one_thread():
        yield
