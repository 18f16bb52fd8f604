"""Records: what tables, figures and pages are printed from, and what made them.

A record is a JSON object ``{"format": "uat-NAME/1", "made_by": {..}, ..}``. ``made_by`` holds the command line, versions,
machine and date, so that a number in an appendix leads back to the command that printed it.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from constructions.errors import BadInput
from proofs_check.library_versions import library_version

LIBRARIES = ("uat", "numpy", "scipy", "torch", "python-flint", "sympy", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions of Python and of every library that a result depends on."""
    return {"python": platform.python_version(), **{name: library_version(name) for name in LIBRARIES}}


def made_by() -> dict[str, Any]:
    """Return the command line, versions, machine and date of this process."""
    own = Path(sys.argv[0]).parent.name == "uat"
    arguments = ["-m", "uat", *sys.argv[1:]] if own else sys.orig_argv[1:]
    return {"command": shlex.join(["python", *arguments]), "versions": versions(),
            "machine": {"system": platform.platform(terse=True), "processor": _processor(), "cores": os.cpu_count(),
                        "threads": os.environ.get("OMP_NUM_THREADS", "default")},
            "date": datetime.now(UTC).isoformat(timespec="seconds")}


def record(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of one kind with its header."""
    return {"format": f"uat-{name}/1", "made_by": made_by(), **content}


def read_json(path: Path) -> Any:
    """Read a file of JSON; raises BadInput where it cannot be read as that."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as JSON: {error}") from None


def read_record(path: Path, name: str) -> dict[str, Any]:
    """Read a record of one kind.

    Raises:
        BadInput: the file cannot be read, or is not a record of this kind.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != f"uat-{name}/1":
        given = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise BadInput(f"{path}: expected a record of format uat-{name}/1, got {given!r}")
    return content


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
