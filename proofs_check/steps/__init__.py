"""The steps of the proof, one a file; every module defines ``STEP``, and its id is the module's name with dashes."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from proofs_check.proof import ProofStep


@cache
def all_steps() -> dict[str, ProofStep]:
    """Return every step by id.

    Raises:
        ValueError: a module's name is not its step's id.
    """
    steps: dict[str, ProofStep] = {}
    for module in pkgutil.iter_modules(__path__):
        step: ProofStep = import_module(f"{__name__}.{module.name}").STEP
        if step.id != module.name.replace("_", "-"):
            raise ValueError(f"the step in {module.name}.py is called {step.id!r}")
        steps[step.id] = step
    return steps
