"""Runs for the tests, built by the command line; the one module here beside tests that starts the project."""

from __future__ import annotations

import contextlib
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clean_room.judge import judge
from tests.clean_room.places import Places
from tests.clean_room.stored_files import Stored
from tests.uat.conftest import run_main


@dataclass(frozen=True)
class Case:
    """A command line, and the lengths that its claim is about."""

    name: str
    arguments: tuple[str, ...]
    lengths: tuple[int, ...]


def build(arguments: tuple[str, ...], out: Path) -> int:
    """Construct into a new folder without sampling; the exit code."""
    unseen = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(unseen), contextlib.redirect_stderr(unseen):
        return run_main(patch, ("construct", *arguments, "--samples", "0", "--out", str(out)))


def objections(stored: Stored, n: int, count: int, seed: int = 0) -> list[str]:
    """What the bound is contradicted by, at plain places, thresholds, kinks and where a search climbs to."""
    objection = judge(stored)
    said = []
    for anywhere in (False, True) if stored.plan["positional"] else (False,):
        places = Places(stored, n, seed, anywhere=anywhere)
        found = itertools.chain(places.plain(count), places.thresholds(count), places.kinks(4 * count))
        owned = itertools.chain(((tokens, places.rng.randrange(n)) for tokens in found), places.climbed(count))
        said += [objection(tokens, own) for tokens, own in owned]
    return [text for text in said if text]
