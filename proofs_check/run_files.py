"""Read a run directory and hold it against its own hashes; nothing is interpreted before the hashes agree."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from constructions.errors import BadInput, Refused

CERTIFICATE_FORMAT = "uat-certificate/1"
FILES = ("weights.safetensors", "exact.json", "network.json", "plan.json")


@dataclass(frozen=True, eq=False)
class RunFiles:
    """The contents of a run directory."""

    arrays: Mapping[str, np.ndarray]
    exact: Mapping[str, Any]
    network: Mapping[str, Any]
    plan: Mapping[str, Any]
    certificate: Mapping[str, Any]


def read_run(path: Path) -> RunFiles:
    """Read a run directory.

    Raises:
        BadInput: not a run directory, a newer format, or a file that cannot be read or parsed.
        Refused: a file's bytes differ from the certificate's hash (the message names the file).
    """
    certificate = read_certificate(path)
    for name in FILES:
        _refuse_changed(path / name, certificate["sha256"].get(name))
    documents = {name: _object(path / name) for name in FILES if name.endswith(".json")}
    return RunFiles(_safetensors(path / "weights.safetensors"), documents["exact.json"], documents["network.json"],
                    documents["plan.json"], certificate)


@contextmanager
def understanding(place: str) -> Iterator[None]:
    """Turn whatever a malformed description provokes while it is read into bad input that names the place."""
    try:
        yield
    except BadInput:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise BadInput(f"{place}: {type(error).__name__} {error} while reading its description; expected the structure of "
                       f"docs/formats.md") from None


def read_certificate(path: Path) -> dict[str, Any]:
    """Read ``certificate.json`` and check its format and its own digest."""
    if not os.path.isfile(path / "certificate.json"):  # False, not an error, where the name itself is impossible
        raise BadInput(f"{path}: not a run directory (expected a folder with certificate.json, as written by uat construct)")
    certificate = _json(path / "certificate.json")
    if not isinstance(certificate, dict) or not isinstance(certificate.get("sha256"), dict):
        raise BadInput(f"{path / 'certificate.json'}: expected an object with format {CERTIFICATE_FORMAT!r} and sha256")
    if certificate.get("format") != CERTIFICATE_FORMAT:
        raise BadInput(f"{path / 'certificate.json'}: format {certificate.get('format')!r}, this version reads "
                       f"{CERTIFICATE_FORMAT!r} (a newer uat may have written it)")
    try:
        content = digest(certificate)
    except (ValueError, RecursionError) as error:  # half a surrogate pair, or too deep to be written
        raise BadInput(f"{path / 'certificate.json'}: cannot be written again as JSON ({error})") from None
    if certificate.get("digest") != content:
        raise Refused(f"{path / 'certificate.json'}: changed since it was written (its digest does not fit its content)")
    return certificate


def digest(certificate: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a certificate without its ``digest`` entry, keys sorted."""
    content = {key: value for key, value in certificate.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_changed(path: Path, expected: object) -> None:
    if not path.is_file():
        raise BadInput(f"{path}: missing from the run directory")
    if file_sha256(path) != expected:
        raise Refused(f"{path}: changed since the run was written (SHA-256 differs from the one in certificate.json)")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: cannot be read as JSON ({error})") from None


def _object(path: Path) -> dict[str, Any]:
    content = _json(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path}: expected a JSON object")
    return content


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:  # numpy lacks some formats
        raise BadInput(f"{path}: cannot be read as safetensors ({error})") from None
    wrong = [name for name, array in arrays.items() if array.dtype != np.float64]
    if wrong:
        raise BadInput(f"{path}: expected float64 arrays, {wrong[0]} is {arrays[wrong[0]].dtype}")
    return dict(arrays)
