"""What structure proved of each quantity, as steps: the network holds q within e of it, given what q is made of."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from constructions.targets import expression as ex
from proofs_check.kernel import Status, Step, derive
from proofs_check.propositions import Near, Scope
from proofs_check.structure.derivation import Entry
from proofs_check.structure.proof import Proved
from proofs_check.structure.quantity import Quantity, magnitude

LONGEST = 70  # characters of an expression that are shown


def quantity_steps(proved: Proved, scope: Scope) -> tuple[Step, ...]:
    """Return a step for each quantity that is used in no other; the others are among their premises."""
    steps: dict[str, Step] = {}
    used: set[str] = set()
    for entry in proved.entries:
        below = _read(entry)
        used.update(below)
        steps[entry.name] = _step(entry, proved.quantities[entry.name], [steps[name] for name in below if name in steps], scope)
    return tuple(step for name, step in steps.items() if name not in used)


def _step(entry: Entry, quantity: Quantity, premises: list[Step], scope: Scope) -> Step:
    error = magnitude(quantity.error)
    of_tokens = not any(isinstance(node, ex.Reduction | ex.OrderStatistic) for node in quantity.definition.walk())
    about = replace(scope, part="tokens") if of_tokens else scope
    if entry.kind == "mean" and [step.says.bound for step in premises if isinstance(step.says, Near)] == [Fraction(error)]:
        return derive("mean of bounded terms", premises)
    says = Near(entry.name, f"{entry.name} held", Fraction(error), about) if math.isfinite(error) else None
    text = str(quantity.definition)
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} .."
    return Step("", f"{entry.kind} {entry.name} = {shown}", Status.CERTIFIED, says=says, premises=tuple(premises))


def _read(entry: Entry) -> list[str]:
    names = [name for form in entry.of for name in form.terms] + ([entry.reciprocal] if entry.reciprocal else [])
    return list(dict.fromkeys(names))
