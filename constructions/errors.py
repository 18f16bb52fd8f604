"""The ways a request can end early, and nothing else a user should ever see."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """The request itself is malformed: says what was given and what was expected (exit code 2)."""


class Refused(RuntimeError):
    """The request is well formed but the mathematics, or a stated budget, does not allow it (exit code 1)."""


class Undefined(Refused):
    """The target has no value at a sequence of its domain, which the message names: nothing approximates it there."""


class Interrupted(Exception):
    """The user stopped it: says what is kept and how to go on (exit code 130)."""


def nearest(given: str, known: Iterable[str]) -> str:
    """Return a hint naming the known words closest to the given one.

    >>> nearest("figure2", ["figure-2", "mean", "range"])
    'did you mean figure-2?'
    >>> nearest("zzz", ["median", "mean"])
    'known: mean, median'
    """
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names)}"
