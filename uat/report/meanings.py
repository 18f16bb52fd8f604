"""What a step of a certificate says, by its id: the statement of the proof, or a sentence of our own."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from proofs_check.proof import ProofStep

# Steps of a certificate that are about this network alone, so that theorem.md does not state them.
OWN = {
    "definedness": "f has a value at every sequence of the domain, for every claimed length.",
    "chebyshev-expansion": "Functions of one variable are replaced by polynomials; this is what that changes.",
    "evaluation": "Running the network in floating point instead of with exact numbers changes its output by no more than this.",
    "quoted-bound": "The bound is quoted with a few digits, rounded up; this is what that leaves above the sum of the others.",
    "value-rounding": "Every stored value of the table is within this of the value of f at the middle of its cell.",
    "weight-rounding": "The weights are rounded once when they are stored; this is what that changes.",
    "rational-constants": "Constants of the weights are not exactly those of f; this is what that changes.",
    "subdivision": "The polynomial that the network is built for misses no more of f than this, on all boxes of sequences.",
    "claim": "The claim is about the target, domain and networks that are stored.",
    "network": "The stored arrays are a network of the documented form.",
}


def meaning(step_id: str) -> dict[str, str]:
    """Return ``says``, ``source`` and ``place`` of a step: its statement, where that is from, where it is proved."""
    step = _proof_step(step_id)
    if step is not None:
        return {"says": step.plain, "source": step.source, "place": f"docs/theorem.md#{step.id}"}
    return {"says": OWN.get(step_id, "A share of the error of this network."), "source": "this run", "place": "docs/trust.md"}


def _proof_step(step_id: str) -> ProofStep | None:
    """Import one step: all of them take longer than the rest of the page."""
    module = f"proofs_check.steps.{step_id.replace('-', '_')}"
    if not step_id.replace("-", "").isalnum() or find_spec(module) is None:
        return None
    step: ProofStep = import_module(module).STEP
    return step
