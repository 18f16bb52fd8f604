"""Runs in every state that a page can show, made by the command line and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from proofs_check.run_files import FILES, digest, file_sha256
from tests.uat.conftest import Uat

HOSTILE = "<script>alert('1')</script>&\"'><img src=x onerror=alert(2)>"


def constructed(uat: Uat, *more: str, target: str = "x*mean(y)", eps: str = "1/4", samples: str = "0") -> Path:
    """Write a run directory called ``run``."""
    answer = uat("construct", "--target", target, "--eps", eps, "--samples", samples, "--out", "run", *more)
    assert answer.code == 0, answer.err
    return Path("run")


def rewritten(run: Path, change: Mapping[str, Callable[[dict[str, Any]], None]]) -> None:
    """Change JSON files of a run, and make hashes and digest fit again."""
    for name, edit in change.items():
        content = json.loads((run / name).read_text())
        edit(content)
        (run / name).write_text(json.dumps(content))
    certificate = json.loads((run / "certificate.json").read_text())
    certificate["sha256"] = {name: file_sha256(run / name) for name in FILES}
    certificate["digest"] = digest(certificate)
    (run / "certificate.json").write_text(json.dumps(certificate))


def proved(uat: Uat) -> Path:
    return constructed(uat)


def assumed(uat: Uat) -> Path:
    return constructed(uat, "--lipschitz", "2", "--method", "grid")


def undecided(uat: Uat) -> Path:
    """The claim is a bound that the steps miss by a millionth, and that no sequence contradicts."""
    run = constructed(uat, "--method", "grid")

    def lower(certificate: dict[str, Any]) -> None:
        certificate["claim"]["bound"] = str(Fraction(certificate["proved_bound"]) - Fraction(1, 10**6))

    rewritten(run, {"certificate.json": lower})
    return run


def refuted(uat: Uat) -> Path:
    """One value of the table is another one."""
    run = constructed(uat, "--method", "grid")
    arrays = load_file(run / "weights.safetensors")
    name = max((name for name in arrays if name.endswith("values")), key=lambda name: arrays[name].size)
    arrays[name] = np.where(arrays[name] == arrays[name].max(), 2 * arrays[name].max(), arrays[name])
    save_file(arrays, run / "weights.safetensors")
    rewritten(run, {})
    return run


def contradicted(uat: Uat) -> Path:
    """The Lipschitz constant was declared too small: the certificate assumes something false."""
    return constructed(uat, "--lipschitz", "1/100", "--method", "grid", eps="1/100")


def hostile(uat: Uat) -> Path:
    """The target is called something that a browser would run."""
    run = constructed(uat)
    rewritten(run, {"plan.json": lambda content: content.update(target=HOSTILE),
                    "certificate.json": lambda content: content["claim"].update(target=HOSTILE)})
    return run
