"""Write a run directory all at once: into a temporary sibling, then one rename. The format is docs/formats.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from constructions.errors import BadInput
from constructions.storage import Stored
from proofs_check.kernel import Certificate, Refuted, Status, Verdict
from proofs_check.proof_tree import proof_tree
from proofs_check.run_files import CERTIFICATE_FORMAT, FILES, digest, file_sha256
from uat.files import all_or_nothing, refuse_unwritable, write_json
from uat.records import versions


def choose_directory(out: str | None, name: str) -> Path:
    """Return the directory to write: ``--out`` if it does not exist yet, else the first free runs/NAME, runs/NAME-2, ..

    Raises:
        BadInput: ``--out`` exists already, its parent is not a directory, or nothing can be written there.
    """
    if out is None:
        number = 1
        while (path := Path("runs") / (name if number == 1 else f"{name}-{number}")).exists():
            number += 1
        refuse_unwritable(path.parent)
        return path
    if not out:
        raise BadInput("--out '': expected the name of a new directory")
    path = Path(out)
    try:
        there = path.exists()
    except (OSError, ValueError) as error:
        raise BadInput(f"--out {out}: {getattr(error, 'strerror', None) or error}") from None
    if there:
        raise BadInput(f"--out {out}: exists already; expected a new directory (nothing was changed)")
    refuse_unwritable(path)
    return path


def write_run(path: Path, stored: Stored, plan: Mapping[str, Any], certificate: Certificate) -> None:
    """Write all files of a run; on any failure nothing is left behind.

    Raises:
        BadInput: the disk is full or the place cannot be written.
    """
    from safetensors.numpy import save_file

    with all_or_nothing(path) as folder:
        save_file(stored.arrays, folder / "weights.safetensors")
        for name, content in (("exact.json", stored.exact), ("network.json", stored.network), ("plan.json", plan)):
            write_json(folder / name, content)
        document = certificate_document(certificate)
        document["sha256"] = {name: file_sha256(folder / name) for name in FILES}
        document["digest"] = digest(document)
        write_json(folder / "certificate.json", document)


def certificate_document(certificate: Certificate) -> dict[str, Any]:
    """Return the certificate as JSON data, without hashes."""
    return {
        "format": CERTIFICATE_FORMAT, "claim": certificate.claim.to_json(), "bound": str(certificate.claim.bound),
        "proved_bound": str(certificate.proved_bound), "status": certificate.status.value,
        "method": method_text(certificate),
        "assumptions": list(certificate.assumptions), "budget": [step.to_json() for step in certificate.steps],
        "tree": proof_tree(certificate).to_json(),
        "versions": versions(),
    }


def status_text(verdict: Verdict) -> str:
    """Return the status of a certificate, else undecided or refuted."""
    if isinstance(verdict, Certificate):
        return verdict.status.value
    return (Status.REFUTED if isinstance(verdict, Refuted) else Status.UNDECIDED).value


def method_text(verdict: Verdict) -> str:
    """Say which kind of proof a verdict is about."""
    decomposed = next((step for step in verdict.steps if step.id == "sum-decomposition"), None)
    subdivided = any(step.id == "subdivision" for step in verdict.steps)
    if decomposed is not None:
        by = ("structure: from weights and target text alone, quantity by quantity" if decomposed.status is Status.PROVED
              else "derivation: a priori error budget, derived again from the target text")
        return f"{by}; its polynomial over boxes of sorted sequences" if subdivided else by
    if subdivided:
        return "subdivision: from weights and target text alone, over boxes of sorted sequences"
    return "grid: piecewise constant on cells, re-proved a posteriori from weights and target text"
