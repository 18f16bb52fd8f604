"""The proof of a certificate as a tree of plain data: for certificate.json, and for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proofs_check.kernel import Certificate, Step


@dataclass(frozen=True)
class Branch:
    """A step, what it rests on, and a number: where a step is met again, only ``again``, the number it had, is given."""

    number: int
    step: Step
    below: tuple[Branch, ...]
    again: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the branch as JSON data; the rule of a leaf is "checked"."""
        if self.again:
            return {"see": self.number}
        step = self.step
        own = {"step": step.id, "statement": step.statement} if step.id else {}
        says = {} if step.says is None else {"says": str(step.says)}
        below = {"from": [branch.to_json() for branch in self.below]} if self.below else {}
        known = {"status": step.status.value, "share": str(step.bound)}
        return {"number": self.number, "rule": step.rule, **own, **says, **known, **below}


def proof_tree(certificate: Certificate) -> Branch:
    """Return the proof from its conclusion down to what the checkers established."""
    numbers: dict[int, int] = {}

    def branch(step: Step) -> Branch:
        if id(step) in numbers:
            return Branch(numbers[id(step)], step, (), again=True)
        numbers[id(step)] = len(numbers) + 1
        return Branch(numbers[id(step)], step, tuple(branch(premise) for premise in step.premises))

    return branch(certificate.conclusion)

