"""Write folders and files so that a reader never sees half of one: into a temporary sibling, then one rename."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from constructions.errors import BadInput


@contextlib.contextmanager
def all_or_nothing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder that becomes ``path`` at the end; on any failure nothing is left behind.

    Raises:
        BadInput: the disk is full, the place cannot be written, or something lies there already.
    """
    folder: Path | None = None
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}-", dir=path.parent))
        yield folder
        for file in folder.iterdir():
            _to_disk(file)
        folder.chmod(0o755)
        folder.rename(path)
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # another run may have moved in
                parent.rmdir()
        reason = _storage_problem(error)
        if reason:
            raise BadInput(f"--out {path}: {reason}; nothing was written") from None
        raise


def refuse_unwritable(folder: Path, option: str = "--out") -> None:
    """Refuse before any work a folder, there or still to be made, that cannot be written to: after the work, that would be lost.

    Raises:
        BadInput: it would have to be made inside a file, or the user, or a file system for reading only, does not allow it.
    """
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise BadInput(f"{option} {folder}: {there} is not a directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"{option} {folder}: {there} cannot be written to; nothing was done")


def _storage_problem(error: BaseException) -> str:
    """Say in words what kept a file from being written; safetensors wraps the system's error in its own."""
    if isinstance(error, OSError):
        return "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error.strerror or error)
    if type(error).__name__ == "SafetensorError":
        return "the disk is full" if "No space left" in str(error) or "os error 28" in str(error) else str(error)
    return ""


def _to_disk(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def json_text(content: Any) -> str:
    """Return JSON as it is stored: indented, with a last newline; NaN and infinity are refused by ValueError."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, content: Any) -> None:
    """Write JSON into a folder that is not in place yet."""
    path.write_text(json_text(content), encoding="utf-8")


def replace_file(path: Path, content: str | bytes, option: str = "--out") -> None:
    """Put a file in place by one rename, so that a reader sees the old content or the new one; folders are made.

    Raises:
        BadInput: the disk is full or the place cannot be written; what was there before is still there.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = _storage_problem(error)
        if reason:
            raise BadInput(f"{option} {path}: {reason}; it was not written") from None
        raise
