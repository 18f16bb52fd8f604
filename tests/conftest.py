"""Fixtures that several rooms share, and the cases that ``make slow`` runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

# Cases that take seconds each and whose neighbours show the same in less: identifiers of tests, one a line.
SLOW_CASES = Path(__file__).with_name("slow_cases.txt").read_text(encoding="utf-8").splitlines()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the cases that are listed; where everything is collected, each of them has to be there."""
    found = {item.nodeid: item for item in items}
    unknown = [case for case in SLOW_CASES if case not in found]
    if unknown and config.args_source is not pytest.Config.ArgsSource.ARGS:
        raise pytest.UsageError(f"tests/slow_cases.txt: no such test: {unknown[0]}")
    for case in set(SLOW_CASES) & found.keys():
        found[case].add_marker(pytest.mark.slow)


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Hold torch to one thread: two test processes with two each slow one another down badly."""
    from proofs_check.workers import one_thread

    with one_thread():
        yield
