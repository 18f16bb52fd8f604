"""Results of proof steps, kept under a hash of everything they were computed from.

The key covers the source of the step and of every project module it imports, directly or not, the versions of the libraries,
profile, device, seed and the bytes of a feature map. An entry is as trustworthy as the folder it lies in (docs/trust.md).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs_check.kernel import Status
from proofs_check.library_versions import library_version
from proofs_check.proof import CheckResult, StepResult

if TYPE_CHECKING:
    from proofs_check.runner import Settings

ROOTS = ("constructions", "proofs_check")
LIBRARIES = ("numpy", "scipy", "sympy", "python-flint", "hypothesis", "torch")
CORE = ("proofs_check.proof", "proofs_check.evidence", "proofs_check.kernel")


def default_folder() -> Path:
    """Return the user's cache folder for steps."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "uat" / "steps"


class StepCache:
    """A folder with one JSON file a step and key; a file that cannot be read or written is as good as none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, name: str, settings: Settings) -> str | None:
        """Return the hash of what the step is computed from, None where that cannot be told (code of the user's)."""
        digest = hashlib.sha256()
        for module in sorted({*CORE, *imported(f"proofs_check.steps.{name.replace('-', '_')}")}):
            digest.update(module.encode() + b"\0" + source(module))
        digest.update(repr((settings.profile, settings.device, settings.seed, _versions())).encode())
        if settings.phi is not None:
            try:
                digest.update(settings.phi.encode() + b"\0" + Path(settings.phi).read_bytes())  # the output names the file
            except OSError:
                return None
        return digest.hexdigest()

    def load(self, name: str, key: str | None) -> StepResult | None:
        """Return a kept result."""
        if key is None:
            return None
        try:
            return _from_json(json.loads(self._file(name, key).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, result: StepResult, key: str | None) -> None:
        """Keep a result, in place of older ones of the same step."""
        if key is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in self.folder.glob(f"{result.id}.*.json"):
                old.unlink(missing_ok=True)
            file = self._file(result.id, key)
            part = file.with_suffix(f".{os.getpid()}.part")
            part.write_text(json.dumps(_to_json(result)), encoding="utf-8")
            part.replace(file)
        except OSError:
            return

    def _file(self, name: str, key: str) -> Path:
        return self.folder / f"{name}.{key[:32]}.json"


@cache
def imported(module: str) -> frozenset[str]:
    """Return the project modules that a module is made of: itself and what it imports, to the end."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name not in found and _path(name) is not None:
            found.add(name)
            waiting += _imports(name)
    return frozenset(found)


@cache
def source(module: str) -> bytes:
    """Return a module's source."""
    path = _path(module)
    return b"" if path is None else path.read_bytes()


@cache
def _imports(module: str) -> tuple[str, ...]:
    return tuple(_mentioned(ast.parse(source(module))))


def _mentioned(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        for name in names:
            if name.split(".")[0] in ROOTS:
                parts = name.split(".")
                yield from (".".join(parts[: k + 1]) for k in range(len(parts)))


@cache
def _path(module: str) -> Path | None:
    root, *rest = module.split(".")
    spec = find_spec(root)
    if spec is None or spec.origin is None:
        return None
    base = Path(spec.origin).parent.joinpath(*rest)
    candidates = (base.with_suffix(".py"), base / "__init__.py") if rest else (base / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)


@cache
def _versions() -> tuple[str, ...]:
    return (platform.python_version(), *(f"{name} {library_version(name)}" for name in LIBRARIES))


def _to_json(result: StepResult) -> dict[str, Any]:
    checks = [{**vars(check), "status": check.status.value, "witness": list(check.witness)} for check in result.checks]
    return {"id": result.id, "status": result.status.value, "checks": checks}


def _from_json(data: dict[str, Any]) -> StepResult:
    checks = tuple(CheckResult(**{**entry, "status": Status(entry["status"]), "witness": tuple(entry["witness"])})
                   for entry in data["checks"])
    return StepResult(str(data["id"]), Status(data["status"]), checks)
