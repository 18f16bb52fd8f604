"""Which versions of other libraries a result was computed with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def library_version(name: str) -> str:
    """Return the version of an installed package, "unknown" for one that is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
